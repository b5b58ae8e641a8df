/* Manifests on their way to rules: what rbac_manifest.c collects and rbac_read.c links. Nobody else
   includes this. */
#ifndef APPROVALS_RBAC_MANIFEST_H
#define APPROVALS_RBAC_MANIFEST_H

#include "approvals/rbac_rules.h"
#include "base/tree.h"

#include <openssl/evp.h>

/* A Role or ClusterRole. */
struct role {
    const char *key; /* "namespace/name"; "/name" for a ClusterRole */
    const char *file;
    int line;
    struct rule *rules;
    size_t rule_count;
    const cJSON *labels;        /* a mapping of texts, or NULL */
    const cJSON *aggregates;    /* aggregationRule's selectors, or NULL: the rules are its own */
    bool visited;               /* while aggregating */
    const struct rule **linked; /* with what it aggregates; NULL: not asked for yet */
    UT_hash_handle hh;
};

/* A binding, before its role is found. */
struct bound {
    const char *key;
    struct binding *binding;
    const char *file;
    int line;
    UT_hash_handle hh;
};

struct reading {
    struct rbac *rbac; /* what lives as long as the rules hangs here */
    void *tmp;
    struct role *roles;
    struct bound *bindings;
    char *problems;
    const struct tree *tree; /* the document that is being read */
    const char *file;        /* the same, as long as the rules */
    EVP_MD_CTX *digest;      /* of the files so far */
    int files;
};

/* One document of r->tree: adds its role or binding, or those of its items; what is broken is told
   in r->problems and left out. */
void manifest_add(struct reading *r, const cJSON *document);

#endif
