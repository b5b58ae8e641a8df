#include "approvals/rbac.h"

#include "base/text.h"
#include "base/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <talloc.h>

/* A Role or ClusterRole; its rules stay JSON: {verbs, apiGroups, resources, resourceNames}. */
struct role {
    const char *namespace; /* "" for a ClusterRole */
    const char *name;
    const cJSON *rules; /* array */
    const cJSON *labels, *aggregation;
};

struct binding {
    const char *namespace; /* "" for a ClusterRoleBinding */
    const char *name;
    bool to_cluster_role;
    const char *role_name;
    const cJSON *subjects;
    const char *file;
    int line;
    struct role **roles; /* resolved: the role, with what it aggregates; NULL-terminated */
};

struct rbac {
    struct role *roles;
    size_t role_count;
    struct binding *bindings;
    size_t binding_count;
};

struct reading {
    struct rbac *rbac;
    char *problems;
    const struct tree *tree;
};

static void problem(struct reading *r, const cJSON *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void problem(struct reading *r, const cJSON *node, const char *format, ...)
{
    r->problems = talloc_asprintf_append(r->problems, "%s:%d: ", r->tree->file,
                                         node ? tree_line(r->tree, node) : 1);
    va_list args;
    va_start(args, format);
    r->problems = talloc_vasprintf_append(r->problems, format, args);
    va_end(args);
    r->problems = talloc_strdup_append(r->problems, "\n");
}

static bool known_keys(struct reading *r, const cJSON *mapping, const char *const *known)
{
    size_t count = 0;
    while (known[count])
        count++;
    bool ok = true;
    const cJSON *each;
    cJSON_ArrayForEach(each, mapping)
    {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found = found || strcmp(known[i], each->string) == 0;
        if (found)
            continue;
        const char *near = text_nearest(each->string, known, count);
        problem(r, each, "%s is not a key of this%s%s%s", each->string,
                near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        ok = false;
    }
    return ok;
}

static bool is_text_list(const cJSON *list)
{
    const cJSON *each;
    cJSON_ArrayForEach(each, list) if (!cJSON_IsString(each)) return false;
    return cJSON_IsArray(list);
}

static bool check_rule(struct reading *r, const cJSON *rule)
{
    static const char *const keys[] = {"verbs",         "apiGroups",       "resources",
                                       "resourceNames", "nonResourceURLs", NULL};
    if (!cJSON_IsObject(rule)) {
        problem(r, rule, "a rule is a mapping with verbs, apiGroups and resources");
        return false;
    }
    bool ok = known_keys(r, rule, keys);
    if (cJSON_GetObjectItemCaseSensitive(rule, "nonResourceURLs")) {
        problem(r, rule, "nonResourceURLs means nothing to envbot: this rule is passed over");
        return false;
    }
    for (int i = 0; i < 3; i++) {
        const cJSON *list = cJSON_GetObjectItemCaseSensitive(rule, keys[i]);
        if (!is_text_list(list) || !list->child) {
            problem(r, rule, "a rule needs %s: a list of texts, not empty", keys[i]);
            ok = false;
        }
    }
    const cJSON *names = cJSON_GetObjectItemCaseSensitive(rule, "resourceNames");
    if (names && !is_text_list(names)) {
        problem(r, names, "resourceNames is a list of texts");
        ok = false;
    }
    return ok;
}

/* The rules that are in order, as a list of their own: what is broken grants nothing. */
static cJSON *sound_rules(struct reading *r, const cJSON *rules)
{
    cJSON *sound = json_array(r->rbac);
    const cJSON *each;
    cJSON_ArrayForEach(each, rules) if (check_rule(r, each))
        cJSON_AddItemToArray(sound, cJSON_Duplicate(each, true));
    return sound;
}

static const char *keep_text(struct reading *r, const cJSON *root, const char *path)
{
    return talloc_strdup(r->rbac, json_string_or_empty(root, path));
}

static void add_role(struct reading *r, const cJSON *document, bool cluster)
{
    static const char *const keys[] = {"apiVersion",      "kind", "metadata", "rules",
                                       "aggregationRule", NULL};
    known_keys(r, document, keys);
    const cJSON *rules = cJSON_GetObjectItemCaseSensitive(document, "rules");
    if (rules && !cJSON_IsArray(rules) && !cJSON_IsNull(rules)) {
        problem(r, rules, "rules is a list");
        return;
    }
    struct rbac *rbac = r->rbac;
    rbac->roles = talloc_realloc(rbac, rbac->roles, struct role, (unsigned)rbac->role_count + 1);
    const cJSON *labels = json_at(document, "metadata.labels");
    const cJSON *aggregation = json_at(document, "aggregationRule.clusterRoleSelectors");
    rbac->roles[rbac->role_count++] = (struct role){
        .namespace = cluster ? "" : keep_text(r, document, "metadata.namespace"),
        .name = keep_text(r, document, "metadata.name"),
        .rules = sound_rules(r, rules),
        .labels = labels ? json_own(rbac, cJSON_Duplicate(labels, true)) : NULL,
        .aggregation = aggregation ? json_own(rbac, cJSON_Duplicate(aggregation, true)) : NULL,
    };
}

static bool check_subject(struct reading *r, const cJSON *subject)
{
    static const char *const keys[] = {"kind", "name", "namespace", "apiGroup", NULL};
    const char *kind = json_string_or_empty(subject, "kind");
    const char *group = json_string_or_empty(subject, "apiGroup");
    bool account = strcmp(kind, "ServiceAccount") == 0;
    bool ok = known_keys(r, subject, keys);
    if (!account && strcmp(kind, "User") != 0 && strcmp(kind, "Group") != 0) {
        problem(r, subject, "a subject is a User, a Group or a ServiceAccount, not “%s”", kind);
        ok = false;
    } else if (account ? *group != '\0' : strcmp(group, "rbac.authorization.k8s.io") != 0) {
        problem(r, subject, "a %s has the apiGroup “%s”", kind,
                account ? "" : "rbac.authorization.k8s.io");
        ok = false;
    }
    if (!*json_string_or_empty(subject, "name")) {
        problem(r, subject, "a subject needs a name");
        ok = false;
    }
    if (account && !*json_string_or_empty(subject, "namespace")) {
        problem(r, subject, "a ServiceAccount needs its namespace");
        ok = false;
    }
    return ok;
}

static void add_binding(struct reading *r, const cJSON *document, bool cluster)
{
    static const char *const keys[] = {"apiVersion", "kind",    "metadata",
                                       "subjects",   "roleRef", NULL};
    static const char *const ref_keys[] = {"apiGroup", "kind", "name", NULL};
    known_keys(r, document, keys);
    const cJSON *ref = cJSON_GetObjectItemCaseSensitive(document, "roleRef");
    const char *kind = json_string_or_empty(ref, "kind");
    bool to_cluster = strcmp(kind, "ClusterRole") == 0;
    if (!ref || (!to_cluster && (cluster || strcmp(kind, "Role") != 0)) ||
        strcmp(json_string_or_empty(ref, "apiGroup"), "rbac.authorization.k8s.io") != 0 ||
        !known_keys(r, ref, ref_keys)) {
        problem(r, ref ? ref : document,
                "roleRef names a %sClusterRole with apiGroup rbac.authorization.k8s.io",
                cluster ? "" : "Role or ");
        return;
    }
    cJSON *subjects = json_array(r->rbac);
    const cJSON *each;
    cJSON_ArrayForEach(
        each, cJSON_GetObjectItemCaseSensitive(document, "subjects")) if (check_subject(r, each))
        cJSON_AddItemToArray(subjects, cJSON_Duplicate(each, true));
    struct rbac *rbac = r->rbac;
    rbac->bindings =
        talloc_realloc(rbac, rbac->bindings, struct binding, (unsigned)rbac->binding_count + 1);
    rbac->bindings[rbac->binding_count++] = (struct binding){
        .namespace = cluster ? "" : keep_text(r, document, "metadata.namespace"),
        .name = keep_text(r, document, "metadata.name"),
        .to_cluster_role = to_cluster,
        .role_name = keep_text(r, ref, "name"),
        .subjects = subjects,
        .file = talloc_strdup(rbac, r->tree->file),
        .line = tree_line(r->tree, ref),
    };
}

static void add_document(struct reading *r, const cJSON *document)
{
    const char *kind = json_string_or_empty(document, "kind");
    const char *version = json_string_or_empty(document, "apiVersion");
    bool cluster = strncmp(kind, "Cluster", 7) == 0;
    const char *plain = cluster ? kind + 7 : kind;
    if (strcmp(kind, "List") == 0 && strcmp(version, "v1") == 0) {
        const cJSON *each;
        cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(document, "items"))
            add_document(r, each);
    } else if (strcmp(plain, "Role") != 0 && strcmp(plain, "RoleBinding") != 0) {
        problem(r, document,
                "kind “%s” is none of Role, ClusterRole, RoleBinding, "
                "ClusterRoleBinding, List; it is passed over",
                kind);
    } else if (strcmp(version, "rbac.authorization.k8s.io/v1") != 0) {
        problem(r, document, "apiVersion must be rbac.authorization.k8s.io/v1, not “%s”", version);
    } else if (!*json_string_or_empty(document, "metadata.name")) {
        problem(r, document, "metadata.name is missing");
    } else if (!cluster && !*json_string_or_empty(document, "metadata.namespace")) {
        problem(r, document, "metadata.namespace is missing: it is the team");
    } else if (strcmp(plain, "Role") == 0) {
        add_role(r, document, cluster);
    } else {
        add_binding(r, document, cluster);
    }
}

static void read_one(struct reading *r, const char *path)
{
    void *tmp = talloc_new(NULL);
    struct tree *trees;
    int count;
    struct error err;
    if (!tree_read_file(tmp, path, &trees, &count, &err)) {
        r->problems = talloc_asprintf_append(r->problems, "%s\n", err.text);
    } else {
        for (int i = 0; i < count; i++) {
            r->tree = &trees[i];
            if (!cJSON_IsNull(trees[i].root))
                add_document(r, trees[i].root);
        }
    }
    talloc_free(tmp);
}

static bool is_manifest(const char *name)
{
    const char *dot = strrchr(name, '.');
    return *name != '.' && dot &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static bool read_folder(struct reading *r, const char *path, struct error *err)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        return error_set(err, ERROR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (is_manifest(entries[i]->d_name)) {
            char *file = talloc_asprintf(NULL, "%s/%s", path, entries[i]->d_name);
            read_one(r, file);
            talloc_free(file);
        }
        free(entries[i]);
    }
    free(entries);
    return true;
}

/* matchLabels only: an empty selector selects every ClusterRole, as in Kubernetes. */
static bool selects(const cJSON *selector, const struct role *role)
{
    const cJSON *each;
    if (json_at(selector, "matchExpressions"))
        return false;
    cJSON_ArrayForEach(each, json_at(selector, "matchLabels"))
    {
        const cJSON *label = cJSON_GetObjectItemCaseSensitive(role->labels, each->string);
        if (!cJSON_IsString(label) || !cJSON_IsString(each) ||
            strcmp(label->valuestring, each->valuestring) != 0)
            return false;
    }
    return true;
}

static void add_resolved(struct rbac *rbac, struct binding *binding, struct role *role)
{
    size_t count = talloc_array_length(binding->roles);
    binding->roles = talloc_realloc(rbac, binding->roles, struct role *, (unsigned)count + 1);
    binding->roles[count - 1] = role;
    binding->roles[count] = NULL;
}

static void resolve(struct reading *r, struct binding *binding)
{
    struct rbac *rbac = r->rbac;
    binding->roles = talloc_zero_array(rbac, struct role *, 1);
    struct role *found = NULL;
    for (size_t i = 0; i < rbac->role_count; i++) {
        struct role *role = &rbac->roles[i];
        const char *namespace = binding->to_cluster_role ? "" : binding->namespace;
        if (strcmp(role->name, binding->role_name) == 0 && strcmp(role->namespace, namespace) == 0)
            found = role;
    }
    if (!found) {
        r->problems = talloc_asprintf_append(
            r->problems, "%s:%d: there is no %s “%s”%s%s: this binding grants nothing\n",
            binding->file, binding->line, binding->to_cluster_role ? "ClusterRole" : "Role",
            binding->role_name, binding->to_cluster_role ? "" : " in ",
            binding->to_cluster_role ? "" : binding->namespace);
        return;
    }
    add_resolved(rbac, binding, found);
    const cJSON *selector;
    cJSON_ArrayForEach(selector, found->aggregation)
    {
        for (size_t i = 0; i < rbac->role_count; i++)
            if (!*rbac->roles[i].namespace && &rbac->roles[i] != found &&
                selects(selector, &rbac->roles[i]))
                add_resolved(rbac, binding, &rbac->roles[i]);
    }
}

bool rbac_read(const void *ctx, const char *path, struct rbac **out, char **problems,
               struct error *err)
{
    struct rbac *rbac = talloc_zero(ctx, struct rbac);
    struct reading r = {.rbac = rbac, .problems = talloc_strdup(ctx, "")};
    struct stat status;
    if (stat(path, &status) != 0)
        return error_set(err, ERROR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode)) {
        if (!read_folder(&r, path, err))
            return false;
    } else {
        read_one(&r, path);
    }
    for (size_t i = 0; i < rbac->binding_count; i++)
        resolve(&r, &rbac->bindings[i]);
    *out = rbac;
    *problems = r.problems;
    return true;
}

