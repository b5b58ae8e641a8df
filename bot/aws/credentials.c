#include "aws/credentials.h"

#include "base/json.h"
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

enum {
    BEFORE_END = 600,   /* botocore asks anew 10 minutes before the end */
    BETWEEN_TRIES = 30, /* when that fails */
    FILE_MOST = 1 << 20,
};

struct aws_credentials {
    struct http_client *http;
    char *region, *sts_url;
    struct aws_keys keys; /* owned by `held`; id NULL: none */
    void *held;
    time_t ends; /* 0: never */
    time_t try_after;
};

/* What one source found. */
struct found {
    const char *id, *secret, *token;
    time_t ends;
};

/* A source says whether it is configured here at all; if it is, its failure is the answer. */
enum outcome { NOT_HERE, FOUND, FAILED };

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* A whole file, blanks at its end taken off; NULL with errno. */
static char *read_file(const void *ctx, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    char *text = talloc_size(ctx, FILE_MOST + 1);
    size_t length = fread(text, 1, FILE_MOST, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return NULL;
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    text[length] = '\0';
    return talloc_realloc_size(ctx, text, length + 1);
}

time_t aws_time(const char *text)
{
    struct tm utc = {0};
    if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &utc))
        return 0;
    return timegm(&utc);
}

const char *aws_xml_text(const void *ctx, const char *xml, const char *name)
{
    char *open = talloc_asprintf(NULL, "<%s>", name);
    char *close = talloc_asprintf(open, "</%s>", name);
    const char *from = xml ? strstr(xml, open) : NULL, *to = NULL;
    if (from) {
        from += strlen(open);
        to = strstr(from, close);
    }
    talloc_free(open);
    return to ? talloc_strndup(ctx, from, (size_t)(to - from)) : NULL;
}

/* ---- the sources ---- */

static enum outcome from_environment(const void *ctx, struct aws_credentials *c, struct found *out,
                                     struct error *err)
{
    (void)ctx;
    (void)c;
    out->id = variable("AWS_ACCESS_KEY_ID");
    out->secret = variable("AWS_SECRET_ACCESS_KEY");
    out->token = variable("AWS_SESSION_TOKEN");
    if (!out->id && !out->secret)
        return NOT_HERE;
    if (out->id && out->secret)
        return FOUND;
    error_set(err, ERROR_CONFIG,
              "Only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set; set both.");
    return FAILED;
}

static enum outcome from_web_identity(const void *ctx, struct aws_credentials *c, struct found *out,
                                      struct error *err)
{
    const char *role = variable("AWS_ROLE_ARN"), *path = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    if (!role || !path)
        return NOT_HERE;
    const char *session = variable("AWS_ROLE_SESSION_NAME");
    char *token = read_file(ctx, path); /* the kubelet writes it anew: read each time */
    if (!token) {
        error_set(err, ERROR_CONFIG, "AWS_WEB_IDENTITY_TOKEN_FILE %s cannot be read: %s", path,
                  strerror(errno));
        return FAILED;
    }
    char *body = talloc_asprintf(
        ctx,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=%s&RoleSessionName=%s"
        "&WebIdentityToken=%s",
        http_escape(ctx, role), http_escape(ctx, session ? session : "envbot"),
        http_escape(ctx, token));
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    struct http_request request = {.method = "POST",
                                   .url = c->sts_url,
                                   .headers = headers,
                                   .body = body,
                                   .body_length = strlen(body),
                                   .repeatable = true};
    struct http_response response;
    if (!http_send(ctx, c->http, &request, &response, err)) {
        error_prefix(err, "AWS STS: ");
        return FAILED;
    }
    if (response.status != 200) {
        const char *code = aws_xml_text(ctx, response.body, "Code");
        error_set(err, response.status >= 500 ? ERROR_UNAVAILABLE : ERROR_CONFIG,
                  "AWS STS does not give out %s: %s (HTTP %ld)", role, code ? code : "no reason",
                  response.status);
        return FAILED;
    }
    out->id = aws_xml_text(ctx, response.body, "AccessKeyId");
    out->secret = aws_xml_text(ctx, response.body, "SecretAccessKey");
    out->token = aws_xml_text(ctx, response.body, "SessionToken");
    out->ends = aws_time(aws_xml_text(ctx, response.body, "Expiration"));
    return FOUND;
}

