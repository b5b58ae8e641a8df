#include "http/door.h"
#include "base/log.h"
#include "http/health.h"
#include "http/metrics.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

enum { BODY_MOST = 65536 };

struct door {
    struct door_options options;
    const char *address;
};

enum method { METHOD_GET, METHOD_HEAD, METHOD_OTHER };

/* What is said to one request. */
struct reply {
    unsigned status;
    const char *type;
    char *body; /* a talloc root */
};

/* ---- The pages ---- */

static void say_alive(struct door *door, struct reply *reply)
{
    (void)door;
    *reply = (struct reply){200, "text/plain; charset=utf-8", talloc_strdup(NULL, "ok\n")};
}

static void say_ready(struct door *door, struct reply *reply)
{
    bool ready;
    char *body = health_json(NULL, door->options.health, &ready);
    *reply = (struct reply){ready ? 200 : 503, "application/json", body};
}

static void say_metrics(struct door *door, struct reply *reply)
{
    *reply = (struct reply){200, METRICS_CONTENT_TYPE, metrics_page(NULL, door->options.metrics)};
}

static const struct page {
    const char *path;
    void (*say)(struct door *door, struct reply *reply);
} pages[] = {
    {"/healthz", say_alive},
    {"/readyz", say_ready},
    {"/metrics", say_metrics},
};

static void say_error(unsigned status, const char *words, struct reply *reply)
{
    *reply =
        (struct reply){status, "text/plain; charset=utf-8", talloc_asprintf(NULL, "%s\n", words)};
}

/* ---- Requests ---- */

/* lws's room for one request; zeros at first. */
struct session {
    enum method method;
    struct reply reply;
};

static enum method method_of(struct lws *wsi)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI))
        return METHOD_GET;
    return lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) ? METHOD_HEAD : METHOD_OTHER;
}

static void answer(struct door *door, enum method method, const char *path, struct reply *reply)
{
    const struct page *page = NULL;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        if (strcmp(pages[i].path, path) == 0)
            page = &pages[i];
    if (!page)
        say_error(404, "There is /healthz, /readyz and /metrics.", reply);
    else if (method == METHOD_OTHER)
        say_error(405, "Only GET.", reply);
    else
        page->say(door, reply);
}

static bool write_head(struct lws *wsi, const struct reply *reply)
{
    unsigned char room[LWS_PRE + 1024], *start = room + LWS_PRE, *at = start,
                                        *end = room + sizeof room - 1;
    static const unsigned char allow[] = "GET, HEAD", no_store[] = "no-store";
    if (lws_add_http_common_headers(wsi, reply->status, reply->type, strlen(reply->body), &at,
                                    end) ||
        lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_CACHE_CONTROL, no_store,
                                     sizeof no_store - 1, &at, end))
        return false;
    if (reply->status == 405 &&
        lws_add_http_header_by_token(wsi, WSI_TOKEN_HTTP_ALLOW, allow, sizeof allow - 1, &at, end))
        return false;
    return lws_finalize_write_http_header(wsi, start, &at, end) == 0;
}

/* The body of the reply follows when the socket takes it. */
static int begin(struct lws *wsi, struct session *session)
{
    if (!write_head(wsi, &session->reply))
        return -1;
    if (session->method == METHOD_HEAD) {
        TALLOC_FREE(session->reply.body);
        return lws_http_transaction_completed(wsi) ? -1 : 0;
    }
    lws_callback_on_writable(wsi);
    return 0;
}

