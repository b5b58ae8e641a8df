#include "base/tree.h"

#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <uthash.h>
#include <yaml.h>

enum { MOST_NODES = 100000, MOST_DEPTH = 64 };

struct line {
    const cJSON *node;
    int number;
    UT_hash_handle hh;
};

struct tree_lines {
    struct line *table;
};

/* One document on its way from libyaml's nodes to a tree. */
struct reading {
    yaml_document_t *document;
    struct tree *tree;
    struct error *err;
    int nodes;
};

static int free_lines(struct tree_lines *lines)
{
    HASH_CLEAR(hh, lines->table);
    return 0;
}

static void note_line(struct reading *r, const cJSON *node, size_t line)
{
    struct line *entry = talloc_zero(r->tree->lines, struct line);
    entry->node = node;
    entry->number = (int)line + 1;
    HASH_ADD_PTR(r->tree->lines->table, node, entry);
}

int tree_line(const struct tree *tree, const cJSON *node)
{
    struct line *entry = NULL;
    HASH_FIND_PTR(tree->lines->table, &node, entry);
    return entry ? entry->number : 0;
}

static bool whole_number(const char *text, double *number)
{
    const char *digits = text + (*text == '-' || *text == '+');
    int base = 10;
    if (strncmp(digits, "0x", 2) == 0)
        base = 16;
    else if (strncmp(digits, "0o", 2) == 0)
        base = 8;
    if (base != 10 && digits != text)
        return false;
    const char *start = base == 10 ? digits : digits + 2;
    if (!*start || strspn(start, base == 16  ? "0123456789abcdefABCDEF"
                                 : base == 8 ? "01234567"
                                             : "0123456789") != strlen(start))
        return false;
    errno = 0;
    *number = base == 10 ? strtod(text, NULL) : (double)strtoull(start, NULL, base);
    return errno == 0;
}

static bool decimal_number(const char *text, double *number)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t before = strspn(at, "0123456789"), after = 0;
    at += before;
    if (*at == '.') {
        after = strspn(at + 1, "0123456789");
        at += 1 + after;
    }
    if (!before && !after)
        return false;
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        size_t exponent = strspn(at, "0123456789");
        if (!exponent)
            return false;
        at += exponent;
    }
    if (*at)
        return false;
    *number = strtod(text, NULL);
    return isfinite(*number);
}

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

/* YAML 1.2, core schema, section 10.3.2. */
static cJSON *plain_scalar(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    double number;
    if (one_of(text, nulls))
        return cJSON_CreateNull();
    if (one_of(text, trues))
        return cJSON_CreateTrue();
    if (one_of(text, falses))
        return cJSON_CreateFalse();
    if (whole_number(text, &number) || decimal_number(text, &number))
        return cJSON_CreateNumber(number);
    return cJSON_CreateString(text);
}

static bool refuse(struct reading *r, const yaml_node_t *node, const char *what)
{
    return error_set(r->err, ERROR_CONFIG, "%s:%zu: %s", r->tree->file,
                     node ? node->start_mark.line + 1 : 0, what);
}

static cJSON *read_scalar(struct reading *r, const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    const char *tag = (const char *)node->tag;
    if (strlen(text) != node->data.scalar.length) {
        refuse(r, node, "a text holds a zero byte");
        return NULL;
    }
    if (strcmp(tag, YAML_STR_TAG) != 0) {
        refuse(r, node, "tags (!…) are not used here");
        return NULL;
    }
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? plain_scalar(text)
                                                              : cJSON_CreateString(text);
}

static cJSON *read_node(struct reading *r, int index, int depth);

static bool read_members(struct reading *r, const yaml_node_t *node, cJSON *mapping, int depth)
{
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
        if (!key || key->type != YAML_SCALAR_NODE)
            return refuse(r, key ? key : node, "a key must be a single word or text");
        const char *name = (const char *)key->data.scalar.value;
        if (strcmp(name, "<<") == 0)
            return refuse(r, key, "merge keys (<<) are not used here");
        if (cJSON_GetObjectItemCaseSensitive(mapping, name)) {
            char *what = talloc_asprintf(NULL, "%s stands here twice", name);
            refuse(r, key, what);
            talloc_free(what);
            return false;
        }
        cJSON *value = read_node(r, pair->value, depth + 1);
        if (!value)
            return false;
        cJSON_AddItemToObject(mapping, name, value);
        struct line *line;
        HASH_FIND_PTR(r->tree->lines->table, &value, line);
        if (line)
            line->number = (int)key->start_mark.line + 1;
    }
    return true;
}

