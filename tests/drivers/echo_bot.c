/* A bot that answers every envelope with what it heard: Socket Mode and the HTTP door without a
   database, for the tests of both. Options are --name=value, times in ms. */
#include "base/log.h"
#include "base/metrics.h"
#include "http/door.h"
#include "http/health.h"
#include "slack/socket.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

enum { HANDLERS_MOST = 16, QUEUE_MOST = 65536 };

static struct {
    long connections, handlers, delay, hello, silence, drain, pause, floor, cap, proven, series;
} options = {.connections = 2, .handlers = 2, .floor = 50, .cap = 500};

static const struct {
    const char *name;
    long *value;
} option_names[] = {
    {"connections", &options.connections},
    {"handlers", &options.handlers},
    {"delay", &options.delay},
    {"hello", &options.hello},
    {"silence", &options.silence},
    {"drain", &options.drain},
    {"pause", &options.pause},
    {"floor", &options.floor},
    {"cap", &options.cap},
    {"proven", &options.proven},
    {"series", &options.series}, /* a metric with so many long ones, for a large page */
};

static struct socket *slack;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct envelope_raw *items[QUEUE_MOST];
    unsigned first, end;
    bool over;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void on_envelope(void *unused, struct envelope_raw *raw)
{
    (void)unused;
    pthread_mutex_lock(&queue.lock);
    queue.items[queue.end++ % QUEUE_MOST] = raw;
    pthread_cond_signal(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
}

static struct envelope_raw *next(void)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.first == queue.end && !queue.over)
        pthread_cond_wait(&queue.changed, &queue.lock);
    struct envelope_raw *raw =
        queue.first == queue.end ? NULL : queue.items[queue.first++ % QUEUE_MOST];
    pthread_mutex_unlock(&queue.lock);
    return raw;
}

static void answer(struct envelope_raw *raw)
{
    struct envelope *envelope;
    struct error err = {0};
    cJSON *reply = json_object(raw);
    if (options.delay)
        log_info("taken", "envelope", raw->envelope_id);
    if (envelope_parse(raw, &envelope, &err))
        json_set_format(reply, "text", "echo %s%s", envelope->text, envelope->value);
    else
        json_set_format(reply, "text", "refused: %s", err.text);
    if (options.delay)
        nanosleep(&(struct timespec){.tv_sec = options.delay / 1000,
                                     .tv_nsec = options.delay % 1000 * 1000000},
                  NULL);
    socket_ack(slack, raw->connection, raw->envelope_id, json_text(raw, reply));
    talloc_free(raw);
}

static void *handle(void *unused)
{
    (void)unused;
    for (struct envelope_raw *raw; (raw = next());)
        answer(raw);
    return NULL;
}

static void on_signal(int number)
{
    (void)number;
    socket_stop(slack);
}

static bool read_options(int count, char **words)
{
    for (int i = 1; i < count; i++) {
        bool known = false;
        for (size_t j = 0; j < sizeof option_names / sizeof *option_names; j++) {
            size_t length = strlen(option_names[j].name);
            if (strncmp(words[i], "--", 2) == 0 &&
                strncmp(words[i] + 2, option_names[j].name, length) == 0 &&
                words[i][2 + length] == '=') {
                *option_names[j].value = strtol(words[i] + 3 + length, NULL, 10);
                known = true;
            }
        }
        if (!known) {
            fprintf(stderr, "echo_bot: no option %s\n", words[i]);
            return false;
        }
    }
    return options.handlers <= HANDLERS_MOST;
}

static bool serve(const void *ctx, struct error *err)
{
    struct metrics *metrics = metrics_new(ctx);
    struct metric *many = metrics_gauge(metrics, "many", "Many.", "number");
    for (long i = 0; i < options.series; i++)
        metric_series(many, talloc_asprintf(metrics, "%0100ld", i));
    slack = socket_new(ctx,
                       &(struct socket_options){.connections = (int)options.connections,
                                                .app_token = getenv("SLACK_APP_TOKEN"),
                                                .api_url = getenv("ENVBOT_SLACK_API_URL"),
                                                .on_envelope = on_envelope,
                                                .hello_ms = options.hello,
                                                .silence_ms = options.silence,
                                                .drain_ms = options.drain,
                                                .pause_ms = options.pause,
                                                .floor_ms = options.floor,
                                                .cap_ms = options.cap,
                                                .proven_ms = options.proven},
                       metrics, err);
    if (!slack)
        return false;
    struct health *health = health_new(ctx, slack);
    health_database(health, NULL);
    const char *listen = getenv("ENVBOT_HTTP_LISTEN");
    if (!door_open(ctx, socket_lws(slack),
                   &(struct door_options){.listen = listen ? listen : "127.0.0.1:0",
                                          .health = health,
                                          .metrics = metrics},
                   err))
        return false;
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    pthread_t handlers[HANDLERS_MOST];
    for (long i = 0; i < options.handlers; i++)
        pthread_create(&handlers[i], NULL, handle, NULL);
    bool ok = socket_run(slack, err);
    pthread_mutex_lock(&queue.lock);
    queue.over = true;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    for (long i = 0; i < options.handlers; i++)
        pthread_join(handlers[i], NULL);
    return ok;
}

int main(int count, char **words)
{
    if (!read_options(count, words) || !getenv("SLACK_APP_TOKEN") ||
        !getenv("ENVBOT_SLACK_API_URL"))
        return 2;
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    bool ok = serve(ctx, &err);
    if (!ok)
        log_error(err.text);
    talloc_free(ctx);
    return ok ? 0 : 1;
}
