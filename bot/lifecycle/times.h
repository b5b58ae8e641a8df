/* The arithmetic of an environment's time: when it is warned, when it ends, beyond which moment it
   never lives. It counts from ready and goes on whatever happens to it meanwhile. */
#ifndef LIFECYCLE_TIMES_H
#define LIFECYCLE_TIMES_H

#include "store/environments.h"
#include "store/jobs.h"

/* How long the configuration lets things take. */
struct lifecycle_rules {
    int64_t warn_before[8];   /* seconds before the end, 0-terminated */
    int64_t request_lapses;   /* seconds, where the template does not say */
    struct job_bounds bounds; /* for saying when a job's turn comes */
};
extern struct lifecycle_rules lifecycle_rules;
/* The moment beyond which it never lives: the template's ttl.ceiling from when its creation began.
   0 where the template sets none, or nothing has begun. */
time_t lifecycle_ceiling(const struct environment *env);
/* When the clock must look at it next, from the environment's state and times; 0 for never.
   ready, changing, asleep: the next warning that is still to come, else expires_at, or its
   schedule's turn before that; pending: waiting_due(). */
time_t lifecycle_due(const struct environment *env, const struct lifecycle_rules *rules);
/* The warning (seconds before the end) that is due at env->now and was not given yet, or 0. */
int64_t lifecycle_warning_due(const struct environment *env, const struct lifecycle_rules *rules);
/* Whoever gives more time knows how much is left then: the warning that would come at once, which
   is taken as given; 0: none. */
int64_t lifecycle_warning_known(const struct environment *env, const struct lifecycle_rules *rules);

#endif