static cJSON *read_node(struct reading *r, int index, int depth)
{
    yaml_node_t *node = yaml_document_get_node(r->document, index);
    if (++r->nodes > MOST_NODES || depth > MOST_DEPTH) {
        refuse(r, node, "too large or too deeply nested");
        return NULL;
    }
    cJSON *value = NULL;
    if (node->type == YAML_SCALAR_NODE) {
        value = read_scalar(r, node);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        value = cJSON_CreateArray();
        for (yaml_node_item_t *item = node->data.sequence.items.start;
             value && item < node->data.sequence.items.top; item++) {
            cJSON *element = read_node(r, *item, depth + 1);
            if (element) {
                cJSON_AddItemToArray(value, element);
            } else {
                cJSON_Delete(value);
                value = NULL;
            }
        }
    } else {
        value = cJSON_CreateObject();
        if (!read_members(r, node, value, depth)) {
            cJSON_Delete(value);
            value = NULL;
        }
    }
    if (value)
        note_line(r, value, node->start_mark.line);
    return value;
}

static bool parser_error(yaml_parser_t *parser, const char *name, struct error *err)
{
    return error_set(err, ERROR_CONFIG, "%s:%zu: this is not YAML: %s%s%s", name,
                     parser->problem_mark.line + 1,
                     parser->problem ? parser->problem : "unreadable", parser->context ? " " : "",
                     parser->context ? parser->context : "");
}

static bool read_document(const void *ctx, yaml_document_t *document, const char *name,
                          struct tree *tree, struct error *err)
{
    tree->file = talloc_strdup(ctx, name);
    tree->lines = talloc_zero(ctx, struct tree_lines);
    talloc_set_destructor(tree->lines, free_lines);
    struct reading r = {.document = document, .tree = tree, .err = err};
    tree->root = json_own(ctx, read_node(&r, 1, 0));
    return tree->root != NULL;
}

static bool read_all(const void *ctx, yaml_parser_t *parser, const char *name, struct tree **out,
                     int *count, struct error *err)
{
    *out = talloc_array(ctx, struct tree, 0);
    *count = 0;
    for (;;) {
        yaml_document_t document;
        if (!yaml_parser_load(parser, &document))
            return parser_error(parser, name, err);
        if (!yaml_document_get_root_node(&document)) {
            yaml_document_delete(&document);
            return true;
        }
        *out = talloc_realloc(ctx, *out, struct tree, (unsigned)*count + 1);
        struct tree *tree = &(*out)[*count];
        memset(tree, 0, sizeof *tree);
        bool ok = read_document(*out, &document, name, tree, err);
        yaml_document_delete(&document);
        if (!ok)
            return false;
        *count += 1;
    }
}

bool tree_read_text(const void *ctx, const char *name, const char *text, size_t length,
                    struct tree **out, int *count, struct error *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return error_set(err, ERROR_INTERNAL, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    bool ok = read_all(ctx, &parser, name, out, count, err);
    yaml_parser_delete(&parser);
    return ok;
}

bool tree_read_file(const void *ctx, const char *path, struct tree **out, int *count,
                    struct error *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(err, ERROR_CONFIG, "%s cannot be read: %s", path, strerror(errno));
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        fclose(file);
        return error_set(err, ERROR_INTERNAL, "out of memory");
    }
    yaml_parser_set_input_file(&parser, file);
    bool ok = read_all(ctx, &parser, path, out, count, err);
    yaml_parser_delete(&parser);
    fclose(file);
    return ok;
}

/* ---- holes ---- */

struct filling {
    const cJSON *values;
    cJSON *bound; /* what $for binds, nearest wins */
    enum tree_escape escape;
    bool drop_null;
    struct error *err;
    char path[512];
};

static cJSON null_value = {.type = cJSON_NULL};

static const cJSON *lookup(struct filling *f, const char *name)
{
    const cJSON *value = json_at(f->bound, name);
    if (!value)
        value = json_at(f->values, name);
    if (value)
        return value;
    /* a.b where a is null: there is nothing to say, which is not a mistake */
    const char *dot = strrchr(name, '.');
    if (dot) {
        char parent[128];
        snprintf(parent, sizeof parent, "%.*s", (int)(dot - name), name);
        const cJSON *holder = json_at(f->bound, parent);
        if (!holder)
            holder = json_at(f->values, parent);
        if (cJSON_IsNull(holder))
            return &null_value;
    }
    return NULL;
}

