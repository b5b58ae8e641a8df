#include "slack/socket.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/retry.h"
#include "slack/acks.h"
#include "slack/connection.h"
#include "slack/opener.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <time.h>
#include <unistd.h>

enum {
    MESSAGE_MOST = 1024 * 1024, /* a payload holds its view, at most 250 KB, and its message */
    HELLO_MS = 15000,           /* for connecting, TLS, upgrade and hello together */
    PING_MS = 15000,            /* quiet for so long: ask */
    CLOSE_MS = 1000,            /* Slack answers a close but leaves TCP open
                                   (node-slack-sdk#2752): we end it */
    HELD_MS = 10000,            /* how long an ack waits for a connection; Slack waits 3 s */
    FORGET_MS = 60000,          /* an envelope that nobody acked */
    HASTE_MS = 1000,            /* refreshed so soon after its hello: do not hurry */
    SOCKETS_MOST = 256,
};

enum link_state {
    LINK_GREETING, /* until hello */
    LINK_READY,
    LINK_DRAINING, /* replaced; waits for its acks */
    LINK_CLOSING,
};

/* One connection and what Slack said on it. */
struct link {
    struct link *next;
    struct socket *socket;
    uint64_t id;
    struct connection *connection;
    enum link_state state;
    int64_t since_ms; /* in that state */
    int64_t ready_ms; /* its hello; 0 before */
    int64_t look_ms;  /* when to look at its silence again */
    bool leaving;     /* Slack asked for another in its place */
};

struct socket {
    struct socket_options options;
    struct lws_context *lws;
    struct lws_vhost *plain, *tls; /* made when first needed */
    lws_sorted_usec_list_t alarm;
    struct opener *opener;
    struct acks *acks;
    struct metric *envelopes, *disconnects;
    struct series *shown, *ack_seconds;

    struct link *links;
    uint64_t last_id;
    struct message *held; /* acks that have no connection to go to */
    struct retry retry;
    int64_t open_ms;   /* not before */
    int64_t failed_ms; /* the last failure */
    int64_t closed_ms; /* the last close of ours; Slack may still count it */
    int64_t forget_ms;
    bool asking;   /* the opener is */
    bool greeted;  /* Slack has said hello, ever */
    bool draining; /* stop was asked, and is under way */
    int64_t stop_ms;
    int others;          /* connections of other programs that were warned of */
    struct error *fatal; /* socket_run's, once filled */
    bool failed;

