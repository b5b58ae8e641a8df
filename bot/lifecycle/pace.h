/* How fast each destination may be spoken to: a token bucket each, shared by the threads of one
   process. Slack: about one message a second a channel, bursts allowed; after a 429 not before its
   Retry-After. */
#ifndef LIFECYCLE_PACE_H
#define LIFECYCLE_PACE_H

#include <stdint.h>

struct pace;
/* One each interval_ms, `burst` at once after a silence. interval_ms 0: no limit. */
struct pace *pace_new(const void *ctx, int64_t interval_ms, int burst);

/* Takes a turn for the key and returns 0; or, when it has to wait, returns after how many ms to ask
   again. Those who are sent away queue: each gets a later moment than the one before. */
int64_t pace_take(struct pace *pace, const char *key);
/* Nobody before now + wait_ms. */
void pace_hold(struct pace *pace, const char *key, int64_t wait_ms);

#endif
