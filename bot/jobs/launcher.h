/* The thread that starts `envbot job N` for what the queue holds: detached, so that neither a
   restart nor the end of this process touches a running job. */
#ifndef JOBS_LAUNCHER_H
#define JOBS_LAUNCHER_H

#include "config.h"

struct launcher;

struct launcher *launcher_new(const void *ctx, const struct config *config);
void launcher_start(struct launcher *launcher);
/* From any thread: there may be something in the queue. */
void launcher_wake(struct launcher *launcher);
/* Ends the thread, not the jobs. */
void launcher_stop(struct launcher *launcher);

#endif
