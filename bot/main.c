/* The command line. */
#include "approvals/rbac.h"
#include "base/log.h"
#include "base/tree.h"
#include "config.h"
#include "jobs/job.h"
#include "lifecycle/report.h"
#include "lifecycle/template.h"
#include "lifecycle/wording.h"
#include "serve.h"
#include "slack/web.h"
#include "store/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>

/* Exit codes: 0 done, 1 no or failed, 2 used wrongly. */
enum { DONE = 0, FAILED = 1, MISUSED = 2 };

struct arguments {
    void *ctx;
    const char *config_file; /* --config, or NULL */
    const char **words;      /* what is left, NULL-terminated */
    int count;
};

typedef int subcommand_fn(struct arguments *arguments);

struct subcommand {
    const char *name, *usage, *summary, *help;
    subcommand_fn *run;
};

static int misuse(const char *format, const char *what)
{
    fprintf(stderr, "envbot: ");
    fprintf(stderr, format, what);
    fprintf(stderr, "\nTry `envbot --help`.\n");
    return MISUSED;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "envbot: %s\n", err->text);
    return err->code == ERROR_USAGE ? MISUSED : FAILED;
}

/* NULL (and said) when the configuration has errors. */
static struct config *configuration(struct arguments *arguments)
{
    struct config *config;
    char *problems;
    if (config_read(arguments->ctx, arguments->config_file, &config, &problems)) {
        enum log_level level;
        if (log_level_parse(config->log.level, &level))
            log_set_level(level);
        return config;
    }
    fprintf(stderr, "The configuration has errors:\n%s", problems);
    return NULL;
}

static int serve_main(struct arguments *arguments)
{
    struct config *config = configuration(arguments);
    return config ? serve(config) : FAILED;
}

static int job_main(struct arguments *arguments)
{
    char *end = NULL;
    const char *word = arguments->count == 1 ? arguments->words[0] : "";
    long long id = strtoll(word, &end, 10);
    if (!*word || *end || id <= 0)
        return misuse("`envbot job` takes the number of one job%s.", "");
    struct config *config = configuration(arguments);
    return config ? job_run(config, id) : FAILED;
}

static int migrate_main(struct arguments *arguments)
{
    struct config *config = configuration(arguments);
    if (!config)
        return FAILED;
    struct error err;
    int applied;
    struct db *db = db_new(arguments->ctx, config->database.url, "envbot migrate", 0);
    if (!migrate(db, &applied, &err))
        return fail(&err);
    printf("The database is up to date (%d migration%s applied).\n", applied,
           applied == 1 ? "" : "s");
    return DONE;
}

static bool check_eksctl(const struct config *config)
{
    if (strchr(config->eksctl.path, '/'))
        return access(config->eksctl.path, X_OK) == 0;
    char *path = talloc_strdup(NULL, getenv("PATH") ? getenv("PATH") : ""), *state = NULL;
    bool found = false;
    for (char *folder = strtok_r(path, ":", &state); folder && !found;
         folder = strtok_r(NULL, ":", &state)) {
        char *file = talloc_asprintf(path, "%s/%s", folder, config->eksctl.path);
        found = access(file, X_OK) == 0;
    }
    talloc_free(path);
    return found;
}

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

static int check_slack(void *ctx, const struct config *config)
{
    struct slack_web *web = slack_web_new(ctx, config->slack.api_url, config->slack.bot_token);
    struct slack_answer answer;
    struct error err;
    if (!*config->slack.bot_token || !*config->slack.app_token)
        return tell("Slack", "a token is missing: set SLACK_APP_TOKEN (xapp-…) and "
                             "SLACK_BOT_TOKEN (xoxb-…), or the files slack.app_token_file and "
                             "slack.bot_token_file");
    bool ok = slack_call(ctx, web, "auth.test", NULL, &answer, &err);
    return tell("Slack", ok ? NULL : err.text);
}

