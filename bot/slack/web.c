#include "slack/web.h"

#include "base/http_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

struct slack_web {
    struct http_client *http;
    char *api_url;
    char *authorization; /* a secret */
    long patience_ms;
};

/* How a method wants its arguments (docs.slack.dev, each method's page), and whether calling it
   twice does no harm. What is not listed: a form, and not twice. */
static const struct method {
    const char *name;
    enum { JSON, FORM, QUERY } encoding;
    bool repeatable;
} methods[] = {
    {"apps.connections.open", FORM, true},
    {"auth.test", JSON, true},
    {"blocks.validate", JSON, true},
    {"chat.delete", JSON, true},
    {"chat.getPermalink", QUERY, true},
    {"chat.postEphemeral", JSON, false},
    {"chat.postMessage", JSON, false},
    {"chat.update", JSON, true},
    {"conversations.history", JSON, true},
    {"conversations.info", FORM, true},
    {"conversations.list", FORM, true},
    {"conversations.members", FORM, true},
    {"conversations.open", JSON, true},
    {"conversations.replies", FORM, true},
    {"files.completeUploadExternal", JSON, false},
    {"files.getUploadURLExternal", FORM, true},
    {"usergroups.list", FORM, true},
    {"usergroups.users.list", FORM, true},
    {"users.info", FORM, true},
    {"users.lookupByEmail", FORM, true},
    {"views.open", JSON, false},
    {"views.publish", JSON, true},
    {"views.push", JSON, false},
    {"views.update", JSON, true},
};

static const struct method *method_find(const char *name)
{
    static const struct method other = {"", FORM, false};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i].name, name) == 0)
            return &methods[i];
    return &other;
}

/* Slack's error names, sorted by what can be done. */
static const struct {
    enum slack_class class;
    const char *names; /* separated by spaces; name* is a beginning */
} classes[] = {
    {SLACK_LATER, "ratelimited rate_limited service_unavailable request_timeout "
                  "team_added_to_org org_login_required update_failed external_channel_migrating "
                  "streaming_state_conflict"},
    {SLACK_UNKNOWN, "fatal_error internal_error"},
    {SLACK_DESTINATION,
     "channel_not_found not_in_channel is_archived restricted_action* cannot_reply_to_message "
     "messages_tab_disabled message_limit_exceeded user_not_in_channel user_not_found "
     "users_not_found user_not_visible user_disabled invalid_user_combination cannot_dm_bot "
     "thread_not_found posting_to_channel_denied file_uploads_disabled file_not_found "
     "message_not_found cant_update_message cant_delete_message edit_window_closed is_inactive "
     "block_mismatch no_such_subteam expired_trigger_id exchanged_trigger_id invalid_trigger_id "
     "used_url expired_url not_found hash_conflict push_limit_reached"},
    {SLACK_STOP, "invalid_auth not_authed token_revoked token_expired account_inactive "
                 "missing_scope not_allowed_token_type no_permission access_denied accesslimited "
                 "ekm_access_denied enterprise_is_restricted two_factor_setup_required "
                 "method_deprecated deprecated_endpoint user_removed_from_team team_disabled "
                 "forbidden_team insecure_request plan_upgrade_required"},
};

static bool listed(const char *names, const char *name)
{
    size_t length = strlen(name);
    for (const char *each = names; *each;) {
        size_t size = strcspn(each, " ");
        if (each[size - 1] == '*' ? strncmp(each, name, size - 1) == 0
                                  : size == length && strncmp(each, name, size) == 0)
            return true;
        each += size + (each[size] == ' ');
    }
    return false;
}

enum slack_class slack_class_of(const char *error)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (*error && listed(classes[i].names, error))
            return classes[i].class;
    return SLACK_OURS;
}

const char *slack_class_name(enum slack_class class)
{
    static const char *const names[] = {
        [SLACK_OK] = "ok",           [SLACK_LATER] = "later",
        [SLACK_UNKNOWN] = "unknown", [SLACK_DESTINATION] = "destination",
        [SLACK_OURS] = "ours",       [SLACK_STOP] = "stop",
    };
    return names[class];
}

