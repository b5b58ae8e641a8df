/* Files to manifests, and manifests to rules: finds each binding's role, puts together the
   aggregated ones, and sorts by subject. */
#include "approvals/rbac_manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <talloc.h>

static char *read_text(const void *ctx, const char *path, size_t *length, struct error *err)
{
    FILE *file = fopen(path, "re");
    char *text = talloc_array(ctx, char, 4096);
    bool ok = file != NULL;
    for (*length = 0; ok && !feof(file);) {
        size_t room = talloc_array_length(text);
        if (room - *length < 2048)
            text = talloc_realloc(ctx, text, char, (unsigned)(room *= 2));
        *length += fread(text + *length, 1, room - *length, file);
        ok = !ferror(file);
    }
    if (!ok)
        error_set(err, ERROR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
    if (file)
        fclose(file);
    return ok ? text : NULL;
}

/* What the rules are called after: with names and lengths nothing can move from one file to the
   next unseen. */
static void digest_file(struct reading *r, const char *path, const char *text, size_t length)
{
    const char *slash = strrchr(path, '/');
    char *head = talloc_asprintf(r->tmp, "%s %zu\n", slash ? slash + 1 : path, length);
    EVP_DigestUpdate(r->digest, head, strlen(head));
    EVP_DigestUpdate(r->digest, text, length);
}

static void read_one(struct reading *r, const char *path)
{
    void *file = talloc_new(NULL);
    struct tree *trees;
    int count = 0;
    size_t length;
    struct error err;
    char *text = read_text(file, path, &length, &err);
    if (text)
        digest_file(r, path, text, length);
    if (!text || !tree_read_text(file, path, text, length, &trees, &count, &err)) {
        r->problems = talloc_asprintf_append(r->problems, "%s\n", err.text);
        r->rbac->whole = false;
        count = 0;
    }
    r->files++;
    for (int i = 0; i < count; i++) {
        r->tree = &trees[i];
        r->file = talloc_strdup(r->rbac, path);
        if (trees[i].root && !cJSON_IsNull(trees[i].root))
            manifest_add(r, trees[i].root);
    }
    talloc_free(file);
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
        if (is_manifest(entries[i]->d_name))
            read_one(r, talloc_asprintf(r->tmp, "%s/%s", path, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return true;
}

/* ---- aggregation ---- */

static const char *label_of(const struct role *role, const char *key)
{
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(role->labels, key);
    return cJSON_IsString(label) ? label->valuestring : NULL;
}

/* One of matchExpressions. NotIn and DoesNotExist also select what has no such label. */
static bool expression_holds(const cJSON *expression, const struct role *role)
{
    const char *label = label_of(role, json_string_or_empty(expression, "key"));
    const char *word = json_string_or_empty(expression, "operator");
    const cJSON *each;
    bool among = false;
    if (strcmp(word, "Exists") == 0)
        return label != NULL;
    if (strcmp(word, "DoesNotExist") == 0)
        return label == NULL;
    cJSON_ArrayForEach (each, cJSON_GetObjectItemCaseSensitive(expression, "values")) {
        among = among || (label && strcmp(each->valuestring, label) == 0);
    }
    return strcmp(word, "In") == 0 ? among : !among;
}

/* All conditions together; an empty selector selects every ClusterRole. */
static bool selects(const cJSON *selector, const struct role *role)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, json_at(selector, "matchLabels")) {
        const char *label = label_of(role, each->string);
        if (!label || strcmp(label, each->valuestring) != 0)
            return false;
    }
    cJSON_ArrayForEach (each, json_at(selector, "matchExpressions")) {
        if (!expression_holds(each, role))
            return false;
    }
    return true;
}

static bool is_cluster_role(const struct role *role)
{
    return *role->key == '/';
}

static void add_rule(struct reading *r, const struct rule ***rules, size_t *count,
                     const struct rule *rule)
{
    *rules = talloc_realloc(r->rbac, *rules, const struct rule *, (unsigned)*count + 2);
    (*rules)[(*count)++] = rule;
    (*rules)[*count] = NULL;
}

/* The role's rules, or those of all that it aggregates, which may aggregate in turn. Each role is
   visited once, so circles end. */
static void collect(struct reading *r, struct role *role, const struct rule ***rules, size_t *count)
{
    role->visited = true;
    for (size_t i = 0; i < role->rule_count; i++)
        add_rule(r, rules, count, &role->rules[i]);
    const cJSON *selector;
    cJSON_ArrayForEach (selector, role->aggregates) {
        for (struct role *each = r->roles; each; each = each->hh.next)
            if (is_cluster_role(each) && !each->visited && selects(selector, each))
                collect(r, each, rules, count);
    }
}

/* ---- bindings ---- */

static void link_binding(struct reading *r, struct bound *bound)
{
    struct binding *binding = bound->binding;
    const char *namespace = binding->to_cluster_role ? "" : binding->namespace;
    char *key = talloc_asprintf(r->tmp, "%s/%s", namespace, binding->role_name);
    struct role *role;
    HASH_FIND_STR(r->roles, key, role);
    if (!role) {
        r->problems = talloc_asprintf_append(
            r->problems, "%s:%d: there is no %s “%s”%s%s: %s “%s” grants nothing\n", bound->file,
            bound->line, binding->to_cluster_role ? "ClusterRole" : "Role", binding->role_name,
            *namespace ? " in " : "", namespace,
            *binding->namespace ? "RoleBinding" : "ClusterRoleBinding", binding->name);
        return;
    }
    if (!role->linked) {
        size_t count = 0;
        for (struct role *each = r->roles; each; each = each->hh.next)
            each->visited = false;
        role->linked = talloc_zero_array(r->rbac, const struct rule *, 1);
        collect(r, role, &role->linked, &count);
    }
    binding->rules = role->linked;
    struct rbac *rbac = r->rbac;
    rbac->bindings[rbac->binding_count++] = binding;
}

/* ---- by subject ---- */

static int space_of(struct rbac *rbac, const char *namespace)
{
    struct space *space;
    HASH_FIND_STR(rbac->spaces, namespace, space);
    if (!space) {
        space = talloc_zero(rbac, struct space);
        space->name = namespace;
        space->number = (int)HASH_COUNT(rbac->spaces);
        HASH_ADD_KEYPTR(hh, rbac->spaces, space->name, strlen(namespace), space);
    }
    return space->number;
}

static void add_grant(struct rbac *rbac, struct grants **table, const char *name, int space,
                      const struct binding *binding, const struct subject *subject)
{
    struct grants *grants;
    HASH_FIND_STR(*table, name, grants);
    if (!grants) {
        grants = talloc_zero(rbac, struct grants);
        grants->name = name;
        HASH_ADD_KEYPTR(hh, *table, grants->name, strlen(name), grants);
    }
    size_t room = talloc_array_length(grants->items);
    if (grants->count == room)
        grants->items =
            talloc_realloc(grants, grants->items, struct grant, (unsigned)(room ? room * 2 : 2));
    grants->items[grants->count++] = (struct grant){binding, subject, space};
}

static int by_space(const void *left, const void *right)
{
    const struct grant *a = left, *b = right;
    return a->space != b->space ? (a->space > b->space) - (a->space < b->space)
                                : strcmp(a->binding->name, b->binding->name);
}

static void sort_grants(struct grants *table)
{
    for (struct grants *each = table; each; each = each->hh.next)
        qsort(each->items, each->count, sizeof *each->items, by_space);
}

static void index_subjects(struct rbac *rbac)
{
    (void)space_of(rbac, ""); /* the first */
    for (size_t i = 0; i < rbac->binding_count; i++) {
        const struct binding *binding = rbac->bindings[i];
        int space = space_of(rbac, binding->namespace);
        for (size_t s = 0; s < binding->subject_count; s++) {
            const struct subject *subject = &binding->subjects[s];
            add_grant(rbac, subject->kind == SUBJECT_GROUP ? &rbac->groups : &rbac->users,
                      subject->user_name, space, binding, subject);
        }
    }
    sort_grants(rbac->users);
    sort_grants(rbac->groups);
}

/* uthash's tables are not talloc's. */
static int free_tables(struct rbac *rbac)
{
    HASH_CLEAR(hh, rbac->users);
    HASH_CLEAR(hh, rbac->groups);
    HASH_CLEAR(hh, rbac->spaces);
    return 0;
}

static void link_all(struct reading *r)
{
    struct rbac *rbac = r->rbac;
    rbac->bindings = talloc_array(rbac, struct binding *, HASH_COUNT(r->bindings) + 1);
    for (struct bound *each = r->bindings; each; each = each->hh.next)
        link_binding(r, each);
    index_subjects(rbac);
    HASH_CLEAR(hh, r->bindings);
    HASH_CLEAR(hh, r->roles);
}

static void name_version(struct reading *r)
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_DigestFinal_ex(r->digest, digest, NULL);
    EVP_MD_CTX_free(r->digest);
    for (size_t i = 0; i < (sizeof r->rbac->version - 1) / 2; i++)
        snprintf(r->rbac->version + 2 * i, 3, "%02x", digest[i]);
}

bool rbac_read(const void *ctx, const char *path, struct rbac **out, char **problems,
               struct error *err)
{
    struct stat status;
    *problems = talloc_strdup(ctx, "");
    if (stat(path, &status) != 0)
        return error_set(err, ERROR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
    struct rbac *rbac = talloc_zero(ctx, struct rbac);
    struct reading r = {
        .rbac = rbac, .tmp = talloc_new(NULL), .problems = *problems, .digest = EVP_MD_CTX_new()};
    talloc_set_destructor(rbac, free_tables);
    EVP_DigestInit_ex(r.digest, EVP_sha256(), NULL);
    rbac->whole = true;
    bool ok = true;
    if (S_ISDIR(status.st_mode))
        ok = read_folder(&r, path, err);
    else
        read_one(&r, path);
    if (ok && r.files == 0) {
        rbac->whole = false;
        r.problems = talloc_asprintf_append(
            r.problems, "%s: there is no .yaml, .yml or .json file, so nobody may do anything\n",
            path);
    }
    link_all(&r);
    name_version(&r);
    *problems = r.problems;
    talloc_free(r.tmp);
    if (!ok) {
        talloc_free(rbac);
        return false;
    }
    *out = rbac;
    return true;
}
