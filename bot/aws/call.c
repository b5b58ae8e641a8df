#include "aws/call.h"

#include "aws/credentials.h"
#include "base/http_client.h"
#include "base/json.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <talloc.h>

enum { DAILY_QUOTA_AGAIN = 3600 };

struct aws {
    struct http_client *http;
    struct aws_credentials *credentials;
    char *region, *endpoint_url;
    time_t skew; /* AWS's clock minus ours, where AWS complained */
};

/* Error names, sorted by what can be done (SES v2, SNS and what all services share). */
static const struct {
    enum aws_class class;
    const char *name;
} classes[] = {
    {AWS_LATER, "TooManyRequestsException"},
    {AWS_LATER, "Throttling"},
    {AWS_LATER, "ThrottlingException"},
    {AWS_LATER, "ThrottledException"},
    {AWS_LATER, "RequestLimitExceeded"},
    {AWS_LATER, "ProvisionedThroughputExceeded"},
    {AWS_LATER, "LimitExceededException"},
    {AWS_LATER, "ServiceUnavailable"},
    {AWS_LATER, "ServiceUnavailableException"},
    {AWS_LATER, "RequestTimeout"},
    {AWS_LATER, "RequestTimeTooSkewed"},
    {AWS_LATER, "ExpiredToken"},
    {AWS_LATER, "ExpiredTokenException"},
    {AWS_LATER, "RequestExpired"},
    {AWS_UNKNOWN, "InternalServiceError"},
    {AWS_UNKNOWN, "InternalError"},
    {AWS_UNKNOWN, "InternalFailure"},
    {AWS_STOP, "AccountSuspendedException"},
    {AWS_STOP, "SendingPausedException"},
    {AWS_STOP, "MailFromDomainNotVerifiedException"},
    {AWS_STOP, "AccessDenied"},
    {AWS_STOP, "AccessDeniedException"},
    {AWS_STOP, "AuthorizationError"},
    {AWS_STOP, "UnrecognizedClientException"},
    {AWS_STOP, "InvalidClientTokenId"},
    {AWS_STOP, "InvalidSignatureException"},
    {AWS_STOP, "SignatureDoesNotMatch"},
    {AWS_STOP, "IncompleteSignature"},
    {AWS_STOP, "MissingAuthenticationToken"},
    {AWS_STOP, "MissingAuthenticationTokenException"},
    {AWS_STOP, "OptInRequired"},
    {AWS_STOP, "NotFoundException"},
    {AWS_STOP, "NotFound"},
    {AWS_NEVER, "MessageRejected"},
    {AWS_NEVER, "BadRequestException"},
    {AWS_NEVER, "InvalidParameter"},
    {AWS_NEVER, "InvalidParameterValue"},
    {AWS_NEVER, "ValidationError"},
    {AWS_NEVER, "ValidationException"},
};

static bool says(const char *message, const char *words)
{
    return strcasestr(message, words) != NULL;
}

enum aws_class aws_class_of(long status, const char *error, const char *message)
{
    if (status >= 200 && status < 300)
        return AWS_OK;
    /* SES names throttling in several ways; its sentences are stable ("Maximum sending rate
       exceeded.", "Daily message quota exceeded"). */
    if (status == 429 || says(message, "sending rate exceeded") || says(message, "quota exceeded"))
        return AWS_LATER;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].name, error) == 0)
            return classes[i].class;
    if (status == 503)
        return AWS_LATER;
    if (status >= 500)
        return AWS_UNKNOWN;
    return status == 401 || status == 403 ? AWS_STOP : AWS_NEVER;
}

const char *aws_class_name(enum aws_class class)
{
    static const char *const names[] = {
        [AWS_OK] = "ok",       [AWS_LATER] = "later", [AWS_UNKNOWN] = "unknown",
        [AWS_NEVER] = "never", [AWS_STOP] = "stop",
    };
    return names[class];
}

static enum error_code code_of(enum aws_class class)
{
    static const enum error_code codes[] = {
        [AWS_OK] = ERROR_NONE,     [AWS_LATER] = ERROR_UNAVAILABLE, [AWS_UNKNOWN] = ERROR_UNKNOWN,
        [AWS_NEVER] = ERROR_USAGE, [AWS_STOP] = ERROR_CONFIG,
    };
    return codes[class];
}

struct aws *aws_new(const void *ctx, const char *region, const char *endpoint_url)
{
    struct aws *aws = talloc_zero(ctx, struct aws);
    aws->http = http_client_new(aws);
    if (!aws->http) {
        talloc_free(aws);
        return NULL;
    }
    const char *sts = getenv("AWS_ENDPOINT_URL_STS");
    aws->region = talloc_strdup(aws, region);
    aws->endpoint_url = talloc_strdup(aws, endpoint_url);
    aws->credentials =
        aws_credentials_new(aws, aws->http, region, sts && *sts ? sts : endpoint_url);
    return aws;
}

