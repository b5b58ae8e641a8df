/* What a job has to do with the breaker around AWS (store/circuits.h): it tells what failed, and
   hears whether it is to wait. */
#ifndef JOBS_CIRCUIT_H
#define JOBS_CIRCUIT_H

#include "jobs/supervise.h"

/* The scope in which that trouble fails every job alike: "" for all of AWS (credentials), the
   region (throttling); NULL: it is of this job alone. */
const char *circuit_scope(const struct cause *cause, const char *region);

/* A question to AWS had no answer but these lines. True: it fails others as well, so the job is to
   go back into the queue, where it waits (run->waits). */
bool circuit_asks_in_vain(struct run *run, const char *text);
/* AWS answered a question: if this job is the probe, its credentials are right. */
void circuit_answered(struct run *run);
/* A line of eksctl's log, inside the transaction that keeps it: when AWS has taken a stack from the
   probe, it does not throttle any more. */
void circuit_heard(struct run *run, const char *text);
/* In the transaction of its end: it failed by run->cause. run->waits: it is to go back into the
   queue, and the failure is not its own. */
bool circuit_failed(struct run *run, struct error *err);
/* In that transaction: back into the queue at once; who waits for AWS is told so. */
void circuit_put_back(struct run *run);

#endif
