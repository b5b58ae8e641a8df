#include "lifecycle/pace.h"

#include <pthread.h>
#include <talloc.h>
#include <time.h>
#include <uthash.h>

struct place {
    char key[64];
    int64_t full_at;   /* when the bucket would be full again (GCRA's theoretical arrival) */
    int64_t held;      /* nobody before */
    int64_t queued_to; /* the moment given to the last one who was sent away */
    UT_hash_handle hh;
};

struct pace {
    pthread_mutex_t lock;
    struct place *places;
    int64_t interval_ms;
    int burst;
};

static int free_pace(struct pace *pace)
{
    struct place *each, *next;
    HASH_ITER (hh, pace->places, each, next) {
        HASH_DEL(pace->places, each);
        talloc_free(each);
    }
    pthread_mutex_destroy(&pace->lock);
    return 0;
}

struct pace *pace_new(const void *ctx, int64_t interval_ms, int burst)
{
    struct pace *pace = talloc_zero(ctx, struct pace);
    pthread_mutex_init(&pace->lock, NULL);
    pace->interval_ms = interval_ms;
    pace->burst = burst;
    talloc_set_destructor(pace, free_pace);
    return pace;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Destinations nobody spoke to for a while have full buckets: forgotten. */
static void forget_quiet(struct pace *pace, int64_t now)
{
    if (HASH_COUNT(pace->places) < 4096)
        return;
    struct place *each = NULL, *next = NULL;
    HASH_ITER (hh, pace->places, each, next) {
        if (each->full_at < now && each->held < now && each->queued_to < now) {
            HASH_DEL(pace->places, each);
            talloc_free(each);
        }
    }
}

static struct place *place_of(struct pace *pace, const char *key, int64_t now)
{
    struct place *place;
    char cut[sizeof place->key];
    snprintf(cut, sizeof cut, "%s", key);
    HASH_FIND_STR(pace->places, cut, place);
    if (place)
        return place;
    forget_quiet(pace, now);
    place = talloc_zero(NULL, struct place); /* not on pace: threads share it under the lock */
    memcpy(place->key, cut, sizeof cut);
    HASH_ADD_STR(pace->places, key, place);
    return place;
}

int64_t pace_take(struct pace *pace, const char *key)
{
    int64_t now = now_ms(), wait = 0;
    pthread_mutex_lock(&pace->lock);
    struct place *place = place_of(pace, key, now);
    int64_t full_at = place->full_at > now ? place->full_at : now;
    int64_t free_at = full_at - (pace->burst - 1) * pace->interval_ms;
    if (place->held > free_at)
        free_at = place->held;
    if (free_at <= now) {
        place->full_at = full_at + pace->interval_ms;
    } else {
        int64_t next = place->queued_to + pace->interval_ms;
        place->queued_to = next > free_at ? next : free_at;
        wait = place->queued_to - now;
    }
    pthread_mutex_unlock(&pace->lock);
    return wait;
}

void pace_hold(struct pace *pace, const char *key, int64_t wait_ms)
{
    int64_t now = now_ms();
    pthread_mutex_lock(&pace->lock);
    struct place *place = place_of(pace, key, now);
    if (place->held < now + wait_ms)
        place->held = now + wait_ms;
    pthread_mutex_unlock(&pace->lock);
}
