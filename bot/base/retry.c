#include "base/retry.h"

#include <stdlib.h>

int64_t retry_wait_ms(int attempt, int64_t floor_ms, int64_t cap_ms)
{
    int64_t ceiling = floor_ms;
    for (int i = 0; i < attempt && ceiling < cap_ms; i++)
        ceiling = ceiling > cap_ms / 2 ? cap_ms : ceiling * 2;
    if (ceiling > cap_ms)
        ceiling = cap_ms;
    if (ceiling <= floor_ms)
        return ceiling;
    int64_t span = ceiling - floor_ms;
    if (span > UINT32_MAX - 1)
        span = UINT32_MAX - 1;
    return floor_ms + (int64_t)arc4random_uniform((uint32_t)span + 1);
}

int64_t retry_next_ms(struct retry *retry)
{
    if (retry->failures < 1000)
        retry->failures++;
    return retry_wait_ms(retry->failures, retry->floor_ms, retry->cap_ms);
}

void retry_reset(struct retry *retry)
{
    retry->failures = 0;
}
