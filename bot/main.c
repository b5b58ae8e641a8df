/* The command line. */
#include "approvals/rbac.h"
#include "approvals/review.h"
#include "audit.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "check.h"
#include "config.h"
#include "enrol.h"
#include "jobs/job.h"
#include "jobs/sweep.h"
#include "lifecycle/report.h"
#include "lifecycle/states.h"
#include "lifecycle/template.h"
#include "manual.h"
#include "serve.h"
#include "store/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

enum { CLUSTER_MS = 10000 };

typedef int subcommand_fn(struct arguments *arguments);

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
        lifecycle_configure(config);
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
    if (!*word || *end || id < 0)
        return misuse("`envbot job` takes the number of one job%s.", "");
    config_of_job = true;
    struct config *config = configuration(arguments);
    return !config ? FAILED : id == SWEEP_JOB ? sweep_job(config) : job_run(config, id);
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

static int check_main(struct arguments *arguments)
{
    return check(arguments->config_file) ? DONE : FAILED;
}

static int no_such_template(void *ctx, const struct template_set *set, const char *name)
{
    const char **names = talloc_array(ctx, const char *, (unsigned)set->count + 1);
    for (int i = 0; i < set->count; i++)
        names[i] = set->items[i].name;
    const char *near = text_nearest(name, names, (size_t)set->count);
    fprintf(stderr, "envbot: there is no template %s; there is %s%s%s%s.\n", name,
            text_list(ctx, names, (size_t)set->count, "and"), near ? " (did you mean " : "",
            near ? near : "", near ? "?)" : "");
    return MISUSED;
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
        return no_such_template(ctx, set, arguments->words[0]);
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

/* 1 yes, 0 no, -1 cannot tell, with err. */
static int may(void *ctx, const struct config *config, const struct rbac_question *question,
               struct rbac_reason *why, struct error *err)
{
    struct rbac *rules;
    char *problems;
    bool allowed;
    if (config_rules_elsewhere(config))
        return review_one(ctx, review_cluster(ctx, config), question, CLUSTER_MS, &allowed, why,
                          err)
                   ? allowed
                   : -1;
    if (!rbac_read(ctx, config->rbac.path, &rules, &problems, err))
        return -1;
    fputs(problems, stderr);
    return rbac_allows(rules, question, why);
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
    const char *slash = strchr(plain[2], '/');
    q.resource = slash ? talloc_strndup(ctx, plain[2], (size_t)(slash - plain[2])) : plain[2];
    q.subresource = slash ? slash + 1 : "";
    struct rbac_reason why;
    struct error err;
    int yes = may(ctx, config, &q, &why, &err);
    if (yes < 0)
        return fail(&err);
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

static int enrol_main(struct arguments *arguments)
{
    const char *user = NULL;
    bool remove = false;
    for (int i = 0; i < arguments->count; i++) {
        const char *word = arguments->words[i];
        if (strcmp(word, "--remove") == 0)
            remove = true;
        else if (*word == '-' || user)
            return misuse("%s was not expected here", word);
        else
            user = word;
    }
    if (!user)
        return misuse("`envbot enrol` takes a Slack user id, like U0123ABCD%s", "");
    struct config *config = configuration(arguments);
    return config ? enrol(config, user, remove) : FAILED;
}

static int audit_command(struct arguments *arguments)
{
    struct config *config = configuration(arguments);
    return config ? audit_main(config, arguments->words) : FAILED;
}

static int sweep_main(struct arguments *arguments)
{
    struct config *config = configuration(arguments);
    return config ? sweep_command(config, arguments->words) : FAILED;
}

static const struct subcommand {
    const char *name; /* its page is manual_find(name) */
    subcommand_fn *run;
    int most; /* words that it takes at most */
} subcommands[] = {
    {"serve", serve_main, 0},
    {"job", job_main, 1},
    {"migrate", migrate_main, 0},
    {"check", check_main, 0},
    {"render", render_main, 99},
    {"can", can_main, 99},
    {"report", report_main, 99},
    {"audit", audit_command, 99},
    {"enrol", enrol_main, 99},
    {"sweep", sweep_main, 1},
    {NULL, NULL, 0},
};

static const struct subcommand *find(const char *name)
{
    for (const struct subcommand *each = subcommands; each->name; each++)
        if (strcmp(each->name, name) == 0)
            return each;
    return NULL;
}

/* "there is no command serv; did you mean serve?" */
static int no_such_command(const char *name)
{
    const char *names[16];
    size_t count = 0;
    for (const struct subcommand *each = subcommands; each->name && count < 16; each++)
        names[count++] = each->name;
    const char *near = text_nearest(name, names, count);
    fprintf(stderr, "envbot: there is no command %s%s%s%s\nTry `envbot --help`.\n", name,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : ".");
    return MISUSED;
}

static int run(const struct subcommand *command, int argc, char **argv)
{
    struct arguments arguments = {.ctx = talloc_new(NULL)};
    arguments.words = talloc_zero_array(arguments.ctx, const char *, (unsigned)argc + 1);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--config") != 0) {
            arguments.words[arguments.count++] = argv[i];
            continue;
        }
        if (i + 1 == argc) {
            talloc_free(arguments.ctx);
            return misuse("%s needs a file after it", argv[i]);
        }
        arguments.config_file = argv[++i];
    }
    int code = arguments.count > command->most
                   ? misuse("%s was not expected here", arguments.words[command->most])
                   : command->run(&arguments);
    talloc_free(arguments.ctx);
    return code;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Tokens, keys and the database's password are in memory: a crash writes them nowhere, neither its
   own nor that of an eksctl, which has AWS's. */
static void keep_no_core(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

int main(int argc, char **argv)
{
    keep_no_core();
    if (argc < 2) {
        manual_print_all();
        return MISUSED;
    }
    if (is_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        const struct manual *page = argc > 2 ? manual_find(argv[2]) : NULL;
        if (argc > 2 && !page)
            return no_such_command(argv[2]);
        if (page)
            manual_print(page);
        else
            manual_print_all();
        return DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("envbot %s\n", ENVBOT_VERSION);
        return DONE;
    }
    const struct subcommand *command = find(argv[1]);
    if (!command)
        return no_such_command(argv[1]);
    for (int i = 2; i < argc; i++) {
        if (is_help(argv[i])) {
            manual_print(manual_find(command->name));
            return DONE;
        }
    }
    return run(command, argc, argv);
}
