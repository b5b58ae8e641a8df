#include "base/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

enum { CONNECT_MS = 3000, TOTAL_MS = 8000, MOST = 4 * 1024 * 1024, CONNECTIONS = 8 };

struct http_client {
    CURL *curl;
    CURLM *together; /* for several at once; NULL before the first time */
};

/* What the callbacks of one transfer see. */
struct transfer {
    const void *ctx;
    const struct http_request *request;
    char *body;
    size_t length, most;
    int sendings; /* how often curl was about to send the request */
    bool too_large;
    struct curl_slist *headers;
    char detail[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int free_client(struct http_client *client)
{
    curl_easy_cleanup(client->curl);
    curl_multi_cleanup(client->together);
    return 0;
}

struct http_client *http_client_new(const void *ctx)
{
    pthread_once(&curl_once, init_curl);
    struct http_client *client = talloc_zero(ctx, struct http_client);
    if (!client)
        return NULL;
    client->curl = curl_easy_init();
    if (!client->curl) {
        talloc_free(client);
        return NULL;
    }
    talloc_set_destructor(client, free_client);
    return client;
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "localhost") == 0 ||
           strcmp(host, "[::1]") == 0;
}

/* Where EC2, ECS and EKS hand out credentials (AWS SDKs allow exactly these without TLS). */
static bool is_metadata(const char *host)
{
    static const char *const hosts[] = {"169.254.169.254", "169.254.170.2", "169.254.170.23",
                                        "[fd00:ec2::254]", "[fd00:ec2::23]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (strcmp(host, hosts[i]) == 0)
            return true;
    return false;
}

/* Fills scheme and host ("" when they are missing); false when it is no URL. */
static bool url_parts(const char *url, char scheme[16], char host[256])
{
    CURLU *parsed = curl_url();
    char *scheme_part = NULL, *host_part = NULL;
    bool ok = parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_SCHEME, &scheme_part, 0) == CURLUE_OK &&
              curl_url_get(parsed, CURLUPART_HOST, &host_part, 0) == CURLUE_OK;
    snprintf(scheme, 16, "%s", ok ? scheme_part : "");
    snprintf(host, 256, "%s", ok ? host_part : "");
    curl_free(scheme_part);
    curl_free(host_part);
    curl_url_cleanup(parsed);
    return ok;
}

bool http_url_allowed(const char *url, bool metadata, struct error *err)
{
    char scheme[16], host[256];
    if (!url_parts(url, scheme, host))
        return error_set(err, ERROR_USAGE, "“%.200s” is not a web address.", url);
    if (strcmp(scheme, "https") == 0)
        return true;
    if (strcmp(scheme, "http") == 0 && (is_loopback(host) || (metadata && is_metadata(host))))
        return true;
    return error_set(err, ERROR_USAGE,
                     "%s://%s: only https is allowed (plain http on this machine alone).", scheme,
                     host);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    size_t more = size * count;
    if (more > t->most - t->length) {
        t->too_large = true;
        return 0;
    }
    char *grown = talloc_realloc_size(t->ctx, t->body, t->length + more + 1);
    if (!grown)
        return 0;
    t->body = grown;
    memcpy(t->body + t->length, bytes, more);
    t->length += more;
    t->body[t->length] = '\0';
    return more;
}

/* Called each time curl is about to send the request. When a kept-alive connection dies without an
   answer curl sends the request again on a new one, a POST too (Curl_retry_request in 7.88's
   transfer.c), and would so do a thing twice that must happen once. */
static int before_sending(void *context, char *ip, char *local, int port, int local_port)
{
    (void)ip;
    (void)local;
    (void)port;
    (void)local_port;
    struct transfer *t = context;
    if (t->sendings > 0 && !t->request->repeatable)
        return CURL_PREREQFUNC_ABORT;
    t->sendings++;
    return CURL_PREREQFUNC_OK;
}

static struct curl_slist *header_list(const struct http_request *request)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (const char *const *each = request->headers; each && *each; each++) {
        struct curl_slist *longer = curl_slist_append(list, *each);
        if (!longer) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

static struct curl_blob blob(const char *text)
{
    return (struct curl_blob){(void *)(uintptr_t)text, strlen(text), CURL_BLOB_COPY};
}

/* With an authority of its own nobody else's is believed. */
static void prepare_tls(CURL *curl, const struct http_tls *tls)
{
    const struct {
        CURLoption option;
        const char *text;
    } parts[] = {{CURLOPT_CAINFO_BLOB, tls->authority},
                 {CURLOPT_SSLCERT_BLOB, tls->certificate},
                 {CURLOPT_SSLKEY_BLOB, tls->key}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].text || !*parts[i].text)
            continue;
        struct curl_blob part = blob(parts[i].text);
        curl_easy_setopt(curl, parts[i].option, &part);
        if (parts[i].option == CURLOPT_CAINFO_BLOB)
            curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
}

static void prepare(CURL *curl, const struct http_request *request, struct transfer *t)
{
    char scheme[16], host[256];
    url_parts(request->url, scheme, host);
    curl_easy_reset(curl); /* keeps connections, sessions and names */
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https"); /* the URL itself was checked */
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "envbot/" ENVBOT_VERSION);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->detail);
    if (request->tls)
        prepare_tls(curl, request->tls);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     request->connect_ms ? request->connect_ms : (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     request->total_ms ? request->total_ms : (long)TOTAL_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, before_sending);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, t);
    if (is_loopback(host) || is_metadata(host))
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (request->body || strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "POST") != 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Whether the request may be sent; then t is ready for prepare(). */
static bool begin(const void *ctx, const struct http_request *request, struct transfer *t,
                  struct error *err)
{
    *t = (struct transfer){
        .ctx = ctx, .request = request, .most = request->most ? request->most : MOST};
    if (!http_url_allowed(request->url, request->metadata, err))
        return false;
    t->body = talloc_strdup(ctx, "");
    t->headers = header_list(request);
    return (t->headers && t->body) || error_set(err, ERROR_UNAVAILABLE, "out of memory");
}

