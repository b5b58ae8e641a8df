#include "base/breaker.h"
#include "base/log.h"
#include "base/metrics.h"

#include <pthread.h>
#include <talloc.h>
#include <time.h>

struct breaker {
    const char *name;
    int failures_most;
    int64_t open_ms, open_most_ms;
    struct series *shown; /* NULL without metrics */
    pthread_mutex_t lock;
    /* under lock */
    enum breaker_state state;
    int failures;
    int64_t period_ms;   /* of this opening */
    int64_t allow_at_ms; /* open: the first probe; half open: when this one is forgotten */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int destroy(struct breaker *breaker)
{
    pthread_mutex_destroy(&breaker->lock);
    return 0;
}

struct breaker *breaker_new(const void *ctx, const struct breaker_options *options,
                            struct metrics *metrics)
{
    struct breaker *breaker = talloc_zero(ctx, struct breaker);
    breaker->name = talloc_strdup(breaker, options->name);
    breaker->failures_most = options->failures ? options->failures : 5;
    breaker->open_ms = options->open_ms ? options->open_ms : 5000;
    breaker->open_most_ms = options->open_most_ms ? options->open_most_ms : 60000;
    pthread_mutex_init(&breaker->lock, NULL);
    talloc_set_destructor(breaker, destroy);
    if (metrics) {
        struct metric *metric = metrics_gauge(metrics, "envbot_breaker_state",
                                              "0 closed, 1 half open, 2 open.", "dependency");
        breaker->shown = metric_series(metric, breaker->name);
    }
    return breaker;
}

/* Under lock. */
static void turn(struct breaker *breaker, enum breaker_state state)
{
    if (breaker->state == state)
        return;
    breaker->state = state;
    if (breaker->shown)
        series_set(breaker->shown, state);
    if (state == BREAKER_OPEN)
        log_warn("circuit breaker opened", "dependency", breaker->name);
    else if (state == BREAKER_CLOSED)
        log_info("circuit breaker closed", "dependency", breaker->name);
}

bool breaker_allow(struct breaker *breaker, struct error *err)
{
    pthread_mutex_lock(&breaker->lock);
    int64_t now = now_ms(), wait = breaker->allow_at_ms - now;
    bool allowed = breaker->state == BREAKER_CLOSED || wait <= 0;
    if (allowed && breaker->state != BREAKER_CLOSED) {
        turn(breaker, BREAKER_HALF_OPEN);
        breaker->allow_at_ms = now + breaker->open_ms;
    }
    pthread_mutex_unlock(&breaker->lock);
    if (allowed)
        return true;
    return error_set(err, ERROR_UNAVAILABLE, "%s does not answer; the next try is in %lld s.",
                     breaker->name, (long long)(wait + 999) / 1000);
}

void breaker_success(struct breaker *breaker)
{
    pthread_mutex_lock(&breaker->lock);
    if (breaker->state != BREAKER_OPEN) {
        breaker->failures = 0;
        turn(breaker, BREAKER_CLOSED);
    }
    pthread_mutex_unlock(&breaker->lock);
}

void breaker_failure(struct breaker *breaker)
{
    pthread_mutex_lock(&breaker->lock);
    bool probe = breaker->state == BREAKER_HALF_OPEN;
    if (probe ||
        (breaker->state == BREAKER_CLOSED && ++breaker->failures >= breaker->failures_most)) {
        breaker->period_ms = probe ? breaker->period_ms * 2 : breaker->open_ms;
        if (breaker->period_ms > breaker->open_most_ms)
            breaker->period_ms = breaker->open_most_ms;
        breaker->allow_at_ms = now_ms() + breaker->period_ms;
        turn(breaker, BREAKER_OPEN);
    }
    pthread_mutex_unlock(&breaker->lock);
}

enum breaker_state breaker_state(struct breaker *breaker)
{
    pthread_mutex_lock(&breaker->lock);
    enum breaker_state state = breaker->state;
    pthread_mutex_unlock(&breaker->lock);
    return state;
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[] = {
        [BREAKER_CLOSED] = "closed", [BREAKER_HALF_OPEN] = "half-open", [BREAKER_OPEN] = "open"};
    return names[state];
}

const char *breaker_name(const struct breaker *breaker)
{
    return breaker->name;
}