static int check_main(struct arguments *arguments)
{
    void *ctx = arguments->ctx;
    struct config *config;
    struct template_set *templates;
    struct wording *wording;
    struct rbac *rules;
    char *problems;
    struct error err;
    if (!config_read(ctx, arguments->config_file, &config, &problems)) {
        tell("configuration", problems);
        return FAILED;
    }
    int wrong = tell("configuration", NULL);
    templates_read(ctx, config->templates, &templates, &problems);
    wrong += tell("templates of environments", problems);
    wording_read(ctx, config->templates, &wording, &problems);
    wrong += tell("templates of messages and mail", problems);
    if (!rbac_read(ctx, config->rbac.path, &rules, &problems, &err))
        problems = err.text;
    wrong += tell("access rules", problems);
    struct db *db = db_new(ctx, config->database.url, "envbot check", 5000);
    wrong += tell("database", db_connect(db, &err) ? NULL : err.text);
    wrong += check_slack(ctx, config);
    wrong += tell("eksctl", check_eksctl(config)
                                ? NULL
                                : "it is not found or cannot be run: install eksctl, or set "
                                  "eksctl.path");
    wrong += tell("mail", *config->mail.from ? NULL
                                             : "mail.from is not set: nobody gets mail; set it to "
                                               "an address that SES has verified");
    return wrong ? FAILED : DONE;
}

static int render_main(struct arguments *arguments)
{
    void *ctx = arguments->ctx;
    struct config *config = configuration(arguments);
    if (!config)
        return FAILED;
    if (arguments->count < 1)
        return misuse("`envbot render` takes a template and key=value words%s.", "");
    struct template_set *set;
    char *problems;
    struct error err;
    if (!templates_read(ctx, config->templates, &set, &problems)) {
        fprintf(stderr, "%s", problems);
        return FAILED;
    }
    const struct template *t = template_find(set, arguments->words[0]);
    if (!t)
        return misuse("there is no template %s", arguments->words[0]);
    cJSON *given = json_object(ctx), *tags = json_object(ctx);
    for (int i = 1; i < arguments->count; i++) {
        const char *equals = strchr(arguments->words[i], '=');
        if (!equals)
            return misuse("%s is not key=value", arguments->words[i]);
        char *key =
            talloc_strndup(ctx, arguments->words[i], (size_t)(equals - arguments->words[i]));
        json_set_string(given, key, equals + 1);
    }
    json_set_string(tags, "envbot:managed", "true");
    struct template_target target = {"team-name", t->regions[0], tags, ""};
    cJSON *values = template_values(ctx, t, given, &err);
    cJSON *tree = values ? template_render(ctx, t, values, &target, &err) : NULL;
    if (!tree)
        return fail(&err);
    fputs(tree_yaml(ctx, tree), stdout);
    return DONE;
}

static int can_main(struct arguments *arguments)
{
    void *ctx = arguments->ctx;
    struct config *config = configuration(arguments);
    if (!config)
        return FAILED;
    const char *groups[32] = {NULL}, *plain[3] = {NULL};
    struct rbac_question q = {.groups = groups,
                              .namespace = "",
                              .api_group = "envbot.dev",
                              .subresource = "",
                              .name = ""};
    int group_count = 0, plain_count = 0;
    for (int i = 0; i < arguments->count; i++) {
        const char *word = arguments->words[i], *value = arguments->words[i + 1];
        bool option = strncmp(word, "--", 2) == 0;
        if (option && !value)
            return misuse("%s needs a value", word);
        if (strcmp(word, "--team") == 0)
            q.namespace = arguments->words[++i];
        else if (strcmp(word, "--template") == 0)
            q.name = arguments->words[++i];
        else if (strcmp(word, "--group") == 0 && group_count < 31)
            groups[group_count++] = arguments->words[++i];
        else if (option || plain_count == 3)
            return misuse("%s was not expected here", word);
        else
            plain[plain_count++] = word;
    }
    if (plain_count < 3)
        return misuse("`envbot can` takes USER VERB RESOURCE%s", "");
    q.user = plain[0];
    q.verb = plain[1];
    q.resource = plain[2];
    struct rbac *rules;
    struct rbac_reason why;
    char *problems;
    struct error err;
    if (!rbac_read(ctx, config->rbac.path, &rules, &problems, &err))
        return fail(&err);
    fputs(problems, stderr);
    bool yes = rbac_allows(rules, &q, &why);
    printf("%s: %s\n", yes ? "yes" : "no", why.text);
    return yes ? DONE : FAILED;
}

