/* bench/rules FILE: writes 10,000 bindings into FILE, reads it, asks a million questions, and
   prints what that took as JSON. The people have eight groups each; every second question is a yes.
 */
#include "approvals/rbac.h"

#include <stdio.h>
#include <stdlib.h>
#include <talloc.h>
#include <time.h>

enum {
    BINDINGS = 10000,
    TEAMS = 500,
    ROLES = 50,
    PEOPLE = 5000,
    GROUPS = 400,
    QUESTIONS = 1000000
};

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static bool write_manifests(const char *path)
{
    static const char v[] = "---\napiVersion: rbac.authorization.k8s.io/v1\n";
    FILE *file = fopen(path, "we");
    if (!file)
        return false;
    for (int i = 0; i < ROLES; i++)
        fprintf(file,
                "%skind: ClusterRole\nmetadata:\n  name: role-%d\nrules:\n"
                "- apiGroups: [envbot.dev]\n  resources: [environments]\n  verbs: [get, list, %s]\n"
                "- apiGroups: [envbot.dev]\n  resources: [quotas]\n  verbs: [get]\n",
                v, i, i % 2 ? "approve" : "create");
    for (int i = 0; i < BINDINGS; i++)
        fprintf(file,
                "%skind: RoleBinding\nmetadata:\n  name: b-%d\n  namespace: team-%d\n"
                "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n"
                "  name: role-%d\nsubjects:\n"
                "- apiGroup: rbac.authorization.k8s.io\n  kind: User\n  name: slack:U%d\n"
                "- apiGroup: rbac.authorization.k8s.io\n  kind: Group\n  name: slack:group-%d\n",
                v, i, i % TEAMS, i % ROLES, i % PEOPLE, i % GROUPS);
    return fclose(file) == 0;
}

/* Microseconds a question; *yes: how many were a yes. */
static double ask(const struct rbac *rules, bool reasons, long *yes)
{
    void *ctx = talloc_new(NULL);
    enum { MEMBER_OF = 8 };
    const char *groups[GROUPS + MEMBER_OF], *teams[TEAMS], *users[PEOPLE];
    for (int i = 0; i < GROUPS + MEMBER_OF; i++)
        groups[i] = talloc_asprintf(ctx, "slack:group-%d", i % GROUPS);
    for (int i = 0; i < TEAMS; i++)
        teams[i] = talloc_asprintf(ctx, "team-%d", i);
    for (int i = 0; i < PEOPLE; i++)
        users[i] = talloc_asprintf(ctx, "slack:U%d", i);
    double began = now();
    unsigned seed = 1;
    *yes = 0;
    for (long i = 0; i < QUESTIONS; i++) {
        const char *mine[MEMBER_OF + 1] = {NULL};
        struct rbac_reason why;
        seed = seed * 1103515245u + 12345u;
        for (int k = 0; k < MEMBER_OF; k++)
            mine[k] = groups[(seed >> 8) % GROUPS + (unsigned)k];
        struct rbac_question q = {.user = users[(seed >> 4) % PEOPLE],
                                  .groups = mine,
                                  .namespace = teams[(seed >> 12) % TEAMS],
                                  .verb = "approve",
                                  .api_group = "envbot.dev",
                                  .resource = "environments",
                                  .subresource = "",
                                  .name = "small"};
        if (i % 2 == 0) { /* a binding that is there */
            unsigned b = ((seed >> 9) % BINDINGS) | 1;
            mine[MEMBER_OF - 1] = groups[b % GROUPS];
            q.namespace = teams[b % TEAMS];
        }
        *yes += rbac_allows(rules, &q, reasons ? &why : NULL);
    }
    double took = now() - began;
    talloc_free(ctx);
    return took / QUESTIONS * 1e6;
}

int main(int argc, char **argv)
{
    struct rbac *rules;
    char *problems;
    struct error err;
    if (argc != 2 || !write_manifests(argv[1]))
        return 2;
    double began = now();
    if (!rbac_read(NULL, argv[1], &rules, &problems, &err) || *problems) {
        fprintf(stderr, "%s%s\n", err.text, problems);
        return 1;
    }
    double load_ms = (now() - began) * 1e3;
    long yes;
    double plain_us = ask(rules, false, &yes), reason_us = ask(rules, true, &yes);
    printf("{\"bindings\": %d, \"load_ms\": %.1f, \"question_us\": %.3f, \"reason_us\": %.3f, "
           "\"yes\": %.3f}\n",
           BINDINGS, load_ms, plain_us, reason_us, (double)yes / QUESTIONS);
    talloc_free(rules);
    talloc_free(problems);
    return 0;
}
