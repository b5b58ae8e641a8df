#include "base/tree.h"

#include "base/tree_scalar.h"

#include <errno.h>
#include <stdio.h>
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
    if (tree->lines)
        HASH_FIND_PTR(tree->lines->table, &node, entry);
    return entry ? entry->number : 0;
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
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? tree_scalar(text)
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
