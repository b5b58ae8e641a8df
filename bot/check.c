#include "check.h"

#include "approvals/rbac.h"
#include "approvals/review.h"
#include "config.h"
#include "http/door.h"
#include "jobs/causes.h"
#include "jobs/eksctl.h"
#include "jobs/launch_check.h"
#include "lifecycle/schedule.h"
#include "lifecycle/states.h"
#include "lifecycle/template.h"
#include "lifecycle/wording.h"
#include "slack/opener.h"
#include "slack/web.h"

#include <stdio.h>
#include <string.h>
#include <talloc.h>

enum { CLUSTER_MS = 10000, DATABASE_MS = 5000 };

/* Says how one part is; returns 1 when it is not well. */
static int tell(const char *part, const char *problems)
{
    if (!problems || !*problems) {
        printf("ok      %s\n", part);
        return 0;
    }
    printf("WRONG   %s\n", part);
    char *copy = talloc_strdup(NULL, problems), *state = NULL;
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        printf("          %s\n", line);
    talloc_free(copy);
    return 1;
}

/* Each token is tried where it is used. */
static int check_slack(void *ctx, const struct config *config)
{
    const char *app = config->slack.app_token, *bot = config->slack.bot_token;
    if (!*bot || !*app)
        return tell("Slack", "a token is missing: set SLACK_APP_TOKEN (xapp-…) and "
                             "SLACK_BOT_TOKEN (xoxb-…), or the files slack.app_token_file and "
                             "slack.bot_token_file");
    if (strncmp(bot, "xapp-", 5) == 0 && strncmp(app, "xoxb-", 5) == 0)
        return tell("Slack", "the tokens stand in each other's place: SLACK_APP_TOKEN begins with "
                             "xapp-, SLACK_BOT_TOKEN with xoxb-");
    char *problems = talloc_strdup(ctx, "");
    struct slack_answer answer;
    struct error err;
    if (!slack_call(ctx, slack_web_new(ctx, config->slack.api_url, bot), "auth.test", NULL, &answer,
                    &err))
        problems = talloc_asprintf_append(problems, "the bot's token: %s\n", err.text);
    if (!opener_try(config->slack.api_url, app, &err))
        problems = talloc_asprintf_append(problems, "the app's token: %s\n", err.text);
    return tell("Slack", problems);
}

/* Who is to prove themselves with a code needs a key that keeps the secrets. */
static int check_codes(void *ctx, const struct config *config, const struct template_set *templates)
{
    char *wanting = talloc_strdup(ctx, "");
    for (int i = 0; i < templates->count && !*config->approvals.code_key; i++)
        if (json_true(templates->items[i].source, "approval.code"))
            wanting = talloc_asprintf_append(
                wanting,
                "the template %s asks for one-time codes (approval.code), and there is no key to "
                "keep their secrets with: put one into a file (openssl rand -base64 32) and set "
                "approvals.code_key_file\n",
                templates->items[i].name);
    return tell("one-time codes", wanting);
}

/* Files are read; a cluster is asked a question, as each click will. */
static int check_rules(void *ctx, const struct config *config)
{
    struct rbac *rules;
    char *problems;
    struct error err;
    if (!config_rules_elsewhere(config)) {
        if (!rbac_read(ctx, config->rbac.path, &rules, &problems, &err))
            problems = err.text;
        return tell("access rules", problems);
    }
    struct rbac_question question = {.user = "envbot:check",
                                     .namespace = "",
                                     .verb = "get",
                                     .api_group = "envbot.dev",
                                     .resource = "environments",
                                     .subresource = "",
                                     .name = ""};
    struct rbac_reason why;
    bool allowed;
    struct kube *kube = review_cluster(ctx, config);
    bool told = review_one(ctx, kube, &question, CLUSTER_MS, &allowed, &why, &err);
    const char *part = talloc_asprintf(ctx, "access rules, kept by the cluster %s",
                                       *kube_server(kube) ? kube_server(kube) : "(not known)");
    return tell(part, told ? NULL : err.text);
}

static int check_configuration(void *ctx, const char *file, struct config **config)
{
    char *problems;
    config_read(ctx, file, config, &problems);
    if (*config && !*(*config)->file)
        problems = talloc_asprintf_append(
            problems, "there is no %s; begin with deploy/envbot.yaml, or say --config FILE\n",
            config_usual_file);
    else if (*config && !(*config)->team_count)
        problems = talloc_strdup_append(
            problems, "teams: there is none, and whoever asks for an environment needs one\n");
    struct error err;
    if (*config && !door_readable((*config)->http.listen, &err))
        problems = talloc_asprintf_append(problems, "%s\n", err.text);
    return tell("configuration", problems);
}

static int check_templates(void *ctx, const struct config *config, struct template_set **templates)
{
    struct wording *wording;
    char *problems;
    templates_read(ctx, config->templates, templates, &problems);
    int wrong = tell("templates of environments", problems);
    wrong += check_codes(ctx, config, *templates);
    wording_read(ctx, config->templates, &wording, &problems);
    wrong += tell("templates of messages and mail", problems);
    causes_check(ctx, config->templates, &problems);
    return wrong + tell("words for what can fail", problems);
}

static int check_jobs(void *ctx, const struct config *config)
{
    const char *part, *problems = launch_check(ctx, config, &part);
    int wrong = tell(part, problems);
    if (strcmp(config->jobs.launcher, "local") != 0) /* elsewhere it is in the jobs' image */
        return wrong;
    return wrong + tell("eksctl", eksctl_is_there(config)
                                      ? NULL
                                      : "it is not found or cannot be run: install eksctl, or set "
                                        "eksctl.path");
}

bool check(const char *file)
{
    void *ctx = talloc_new(NULL);
    struct config *config = NULL;
    struct template_set *templates;
    char *problems;
    struct error err;
    int wrong = check_configuration(ctx, file, &config);
    if (config) { /* otherwise it cannot be read at all: what it says of the rest is not known */
        lifecycle_configure(config);
        wrong += check_templates(ctx, config, &templates);
        wrong += check_rules(ctx, config);
        struct db *db = db_new(ctx, config->database.url, "envbot check", DATABASE_MS);
        wrong += tell("database", db_connect(db, &err) ? NULL : err.text);
        schedule_check(ctx, db, templates, &problems);
        wrong += tell("time zones of templates", problems);
        wrong += check_slack(ctx, config);
        wrong += check_jobs(ctx, config);
        wrong += tell("mail", *config->mail.from
                                  ? NULL
                                  : "mail.from is not set: nobody gets mail; set it to an address "
                                    "that SES has verified");
    }
    talloc_free(ctx);
    return !wrong;
}
