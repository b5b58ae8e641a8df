/* The ways in which `envbot job N` is started; jobs.launcher names one. */
#ifndef JOBS_LAUNCH_H
#define JOBS_LAUNCH_H

#include "config.h"
#include "store/launches.h"

/* What keeps a job from starting, as a table of launch.c. */
enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_HERE,    /* this host starts no process */
    TROUBLE_IMAGE,   /* the pod's image cannot be had */
    TROUBLE_CONFIG,  /* what the pod's manifest names is not there */
    TROUBLE_NODE,    /* no node has room */
    TROUBLE_NO_POD,  /* the cluster makes no pod: a quota, a missing account */
    TROUBLE_SLOW,    /* the pod does not come up */
    TROUBLE_CRASHED, /* the pod ended before it took the job */
    TROUBLE_OLD_POD, /* the earlier run's pod does not go */
    TROUBLE_REFUSED, /* the API server does not let us */
    TROUBLE_INVALID, /* it does not take the manifest */
    TROUBLE_AWAY,    /* it does not answer, or cannot work */
    TROUBLE_BUSY,    /* it wants to be asked later */
    TROUBLE_KINDS
};

struct trouble {
    enum trouble_kind kind;
    bool lasts;        /* long enough to be said */
    char detail[1024]; /* what the other side said, for whoever runs envbot */
};
/* Text that does not fit is cut at a character boundary. */
void trouble_set(struct trouble *trouble, enum trouble_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct trouble_words {
    const char *name;     /* in the log and in the jobs' table */
    const char *sentence; /* for who waits */
    const char *remedy;   /* for whoever runs envbot */
};
const struct trouble_words *trouble_words(enum trouble_kind kind);

struct breaker;
struct metrics;

struct launch {
    const char *name;
    int again; /* seconds after which a job that has not claimed its row is looked at again */
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
