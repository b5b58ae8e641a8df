/* Reading manifests: what is broken is told and grants nothing, the rest works. */
#include "rbac_case.h"

#include <ctype.h>

/* ---- what is broken ---- */

/* After each piece a sound one follows: it must work, and the broken one must not. */
#define SOUND                                                                                      \
    CLUSTER_ROLE("sound", "", RULE("get", "quotas")) CLUSTER_BIND("sound", "sound", USER("sound"))
#define GRANTED CLUSTER_ROLE("r", "", RULE("get", "quotas"))

static const struct {
    const char *text, *says; /* broken gets no quotas; says: part of the one problem's line */
} broken[] = {
    {CLUSTER_ROLE("r", "", RULE("get", "quotas")) "extra: 1\n" CLUSTER_BIND("b", "r",
                                                                            USER("broken")),
     "rules.yaml:6: extra is not a key"},
    {"---\n" V "kind: ClusterRole\nmetadata: {name: r}\nrulez: []\n",
     "rules.yaml:5: rulez is not a key of ClusterRole; did you mean rules?"},
    {CLUSTER_ROLE("r", ", namespace: a", RULE("get", "quotas")),
     "rules.yaml:4: a ClusterRole has no namespace"},
    {CLUSTER_ROLE("r", ", lables: {}", ""), "did you mean labels?"},
    {CLUSTER_ROLE("r", ", labels: {x: 1}", ""), "metadata.labels: x is not a text"},
    {CLUSTER_ROLE("a/b", "", ""), "without / and %"},
    {CLUSTER_ROLE("12", "", ""), "metadata.name must be a text"},
    {"---\n" V "kind: Role\nmetadata: {name: r}\n", "metadata.namespace is missing"},
    {"---\n" V "kind: ClusterRole\n", "metadata with a name is missing"},
    {"---\n" V "kind: Rolle\nmetadata: {name: r}\n", "rules.yaml:2: kind “Rolle” is none of"},
    {"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: r}\n", "kind “ConfigMap” is none of"},
    {"---\napiVersion: rbac.authorization.k8s.io/v1beta1\nkind: ClusterRole\nmetadata: {name: r}\n",
     "the apiVersion of a ClusterRole is rbac.authorization.k8s.io/v1"},
    {"---\n- just\n- a list\n", "kind “” is none of"},
    {CLUSTER_ROLE("r", "", "{verbs: [get], apiGroups: [envbot.dev], resource: [quotas]}")
         CLUSTER_BIND("b", "r", USER("broken")),
     "rules.yaml:5: resource is not a key of a rule; did you mean resources?"},
    {CLUSTER_ROLE("r", "", "{verbs: [], apiGroups: [envbot.dev], resources: [quotas]}")
         CLUSTER_BIND("b", "r", USER("broken")),
     "rules.yaml:5: a rule needs verbs"},
    {CLUSTER_ROLE("r", "", "{verbs: [get], resources: [quotas]}")
         CLUSTER_BIND("b", "r", USER("broken")),
     "a rule needs apiGroups"},
    {CLUSTER_ROLE("r", "", "{verbs: get, apiGroups: [envbot.dev], resources: [quotas]}")
         CLUSTER_BIND("b", "r", USER("broken")),
     "a rule needs verbs"},
    {CLUSTER_ROLE("r", "",
                  "{verbs: [get], apiGroups: [envbot.dev], resources: [quotas], "
                  "resourceNames: small}") CLUSTER_BIND("b", "r", USER("broken")),
     "resourceNames is a list"},
    {CLUSTER_ROLE("r", "",
                  "{verbs: [get], apiGroups: [envbot.dev], resources: [quotas], except: [small]}")
         CLUSTER_BIND("b", "r", USER("broken")),
     "rules.yaml:5: except is not a key of a rule"},
    {CLUSTER_ROLE("r", "", "{verbs: [get], nonResourceURLs: [/x]}"), "this rule is ignored"},
    {CLUSTER_ROLE("r", "",
                  "{verbs: [get], apiGroups: [envbot.dev], resources: [quotas], "
                  "nonResourceURLs: [/x]}") CLUSTER_BIND("b", "r", USER("broken")),
     "this rule is ignored"},
    {GRANTED CLUSTER_BIND("b", "r", "{kind: Person, name: broken}"),
     "rules.yaml:11: a subject is a User, a Group or a ServiceAccount, not “Person”"},
    {GRANTED CLUSTER_BIND("b", "r", "{kind: User, apiGroup: v1, name: broken}"),
     "a User has the apiGroup “rbac.authorization.k8s.io”"},
    {GRANTED CLUSTER_BIND("b", "r", "{kind: ServiceAccount, apiGroup: x, namespace: a, name: n}"),
     "a ServiceAccount has the apiGroup “”"},
    {GRANTED CLUSTER_BIND("b", "r", "{kind: User, nmae: broken}"), "did you mean name?"},
    {GRANTED CLUSTER_BIND("b", "r", "{kind: User, name: 12}"), "a subject needs a name"},
    {GRANTED CLUSTER_BIND("b", "r", "{kind: User, name: broken, namespace: a}"),
     "a User has no namespace"},
    {GRANTED CLUSTER_BIND("b", "r", "{kind: ServiceAccount, name: n}"),
     "a ServiceAccount needs its namespace"},
    {CLUSTER_BIND("b", "gone", USER("broken")),
     "rules.yaml:5: there is no ClusterRole “gone”: ClusterRoleBinding “b” grants nothing"},
    {ROLE("a", "r", RULE("get", "quotas")) BIND("b", "b", "Role", "r", USER("broken")),
     "there is no Role “r” in b: RoleBinding “b” grants nothing"},
    {ROLE("a", "r", RULE("get", "quotas")) CLUSTER_BIND("b", "r", USER("broken")),
     "there is no ClusterRole “r”"},
    {GRANTED BIND("b", "b", "Role", "r", USER("broken")), "there is no Role “r” in b"},
    {GRANTED "---\n" V "kind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {kind: Role, name: "
             "r}\nsubjects: [" USER("broken") "]\n",
     "roleRef of a ClusterRoleBinding names a ClusterRole, not “Role”"},
    {GRANTED "---\n" V
             "kind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {kind: ClusterRole, "
             "name: r, apiGroup: apps}\nsubjects: [" USER("broken") "]\n",
     "roleRef has the apiGroup rbac.authorization.k8s.io"},
    {GRANTED "---\n" V
             "kind: ClusterRoleBinding\nmetadata: {name: b}\nsubjects: [" USER("broken") "]\n",
     "roleRef is missing"},
    {"---\n" V "kind: ClusterRole\nmetadata: {name: r}\naggregationRule: {}\n",
     "clusterRoleSelectors is a list, not empty"},
    {"---\n" V "kind: ClusterRole\nmetadata: {name: r}\naggregationRule: {clusterRoleSelectors: "
     "[{matchExpressions: [{key: x, operator: Like, values: [a]}]}]}\n",
     "the operator In, NotIn, Exists or DoesNotExist"},
    {"---\n" V "kind: ClusterRole\nmetadata: {name: r}\naggregationRule: {clusterRoleSelectors: "
     "[{matchExpressions: [{key: x, operator: In}]}]}\n",
     "In needs values"},
};

