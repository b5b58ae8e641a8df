/* What the tests of access rules share: manifests in short, and questions. */
#ifndef RBAC_CASE_H
#define RBAC_CASE_H

#include "approvals/rbac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <talloc.h>
#include <unistd.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#define V "apiVersion: rbac.authorization.k8s.io/v1\n"
#define ROLE(ns, name, rules)                                                                      \
    "---\n" V "kind: Role\nmetadata: {name: " name ", namespace: " ns "}\nrules: [" rules "]\n"
#define CLUSTER_ROLE(name, more, rules)                                                            \
    "---\n" V "kind: ClusterRole\nmetadata: {name: " name more "}\nrules: [" rules "]\n"
#define BIND(ns, name, kind, role, subjects)                                                       \
    "---\n" V "kind: RoleBinding\nmetadata: {name: " name ", namespace: " ns "}\n"                 \
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: " kind ", name: " role "}\n"             \
    "subjects: [" subjects "]\n"
#define CLUSTER_BIND(name, role, subjects)                                                         \
    "---\n" V "kind: ClusterRoleBinding\nmetadata: {name: " name "}\n"                             \
    "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: " role "}\n"          \
    "subjects: [" subjects "]\n"
#define USER(name) "{kind: User, apiGroup: rbac.authorization.k8s.io, name: " name "}"
#define GROUP(name) "{kind: Group, apiGroup: rbac.authorization.k8s.io, name: " name "}"
#define RULE(verbs, resources)                                                                     \
    "{verbs: [" verbs "], apiGroups: [envbot.dev], resources: [" resources "]}"
#define RULE_OF(verbs, resources, names)                                                           \
    "{verbs: [" verbs "], apiGroups: [envbot.dev], resources: [" resources "], resourceNames: "    \
    "[" names "]}"

/* A folder of its own for one test, freed with it. */
struct folder {
    char *path;
};

static inline int remove_folder(struct folder *folder)
{
    char *command = talloc_asprintf(NULL, "rm -rf '%s'", folder->path);
    int code = system(command); /* a path of mkdtemp's, nobody else's words */
    talloc_free(command);
    return code == 0 ? 0 : -1;
}

static inline struct folder *folder_new(void *ctx)
{
    struct folder *folder = talloc_zero(ctx, struct folder);
    folder->path = talloc_strdup(folder, "/tmp/test_rbac.XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    talloc_set_destructor(folder, remove_folder);
    return folder;
}

static inline void put(struct folder *folder, const char *name, const char *text)
{
    FILE *file = fopen(talloc_asprintf(folder, "%s/%s", folder->path, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline struct rbac *read_file(void *ctx, const char *path, char **problems)
{
    struct rbac *rules;
    struct error err;
    assert_true(rbac_read(ctx, path, &rules, problems, &err));
    return rules;
}

static inline struct rbac *read_text(void *ctx, const char *text, char **problems)
{
    struct folder *folder = folder_new(ctx);
    put(folder, "rules.yaml", text);
    return read_file(ctx, folder->path, problems);
}

/* "user [group,group] ns verb resource[/sub] name": small enough to read in a table. */
struct question {
    const char *user, *group, *ns, *verb, *resource, *sub, *name;
};

static inline bool ask(const struct rbac *rules, const struct question *q, struct rbac_reason *why)
{
    const char *groups[] = {q->group, NULL};
    struct rbac_question question = {.user = q->user,
                                     .groups = groups,
                                     .namespace = q->ns,
                                     .verb = q->verb,
                                     .api_group = "envbot.dev",
                                     .resource = q->resource,
                                     .subresource = q->sub ? q->sub : "",
                                     .name = q->name ? q->name : ""};
    return rbac_allows(rules, &question, why);
}

#endif
