/* Who is enrolled for one-time codes: the table enrolments. */
#ifndef STORE_ENROLMENTS_H
#define STORE_ENROLMENTS_H

#include "store/db.h"

struct enrolment {
    const uint8_t *secret; /* sealed */
    size_t length;
    int64_t last_step;   /* the latest whose code was taken */
    int failures;        /* since the last right code */
    int64_t locked_left; /* seconds; 0: not locked */
    int64_t now;         /* seconds since 1970, of PostgreSQL's clock */
};

/* *out (ctx) is NULL when there is none. lock: until the end of the transaction, after the
   environment's row; so of two tries at once the second sees what the first left. */
bool enrolment_find(const void *ctx, struct db *db, const char *workspace, const char *user,
                    bool lock, struct enrolment **out, struct error *err);

/* Makes or replaces it, with no failures and no lock. */
bool enrolment_put(struct db *db, const char *workspace, const char *user, const uint8_t *secret,
                   size_t length, bool *replaced, struct error *err);
/* *was: whether there was one. */
bool enrolment_remove(struct db *db, const char *workspace, const char *user, bool *was,
                      struct error *err);

/* Queue what became of a try; the row is locked. lock_seconds 0: not locked by this one. */
void enrolment_right(struct db *db, const char *workspace, const char *user, int64_t step);
void enrolment_wrong(struct db *db, const char *workspace, const char *user, int64_t lock_seconds);

/* How many of these people of a workspace (user ids, NULL-terminated) are enrolled. */
bool enrolment_count(const void *ctx, struct db *db, const char *workspace, const char **users,
                     int *count, struct error *err);

#endif