/* ---- the question ---- */

static bool list_has(const cJSON *list, const char *word)
{
    const cJSON *each;
    cJSON_ArrayForEach(each, list) if (strcmp(each->valuestring, word) == 0) return true;
    return false;
}

/* "*" , "resource", "resource/subresource", "*" + "/subresource": kubernetes' ResourceMatches. */
static bool resource_matches(const cJSON *resources, const char *resource, const char *subresource)
{
    const cJSON *each;
    size_t length = strlen(resource);
    cJSON_ArrayForEach(each, resources)
    {
        const char *rule = each->valuestring;
        if (strcmp(rule, "*") == 0)
            return true;
        if (!*subresource) {
            if (strcmp(rule, resource) == 0)
                return true;
            continue;
        }
        if (strncmp(rule, resource, length) == 0 && rule[length] == '/' &&
            strcmp(rule + length + 1, subresource) == 0)
            return true;
        if (strncmp(rule, "*/", 2) == 0 && strcmp(rule + 2, subresource) == 0)
            return true;
    }
    return false;
}

static bool rule_matches(const cJSON *rule, const struct rbac_question *q)
{
    const cJSON *verbs = json_at(rule, "verbs"), *groups = json_at(rule, "apiGroups");
    const cJSON *names = json_at(rule, "resourceNames");
    return (list_has(verbs, "*") || list_has(verbs, q->verb)) &&
           (list_has(groups, "*") || list_has(groups, q->api_group)) &&
           resource_matches(json_at(rule, "resources"), q->resource, q->subresource) &&
           (!names || !names->child || list_has(names, q->name));
}

