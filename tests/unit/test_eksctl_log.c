/* eksctl's log: lines as the real one writes them, the phases they tell. */
#include "jobs/eksctl_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#define STAMP "2026-11-20 09:00:00 "

static void test_a_line_is_its_level_and_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum eksctl_level level;
        const char *text;
    } table[] = {
        {STAMP "[ℹ]  eksctl version 0.229.0", EKSCTL_INFO, "eksctl version 0.229.0"},
        {STAMP "[✔]  EKS cluster \"x\" is ready", EKSCTL_SUCCESS, "EKS cluster \"x\" is ready"},
        {STAMP "[!]  retryable error", EKSCTL_WARNING, "retryable error"},
        {STAMP "[✖]  kubectl not found", EKSCTL_CRITICAL, "kubectl not found"},
        {STAMP "[▶]  details", EKSCTL_DEBUG, "details"},
        {STAMP "[i]  an icon in letters", EKSCTL_INFO, "an icon in letters"},
        /* a newline that eksctl forgot: the last prefix counts */
        {STAMP "[ℹ]  waiting for stack" STAMP "[✖]  it failed", EKSCTL_CRITICAL, "it failed"},
        /* what follows a line without a prefix of its own */
        {"  * creating CloudFormation stack", EKSCTL_CONTINUED,
         "  * creating CloudFormation stack"},
        {"Error: failed to create cluster", EKSCTL_CONTINUED, "Error: failed to create cluster"},
        {"", EKSCTL_CONTINUED, ""},
        {"2026-11-20 09:00:00", EKSCTL_CONTINUED, "2026-11-20 09:00:00"},
        {"at 2026-11-20 09:00:00 it was", EKSCTL_CONTINUED, "at 2026-11-20 09:00:00 it was"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct eksctl_line read = eksctl_line_read(table[i].line);
        assert_string_equal(read.text, table[i].text);
        assert_int_equal(read.level, table[i].level);
    }
}

static const char *status_of(const void *ctx, const struct plan *plan, bool done)
{
    char *line = talloc_strdup(ctx, "");
    const cJSON *task;
    cJSON_ArrayForEach (task, json_at(plan_json(ctx, plan, done), "tasks"))
        line = talloc_asprintf_append(line, "%s%s=%s", *line ? " " : "", json_string(task, "id"),
                                      json_string(task, "status"));
    return line;
}

static bool tell(struct plan *plan, const char *line)
{
    struct eksctl_line read = eksctl_line_read(line);
    return plan_advance(plan, &read);
}

static void test_the_plan_of_a_create_advances_with_the_log(void **state)
{
    struct plan plan = {.kind = "create"};
    assert_false(tell(&plan, STAMP "[ℹ]  eksctl version 0.229.0"));
    assert_false(tell(&plan, STAMP "[ℹ]  using region eu-central-1"));
    assert_true(tell(&plan, STAMP "[ℹ]  building cluster stack \"eksctl-a-b-cluster\""));
    assert_string_equal(status_of(*state, &plan, false),
                        "prepare=complete control-plane=in_progress addons=pending nodes=pending "
                        "finish=pending");
    assert_false(tell(&plan, STAMP "[ℹ]  deploying stack \"eksctl-a-b-cluster\""));
    assert_true(tell(&plan, STAMP "[ℹ]  creating addon: vpc-cni"));
    assert_true(
        tell(&plan, STAMP "[ℹ]  building managed nodegroup stack \"eksctl-a-b-nodegroup-m\""));
    /* it never goes back */
    assert_false(tell(&plan, STAMP "[ℹ]  deploying stack \"eksctl-a-b-nodegroup-m\""));
    assert_false(tell(&plan, STAMP "[ℹ]  creating addon: metrics-server"));
    assert_true(tell(&plan, STAMP "[✔]  all EKS cluster resources for \"a-b\" have been created"));
    assert_string_equal(status_of(*state, &plan, true),
                        "prepare=complete control-plane=complete addons=complete nodes=complete "
                        "finish=complete");
    plan.current = 3;
    plan.failed = true;
    assert_string_equal(status_of(*state, &plan, false),
                        "prepare=complete control-plane=complete addons=complete nodes=error "
                        "finish=pending");
    assert_string_equal(json_string(plan_json(*state, &plan, false), "title"),
                        "Creating the cluster failed");
}

static void test_the_plan_of_a_delete_tells_nodes_and_control_plane_apart(void **state)
{
    struct plan plan = {.kind = "delete"};
    assert_false(tell(&plan, STAMP "[ℹ]  deleting EKS cluster \"a-b\""));
    assert_true(tell(&plan, STAMP "[ℹ]  will delete stack \"eksctl-a-b-nodegroup-main\""));
    assert_true(tell(&plan, STAMP "[ℹ]  will delete stack \"eksctl-a-b-cluster\""));
    assert_false(tell(&plan, STAMP "[ℹ]  building cluster stack \"eksctl-a-b-cluster\""));
    assert_string_equal(status_of(*state, &plan, false),
                        "drain=complete nodes=complete control-plane=in_progress verify=pending");
    assert_true(tell(&plan, STAMP "[✔]  all cluster resources were deleted"));
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_is_its_level_and_its_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_plan_of_a_create_advances_with_the_log, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_the_plan_of_a_delete_tells_nodes_and_control_plane_apart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
