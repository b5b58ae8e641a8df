/* Lengths of time and moments, as people write and read them. */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include "base/error.h"

#include <stdint.h>
#include <time.h>

/* "30m", "8h", "2d", "1w", sums ("1d12h"), words ("90 min", "2 days") to seconds. Refuses nothing,
   zero, negative, what does not fit, and what is no length of time, with a sentence. */
bool duration_parse(const char *text, int64_t *seconds, struct error *err);
/* "3 h 10 min", "2 days 4 h", "45 s": the two largest units. */
char *duration_text(const void *ctx, int64_t seconds);
/* "8h", "1d12h": what duration_parse reads back. */
char *duration_short(const void *ctx, int64_t seconds);

#endif