/* Takes `name = value` apart; false when the line is none. */
static bool setting(const void *ctx, char *line, const char **name, const char **value)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return false;
    char *end = equals;
    while (end > line && isspace((unsigned char)end[-1]))
        end--;
    *name = talloc_strndup(ctx, line, (size_t)(end - line));
    char *from = equals + 1 + strspn(equals + 1, " \t");
    char *last = from + strlen(from);
    while (last > from && isspace((unsigned char)last[-1]))
        last--;
    *value = talloc_strndup(ctx, from, (size_t)(last - from));
    return true;
}

void aws_profile_read(const void *ctx, const char *text, const char *section, const char **id,
                      const char **secret, const char **token)
{
    *id = *secret = *token = NULL;
    char *wanted = talloc_asprintf(ctx, "[%s]", section), *rest = NULL;
    bool inside = false;
    for (char *line = strtok_r(talloc_strdup(ctx, text), "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *name, *value;
        if (*line == '[')
            inside = strncmp(line, wanted, strlen(wanted)) == 0;
        else if (!inside || *line == '#' || *line == ';' || !setting(ctx, line, &name, &value))
            continue;
        else if (strcmp(name, "aws_access_key_id") == 0)
            *id = value;
        else if (strcmp(name, "aws_secret_access_key") == 0)
            *secret = value;
        else if (strcmp(name, "aws_session_token") == 0)
            *token = value;
    }
}

static bool profile_file(const void *ctx, const char *from, const char *usual, const char *section,
                         struct found *out)
{
    const char *path = variable(from), *home = variable("HOME");
    if (!path && home)
        path = talloc_asprintf(ctx, "%s/.aws/%s", home, usual);
    char *text = path ? read_file(ctx, path) : NULL;
    if (!text)
        return false;
    aws_profile_read(ctx, text, section, &out->id, &out->secret, &out->token);
    return out->id && out->secret;
}

static enum outcome from_profile(const void *ctx, struct aws_credentials *c, struct found *out,
                                 struct error *err)
{
    (void)c;
    const char *named = variable("AWS_PROFILE"), *profile = named ? named : "default";
    const char *section = named && strcmp(named, "default") != 0
                              ? talloc_asprintf(ctx, "profile %s", named)
                              : "default";
    if (profile_file(ctx, "AWS_SHARED_CREDENTIALS_FILE", "credentials", profile, out) ||
        profile_file(ctx, "AWS_CONFIG_FILE", "config", section, out))
        return FOUND;
    if (!named)
        return NOT_HERE;
    error_set(
        err, ERROR_CONFIG,
        "AWS_PROFILE=%s has no aws_access_key_id and aws_secret_access_key of its own; envbot "
        "reads no role, SSO or process from a profile. Set the keys in the environment.",
        named);
    return FAILED;
}

static bool take_json(const void *ctx, const struct http_response *response, struct found *out,
                      struct error *err)
{
    const cJSON *answer = json_parse_length(ctx, response->body, response->length);
    out->id = json_string(answer, "AccessKeyId");
    out->secret = json_string(answer, "SecretAccessKey");
    out->token = json_string(answer, "Token");
    out->ends = aws_time(json_string(answer, "Expiration"));
    if (response->status == 200 && out->id && out->secret)
        return true;
    return error_set(err, ERROR_UNAVAILABLE, "no AWS credentials came (HTTP %ld)",
                     response->status);
}

static enum outcome from_container(const void *ctx, struct aws_credentials *c, struct found *out,
                                   struct error *err)
{
    const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *url = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative)
        url = talloc_asprintf(ctx, "http://169.254.170.2%s", relative);
    if (!url)
        return NOT_HERE;
    const char *path = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    /* The file changes while we run: read each time. */
    if (path && !(token = read_file(ctx, path))) {
        error_set(err, ERROR_CONFIG, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE %s cannot be read: %s",
                  path, strerror(errno));
        return FAILED;
    }
    const char *headers[] = {token ? talloc_asprintf(ctx, "Authorization: %s", token) : NULL, NULL};
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .headers = headers,
                                   .connect_ms = 1000,
                                   .total_ms = 3000,
                                   .repeatable = true,
                                   .metadata = true};
    struct http_response response;
    bool ok =
        http_send(ctx, c->http, &request, &response, err) && take_json(ctx, &response, out, err);
    if (!ok)
        error_prefix(err, "the container's credentials: ");
    return ok ? FOUND : FAILED;
}

