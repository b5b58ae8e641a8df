/* The evaluator of access rules against a table of cases made by hand. */
#include "rbac_case.h"

static const struct {
    struct question q;
    bool yes;
} cases[] = {
    /* Role, ClusterRole through a RoleBinding, ClusterRoleBinding */
    {{"u1", NULL, "a", "approve", "environments", "", "small"}, true},
    {{"u1", NULL, "b", "approve", "environments", "", "small"}, false},
    {{"u1", NULL, "", "approve", "environments", "", "small"}, false},
    {{"u1", NULL, "a", "create", "environments", "", "small"}, false},
    {{"u1", NULL, "a", "approve", "quotas", "", "small"}, false},
    {{"u2", NULL, "a", "approve", "environments", "", ""}, true},
    {{"u2", NULL, "b", "approve", "environments", "", ""}, false},
    {{"u2", NULL, "", "approve", "environments", "", ""}, false},
    {{"u3", NULL, "a", "approve", "environments", "", ""}, true},
    {{"u3", NULL, "b", "approve", "environments", "", "x"}, true},
    {{"u3", NULL, "", "approve", "environments", "", ""}, true},
    {{"u33", NULL, "a", "approve", "environments", "", ""}, false},
    {{"U3", NULL, "a", "approve", "environments", "", ""}, false},
    {{"", NULL, "a", "approve", "environments", "", ""}, false},
    /* a group's name is not a user's */
    {{"slack:g4", NULL, "a", "approve", "environments", "", "small"}, false},
    {{"x", "u3", "a", "approve", "environments", "", ""}, false},
    /* resourceNames */
    {{"u4", NULL, "a", "approve", "environments", "", "small"}, true},
    {{"u4", NULL, "a", "create", "environments", "", "gpu"}, true},
    {{"u4", NULL, "a", "approve", "environments", "", "auto"}, false},
    {{"u4", NULL, "a", "approve", "environments", "", ""}, false},
    {{"x", "slack:g4", "a", "approve", "environments", "", "small"}, true},
    {{"x", "slack:g5", "a", "approve", "environments", "", "small"}, false},
    {{"u13", NULL, "a", "get", "quotas", "", "small"}, false},
    {{"u13", NULL, "a", "get", "quotas", "", "*"}, true},
    {{"u14", NULL, "a", "get", "quotas", "", ""}, true},
    {{"u14", NULL, "a", "get", "quotas", "", "small"}, false},
    {{"u4", NULL, "a", "approve", "environments", "status", "small"}, false},
    {{"u4", NULL, "a", "list", "environments", "", ""}, false},
    /* rules do not combine: the verbs of one are not for the resources of another */
    {{"u15", NULL, "a", "get", "environments", "", ""}, true},
    {{"u15", NULL, "a", "update", "quotas", "", ""}, true},
    {{"u15", NULL, "a", "update", "environments", "", ""}, false},
    {{"u15", NULL, "a", "get", "quotas", "", ""}, false},
    {{"u15", NULL, "a", "delete", "environments", "", "small"}, true},
    {{"u15", NULL, "a", "delete", "environments", "", "gpu"}, false},
    /* "environments" and "*" are no patterns */
    {{"u16", NULL, "a", "get", "environments", "status", ""}, false},
    {{"u16", NULL, "a", "get", "environments", "*", ""}, true},
    {{"u16", NULL, "a", "get", "environments", "", ""}, false},
    {{"u16", NULL, "a", "ge", "environments", "*", ""}, false},
    {{"u5", NULL, "a", "*", "environments", "", ""}, true},
    {{"u1", NULL, "a", "*", "environments", "", "small"}, false},
    {{"u6", NULL, "a", "get", "*", "", ""}, true},
    {{"u1", NULL, "a", "approve", "*", "", "small"}, false},
    {{"u1", NULL, "a", "Approve", "environments", "", "small"}, false},
    {{"u1", NULL, "a", "", "environments", "", "small"}, false},
    /* "" is an API group of its own, not every one */
    {{"u17", NULL, "a", "get", "environments", "", ""}, false},
    /* Roles of one name are others in another namespace, and others than the ClusterRole */
    {{"u18", NULL, "a", "approve", "environments", "", ""}, true},
    {{"u18", NULL, "a", "delete", "environments", "", ""}, false},
    {{"u18", NULL, "b", "delete", "environments", "", ""}, true},
    {{"u18", NULL, "b", "approve", "environments", "", ""}, false},
    /* nobody is called like the group of everybody */
    {{"system:authenticated", NULL, "b", "list", "reports", "", ""}, false},
    {{"u19", "system:authenticated", "b", "get", "audits", "", ""}, true},
    {{"nobody", NULL, "b", "get", "audits", "", ""}, true},
    {{"nobody", NULL, "", "get", "audits", "", ""}, true},
    {{"nobody", NULL, "B", "list", "reports", "", ""}, false},
    /* words are whole ones */
    {{"u1", NULL, "a", "approve2", "environments", "", "small"}, false},
    {{"u1", NULL, "a", "approv", "environments", "", "small"}, false},
    {{"u1", NULL, "a", "approve", "environments2", "", "small"}, false},
    {{"u4", NULL, "a", "approve", "environments", "", "small2"}, false},
    /* * in verbs, resources, API groups; sub-resources */
    {{"u5", NULL, "a", "breakglass", "environments", "", ""}, true},
    {{"u5", NULL, "a", "get", "environments", "status", ""}, false},
    {{"u6", NULL, "a", "get", "audits", "", "x"}, true},
    {{"u6", NULL, "a", "get", "environments", "status", ""}, true},
    {{"u6", NULL, "a", "list", "audits", "", ""}, false},
    {{"u7", NULL, "a", "get", "environments", "status", ""}, true},
    {{"u7", NULL, "a", "get", "environments", "", ""}, false},
    {{"u7", NULL, "a", "get", "environments", "statu", ""}, false},
    {{"u7", NULL, "a", "get", "environment", "s/status", ""}, false},
    {{"u8", NULL, "a", "get", "quotas", "status", ""}, true},
    {{"u8", NULL, "a", "get", "quotas", "log", ""}, false},
    {{"u8", NULL, "a", "get", "quotas", "", ""}, false},
    {{"u9", NULL, "a", "get", "environments", "", ""}, false},
    {{"u10", NULL, "a", "get", "environments", "", ""}, true},
    /* everybody */
    {{"nobody", NULL, "a", "list", "reports", "", ""}, true},
    {{"nobody", NULL, "b", "list", "reports", "", ""}, false},
    /* accounts: of the namespace that the subject says, else of the binding's */
    {{"system:serviceaccount:ci:robot", NULL, "a", "approve", "environments", "", ""}, true},
    {{"system:serviceaccount:a:near", NULL, "a", "approve", "environments", "", ""}, true},
    {{"system:serviceaccount:a:robot", NULL, "a", "approve", "environments", "", ""}, false},
    {{"robot", NULL, "a", "approve", "environments", "", ""}, false},
};