static void test_what_is_broken_is_told_and_grants_nothing_and_the_rest_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        void *ctx = talloc_new(NULL);
        char *problems;
        char *text = talloc_asprintf(ctx, "%s%s", broken[i].text, SOUND);
        struct rbac *rules = read_text(ctx, text, &problems);
        struct question q = {"broken", NULL, "b", "get", "quotas", "", ""};
        if (!strstr(problems, broken[i].says))
            fail_msg("case %zu: “%s” does not say “%s”", i, problems, broken[i].says);
        for (const char *line = problems; *line; line = strchr(line, '\n') + 1) {
            const char *place = strstr(line, "rules.yaml:");
            if (!place || !isdigit((unsigned char)place[strlen("rules.yaml:")]))
                fail_msg("case %zu: “%s” does not say file and line", i, line);
        }
        if (ask(rules, &q, NULL))
            fail_msg("case %zu grants", i);
        q.user = "sound";
        if (!ask(rules, &q, NULL))
            fail_msg("case %zu broke the rest: %s", i, problems);
        talloc_free(ctx);
    }
}

static void test_one_broken_subject_or_rule_leaves_its_neighbours(void **state)
{
    static const char text[] = CLUSTER_ROLE("r", "", "{verbs: [x]}, " RULE("get", "quotas"))
        CLUSTER_BIND("b", "r", "{kind: Nobody, name: n}, " USER("u"));
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_text(ctx, text, &problems);
    struct question q = {"u", NULL, "a", "get", "quotas", "", ""};
    (void)state;
    assert_true(ask(rules, &q, NULL));
    assert_non_null(strstr(problems, "a rule needs apiGroups"));
    assert_non_null(strstr(problems, "not “Nobody”"));
    talloc_free(ctx);
}

