#include "slack/connection.h"
#include "base/log.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

/* What lws_write is told for a close frame. lws has it in a private header alone
   (private-lib-roles-ws... in 4.1), and offers lws_close_reason instead, after which it drops what
   still comes in: envelopes that Slack sent before it saw our close. */
#define WRITE_CLOSE ((enum lws_write_protocol)4)

enum {
    READ_SIZE = 16384, /* what lws hands over at once */
    KEEP_MOST = 65536, /* a larger buffer is given back after its message */
};

struct connection {
    enum connection_state state;
    struct lws *wsi;
    const char *end;
    size_t most;
    void (*on_message)(void *user, struct connection *connection, const char *text, size_t length);
    void *user;

    char *text; /* what came of a message that is not whole yet */
    size_t length, room;
    size_t skipped;   /* bytes of a message that is not wanted, so far; 0: it is wanted */
    const char *skip; /* why */

    struct message *first, **last; /* to send */
    unsigned char *frame;          /* LWS_PRE bytes, then what is being sent */
    size_t frame_room;
    bool ping, close_sent;
};

static void gone(struct connection *connection, const char *why)
{
    connection->state = CONNECTION_GONE;
    if (connection->wsi)
        lws_set_opaque_user_data(connection->wsi, NULL);
    connection->wsi = NULL;
    if (!connection->end)
        connection->end = talloc_strdup(connection, why);
}

/* Once a message that is skipped has ended. */
static void log_skipped(struct connection *connection)
{
    char bytes[32];
    snprintf(bytes, sizeof bytes, "%zu", connection->skipped);
    log_warn("ignored a message from Slack", "reason", connection->skip, "bytes", bytes);
    connection->skipped = 0;
}

static void append(struct connection *connection, const char *part, size_t length)
{
    if (connection->length + length > connection->room) {
        connection->room = (connection->length + length) * 2;
        connection->text = talloc_realloc_size(connection, connection->text, connection->room);
    }
    memcpy(connection->text + connection->length, part, length);
    connection->length += length;
}

/* Slack's messages can come in fragments (RFC 6455, 5.4), and lws hands over large frames in
   parts. Binary ones and those over the limit are not kept. */
static void receive(struct connection *connection, const char *part, size_t length)
{
    struct lws *wsi = connection->wsi;
    bool last = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    if (connection->skipped || lws_frame_is_binary(wsi) ||
        connection->length + length > connection->most) {
        if (!connection->skipped)
            connection->skip = lws_frame_is_binary(wsi) ? "binary" : "too large";
        connection->skipped += connection->length + length + !(connection->length + length);
        connection->length = 0;
        if (last)
            log_skipped(connection);
        return;
    }
    if (last && connection->length == 0) {
        connection->on_message(connection->user, connection, part, length);
        return;
    }
    append(connection, part, length);
    if (!last)
        return;
    connection->on_message(connection->user, connection, connection->text, connection->length);
    connection->length = 0;
    if (connection->room > KEEP_MOST) {
        TALLOC_FREE(connection->text);
        connection->room = 0;
    }
}

static bool send_one(struct connection *connection)
{
    struct message *message = connection->first;
    if (message->length > connection->frame_room) {
        connection->frame_room = message->length * 2;
        connection->frame =
            talloc_realloc_size(connection, connection->frame, LWS_PRE + connection->frame_room);
    }
    /* From a copy: lws masks in place, and a message that could not be sent goes elsewhere. */
    memcpy(connection->frame + LWS_PRE, message->text, message->length);
    int sent =
        lws_write(connection->wsi, connection->frame + LWS_PRE, message->length, LWS_WRITE_TEXT);
    if (sent < 0)
        return false; /* it stays in the queue: another connection may take it */
    connection->first = message->next;
    if (!connection->first)
        connection->last = &connection->first;
    talloc_free(message);
    return true;
}