static void test_each_case_of_the_table_is_answered_as_kubernetes_does(void **state)
{
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_file(ctx, "tests/unit/rbac/table.yaml", &problems);
    (void)state;
    assert_string_equal(problems, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct question *q = &cases[i].q;
        struct rbac_reason why;
        if (ask(rules, q, &why) != cases[i].yes || ask(rules, q, NULL) != cases[i].yes)
            fail_msg("case %zu: %s %s %s/%s %s in %s: not %s; %s", i, q->user, q->verb, q->resource,
                     q->sub, q->name, q->ns, cases[i].yes ? "yes" : "no", why.text);
        assert_true(*why.text);
    }
    talloc_free(ctx);
}

static void test_a_yes_names_binding_role_subject_and_line(void **state)
{
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac_reason why;
    struct rbac *rules = read_file(ctx, "tests/unit/rbac/table.yaml", &problems);
    (void)state;
    struct question q = {"x", "slack:g4", "a", "approve", "environments", "", "small"};
    assert_true(ask(rules, &q, &why));
    assert_string_equal(why.text, "RoleBinding \"a/b4\" of ClusterRole \"small-only\" to Group "
                                  "\"slack:g4\" (table.yaml:18)");
    talloc_free(ctx);
}

static void test_a_no_says_what_came_nearest(void **state)
{
    static const struct {
        struct question q;
        const char *says;
    } nearest[] = {
        {{"x", NULL, "b", "approve", "environments", "", ""},
         "\"auditor\" has no rule for approve of environments"},
        {{"u1", NULL, "a", "create", "environments", "", ""}, "no rule for create of environments"},
        {{"u1", NULL, "b", "approve", "environments", "", ""}, "allows it, but only in a"},
        {{"u4", NULL, "a", "approve", "environments", "", "auto"}, "but only of small, gpu"},
    };
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_file(ctx, "tests/unit/rbac/table.yaml", &problems);
    (void)state;
    for (size_t i = 0; i < sizeof nearest / sizeof *nearest; i++) {
        struct rbac_reason why;
        assert_false(ask(rules, &nearest[i].q, &why));
        if (!strstr(why.text, nearest[i].says))
            fail_msg("“%s” does not say “%s”", why.text, nearest[i].says);
    }
    struct rbac *few = read_text(
        ctx, CLUSTER_ROLE("r", "", RULE("get", "quotas")) CLUSTER_BIND("b", "r", USER("u")),
        &problems);
    struct rbac_reason why;
    assert_false(ask(few, &nearest[0].q, &why));
    assert_string_equal(why.text, "no binding names this user or one of their groups");
    talloc_free(ctx);
}

