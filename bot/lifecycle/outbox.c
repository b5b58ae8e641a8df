#include "lifecycle/outbox.h"

#include "base/bell.h"
#include "base/log.h"
#include "base/process.h"
#include "lifecycle/deliver.h"
#include "lifecycle/say.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

enum {
    LEASE_S = 60,        /* longer than any one delivery with all its calls and time-outs */
    SETTLE_S = 3,        /* what a sender asked of Slack that died meanwhile stands there by then */
    SLOW_POLL_MS = 5000, /* beside LISTEN and the bell */
    QUIET_MS = 20,       /* between two looks that found nothing: many commits ring often */
    BREAKER_MS = 500,    /* while the other side is away */
    AWAY_MS = 250,       /* while PostgreSQL is */
    STATEMENT_MS = 15000,
    BURST = 3, /* messages to a channel at once, after a silence */
};

static const struct role {
    const char *name, *kinds;
    bool slack, keeps_house;
} roles[] = {
    {"outbox-slack-1", "{say,redraw,private,upload}", true, true},
    {"outbox-slack-2", "{say,redraw,private,upload}", true, false},
    {"outbox-mail", "{mail,sns}", false, false},
};
enum { THREADS = sizeof roles / sizeof *roles };

struct thread {
    struct outbox *outbox;
    const struct role *role;
    pthread_t id;
    bool started;
    struct bell *bell;
    void *ctx; /* what the thread allocates hangs here: talloc is for one thread at a time */
    struct sender sender;
    struct breaker *breaker;
    struct series *delay;
    int64_t looked_in_vain; /* ms */
    int64_t kept_house;
    bool database_away;
};

