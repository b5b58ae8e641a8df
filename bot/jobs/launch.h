/* The ways in which `envbot job N` is started; jobs.launcher names one. */
#ifndef JOBS_LAUNCH_H
#define JOBS_LAUNCH_H

#include "config.h"
#include "jobs/troubles.h"
#include "store/launches.h"

struct breaker;
struct metrics;

struct launch {
    const char *name;
    int again;   /* seconds after which a job that has not claimed its row is looked at again */
    int at_once; /* so many are started at most before the first of them have claimed their rows */
    /* What start needs, for one thread; freed with ctx. NULL with err: it is set up wrongly. */
    void *(*begin)(const void *ctx, const struct config *config, struct metrics *metrics,
                   struct error *err);
    /* Starts the job's next claim unless that was done before, or something is in its way: then it
       fills trouble, which is TROUBLE_NONE before. True: it was started now. Twice does no harm:
       the job's row is claimed once. */
    bool (*start)(void *state, const struct launch_job *job, struct trouble *trouble);
    /* Ends what was started for jobs that are over without it; NULL: nothing can be left. Called
       at each look at the queue, outside of a transaction. */
    void (*tidy)(void *state, struct db *db);
    /* Of what it depends on; NULL: nothing. */
    struct breaker *(*breaker)(void *state);
};

extern const struct launch launch_local;      /* a detached process on this host */
extern const struct launch launch_kubernetes; /* a Job of a cluster */

/* NULL when there is none of that name. */
const struct launch *launch_find(const char *name);

#endif
