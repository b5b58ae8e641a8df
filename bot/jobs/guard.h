/* A small process beside the job's, which ends eksctl when the lease is about to run out, or when
   the job's process is gone: also while that one hangs, is frozen, or was killed. */
#ifndef JOBS_GUARD_H
#define JOBS_GUARD_H

#include <stdint.h>
#include <sys/types.h>

/* Milliseconds of a clock that nobody sets and that goes on while the machine sleeps. */
int64_t guard_clock(void);

/* Starts the guard, before anything is opened that it would hold open as well. Its pipe, or -1. */
int guard_start(void);
/* From now on the process group (0: none) is ended when guard_clock() reaches until, TERM first and
   KILL grace milliseconds later, unless it is told anew before. A guard that is gone is told in
   vain; the job looks at the clock itself as well. */
void guard_tell(int guard, pid_t group, int64_t until, int64_t grace);

#endif
