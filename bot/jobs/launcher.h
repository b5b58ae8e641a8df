/* The thread that has `envbot job N` started for what the queue holds: away from this process, so
   that neither its restart nor its end touches a running job. What keeps one from starting is told,
   once, in its thread and to the operators. */
#ifndef JOBS_LAUNCHER_H
#define JOBS_LAUNCHER_H

#include "config.h"

struct breaker;
struct launcher;
struct metrics;

/* NULL with err when the way to start jobs (jobs.launcher) is set up wrongly. */
struct launcher *launcher_new(const void *ctx, const struct config *config, struct metrics *metrics,
                              struct error *err);
/* Of what starting depends on; NULL: nothing. */
struct breaker *launcher_breaker(const struct launcher *launcher);
void launcher_start(struct launcher *launcher);
/* From any thread: there may be something in the queue. */
void launcher_wake(struct launcher *launcher);
/* Ends the thread, not the jobs. */
void launcher_stop(struct launcher *launcher);

#endif
