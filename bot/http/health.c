#include "http/health.h"
#include "base/breaker.h"
#include "base/json.h"
#include "slack/socket.h"

#include <pthread.h>
#include <stdio.h>
#include <talloc.h>
#include <time.h>

enum { BREAKERS_MOST = 16, STALE_SECONDS = 60 };

struct health {
    struct socket *socket;
    struct breaker *breakers[BREAKERS_MOST];
    int breaker_count;
    pthread_mutex_t lock;
    /* under lock */
    time_t database_at; /* the last word; 0: never */
    char database_trouble[512];
    char pause[512], aws[1024]; /* words; "" while all is well */
};

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static int destroy(struct health *health)
{
    pthread_mutex_destroy(&health->lock);
    return 0;
}

struct health *health_new(const void *ctx, struct socket *socket)
{
    struct health *health = talloc_zero(ctx, struct health);
    health->socket = socket;
    pthread_mutex_init(&health->lock, NULL);
    talloc_set_destructor(health, destroy);
    return health;
}

void health_watch(struct health *health, struct breaker *breaker)
{
    if (breaker && health->breaker_count < BREAKERS_MOST)
        health->breakers[health->breaker_count++] = breaker;
}

void health_database(struct health *health, const char *trouble)
{
    pthread_mutex_lock(&health->lock);
    health->database_at = now();
    snprintf(health->database_trouble, sizeof health->database_trouble, "%s",
             trouble ? trouble : "");
    pthread_mutex_unlock(&health->lock);
}

static void keep(struct health *health, char *place, size_t size, const char *words)
{
    pthread_mutex_lock(&health->lock);
    snprintf(place, size, "%s", words);
    pthread_mutex_unlock(&health->lock);
}

void health_pause(struct health *health, const char *words)
{
    keep(health, health->pause, sizeof health->pause, words);
}

void health_aws(struct health *health, const char *words)
{
    keep(health, health->aws, sizeof health->aws, words);
}

/* {"paused": true, "reason": "…"}, and what AWS says to the jobs. */
static void add_jobs(cJSON *root, cJSON *breakers, struct health *health)
{
    pthread_mutex_lock(&health->lock);
    cJSON *object = cJSON_CreateObject();
    json_set_bool(object, "paused", *health->pause != 0);
    if (*health->pause)
        json_set_string(object, "reason", health->pause);
    json_set(root, "provisioning", object);
    json_set_string(breakers, "aws", *health->aws ? "open" : "closed");
    if (*health->aws)
        json_set_string(root, "aws", health->aws);
    pthread_mutex_unlock(&health->lock);
}

/* NULL when PostgreSQL answers. */
static char *database_trouble(const void *ctx, struct health *health)
{
    pthread_mutex_lock(&health->lock);
    time_t age = now() - health->database_at;
    char *trouble = NULL;
    if (!health->database_at)
        trouble = talloc_strdup(ctx, "PostgreSQL has not been asked yet.");
    else if (*health->database_trouble)
        trouble = talloc_strdup(ctx, health->database_trouble);
    else if (age > STALE_SECONDS)
        trouble = talloc_asprintf(ctx, "PostgreSQL was last heard of %ld s ago.", (long)age);
    pthread_mutex_unlock(&health->lock);
    return trouble;
}

/* One part: {"ready": true} or {"ready": false, "reason": "…"}. */
static cJSON *part(cJSON *root, const char *name, const char *trouble)
{
    cJSON *object = cJSON_CreateObject();
    json_set_bool(object, "ready", !trouble);
    if (trouble)
        json_set_string(object, "reason", trouble);
    json_set(root, name, object);
    return object;
}

char *health_json(const void *ctx, struct health *health, bool *ready)
{
    void *tmp = talloc_new(NULL);
    const char *slack = health->socket ? socket_trouble(tmp, health->socket) : NULL;
    const char *database = database_trouble(tmp, health);
    *ready = !slack && !database;
    cJSON *root = json_object(tmp);
    json_set_bool(root, "ready", *ready);
    cJSON *object = part(root, "slack", slack);
    if (health->socket)
        json_set_number(object, "connections", socket_connections(health->socket));
    part(root, "database", database);
    cJSON *breakers = cJSON_CreateObject();
    for (int i = 0; i < health->breaker_count; i++)
        json_set_string(breakers, breaker_name(health->breakers[i]),
                        breaker_state_name(breaker_state(health->breakers[i])));
    add_jobs(root, breakers, health);
    json_set(root, "breakers", breakers);
    char *text = json_text(ctx, root);
    talloc_free(tmp);
    return text;
}