    _Atomic bool stop;
    _Atomic int ready;
    pthread_mutex_t lock;
    char trouble[sizeof((struct error *)0)->text]; /* under lock; "" when all is well */
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t now_ms(void)
{
    return now_ns() / 1000000;
}

static char *number(const void *ctx, int64_t value)
{
    return talloc_asprintf(ctx, "%" PRId64, value);
}

static void set_trouble(struct socket *socket, const char *text)
{
    pthread_mutex_lock(&socket->lock);
    snprintf(socket->trouble, sizeof socket->trouble, "%s", text);
    pthread_mutex_unlock(&socket->lock);
}

static void count_disconnect(struct socket *socket, const char *reason)
{
    series_add(metric_series(socket->disconnects, reason, NULL), 1);
}

/* ---- What Slack says ---- */

static void turn(struct link *link, enum link_state state)
{
    link->state = state;
    link->since_ms = now_ms();
}

/* Something went wrong: the next connection waits. */
static void back_off(struct socket *socket, int64_t at_least_ms)
{
    int64_t wait = retry_next_ms(&socket->retry);
    socket->failed_ms = now_ms();
    if (wait < at_least_ms)
        wait = at_least_ms;
    if (socket->open_ms < socket->failed_ms + wait)
        socket->open_ms = socket->failed_ms + wait;
}

static void close_link(struct link *link)
{
    if (link->state == LINK_CLOSING)
        return;
    turn(link, LINK_CLOSING);
    link->socket->closed_ms = link->since_ms;
    if (connection_state(link->connection) == CONNECTION_OPEN)
        connection_close(link->connection);
    else
        connection_kill(link->connection, "closed");
}

/* Connections of ours that Slack counts. */
static int open_links(const struct socket *socket)
{
    int count = 0;
    for (const struct link *link = socket->links; link; link = link->next)
        count += connection_state(link->connection) != CONNECTION_GONE;
    return count;
}

static void on_hello(struct link *link, const cJSON *frame)
{
    struct socket *socket = link->socket;
    if (link->state != LINK_GREETING)
        return;
    turn(link, LINK_READY);
    link->ready_ms = link->since_ms;
    socket->greeted = true;
    set_trouble(socket, "");
    void *tmp = talloc_new(NULL);
    log_info("connected to Slack", "connection", number(tmp, (int64_t)link->id), "host",
             json_string(frame, "debug_info.host"), NULL);
    /* Each envelope goes to one of the app's connections, whoever holds it. Right after a close
       Slack can still count the old one. */
    int others = (int)json_integer(frame, "num_connections", 0) - open_links(socket);
    if (others > socket->others && link->ready_ms - socket->closed_ms > 60000) {
        log_warn("other programs are connected as this app and get a part of what people do; "
                 "they must be envbot on the same database",
                 "connections", number(tmp, others));
        socket->others = others;
    }
    talloc_free(tmp);
}

static void on_refresh(struct link *link)
{
    if (link->leaving)
        return;
    link->leaving = true;
    if (now_ms() - link->ready_ms < HASTE_MS || link->state == LINK_GREETING)
        back_off(link->socket, 0);
    if (link->state == LINK_GREETING)
        close_link(link);
}

static void on_link_disabled(struct link *link)
{
    struct socket *socket = link->socket;
    static const char why[] = "Socket Mode is switched off for this app; switch it on under "
                              "Settings, Socket Mode.";
    log_error(why);
    set_trouble(socket, why);
    socket->open_ms = now_ms() + socket->options.pause_ms;
    close_link(link);
}

static void on_too_many(struct link *link)
{
    log_warn("Slack has too many connections of this app (10 at most); are other programs running "
             "as it?");
    set_trouble(link->socket, "Slack has too many connections of this app.");
    back_off(link->socket, 0);
    link->leaving = true;
    close_link(link);
}

static void on_disconnect(struct link *link, const cJSON *frame)
{
    static const struct {
        const char *reason;
        void (*react)(struct link *link);
    } reasons[] = {
        {"warning", on_refresh},
        {"refresh_requested", on_refresh},
        {"link_disabled", on_link_disabled},
        {"too_many_websockets", on_too_many},
        {"other", on_refresh}, /* whatever it is, this connection is about to end */
    };
    enum { OTHER = sizeof reasons / sizeof *reasons - 1 };
    const char *reason = json_string_or_empty(frame, "reason");
    size_t i = 0;
    while (i < OTHER && strcmp(reasons[i].reason, reason) != 0)
        i++;
    void *tmp = talloc_new(NULL);
    log_info("Slack ends a connection", "connection", number(tmp, (int64_t)link->id), "reason",
             reason);
    talloc_free(tmp);
    count_disconnect(link->socket, reasons[i].reason);
    reasons[i].react(link);
}

static void count_envelope(struct socket *socket, const char *type, const char *result)
{
    series_add(metric_series(socket->envelopes, type, result, NULL), 1);
}

/* Hands an envelope on, or acks it here when there is nothing to handle. Takes raw over. */
static void on_envelope(struct link *link, struct envelope_raw *raw)
{
    struct socket *socket = link->socket;
    if (socket->draining) {
        log_warn("an envelope came while stopping and was not taken", "envelope", raw->envelope_id);
        count_envelope(socket, raw->type, "not_taken");
        talloc_free(raw);
        return;
    }
    bool known = strcmp(raw->type, "slash_commands") == 0 ||
                 strcmp(raw->type, "interactive") == 0 || strcmp(raw->type, "events_api") == 0;
    bool limited =
        strcmp(json_string_or_empty(raw->frame, "payload.type"), "app_rate_limited") == 0;
    acks_owe(socket->acks, raw);
    if (known && !limited) {
        socket->options.on_envelope(socket->options.user, raw);
        return;
    }
    if (limited)
        log_warn("Slack holds events back: more than 30,000 in an hour");
    else
        log_info("acked an envelope of an unknown type", "type", raw->type);
    count_envelope(socket, limited ? "app_rate_limited" : "unknown", "ignored");
    acks_give(socket->acks, link->id, raw->envelope_id, NULL);
    talloc_free(raw);
}

static void on_message(void *user, struct connection *connection, const char *text, size_t length)
{
    (void)connection;
    struct link *link = user;
    struct error err;
    struct envelope_raw *raw = envelope_frame(NULL, text, length, &err);
    if (!raw) {
        log_warn("ignored a message from Slack", "reason", err.text);
        count_envelope(link->socket, "unknown", "malformed");
        return;
    }
    raw->connection = link->id;
    raw->received_ns = now_ns();
    if (*raw->envelope_id) {
        on_envelope(link, raw);
        return;
    }
    if (strcmp(raw->type, "hello") == 0)
        on_hello(link, raw->frame);
    else if (strcmp(raw->type, "disconnect") == 0)
        on_disconnect(link, raw->frame);
    else
        log_info("ignored a message from Slack", "type", raw->type);
    talloc_free(raw);
}

/* ---- Acks ---- */

static bool can_send(const struct link *link)
{
    return link->ready_ms && connection_state(link->connection) == CONNECTION_OPEN;
}

/* The delivering connection while it is open, otherwise another (clients of Slack's own do so at
   each reconnect), rather one that stays. */
static struct link *link_for(struct socket *socket, uint64_t id)
{
    struct link *best = NULL;
    for (struct link *link = socket->links; link; link = link->next) {
        if (!can_send(link))
            continue;
        if (link->id == id)
            return link;
        if (!best || (best->leaving && !link->leaving))
            best = link;
    }
    return best;
}

static void send_acks(struct socket *socket, int64_t now)
{
    struct message *waiting = socket->held, *next;
    socket->held = NULL;
    for (struct message *message; (message = waiting ? waiting : (void *)acks_take(socket->acks));
         waiting = next) {
        next = waiting ? waiting->next : NULL;
        struct ack *ack = (struct ack *)message;
        struct link *link = link_for(socket, ack->connection);
        if (link) {
            series_observe(socket->ack_seconds, (double)(now_ns() - ack->received_ns) / 1e9);
            connection_send(link->connection, message);
            continue;
        }
        if (!ack->held_ms)
            ack->held_ms = now;
        if (socket->draining || now - ack->held_ms > HELD_MS) {
            log_warn("an ack found no connection to go to", "envelope", ack->envelope_id);
            talloc_free(message);
            continue;
        }
        message->next = socket->held;
        socket->held = message;
    }
}

/* ---- The connections ---- */

static void take_gone(struct socket *socket, struct link *link, int64_t now)
{
    void *tmp = talloc_new(NULL);
    bool expected = link->leaving || link->state >= LINK_DRAINING || socket->draining;
    if (link->ready_ms && now - link->ready_ms >= socket->options.proven_ms)
        retry_reset(&socket->retry);
    if (!expected) {
        back_off(socket, 0);
        count_disconnect(socket, link->ready_ms ? "broken" : "no_hello");
        if (!socket->trouble[0])
            set_trouble(socket, "The connection to Slack broke.");
    }
    log_event(expected ? LOG_INFO : LOG_WARN, "a connection to Slack is gone", "connection",
              number(tmp, (int64_t)link->id), "why", connection_end(link->connection), "retry_ms",
              expected ? NULL : number(tmp, socket->open_ms - now), (const char *)0);
    talloc_free(tmp);
    struct message *unsent = connection_unsent(link->connection);
    for (struct message *next; unsent; unsent = next) {
        next = unsent->next;
        unsent->next = socket->held;
        socket->held = unsent;
    }
    talloc_free(link);
}

/* Kills what is silent; asks first. */
static void look_at_silence(struct socket *socket, struct link *link, int64_t now)
{
    if (now < link->look_ms || connection_state(link->connection) != CONNECTION_OPEN)
        return;
    int64_t quiet = connection_quiet_ms(link->connection), silence = socket->options.silence_ms;
    int64_t ask = PING_MS < silence / 3 ? PING_MS : silence / 3;
    if (quiet >= silence) {
        count_disconnect(socket, "silent");
        connection_kill(link->connection, "silent");
        link->look_ms = now + silence;
        return;
    }
    if (quiet >= ask)
        connection_ping(link->connection);
    link->look_ms = now + (quiet >= ask ? ask : ask - quiet);
    if (link->look_ms > now + silence - quiet)
        link->look_ms = now + silence - quiet;
}

static int64_t due_after(const struct socket *socket, const struct link *link)
{
    switch (link->state) {
    case LINK_GREETING:
        return link->since_ms + HELLO_MS;
    case LINK_DRAINING:
        return link->since_ms + socket->options.drain_ms;
    case LINK_CLOSING:
        return link->since_ms + CLOSE_MS;
    case LINK_READY:
        break;
    }
    return INT64_MAX;
}

static void look_at_link(struct socket *socket, struct link *link, int64_t now)
{
    bool due = now >= due_after(socket, link);
    look_at_silence(socket, link, now);
    if (link->state == LINK_GREETING && due)
        connection_kill(link->connection, "no hello");
    else if (link->state == LINK_GREETING && socket->draining)
        close_link(link);
    else if (link->state == LINK_CLOSING && due)
        connection_kill(link->connection, "closed, and TCP was left open");
    else if (link->state == LINK_DRAINING && (due || acks_owed(socket->acks, link->id) == 0))
        close_link(link);
}

static void look_at_links(struct socket *socket, int64_t now)
{
    int ready = 0;
    for (struct link **at = &socket->links; *at;) {
        struct link *link = *at;
        if (connection_state(link->connection) == CONNECTION_GONE) {
            *at = link->next;
            take_gone(socket, link, now);
            continue;
        }
        look_at_link(socket, link, now);
        ready += can_send(link);
        if (link->state == LINK_READY && link->ready_ms > socket->failed_ms &&
            now - link->ready_ms >= socket->options.proven_ms)
            retry_reset(&socket->retry);
        at = &link->next;
    }
    atomic_store(&socket->ready, ready);
    series_set(socket->shown, ready);
}

/* As many of those that Slack wants replaced as the others make up for, the oldest first. */
static void drain_replaced(struct socket *socket)
{
    int ready = 0;
    for (const struct link *link = socket->links; link; link = link->next)
        ready += link->state == LINK_READY;
    while (ready > socket->options.connections) {
        struct link *oldest = NULL;
        for (struct link *link = socket->links; link; link = link->next)
            if (link->state == LINK_READY && link->leaving && (!oldest || link->id < oldest->id))
                oldest = link;
        if (!oldest)
            return;
        turn(oldest, LINK_DRAINING);
        ready--;
    }
}

/* ---- Opening ---- */

static struct lws_vhost *new_vhost(struct socket *socket, bool tls)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .vhost_name = tls ? "slack-tls" : "slack",
        .protocols = connection_protocols,
        .http_proxy_address = "none:0", /* or lws takes $http_proxy, for ws too */
    };
    if (tls) {
        const char *authorities = getenv("SSL_CERT_FILE"); /* OpenSSL's own convention */
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.client_ssl_ca_filepath =
            authorities ? authorities : "/etc/ssl/certs/ca-certificates.crt";
    }
    return lws_create_vhost(socket->lws, &info);
}

