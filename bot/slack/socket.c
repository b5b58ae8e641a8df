#include "slack/socket.h"
#include "base/log.h"
#include "base/metrics.h"
#include "slack/links.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

enum {
    MESSAGE_MOST = 1024 * 1024, /* a payload holds its view, at most 250 KB, and its message */
    SOCKETS_MOST = 256,
    PAUSE_MS = 20, /* what is due was done: look whether it took effect */
};

char *socket_number(const void *ctx, int64_t value)
{
    return talloc_asprintf(ctx, "%" PRId64, value);
}

int64_t socket_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t socket_now_ms(void)
{
    return socket_now_ns() / 1000000;
}

void socket_set_trouble(struct socket *socket, const char *text)
{
    pthread_mutex_lock(&socket->lock);
    snprintf(socket->trouble, sizeof socket->trouble, "%s", text);
    pthread_mutex_unlock(&socket->lock);
}

void socket_count_disconnect(struct socket *socket, const char *reason)
{
    series_add(metric_series(socket->disconnects, reason), 1);
}

void socket_back_off(struct socket *socket, int64_t at_least_ms)
{
    int64_t wait = retry_next_ms(&socket->retry);
    socket->failed_ms = socket_now_ms();
    if (wait < at_least_ms)
        wait = at_least_ms;
    if (socket->open_ms < socket->failed_ms + wait)
        socket->open_ms = socket->failed_ms + wait;
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
        socket_set_trouble(socket,
                           "TLS cannot be prepared; is the package ca-certificates installed?");
        socket_back_off(socket, 0);
        return;
    }
    struct link *link = talloc_zero(NULL, struct link);
    link->socket = socket;
    link->id = ++socket->last_id;
    link->next = socket->links;
    socket->links = link;
    link_turn(link, LINK_GREETING);
    link->connection = connection_new(
        link, &(struct connection_options){.context = socket->lws,
                                           .vhost = *vhost,
                                           .where = where,
                                           .address = (unsigned)socket->retry.failures,
                                           .most = MESSAGE_MOST,
                                           .on_message = frames_on_message,
                                           .user = link});
}

static void refused(struct socket *socket, const struct opening *answer)
{
    if (answer->final && !socket->greeted) {
        *socket->fatal = answer->err;
        socket->failed = true;
        return;
    }
    socket_set_trouble(socket, answer->err.text);
    socket_back_off(socket, answer->retry_after_ms);
    if (answer->final)
        socket->open_ms = socket_now_ms() + socket->options.pause_ms;
    void *tmp = talloc_new(NULL);
    log_event(answer->final ? LOG_ERROR : LOG_WARN, "Slack gave no connection", "reason",
              answer->err.text, "retry_ms", socket_number(tmp, socket->open_ms - socket_now_ms()),
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
static void begin_stop(struct socket *socket)
{
    socket->draining = true;
    for (struct link *link = socket->links; link; link = link->next) {
        if (link->state != LINK_READY)
            continue;
        connection_pause(link->connection, true);
        link_turn(link, LINK_DRAINING);
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
        int64_t due = link_due(socket, link);
        next = due < next ? due : next;
        if (link->state <= LINK_DRAINING && link->look_ms < next)
            next = link->look_ms;
    }
    int64_t wait = next > now ? next - now : PAUSE_MS;
    lws_sul_schedule(socket->lws, 0, &socket->alarm, on_alarm, wait * 1000);
}

/* Everything there is to do, once round. */
static void step(struct socket *socket)
{
    int64_t now = socket_now_ms();
    if (atomic_load(&socket->stop) && !socket->draining)
        begin_stop(socket);
    take_opening(socket);
    links_send_acks(socket, now);
    links_drain_replaced(socket);
    links_look(socket, now);
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
    struct error unused = {0};
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
        {&options.hello_ms, 15000},  {&options.silence_ms, 45000}, {&options.drain_ms, 5000},
        {&options.pause_ms, 300000}, {&options.floor_ms, 1000},    {&options.cap_ms, 60000},
        {&options.proven_ms, 60000},
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
                                                "Connections on which Slack said hello."));
    socket->ack_seconds = metric_series(metrics_histogram(metrics, "envbot_ack_seconds",
                                                          "From an envelope's arrival to its ack.",
                                                          metrics_seconds, metrics_seconds_count));
    socket->envelopes = metrics_counter(metrics, "envbot_envelopes_total", "Envelopes from Slack.",
                                        "type", "result");
    socket->disconnects = metrics_counter(metrics, "envbot_slack_disconnects_total",
                                          "Connections to Slack that ended, by reason.", "reason");
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
        .timeout_secs = 15, /* a visitor of the door who does not go on */
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
    socket->closed_ms = socket_now_ms() - FORGET_MS;
    pthread_mutex_init(&socket->lock, NULL);
    talloc_set_destructor(socket, destroy);
    socket->acks = acks_new(socket, wake, socket);
    add_metrics(socket, metrics);
    return socket;
}
