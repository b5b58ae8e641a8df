/* Kubernetes RBAC, evaluated as Kubernetes does (kubernetes.io/docs, "Using RBAC Authorization"):
   the union of what all bindings grant; nothing denies. */
#ifndef APPROVALS_RBAC_H
#define APPROVALS_RBAC_H

#include "base/error.h"

#include <stdbool.h>

struct rbac; /* immutable once read: threads share it (rules.h) */

struct rbac_question {
    const char *user;
    const char *const *groups; /* NULL-terminated, or NULL; system:authenticated is added by us */
    bool named_only;           /* unless this: who is only let in where the rules name them */
    const char *namespace;     /* the team; "" = all (cluster-wide) */
    const char *verb;
    const char *api_group;   /* "envbot.dev" */
    const char *resource;    /* "environments", … */
    const char *subresource; /* "" */
    const char *name;        /* the template; "" for none, or all of them */
};

/* Which rule it was:
     RoleBinding "payments/approvers" of ClusterRole "envbot-approver" to Group "slack:approvers"
     (roles.yaml:24)
   or what came nearest. UTF-8, also when it was too long and is cut. */
struct rbac_reason {
    char text[512];
};

/* Reads a manifest file, or every .yaml, .yml and .json of a folder, in the order of their names:
   Role, ClusterRole (with aggregationRule), RoleBinding, ClusterRoleBinding, List. What is broken
   grants nothing and is told in *problems ("file:line: …", a line each, ctx; "" when all is well);
   the rest works. Broken is a rule, a subject, or where it is not one of these, the whole manifest:
   unknown keys, kinds and API groups, missing names, a role that does not exist. Of two with one
   kind and name the later counts, as with kubectl apply, and that is told too. False only when the
   path cannot be read at all; then nothing is set but *problems. */
bool rbac_read(const void *ctx, const char *path, struct rbac **out, char **problems,
               struct error *err);

/* Which version of the rules this is: the first 12 hex digits of SHA-256 over the names, lengths
   and contents of its files, in the order of the names. */
const char *rbac_version(const struct rbac *rules);

/* False when a file of theirs could not be read, or was no YAML, or there was none at all: what was
   read may then be much less than what was meant. */
bool rbac_whole(const struct rbac *rules);

/* why may be NULL, which is faster for a no. */
bool rbac_allows(const struct rbac *rules, const struct rbac_question *question,
                 struct rbac_reason *why);

/* Rules that stand elsewhere: answer gets every question. Their version is "kubernetes". */
typedef bool rbac_answer_fn(void *user, const struct rbac_question *question,
                            struct rbac_reason *why);
struct rbac *rbac_asked(const void *ctx, rbac_answer_fn *answer, void *user);
/* Whether the rules can tell whom they name. Those that stand elsewhere cannot: rbac_subjects() of
   them is empty, which does not mean that there is nobody. */
bool rbac_can_name(const struct rbac *rules);

/* Whoever is named by the rules for this verb on this resource and name in the namespace, as
   "User slack:U1", "Group slack:approvers" …: NULL-terminated, ctx. */
const char **rbac_subjects(const void *ctx, const struct rbac *rules, const char *namespace,
                           const char *verb, const char *resource, const char *name);

#endif