static void test_a_reason_that_is_too_long_stays_utf8(void **state)
{
    void *ctx = talloc_new(NULL);
    char *name = talloc_strdup(ctx, "x"), *problems;
    (void)state;
    for (int i = 0; i < 400; i++)
        name = talloc_strdup_append(name, "ä");
    char *text = talloc_asprintf(
        ctx, CLUSTER_ROLE("r", "", RULE("get", "quotas")) CLUSTER_BIND("b", "r", USER("%s")), name);
    struct rbac *rules = read_text(ctx, text, &problems);
    struct rbac_reason why;
    struct question q = {name, NULL, "a", "get", "quotas", "", ""};
    assert_string_equal(problems, "");
    assert_true(ask(rules, &q, &why));
    size_t length = strlen(why.text);
    assert_in_range(length, 500, 511);
    assert_int_equal((unsigned char)why.text[length - 1], 0xA4); /* the end of an ä */
    talloc_free(ctx);
}

/* ---- aggregation ---- */

#define AGGREGATE(name, labels, selectors)                                                         \
    "---\n" V "kind: ClusterRole\nmetadata: {name: " name ", labels: {" labels "}}\n"              \
    "aggregationRule: {clusterRoleSelectors: [" selectors "]}\nrules: []\n"
#define LEAF(name, labels, verb)                                                                   \
    CLUSTER_ROLE(name, ", labels: {" labels "}", RULE(verb, "environments"))

static void test_aggregation_takes_in_what_the_selectors_select(void **state)
{
    static const struct {
        const char *user, *verbs; /* which of v1 to v5 */
    } expected[] = {{"view", "12"}, {"edit", "123"},  {"low", "1"},   {"in", "123"},
                    {"notin", "4"}, {"either", "14"}, {"all", "1234"}};
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_file(ctx, "tests/unit/rbac/aggregation.yaml", &problems);
    (void)state;
    assert_string_equal(problems, "");
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        for (char digit = '1'; digit <= '5'; digit++) {
            char verb[] = {'v', digit, '\0'};
            struct question q = {expected[i].user, NULL, "a", verb, "environments", "", ""};
            if (ask(rules, &q, NULL) != (strchr(expected[i].verbs, digit) != NULL))
                fail_msg("%s and %s", expected[i].user, verb);
        }
    }
    talloc_free(ctx);
}

static void test_circles_of_aggregation_end(void **state)
{
    static const char text[] = AGGREGATE("x", "in: y", "{matchLabels: {in: x}}")
        AGGREGATE("y", "in: x", "{matchLabels: {in: y}}") LEAF("leaf", "in: y", "v1")
            CLUSTER_BIND("b1", "x", USER("x")) CLUSTER_BIND("b2", "y", USER("y"));
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_text(ctx, text, &problems);
    struct question x = {"x", NULL, "a", "v1", "environments", "", ""}, y = x;
    (void)state;
    y.user = "y";
    assert_string_equal(problems, "");
    assert_true(ask(rules, &x, NULL));
    assert_true(ask(rules, &y, NULL));
    talloc_free(ctx);
}

