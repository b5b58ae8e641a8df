/* A circuit breaker before something that can be away: after some failures in a row it answers
   "no" at once instead of letting people wait, and lets one probe through now and then.
   Every function may be called from any thread. */
#ifndef BASE_BREAKER_H
#define BASE_BREAKER_H

#include "base/error.h"

#include <stdint.h>

struct metrics;
struct breaker;

enum breaker_state { BREAKER_CLOSED = 0, BREAKER_HALF_OPEN = 1, BREAKER_OPEN = 2 };

struct breaker_options {
    const char *name;     /* the dependency: "slack", "postgresql", "ses"; in logs and metrics */
    int failures;         /* in a row until it opens; 0: 5 */
    int64_t open_ms;      /* until the first probe; doubles with each failed probe. 0: 5 s */
    int64_t open_most_ms; /* 0: 60 s */
};

/* Owned by ctx. Shows itself as envbot_breaker_state{dependency} (0 closed, 1 half open, 2 open)
   in metrics, which may be NULL. */
struct breaker *breaker_new(const void *ctx, const struct breaker_options *options,
                            struct metrics *metrics);

/* Whether a call may be made now. After true, exactly one of breaker_success and breaker_failure
   is owed; false fills err with ERROR_UNAVAILABLE and when to come again. Of those who ask while
   it is half open one gets through; a probe that never reports is forgotten after open_ms. */
bool breaker_allow(struct breaker *breaker, struct error *err);
/* The dependency answered; an answer such as "no such channel" is a success of the dependency. */
void breaker_success(struct breaker *breaker);
/* It did not answer, or answered that it cannot work. What a call reports that began before the
   breaker opened changes nothing. */
void breaker_failure(struct breaker *breaker);

enum breaker_state breaker_state(struct breaker *breaker);
const char *breaker_state_name(enum breaker_state state); /* "closed", "half-open", "open" */
const char *breaker_name(const struct breaker *breaker);

#endif