static enum error_code code_of(enum slack_class class)
{
    static const enum error_code codes[] = {
        [SLACK_OK] = ERROR_NONE,         [SLACK_LATER] = ERROR_UNAVAILABLE,
        [SLACK_UNKNOWN] = ERROR_UNKNOWN, [SLACK_DESTINATION] = ERROR_NOT_FOUND,
        [SLACK_OURS] = ERROR_INTERNAL,   [SLACK_STOP] = ERROR_CONFIG,
    };
    return codes[class];
}

struct slack_web *slack_web_new(const void *ctx, const char *api_url, const char *token)
{
    struct slack_web *web = talloc_zero(ctx, struct slack_web);
    if (!web)
        return NULL;
    web->http = http_client_new(web);
    web->api_url = talloc_strdup(web, api_url);
    web->authorization = talloc_asprintf(web, "Authorization: Bearer %s", token);
    if (!web->http || !web->api_url || !web->authorization)
        TALLOC_FREE(web);
    return web;
}

long slack_web_patience(struct slack_web *web, long ms)
{
    long before = web->patience_ms;
    web->patience_ms = ms;
    return before;
}

char *slack_form(const void *ctx, const cJSON *arguments)
{
    char *form = talloc_strdup(ctx, "");
    const cJSON *each;
    cJSON_ArrayForEach (each, arguments) {
        void *tmp = talloc_new(NULL);
        const char *text = cJSON_IsString(each) ? each->valuestring : json_text(tmp, each);
        if (!cJSON_IsNull(each))
            form = talloc_asprintf_append(form, "%s%s=%s", *form ? "&" : "",
                                          http_escape(tmp, each->string), http_escape(tmp, text));
        talloc_free(tmp);
    }
    return form;
}

static bool fail(struct slack_answer *answer, struct error *err, enum slack_class class,
                 const char *method, const char *name, const char *detail)
{
    answer->class = class;
    answer->error = name;
    return error_set(err, code_of(class), "Slack answered %s with %s%s%s.", method, name,
                     *detail ? ": " : "", detail);
}

/* What Slack adds to an error: the reasons of invalid_blocks, the scope that is missing. */
static const char *detail_of(const void *ctx, const cJSON *body)
{
    char *text = talloc_strdup(ctx, "");
    const char *needed = json_string(body, "needed");
    if (needed)
        text = talloc_asprintf_append(text, "%s is needed", needed);
    const cJSON *each;
    cJSON_ArrayForEach (each, json_at(body, "response_metadata.messages")) {
        if (cJSON_IsString(each))
            text = talloc_asprintf_append(text, "%s%s", *text ? "; " : "", each->valuestring);
    }
    return text;
}

/* No answer at all: never sent is later; sent is unknown unless a second time does no harm. */
static bool no_answer(struct slack_answer *answer, bool repeatable, const struct error *why,
                      const char *method, struct error *err)
{
    bool harmless = why->code != ERROR_UNKNOWN || repeatable;
    answer->class = why->code == ERROR_USAGE ? SLACK_STOP : harmless ? SLACK_LATER : SLACK_UNKNOWN;
    answer->error = "no_answer";
    return error_set(err, code_of(answer->class), "Slack gave no answer to %s: %s", method,
                     why->text);
}