static void test_missing_api_groups_are_filled_in_as_kubernetes_does(void **state)
{
    static const char text[] =
        GRANTED "---\n" V "kind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {kind: "
                "ClusterRole, name: r}\nsubjects: [{kind: User, name: u}, {kind: Group, name: g, "
                "apiGroup: null}]\n";
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_text(ctx, text, &problems);
    struct question u = {"u", NULL, "a", "get", "quotas", "", ""};
    struct question g = {"x", "g", "a", "get", "quotas", "", ""};
    (void)state;
    assert_string_equal(problems, "");
    assert_true(ask(rules, &u, NULL));
    assert_true(ask(rules, &g, NULL));
    talloc_free(ctx);
}

/* ---- files ---- */

static void test_lists_several_documents_and_several_files_are_one(void **state)
{
    void *ctx = talloc_new(NULL);
    struct folder *folder = folder_new(ctx);
    char *problems;
    (void)state;
    put(folder, "10-bindings.yml",
        "apiVersion: v1\nkind: List\nmetadata: {}\nitems:\n"
        "- {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: "
        "b},"
        " roleRef: {kind: ClusterRole, name: r}, subjects: [{kind: User, name: u}]}\n"
        "- {apiVersion: rbac.authorization.k8s.io/v1, kind: Nothing}\n");
    put(folder, "20-roles.yaml", "# nothing yet\n---\n---\n" GRANTED "---\n");
    put(folder, "30.json",
        "{\"apiVersion\": \"rbac.authorization.k8s.io/v1\", \"kind\": \"ClusterRoleBinding\","
        " \"metadata\": {\"name\": \"c\"}, \"roleRef\": {\"kind\": \"ClusterRole\", \"name\": "
        "\"r\"},"
        " \"subjects\": [{\"kind\": \"User\", \"name\": \"v\"}]}");
    put(folder, "notes.txt", "this is no manifest: {");
    put(folder, ".hidden.yaml", "{");
    struct rbac *rules = read_file(ctx, folder->path, &problems);
    struct question q = {"u", NULL, "a", "get", "quotas", "", ""};
    assert_non_null(strstr(problems, "10-bindings.yml:6: kind “Nothing” is none of"));
    assert_ptr_equal(strchr(problems, '\n'), problems + strlen(problems) - 1);
    assert_true(ask(rules, &q, NULL));
    q.user = "v";
    assert_true(ask(rules, &q, NULL));
    talloc_free(ctx);
}

static void test_a_file_that_is_no_yaml_is_told_and_the_others_work(void **state)
{
    void *ctx = talloc_new(NULL);
    struct folder *folder = folder_new(ctx);
    char *problems;
    (void)state;
    put(folder, "a.yaml", "kind: [\n");
    put(folder, "b.yaml", SOUND);
    struct rbac *rules = read_file(ctx, folder->path, &problems);
    struct question q = {"sound", NULL, "a", "get", "quotas", "", ""};
    assert_non_null(strstr(problems, "a.yaml:"));
    assert_true(ask(rules, &q, NULL));
    talloc_free(ctx);
}

static void test_the_later_of_two_with_one_name_counts(void **state)
{
    static const char text[] = GRANTED CLUSTER_ROLE("r", "", RULE("get", "reports"))
        CLUSTER_BIND("b", "r", USER("u")) CLUSTER_BIND("b", "r", USER("v"));
    void *ctx = talloc_new(NULL);
    char *problems;
    struct rbac *rules = read_text(ctx, text, &problems);
    struct question q = {"v", NULL, "a", "get", "reports", "", ""};
    (void)state;
    assert_true(ask(rules, &q, NULL));
    q.resource = "quotas";
    assert_false(ask(rules, &q, NULL));
    q.resource = "reports";
    q.user = "u";
    assert_false(ask(rules, &q, NULL));
    assert_non_null(strstr(problems, "rules.yaml:7: ClusterRole /r stands at"));
    assert_non_null(strstr(problems, "ClusterRoleBinding /b stands at"));
    talloc_free(ctx);
}

static void test_a_path_that_is_not_there_is_an_error(void **state)
{
    void *ctx = talloc_new(NULL);
    struct rbac *rules;
    char *problems;
    struct error err;
    (void)state;
    assert_false(rbac_read(ctx, "/tmp/there/is/no/such/folder", &rules, &problems, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_string_equal(problems, "");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_broken_is_told_and_grants_nothing_and_the_rest_works),
        cmocka_unit_test(test_one_broken_subject_or_rule_leaves_its_neighbours),
        cmocka_unit_test(test_missing_api_groups_are_filled_in_as_kubernetes_does),
        cmocka_unit_test(test_lists_several_documents_and_several_files_are_one),
        cmocka_unit_test(test_a_file_that_is_no_yaml_is_told_and_the_others_work),
        cmocka_unit_test(test_the_later_of_two_with_one_name_counts),
        cmocka_unit_test(test_a_path_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests_name("rbac manifests", tests, NULL, NULL);
}
