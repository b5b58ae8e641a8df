#include "base/text.h"
#include "base/tree.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

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

/* Adds a step to the path, which is for messages about mistakes. */
static void step_into(struct filling *f, size_t length, const char *name)
{
    size_t room = sizeof f->path - length, wanted = strlen(name) + 1;
    if (room < 2)
        return;
    if (wanted > room - 1)
        wanted = room - 1;
    f->path[length] = '/';
    memcpy(f->path + length + 1, name, wanted);
    f->path[sizeof f->path - 1] = '\0';
}

static bool unknown_hole(struct filling *f, const char *name)
{
    const char *known[256];
    size_t count = 0;
    const cJSON *each;
    cJSON_ArrayForEach (each, f->values)
        if (count < 256)
            known[count++] = each->string;
    const char *near = text_nearest(name, known, count);
    return error_set(f->err, ERROR_CONFIG, "%s: there is no value named %s%s%s%s", f->path, name,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* The value's own text where it has one. */
static const char *scalar_text(const void *ctx, const cJSON *value)
{
    if (cJSON_IsString(value))
        return value->valuestring;
    if (cJSON_IsNull(value))
        return "";
    return json_text(ctx, value);
}

static const char *escaped(const void *ctx, const cJSON *value, enum tree_escape escape)
{
    const char *text = scalar_text(ctx, value);
    if (!strpbrk(text, "&<>\"'"))
        return text; /* what neither of the two below changes */
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

/* The one hole that a whole scalar is: its value, of the value's own type. */
static cJSON *fill_hole(struct filling *f, const void *tmp, const char *name)
{
    bool raw = strncmp(name, "raw:", 4) == 0;
    const cJSON *value = lookup(f, raw ? name + 4 : name);
    if (!value)
        unknown_hole(f, raw ? name + 4 : name);
    if (cJSON_IsString(value) && !raw)
        return cJSON_CreateString(escaped(tmp, value, f->escape));
    return value ? cJSON_Duplicate(value, true) : NULL;
}

/* Text that grows; on the stack of its maker until it is long. */
struct text {
    const void *ctx;
    char *bytes;
    size_t length, room;
    char first[512];
};

static void append(struct text *text, const char *bytes, size_t length)
{
    if (text->length + length >= text->room) {
        text->room = (text->length + length) * 2;
        char *larger = talloc_size(text->ctx, text->room);
        memcpy(larger, text->bytes, text->length);
        text->bytes = larger;
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

/* Appends the value of a hole inside other text. */
static bool append_hole(struct filling *f, struct text *out, const char *name)
{
    bool raw = strncmp(name, "raw:", 4) == 0;
    const cJSON *value = lookup(f, raw ? name + 4 : name);
    if (!value)
        return unknown_hole(f, raw ? name + 4 : name);
    const char *words = raw ? scalar_text(out->ctx, value) : escaped(out->ctx, value, f->escape);
    append(out, words, strlen(words));
    return true;
}

static bool fill_text(struct filling *f, struct text *out, const char *text)
{
    while (*text) {
        size_t plain = strcspn(text, "$"), used;
        append(out, text, plain);
        text += plain;
        char *name = hole_name(out->ctx, text, &used);
        if (name && !append_hole(f, out, name))
            return false;
        if (name) {
            text += used;
        } else if (strncmp(text, "$${", 3) == 0) {
            append(out, "${", 2);
            text += 3;
        } else if (*text) {
            append(out, text++, 1);
        }
    }
    return true;
}

static cJSON *fill_string(struct filling *f, const char *text)
{
    if (!strchr(text, '$'))
        return cJSON_CreateString(text);
    void *tmp = talloc_new(NULL);
    size_t used = 0;
    char *name = hole_name(tmp, text, &used);
    cJSON *filled;
    if (name && !text[used]) {
        filled = fill_hole(f, tmp, name);
    } else {
        struct text out = {.ctx = tmp, .bytes = out.first, .room = sizeof out.first};
        out.first[0] = '\0';
        filled = fill_text(f, &out, text) ? cJSON_CreateString(out.bytes) : NULL;
    }
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
    cJSON_ArrayForEach (each, node) {
        if (strcmp(each->string, "$if") == 0 || strcmp(each->string, "$for") == 0)
            continue;
        step_into(f, length, each->string);
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

/* What outer binds and the variable, which hides an outer one of its name. Borrows all values. */
static cJSON *bind(const cJSON *outer, const char *variable, const cJSON *value)
{
    cJSON *bound = cJSON_CreateObject();
    const cJSON *each;
    cJSON_ArrayForEach (each, outer)
        if (strcmp(each->string, variable) != 0)
            cJSON_AddItemReferenceToObject(bound, each->string, (cJSON *)(uintptr_t)each);
    cJSON_AddItemReferenceToObject(bound, variable, (cJSON *)(uintptr_t)value);
    return bound;
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
    cJSON_ArrayForEach (each, elements) {
        cJSON *bound = bind(outer, variable, each);
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
    cJSON_ArrayForEach (each, node) {
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
    cJSON_ArrayForEach (each, list)
        if (strcmp(each->valuestring, name) == 0)
            return;
    cJSON_AddItemToArray(list, cJSON_CreateString(name));
}

static void collect(cJSON *list, const cJSON *node, const char **bound, size_t depth)
{
    char variable[64], from[128];
    const char *loop = json_string(node, "$for"), *check = json_string(node, "$if");
    bool binds = loop && sscanf(loop, "%63s in %127s", variable, from) == 2 && depth < 15;
    if (binds) {
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
        cJSON_ArrayForEach (each, node)
            if (!each->string || each->string[0] != '$' || strcmp(each->string, "$value") == 0)
                collect(list, each, bound, depth);
    if (binds)
        bound[depth - 1] = NULL;
}

cJSON *tree_holes(const void *ctx, const cJSON *holes)
{
    cJSON *list = json_array(ctx);
    const char *bound[16] = {NULL};
    collect(list, holes, bound, 0);
    return list;
}
