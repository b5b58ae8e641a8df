/* What a cluster has of a job is read into what matters for starting it. */
#include "jobs/pods.h"

#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <talloc.h>

#include <cmocka.h>

/* Jobs and pods of job 17, whose next claim is the third. */
static struct pods read_pods(void *ctx, const char *jobs, const char *pods)
{
    static const struct launch_job job = {.id = 17, .next = 3};
    const cJSON *found[2] = {json_parse(ctx, jobs), json_parse(ctx, pods)};
    assert_non_null(found[0]);
    assert_non_null(found[1]);
    return pods_read(found[0], found[1], &job);
}

#define JOB(name, try, status)                                                                     \
    "{\"metadata\":{\"name\":\"" name "\",\"labels\":{\"envbot.dev/try\":\"" try                   \
    "\"}},\"status\":{" status "}}"
#define POD(job, try, status)                                                                      \
    "{\"metadata\":{\"name\":\"" job "-abcde\",\"labels\":{\"envbot.dev/try\":\"" try              \
    "\",\"job-name\":\"" job "\"}},\"status\":{" status "}}"
#define ENDED(type) "\"conditions\":[{\"type\":\"" type "\",\"status\":\"True\",\"reason\":\"R\"}]"
#define WAITING(reason)                                                                            \
    "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"}],"      \
    "\"containerStatuses\":[{\"state\":{\"waiting\":{\"reason\":\"" reason                         \
    "\",\"message\":\"m\"}}}]"

static void test_what_keeps_a_pod_from_starting_is_seen(void **state)
{
    (void)state;
    static const struct {
        const char *pods;
        enum trouble_kind kind;
        const char *words;
    } cases[] = {
        {"[]", TROUBLE_NO_POD, "there is no pod"},
        {"[" POD("j", "3", WAITING("ErrImagePull")) "]", TROUBLE_IMAGE, "j-abcde: ErrImagePull: m"},
        {"[" POD("j", "3", WAITING("ImagePullBackOff")) "]", TROUBLE_IMAGE, "ImagePullBackOff"},
        {"[" POD("j", "3", WAITING("InvalidImageName")) "]", TROUBLE_IMAGE, "InvalidImageName"},
        {"[" POD("j", "3", WAITING("CreateContainerConfigError")) "]", TROUBLE_CONFIG, ": m"},
        {"[" POD("j", "3", WAITING("RunContainerError")) "]", TROUBLE_CONFIG, ": m"},
        {"[" POD("j", "3", WAITING("ContainerCreating")) "]", TROUBLE_SLOW, "ContainerCreating"},
        {"[" POD("j", "3", "\"phase\":\"Running\"") "]", TROUBLE_SLOW, "Running"},
        {"[" POD("j", "3",
                 "\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":"
                 "\"False\",\"reason\":\"Unschedulable\",\"message\":\"0/3 nodes\"}]") "]",
         TROUBLE_NODE, "Unschedulable: 0/3 nodes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *ctx = talloc_new(NULL);
        struct pods found = read_pods(ctx, "[" JOB("j", "3", "\"active\":1") "]", cases[i].pods);
        assert_non_null(found.current);
        assert_int_equal(found.trouble.kind, cases[i].kind);
        if (!strstr(found.trouble.detail, cases[i].words))
            fail_msg("%s is not in %s", cases[i].words, found.trouble.detail);
        assert_null(found.earlier);
        talloc_free(ctx);
    }
}

static void test_what_is_left_of_an_earlier_claim_is_to_end_whole(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    struct pods found = read_pods(ctx, "[" JOB("a", "2", "\"active\":1") "]",
                                  "[" POD("a", "2", "\"phase\":\"Running\"") "]");
    assert_null(found.current);
    assert_string_equal(found.earlier, "a");
    assert_int_equal(found.to_end_count, 1);

    /* On its way out, it is waited for and not ended again. */
    found = read_pods(ctx,
                      "[{\"metadata\":{\"name\":\"a\",\"deletionTimestamp\":\"t\",\"labels\":"
                      "{\"envbot.dev/try\":\"2\"}}}]",
                      "[" POD("a", "2", "\"phase\":\"Running\"") "]");
    assert_string_equal(found.earlier, "a");
    assert_int_equal(found.to_end_count, 0);

    /* A pod without its Job is waited for, too. */
    found = read_pods(ctx, "[]", "[" POD("a", "2", "\"phase\":\"Running\"") "]");
    assert_string_equal(found.earlier, "a-abcde");
    assert_int_equal(found.to_end_count, 0);

    /* What has ended is nobody's business; so is a claim that was never made. */
    found = read_pods(ctx, "[" JOB("a", "2", ENDED("Failed")) "]",
                      "[" POD("a", "2", "\"phase\":\"Failed\"") "]");
    assert_null(found.earlier);
    assert_int_equal(found.ended, 0);
    found = read_pods(ctx, "[" JOB("a", "4", "\"active\":1") "]", "[]");
    assert_string_equal(found.earlier, "a");
    talloc_free(ctx);
}

static void test_what_came_to_nothing_is_counted_by_its_name(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    struct pods found =
        read_pods(ctx,
                  "[" JOB("envbot-job-17-3", "3", ENDED("Failed")) "," JOB("envbot-job-17-3-4", "3",
                                                                           ENDED("Complete")) "]",
                  "[" POD("envbot-job-17-3", "3",
                          "\"phase\":\"Failed\",\"containerStatuses\":[{\"state\":{\"terminated\":"
                          "{\"exitCode\":137}}}]") "]");
    assert_null(found.current);
    assert_int_equal(found.ended, 4);
    assert_string_equal(found.failure, "envbot-job-17-3: exit code 137");
    found = read_pods(ctx, "[" JOB("envbot-job-17-3", "3", ENDED("Complete")) "]", "[]");
    assert_int_equal(found.ended, 1);
    assert_string_equal(found.failure, "");
    found = read_pods(ctx, "[]", "[]");
    assert_int_equal(found.ended, 0);
    talloc_free(ctx);
}

static void test_a_strange_answer_harms_nothing(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    static const char *const strange[] = {
        "[]", "[null]", "[{}]", "[{\"metadata\":7,\"status\":[]}]",
        "[{\"metadata\":{\"labels\":[],\"name\":[]},\"status\":{\"conditions\":{\"a\":7},"
        "\"containerStatuses\":\"x\"}}]"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        for (size_t k = 0; k < sizeof strange / sizeof *strange; k++)
            read_pods(ctx, strange[i], strange[k]);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_keeps_a_pod_from_starting_is_seen),
        cmocka_unit_test(test_what_is_left_of_an_earlier_claim_is_to_end_whole),
        cmocka_unit_test(test_what_came_to_nothing_is_counted_by_its_name),
        cmocka_unit_test(test_a_strange_answer_harms_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
