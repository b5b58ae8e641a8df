/* How long to wait before trying again: exponential back-off with full jitter, so that many who
   failed together do not come back together. */
#ifndef BASE_RETRY_H
#define BASE_RETRY_H

#include <stdint.h>

/* After the attempt-th failure in a row (from 1): a random time between floor_ms and
   min(cap_ms, floor_ms * 2^attempt). For attempts that are counted elsewhere (a row). */
int64_t retry_wait_ms(int attempt, int64_t floor_ms, int64_t cap_ms);

/* The same with its own counter. Not for several threads at once. */
struct retry {
    int64_t floor_ms, cap_ms;
    int failures; /* in a row */
};

/* Counts one failure and says how long to wait. */
int64_t retry_next_ms(struct retry *retry);
/* It worked: the next failure is the first again. */
void retry_reset(struct retry *retry);

#endif
