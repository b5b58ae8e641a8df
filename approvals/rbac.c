/* The question, as pkg/registry/rbac and plugin/pkg/auth/authorizer/rbac of Kubernetes answer it.
 */
#include "approvals/rbac_rules.h"

#include <stdio.h>
#include <string.h>
#include <talloc.h>

static bool has(const char *const *list, const char *word)
{
    for (; *list; list++)
        if (strcmp(*list, word) == 0)
            return true;
    return false;
}

static bool has_or_star(const char *const *list, const char *word)
{
    return has(list, word) || has(list, "*");
}

/* "*", "resource", "resource/subresource", "*" "/subresource". A plain "*" takes sub-resources
   along; "resource" alone does not. */
static bool resource_matches(const char *const *resources, const char *resource,
                             const char *subresource)
{
    size_t length = strlen(resource);
    for (; *resources; resources++) {
        const char *rule = *resources;
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

static bool matches_but_name(const struct rule *rule, const struct rbac_question *q)
{
    return has_or_star(rule->verbs, q->verb) && has_or_star(rule->api_groups, q->api_group) &&
           resource_matches(rule->resources, q->resource, q->subresource);
}

/* A question without a name (create of something unnamed, list) is about all of them: a rule for
   some does not answer it. There is no "*" among names, and an empty one is the name of what has
   none, as for Kubernetes. */
static bool name_matches(const struct rule *rule, const struct rbac_question *q)
{
    return !*rule->names || has(rule->names, q->name);
}

static const struct rule *granting_rule(const struct binding *binding,
                                        const struct rbac_question *q)
{
    for (const struct rule **rule = binding->rules; *rule; rule++)
        if (matches_but_name(*rule, q) && name_matches(*rule, q))
            return *rule;
    return NULL;
}

/* ---- what is said about it ---- */

/* How near a no was to a yes; the nearest is told. */
enum near { NEAR_NOTHING, NEAR_ROLE, NEAR_TEAM, NEAR_NAME };

struct answer {
    int space;               /* the number of the question's namespace */
    struct rbac_reason *why; /* NULL: nobody wants to know */
    enum near near;
};

/* Sets the text; where it is too long it ends at a character's boundary. */
static void tell(struct rbac_reason *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(struct rbac_reason *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    if (length < (int)sizeof why->text)
        return;
    size_t end = sizeof why->text - 1;
    while (end > 0 && ((unsigned char)why->text[end - 1] & 0xC0) == 0x80)
        end--;
    why->text[end ? end - 1 : 0] = '\0';
}

static const char *binding_kind(const struct binding *binding)
{
    return *binding->namespace ? "RoleBinding" : "ClusterRoleBinding";
}

static const char *role_kind(const struct binding *binding)
{
    return binding->to_cluster_role ? "ClusterRole" : "Role";
}

static const char *subject_kind_name(enum subject_kind kind)
{
    static const char *const names[] = {"User", "Group", "ServiceAccount"};
    return names[kind];
}

static void tell_grant(struct rbac_reason *why, const struct grant *grant, const struct rule *rule)
{
    const struct binding *b = grant->binding;
    bool own = strcmp(rule->role, b->role_name) == 0;
    const char *slash = strrchr(rule->file, '/');
    tell(why, "%s \"%s%s%s\" of %s \"%s\"%s%s%s to %s \"%s\" (%s:%d)", binding_kind(b),
         b->namespace, *b->namespace ? "/" : "", b->name, role_kind(b), b->role_name,
         own ? "" : ", which takes in \"", own ? "" : rule->role, own ? "" : "\",",
         subject_kind_name(grant->subject->kind), grant->subject->name,
         slash ? slash + 1 : rule->file, rule->line);
}

static void tell_names(struct rbac_reason *why, const struct binding *b, const struct rule *rule,
                       const struct rbac_question *q)
{
    char list[256] = "";
    size_t used = 0;
    for (const char **name = rule->names; *name; name++) {
        int more = snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *name);
        if (more < 0 || used + (size_t)more >= sizeof list) {
            list[used] = '\0';
            break;
        }
        used += (size_t)more;
    }
    tell(why, "%s \"%s\" of %s \"%s\" allows to %s %s, but only of %s", binding_kind(b), b->name,
         role_kind(b), b->role_name, q->verb, q->resource, list);
}

/* A binding that names them and does not grant: keeps it when nothing nearer was met. */
static void note_near(struct answer *answer, const struct grant *grant,
                      const struct rbac_question *q)
{
    const struct binding *b = grant->binding;
    const char *ns = b->namespace;
    if (*ns && strcmp(ns, q->namespace) != 0) {
        if (answer->near >= NEAR_TEAM || !granting_rule(b, q))
            return;
        answer->near = NEAR_TEAM;
        tell(answer->why, "RoleBinding \"%s/%s\" of %s \"%s\" allows it, but only in %s", ns,
             b->name, role_kind(b), b->role_name, ns);
        return;
    }
    for (const struct rule **rule = b->rules; *rule && answer->near < NEAR_NAME; rule++) {
        if (!matches_but_name(*rule, q))
            continue;
        answer->near = NEAR_NAME;
        tell_names(answer->why, b, *rule, q);
    }
    if (answer->near >= NEAR_ROLE)
        return;
    answer->near = NEAR_ROLE;
    tell(answer->why, "%s \"%s\" names them, but %s \"%s\" has no rule for %s of %s",
         binding_kind(b), b->name, role_kind(b), b->role_name, q->verb, q->resource);
}

/* ---- the search ---- */

/* The number of a namespace; -1: no binding is of it. */
static int space_of(const struct rbac *rules, const char *namespace)
{
    const struct space *space;
    HASH_FIND_STR(rules->spaces, namespace, space);
    return space ? space->number : -1;
}

/* The first grant whose namespace is not before this one. */
static size_t lower_bound(const struct grants *grants, int space)
{
    size_t low = 0, high = grants->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (grants->items[middle].space < space)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool granted_in(const struct grants *grants, int space, const struct rbac_question *q,
                       struct answer *answer)
{
    for (size_t i = lower_bound(grants, space); i < grants->count; i++) {
        const struct grant *grant = &grants->items[i];
        if (grant->space != space)
            return false;
        const struct rule *rule = granting_rule(grant->binding, q);
        if (!rule)
            continue;
        if (answer->why)
            tell_grant(answer->why, grant, rule);
        return true;
    }
    return false;
}

static bool granted(const struct grants *table, const char *name, const struct rbac_question *q,
                    struct answer *answer)
{
    const struct grants *grants;
    HASH_FIND_STR(table, name, grants);
    if (!grants)
        return false;
    return granted_in(grants, 0, q, answer) ||
           (answer->space > 0 && granted_in(grants, answer->space, q, answer));
}

static void note_nearest(const struct grants *table, const char *name,
                         const struct rbac_question *q, struct answer *answer)
{
    const struct grants *grants;
    HASH_FIND_STR(table, name, grants);
    for (size_t i = 0; grants && i < grants->count; i++)
        note_near(answer, &grants->items[i], q);
}

/* A no is explained when it is known to be one. */
static void explain(const struct rbac *rules, const struct rbac_question *q, struct answer *answer)
{
    tell(answer->why, "no binding names this user or one of their groups");
    note_nearest(rules->users, q->user, q, answer);
    if (!q->named_only)
        note_nearest(rules->groups, "system:authenticated", q, answer);
    for (const char *const *group = q->groups; group && *group; group++)
        note_nearest(rules->groups, *group, q, answer);
}

const char *rbac_version(const struct rbac *rules)
{
    return rules->version;
}

bool rbac_whole(const struct rbac *rules)
{
    return rules->whole;
}

struct rbac *rbac_asked(const void *ctx, rbac_answer_fn *answer, void *user)
{
    struct rbac *rules = talloc_zero(ctx, struct rbac);
    rules->answer = answer;
    rules->answer_user = user;
    rules->whole = true;
    snprintf(rules->version, sizeof rules->version, "kubernetes");
    return rules;
}

bool rbac_can_name(const struct rbac *rules)
{
    return !rules->answer;
}

bool rbac_allows(const struct rbac *rules, const struct rbac_question *q, struct rbac_reason *why)
{
    if (rules->answer)
        return rules->answer(rules->answer_user, q, why);
    struct answer answer = {.space = space_of(rules, q->namespace), .why = why};
    if (granted(rules->users, q->user, q, &answer) ||
        (!q->named_only && granted(rules->groups, "system:authenticated", q, &answer)))
        return true;
    for (const char *const *group = q->groups; group && *group; group++)
        if (granted(rules->groups, *group, q, &answer))
            return true;
    if (why)
        explain(rules, q, &answer);
    return false;
}

static void add_once(const void *ctx, const char ***list, unsigned *count, char *text)
{
    for (unsigned i = 0; i < *count; i++)
        if (strcmp((*list)[i], text) == 0)
            return;
    *list = talloc_realloc(ctx, *list, const char *, *count + 2);
    (*list)[(*count)++] = text;
    (*list)[*count] = NULL;
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
        const struct binding *b = rules->bindings[i];
        if ((*b->namespace && strcmp(b->namespace, namespace) != 0) || !granting_rule(b, &q))
            continue;
        for (size_t s = 0; s < b->subject_count; s++)
            add_once(ctx, &list, &count,
                     talloc_asprintf(ctx, "%s %s", subject_kind_name(b->subjects[s].kind),
                                     b->subjects[s].kind == SUBJECT_ACCOUNT
                                         ? b->subjects[s].user_name
                                         : b->subjects[s].name));
    }
    return list;
}
