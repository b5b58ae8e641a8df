/* The ways in which `envbot job N` is started; jobs.launcher names one. */
#ifndef JOBS_LAUNCH_H
#define JOBS_LAUNCH_H

#include "config.h"

struct launch {
    const char *name;
    /* What start needs, for one thread; freed with ctx. */
    void *(*begin)(const void *ctx, const struct config *config);
    /* Starts it, or sees that it was started. Twice does no harm: the job's row is claimed once. */
    bool (*start)(void *state, int64_t id, struct error *err);
};

extern const struct launch launch_local; /* a detached process on this host */

/* NULL when there is none of that name. */
const struct launch *launch_find(const char *name);

#endif