static bool in_group(const struct rbac_question *q, const char *group)
{
    if (strcmp(group, "system:authenticated") == 0)
        return true;
    for (const char *const *each = q->groups; each && *each; each++)
        if (strcmp(*each, group) == 0)
            return true;
    return false;
}

static bool subject_matches(const cJSON *subject, const struct rbac_question *q)
{
    const char *kind = json_string_or_empty(subject, "kind");
    const char *name = json_string_or_empty(subject, "name");
    if (strcmp(kind, "User") == 0)
        return strcmp(name, q->user) == 0;
    if (strcmp(kind, "Group") == 0)
        return in_group(q, name);
    char account[512];
    snprintf(account, sizeof account, "system:serviceaccount:%s:%s",
             json_string_or_empty(subject, "namespace"), name);
    return strcmp(account, q->user) == 0;
}

static bool binding_grants(const struct binding *binding, const struct rbac_question *q)
{
    for (struct role **role = binding->roles; *role; role++) {
        const cJSON *rule;
        cJSON_ArrayForEach(rule, (*role)->rules) if (rule_matches(rule, q)) return true;
    }
    return false;
}

static const char *kind_of(const struct binding *binding)
{
    return *binding->namespace ? "RoleBinding" : "ClusterRoleBinding";
}

static void explain(const struct binding *binding, const cJSON *subject, struct rbac_reason *why)
{
    snprintf(why->text, sizeof why->text, "%s \"%s%s%s\" of %s \"%s\" to %s \"%s\"",
             kind_of(binding), binding->namespace, *binding->namespace ? "/" : "", binding->name,
             binding->to_cluster_role ? "ClusterRole" : "Role", binding->role_name,
             json_string_or_empty(subject, "kind"), json_string_or_empty(subject, "name"));
}

