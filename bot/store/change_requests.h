/* The table of change requests: more time or more nodes than a template allows without another
   approval. An environment has one that is open at most. */
#ifndef STORE_CHANGE_REQUESTS_H
#define STORE_CHANGE_REQUESTS_H

#include "store/waits.h"

#include <time.h>

/* Owned by the ctx it was read into. Times are seconds since 1970, 0 where the row has none. */
struct change_request {
    int64_t id, environment;
    const char *kind;           /* "extend" or "scale" */
    int64_t wanted;             /* seconds more, or so many nodes */
    const char *before, *after; /* what its card shows of now and then */
    const char *reason;         /* "" for none */
    const char *workspace, *user, *name;
    const char *mail;  /* NULL: nobody knows an address */
    const char *state; /* pending, approved, denied, withdrawn, lapsed, over (the environment is) */
    int revision;
    const char *presented; /* the digest of what its cards show */
    cJSON *tally;
    struct wait wait; /* for its decision */
    time_t created_at, lapses_at, decided_at, now;
};

/* By its number, or the open one of an environment; *out is NULL when there is none. It is locked
   by locking its environment first. */
bool change_request_by_id(const void *ctx, struct db *db, int64_t id, struct change_request **out,
                          struct error *err);
bool change_request_open(const void *ctx, struct db *db, int64_t environment,
                         struct change_request **out, struct error *err);
/* One open request whose time to be looked at has come or whose environment runs no more, with that
   environment's row locked; *out is NULL when there is none that nobody else works on. In a
   transaction. */
bool change_request_due(const void *ctx, struct db *db, struct change_request **out,
                        struct error *err);

/* Adds it; it lapses so many seconds from now. Sets its id and times. ERROR_CONFLICT when one is
   open. */
bool change_request_insert(struct db *db, struct change_request *request, int64_t lapse_seconds,
                           struct error *err);
/* Queues writing its state, revision, digest, tally, before and after. Whatever is not pending is
   decided now. */
void change_request_write(struct db *db, const struct change_request *request);

#endif
