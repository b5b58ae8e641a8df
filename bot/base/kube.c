#include "base/kube.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <talloc.h>
#include <time.h>

enum { FRESH_S = 60 };

struct kube {
    struct kube_options options;
    struct http_client *http;
    struct kube_access *access; /* NULL: not read yet */
    char *looks;                /* of the access' files, when they were read */
    time_t read_at;
};

struct kube *kube_new(const void *ctx, const struct kube_options *options)
{
    struct kube *kube = talloc_zero(ctx, struct kube);
    kube->options = (struct kube_options){
        talloc_strdup(kube, options->kubeconfig), talloc_strdup(kube, options->context),
        talloc_strdup(kube, options->account), talloc_strdup(kube, options->setting)};
    kube->http = http_client_new(kube);
    return kube;
}

const char *kube_server(const struct kube *kube)
{
    return kube->access ? kube->access->server : "";
}

static time_t monotonic(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec;
}

/* What a file looks like from outside: another one, or another version, looks different. */
static char *looks_of(const void *ctx, const char *const *files)
{
    char *text = talloc_strdup(ctx, "");
    for (; *files; files++) {
        struct stat found = {0};
        int missing = stat(*files, &found);
        text = talloc_asprintf_append(text, "%d %lld %lld %lld.%09ld\n", missing,
                                      (long long)found.st_ino, (long long)found.st_size,
                                      (long long)found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
    }
    return text;
}

static bool is_fresh(const struct kube *kube)
{
    if (!kube->access || monotonic() - kube->read_at >= FRESH_S)
        return false;
    char *looks = looks_of(NULL, kube->access->files);
    bool same = strcmp(looks, kube->looks) == 0;
    talloc_free(looks);
    return same;
}

static bool read_access(struct kube *kube, struct error *err)
{
    struct kube_access *access = kube_access_read(kube, &kube->options, err);
    if (!access)
        return false;
    talloc_free(kube->access);
    talloc_free(kube->looks);
    kube->access = access;
    kube->looks = looks_of(kube, access->files);
    kube->read_at = monotonic();
    return true;
}

static enum kube_class class_of(long status)
{
    if (status >= 200 && status < 300)
        return KUBE_OK;
    if (status == 429)
        return KUBE_BUSY;
    if (status == 401 || status == 403)
        return KUBE_REFUSED;
    return status >= 500 ? KUBE_AWAY : KUBE_OTHER;
}

static void take(const void *ctx, const struct kube *kube, struct kube_call *call,
                 const struct http_outcome *outcome)
{
    call->class = KUBE_AWAY;
    call->status = 0;
    call->reason = "";
    call->answer = NULL;
    call->err = outcome->err;
    if (!outcome->answered)
        return;
    call->status = outcome->response.status;
    call->retry_after = outcome->response.retry_after;
    call->answer = json_parse_length(ctx, outcome->response.body, outcome->response.length);
    call->reason = json_string_or_empty(call->answer, "reason");
    call->class = class_of(call->status);
    if (call->class == KUBE_OK)
        return;
    const char *message = json_string(call->answer, "message");
    error_set(&call->err, ERROR_UNAVAILABLE, "%s answered %ld%s%s", kube->access->server,
              call->status, message ? ": " : "", message ? message : "");
}

static void send_all(const void *ctx, struct kube *kube, struct kube_call **calls, size_t count,
                     long patience_ms)
{
    void *tmp = talloc_new(ctx);
    const struct kube_access *access = kube->access;
    const char *headers[4] = {"Accept: application/json", "Content-Type: application/json"};
    if (*access->token)
        headers[2] = talloc_asprintf(tmp, "Authorization: Bearer %s", access->token);
    struct http_request *requests = talloc_zero_array(tmp, struct http_request, (unsigned)count);
    struct http_outcome *outcomes = talloc_zero_array(tmp, struct http_outcome, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        const char *body = calls[i]->body ? json_text(tmp, calls[i]->body) : NULL;
        requests[i] = (struct http_request){
            .method = calls[i]->method,
            .url = talloc_asprintf(tmp, "%s%s", access->server, calls[i]->path),
            .headers = headers,
            .body = body,
            .body_length = body ? strlen(body) : 0,
            .connect_ms = patience_ms,
            .total_ms = patience_ms,
            .repeatable = calls[i]->repeatable,
            .tls = &access->tls,
        };
    }
    http_send_all(tmp, kube->http, requests, count, outcomes);
    for (size_t i = 0; i < count; i++)
        take(ctx, kube, calls[i], &outcomes[i]);
    talloc_free(tmp);
}

bool kube_send(const void *ctx, struct kube *kube, struct kube_call *calls, size_t count,
               long patience_ms, struct error *err)
{
    if (!is_fresh(kube) && !read_access(kube, err))
        return false;
    struct kube_call **some = talloc_array(ctx, struct kube_call *, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++)
        some[i] = &calls[i];
    send_all(ctx, kube, some, count, patience_ms);
    size_t unbelieved = 0;
    for (size_t i = 0; i < count; i++)
        if (calls[i].status == 401)
            some[unbelieved++] = &calls[i];
    /* A token may have been replaced between our look and now. */
    char *before = talloc_strdup(some, kube->access->token);
    if (unbelieved && read_access(kube, err) && strcmp(before, kube->access->token) != 0)
        send_all(ctx, kube, some, unbelieved, patience_ms);
    talloc_free(some);
    return true;
}
