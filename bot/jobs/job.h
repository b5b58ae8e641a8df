/* `envbot job N`: one run of one job, in a process of its own. */
#ifndef JOBS_JOB_H
#define JOBS_JOB_H

#include "config.h"

#include <stdint.h>

/* Claims job N, looks at what is, does what is missing, looks again, and records the end. Returns
   the exit code: 0 the job's end (or its next try) is recorded, or it is not to be had now; 1 it
   could not be done or the lease was lost: another process takes it up. */
int job_run(const struct config *config, int64_t id);

#endif
