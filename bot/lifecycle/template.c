#include "lifecycle/template.h"

#include "base/duration.h"
#include "base/text.h"
#include "base/tree.h"
#include "lifecycle/schedule.h"
#include "lifecycle/template_reading.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

void template_problem(struct template_reading *r, const cJSON *node, const char *format, ...)
{
    *r->problems = talloc_asprintf_append(*r->problems, "%s:%d: ", r->tree->file,
                                          node ? tree_line(r->tree, node) : 1);
    va_list args;
    va_start(args, format);
    *r->problems = talloc_vasprintf_append(*r->problems, format, args);
    va_end(args);
    *r->problems = talloc_strdup_append(*r->problems, "\n");
}

void template_known_keys(struct template_reading *r, const cJSON *mapping, const char *const *known,
                         size_t count)
{
    const cJSON *each;
    if (mapping && !cJSON_IsObject(mapping)) {
        template_problem(r, mapping, "a mapping is wanted here");
        return;
    }
    cJSON_ArrayForEach (each, mapping) {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found = found || strcmp(known[i], each->string) == 0;
        if (found)
            continue;
        const char *near = text_nearest(each->string, known, count);
        template_problem(r, each, "%s is not a key of this%s%s%s", each->string,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
}

static bool one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static cJSON *typed_value(const void *ctx, const cJSON *p, const char *given, struct error *err);

/* A default has to be what a person could have typed. */
static bool default_fits(const void *ctx, const cJSON *parameter, struct error *err)
{
    const cJSON *value = json_at(parameter, "default");
    cJSON *typed = typed_value(
        ctx, parameter, cJSON_IsString(value) ? value->valuestring : json_text(ctx, value), err);
    bool fits = cJSON_Compare(typed, value, true);
    if (typed && !fits)
        error_set(err, ERROR_CONFIG, "it is not of the type %s", json_string(parameter, "type"));
    cJSON_Delete(typed);
    return fits;
}

static void check_parameter(struct template_reading *r, const cJSON *parameter)
{
    static const char *const keys[] = {"type",  "min",         "max",     "choices", "default",
                                       "title", "description", "pattern", "length"};
    static const char *const types[] = {"integer", "choice", "string", "boolean"};
    template_known_keys(r, parameter, keys, sizeof keys / sizeof *keys);
    static const char *const taken[] = {"cluster", "region", "tags",   "role",    "ttl",
                                        "team",    "set",    "reason", "dry-run", "break-glass"};
    const char *type = json_string_or_empty(parameter, "type");
    const cJSON *otherwise = json_at(parameter, "default");
    struct error err;
    if (one_of(parameter->string, taken, sizeof taken / sizeof *taken))
        template_problem(r, parameter,
                         "%s means something else already: give the parameter another name",
                         parameter->string);
    if (!one_of(type, types, 4))
        template_problem(r, parameter, "the type of %s is one of integer, choice, string, boolean",
                         parameter->string);
    else if (strcmp(type, "choice") == 0 && !cJSON_GetArraySize(json_at(parameter, "choices")))
        template_problem(r, parameter, "%s needs its choices", parameter->string);
    else if (!otherwise)
        template_problem(r, parameter, "%s needs a default", parameter->string);
    else if (!default_fits(r->ctx, parameter, &err))
        template_problem(r, otherwise, "the default of %s: %s", parameter->string, err.text);
}

static int64_t time_of(struct template_reading *r, const cJSON *ttl, const char *key,
                       int64_t otherwise)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(ttl, key);
    int64_t seconds = otherwise;
    struct error err;
    if (!node)
        return otherwise;
    if (!cJSON_IsString(node))
        template_problem(r, node, "ttl.%s is a length of time, like 8h", key);
    else if (!duration_parse(node->valuestring, &seconds, &err))
        template_problem(r, node, "ttl.%s: %s", key, err.text);
    return seconds;
}

static const char **text_list_of(struct template_reading *r, const void *ctx, const cJSON *list,
                                 const char *what)
{
    int count = cJSON_GetArraySize(list);
    const char **texts = talloc_zero_array(ctx, const char *, (unsigned)count + 1);
    const cJSON *each;
    int used = 0;
    cJSON_ArrayForEach (each, list) {
        if (cJSON_IsString(each))
            texts[used++] = talloc_strdup(ctx, each->valuestring);
        else if (r)
            template_problem(r, each, "%s: texts are wanted here", what);
    }
    return texts;
}

struct template_limits template_limits = {.default_ttl = 8 * 3600, .max_ttl = 7 * 86400};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Fills t from its source; r is NULL for a copy that was checked when it was made. */
static void read_template(struct template_reading *r, const void *ctx, struct template *t)
{
    struct template_reading quiet = {.problems = NULL};
    const cJSON *source = t->source;
    const cJSON *read = r ? r->tree->root : source; /* knows the lines */
    const cJSON *ttl = json_at(read, "ttl");
    char *unused = talloc_strdup(ctx, "");
    quiet.problems = &unused;
    t->title = json_string(source, "title") ? json_string(source, "title") : t->name;
    t->description = json_string_or_empty(source, "description");
    t->parameters = json_at(source, "parameters");
    if (!cJSON_IsObject(t->parameters)) /* told by check_template */
        t->parameters = NULL;
    t->regions = text_list_of(r, ctx, json_at(read, "regions"), "regions");
    static const struct tree no_tree = {.file = ""};
    quiet.tree = &no_tree;
    struct template_reading *to = r ? r : &quiet;
    int64_t usual = time_of(to, ttl, "default", template_limits.default_ttl);
    int64_t most =
        time_of(to, ttl, "max", json_at(ttl, "default") ? usual : template_limits.max_ttl);
    int64_t ceiling = time_of(to, ttl, "ceiling", most);
    if (json_at(ttl, "default") && (usual > most || most > ceiling))
        template_problem(to, ttl, "ttl: default is at most max, max at most ceiling");
    t->ttl_max = smaller(most, template_limits.max_ttl);
    t->ttl_default = smaller(usual, t->ttl_max);
    t->ttl_ceiling = ceiling;
}

/* Whether the zone is known PostgreSQL says, later. */
static void check_sleep(struct template_reading *r, const cJSON *sleep, const cJSON *cluster)
{
    static const char *const keys[] = {"at", "wake", "days", "zone"};
    struct schedule schedule;
    struct error err;
    template_known_keys(r, sleep, keys, 4);
    if (!cJSON_IsObject(sleep))
        return;
    if (!schedule_parse(sleep, &schedule, &err))
        template_problem(r, sleep, "sleep: %s", err.text);
    if (!json_at(cluster, "managedNodeGroups.0"))
        template_problem(r, sleep, "sleep: it has no managed node groups that could sleep");
}

static void check_template(struct template_reading *r, const struct template *t)
{
    static const char *const keys[] = {"title", "description", "order",   "parameters", "regions",
                                       "ttl",   "approval",    "cluster", "sleep"};
    static const char *const ttl_keys[] = {"default", "max", "ceiling"};
    const cJSON *source = r->tree->root, *each;
    const cJSON *parameters = json_at(source, "parameters");
    template_known_keys(r, source, keys, sizeof keys / sizeof *keys);
    if (parameters && !cJSON_IsNull(parameters) && !cJSON_IsObject(parameters)) {
        template_problem(r, parameters, "parameters is a mapping: {nodes: {type: integer, …}}");
        return;
    }
    template_known_keys(r, json_at(source, "ttl"), ttl_keys, 3);
    cJSON_ArrayForEach (each, parameters)
        check_parameter(r, each);
    check_sleep(r, json_at(source, "sleep"), json_at(source, "cluster"));
    template_check_approval(r, json_at(source, "approval"));
    if (json_at(source, "order") && !cJSON_IsNumber(json_at(source, "order")))
        template_problem(r, json_at(source, "order"), "order is a number: the place in the lists");
    if (!t->regions[0])
        template_problem(r, source, "regions is missing: a list with at least one");
    if (!cJSON_IsObject(json_at(source, "cluster"))) {
        template_problem(r, source, "cluster is missing: a ClusterConfig with holes");
        return;
    }
    cJSON *holes = tree_holes(r->ctx, json_at(source, "cluster"));
    const char *known[64] = {"cluster", "region", "tags", "role"};
    size_t count = 4;
    cJSON_ArrayForEach (each, parameters)
        if (count < 64)
            known[count++] = each->string;
    cJSON_ArrayForEach (each, holes) {
        if (one_of(each->valuestring, known, count))
            continue;
        const char *near = text_nearest(each->valuestring, known, count);
        template_problem(
            r, json_at(source, "cluster"),
            "${%s} is neither a parameter nor one of cluster, region, tags, role%s%s%s",
            each->valuestring, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
}

/* Renders with the defaults and prices it: what is wrong shows now, not at the first request. */
static void try_defaults(struct template_reading *r, const struct template_set *set,
                         const struct template *t)
{
    struct error err;
    struct template_resources resources;
    cJSON *none = json_object(r->ctx);
    static const char *const roles[] = {"", "arn:aws:iam::111122223333:role/try-it"};
    cJSON *values = template_values(r->ctx, t, none, &err);
    bool ok = values != NULL;
    for (int i = 0; ok && i < 2; i++) {
        struct template_target target = {"try-it", t->regions[0], none, roles[i]};
        cJSON *config = template_render(r->ctx, t, values, &target, &err);
        ok = config && template_resources(set, config, t->regions[0], &resources, &err);
    }
    if (!ok)
        template_problem(r, json_at(r->tree->root, "cluster"), "with its defaults: %s", err.text);
}

static void add_template(const void *ctx, struct template_set *set, const char *path,
                         const char *name, char **problems)
{
    void *tmp = talloc_new(NULL);
    struct tree *trees;
    int count;
    struct error err;
    if (!tree_read_file(tmp, path, &trees, &count, &err)) {
        *problems = talloc_asprintf_append(*problems, "%s\n", err.text);
    } else if (count != 1 || !cJSON_IsObject(trees[0].root)) {
        *problems = talloc_asprintf_append(*problems, "%s:1: one mapping is wanted here\n", path);
    } else {
        set->items = talloc_realloc(ctx, set->items, struct template, (unsigned)set->count + 1);
        struct template *t = &set->items[set->count++];
        memset(t, 0, sizeof *t);
        t->name = talloc_strdup(ctx, name);
        t->source = json_own(ctx, cJSON_Duplicate(trees[0].root, true));
        struct template_reading r = {.ctx = tmp, .tree = &trees[0], .problems = problems};
        size_t before = strlen(*problems);
        read_template(&r, ctx, t);
        check_template(&r, t);
        if (strlen(*problems) == before)
            try_defaults(&r, set, t);
    }
    talloc_free(tmp);
}

static void read_prices(const void *ctx, struct template_set *set, const char *directory,
                        char **problems)
{
    char *path = talloc_asprintf(ctx, "%s/prices.yaml", directory);
    struct tree *trees;
    int count;
    struct error err;
    set->prices = NULL;
    if (!tree_read_file(ctx, path, &trees, &count, &err))
        *problems = talloc_asprintf_append(*problems, "%s\n", err.text);
    else if (count == 1)
        set->prices = trees[0].root;
}

/* By order:, those without one behind, and then by name. */
static int by_order(const void *a, const void *b)
{
    const struct template *left = a, *right = b;
    double l = json_number(left->source, "order", 1e9);
    double r = json_number(right->source, "order", 1e9);
    return l < r ? -1 : l > r ? 1 : strcmp(left->name, right->name);
}

bool templates_read(const void *ctx, const char *directory, struct template_set **out,
                    char **problems)
{
    struct template_set *set = talloc_zero(ctx, struct template_set);
    *problems = talloc_strdup(ctx, "");
    *out = set;
    read_prices(set, set, directory, problems);
    char *path = talloc_asprintf(set, "%s/environments", directory);
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        *problems = talloc_asprintf_append(
            *problems, "%s cannot be read: %s; set templates: to the folder that has it\n", path,
            strerror(errno));
        return false;
    }
    for (int i = 0; i < count; i++) {
        const char *file = entries[i]->d_name;
        size_t length = strlen(file);
        if (length > 5 && strcmp(file + length - 5, ".yaml") == 0)
            add_template(set, set, talloc_asprintf(set, "%s/%s", path, file),
                         talloc_strndup(set, file, length - 5), problems);
        free(entries[i]);
    }
    free(entries);
    if (set->count)
        qsort(set->items, (size_t)set->count, sizeof *set->items, by_order);
    if (set->count == 0 && !**problems)
        *problems = talloc_asprintf_append(*problems, "%s: there is no template\n", path);
    return !**problems;
}

const struct template *template_find(const struct template_set *set, const char *name)
{
    for (int i = 0; i < set->count; i++)
        if (strcmp(set->items[i].name, name) == 0)
            return &set->items[i];
    return NULL;
}

bool template_from_json(const void *ctx, const char *name, const cJSON *source,
                        struct template **out, struct error *err)
{
    if (!cJSON_IsObject(source))
        return error_set(err, ERROR_INTERNAL, "the request's copy of template %s is missing", name);
    struct template *t = talloc_zero(ctx, struct template);
    t->name = talloc_strdup(t, name);
    t->source = source;
    read_template(NULL, t, t);
    *out = t;
    return true;
}

/* ---- values ---- */

static cJSON *integer_value(const cJSON *p, const char *shown, const char *given, struct error *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(given, &end, 10);
    double least = json_number(p, "min", -1e9), most = json_number(p, "max", 1e9);
    if (!*given || *end || errno) {
        error_set(err, ERROR_USAGE, "%s is a whole number, not “%s”.", p->string, shown);
        return NULL;
    }
    if ((double)number < least || (double)number > most) {
        error_set(err, ERROR_USAGE, "%s goes from %.0f to %.0f; %s is outside.", p->string, least,
                  most, shown);
        return NULL;
    }
    return cJSON_CreateNumber((double)number);
}

static cJSON *choice_value(const void *ctx, const cJSON *p, const char *shown, const char *given,
                           struct error *err)
{
    const cJSON *choices = json_at(p, "choices"), *each;
    int count = cJSON_GetArraySize(choices), used = 0;
    const char **words = talloc_array(ctx, const char *, (unsigned)count + 1);
    cJSON_ArrayForEach (each, choices) {
        const char *word = cJSON_IsString(each) ? each->valuestring : json_text(ctx, each);
        if (strcmp(word, given) == 0)
            return cJSON_Duplicate(each, true);
        words[used++] = word;
    }
    const char *near = text_nearest(given, words, (size_t)used);
    error_set(err, ERROR_USAGE, "%s cannot be “%s”.%s%s%s It is one of %s.", p->string, shown,
              near ? " Did you mean " : "", near ? near : "", near ? "?" : "",
              text_list(ctx, words, (size_t)used, "or"));
    return NULL;
}

static cJSON *boolean_value(const cJSON *p, const char *shown, const char *given, struct error *err)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    if (one_of(given, yes, 4))
        return cJSON_CreateTrue();
    if (one_of(given, no, 4))
        return cJSON_CreateFalse();
    error_set(err, ERROR_USAGE, "%s is yes or no, not “%s”.", p->string, shown);
    return NULL;
}

static cJSON *typed_value(const void *ctx, const cJSON *p, const char *given, struct error *err)
{
    const char *type = json_string_or_empty(p, "type");
    const char *shown = text_mrkdwn(ctx, text_cut(ctx, given, 60));
    if (strcmp(type, "integer") == 0)
        return integer_value(p, shown, given, err);
    if (strcmp(type, "choice") == 0)
        return choice_value(ctx, p, shown, given, err);
    if (strcmp(type, "boolean") == 0)
        return boolean_value(p, shown, given, err);
    int64_t most = json_integer(p, "length", 100);
    if ((int64_t)text_characters(given) > most) {
        error_set(err, ERROR_USAGE, "%s is too long: at most %lld characters.", p->string,
                  (long long)most);
        return NULL;
    }
    return cJSON_CreateString(given);
}

static bool no_such_parameter(const void *ctx, const struct template *t, const char *name,
                              struct error *err)
{
    const char *known[64];
    size_t count = 0;
    const cJSON *each;
    cJSON_ArrayForEach (each, t->parameters)
        if (count < 64)
            known[count++] = each->string;
    const char *near = text_nearest(name, known, count);
    return error_set(err, ERROR_USAGE, "%s has no `%s`.%s%s%s It takes %s.", t->name,
                     text_mrkdwn(ctx, text_cut(ctx, name, 60)), near ? " Did you mean `" : "",
                     near ? near : "", near ? "`?" : "", text_list(ctx, known, count, "and"));
}

cJSON *template_values(const void *ctx, const struct template *t, const cJSON *given,
                       struct error *err)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, given)
        if (!cJSON_GetObjectItemCaseSensitive(t->parameters, each->string)) {
            no_such_parameter(ctx, t, each->string, err);
            return NULL;
        }
    cJSON *values = json_object(ctx);
    cJSON_ArrayForEach (each, t->parameters) {
        const cJSON *said = cJSON_GetObjectItemCaseSensitive(given, each->string);
        cJSON *value = cJSON_IsString(said)
                           ? typed_value(ctx, each, said->valuestring, err)
                           : cJSON_Duplicate(said ? said : json_at(each, "default"), true);
        if (!value)
            return NULL;
        json_set(values, each->string, value);
    }
    return values;
}

cJSON *template_tags(const void *ctx, int64_t id, const char *team, const char *owner,
                     const char *name)
{
    cJSON *tags = json_object(ctx);
    json_set_string(tags, "envbot:managed", "true");
    if (id)
        json_set_format(tags, "envbot:environment", "%" PRId64, id);
    json_set_string(tags, "envbot:team", team);
    json_set_string(tags, "envbot:owner", owner);
    json_set_string(tags, "envbot:template", name);
    return tags;
}

cJSON *template_render(const void *ctx, const struct template *t, const cJSON *values,
                       const struct template_target *target, struct error *err)
{
    cJSON *all = cJSON_Duplicate(values, true);
    json_set_string(all, "cluster", target->cluster);
    json_set_string(all, "region", target->region);
    json_set(all, "tags", cJSON_Duplicate(target->tags, true));
    json_set_string(all, "role", target->role);
    cJSON *config = tree_fill(ctx, json_at(t->source, "cluster"), all, TREE_PLAIN, true, err);
    if (!config)
        error_prefix(err, "template %s: cluster", t->name);
    cJSON_Delete(all);
    return config;
}