static bool read_answer(const void *ctx, const char *method, bool repeatable,
                        const struct http_response *response, struct slack_answer *answer,
                        struct error *err)
{
    answer->retry_after = response->retry_after;
    if (response->status == 429)
        return fail(answer, err, SLACK_LATER, method, "ratelimited", "");
    answer->body = json_parse_length(ctx, response->body, response->length);
    const char *name = json_string(answer->body, "error");
    if (json_true(answer->body, "ok")) {
        answer->class = SLACK_OK;
        answer->error = "";
        return true;
    }
    if (name) {
        enum slack_class class = slack_class_of(name);
        if (class == SLACK_UNKNOWN && repeatable)
            class = SLACK_LATER;
        return fail(answer, err, class, method, name, detail_of(ctx, answer->body));
    }
    /* No word of Slack's application. A 503 says that nothing was begun; of other answers (a
       gateway's time-out among them) nobody knows. */
    bool refused = response->status == 503 || response->status == 408;
    char *status = talloc_asprintf(ctx, "http_%ld", response->status);
    return fail(answer, err, refused || repeatable ? SLACK_LATER : SLACK_UNKNOWN, method, status,
                "");
}

bool slack_call(const void *ctx, struct slack_web *web, const char *method, const cJSON *arguments,
                struct slack_answer *answer, struct error *err)
{
    const struct method *m = method_find(method);
    struct slack_answer none = {0};
    answer = answer ? answer : &none;
    *answer = (struct slack_answer){.error = ""};
    const char *url = talloc_asprintf(ctx, "%s%s", web->api_url, method);
    struct http_request request = {.method = "POST",
                                   .repeatable = m->repeatable,
                                   .connect_ms = web->patience_ms,
                                   .total_ms = web->patience_ms};
    const char *type = "Content-Type: application/x-www-form-urlencoded";
    if (m->encoding == JSON) {
        type = "Content-Type: application/json; charset=utf-8";
        request.body = arguments ? json_text(ctx, arguments) : "{}";
    } else if (m->encoding == FORM) {
        request.body = slack_form(ctx, arguments);
    } else {
        request.method = "GET";
        url = talloc_asprintf(ctx, "%s?%s", url, slack_form(ctx, arguments));
    }
    const char *headers[] = {web->authorization, m->encoding == QUERY ? NULL : type, NULL};
    request.url = url;
    request.headers = headers;
    request.body_length = request.body ? strlen(request.body) : 0;
    struct http_response response;
    struct error why = {0};
    if (!http_send(ctx, web->http, &request, &response, &why))
        return no_answer(answer, m->repeatable, &why, method, err);
    return read_answer(ctx, method, m->repeatable, &response, answer, err);
}

bool slack_respond(const void *ctx, struct slack_web *web, const char *response_url,
                   const cJSON *message, struct slack_answer *answer, struct error *err)
{
    static const char method[] = "the response_url";
    struct slack_answer none = {0};
    answer = answer ? answer : &none;
    *answer = (struct slack_answer){.error = ""};
    static const char *const headers[] = {"Content-Type: application/json; charset=utf-8", NULL};
    const char *body = json_text(ctx, message);
    struct http_request request = {.method = "POST",
                                   .url = response_url,
                                   .headers = headers,
                                   .body = body,
                                   .body_length = strlen(body),
                                   .connect_ms = web->patience_ms,
                                   .total_ms = web->patience_ms};
    struct http_response response;
    struct error why = {0};
    if (!http_send(ctx, web->http, &request, &response, &why))
        return no_answer(answer, false, &why, method, err);
    answer->retry_after = response.retry_after;
    if (response.status == 200)
        return true;
    if (response.status == 429)
        return fail(answer, err, SLACK_LATER, method, "ratelimited", "");
    if (response.status == 404)
        return fail(answer, err, SLACK_DESTINATION, method, "expired_url", "");
    if (response.status >= 500)
        return fail(answer, err, SLACK_UNKNOWN, method, "http_5xx", "");
    /* 400 with the bare name of the error */
    return fail(answer, err, SLACK_OURS, method, talloc_strndup(ctx, response.body, 80), "");
}

