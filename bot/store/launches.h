/* What a launcher has to know of a job that it is to start, and what it found in the way. */
#ifndef STORE_LAUNCHES_H
#define STORE_LAUNCHES_H

#include "store/db.h"

struct launch_job {
    int64_t id, environment;
    int64_t next; /* the fencing number that its next claim will have */
    const char *kind, *region, *team, *name, *owner;
};

/* *out is NULL when it waits for no start any more. Owned by ctx. */
bool launch_job_read(const void *ctx, struct db *db, int64_t id, struct launch_job **out,
                     struct error *err);

/* In the caller's transaction, after the environment was locked: writes down what keeps the job's
   next claim from starting. *news is false when that is known already, or it has started meanwhile;
   *first is false when another waiting job has the same. */
bool launch_held_up(struct db *db, const struct launch_job *job, const char *trouble, bool *news,
                    bool *first, struct error *err);

/* Of the jobs with these ids ("{17,18}") those that came to their end at least so many seconds ago:
   id, team, name. Owned by ctx; NULL with err. */
struct rows *launches_over(const void *ctx, struct db *db, const char *ids, int64_t seconds,
                           struct error *err);

#endif