/* What came of it. */
static bool finish(CURL *curl, CURLcode code, struct transfer *t, struct http_response *response,
                   struct error *err)
{
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    if (code != CURLE_OK) {
        char scheme[16], host[256];
        url_parts(t->request->url, scheme, host);
        bool sent = t->sendings > 0;
        return error_set(err, sent ? ERROR_UNKNOWN : ERROR_UNAVAILABLE, "%s: %s%s", host,
                         t->too_large ? "the answer is too large"
                         : *t->detail ? t->detail
                                      : curl_easy_strerror(code),
                         sent ? " (the request was sent)" : "");
    }
    curl_off_t retry_after = 0;
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
    response->retry_after = (int64_t)retry_after;
    response->body = t->body;
    response->length = t->length;
    return true;
}

bool http_send(const void *ctx, struct http_client *client, const struct http_request *request,
               struct http_response *response, struct error *err)
{
    struct transfer t;
    *response = (struct http_response){0};
    if (!begin(ctx, request, &t, err)) {
        curl_slist_free_all(t.headers);
        return false;
    }
    prepare(client->curl, request, &t);
    return finish(client->curl, curl_easy_perform(client->curl), &t, response, err);
}

/* ---- several at once ---- */

static CURLM *together(struct http_client *client)
{
    if (!client->together) {
        client->together = curl_multi_init();
        curl_multi_setopt(client->together, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS);
        curl_multi_setopt(client->together, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
    }
    return client->together;
}

static void perform_all(CURLM *multi, struct transfer *transfers, struct http_outcome *outcomes)
{
    int running = 0, left;
    do {
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            break;
        CURLMsg *message;
        while ((message = curl_multi_info_read(multi, &left))) {
            if (message->msg != CURLMSG_DONE)
                continue;
            struct transfer *t = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
            struct http_outcome *outcome = &outcomes[t - transfers];
            outcome->answered = finish(message->easy_handle, message->data.result, t,
                                       &outcome->response, &outcome->err);
        }
        if (running)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    } while (running);
}

void http_send_all(const void *ctx, struct http_client *client, const struct http_request *requests,
                   size_t count, struct http_outcome *outcomes)
{
    CURLM *multi = together(client);
    void *tmp = talloc_new(ctx);
    struct transfer *transfers = talloc_zero_array(tmp, struct transfer, (unsigned)count);
    CURL **handles = talloc_zero_array(tmp, CURL *, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        outcomes[i] = (struct http_outcome){0};
        if (!begin(ctx, &requests[i], &transfers[i], &outcomes[i].err))
            continue;
        error_set(&outcomes[i].err, ERROR_UNAVAILABLE, "the request could not be begun");
        handles[i] = curl_easy_init();
        prepare(handles[i], &requests[i], &transfers[i]);
        curl_easy_setopt(handles[i], CURLOPT_PRIVATE, &transfers[i]);
        curl_multi_add_handle(multi, handles[i]);
    }
    perform_all(multi, transfers, outcomes);
    for (size_t i = 0; i < count; i++) {
        if (handles[i])
            curl_multi_remove_handle(multi, handles[i]);
        curl_easy_cleanup(handles[i]);
        curl_slist_free_all(transfers[i].headers);
    }
    talloc_free(tmp);
}

const char *http_header(struct http_client *client, const char *name)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(client->curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

char *http_escape(const void *ctx, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = talloc_size(ctx, strlen(text) * 3 + 1), *to = out;
    if (!out)
        return NULL;
    for (const unsigned char *from = (const unsigned char *)text; *from; from++) {
        bool plain = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                     (*from >= '0' && *from <= '9') || strchr("-._~", *from);
        if (plain) {
            *to++ = (char)*from;
        } else {
            *to++ = '%';
            *to++ = hex[*from >> 4];
            *to++ = hex[*from & 15];
        }
    }
    *to = '\0';
    return out;
}
