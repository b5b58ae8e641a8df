/* What Kubernetes would refuse (pkg/apis/rbac/validation) is refused here, and what it fills in
   (pkg/apis/rbac/v1/defaults.go: apiGroup of subjects and of roleRef) is filled in. */
#include "approvals/rbac_manifest.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>
#include <talloc.h>

static const char API_GROUP[] = "rbac.authorization.k8s.io";
static const char API_VERSION[] = "rbac.authorization.k8s.io/v1";

static void problem_at(struct reading *r, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void problem_at(struct reading *r, const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *words = talloc_vasprintf(r->tmp, format, args);
    va_end(args);
    r->problems = talloc_asprintf_append(r->problems, "%s:%d: %s\n", file, line, words);
}

static int line_of(const struct reading *r, const cJSON *node)
{
    int line = node ? tree_line(r->tree, node) : 0;
    return line ? line : 1;
}

/* Always false, so that a check can end with it. */
#define problem(r, node, ...) (problem_at((r), (r)->file, line_of((r), (node)), __VA_ARGS__), false)

static const cJSON *member(const cJSON *mapping, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(mapping, key);
}

static const char *text_of(const cJSON *mapping, const char *key)
{
    const cJSON *value = member(mapping, key);
    return cJSON_IsString(value) ? value->valuestring : "";
}

static const char *keep(struct reading *r, const char *text)
{
    return talloc_strdup(r->rbac, text);
}

/* ---- what all manifests have ---- */

static bool known_keys(struct reading *r, const cJSON *mapping, const char *const *known,
                       const char *what)
{
    size_t count = 0;
    while (known[count])
        count++;
    bool ok = true;
    const cJSON *each;
    cJSON_ArrayForEach (each, mapping) {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found = found || strcmp(known[i], each->string) == 0;
        if (found)
            continue;
        const char *near = text_nearest(each->string, known, count);
        ok = problem(r, each, "%s is not a key of %s%s%s%s", each->string, what,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return ok;
}

/* NULL or missing is an empty one. */
static bool is_list(struct reading *r, const cJSON *list, const char *key)
{
    if (!list || cJSON_IsNull(list) || cJSON_IsArray(list))
        return true;
    return problem(r, list, "%s is a list", key);
}

static bool is_mapping_of_texts(struct reading *r, const cJSON *mapping, const char *key)
{
    if (!mapping || cJSON_IsNull(mapping))
        return true;
    if (!cJSON_IsObject(mapping))
        return problem(r, mapping, "%s is a mapping", key);
    const cJSON *each;
    cJSON_ArrayForEach (each, mapping)
        if (!cJSON_IsString(each))
            return problem(r, each, "%s: %s is not a text; put it in quotes", key, each->string);
    return true;
}

/* Names of RBAC objects are one segment of a path (apimachinery, ValidatePathSegmentName). */
static bool is_name(const char *name)
{
    return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strpbrk(name, "/%");
}

static bool check_metadata(struct reading *r, const cJSON *document, bool cluster)
{
    /* What the API server adds is passed over, so that `kubectl get -o yaml` can be kept as it is.
     */
    static const char *const keys[] = {"name",
                                       "namespace",
                                       "labels",
                                       "annotations",
                                       "uid",
                                       "generation",
                                       "creationTimestamp",
                                       "managedFields",
                                       "selfLink",
                                       "resourceVersion",
                                       "finalizers",
                                       "ownerReferences",
                                       NULL};
    const cJSON *metadata = member(document, "metadata");
    if (!cJSON_IsObject(metadata))
        return problem(r, document, "metadata with a name is missing");
    if (!known_keys(r, metadata, keys, "metadata"))
        return false;
    if (!is_name(text_of(metadata, "name")))
        return problem(r, metadata, "metadata.name must be a text without / and %%");
    const char *namespace = text_of(metadata, "namespace");
    if (cluster && *namespace)
        return problem(r, metadata, "a %s has no namespace: it is for all teams",
                       text_of(document, "kind"));
    if (!cluster && !is_name(namespace))
        return problem(r, metadata, "metadata.namespace is missing: it is the team");
    return is_mapping_of_texts(r, member(metadata, "labels"), "metadata.labels") &&
           is_mapping_of_texts(r, member(metadata, "annotations"), "metadata.annotations");
}

static const char *key_of(struct reading *r, const cJSON *document)
{
    const cJSON *metadata = member(document, "metadata");
    return talloc_asprintf(r->tmp, "%s/%s", text_of(metadata, "namespace"),
                           text_of(metadata, "name"));
}

/* ---- roles ---- */

static bool is_text_list(const cJSON *list)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, list)
        if (!cJSON_IsString(each))
            return false;
    return cJSON_IsArray(list);
}

static const char **keep_list(struct reading *r, const cJSON *list)
{
    unsigned count = (unsigned)cJSON_GetArraySize(list), i = 0;
    const char **kept = talloc_array(r->rbac, const char *, count + 1);
    const cJSON *each;
    cJSON_ArrayForEach (each, list)
        kept[i++] = talloc_strdup(kept, each->valuestring);
    kept[i] = NULL;
    return kept;
}

static bool check_rule(struct reading *r, const cJSON *rule)
{
    static const char *const keys[] = {"verbs",         "apiGroups",       "resources",
                                       "resourceNames", "nonResourceURLs", NULL};
    if (!cJSON_IsObject(rule))
        return problem(r, rule, "a rule is a mapping with verbs, apiGroups and resources");
    if (!known_keys(r, rule, keys, "a rule"))
        return false;
    const cJSON *urls = member(rule, "nonResourceURLs");
    if (urls && !cJSON_IsNull(urls) && !(cJSON_IsArray(urls) && !urls->child))
        return problem(r, rule, "nonResourceURLs means nothing to envbot: this rule is ignored");
    bool ok = true;
    for (int i = 0; i < 3; i++) {
        const cJSON *list = member(rule, keys[i]);
        if (!is_text_list(list) || !list->child)
            ok = problem(r, rule, "a rule needs %s: a list of texts, not empty", keys[i]);
    }
    const cJSON *names = member(rule, "resourceNames");
    if (names && !cJSON_IsNull(names) && !is_text_list(names))
        ok = problem(r, names, "resourceNames is a list of texts");
    return ok;
}

static void read_rules(struct reading *r, struct role *role, const cJSON *rules, const char *name)
{
    role->rules = talloc_zero_array(r->rbac, struct rule, (unsigned)cJSON_GetArraySize(rules) + 1);
    const cJSON *each;
    cJSON_ArrayForEach (each, rules) {
        if (!check_rule(r, each))
            continue;
        role->rules[role->rule_count++] = (struct rule){
            .verbs = keep_list(r, member(each, "verbs")),
            .api_groups = keep_list(r, member(each, "apiGroups")),
            .resources = keep_list(r, member(each, "resources")),
            .names = keep_list(r, member(each, "resourceNames")),
            .role = name,
            .file = r->file,
            .line = line_of(r, each),
        };
    }
}

/* One of matchExpressions. */
static bool check_expression(struct reading *r, const cJSON *expression)
{
    static const char *const keys[] = {"key", "operator", "values", NULL};
    if (!cJSON_IsObject(expression) || !known_keys(r, expression, keys, "a matchExpression"))
        return problem(r, expression, "a matchExpression has key, operator and values");
    const char *word = text_of(expression, "operator");
    const cJSON *values = member(expression, "values");
    bool listed = strcmp(word, "In") == 0 || strcmp(word, "NotIn") == 0;
    bool existing = strcmp(word, "Exists") == 0 || strcmp(word, "DoesNotExist") == 0;
    if (!*text_of(expression, "key") || (!listed && !existing))
        return problem(r, expression,
                       "a matchExpression has a key and the operator In, NotIn, Exists or "
                       "DoesNotExist");
    if (listed ? !is_text_list(values) || !values->child : values && values->child)
        return problem(r, expression, "%s %s values", word, listed ? "needs" : "takes no");
    return true;
}

static bool check_aggregation(struct reading *r, const cJSON *aggregation)
{
    static const char *const keys[] = {"clusterRoleSelectors", NULL};
    static const char *const selector_keys[] = {"matchLabels", "matchExpressions", NULL};
    const cJSON *selectors = member(aggregation, "clusterRoleSelectors"), *each, *expression;
    if (!cJSON_IsObject(aggregation) || !known_keys(r, aggregation, keys, "aggregationRule"))
        return problem(r, aggregation, "aggregationRule has clusterRoleSelectors");
    if (!cJSON_IsArray(selectors) || !selectors->child)
        return problem(r, aggregation, "clusterRoleSelectors is a list, not empty");
    bool ok = true;
    cJSON_ArrayForEach (each, selectors) {
        const cJSON *expressions = member(each, "matchExpressions");
        ok = (cJSON_IsObject(each) || problem(r, each, "a selector is a mapping")) &&
             known_keys(r, each, selector_keys, "a selector") &&
             is_mapping_of_texts(r, member(each, "matchLabels"), "matchLabels") &&
             is_list(r, expressions, "matchExpressions") && ok;
        cJSON_ArrayForEach (expression, expressions)
            ok = check_expression(r, expression) && ok;
    }
    return ok;
}

static const cJSON *copy_tree(struct reading *r, const cJSON *node)
{
    return cJSON_IsObject(node) || cJSON_IsArray(node)
               ? json_own(r->tmp, cJSON_Duplicate(node, true))
               : NULL;
}

static void add_role(struct reading *r, const cJSON *document, bool cluster)
{
    static const char *const keys[] = {"apiVersion", "kind", "metadata", "rules", NULL};
    static const char *const cluster_keys[] = {"apiVersion",      "kind", "metadata", "rules",
                                               "aggregationRule", NULL};
    const cJSON *rules = member(document, "rules");
    const cJSON *aggregation = member(document, "aggregationRule");
    if (!known_keys(r, document, cluster ? cluster_keys : keys, text_of(document, "kind")) ||
        !check_metadata(r, document, cluster) || !is_list(r, rules, "rules"))
        return;
    if (aggregation && cJSON_IsNull(aggregation))
        aggregation = NULL;
    if (aggregation && !check_aggregation(r, aggregation))
        return;
    struct role *role = talloc_zero(r->tmp, struct role), *before;
    role->key = key_of(r, document);
    role->file = r->file;
    role->line = line_of(r, document);
    role->labels = copy_tree(r, json_at(document, "metadata.labels"));
    role->aggregates = copy_tree(r, member(aggregation, "clusterRoleSelectors"));
    /* The rules of an aggregated role are written by Kubernetes, over what stands there. */
    if (aggregation && rules && rules->child)
        (void)problem(r, rules,
                      "a ClusterRole with aggregationRule has no rules of its own: these "
                      "are ignored, as Kubernetes overwrites them");
    if (!aggregation)
        read_rules(r, role, rules, keep(r, text_of(member(document, "metadata"), "name")));
    HASH_FIND_STR(r->roles, role->key, before);
    if (before) {
        (void)problem(r, document, "%s %s stands at %s:%d too: this later one counts",
                      text_of(document, "kind"), role->key, before->file, before->line);
        HASH_DEL(r->roles, before);
    }
    HASH_ADD_KEYPTR(hh, r->roles, role->key, strlen(role->key), role);
}

/* ---- bindings ---- */

/* Missing is the right one. */
static bool right_group(const cJSON *mapping, const char *right)
{
    const cJSON *group = member(mapping, "apiGroup");
    return !group || cJSON_IsNull(group) ||
           (cJSON_IsString(group) && (!*group->valuestring || //
                                      strcmp(group->valuestring, right) == 0));
}

static bool check_subject(struct reading *r, const cJSON *subject, enum subject_kind *kind)
{
    static const char *const keys[] = {"kind", "name", "namespace", "apiGroup", NULL};
    static const char *const kinds[] = {"User", "Group", "ServiceAccount"};
    if (!cJSON_IsObject(subject))
        return problem(r, subject, "a subject is a mapping with kind and name");
    if (!known_keys(r, subject, keys, "a subject"))
        return false;
    const char *word = text_of(subject, "kind");
    for (*kind = SUBJECT_USER; *kind <= SUBJECT_ACCOUNT; (*kind)++)
        if (strcmp(word, kinds[*kind]) == 0)
            break;
    if (*kind > SUBJECT_ACCOUNT)
        return problem(r, subject, "a subject is a User, a Group or a ServiceAccount, not “%s”",
                       word);
    bool account = *kind == SUBJECT_ACCOUNT;
    if (!right_group(subject, account ? "" : API_GROUP))
        return problem(r, subject, "a %s has the apiGroup “%s”", word, account ? "" : API_GROUP);
    if (!*text_of(subject, "name"))
        return problem(r, subject, "a subject needs a name, as a text");
    return true;
}

/* A ServiceAccount without a namespace is of the binding's own one. */
static bool add_subject(struct reading *r, struct binding *binding, const cJSON *subject)
{
    enum subject_kind kind;
    if (!check_subject(r, subject, &kind))
        return false;
    const char *name = text_of(subject, "name"), *namespace = text_of(subject, "namespace");
    struct subject *kept = &binding->subjects[binding->subject_count];
    if (kind == SUBJECT_ACCOUNT && !*namespace)
    namespace = binding->namespace;
    if (kind == SUBJECT_ACCOUNT && !*namespace)
        return problem(r, subject, "a ServiceAccount needs its namespace");
    if (kind != SUBJECT_ACCOUNT && member(subject, "namespace") && *namespace)
        return problem(r, subject, "a %s has no namespace", text_of(subject, "kind"));
    kept->kind = kind;
    kept->name = keep(r, name);
    kept->user_name = kind == SUBJECT_ACCOUNT
                          ? talloc_asprintf(r->rbac, "system:serviceaccount:%s:%s", namespace, name)
                          : kept->name;
    binding->subject_count++;
    return true;
}

static bool check_reference(struct reading *r, const cJSON *document, bool cluster)
{
    static const char *const keys[] = {"apiGroup", "kind", "name", NULL};
    const cJSON *reference = member(document, "roleRef");
    if (!cJSON_IsObject(reference))
        return problem(r, document, "roleRef is missing");
    if (!known_keys(r, reference, keys, "roleRef"))
        return false;
    const char *kind = text_of(reference, "kind");
    if (strcmp(kind, "ClusterRole") != 0 && (cluster || strcmp(kind, "Role") != 0))
        return problem(r, reference, "roleRef of a %s names a %s, not “%s”",
                       text_of(document, "kind"), cluster ? "ClusterRole" : "Role or a ClusterRole",
                       kind);
    if (!right_group(reference, API_GROUP))
        return problem(r, reference, "roleRef has the apiGroup %s", API_GROUP);
    return is_name(text_of(reference, "name")) || problem(r, reference, "roleRef needs a name");
}

static void add_binding(struct reading *r, const cJSON *document, bool cluster)
{
    static const char *const keys[] = {"apiVersion", "kind",    "metadata",
                                       "subjects",   "roleRef", NULL};
    const cJSON *subjects = member(document, "subjects"), *each;
    const cJSON *metadata = member(document, "metadata"), *reference = member(document, "roleRef");
    if (!known_keys(r, document, keys, text_of(document, "kind")) ||
        !check_metadata(r, document, cluster) || !check_reference(r, document, cluster) ||
        !is_list(r, subjects, "subjects"))
        return;
    struct binding *binding = talloc_zero(r->rbac, struct binding);
    binding->namespace = keep(r, text_of(metadata, "namespace"));
    binding->name = keep(r, text_of(metadata, "name"));
    binding->to_cluster_role = strcmp(text_of(reference, "kind"), "ClusterRole") == 0;
    binding->role_name = keep(r, text_of(reference, "name"));
    binding->subjects =
        talloc_array(r->rbac, struct subject, (unsigned)cJSON_GetArraySize(subjects) + 1);
    cJSON_ArrayForEach (each, subjects)
        add_subject(r, binding, each);
    struct bound *bound = talloc_zero(r->tmp, struct bound), *before;
    bound->key = key_of(r, document);
    bound->binding = binding;
    bound->file = r->file;
    bound->line = line_of(r, reference);
    HASH_FIND_STR(r->bindings, bound->key, before);
    if (before) {
        (void)problem(r, document, "%s %s stands at %s:%d too: this later one counts",
                      text_of(document, "kind"), bound->key, before->file, before->line);
        HASH_DEL(r->bindings, before);
    }
    HASH_ADD_KEYPTR(hh, r->bindings, bound->key, strlen(bound->key), bound);
}

/* ---- documents ---- */

static void add_list(struct reading *r, const cJSON *list)
{
    static const char *const keys[] = {"apiVersion", "kind", "metadata", "items", NULL};
    const cJSON *items = member(list, "items"), *each;
    if (!known_keys(r, list, keys, "List") || !is_list(r, items, "items"))
        return;
    cJSON_ArrayForEach (each, items)
        manifest_add(r, each);
}

void manifest_add(struct reading *r, const cJSON *document)
{
    static const struct {
        const char *kind;
        void (*add)(struct reading *, const cJSON *, bool);
        bool cluster;
    } kinds[] = {{"Role", add_role, false},
                 {"ClusterRole", add_role, true},
                 {"RoleBinding", add_binding, false},
                 {"ClusterRoleBinding", add_binding, true}};
    const char *kind = text_of(document, "kind"), *version = text_of(document, "apiVersion");
    if (strcmp(kind, "List") == 0 && strcmp(version, "v1") == 0) {
        add_list(r, document);
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].kind, kind) != 0)
            continue;
        if (strcmp(version, API_VERSION) == 0)
            kinds[i].add(r, document, kinds[i].cluster);
        else
            (void)problem(r, document, "the apiVersion of a %s is %s, not “%s”", kind, API_VERSION,
                          version);
        return;
    }
    (void)problem(
        r, document,
        "kind “%s” is none of Role, ClusterRole, RoleBinding, ClusterRoleBinding, List: it "
        "is ignored",
        kind);
}