/* scheme://host[:port], without a slash at the end. */
static char *base_url(const void *ctx, const struct aws *aws, const struct aws_service *service)
{
    const char *own = getenv(service->variable);
    const char *base = own && *own ? own : aws->endpoint_url;
    if (!*base)
        return talloc_asprintf(ctx, "https://%s.%s.amazonaws.com%s", service->host, aws->region,
                               strncmp(aws->region, "cn-", 3) == 0 ? ".cn" : "");
    size_t length = strlen(base);
    while (length && base[length - 1] == '/')
        length--;
    return talloc_strndup(ctx, base, length);
}

/* What AWS calls it: a header, or the JSON or XML body ("…#Name", "Name:http://…"). */
static const char *error_of(const void *ctx, struct aws *aws, const struct http_response *response,
                            const char **message)
{
    const cJSON *json = json_parse_length(ctx, response->body, response->length);
    const char *type = http_header(aws->http, "x-amzn-errortype");
    if (!type)
        type = json_string(json, "__type");
    if (!type)
        type = json_string(json, "code");
    if (!type)
        type = aws_xml_text(ctx, response->body, "Code");
    *message = json_string(json, "message");
    if (!*message)
        *message = json_string(json, "Message");
    if (!*message)
        *message = aws_xml_text(ctx, response->body, "Message");
    if (!*message)
        *message = "";
    if (!type)
        return talloc_asprintf(ctx, "HTTP %ld", response->status);
    const char *after = strchr(type, '#');
    type = after ? after + 1 : type;
    return talloc_strndup(ctx, type, strcspn(type, ":"));
}

static bool send_signed(const void *ctx, struct aws *aws, const struct aws_service *service,
                        const char *path, const char *content_type, const char *body,
                        struct http_response *response, struct error *err)
{
    const struct aws_keys *keys = aws_credentials_get(aws->credentials, err);
    if (!keys)
        return false;
    char *base = base_url(ctx, aws, service);
    const char *host = strstr(base, "://");
    const char *headers[] = {talloc_asprintf(ctx, "Host: %s", host ? host + 3 : base),
                             talloc_asprintf(ctx, "Content-Type: %s", content_type), NULL};
    struct sigv4_request plain = {.method = "POST",
                                  .path = path,
                                  .headers = headers,
                                  .body = body,
                                  .body_length = strlen(body)};
    struct sigv4_scope scope = {keys, aws->region, service->signing, time(NULL) + aws->skew};
    struct http_request request = {.method = "POST",
                                   .url = talloc_asprintf(ctx, "%s%s", base, path),
                                   .headers = sigv4_sign(ctx, &scope, &plain),
                                   .body = body,
                                   .body_length = plain.body_length};
    return http_send(ctx, aws->http, &request, response, err);
}

/* Whether AWS refused because our clock is wrong; then the next try knows by how much. */
static bool learn_skew(struct aws *aws, const char *error, const char *message)
{
    bool complains = strcmp(error, "RequestTimeTooSkewed") == 0 ||
                     ((strcmp(error, "InvalidSignatureException") == 0 ||
                       strcmp(error, "SignatureDoesNotMatch") == 0) &&
                      (says(message, "expired") || says(message, "not yet current")));
    const char *date = http_header(aws->http, "date");
    time_t theirs = date ? curl_getdate(date, NULL) : -1;
    if (!complains || theirs < 0)
        return false;
    time_t skew = theirs - time(NULL), change = skew - aws->skew;
    if (change > -60 && change < 60)
        return false;
    aws->skew = skew;
    return true;
}

bool aws_post(const void *ctx, struct aws *aws, const struct aws_service *service, const char *path,
              const char *content_type, const char *body, struct aws_answer *answer,
              struct error *err)
{
    *answer = (struct aws_answer){.error = "", .body = ""};
    struct http_response response;
    const char *message = "";
    for (int attempt = 0;; attempt++) {
        struct error why = {0};
        if (!send_signed(ctx, aws, service, path, content_type, body, &response, &why)) {
            answer->class = why.code == ERROR_UNKNOWN       ? AWS_UNKNOWN
                            : why.code == ERROR_UNAVAILABLE ? AWS_LATER
                                                            : AWS_STOP;
            answer->error = "no answer";
            return error_set(err, why.code, "AWS %s: %s", service->signing, why.text);
        }
        answer->body = response.body;
        if (response.status >= 200 && response.status < 300)
            return true;
        answer->error = error_of(ctx, aws, &response, &message);
        if (attempt > 0 || !learn_skew(aws, answer->error, message))
            break;
    }
    answer->class = aws_class_of(response.status, answer->error, message);
    answer->retry_after = response.retry_after;
    if (says(message, "Daily message quota"))
        answer->retry_after = DAILY_QUOTA_AGAIN;
    if (strstr(answer->error, "Expired"))
        aws_credentials_forget(aws->credentials);
    return error_set(err, code_of(answer->class), "AWS %s says %s%s%s", service->signing,
                     answer->error, *message ? ": " : "", message);
}