static bool unknown_hole(struct filling *f, const char *name)
{
    const char *known[256];
    size_t count = 0;
    const cJSON *each;
    cJSON_ArrayForEach(each, f->values) if (count < 256) known[count++] = each->string;
    const char *near = text_nearest(name, known, count);
    return error_set(f->err, ERROR_CONFIG, "%s: there is no value named %s%s%s%s", f->path, name,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static char *scalar_text(const void *ctx, const cJSON *value)
{
    if (cJSON_IsString(value))
        return talloc_strdup(ctx, value->valuestring);
    if (cJSON_IsNull(value))
        return talloc_strdup(ctx, "");
    return json_text(ctx, value);
}

static char *escaped(const void *ctx, const cJSON *value, enum tree_escape escape)
{
    char *text = scalar_text(ctx, value);
    if (escape == TREE_MRKDWN)
        return text_mrkdwn(ctx, text);
    if (escape == TREE_HTML)
        return text_html(ctx, text);
    return text;
}

/* The name inside "${…}" at text, its length in *used; NULL when it is no hole. */
static char *hole_name(const void *ctx, const char *text, size_t *used)
{
    if (strncmp(text, "${", 2) != 0)
        return NULL;
    const char *end = strchr(text, '}');
    if (!end)
        return NULL;
    *used = (size_t)(end - text) + 1;
    return talloc_strndup(ctx, text + 2, *used - 3);
}

static cJSON *fill_string(struct filling *f, const char *text)
{
    void *tmp = talloc_new(NULL);
    size_t used = 0;
    char *name = hole_name(tmp, text, &used);
    if (name && !text[used]) {
        bool raw = strncmp(name, "raw:", 4) == 0;
        const cJSON *value = lookup(f, raw ? name + 4 : name);
        cJSON *filled = NULL;
        if (!value)
            unknown_hole(f, raw ? name + 4 : name);
        else if (cJSON_IsString(value) && !raw)
            filled = cJSON_CreateString(escaped(tmp, value, f->escape));
        else
            filled = cJSON_Duplicate(value, true);
        talloc_free(tmp);
        return filled;
    }
    char *out = talloc_strdup(tmp, "");
    while (*text) {
        size_t plain = strcspn(text, "$");
        out = talloc_strndup_append_buffer(out, text, plain);
        text += plain;
        if (strncmp(text, "$${", 3) == 0) {
            out = talloc_strdup_append_buffer(out, "${");
            text += 3;
        } else if ((name = hole_name(tmp, text, &used))) {
            bool raw = strncmp(name, "raw:", 4) == 0;
            const cJSON *value = lookup(f, raw ? name + 4 : name);
            if (!value) {
                unknown_hole(f, raw ? name + 4 : name);
                talloc_free(tmp);
                return NULL;
            }
            out = talloc_strdup_append_buffer(out, raw ? scalar_text(tmp, value)
                                                       : escaped(tmp, value, f->escape));
            text += used;
        } else if (*text) {
            out = talloc_strndup_append_buffer(out, text, 1);
            text++;
        }
    }
    cJSON *filled = cJSON_CreateString(out);
    talloc_free(tmp);
    return filled;
}

static bool says_yes(const cJSON *value)
{
    if (cJSON_IsString(value))
        return *value->valuestring != '\0';
    if (cJSON_IsNumber(value))
        return value->valuedouble != 0;
    if (cJSON_IsArray(value) || cJSON_IsObject(value))
        return value->child != NULL;
    return cJSON_IsTrue(value);
}

/* Whether a mapping's $if lets it stay; true when it has none. */
static bool condition(struct filling *f, const cJSON *mapping, bool *stays)
{
    *stays = true;
    const char *name = json_string(mapping, "$if");
    if (!name)
        return true;
    bool negated = *name == '!';
    const cJSON *value = lookup(f, name + negated);
    if (!value)
        return unknown_hole(f, name + negated);
    *stays = says_yes(value) != negated;
    return true;
}

static cJSON *fill(struct filling *f, const cJSON *node);

static cJSON *fill_mapping(struct filling *f, const cJSON *node)
{
    const cJSON *only = cJSON_GetObjectItemCaseSensitive(node, "$value");
    if (only)
        return fill(f, only);
    cJSON *result = cJSON_CreateObject();
    size_t length = strlen(f->path);
    const cJSON *each;
    cJSON_ArrayForEach(each, node)
    {
        if (strcmp(each->string, "$if") == 0 || strcmp(each->string, "$for") == 0)
            continue;
        snprintf(f->path + length, sizeof f->path - length, "/%s", each->string);
        bool stays = true;
        if (cJSON_IsObject(each) && !condition(f, each, &stays)) {
            cJSON_Delete(result);
            return NULL;
        }
        cJSON *value = stays ? fill(f, each) : NULL;
        if (stays && !value) {
            cJSON_Delete(result);
            return NULL;
        }
        f->path[length] = '\0';
        if (value && f->drop_null && cJSON_IsNull(value))
            cJSON_Delete(value);
        else if (value)
            cJSON_AddItemToObject(result, each->string, value);
    }
    return result;
}

/* One item of a list that has $for: "item in list". */
static bool fill_repeated(struct filling *f, const cJSON *item, const char *loop, cJSON *into)
{
    char variable[64], list[128];
    if (sscanf(loop, "%63s in %127s", variable, list) != 2)
        return error_set(f->err, ERROR_CONFIG, "%s: $for says “item in list”, not “%s”", f->path,
                         loop);
    const cJSON *elements = lookup(f, list), *each;
    if (!elements)
        return unknown_hole(f, list);
    cJSON *outer = f->bound;
    bool ok = true;
    cJSON_ArrayForEach(each, elements)
    {
        cJSON *bound = outer ? cJSON_Duplicate(outer, true) : cJSON_CreateObject();
        json_set(bound, variable, cJSON_Duplicate(each, true));
        f->bound = bound;
        bool stays;
        ok = condition(f, item, &stays);
        cJSON *filled = ok && stays ? fill_mapping(f, item) : NULL;
        if (filled)
            cJSON_AddItemToArray(into, filled);
        else if (stays)
            ok = false;
        f->bound = outer;
        cJSON_Delete(bound);
        if (!ok)
            return false;
    }
    return ok;
}

static cJSON *fill_list(struct filling *f, const cJSON *node)
{
    cJSON *result = cJSON_CreateArray();
    size_t length = strlen(f->path);
    int index = 0;
    const cJSON *each;
    cJSON_ArrayForEach(each, node)
    {
        snprintf(f->path + length, sizeof f->path - length, "/%d", index++);
        const char *loop = json_string(each, "$for");
        bool stays = true, ok = true;
        if (cJSON_IsObject(each) && !loop)
            ok = condition(f, each, &stays);
        if (ok && loop) {
            ok = fill_repeated(f, each, loop, result);
        } else if (ok && stays) {
            cJSON *value = fill(f, each);
            ok = value != NULL;
            if (ok)
                cJSON_AddItemToArray(result, value);
        }
        f->path[length] = '\0';
        if (!ok) {
            cJSON_Delete(result);
            return NULL;
        }
    }
    return result;
}

static cJSON *fill(struct filling *f, const cJSON *node)
{
    if (cJSON_IsString(node))
        return fill_string(f, node->valuestring);
    if (cJSON_IsArray(node))
        return fill_list(f, node);
    if (cJSON_IsObject(node))
        return fill_mapping(f, node);
    return cJSON_Duplicate(node, true);
}

cJSON *tree_fill(const void *ctx, const cJSON *holes, const cJSON *values, enum tree_escape escape,
                 bool drop_null, struct error *err)
{
    struct filling f = {.values = values, .escape = escape, .drop_null = drop_null, .err = err};
    return json_own(ctx, fill(&f, holes));
}

static bool bound_name(const char *const *bound, const char *name)
{
    size_t length = strcspn(name, ".");
    for (; *bound; bound++)
        if (strlen(*bound) == length && strncmp(*bound, name, length) == 0)
            return true;
    return false;
}

static void add_hole(cJSON *list, const char *const *bound, const char *name)
{
    name += *name == '!';
    name += strncmp(name, "raw:", 4) == 0 ? 4 : 0;
    if (bound_name(bound, name))
        return;
    const cJSON *each;
    cJSON_ArrayForEach(each, list) if (strcmp(each->valuestring, name) == 0) return;
    cJSON_AddItemToArray(list, cJSON_CreateString(name));
}

static void collect(cJSON *list, const cJSON *node, const char **bound, size_t depth)
{
    char variable[64] = "", from[128];
    const char *loop = json_string(node, "$for"), *check = json_string(node, "$if");
    if (loop && sscanf(loop, "%63s in %127s", variable, from) == 2 && depth < 15) {
        add_hole(list, bound, from);
        bound[depth++] = variable;
        bound[depth] = NULL;
    }
    if (check)
        add_hole(list, bound, check);
    if (cJSON_IsString(node)) {
        for (const char *at = node->valuestring; (at = strchr(at, '$'));) {
            size_t used = 1;
            char *name = strncmp(at, "$${", 3) == 0 ? NULL : hole_name(NULL, at, &used);
            if (name)
                add_hole(list, bound, name);
            else if (strncmp(at, "$${", 3) == 0)
                used = 3;
            talloc_free(name);
            at += used;
        }
    }
    const cJSON *each;
    if (cJSON_IsArray(node) || cJSON_IsObject(node))
        cJSON_ArrayForEach(each, node) if (!each->string || each->string[0] != '$' ||
                                           strcmp(each->string, "$value") == 0)
            collect(list, each, bound, depth);
    if (*variable)
        bound[depth - 1] = NULL;
}

cJSON *tree_holes(const void *ctx, const cJSON *holes)
{
    cJSON *list = json_array(ctx);
    const char *bound[16] = {NULL};
    collect(list, holes, bound, 0);
    return list;
}

/* ---- writing ---- */

struct writing {
    yaml_emitter_t emitter;
    char *text;
    bool ok;
};

static int append(void *data, unsigned char *buffer, size_t size)
{
    struct writing *w = data;
    w->text = talloc_strndup_append_buffer(w->text, (const char *)buffer, size);
    return w->text != NULL;
}

static void emit(struct writing *w, yaml_event_t *event)
{
    w->ok = w->ok && yaml_emitter_emit(&w->emitter, event);
}

/* A string that would be read back as something else must be quoted. */
static yaml_scalar_style_t style_for(const char *text)
{
    cJSON *read_back = plain_scalar(text);
    bool string = cJSON_IsString(read_back);
    cJSON_Delete(read_back);
    /* Others read YAML 1.1, where these are booleans. */
    static const char *const old[] = {"y",  "n",  "yes", "no",  "on", "off", "Y",   "N", "Yes",
                                      "No", "On", "Off", "YES", "NO", "ON",  "OFF", NULL};
    return string && !one_of(text, old) && strncmp(text, "0o", 2) != 0 && !strchr(text, ':')
               ? YAML_ANY_SCALAR_STYLE
               : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

static void emit_scalar(struct writing *w, const char *text, yaml_scalar_style_t style)
{
    yaml_event_t event;
    yaml_scalar_event_initialize(&event, NULL, NULL, (const unsigned char *)text, (int)strlen(text),
                                 1, 1, style);
    emit(w, &event);
}

static void emit_value(struct writing *w, const cJSON *value)
{
    yaml_event_t event;
    const cJSON *each;
    if (cJSON_IsArray(value)) {
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_SEQUENCE_STYLE);
        emit(w, &event);
        cJSON_ArrayForEach(each, value) emit_value(w, each);
        yaml_sequence_end_event_initialize(&event);
        emit(w, &event);
    } else if (cJSON_IsObject(value)) {
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_MAPPING_STYLE);
        emit(w, &event);
        cJSON_ArrayForEach(each, value)
        {
            emit_scalar(w, each->string, style_for(each->string));
            emit_value(w, each);
        }
        yaml_mapping_end_event_initialize(&event);
        emit(w, &event);
    } else if (cJSON_IsString(value)) {
        emit_scalar(w, value->valuestring, style_for(value->valuestring));
    } else {
        char *text = json_text(NULL, value);
        emit_scalar(w, text, YAML_PLAIN_SCALAR_STYLE);
        talloc_free(text);
    }
}

char *tree_yaml(const void *ctx, const cJSON *root)
{
    struct writing w = {.text = talloc_strdup(ctx, ""), .ok = true};
    if (!yaml_emitter_initialize(&w.emitter))
        return NULL;
    yaml_emitter_set_output(&w.emitter, append, &w);
    yaml_emitter_set_unicode(&w.emitter, 1);
    yaml_emitter_set_width(&w.emitter, -1);
    yaml_event_t event;
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&w, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(&w, &event);
    emit_value(&w, root);
    yaml_document_end_event_initialize(&event, 1);
    emit(&w, &event);
    yaml_stream_end_event_initialize(&event);
    emit(&w, &event);
    yaml_emitter_delete(&w.emitter);
    return w.ok ? w.text : NULL;
}
