/* The rules as the evaluator wants them: what rbac_read.c makes of the manifests and rbac.c asks.
   Of others only rules.c includes this, which counts who holds them. */
#ifndef APPROVALS_RBAC_RULES_H
#define APPROVALS_RBAC_RULES_H

#include "approvals/rbac.h"

#include <stddef.h>
#include <uthash.h>

/* One rule of a role. The lists are NULL-terminated. */
struct rule {
    const char **verbs, **api_groups, **resources;
    const char **names; /* resourceNames; empty: any */
    const char *role;   /* the role whose file it stands in: with aggregation not the bound one */
    const char *file;
    int line;
};

enum subject_kind { SUBJECT_USER, SUBJECT_GROUP, SUBJECT_ACCOUNT };

struct subject {
    enum subject_kind kind;
    const char *name;      /* as the manifest says it */
    const char *user_name; /* of an account: system:serviceaccount:NS:NAME; else = name */
};

struct binding {
    const char *namespace; /* "" for a ClusterRoleBinding */
    const char *name;
    bool to_cluster_role;
    const char *role_name;
    struct subject *subjects;
    size_t subject_count;
    const struct rule **rules; /* of the role and what it aggregates, NULL-terminated */
};

/* A namespace has a number, so that a search compares what stands in one place. 0 is "". */
struct space {
    const char *name;
    int number;
    UT_hash_handle hh;
};

/* One subject of one binding. */
struct grant {
    const struct binding *binding;
    const struct subject *subject;
    int space; /* of the binding */
};

/* What a user, or a group, is bound to: sorted by the binding's namespace, so that the cluster-wide
   ones come first and those of one team stand together. */
struct grants {
    const char *name;
    struct grant *items;
    size_t count;
    UT_hash_handle hh;
};

struct rbac {
    rbac_answer_fn *answer; /* the rules are elsewhere, and this asks for them; else NULL */
    void *answer_user;
    struct binding **bindings; /* in the order of the files */
    size_t binding_count;
    struct grants *users, *groups;
    struct space *spaces;
    char version[13]; /* or "kubernetes" */
    bool whole;
    int holders; /* rules.c counts them, under its lock */
};

#endif