static void test_an_aggregated_role_has_no_rules_of_its_own(void **state)
{
    static const char text[] =
        "---\n" V "kind: ClusterRole\nmetadata: {name: x}\naggregationRule: {clusterRoleSelectors: "
        "[{matchLabels: {in: x}}]}\nrules: [" RULE("get", "environments") "]\n" CLUSTER_BIND(
            "b", "x", USER("x"));
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_text(ctx, text, &problems);
    struct question q = {"x", NULL, "a", "get", "environments", "", ""};
    (void)state;
    assert_false(ask(rules, &q, NULL));
    assert_non_null(strstr(problems, "rules.yaml:6: a ClusterRole with aggregationRule"));
    talloc_free(ctx);
}

/* ---- who ---- */

static void test_subjects_are_all_whom_the_rules_name_each_once(void **state)
{
    static const char text[] = CLUSTER_ROLE("r", "", RULE("approve", "environments"))
        CLUSTER_ROLE("s", "", RULE_OF("approve", "environments", "small"))
            CLUSTER_ROLE("n", "", RULE("get", "environments"))
                BIND("a", "b1", "ClusterRole", "r", USER("u1") ", " GROUP("g1"))
                    BIND("a", "b2", "ClusterRole", "s", USER("u1") ", " USER("u2"))
                        BIND("b", "b3", "ClusterRole", "r", USER("u3"))
                            BIND("a", "b4", "ClusterRole", "n", USER("u4")) CLUSTER_BIND(
                                "b5", "r", "{kind: ServiceAccount, name: robot, namespace: ci}");
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_text(ctx, text, &problems);
    (void)state;
    const char **small = rbac_subjects(ctx, rules, "a", "approve", "environments", "small");
    const char *const expected[] = {"User u1", "Group g1", "User u2",
                                    "ServiceAccount system:serviceaccount:ci:robot"};
    for (int i = 0; i < 4; i++)
        assert_string_equal(small[i], expected[i]);
    assert_null(small[4]);
    const char **gpu = rbac_subjects(ctx, rules, "b", "approve", "environments", "gpu");
    assert_string_equal(gpu[0], "User u3");
    assert_string_equal(gpu[1], expected[3]);
    assert_null(gpu[2]);
    assert_null(rbac_subjects(ctx, rules, "a", "delete", "environments", "small")[0]);
    talloc_free(ctx);
}

static void test_the_example_rules_are_in_order(void **state)
{
    void *ctx = talloc_new(NULL);
    struct rbac *rules;
    char *problems;
    struct error err;
    (void)state;
    assert_true(rbac_read(ctx, "deploy/rbac", &rules, &problems, &err));
    assert_string_equal(problems, "");
    struct question q = {"x", NULL, "payments", "create", "environments", "", "small"};
    assert_true(ask(rules, &q, NULL));
    q.verb = "approve";
    assert_false(ask(rules, &q, NULL));
    q.group = "slack:platform-approvers";
    assert_true(ask(rules, &q, NULL));
    q.ns = "elsewhere";
    assert_false(ask(rules, &q, NULL));
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_case_of_the_table_is_answered_as_kubernetes_does),
        cmocka_unit_test(test_a_yes_names_binding_role_subject_and_line),
        cmocka_unit_test(test_a_no_says_what_came_nearest),
        cmocka_unit_test(test_a_reason_that_is_too_long_stays_utf8),
        cmocka_unit_test(test_aggregation_takes_in_what_the_selectors_select),
        cmocka_unit_test(test_circles_of_aggregation_end),
        cmocka_unit_test(test_an_aggregated_role_has_no_rules_of_its_own),
        cmocka_unit_test(test_subjects_are_all_whom_the_rules_name_each_once),
        cmocka_unit_test(test_the_example_rules_are_in_order),
    };
    return cmocka_run_group_tests_name("rbac", tests, NULL, NULL);
}
