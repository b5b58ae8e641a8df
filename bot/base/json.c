#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

struct json_owner {
    cJSON *value;
};

static int free_owned(struct json_owner *owner)
{
    cJSON_Delete(owner->value);
    return 0;
}

cJSON *json_own(const void *ctx, cJSON *value)
{
    if (!value)
        return NULL;
    struct json_owner *owner = talloc(ctx, struct json_owner);
    owner->value = value;
    talloc_set_destructor(owner, free_owned);
    return value;
}

cJSON *json_object(const void *ctx)
{
    return json_own(ctx, cJSON_CreateObject());
}

cJSON *json_array(const void *ctx)
{
    return json_own(ctx, cJSON_CreateArray());
}

/* cJSON parses by recursion up to 1000 levels; nothing that reaches us nests deeper than 100. */
static bool too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > 100)
            return true;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
    }
    return false;
}

cJSON *json_parse_length(const void *ctx, const char *text, size_t length)
{
    if (too_deep(text, length))
        return NULL;
    const char *end = NULL;
    cJSON *value = cJSON_ParseWithLengthOpts(text, length, &end, 0);
    return json_own(ctx, value);
}

cJSON *json_parse(const void *ctx, const char *text)
{
    return json_parse_length(ctx, text, strlen(text));
}

/* Nearly all fits into what the thread has at hand; cJSON's own buffer begins small, and moves each
   time it doubles. */
char *json_text(const void *ctx, const cJSON *value)
{
    static _Thread_local char room[8192];
    if (value && cJSON_PrintPreallocated((cJSON *)(uintptr_t)value, room, sizeof room, false))
        return talloc_strdup(ctx, room);
    char *text = cJSON_PrintUnformatted(value);
    char *copy = talloc_strdup(ctx, text ? text : "null");
    cJSON_free(text);
    return copy;
}

static int by_name(const void *a, const void *b)
{
    const cJSON *const *left = a, *const *right = b;
    return strcmp((*left)->string, (*right)->string);
}

/* A copy whose objects are sorted; the caller's to delete. */
static cJSON *sorted(const cJSON *value)
{
    if (!cJSON_IsObject(value) && !cJSON_IsArray(value))
        return cJSON_Duplicate(value, true);
    bool object = cJSON_IsObject(value);
    cJSON *copy = object ? cJSON_CreateObject() : cJSON_CreateArray();
    unsigned count = (unsigned)cJSON_GetArraySize(value), i = 0;
    const cJSON **members = talloc_array(NULL, const cJSON *, count + 1), *each;
    cJSON_ArrayForEach (each, value)
        members[i++] = each;
    if (object)
        qsort(members, count, sizeof *members, by_name);
    for (i = 0; i < count; i++) {
        if (object)
            cJSON_AddItemToObject(copy, members[i]->string, sorted(members[i]));
        else
            cJSON_AddItemToArray(copy, sorted(members[i]));
    }
    talloc_free(members);
    return copy;
}

char *json_sorted_text(const void *ctx, const cJSON *value)
{
    cJSON *copy = sorted(value);
    char *text = json_text(ctx, copy);
    cJSON_Delete(copy);
    return text;
}

/* cJSON's own look-up calls strcmp for each member; most differ in their first letter. */
static cJSON *member(const cJSON *object, const char *key)
{
    cJSON *each = object->child;
    while (each && (!each->string || *each->string != *key || strcmp(each->string, key) != 0))
        each = each->next;
    return each;
}

const cJSON *json_at(const cJSON *root, const char *path)
{
    const cJSON *here = root;
    while (here && *path) {
        size_t length = strcspn(path, ".");
        char key[128];
        if (length >= sizeof key)
            return NULL;
        memcpy(key, path, length);
        key[length] = '\0';
        if (cJSON_IsArray(here)) {
            char *end;
            long index = strtol(key, &end, 10);
            here = *end || end == key || index < 0 ? NULL : cJSON_GetArrayItem(here, (int)index);
        } else {
            here = member(here, key);
        }
        path += length + (path[length] == '.');
    }
    return here;
}

const char *json_string(const cJSON *root, const char *path)
{
    const cJSON *value = json_at(root, path);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

const char *json_string_or_empty(const cJSON *root, const char *path)
{
    const char *value = json_string(root, path);
    return value ? value : "";
}

double json_number(const cJSON *root, const char *path, double otherwise)
{
    const cJSON *value = json_at(root, path);
    return cJSON_IsNumber(value) ? value->valuedouble : otherwise;
}

int64_t json_integer(const cJSON *root, const char *path, int64_t otherwise)
{
    const cJSON *value = json_at(root, path);
    if (!cJSON_IsNumber(value) || value->valuedouble > 9e15 || value->valuedouble < -9e15)
        return otherwise;
    return (int64_t)value->valuedouble;
}

bool json_true(const cJSON *root, const char *path)
{
    return cJSON_IsTrue(json_at(root, path));
}

void json_set(cJSON *object, const char *key, cJSON *value)
{
    cJSON *old = member(object, key);
    if (old)
        cJSON_Delete(cJSON_DetachItemViaPointer(object, old));
    cJSON_AddItemToObject(object, key, value);
}

void json_set_string(cJSON *object, const char *key, const char *value)
{
    json_set(object, key, value ? cJSON_CreateString(value) : cJSON_CreateNull());
}

void json_set_format(cJSON *object, const char *key, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = talloc_vasprintf(NULL, format, args);
    va_end(args);
    json_set_string(object, key, text);
    talloc_free(text);
}

void json_set_number(cJSON *object, const char *key, double value)
{
    json_set(object, key, cJSON_CreateNumber(value));
}

void json_set_bool(cJSON *object, const char *key, bool value)
{
    json_set(object, key, cJSON_CreateBool(value));
}