static void connect_link(struct socket *socket, const struct opening *where)
{
    struct lws_vhost **vhost = where->tls ? &socket->tls : &socket->plain;
    if (!*vhost)
        *vhost = new_vhost(socket, where->tls);
    if (!*vhost) {
        log_error("cannot prepare TLS; is the package ca-certificates installed?");
        set_trouble(socket, "TLS cannot be prepared; is the package ca-certificates installed?");
        back_off(socket, 0);
        return;
    }
    struct link *link = talloc_zero(NULL, struct link);
    link->socket = socket;
    link->id = ++socket->last_id;
    link->next = socket->links;
    socket->links = link;
    turn(link, LINK_GREETING);
    link->connection = connection_new(
        link, &(struct connection_options){.context = socket->lws,
                                           .vhost = *vhost,
                                           .where = where,
                                           .address = (unsigned)socket->retry.failures,
                                           .most = MESSAGE_MOST,
                                           .on_message = on_message,
                                           .user = link});
}

static void refused(struct socket *socket, const struct opening *answer)
{
    if (answer->final && !socket->greeted) {
        *socket->fatal = answer->err;
        socket->failed = true;
        return;
    }
    set_trouble(socket, answer->err.text);
    back_off(socket, answer->retry_after_ms);
    if (answer->final)
        socket->open_ms = now_ms() + socket->options.pause_ms;
    void *tmp = talloc_new(NULL);
    log_event(answer->final ? LOG_ERROR : LOG_WARN, "Slack gave no connection", "reason",
              answer->err.text, "retry_ms", number(tmp, socket->open_ms - now_ms()),
              (const char *)0);
    talloc_free(tmp);
}