static int finish(struct lws *wsi, struct session *session)
{
    if (!session->reply.body)
        return 0;
    size_t length = strlen(session->reply.body);
    unsigned char *room = talloc_size(session->reply.body, LWS_PRE + length);
    memcpy(room + LWS_PRE, session->reply.body, length);
    /* lws keeps what the socket does not take at once. */
    int sent = lws_write(wsi, room + LWS_PRE, length, LWS_WRITE_HTTP_FINAL);
    TALLOC_FREE(session->reply.body);
    return sent < 0 || lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* Nobody has a reason to send a body; one that is short is read over before the reply, for the
   connection's sake. */
static int on_request(struct lws *wsi, struct session *session, const char *path)
{
    char text[24] = "";
    int length = lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    long long body = length > 0 ? strtoll(text, NULL, 10) : 0;
    bool chunked = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
    if (length < 0 || body < 0 || body > BODY_MOST || chunked)
        return -1;
    talloc_free(session->reply.body);
    session->method = method_of(wsi);
    answer(lws_vhost_user(lws_get_vhost(wsi)), session->method, path, &session->reply);
    /* lws tells the end of a body, of an empty one after POST too. */
    bool told = body > 0 || (length > 0 && lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI));
    return told ? 0 : begin(wsi, session);
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t length)
{
    struct session *session = user;
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP:
        return on_request(wsi, session, in);
    case LWS_CALLBACK_HTTP_BODY:
        return 0;
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return begin(wsi, session);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return finish(wsi, session);
    case LWS_CALLBACK_CLOSED_HTTP:
    case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        if (session)
            TALLOC_FREE(session->reply.body);
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, in, length);
    }
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = callback, .per_session_data_size = sizeof(struct session)},
    {0},
};

/* ---- Opening ---- */

/* "host:port" to both; an empty host is every address. */
static bool split_address(const void *ctx, const char *listen, char **host, int *port,
                          struct error *err)
{
    const char *colon = strrchr(listen, ':');
    char *end = NULL;
    long number = colon ? strtol(colon + 1, &end, 10) : -1;
    if (!colon || end == colon + 1 || *end || number < 0 || number > 65535)
        return error_set(err, ERROR_CONFIG,
                         "http.listen “%s” is no address; write it like 127.0.0.1:8080.", listen);
    bool bracketed = *listen == '[' && colon > listen + 1 && colon[-1] == ']';
    *host = talloc_strndup(ctx, listen + bracketed, (size_t)(colon - listen) - 2u * bracketed);
    if (strcmp(*host, "localhost") == 0)
        *host = talloc_strdup(ctx, "127.0.0.1");
    *port = (int)number;
    return true;
}

bool door_readable(const char *listen, struct error *err)
{
    void *tmp = talloc_new(NULL);
    char *host;
    int port;
    bool ok = split_address(tmp, listen, &host, &port, err);
    talloc_free(tmp);
    return ok;
}

struct door *door_open(const void *ctx, struct lws_context *lws, const struct door_options *options,
                       struct error *err)
{
    struct door *door = talloc_zero(ctx, struct door);
    door->options = *options;
    char *host = NULL;
    int port = 0;
    if (!split_address(door, options->listen, &host, &port, err)) {
        talloc_free(door);
        return NULL;
    }
    bool all = !*host || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    bool six = strchr(host, ':') != NULL;
    const struct lws_context_creation_info info = {
        .port = port,
        .iface = all ? NULL : host,
        .vhost_name = "door",
        .protocols = protocols,
        .user = door,
        .keepalive_timeout = 15,
        .http_proxy_address = "none:0",
        .options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
                   (six || !*host ? 0 : LWS_SERVER_OPTION_DISABLE_IPV6),
    };
    struct lws_vhost *vhost = lws_create_vhost(lws, &info);
    if (!vhost) {
        error_set(err, ERROR_CONFIG,
                  "Cannot listen on %s (http.listen): the address is taken or not of this machine.",
                  options->listen);
        talloc_free(door);
        return NULL;
    }
    door->address = talloc_asprintf(door, six ? "[%s]:%d" : "%s:%d", *host ? host : "0.0.0.0",
                                    lws_get_vhost_listen_port(vhost));
    log_info("listening for HTTP", "address", door->address);
    return door;
}

const char *door_address(const struct door *door)
{
    return door->address;
}
