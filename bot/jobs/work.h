/* The work of a job: look, do what the table of reconcile.h says, look again. */
#ifndef JOBS_WORK_H
#define JOBS_WORK_H

#include "jobs/supervise.h"

/* How a job's attempt ended, before it is written down. */
enum outcome {
    OUTCOME_READY,
    OUTCOME_GONE,
    OUTCOME_FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_AGAIN, /* interrupted: back into the queue */
    OUTCOME_LOST,  /* another has it: write nothing */
};

/* Works until something is reached, the deadline is over, or it must leave. Sets the environment's
   cause where it failed, and what was seen of the cluster. */
enum outcome work(struct run *run);

#endif
