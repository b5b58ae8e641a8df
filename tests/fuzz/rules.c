/* Access rules: whatever stands in a manifest is read or told; a no with its reason is the same no
   as without; and whom the rules name for something, they let do it. */
#include "approvals/rbac.h"
#include "base/text.h"
#include "yaml_lines.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <talloc.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const char *const pieces[] = {
    "aggregationRule:\n  clusterRoleSelectors:\n  - matchLabels: {a: b}\n",
    "aggregationRule: {clusterRoleSelectors: [{}]}\nrules: null\n",
    "- matchExpressions:\n  - {key: a, operator: In, values: [b]}\n",
    "- matchExpressions: [{key: a, operator: Exists, values: [b]}]\n",
    "- matchExpressions: [{key: a, operator: In, values: [1, null, {b: c}]}]\n",
    "- matchExpressions: [{key: a, operator: NotIn, values: {b: c}}]\n",
    "- matchExpressions: [{key: a, operator: NotIn}, {key: b, operator: DoesNotExist}]\n",
    "- matchLabels: {a: b, c: 1}\n",
    "labels: {a: b}\n",
    "labels:\n  a: c\n",
    "- {kind: ServiceAccount, name: robot, apiGroup: rbac.authorization.k8s.io}\n",
    "- {kind: ServiceAccount, name: robot, namespace: payments, apiGroup: \"\"}\n",
    "- {kind: ServiceAccount, name: robot}\n",
    "- {kind: User, name: \"slack:U1\", apiGroup: rbac.authorization.k8s.io}\n",
    "- {kind: User, name: \"slack:U1\", namespace: payments}\n",
    "- {kind: Group, name: \"slack:platform-approvers\"}\n",
    "- {kind: Group, name: \"system:authenticated\"}\n",
    "subjects:\n",
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: a}\n",
    "roleRef: {kind: Role, name: a}\n",
    "rules:\n- {apiGroups: [envbot.dev], resources: [environments], verbs: [approve]}\n",
    "- {apiGroups: [\"*\"], resources: [\"*\", \"*/status\"], verbs: [\"*\"]}\n",
    "- {apiGroups: [\"\"], resources: [\"\"], verbs: [get], resourceNames: [\"\"]}\n",
    "- {verbs: [get], nonResourceURLs: [/healthz]}\n",
    "metadata: {name: a, namespace: payments}\n",
    "metadata: {name: a, labels: {a: b}}\n",
    "---\n",
    ("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"
     "metadata: {name: b, labels: {a: b}}\n"
     "aggregationRule: {clusterRoleSelectors: [{matchLabels: {c: d}}]}\n---\n"),
    ("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"
     "metadata: {name: c, labels: {c: d}}\n"
     "aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}\n---\n"),
    ("apiVersion: v1\nkind: List\nitems:\n- apiVersion: rbac.authorization.k8s.io/v1\n"
     "  kind: Role\n  metadata: {name: a, namespace: payments}\n---\n"),
};
static const char *const values[] = {
    "Role",        "ClusterRole",
    "RoleBinding", "ClusterRoleBinding",
    "List",        "RoleList",
    "null",        "[]",
    "{}",          "\"\"",
    "a",           "b",
    "payments",    "1",
    "In",          "NotIn",
    "Exists",      "DoesNotExist",
    "User",        "Group",
    "[a, 1]",      "[null]",
    "[[a]]",       "[{a: b}]",
    "{a: b}",      "{a: [b]}",
    "&x {a: *x}",  "[\"*\"]",
    "*",           "..",
    "a/b",         "ServiceAccount",
};
const struct yaml_words yaml_words = {pieces, values, sizeof pieces / sizeof *pieces,
                                      sizeof values / sizeof *values};

static void ask(const struct rbac *rules, const struct rbac_question *question)
{
    struct rbac_reason why;
    if (rbac_allows(rules, question, &why) != rbac_allows(rules, question, NULL) ||
        !text_is_utf8(why.text, strlen(why.text)))
        abort();
}

/* Whoever stands in the list is let through. */
static void ask_for_named(void *ctx, const struct rbac *rules)
{
    const char **who = rbac_subjects(ctx, rules, "payments", "approve", "environments", "small");
    for (; *who; who++) {
        const char *name = strchr(*who, ' ') + 1, *groups[] = {name, NULL};
        bool group = strncmp(*who, "Group ", 6) == 0;
        const struct rbac_question question = {.user = group ? "nobody" : name,
                                               .groups = group ? groups : NULL,
                                               .named_only = true,
                                               .namespace = "payments",
                                               .verb = "approve",
                                               .api_group = "envbot.dev",
                                               .resource = "environments",
                                               .subresource = "",
                                               .name = "small"};
        if (!rbac_allows(rules, &question, NULL))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static int file = -1;
    static char path[32];
    if (file < 0) {
        file = memfd_create("rules.yaml", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, bytes, length, 0) != (ssize_t)length)
        abort();
    void *ctx = talloc_new(NULL);
    struct rbac *rules = NULL;
    char *problems = NULL;
    struct error err = {0};
    if (rbac_read(ctx, path, &rules, &problems, &err)) {
        const char *groups[] = {"slack:platform-approvers", "slack:managers", NULL};
        const char *names[] = {"", "small"};
        for (int i = 0; i < 4; i++)
            ask(rules, &(struct rbac_question){.user = "slack:U1",
                                               .groups = groups,
                                               .namespace = i / 2 ? "payments" : "",
                                               .verb = "approve",
                                               .api_group = "envbot.dev",
                                               .resource = "environments",
                                               .subresource = "",
                                               .name = names[i % 2]});
        ask_for_named(ctx, rules);
    }
    talloc_free(ctx);
    return 0;
}
