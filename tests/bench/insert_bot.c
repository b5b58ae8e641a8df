/* One INSERT before each ack and nothing else, with envbot's own connection to Slack and to
   PostgreSQL: what Bolt is measured with, like for like. */
#include "base/log.h"
#include "base/metrics.h"
#include "slack/socket.h"
#include "store/db.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <talloc.h>
#include <unistd.h>

enum { HANDLERS = 10, QUEUE_MOST = 65536 };

static struct socket *slack;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct envelope_raw *items[QUEUE_MOST];
    unsigned first, end;
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
    while (queue.first == queue.end)
        pthread_cond_wait(&queue.changed, &queue.lock);
    struct envelope_raw *raw = queue.items[queue.first++ % QUEUE_MOST];
    pthread_mutex_unlock(&queue.lock);
    return raw;
}

static bool answer(struct db *db, struct envelope_raw *raw, struct error *err)
{
    struct envelope *envelope;
    if (!envelope_parse(raw, &envelope, err) || !db_begin(db, DB_READ_WRITE, err))
        return false;
    cJSON *reply = json_object(raw);
    json_set_string(reply, "response_type", "ephemeral");
    json_set_format(reply, "text", "You typed %s.", envelope->text);
    const char *text = json_text(raw, reply);
    db_send(db, "INSERT INTO bolt_envelopes (key, reply) VALUES ($1, $2::jsonb)",
            P(envelope->key, text));
    if (!db_commit(db, err))
        return false;
    socket_ack(slack, raw->connection, raw->envelope_id, text);
    return true;
}

static void *handle(void *unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct db *db = db_new(ctx, getenv("DATABASE_URL"), "insert_bot", 5000);
    for (;;) {
        struct envelope_raw *raw = next();
        struct error err = {0};
        if (!answer(db, raw, &err))
            log_error("not acked", "error", err.text);
        talloc_free(raw);
    }
    return NULL;
}

static void on_signal(int number)
{
    (void)number;
    _exit(0); /* nobody waits for an ack any more */
}

int main(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct error err = {0};
    const struct socket_options options = {.connections = 2,
                                           .app_token = getenv("SLACK_APP_TOKEN"),
                                           .api_url = getenv("ENVBOT_SLACK_API_URL"),
                                           .on_envelope = on_envelope};
    slack = socket_new(NULL, &options, metrics_new(NULL), &err);
    signal(SIGTERM, on_signal);
    pthread_t thread;
    for (int i = 0; slack && i < HANDLERS; i++)
        pthread_create(&thread, NULL, handle, NULL);
    if (!slack || !socket_run(slack, &err))
        log_error(err.text);
    return 1;
}
