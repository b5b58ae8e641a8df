/* The pauses' table: who stopped new jobs from starting. A job that has begun, and one that is left
   behind by its process, goes on; so does a deletion, unless everything is paused. */
#ifndef STORE_PAUSES_H
#define STORE_PAUSES_H

#include "store/db.h"

#include <time.h>

struct pause {
    int64_t id;
    const char *workspace, *user, *name, *reason;
    bool everything;
    time_t since;
};

/* In a statement: whether a pause holds the queued job j. */
#define PAUSE_HOLDS_J                                                                              \
    "EXISTS (SELECT FROM pauses p WHERE p.resumed_at IS NULL"                                      \
    " AND (p.everything OR (j.kind <> 'delete' AND j.started_at IS NULL)))"

/* Queues the question; read *rows with pause_from_row after the next flush. */
void pause_ask(const void *ctx, struct db *db, struct rows **rows);
/* NULL when nothing is paused. */
struct pause *pause_from_row(const void *ctx, const struct rows *rows);
/* The same, where it holds that environment: a request, or a job that waits. */
void pause_ask_for(const void *ctx, struct db *db, const char *environment, struct rows **rows);
/* Both at once; *out is NULL when nothing is paused. */
bool pause_find(const void *ctx, struct db *db, struct pause **out, struct error *err);

/* In the caller's transaction: no claim is under way until its end, and those that follow see what
   it did. After it nothing about an environment may be locked or written. */
bool pause_hold_claims(struct db *db, struct error *err);
/* Queues it; the caller holds the claims. One that is open is over by it. */
void pause_begin(struct db *db, const struct pause *pause);
void pause_end(struct db *db, int64_t id);

/* The first whose beginning or end (*over) nobody was told of; *out is NULL when there is none. */
bool pause_find_untold(const void *ctx, struct db *db, struct pause **out, bool *over,
                       struct error *err);
/* In the caller's transaction: people know. *was: nobody else has said so before. */
bool pause_told(struct db *db, const struct pause *pause, bool over, bool *was, struct error *err);

#endif