bool rbac_allows(const struct rbac *rules, const struct rbac_question *q, struct rbac_reason *why)
{
    struct rbac_reason unused;
    if (!why)
        why = &unused;
    snprintf(why->text, sizeof why->text, "no binding names this user or one of their groups");
    for (size_t i = 0; i < rules->binding_count; i++) {
        const struct binding *binding = &rules->bindings[i];
        if (*binding->namespace && strcmp(binding->namespace, q->namespace) != 0)
            continue;
        const cJSON *subject;
        cJSON_ArrayForEach(subject, binding->subjects)
        {
            if (!subject_matches(subject, q))
                continue;
            if (binding_grants(binding, q)) {
                explain(binding, subject, why);
                return true;
            }
            snprintf(why->text, sizeof why->text,
                     "%s \"%s\" names them, but \"%s\" has no rule for %s %s", kind_of(binding),
                     binding->name, binding->role_name, q->verb, q->resource);
        }
    }
    return false;
}

const char **rbac_subjects(const void *ctx, const struct rbac *rules, const char *namespace,
                           const char *verb, const char *resource, const char *name)
{
    struct rbac_question q = {.user = "",
                              .namespace = namespace,
                              .verb = verb,
                              .api_group = "envbot.dev",
                              .resource = resource,
                              .subresource = "",
                              .name = name};
    const char **list = talloc_zero_array(ctx, const char *, 1);
    unsigned count = 0;
    for (size_t i = 0; i < rules->binding_count; i++) {
        const struct binding *binding = &rules->bindings[i];
        if ((*binding->namespace && strcmp(binding->namespace, namespace) != 0) ||
            !binding_grants(binding, &q))
            continue;
        const cJSON *subject;
        cJSON_ArrayForEach(subject, binding->subjects)
        {
            char *text = talloc_asprintf(ctx, "%s %s", json_string_or_empty(subject, "kind"),
                                         json_string_or_empty(subject, "name"));
            bool known = false;
            for (unsigned k = 0; k < count; k++)
                known = known || strcmp(list[k], text) == 0;
            if (known)
                continue;
            list = talloc_realloc(ctx, list, const char *, count + 2);
            list[count++] = text;
            list[count] = NULL;
        }
    }
    return list;
}