struct outbox {
    struct outbox_options options;
    atomic_bool stopping;
    struct pace *channels, *methods;
    struct thread threads[THREADS];
    struct metric *pending, *parked;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void rest(int64_t ms)
{
    struct timespec time = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* ---- what became of a row ---- */

/* Nothing is dropped silently: the operators are told, and of a mail its owner. */
static void tell_parked(const void *ctx, struct thread *t, const struct outbox_row *row,
                        const char *why)
{
    struct db *db = t->sender.db;
    log_error("a message cannot be delivered; it stays in the outbox, parked", "outbox",
              row->id_text, "kind", row->kind, "template", row->template, "error", why);
    cJSON *values = json_object(ctx);
    json_set_string(values, "outbox", row->id_text);
    json_set_string(values, "kind", row->kind);
    json_set_string(values, "template", row->template);
    json_set_string(values, "conversation", row->conversation);
    json_set_string(values, "error", why);
    if (strcmp(row->place, "operators") != 0)
        say_operators(db, "parked", values);
    struct environment *env = NULL;
    struct error err = {0};
    if (strcmp(row->kind, "mail") == 0 && row->environment &&
        environment_by_id(ctx, db, row->environment, ENVIRONMENT_READ, &env, &err) && env)
        say(db, env, "thread", "mail-failed", values);
}

static void write_verdict(const void *ctx, struct thread *t, const struct outbox_row *row,
                          const struct verdict *verdict)
{
    struct db *db = t->sender.db;
    const char *claimer = t->sender.claimer;
    bool drawn = strcmp(row->kind, "redraw") == 0;
    switch (verdict->outcome) {
    case OUTCOME_SENT:
        outbox_done(db, row, claimer, NULL);
        if (drawn && verdict->ts)
            message_stands(db, row->environment, row->place, verdict->channel, verdict->ts);
        else if (drawn)
            message_drawn(db, row->environment, row->place);
        if (verdict->drawn_upto)
            outbox_drawn(db, row, verdict->drawn_upto);
        break;
    case OUTCOME_DROPPED:
        outbox_done(db, row, claimer, verdict->why);
        break;
    case OUTCOME_TURN:
        outbox_later(db, row, claimer, verdict->wait_ms, row->uncertain, false, NULL);
        break;
    case OUTCOME_LATER:
        outbox_later(db, row, claimer, verdict->wait_ms, verdict->uncertain, true, verdict->why);
        break;
    case OUTCOME_PARKED:
        outbox_park(db, row, claimer, verdict->why);
        tell_parked(ctx, t, row, verdict->why);
        break;
    case OUTCOME_LOST:
        outbox_later(db, row, claimer, 0, row->uncertain, false, NULL);
        break;
    }
}

/* again: an earlier try may have been committed; then the row is not ours any more. */
static bool write_down(const void *ctx, struct thread *t, const struct outbox_row *row,
                       const struct verdict *verdict, bool again, struct error *err)
{
    struct db *db = t->sender.db;
    bool held = true;
    bool ok = db_begin(db, DB_READ_WRITE, err) &&
              (!again || outbox_held(db, row, t->sender.claimer, &held, err));
    if (ok && held)
        write_verdict(ctx, t, row, verdict);
    if (ok && db_commit(db, err))
        return true;
    db_rollback(db);
    return false;
}

/* What was said must not be said again because PostgreSQL was away when it was to be noted: there
   is nothing else to do meanwhile. When the claim has run out whoever takes the row looks whether
   it arrived. */
static bool write_patiently(const void *ctx, struct thread *t, const struct outbox_row *row,
                            const struct verdict *verdict, int64_t claimed_ms)
{
    struct error err = {0};
    for (bool again = false; !write_down(ctx, t, row, verdict, again, &err); again = true) {
        bool away = err.code == ERROR_UNAVAILABLE || err.code == ERROR_UNKNOWN;
        if (!again)
            log_warn("what became of a delivery is not written yet", "outbox", row->id_text,
                     "error", err.text);
        if (!away || now_ms() - claimed_ms > LEASE_S * 1000 || atomic_load(&t->outbox->stopping))
            return false;
        rest(AWAY_MS);
    }
    return true;
}

/* People are sent to a message by its address; without one they find it by themselves. */
static void ask_link(const void *ctx, struct thread *t, const struct outbox_row *row,
                     const struct verdict *verdict)
{
    cJSON *ask = json_object(ctx);
    json_set_string(ask, "channel", verdict->channel);
    json_set_string(ask, "message_ts", verdict->ts);
    struct slack_answer answer;
    struct error err = {0};
    if (!slack_call(ctx, t->sender.web, "chat.getPermalink", ask, &answer, &err)) {
        log_info("no permalink", "outbox", row->id_text, "error", err.text);
        return;
    }
    const char *link = json_string(answer.body, "permalink");
    if (!link || !db_begin(t->sender.db, DB_READ_WRITE, &err))
        return;
    message_link(t->sender.db, row->environment, row->place, link);
    if (!db_commit(t->sender.db, &err))
        log_info("a permalink was not kept", "outbox", row->id_text, "error", err.text);
}

static void conclude(const void *ctx, struct thread *t, const struct outbox_row *row,
                     const struct verdict *verdict, int64_t claimed_ms)
{
    bool posted = strcmp(row->kind, "redraw") == 0 && verdict->ts != NULL;
    if (verdict->outcome == OUTCOME_LATER)
        log_warn("a delivery failed and is tried again", "outbox", row->id_text, "kind", row->kind,
                 "template", row->template, "error", verdict->why);
    if (verdict->outcome == OUTCOME_DROPPED)
        log_info("a delivery was dropped", "outbox", row->id_text, "template", row->template, "why",
                 verdict->why);
    bool written = write_patiently(ctx, t, row, verdict, claimed_ms);
    if (written && verdict->outcome == OUTCOME_SENT) {
        log_debug("delivered", "outbox", row->id_text, "kind", row->kind, "template",
                  row->template);
        if (posted)
            ask_link(ctx, t, row, verdict);
    }
}

/* ---- a thread ---- */

/* Delivers one row; false when there is none for it. */
static bool step(const void *ctx, struct thread *t)
{
    struct outbox_row *row;
    struct error err = {0};
    int64_t began = now_ms();
    /* Of a claim whose answer was lost nobody knows. */
    bool well = !t->database_away || outbox_release(t->sender.db, t->sender.claimer, &err);
    if (!well ||
        !outbox_claim(ctx, t->sender.db, t->role->kinds, t->sender.claimer, LEASE_S, &row, &err)) {
        if (!t->database_away)
            log_warn("the outbox waits for PostgreSQL", "thread", t->role->name, "error", err.text);
        t->database_away = true;
        return false;
    }
    t->database_away = false;
    if (!row)
        return false;
    struct verdict verdict;
    if (t->breaker && !breaker_allow(t->breaker, &err)) {
        verdict = (struct verdict){.outcome = OUTCOME_TURN, .wait_ms = BREAKER_MS};
        conclude(ctx, t, row, &verdict, began);
        rest(BREAKER_MS);
        return true;
    }
    verdict =
        t->role->slack ? deliver_slack(ctx, &t->sender, row) : deliver_mail(ctx, &t->sender, row);
    if (t->breaker && verdict.down)
        breaker_failure(t->breaker);
    else if (t->breaker)
        breaker_success(t->breaker);
    conclude(ctx, t, row, &verdict, began);
    if (verdict.outcome == OUTCOME_SENT && t->delay)
        series_observe(t->delay, row->age + (double)(now_ms() - began) / 1000);
    return true;
}

static void count_rows(const void *ctx, struct thread *t)
{
    struct error err = {0};
    struct rows *rows = outbox_counts(ctx, t->sender.db, &err);
    if (!rows || !t->outbox->pending)
        return;
    int count = rows_count(rows);
    struct metric_row *waiting = talloc_zero_array(ctx, struct metric_row, (unsigned)count);
    struct metric_row *parked = talloc_zero_array(ctx, struct metric_row, (unsigned)count);
    for (int i = 0; i < count; i++) {
        waiting[i].labels[0] = parked[i].labels[0] = rows_text(rows, i, "kind");
        waiting[i].value = rows_number(rows, i, "waiting", 0);
        parked[i].value = rows_number(rows, i, "parked", 0);
    }
    metric_replace(t->outbox->pending, waiting, (size_t)count);
    metric_replace(t->outbox->parked, parked, (size_t)count);
}

/* Every few seconds one thread counts, and takes over from the dead of this machine soon rather
   than when their claims run out. */
static void keep_house(const void *ctx, struct thread *t)
{
    if (!t->role->keeps_house || now_ms() - t->kept_house < SLOW_POLL_MS)
        return;
    t->kept_house = now_ms();
    struct error err = {0};
    char *host = process_host(ctx);
    if (outbox_release_dead(t->sender.db, host, process_gone, SETTLE_S, &err))
        count_rows(ctx, t);
}

static void wait_for_more(struct thread *t)
{
    struct error err = {0};
    int64_t wait =
        t->database_away ? 1000 : outbox_wait_ms(t->sender.db, t->role->kinds, SLOW_POLL_MS, &err);
    if (wait < 0)
        wait = 1000;
    db_wait(t->sender.db, t->bell->fd, (int)wait);
    int64_t since = now_ms() - t->looked_in_vain;
    if (since < QUIET_MS)
        rest(QUIET_MS - since);
    bell_hear(t->bell);
    t->looked_in_vain = now_ms();
}

static void *run(void *context)
{
    struct thread *t = context;
    struct error err = {0};
    if (!db_listen(t->sender.db, "envbot_outbox", &err))
        log_warn("the outbox waits for PostgreSQL", "thread", t->role->name, "error", err.text);
    t->kept_house = now_ms() - SLOW_POLL_MS;
    while (!atomic_load(&t->outbox->stopping)) {
        void *ctx = talloc_new(NULL);
        keep_house(ctx, t);
        if (!step(ctx, t))
            wait_for_more(t);
        talloc_free(ctx);
    }
    return NULL;
}

static bool equip(struct thread *t, struct outbox *outbox, const struct role *role)
{
    const struct config *config = outbox->options.config;
    t->outbox = outbox;
    t->role = role;
    t->bell = bell_new(outbox);
    t->ctx = talloc_named_const(NULL, 0, role->name);
    t->breaker = role->slack ? outbox->options.slack : outbox->options.email;
    char *process = process_name(t->ctx);
    t->sender = (struct sender){
        .config = config,
        .wording = outbox->options.wording,
        .db = db_new(t->ctx, config->database.url, talloc_asprintf(t->ctx, "envbot-%s", role->name),
                     STATEMENT_MS),
        .channels = outbox->channels,
        .methods = outbox->methods,
        .claimer = talloc_asprintf(t->ctx, "%s:%s", process, role->name),
    };
    db_plans(t->sender.db, DB_PLANS_IN_ORDER);
    if (role->slack)
        t->sender.web = slack_web_new(t->ctx, config->slack.api_url, config->slack.bot_token);
    else
        t->sender.aws = aws_new(t->ctx, config->aws.region, config->aws.endpoint_url);
    return t->sender.db && (t->sender.web || t->sender.aws);
}

static void register_metrics(struct outbox *outbox)
{
    struct metrics *metrics = outbox->options.metrics;
    if (!metrics)
        return;
    outbox->pending = metrics_gauge(metrics, "envbot_outbox_pending",
                                    "Messages that wait to be delivered.", "kind");
    outbox->parked = metrics_gauge(metrics, "envbot_outbox_parked",
                                   "Messages that cannot be delivered.", "kind");
    struct metric *delay = metrics_histogram(metrics, "envbot_outbox_delay_seconds",
                                             "From the commit of a message to its delivery.",
                                             metrics_seconds, metrics_seconds_count);
    for (int i = 0; i < THREADS; i++)
        outbox->threads[i].delay = metric_series(delay);
}

struct outbox *outbox_start(const void *ctx, const struct outbox_options *options,
                            struct error *err)
{
    struct outbox *outbox = talloc_zero(ctx, struct outbox);
    outbox->options = *options;
    outbox->channels = pace_new(outbox, options->config->slack.post_interval_ms, BURST);
    outbox->methods = pace_new(outbox, 0, 1);
    register_metrics(outbox);
    bool ok = true;
    for (int i = 0; ok && i < THREADS; i++) {
        struct thread *t = &outbox->threads[i];
        ok = equip(t, outbox, &roles[i]) && pthread_create(&t->id, NULL, run, t) == 0;
        t->started = ok;
    }
    if (ok)
        return outbox;
    error_set(err, ERROR_INTERNAL, "the outbox's threads could not be started: %s",
              strerror(errno));
    outbox_stop(outbox);
    talloc_free(outbox);
    return NULL;
}

void outbox_ring(struct outbox *outbox, unsigned notes)
{
    for (int i = 0; i < THREADS; i++)
        if (notes & (roles[i].slack ? DB_NOTE_SLACK : DB_NOTE_MAIL))
            bell_ring(outbox->threads[i].bell);
}

void outbox_stop(struct outbox *outbox)
{
    atomic_store(&outbox->stopping, true);
    for (int i = 0; i < THREADS; i++)
        if (outbox->threads[i].started)
            bell_ring(outbox->threads[i].bell);
    for (int i = 0; i < THREADS; i++) {
        struct thread *t = &outbox->threads[i];
        if (t->started)
            pthread_join(t->id, NULL);
        TALLOC_FREE(t->ctx);
        t->started = false;
    }
}