/* One question to the machine's metadata service; NULL when it has no answer. */
static const char *ask_machine(const void *ctx, struct aws_credentials *c, const char *method,
                               const char *path, const char *header, struct http_response *response)
{
    const char *base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *headers[] = {header, NULL};
    struct http_request request = {.method = method,
                                   .headers = headers,
                                   .connect_ms = 1000,
                                   .total_ms = 1000,
                                   .repeatable = true,
                                   .metadata = true};
    request.url = talloc_asprintf(ctx, "%s%s", base ? base : "http://169.254.169.254", path);
    if (!http_send(ctx, c->http, &request, response, NULL) || response->status != 200)
        return NULL;
    return response->body;
}

static enum outcome from_machine(const void *ctx, struct aws_credentials *c, struct found *out,
                                 struct error *err)
{
    static const char roles[] = "/latest/meta-data/iam/security-credentials/";
    const char *off = variable("AWS_EC2_METADATA_DISABLED");
    if (off && strcmp(off, "true") == 0)
        return NOT_HERE;
    struct http_response response;
    const char *token = ask_machine(ctx, c, "PUT", "/latest/api/token",
                                    "X-aws-ec2-metadata-token-ttl-seconds: 21600", &response);
    if (!token)
        return NOT_HERE;
    const char *header = talloc_asprintf(ctx, "X-aws-ec2-metadata-token: %s", token);
    const char *role = ask_machine(ctx, c, "GET", roles, header, &response);
    if (!role || !*role)
        return NOT_HERE; /* a machine without a role */
    char *path = talloc_asprintf(ctx, "%s%.*s", roles, (int)strcspn(role, "\r\n"), role);
    if (!ask_machine(ctx, c, "GET", path, header, &response)) {
        error_set(err, ERROR_UNAVAILABLE, "the machine's role %s gives no credentials", role);
        return FAILED;
    }
    return take_json(ctx, &response, out, err) ? FOUND : FAILED;
}

/* ---- the chain ---- */

static const struct {
    const char *name;
    enum outcome (*ask)(const void *, struct aws_credentials *, struct found *, struct error *);
} sources[] = {
    {"environment", from_environment}, {"web identity", from_web_identity},
    {"profile", from_profile},         {"container", from_container},
    {"machine", from_machine},
};

static bool refresh(struct aws_credentials *c, struct error *err)
{
    void *held = talloc_new(c);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        struct found found = {0};
        enum outcome outcome = sources[i].ask(held, c, &found, err);
        if (outcome == FOUND && (!found.id || !found.secret)) {
            error_set(err, ERROR_UNAVAILABLE, "the AWS keys of the %s are not whole",
                      sources[i].name);
            outcome = FAILED;
        }
        if (outcome == FAILED) {
            talloc_free(held);
            return false;
        }
        if (outcome == FOUND) {
            talloc_free(c->held);
            c->held = held;
            c->keys =
                (struct aws_keys){talloc_strdup(held, found.id), talloc_strdup(held, found.secret),
                                  found.token ? talloc_strdup(held, found.token) : NULL};
            c->ends = found.ends;
            return true;
        }
    }
    talloc_free(held);
    return error_set(err, ERROR_CONFIG,
                     "No AWS credentials were found: set AWS_ACCESS_KEY_ID and "
                     "AWS_SECRET_ACCESS_KEY, or give the pod or machine a role.");
}

struct aws_credentials *aws_credentials_new(const void *ctx, struct http_client *http,
                                            const char *region, const char *sts_url)
{
    struct aws_credentials *c = talloc_zero(ctx, struct aws_credentials);
    c->http = http;
    c->region = talloc_strdup(c, region);
    c->sts_url = *sts_url ? talloc_strdup(c, sts_url)
                          : talloc_asprintf(c, "https://sts.%s.amazonaws.com/", region);
    return c;
}

const struct aws_keys *aws_credentials_get(struct aws_credentials *c, struct error *err)
{
    time_t now = time(NULL);
    bool fresh = c->keys.id && (!c->ends || now < c->ends - BEFORE_END);
    bool usable = c->keys.id && (!c->ends || now < c->ends);
    if (fresh || (usable && now < c->try_after))
        return &c->keys;
    struct error why = {0};
    if (refresh(c, &why))
        return &c->keys;
    c->try_after = now + BETWEEN_TRIES;
    if (usable) {
        log_warn("AWS credentials could not be renewed; the old ones serve until they end", "error",
                 why.text);
        return &c->keys;
    }
    if (err)
        *err = why;
    return NULL;
}

void aws_credentials_forget(struct aws_credentials *c)
{
    TALLOC_FREE(c->held);
    c->keys = (struct aws_keys){0};
    c->try_after = 0;
}