static void take_opening(struct socket *socket)
{
    struct opening *answer = socket->asking ? opener_take(socket->opener) : NULL;
    if (!answer)
        return;
    socket->asking = false;
    if (answer->ok && !socket->draining)
        connect_link(socket, answer);
    else if (!answer->ok)
        refused(socket, answer);
    talloc_free(answer);
}

static void open_more(struct socket *socket, int64_t now)
{
    int staying = 0;
    for (const struct link *link = socket->links; link; link = link->next)
        staying += link->state <= LINK_READY && !link->leaving;
    if (socket->asking || socket->draining || socket->failed || now < socket->open_ms ||
        staying >= socket->options.connections)
        return;
    socket->asking = true;
    opener_ask(socket->opener);
}

/* ---- The loop ---- */

/* Stops reading, so that nothing new is taken while what was taken is acked. */
static void begin_stop(struct socket *socket, int64_t now)
{
    socket->draining = true;
    socket->stop_ms = now;
    for (struct link *link = socket->links; link; link = link->next) {
        if (link->state != LINK_READY)
            continue;
        connection_pause(link->connection, true);
        turn(link, LINK_DRAINING);
    }
}

static void on_alarm(lws_sorted_usec_list_t *alarm)
{
    (void)alarm; /* it has ended the wait, that is all */
}

