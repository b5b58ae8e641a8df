/* envbot.yaml and the environment: every problem at once, each with its line and the remedy. */
#include "config.h"
#include "config_settings.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static char path[] = "/tmp/envbot-config-XXXXXX";

/* Reads text as the configuration's file; *problems has its path taken out of every line. */
static struct config *reads(const void *ctx, const char *text, char **problems)
{
    snprintf(path, sizeof path, "/tmp/envbot-config-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs(text, file);
    fclose(file);
    struct config *config;
    char *raw;
    bool ok = config_read(ctx, path, &config, &raw);
    assert_int_equal(ok, !*raw);
    remove(path);
    *problems = talloc_strdup(ctx, "");
    for (char *at = raw, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        size_t skip = strncmp(at, path, strlen(path)) == 0 ? strlen(path) + 1 : 0;
        *problems = talloc_strndup_append(*problems, at + skip, (size_t)(end + 1 - at) - skip);
    }
    return config;
}

static void test_without_a_file_the_defaults_hold(void **state)
{
    char *problems;
    struct config *config = reads(*state, "", &problems);
    assert_string_equal(problems, "");
    assert_string_equal(config->slack.command, "/env");
    assert_string_equal(config->slack.api_url, "https://slack.com/api/");
    assert_int_equal(config->slack.connections, 2);
    assert_int_equal(config->jobs.lease, 45);
    assert_int_equal(config->limits.warn_before[0], 86400);
    assert_int_equal(config->limits.warn_before[1], 3600);
    assert_int_equal(config->limits.warn_before[2], 0);
    assert_int_equal(config->team_count, 0);
}

static void test_every_problem_at_once_with_its_line_and_remedy(void **state)
{
    char *problems;
    reads(*state,
          "slack:\n"
          "  conections: 2\n"
          "  handlers: 100\n"
          "jobs:\n"
          "  parallel: four\n"
          "  lease: soon\n"
          "  launcher: cloud\n"
          "limits: {warn_before: [24h, 1x]}\n"
          "aws: {endpoint_url: \"http://example.com\"}\n"
          "xyzzy: 1\n"
          "teams:\n"
          "  - {name: Payments, chanel: C0PAY}\n"
          "  - {name: search, quota: {nodes: -1, gpu: 2}}\n"
          "  - {name: search}\n",
          &problems);
    assert_string_equal(
        problems,
        "3: slack.handlers: “100” is out of bounds; it goes from 1 to 64\n"
        "9: aws.endpoint_url: must begin with https:// (http:// only on this machine itself)\n"
        "7: jobs.launcher: “cloud” is not one of local|kubernetes\n"
        "5: jobs.parallel: “four” is not a whole number\n"
        "6: jobs.lease: “soon” is not a length of time; write it like 30m, 8h, 2d or 1w.\n"
        "8: limits.warn_before: “1x” is not a length of time; write it like 30m, 8h, 2d or 1w.\n"
        "12: teams: chanel is not a setting; did you mean channel?\n"
        "12: teams: “Payments” is not a team's name: small letters, digits and -, at most 40\n"
        "13: quota.gpu is not a setting; did you mean gpus?\n"
        "13: quota.nodes: a number from 0 is wanted here\n"
        "14: teams: search stands here twice\n"
        "2: slack.conections is not a setting; did you mean slack.connections?\n"
        "10: xyzzy is not a setting; take it out\n");
}

static void test_what_is_not_yaml_is_said_with_its_line(void **state)
{
    char *problems;
    reads(*state, "slack: [\n", &problems);
    assert_non_null(strstr(problems, "2: this is not YAML"));
    reads(*state, "- a\n", &problems);
    assert_non_null(strstr(problems, "a mapping of settings is wanted"));
    reads(*state, "slack: {command: env}\njobs: {lease: 10s, heartbeat: 6s}\n", &problems);
    assert_non_null(strstr(problems, "slack.command: begins with a slash, like /env"));
    assert_non_null(strstr(problems, "jobs.heartbeat: must be at most half of jobs.lease"));
}

static void test_the_environment_overrides_the_file(void **state)
{
    char *problems;
    setenv("ENVBOT_SLACK_HANDLERS", "3", 1);
    setenv("ENVBOT_LIMITS_WARN_BEFORE", "5m, 2h", 1);
    setenv("DATABASE_URL", "postgresql:///usual", 1);
    struct config *config =
        reads(*state, "slack: {handlers: 5}\ndatabase: {url: \"postgresql:///file\"}\n", &problems);
    assert_string_equal(problems, "");
    assert_int_equal(config->slack.handlers, 3);
    assert_int_equal(config->limits.warn_before[0], 7200);
    assert_string_equal(config->database.url, "postgresql:///usual");
    setenv("ENVBOT_DATABASE_URL", "postgresql:///own", 1);
    config = reads(*state, "", &problems);
    assert_string_equal(config->database.url, "postgresql:///own");
    setenv("ENVBOT_SLACK_HANDLERS", "many", 1);
    reads(*state, "", &problems);
    assert_string_equal(problems, "ENVBOT_SLACK_HANDLERS: “many” is not a whole number\n");
    unsetenv("ENVBOT_SLACK_HANDLERS");
    unsetenv("ENVBOT_LIMITS_WARN_BEFORE");
    unsetenv("ENVBOT_DATABASE_URL");
    unsetenv("DATABASE_URL");
}

static void test_what_has_another_shape_is_said(void **state)
{
    char *problems;
    reads(*state,
          "slack: /env\n"
          "jobs: [local]\n"
          "teams:\n"
          "- payments\n"
          "- []\n"
          "- {name: search, quota: [5, 20], members: U0DEV}\n"
          "- {name: growth, members: [7]}\n",
          &problems);
    static const char *const expected[] = {
        "1: slack: a mapping of settings is wanted here",
        "2: jobs: a mapping",
        "4: teams: a mapping",
        "5: teams: a mapping",
        "6: quota: a mapping",
        "6: members: a list of user ids",
        "7: members: a list of user ids",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(problems, expected[i]))
            fail_msg("“%s” is not in\n%s", expected[i], problems);
}

/* `envbot check` goes on with it, to find what else is wrong. */
static void test_a_wrong_value_leaves_the_usual_one(void **state)
{
    char *problems;
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct setting *s = &config_settings[i];
        if (s->kind == SECRET || (s->kind == TEXT && !s->choices))
            continue; /* any text will do */
        char *name = talloc_asprintf(*state, "ENVBOT_%s", s->path);
        for (char *c = name; *c; c++)
            *c = isalpha((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
        struct config *usual = reads(*state, "", &problems);
        setenv(name, "no such thing", 1);
        struct config *config = reads(*state, "", &problems);
        unsetenv(name);
        assert_non_null(strstr(problems, name));
        const char *left = (const char *)config + s->offset,
                   *whole = (const char *)usual + s->offset;
        if (s->kind == TEXT || s->kind == URL)
            assert_string_equal(*(char *const *)left, *(char *const *)whole);
        else if (s->kind == INTEGER || s->kind == DURATION)
            assert_int_equal(*(const int64_t *)left, *(const int64_t *)whole);
    }
}

static void test_secrets_come_from_files_and_are_never_printed(void **state)
{
    char secret[] = "/tmp/envbot-secret-XXXXXX", *problems;
    int fd = mkstemp(secret);
    FILE *file = fdopen(fd, "w");
    fputs("xoxb-from-a-file\n", file);
    fclose(file);
    const char *text = talloc_asprintf(*state, "slack: {bot_token_file: %s}\n", secret);
    struct config *config = reads(*state, text, &problems);
    assert_string_equal(problems, "");
    assert_string_equal(config->slack.bot_token, "xoxb-from-a-file");
    remove(secret);
    setenv("SLACK_BOT_TOKEN", "xoxb-from-a-secret-of-a-file\n", 1);
    config = reads(*state, "", &problems);
    assert_string_equal(config->slack.bot_token, "xoxb-from-a-secret-of-a-file");
    unsetenv("SLACK_BOT_TOKEN");
    reads(*state, text, &problems);
    assert_non_null(strstr(problems, "1: slack.bot_token: "));
    assert_non_null(strstr(problems, "cannot be read: No such file"));
    reads(*state,
          "slack: {bot_token: [xoxb-hidden], app_token: {a: xapp-hidden}}\n"
          "database: {url: [\"postgresql://u:hidden@h/d\"]}\n",
          &problems);
    assert_non_null(strstr(problems, "slack.bot_token: a single value is wanted here"));
    assert_non_null(strstr(problems, "database.url: a single value is wanted here"));
    assert_null(strstr(problems, "hidden"));
}

static void test_tokens_travel_in_the_clear_on_this_machine_only(void **state)
{
    static const struct {
        const char *url;
        bool safe;
    } table[] = {
        {"https://slack.com/api/", true},
        {"http://127.0.0.1:8080/api/", true},
        {"http://localhost/api/", true},
        {"http://[::1]:80/", true},
        {"http://slack.com/api/", false},
        {"http://127.0.0.1.example.com/", false},
        {"http://localhost.example.com", false},
        {"http://127.0.0.1@example.com/", false},
        {"ftp://127.0.0.1/", false},
        {"slack.com", false},
        {"http://localhost:pw@example.com/", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *problems;
        reads(*state, talloc_asprintf(*state, "slack: {api_url: \"%s\"}\n", table[i].url),
              &problems);
        if (!*problems != table[i].safe)
            fail_msg("%s: %s", table[i].url, problems);
    }
}

static void test_teams_have_names_members_and_limits(void **state)
{
    char *problems;
    struct config *config =
        reads(*state,
              "teams: [{name: payments, channel: C0PAY, members: [U1, U2], quota: {nodes: 20}}]\n",
              &problems);
    assert_string_equal(problems, "");
    const struct config_team *team = config_team(config, "payments");
    assert_string_equal(team->channel, "C0PAY");
    assert_string_equal(team->approvers_channel, "");
    assert_string_equal(team->members[1], "U2");
    assert_null(team->members[2]);
    assert_int_equal(team->quota.nodes, 20);
    assert_int_equal(team->quota.gpus, -1);
    assert_null(config_team(config, "search"));
    reads(*state, "teams: {name: payments}\n", &problems);
    assert_string_equal(problems, "1: teams: a list is wanted here\n");
    reads(*state, "teams: [{name: a, iam_role_arn: admin}]\n", &problems);
    assert_non_null(strstr(problems, "is not the ARN of a role; it looks like"));
}

static void test_jobs_in_a_cluster_need_an_image(void **state)
{
    char *problems;
    reads(*state, "jobs: {launcher: kubernetes}\n", &problems);
    assert_string_equal(problems, "jobs.kubernetes.image: which image the jobs run is not said\n");
    struct config *config = reads(
        *state, "jobs: {launcher: kubernetes, kubernetes: {image: a/b:1, keep: 2h}}\n", &problems);
    assert_string_equal(problems, "");
    assert_string_equal(config->jobs.kubernetes.namespace, "envbot");
    assert_int_equal(config->jobs.kubernetes.keep, 7200);
}

static void test_a_job_reads_no_secret_but_the_databases_address(void **state)
{
    char *problems;
    config_of_job = true;
    setenv("SLACK_BOT_TOKEN", "xoxb-1", 1);
    struct config *config = reads(*state,
                                  "slack: {app_token_file: /nowhere}\n"
                                  "approvals: {code_key_file: /nowhere}\n"
                                  "database: {url: postgresql:///x}\n",
                                  &problems);
    config_of_job = false;
    unsetenv("SLACK_BOT_TOKEN");
    assert_string_equal(problems, "");
    assert_string_equal(config->slack.bot_token, "");
    assert_string_equal(config->slack.app_token, "");
    assert_string_equal(config->approvals.code_key, "");
    assert_string_equal(config->database.url, "postgresql:///x");
}

static int set_up(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    return talloc_free(*state);
}

int main(void)
{
    clearenv(); /* the tests set what they mean */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_file_the_defaults_hold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_problem_at_once_with_its_line_and_remedy, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_yaml_is_said_with_its_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_environment_overrides_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_has_another_shape_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wrong_value_leaves_the_usual_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_secrets_come_from_files_and_are_never_printed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_tokens_travel_in_the_clear_on_this_machine_only,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_teams_have_names_members_and_limits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_jobs_in_a_cluster_need_an_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_job_reads_no_secret_but_the_databases_address,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
