#include "base/log.h"
#include "base/metrics.h"
#include "slack/links.h"

#include <string.h>
#include <talloc.h>

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
    link_turn(link, LINK_READY);
    link->ready_ms = link->since_ms;
    socket->greeted = true;
    socket_set_trouble(socket, "");
    void *tmp = talloc_new(NULL);
    log_info("connected to Slack", "connection", socket_number(tmp, (int64_t)link->id), "host",
             json_string(frame, "debug_info.host"));
    /* Each envelope goes to one of the app's connections, whoever holds it. Right after a close
       Slack can still count the old one. */
    int others = (int)json_integer(frame, "num_connections", 0) - open_links(socket);
    if (others > socket->others && link->ready_ms - socket->closed_ms > 60000) {
        log_warn("other programs are connected as this app and get a part of what people do; "
                 "they must be envbot on the same database",
                 "connections", socket_number(tmp, others));
        socket->others = others;
    }
    talloc_free(tmp);
}

static void on_refresh(struct link *link)
{
    if (link->leaving)
        return;
    link->leaving = true;
    if (socket_now_ms() - link->ready_ms < HASTE_MS || link->state == LINK_GREETING)
        socket_back_off(link->socket, 0);
    if (link->state == LINK_GREETING)
        link_close(link);
}

static void on_link_disabled(struct link *link)
{
    struct socket *socket = link->socket;
    static const char why[] = "Socket Mode is switched off for this app; switch it on under "
                              "Settings, Socket Mode.";
    log_error(why);
    socket_set_trouble(socket, why);
    socket->open_ms = socket_now_ms() + socket->options.pause_ms;
    link_close(link);
}

static void on_too_many(struct link *link)
{
    log_warn("Slack has too many connections of this app (10 at most); are other programs running "
             "as it?");
    socket_set_trouble(link->socket, "Slack has too many connections of this app.");
    socket_back_off(link->socket, 0);
    link->leaving = true;
    link_close(link);
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
    log_info("Slack ends a connection", "connection", socket_number(tmp, (int64_t)link->id),
             "reason", reason);
    talloc_free(tmp);
    socket_count_disconnect(link->socket, reasons[i].reason);
    reasons[i].react(link);
}

static void count_envelope(struct socket *socket, const char *type, const char *result)
{
    series_add(metric_series(socket->envelopes, type, result), 1);
}

/* Hands an envelope on, or acks it here when there is nothing to handle. Takes raw over. */
static void on_envelope(struct link *link, struct envelope_raw *raw)
{
    struct socket *socket = link->socket;
    bool known = strcmp(raw->type, "slash_commands") == 0 ||
                 strcmp(raw->type, "interactive") == 0 || strcmp(raw->type, "events_api") == 0;
    bool limited =
        strcmp(json_string_or_empty(raw->frame, "payload.type"), "app_rate_limited") == 0;
    if (socket->draining) {
        log_warn("an envelope came while stopping and was not taken", "envelope", raw->envelope_id);
        count_envelope(socket, known ? raw->type : "unknown", "not_taken");
        talloc_free(raw);
        return;
    }
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

void frames_on_message(void *user, struct connection *connection, const char *text, size_t length)
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
    raw->received_ns = socket_now_ns();
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
