#include "slack/opener.h"
#include "slack/web.h"

#include <curl/curl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <talloc.h>

struct opener {
    const char *api_url, *app_token;
    void (*wake)(void *user);
    void *user;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    bool asked, ending;
    struct opening *answer;
};

/* What Slack refuses for good, and what to do about it
   (docs.slack.dev/reference/methods/apps.connections.open). */
static const struct {
    const char *error, *remedy;
} refusals[] = {
    {"invalid_auth", "the app-level token is not valid; it begins with xapp- and is made under "
                     "Basic Information, App-Level Tokens"},
    {"not_authed", "no app-level token was sent; set slack.app_token_file or SLACK_APP_TOKEN"},
    {"token_revoked", "the app-level token was revoked; make a new one"},
    {"token_expired", "the app-level token has expired; make a new one"},
    {"not_allowed_token_type", "this is no app-level token; it must begin with xapp-"},
    {"missing_scope", "the app-level token lacks the scope connections:write"},
    {"account_inactive", "the token belongs to an account or workspace that is no longer active"},
    {"user_removed_from_team", "whoever installed the app was removed from the workspace"},
    {"team_disabled", "the workspace is disabled"},
    {"forbidden_team", "the app is not allowed in this workspace"},
};

static void refuse(struct opening *answer, const struct slack_answer *slack)
{
    /* missing_args: Slack does not see the token */
    answer->final = slack->class == SLACK_STOP || strcmp(slack->error, "missing_args") == 0;
    answer->retry_after_ms = slack->retry_after * 1000;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strcmp(slack->error, refusals[i].error) == 0)
            error_set(&answer->err, ERROR_CONFIG, "Slack refuses Socket Mode (%s): %s.",
                      refusals[i].error, refusals[i].remedy);
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0 ||
           strcasecmp(host, "localhost") == 0;
}

static char *url_part(struct opening *answer, CURLU *url, CURLUPart part)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
        return NULL;
    char *copy = talloc_strdup(answer, text);
    curl_free(text);
    return copy;
}

/* Follows the URL as it is, whatever host it names. */
static bool split_url(struct opening *answer, const char *text)
{
    CURLU *url = curl_url();
    bool ok = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
    char *scheme = ok ? url_part(answer, url, CURLUPART_SCHEME) : NULL;
    char *host = ok ? url_part(answer, url, CURLUPART_HOST) : NULL;
    char *path = ok ? url_part(answer, url, CURLUPART_PATH) : NULL;
    char *query = ok ? url_part(answer, url, CURLUPART_QUERY) : NULL;
    char *port = ok ? url_part(answer, url, CURLUPART_PORT) : NULL;
    curl_url_cleanup(url);
    if (!scheme || !host || !path)
        return error_set(&answer->err, ERROR_UNAVAILABLE, "Slack named no address to connect to.");
    if (host[0] == '[') { /* [::1] */
        memmove(host, host + 1, strlen(host));
        host[strcspn(host, "]")] = '\0';
    }
    answer->tls = strcasecmp(scheme, "wss") == 0;
    if (!answer->tls && (strcasecmp(scheme, "ws") != 0 || !is_loopback(host)))
        return error_set(&answer->err, ERROR_UNAVAILABLE,
                         "Slack named %s://%s: only wss is allowed (plain ws on this machine "
                         "alone).",
                         scheme, host);
    answer->host = host;
    answer->port = port ? atoi(port) : answer->tls ? 443 : 80;
    answer->path = query ? talloc_asprintf(answer, "%s?%s", path, query) : path;
    return true;
}

static bool look_up(struct opening *answer)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int failed = getaddrinfo(answer->host, NULL, &hints, &list);
    if (failed)
        return error_set(&answer->err, ERROR_UNAVAILABLE, "%s cannot be looked up: %s.",
                         answer->host, gai_strerror(failed));
    for (const struct addrinfo *each = list; each; each = each->ai_next) {
        char text[NI_MAXHOST];
        if (getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        answer->addresses =
            talloc_realloc(answer, answer->addresses, const char *, answer->address_count + 1);
        answer->addresses[answer->address_count++] = talloc_strdup(answer->addresses, text);
    }
    freeaddrinfo(list);
    if (!answer->address_count)
        return error_set(&answer->err, ERROR_UNAVAILABLE, "%s has no address.", answer->host);
    return true;
}

static struct opening *ask(struct slack_web *web)
{
    struct opening *answer = talloc_zero(NULL, struct opening);
    struct slack_answer slack = {0};
    if (!slack_call(answer, web, "apps.connections.open", NULL, &slack, &answer->err))
        refuse(answer, &slack);
    else
        answer->ok = split_url(answer, json_string_or_empty(slack.body, "url")) && look_up(answer);
    return answer;
}

bool opener_try(const char *api_url, const char *app_token, struct error *err)
{
    struct slack_web *web = slack_web_new(NULL, api_url, app_token);
    struct opening *answer = ask(web);
    bool ok = answer->ok;
    if (!ok)
        *err = answer->err;
    talloc_free(answer);
    talloc_free(web);
    return ok;
}

static void *run(void *argument)
{
    struct opener *opener = argument;
    struct slack_web *web = slack_web_new(NULL, opener->api_url, opener->app_token);
    pthread_mutex_lock(&opener->lock);
    while (!opener->ending) {
        if (!opener->asked) {
            pthread_cond_wait(&opener->changed, &opener->lock);
            continue;
        }
        opener->asked = false;
        pthread_mutex_unlock(&opener->lock);
        struct opening *answer = ask(web);
        pthread_mutex_lock(&opener->lock);
        opener->answer = answer;
        opener->wake(opener->user);
    }
    pthread_mutex_unlock(&opener->lock);
    talloc_free(web);
    return NULL;
}

static int end(struct opener *opener)
{
    pthread_mutex_lock(&opener->lock);
    opener->ending = true;
    pthread_cond_signal(&opener->changed);
    pthread_mutex_unlock(&opener->lock);
    pthread_join(opener->thread, NULL);
    talloc_free(opener->answer);
    pthread_cond_destroy(&opener->changed);
    pthread_mutex_destroy(&opener->lock);
    return 0;
}

struct opener *opener_new(const void *ctx, const char *api_url, const char *app_token,
                          void (*wake)(void *user), void *user)
{
    struct opener *opener = talloc_zero(ctx, struct opener);
    opener->api_url = talloc_strdup(opener, api_url);
    opener->app_token = talloc_strdup(opener, app_token);
    opener->wake = wake;
    opener->user = user;
    pthread_mutex_init(&opener->lock, NULL);
    pthread_cond_init(&opener->changed, NULL);
    if (pthread_create(&opener->thread, NULL, run, opener) != 0) {
        talloc_free(opener);
        return NULL;
    }
    talloc_set_destructor(opener, end);
    return opener;
}

void opener_ask(struct opener *opener)
{
    pthread_mutex_lock(&opener->lock);
    opener->asked = true;
    pthread_cond_signal(&opener->changed);
    pthread_mutex_unlock(&opener->lock);
}

struct opening *opener_take(struct opener *opener)
{
    pthread_mutex_lock(&opener->lock);
    struct opening *answer = opener->answer;
    opener->answer = NULL;
    pthread_mutex_unlock(&opener->lock);
    return answer;
}
