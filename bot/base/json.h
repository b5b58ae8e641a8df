/* cJSON values that live and die with a talloc context, and short ways to read and build them.
   JSON trees are also what templates, configuration and rules are read into (base/tree.h). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* Ties value to ctx: freed with it. Returns value (NULL stays NULL). */
cJSON *json_own(const void *ctx, cJSON *value);
/* A new object / array owned by ctx. */
cJSON *json_object(const void *ctx);
cJSON *json_array(const void *ctx);
/* Parses text; NULL when it is not JSON, or is nested deeper than 100 levels. */
cJSON *json_parse(const void *ctx, const char *text);
cJSON *json_parse_length(const void *ctx, const char *text, size_t length);
/* Unformatted text, a talloc string of ctx. */
char *json_text(const void *ctx, const cJSON *value);
/* The same with the members of every object in the order of their names, so that equal values are
   equal texts. */
char *json_sorted_text(const void *ctx, const cJSON *value);

/* Members by path: "user.id", "actions.0.value". NULL when anything on the way is missing. */
const cJSON *json_at(const cJSON *root, const char *path);
/* The string at path, or NULL when missing or not a string. */
const char *json_string(const cJSON *root, const char *path);
/* The string at path, or "" . */
const char *json_string_or_empty(const cJSON *root, const char *path);
double json_number(const cJSON *root, const char *path, double otherwise);
int64_t json_integer(const cJSON *root, const char *path, int64_t otherwise);
bool json_true(const cJSON *root, const char *path);

/* Setters replace an existing member. A NULL string sets null. */
void json_set_string(cJSON *object, const char *key, const char *value);
void json_set_format(cJSON *object, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void json_set_number(cJSON *object, const char *key, double value);
void json_set_bool(cJSON *object, const char *key, bool value);
/* Takes ownership of value, which must not be owned by a talloc context. */
void json_set(cJSON *object, const char *key, cJSON *value);

#endif