static int report_main(struct arguments *arguments)
{
    void *ctx = arguments->ctx;
    struct config *config = configuration(arguments);
    if (!config)
        return FAILED;
    const char *month = NULL, *only = NULL;
    bool csv = false;
    for (int i = 0; i < arguments->count; i++) {
        const char *word = arguments->words[i];
        if (strcmp(word, "--month") == 0 && arguments->words[i + 1])
            month = arguments->words[++i];
        else if (strcmp(word, "--csv") == 0)
            csv = true;
        else if (*word != '-' && !only)
            only = word;
        else
            return misuse("%s was not expected here", word);
    }
    if (only && !config_team(config, only))
        return misuse("there is no team %s", only);
    const char **teams = talloc_zero_array(ctx, const char *, (unsigned)config->team_count + 1);
    int count = 0;
    for (int i = 0; i < config->team_count; i++)
        if (!only || strcmp(only, config->teams[i].name) == 0)
            teams[count++] = config->teams[i].name;
    struct error err;
    struct db *db = db_new(ctx, config->database.url, "envbot report", 60000);
    cJSON *report = report_read(ctx, db, month, teams, &err);
    if (!report)
        return fail(&err);
    fputs(csv ? report_csv(ctx, report) : report_text(ctx, report), stdout);
    return DONE;
}

static const struct subcommand subcommands[] = {
    {"serve", "", "talk to Slack and run everything",
     "Brings the database's schema up to date, connects to Slack in Socket Mode, answers people,\n"
     "delivers what is to be said, starts jobs and keeps the time. Any number of processes may "
     "serve\n"
     "side by side. SIGTERM finishes what is in hand and exits 0 within ten seconds; jobs go on.\n",
     serve_main},
    {"job", "N", "run job number N (the launcher does this)",
     "Claims the job, looks at what is in AWS, runs eksctl for what is missing, looks again, and\n"
     "records the end. Does nothing when another live process has the job.\n",
     job_main},
    {"migrate", "", "bring the database's schema up to date",
     "Applies the migrations that are missing, one process at a time. `envbot serve` does it "
     "too.\n",
     migrate_main},
    {"check", "", "find everything that is wrong before it matters",
     "Reads the configuration, the templates and the rules, asks PostgreSQL and Slack, looks for\n"
     "eksctl, and says of each what is wrong and what to do. Exit code 0: all is well.\n",
     check_main},
    {"render", "TEMPLATE [KEY=VALUE…]", "print the ClusterConfig that a template becomes",
     "With the defaults for what is not given.\n", render_main},
    {"can", "USER VERB RESOURCE [--team T] [--template N] [--group G]…",
     "ask the access rules; exit code 0: yes, 1: no",
     "Says which binding and role allow it, or what came nearest. For example:\n"
     "  envbot can slack:U0123 approve environments --team payments --group slack:approvers\n",
     can_main},
    {"report", "[TEAM] [--month 2026-11] [--csv]", "a month's hours, cost and approvals",
     "The same numbers as /env report. Costs are estimates.\n", report_main},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct subcommand *find(const char *name)
{
    for (const struct subcommand *each = subcommands; each->name; each++)
        if (strcmp(each->name, name) == 0)
            return each;
    return NULL;
}

static void usage(void)
{
    printf("Usage: envbot COMMAND [--config FILE] …\n\n"
           "A Slack bot that hands out EKS clusters for a while.\n\n");
    for (const struct subcommand *each = subcommands; each->name; each++)
        printf("  %-8s %s\n", each->name, each->summary);
    printf(
        "\n`envbot COMMAND --help` tells more. The configuration is the file of --config, of\n"
        "ENVBOT_CONFIG, or /etc/envbot/envbot.yaml; every value can be set from the environment\n"
        "as ENVBOT_<PATH> (ENVBOT_DATABASE_URL). Exit codes: 0 done, 1 no or failed, 2 used\n"
        "wrongly.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage();
        return MISUSED;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage();
        return DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("envbot %s\n", ENVBOT_VERSION);
        return DONE;
    }
    const struct subcommand *command = find(argv[1]);
    if (!command)
        return misuse("there is no command %s", argv[1]);
    struct arguments arguments = {.ctx = talloc_new(NULL)};
    arguments.words = talloc_zero_array(arguments.ctx, const char *, (unsigned)argc + 1);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            printf("Usage: envbot %s %s [--config FILE]\n\n%s.\n%s", command->name, command->usage,
                   command->summary, command->help);
            return DONE;
        }
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            arguments.config_file = argv[++i];
        else
            arguments.words[arguments.count++] = argv[i];
    }
    int code = command->run(&arguments);
    talloc_free(arguments.ctx);
    return code;
}