static bool send_bytes(const void *ctx, struct slack_web *web, const char *url, const char *content,
                       struct slack_answer *answer, struct error *err)
{
    static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
    struct http_request request = {.method = "POST",
                                   .url = url,
                                   .headers = headers,
                                   .body = content,
                                   .body_length = strlen(content),
                                   .total_ms = 30000};
    struct http_response response;
    struct error why = {0};
    /* Nobody sees the file before files.completeUploadExternal: all of it can be begun again. */
    if (!http_send(ctx, web->http, &request, &response, &why))
        return no_answer(answer, true, &why, "the upload", err);
    if (response.status == 200)
        return true;
    return fail(answer, err, SLACK_LATER, "the upload",
                talloc_asprintf(ctx, "http_%ld", response.status), "");
}

bool slack_upload(const void *ctx, struct slack_web *web, const char *channel, const char *filename,
                  const char *title, const char *content, const char *comment,
                  struct slack_answer *answer, struct error *err)
{
    struct slack_answer none = {0};
    answer = answer ? answer : &none;
    cJSON *ask = json_object(ctx);
    json_set_string(ask, "filename", filename);
    json_set_number(ask, "length", (double)strlen(content));
    if (!slack_call(ctx, web, "files.getUploadURLExternal", ask, answer, err))
        return false;
    const char *url = json_string(answer->body, "upload_url");
    const char *id = json_string(answer->body, "file_id");
    if (!url || !id)
        return fail(answer, err, SLACK_OURS, "files.getUploadURLExternal", "no upload_url", "");
    if (!send_bytes(ctx, web, url, content, answer, err))
        return false;
    cJSON *complete = json_object(ctx), *files = cJSON_CreateArray(), *file = cJSON_CreateObject();
    json_set_string(file, "id", id);
    json_set_string(file, "title", title);
    cJSON_AddItemToArray(files, file);
    json_set(complete, "files", files);
    json_set_string(complete, "channel_id", channel);
    if (comment && *comment)
        json_set_string(complete, "initial_comment", comment);
    return slack_call(ctx, web, "files.completeUploadExternal", complete, answer, err);
}

static bool carries(const cJSON *message, const char *id)
{
    const cJSON *outbox = json_at(message, "metadata.event_payload.outbox");
    if (cJSON_IsString(outbox) && strcmp(outbox->valuestring, id) == 0)
        return true;
    const cJSON *block;
    char mark[64];
    int mark_length = snprintf(mark, sizeof mark, "outbox-%s", id);
    cJSON_ArrayForEach (block, cJSON_GetObjectItemCaseSensitive(message, "blocks")) {
        const char *block_id = json_string_or_empty(block, "block_id");
        size_t length = strlen(block_id);
        if (mark_length > 0 && length >= (size_t)mark_length &&
            strcmp(block_id + length - (size_t)mark_length, mark) == 0)
            return true;
    }
    return false;
}

bool slack_find(const void *ctx, struct slack_web *web, const char *channel, const char *thread_ts,
                int64_t oldest, const char *id, const char **ts, struct slack_answer *answer,
                struct error *err)
{
    struct slack_answer none = {0};
    answer = answer ? answer : &none;
    *ts = NULL;
    cJSON *ask = json_object(ctx);
    json_set_string(ask, "channel", channel);
    if (thread_ts)
        json_set_string(ask, "ts", thread_ts);
    json_set_format(ask, "oldest", "%" PRId64 ".000000", oldest);
    json_set_bool(ask, "include_all_metadata", true);
    json_set_number(ask, "limit", 200);
    const char *method = thread_ts ? "conversations.replies" : "conversations.history";
    /* At most 10 pages: what is looked for was posted minutes ago. */
    for (int page = 0; page < 10; page++) {
        if (!slack_call(ctx, web, method, ask, answer, err))
            return false;
        const cJSON *message;
        cJSON_ArrayForEach (message, json_at(answer->body, "messages")) {
            if (carries(message, id)) {
                *ts = json_string(message, "ts");
                return true;
            }
        }
        const char *cursor = json_string_or_empty(answer->body, "response_metadata.next_cursor");
        if (!*cursor)
            return true;
        json_set_string(ask, "cursor", cursor);
    }
    return true;
}