static void set_alarm(struct socket *socket, int64_t now)
{
    int64_t next = now + 1000 * 60;
    if (!socket->asking && socket->open_ms > now && socket->open_ms < next)
        next = socket->open_ms;
    if (socket->held && now + 1000 < next)
        next = now + 1000;
    for (const struct link *link = socket->links; link; link = link->next) {
        int64_t due = due_after(socket, link);
        next = due < next ? due : next;
        if (link->state <= LINK_DRAINING && link->look_ms < next)
            next = link->look_ms;
    }
    int64_t wait = next > now ? next - now : 1;
    lws_sul_schedule(socket->lws, 0, &socket->alarm, on_alarm, wait * 1000);
}

/* Everything there is to do, once round. */
static void step(struct socket *socket)
{
    int64_t now = now_ms();
    if (atomic_load(&socket->stop) && !socket->draining)
        begin_stop(socket, now);
    take_opening(socket);
    send_acks(socket, now);
    drain_replaced(socket);
    look_at_links(socket, now);
    open_more(socket, now);
    if (now >= socket->forget_ms) {
        acks_forget(socket->acks, (now - FORGET_MS) * 1000000);
        socket->forget_ms = now + FORGET_MS;
    }
    set_alarm(socket, now);
}

static void wake(void *user)
{
    struct socket *socket = user;
    lws_cancel_service(socket->lws);
}

bool socket_run(struct socket *socket, struct error *err)
{
    struct error unused;
    socket->fatal = err ? err : &unused;
    socket->opener =
        opener_new(socket, socket->options.api_url, socket->options.app_token, wake, socket);
    if (!socket->opener)
        return error_set(err, ERROR_UNAVAILABLE, "No thread can be made.");
    for (;;) {
        step(socket);
        if (socket->failed || (socket->draining && !socket->links))
            break;
        if (lws_service(socket->lws, 0) < 0)
            break;
    }
    TALLOC_FREE(socket->opener);
    return !socket->failed;
}

/* ---- From other threads ---- */

void socket_ack(struct socket *socket, uint64_t connection, const char *envelope_id,
                const char *payload)
{
    acks_give(socket->acks, connection, envelope_id, payload);
}

void socket_stop(struct socket *socket)
{
    atomic_store(&socket->stop, true);
    lws_cancel_service(socket->lws);
}

