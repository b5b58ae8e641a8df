#include "serve.h"

#include "approvals/needed.h"
#include "approvals/people_watch.h"
#include "approvals/rules_watch.h"
#include "base/bell.h"
#include "base/breaker.h"
#include "base/log.h"
#include "base/metrics.h"
#include "commands/dispatch.h"
#include "http/door.h"
#include "http/health.h"
#include "jobs/launcher.h"
#include "lifecycle/change_request.h"
#include "lifecycle/clock.h"
#include "lifecycle/counts.h"
#include "lifecycle/outbox.h"
#include "lifecycle/pausing.h"
#include "lifecycle/trouble.h"
#include "lifecycle/turn.h"
#include "lifecycle/sealer.h"
#include "lifecycle/states.h"
#include "slack/envelope_queue.h"
#include "slack/socket.h"
#include "slack/web.h"
#include "store/migrate.h"

#include <curl/curl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <time.h>
#include <unistd.h>

/* Waits longer than this in a statement are a fault, not patience: Slack waits 3 s for an ack. */
enum { HANDLER_STATEMENT_MS = 5000, BACKGROUND_STATEMENT_MS = 30000 };
enum { HANDLER_MEMORY = 64 * 1024 }; /* more than one command takes, as a rule */
enum { STOP_SECONDS = 9 };           /* SIGTERM promises an end within 10 */

struct server {
    const struct config *config;
    struct app app;
    struct metrics *metrics;
    struct metric *envelopes;
    struct envelope_queue queue;
    _Atomic bool one_connects; /* of the handlers, before there is anything to do */
    struct socket *socket;
    struct outbox *outbox;
    struct launcher *launcher;
    struct bell *clock_bell;
    _Atomic bool stopping;
    struct health *health;
    pthread_t *handlers;
    pthread_t clock;
    struct rules_look first_look; /* at the access rules */
    struct rules_watch *rules_watch;
    struct people_watch *people_watch;
    struct sealer *sealer;
};

static struct socket *the_socket; /* for the signal handler alone */

/* ---- the handlers ---- */

static void on_envelope(void *user, struct envelope_raw *raw)
{
    struct server *server = user;
    queue_add(&server->queue, raw);
}

static void ack(void *user, const struct envelope_raw *raw, const char *payload)
{
    struct server *server = user;
    socket_ack(server->socket, raw->connection, raw->envelope_id, payload);
}

static void *handler_thread(void *user)
{
    struct server *server = user;
    void *ctx = talloc_new(NULL);
    struct tools tools = {
        .app = &server->app,
        .memory = talloc_pool(ctx, HANDLER_MEMORY),
        .db = db_new(ctx, server->config->database.url, "envbot handler", HANDLER_STATEMENT_MS),
        .web = slack_web_new(ctx, server->config->slack.api_url, server->config->slack.bot_token),
    };
    db_plans(tools.db, DB_PLANS_BY_INDEX);
    slack_web_patience(tools.web, (long)server->config->slack.ack_ms * 4 / 5);
    if (config_rules_elsewhere(server->config))
        tools.kube = review_cluster(ctx, server->config);
    struct queue_idle self = QUEUE_IDLE;
    struct envelope_raw *raw;
    struct error ignored; /* it is tried again when there is something to do */
    if (!atomic_exchange(&server->one_connects, true))
        db_connect(tools.db, &ignored);
    while ((raw = queue_take(&server->queue, &self))) {
        const char *type, *result = dispatch(&tools, raw, ack, server, &type);
        series_add(metric_series(server->envelopes, type, result, NULL), 1);
    }
    pthread_cond_destroy(&self.woken);
    talloc_free(ctx);
    return NULL;
}

static void after_commit(void *user, unsigned notes)
{
    struct server *server = user;
    outbox_ring(server->outbox, notes);
    if (notes & DB_NOTE_JOBS)
        launcher_wake(server->launcher);
}

/* ---- the clock ---- */

/* A round of the clock takes a second at most. */
enum { COUNT_ROUNDS = 5 };