/* False when the socket is broken. */
static bool writable(struct connection *connection)
{
    unsigned char frame[LWS_PRE + 2];
    if (connection->ping) {
        connection->ping = false;
        if (lws_write(connection->wsi, frame + LWS_PRE, 0, LWS_WRITE_PING) < 0)
            return false;
    }
    while (connection->first) {
        if (lws_send_pipe_choked(connection->wsi)) {
            lws_callback_on_writable(connection->wsi);
            return true;
        }
        if (!send_one(connection))
            return false;
    }
    if (connection->state == CONNECTION_CLOSING && !connection->close_sent) {
        connection->close_sent = true;
        frame[LWS_PRE] = LWS_CLOSE_STATUS_NORMAL >> 8;
        frame[LWS_PRE + 1] = LWS_CLOSE_STATUS_NORMAL & 0xFF;
        return lws_write(connection->wsi, frame + LWS_PRE, 2, WRITE_CLOSE) >= 0;
    }
    return true;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *unused, void *in,
                    size_t length)
{
    (void)unused;
    struct connection *connection = lws_get_opaque_user_data(wsi);
    if (!connection || connection->state == CONNECTION_GONE)
        return 0;
    char why[64];
    switch ((int)reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        connection->wsi = wsi;
        connection->state = CONNECTION_OPEN;
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        receive(connection, in, length);
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return writable(connection) ? 0 : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        if (connection->close_sent)
            return -1; /* the answer to ours: now the socket may go */
        snprintf(why, sizeof why, "Slack closed it (%d)",
                 length >= 2 ? ((unsigned char *)in)[0] << 8 | ((unsigned char *)in)[1] : 1005);
        if (!connection->end)
            connection->end = talloc_strdup(connection, why);
        break;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        gone(connection, in ? in : "cannot connect");
        break;
    case LWS_CALLBACK_CLIENT_CLOSED:
        gone(connection, connection->close_sent ? "closed" : "the connection broke");
        break;
    case LWS_CALLBACK_WSI_DESTROY: /* whatever way it went */
        gone(connection, "the connection broke");
        break;
    default:
        break;
    }
    return 0;
}

const struct lws_protocols connection_protocols[] = {
    {.name = "slack", .callback = callback, .rx_buffer_size = READ_SIZE},
    {0},
};

struct connection *connection_new(const void *ctx, const struct connection_options *options)
{
    /* Liveness is ours: no pings of lws's own. */
    static const lws_retry_bo_t no_pings = {.jitter_percent = 0};
    struct connection *connection = talloc_zero(ctx, struct connection);
    connection->most = options->most;
    connection->on_message = options->on_message;
    connection->user = options->user;
    connection->last = &connection->first;
    const struct opening *where = options->where;
    bool standard = where->port == (where->tls ? 443 : 80);
    char *host = standard ? talloc_strdup(connection, where->host)
                          : talloc_asprintf(connection, "%s:%d", where->host, where->port);
    const struct lws_client_connect_info how = {
        .context = options->context,
        .vhost = options->vhost,
        .address = where->addresses[options->address % where->address_count],
        .port = where->port,
        .path = where->path,
        .host = host, /* also what the certificate must name */
        /* A redirect could lead to plain ws. */
        .ssl_connection = (where->tls ? LCCSCF_USE_SSL : 0) | LCCSCF_HTTP_NO_FOLLOW_REDIRECT,
        .alpn = "http/1.1",
        .local_protocol_name = connection_protocols[0].name,
        .retry_and_idle_policy = &no_pings,
        .opaque_user_data = connection,
        .pwsi = &connection->wsi,
    };
    if (!lws_client_connect_via_info(&how))
        gone(connection, "cannot connect");
    return connection;
}

enum connection_state connection_state(const struct connection *connection)
{
    return connection->state;
}

const char *connection_end(const struct connection *connection)
{
    return connection->end ? connection->end : "";
}

void connection_send(struct connection *connection, struct message *message)
{
    message->next = NULL;
    *connection->last = message;
    connection->last = &message->next;
    lws_callback_on_writable(connection->wsi);
}

struct message *connection_unsent(struct connection *connection)
{
    struct message *first = connection->first;
    connection->first = NULL;
    connection->last = &connection->first;
    return first;
}

void connection_ping(struct connection *connection)
{
    connection->ping = true;
    lws_callback_on_writable(connection->wsi);
}

int64_t connection_quiet_ms(const struct connection *connection)
{
    /* lws answers pings by itself and tells nobody; the kernel knows when bytes came in. */
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(lws_get_socket_fd(connection->wsi), IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return info.tcpi_last_data_recv;
}

void connection_pause(struct connection *connection, bool pause)
{
    if (connection->state == CONNECTION_OPEN)
        lws_rx_flow_control(connection->wsi, !pause);
}

void connection_close(struct connection *connection)
{
    connection_pause(connection, false); /* or its answer is never seen */
    connection->state = CONNECTION_CLOSING;
    lws_callback_on_writable(connection->wsi);
}

void connection_kill(struct connection *connection, const char *why)
{
    if (connection->state == CONNECTION_GONE)
        return;
    if (!connection->end)
        connection->end = talloc_strdup(connection, why);
    if (connection->wsi)
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_KILLED_BY_PARENT, LWS_TO_KILL_ASYNC);
}