bool socket_ready(struct socket *socket)
{
    return socket_connections(socket) > 0;
}

int socket_connections(struct socket *socket)
{
    return atomic_load(&socket->ready);
}

char *socket_trouble(const void *ctx, struct socket *socket)
{
    if (socket_ready(socket))
        return NULL;
    pthread_mutex_lock(&socket->lock);
    char *text =
        talloc_strdup(ctx, *socket->trouble ? socket->trouble : "Slack has not said hello yet.");
    pthread_mutex_unlock(&socket->lock);
    return text;
}

struct lws_context *socket_lws(struct socket *socket)
{
    return socket->lws;
}

/* ---- Making and freeing ---- */

static int destroy(struct socket *socket)
{
    lws_sul_cancel(&socket->alarm);
    lws_context_destroy(socket->lws);
    for (struct link *next; socket->links; socket->links = next) {
        next = socket->links->next;
        for (struct message *unsent = connection_unsent(socket->links->connection), *after; unsent;
             unsent = after) {
            after = unsent->next;
            talloc_free(unsent);
        }
        talloc_free(socket->links);
    }
    for (struct message *next; socket->held; socket->held = next) {
        next = socket->held->next;
        talloc_free(socket->held);
    }
    pthread_mutex_destroy(&socket->lock);
    return 0;
}

static void log_lws(int level, const char *line)
{
    char text[512];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(line, "\n"), line);
    log_event(level & LLL_ERR ? LOG_INFO : LOG_DEBUG, "libwebsockets", "says", text,
              (const char *)0);
}

static struct socket_options with_defaults(const struct socket_options *given)
{
    struct socket_options options = *given;
    struct {
        int64_t *value, otherwise;
    } times[] = {
        {&options.silence_ms, 45000}, {&options.drain_ms, 5000}, {&options.pause_ms, 300000},
        {&options.floor_ms, 1000},    {&options.cap_ms, 60000},  {&options.proven_ms, 60000},
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (!*times[i].value)
            *times[i].value = times[i].otherwise;
    if (!options.connections)
        options.connections = 2;
    return options;
}

static void add_metrics(struct socket *socket, struct metrics *metrics)
{
    socket->shown = metric_series(metrics_gauge(metrics, "envbot_slack_connections",
                                                "Connections on which Slack said hello.", NULL),
                                  NULL);
    socket->ack_seconds = metric_series(
        metrics_histogram(metrics, "envbot_ack_seconds", "From an envelope's arrival to its ack.",
                          metrics_seconds, metrics_seconds_count, NULL),
        NULL);
    socket->envelopes = metrics_counter(metrics, "envbot_envelopes_total", "Envelopes from Slack.",
                                        "type", "result", NULL);
    socket->disconnects =
        metrics_counter(metrics, "envbot_slack_disconnects_total",
                        "Connections to Slack that ended, by reason.", "reason", NULL);
}

struct socket *socket_new(const void *ctx, const struct socket_options *options,
                          struct metrics *metrics, struct error *err)
{
    lws_set_log_level(LLL_ERR | LLL_WARN, log_lws);
    /* Without a limit lws makes room for as many sockets as the system allows a process. */
    const struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .fd_limit_per_thread = SOCKETS_MOST,
        .pt_serv_buf_size = 16384,
        .vhost_name = "none",
        .timeout_secs = HELLO_MS / 1000,
    };
    struct lws_context *lws = lws_create_context(&info);
    if (!lws) {
        error_set(err, ERROR_UNAVAILABLE, "libwebsockets cannot be set up.");
        return NULL;
    }
    struct socket *socket = talloc_zero(ctx, struct socket);
    socket->lws = lws;
    socket->options = with_defaults(options);
    socket->options.api_url = talloc_strdup(socket, options->api_url);
    socket->options.app_token = talloc_strdup(socket, options->app_token);
    socket->retry =
        (struct retry){.floor_ms = socket->options.floor_ms, .cap_ms = socket->options.cap_ms};
    socket->closed_ms = now_ms() - FORGET_MS;
    pthread_mutex_init(&socket->lock, NULL);
    talloc_set_destructor(socket, destroy);
    socket->acks = acks_new(socket, wake, socket);
    add_metrics(socket, metrics);
    return socket;
}