/* What the time brings, and whom requests wait for; *taken: how much was done. */
static bool clock_round(struct server *server, struct needed *needed, int *taken, struct error *err)
{
    int reminded = 0, told = 0, paused = 0, troubled = 0;
    bool ended = false;
    needed->rules = rules_hold(server->app.rules);
    bool ok = clock_tick(needed->db, server->app.templates, taken, err) &&
              needed_remind(needed, &reminded, err) && needed_check(needed, &told, err) &&
              pausing_tell(needed->db, &paused, err) && trouble_tell(needed->db, &troubled, err) &&
              change_request_tick(needed->db, &ended, err);
    rules_let_go(server->app.rules, needed->rules);
    if (*taken + reminded + told + paused + troubled || ended)
        after_commit(server, DB_NOTE_ALL);
    return ok;
}

/* What is looked at every few rounds only. */
static bool count(struct server *server, struct counts *counts, struct db *db, struct error *err)
{
    int moved = 0;
    bool ok = counts_read(counts, db, err) && turn_redraw(db, &moved, err);
    health_pause(server->health, counts_pause(counts));
    health_aws(server->health, counts_aws(counts));
    if (moved)
        after_commit(server, DB_NOTE_SLACK);
    return ok;
}

static void *clock_thread(void *user)
{
    struct server *server = user;
    void *ctx = talloc_new(NULL);
    struct db *db =
        db_new(ctx, server->config->database.url, "envbot clock", BACKGROUND_STATEMENT_MS);
    db_plans(db, DB_PLANS_BY_INDEX);
    struct counts *counts = counts_new(ctx, server->metrics);
    struct needed needed = {
        .db = db,
        .web = slack_web_new(ctx, server->config->slack.api_url, server->config->slack.bot_token),
        .people = server->app.people,
        .change = {.templates = server->app.templates},
    };
    bool well = true;
    for (unsigned round = 0; !atomic_load(&server->stopping); round++) {
        struct error err = {0};
        int taken = 0;
        bool ok = clock_round(server, &needed, &taken, &err) &&
                  (round % 60 != 0 || clock_sweep(db, &err)) &&
                  (round % COUNT_ROUNDS != 0 || count(server, counts, db, &err));
        health_database(server->health, ok || db_connected(db) ? NULL : err.text);
        if (!ok && well)
            log_warn("the clock cannot do its work", "error", err.text);
        well = ok;
        if (taken < 100)
            db_wait(db, server->clock_bell->fd, 1000);
        if (!ok && !db_connected(db))
            nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
    talloc_free(ctx);
    return NULL;
}

static void on_signal(int number)
{
    (void)number;
    socket_stop(the_socket); /* everything else stops when its loop has returned */
    alarm(STOP_SECONDS);
}

/* Slack, SES or PostgreSQL keep a thread waiting. What it was at is in the database: the next start
   takes it up as after a crash. */
static void on_alarm(int number)
{
    (void)number;
    static const char line[] = "level=warn msg=\"stopped without waiting any longer for an answer; "
                               "the next start takes up what was under way\"\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written; /* there is nobody left to tell */
    _exit(0);
}

static bool prepare_database(struct server *server, struct db *db, struct error *err)
{
    void *ctx = talloc_new(NULL);
    bool ok = migrate(db, NULL, err) && db_begin(db, DB_READ_WRITE, err);
    for (int i = 0; ok && i < server->config->team_count; i++) {
        const struct config_team *team = &server->config->teams[i];
        const int64_t limits[] = {team->quota.environments, team->quota.nodes, team->quota.vcpus,
                                  team->quota.gpus, team->quota.monthly_usd};
        const char *texts[5];
        for (int k = 0; k < 5; k++)
            texts[k] = limits[k] < 0 ? NULL : talloc_asprintf(ctx, "%lld", (long long)limits[k]);
        db_send(db,
                "INSERT INTO teams (name, environments, nodes, vcpus, gpus, monthly_usd)"
                " VALUES ($1, $2::integer, $3::integer, $4::integer, $5::integer, $6::numeric)"
                " ON CONFLICT (name) DO NOTHING",
                P(team->name, texts[0], texts[1], texts[2], texts[3], texts[4]));
    }
    ok = ok && db_commit(db, err) &&
         (!server->first_look.version || rules_tell(db, &server->first_look, err));
    talloc_free(ctx);
    return ok;
}

/* What a start finds wrong with them grants nothing, and there are no earlier ones to keep. */
static void note_first_look(struct server *server, char *problems)
{
    const struct rbac *held = rules_hold(server->app.rules);
    char *version = talloc_strdup(server, rbac_version(held));
    server->first_look = (struct rules_look){version, version, problems};
    rules_let_go(server->app.rules, held);
}

static bool report_problems(const char *problems)
{
    char *copy = talloc_strdup(NULL, problems), *state = NULL;
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        log_error("configuration", "problem", line);
    talloc_free(copy);
    return false;
}

static bool read_files(struct server *server, struct error *err)
{
    struct template_set *templates;
    struct wording *wording;
    struct rules *rules;
    char *problems = "";
    if (!templates_read(server, server->config->templates, &templates, &problems) ||
        !wording_read(server, server->config->templates, &wording, &problems))
        return report_problems(problems) ||
               error_set(err, ERROR_CONFIG, "the templates have errors; `envbot check` lists them");
    if (config_rules_elsewhere(server->config))
        rules = rules_elsewhere(server);
    else if (!rules_new(server, server->config->rbac.path, &rules, &problems, err))
        return false;
    if (*problems)
        report_problems(problems); /* what is broken grants nothing; the rest works */
    server->app.templates = templates;
    server->app.wording = wording;
    server->app.rules = rules;
    if (!config_rules_elsewhere(server->config))
        note_first_look(server, problems);
    return true;
}

/* What a start waits for of others, while it reads its own files. */
struct errand {
    pthread_t thread;
    bool (*run)(struct errand *errand, struct error *err);
    struct server *server;
    void *ctx; /* of its thread, then the server's */
    struct db *db;
    bool ok;
    struct error err;
};

static bool connect_database(struct errand *errand, struct error *err)
{
    errand->db = db_new(errand->ctx, errand->server->config->database.url, "envbot start", 0);
    return db_connect(errand->db, err);
}

static bool ask_who_we_are(struct errand *errand, struct error *err)
{
    struct server *server = errand->server;
    struct slack_web *web =
        slack_web_new(errand->ctx, server->config->slack.api_url, server->config->slack.bot_token);
    struct slack_answer answer;
    bool ok = slack_call(errand->ctx, web, "auth.test", NULL, &answer, err);
    if (ok) {
        server->app.workspace = json_string_or_empty(answer.body, "team_id");
        server->app.enterprise = json_string_or_empty(answer.body, "enterprise_id");
        server->app.bot_user = json_string_or_empty(answer.body, "user_id");
    } else {
        error_prefix(err, "Slack's auth.test: ");
    }
    return ok;
}

static void *errand_thread(void *user)
{
    struct errand *errand = user;
    errand->ok = errand->run(errand, &errand->err);
    return NULL;
}

static void errand_begin(struct errand *errand, struct server *server)
{
    errand->server = server;
    errand->ctx = talloc_new(NULL);
    if (pthread_create(&errand->thread, NULL, errand_thread, errand) != 0)
        abort();
}

static bool errand_end(struct errand *errand, struct error *err)
{
    pthread_join(errand->thread, NULL);
    talloc_steal(errand->server, errand->ctx);
    if (!errand->ok)
        *err = errand->err;
    return errand->ok;
}

/* ---- start and stop ---- */

static void start_threads(struct server *server)
{
    int count = (int)server->config->slack.handlers;
    server->handlers = talloc_array(server, pthread_t, (unsigned)count);
    for (int i = 0; i < count; i++)
        pthread_create(&server->handlers[i], NULL, handler_thread, server);
    pthread_create(&server->clock, NULL, clock_thread, server);
    launcher_start(server->launcher);
    server->sealer = sealer_start(server, server->config, after_commit, server);
    struct rules_watch_options watch = {.path = server->config->rbac.path,
                                        .database_url = server->config->database.url,
                                        .rules = server->app.rules,
                                        .first = &server->first_look,
                                        .metrics = server->metrics,
                                        .after_commit = after_commit,
                                        .user = server};
    server->people_watch = people_watch_start(server->config->database.url, server->app.people);
    if (server->first_look.version)
        server->rules_watch = rules_watch_start(&watch);
}

static void stop_threads(struct server *server)
{
    atomic_store(&server->stopping, true);
    rules_watch_stop(server->rules_watch);
    people_watch_stop(server->people_watch);
    queue_close(&server->queue);
    for (int i = 0; i < (int)server->config->slack.handlers; i++)
        pthread_join(server->handlers[i], NULL);
    bell_ring(server->clock_bell);
    pthread_join(server->clock, NULL);
    launcher_stop(server->launcher);
    sealer_stop(server->sealer);
    outbox_stop(server->outbox);
}

static void make_metrics(struct server *server)
{
    server->metrics = metrics_new(server);
    server->envelopes =
        metrics_counter(server->metrics, "envbot_envelopes_total",
                        "Envelopes from Slack, by what came of them.", "type", "result", NULL);
}

static bool make_parts(struct server *server, struct error *err)
{
    const struct config *config = server->config;
    struct socket_options options = {.connections = (int)config->slack.connections,
                                     .app_token = config->slack.app_token,
                                     .api_url = config->slack.api_url,
                                     .on_envelope = on_envelope,
                                     .user = server};
    server->socket = socket_new(server, &options, server->metrics, err);
    if (!server->socket)
        return false;
    server->launcher = launcher_new(server, config, server->metrics, err);
    if (!server->launcher)
        return false;
    server->health = health_new(server, server->socket);
    health_watch(server->health, launcher_breaker(server->launcher));
    struct breaker_options slack = {.name = "slack"}, mail = {.name = "ses"};
    struct breaker *slack_breaker = breaker_new(server, &slack, server->metrics);
    struct breaker *mail_breaker = breaker_new(server, &mail, server->metrics);
    health_watch(server->health, slack_breaker);
    health_watch(server->health, mail_breaker);
    if (config_rules_elsewhere(config)) {
        struct breaker_options cluster = {.name = "kubernetes"};
        server->app.cluster = breaker_new(server, &cluster, server->metrics);
        health_watch(server->health, server->app.cluster);
    }
    struct door_options door = {config->http.listen, server->health, server->metrics};
    struct outbox_options outbox = {config, server->app.wording, server->metrics, slack_breaker,
                                    mail_breaker};
    if (!door_open(server, socket_lws(server->socket), &door, err))
        return false;
    server->clock_bell = bell_new(server);
    /* The last that can fail: its threads run from here on. */
    server->outbox = outbox_start(server, &outbox, err);
    return server->outbox != NULL;
}

static bool start(struct server *server, struct error *err)
{
    if (!*server->config->slack.app_token || !*server->config->slack.bot_token)
        return error_set(err, ERROR_CONFIG,
                         "Slack's tokens are missing: set SLACK_APP_TOKEN and SLACK_BOT_TOKEN, or "
                         "slack.app_token_file and slack.bot_token_file");
    make_metrics(server);
    struct errand database = {.run = connect_database}, slack = {.run = ask_who_we_are};
    errand_begin(&database, server);
    errand_begin(&slack, server);
    struct error unheard = {0}; /* of several the first counts */
    bool ok = read_files(server, err);
    ok = errand_end(&database, ok ? err : &unheard) && ok;
    ok = ok && prepare_database(server, database.db, err);
    ok = errand_end(&slack, ok ? err : &unheard) && ok;
    talloc_free(database.db);
    if (!ok)
        return false;
    server->app.people =
        people_new(server, server->config, server->app.workspace, server->app.enterprise);
    server->app.after_commit = after_commit;
    server->app.after_commit_user = server;
    return make_parts(server, err);
}

static int run(struct server *server)
{
    struct error err = {0};
    if (!start(server, &err)) {
        log_error("envbot cannot start", "error", err.text);
        return 1;
    }
    the_socket = server->socket;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    start_threads(server);
    log_info("serving", "workspace", server->app.workspace, "version", ENVBOT_VERSION);
    bool stopped = socket_run(server->socket, &err);
    if (!stopped)
        log_error("Slack refuses for good", "error", err.text);
    stop_threads(server);
    log_info("stopped");
    return stopped ? 0 : 1;
}

int serve(const struct config *config)
{
    /* What one thread frees another can have: smaller, and faster too than an arena for each of a
       dozen threads, which mostly wait (tests/bench measures it). */
    mallopt(M_ARENA_MAX, 1);
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct server *server = talloc_zero(NULL, struct server);
    server->config = config;
    server->app.config = config;
    queue_init(&server->queue);
    int code = run(server);
    queue_destroy(&server->queue);
    talloc_free(server);
    curl_global_cleanup();
    return code;
}
