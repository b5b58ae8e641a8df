/* The Kubernetes Job of one job: what envbot adds to it, and what it refuses in a template. */
#include "jobs/manifest.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <talloc.h>
#include <unistd.h>

#include <cmocka.h>

static const struct launch_job job = {.id = 17,
                                      .next = 3,
                                      .kind = "create",
                                      .region = "eu-central-1",
                                      .team = "payments",
                                      .name = "demo",
                                      .owner = "U0DEV"};

static struct config config_of(const char *templates)
{
    struct config config = {.templates = templates};
    config.jobs.deadline = 7200;
    config.jobs.kubernetes.namespace = "envbot";
    config.jobs.kubernetes.image = "registry.example/envbot:1";
    config.jobs.kubernetes.service_account = "envbot-job";
    config.jobs.kubernetes.keep = 3600;
    return config;
}

static void test_the_example_becomes_a_job(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    struct config config = config_of("templates");
    cJSON *template = manifest_read(ctx, &config, &err);
    if (!template)
        fail_msg("%s", err.text);
    cJSON *made = manifest_fill(ctx, template, &config, &job, "envbot-job-17-3", &err);
    assert_non_null(made);
    assert_string_equal(json_string(made, "metadata.name"), "envbot-job-17-3");
    assert_string_equal(json_string(made, "metadata.namespace"), "envbot");
    const cJSON *labels = json_at(made, "spec.template.metadata.labels");
    assert_string_equal(
        json_string(cJSON_GetObjectItemCaseSensitive(labels, MANIFEST_JOB_LABEL), ""), "17");
    assert_string_equal(
        json_string(cJSON_GetObjectItemCaseSensitive(labels, MANIFEST_TRY_LABEL), ""), "3");
    assert_true(cJSON_Compare(labels, json_at(made, "metadata.labels"), true));
    assert_string_equal(json_string(made, "spec.template.spec.containers.0.args.1"), "17");
    assert_int_equal(json_integer(made, "spec.ttlSecondsAfterFinished", 0), 3600);
    assert_int_equal(json_integer(made, "spec.backoffLimit", 9), 0);
    assert_true(json_integer(made, "spec.activeDeadlineSeconds", 0) > 7200);
    talloc_free(ctx);
}

static void test_a_label_holds_only_what_a_label_may(void **state)
{
    (void)state;
    static const char *const left_out[] = {"", "-a", "a-", "a b", "slack:U0", "ü"};
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    struct config config = config_of("templates");
    cJSON *template = manifest_read(ctx, &config, &err);
    struct launch_job other = job;
    char longest[65] = "";
    for (size_t i = 0; i <= sizeof left_out / sizeof *left_out; i++) {
        memset(longest, 'a', 64);
        other.owner = i < sizeof left_out / sizeof *left_out ? left_out[i] : longest;
        cJSON *made = manifest_fill(ctx, template, &config, &other, "n", &err);
        assert_null(
            cJSON_GetObjectItemCaseSensitive(json_at(made, "metadata.labels"), "envbot.dev/owner"));
    }
    talloc_free(ctx);
}

static void test_each_try_has_a_name_of_its_own(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    assert_string_equal(manifest_name(ctx, &job, 0), "envbot-job-17-3");
    assert_string_equal(manifest_name(ctx, &job, 1), "envbot-job-17-3-2");
    struct launch_job longest = {.id = INT64_MAX, .next = INT64_MAX};
    assert_true(strlen(manifest_name(ctx, &longest, 99998)) <= 63); /* a Job's name is a label */
    talloc_free(ctx);
}

#define HEAD "apiVersion: batch/v1\nkind: Job\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n"
#define NEVER "      restartPolicy: Never\n      containers:\n"
#define RUNS "        - {name: a, image: b, args: [job, \"${job}\"]"

static void test_a_template_that_would_do_harm_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {HEAD NEVER RUNS "}\n", NULL},
        {HEAD NEVER RUNS ", env: [{name: A_TOKEN_FILE, value: /x}]}\n", NULL},
        {HEAD NEVER RUNS ", env: [{name: DATABASE_URL, valueFrom: {secretKeyRef: {name: a, key: b}}"
                         "}]}\n",
         NULL},
        {HEAD NEVER RUNS ", env: [{name: SLACK_BOT_TOKEN, valueFrom: {secretKeyRef: {name: a, key: "
                         "b}}}]}\n",
         "SLACK_BOT_TOKEN: a job gets nothing of Slack"},
        {HEAD NEVER RUNS ", env: [{name: ENVBOT_SLACK_APP_TOKEN, value: x}]}\n",
         "nothing of Slack"},
        {HEAD NEVER RUNS ", env: [{name: ENVBOT_DATABASE_URL, value: \"postgresql://a:b@c\"}]}\n",
         "ENVBOT_DATABASE_URL: a secret does not stand in a manifest"},
        {HEAD NEVER RUNS ", env: [{name: AWS_SECRET_ACCESS_KEY, value: x}]}\n",
         "a secret does not"},
        {HEAD NEVER "        - {name: a, image: b, args: [job, \"7\"]}\n",
         "no container runs `envbot job ${job}`"},
        {HEAD NEVER "        - {name: a, image: b, args: [serve]}\n", "no container runs"},
        {HEAD NEVER RUNS ", x: \"${jobb}\"}\n", "jobb"},
        {HEAD "      restartPolicy: OnFailure\n      containers:\n" RUNS "}\n", "restartPolicy"},
        {"apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {restartPolicy: Never}}}\n",
         "spec.backoffLimit"},
        {"apiVersion: batch/v1\nkind: CronJob\n", "it is no Job"},
        {"- a\n", "one mapping is wanted"},
        {"a: [\n", "job.yaml"},
    };
    char folder[] = "/tmp/envbot-manifest-XXXXXX", below[64], path[80];
    assert_non_null(mkdtemp(folder));
    snprintf(below, sizeof below, "%s/kubernetes", folder);
    snprintf(path, sizeof path, "%s/job.yaml", below);
    mkdir(below, 0700);
    struct config config = config_of(folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *ctx = talloc_new(NULL);
        struct error err = {0};
        FILE *file = fopen(path, "we");
        fputs(cases[i].text, file);
        fclose(file);
        bool taken = manifest_read(ctx, &config, &err) != NULL;
        if (taken != !cases[i].words)
            fail_msg("%s: %s", cases[i].text, taken ? "was taken" : err.text);
        if (cases[i].words && !strstr(err.text, cases[i].words))
            fail_msg("%s is not in: %s", cases[i].words, err.text);
        assert_int_equal(taken ? ERROR_CONFIG : err.code, ERROR_CONFIG);
        talloc_free(ctx);
    }
    unlink(path);
    rmdir(below);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example_becomes_a_job),
        cmocka_unit_test(test_a_label_holds_only_what_a_label_may),
        cmocka_unit_test(test_each_try_has_a_name_of_its_own),
        cmocka_unit_test(test_a_template_that_would_do_harm_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
