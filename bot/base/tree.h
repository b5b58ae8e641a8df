/* YAML documents as JSON trees that remember their lines, and trees with holes.
   Reading and writing is libyaml's; values are put into nodes by type, so nothing that a person
   typed can change the shape of a document. */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include "base/error.h"
#include "base/json.h"

/* One YAML document. root is owned by the tree. Plain scalars get their type by YAML 1.2's core
   schema (null, true/false, integers, floats; anything else and everything quoted is a string).
   Anchors and aliases are resolved; merge keys, tags other than the core ones, duplicate keys and
   documents that expand beyond 100,000 nodes are errors with file and line. */
struct tree {
    cJSON *root;
    const char *file; /* as given, for messages */
    struct tree_lines *lines;
};

/* Reads all documents of a file (or of text, with name used in messages). *out is a talloc array
   of ctx with *count trees; an empty document has root NULL. A folder is not read. */
bool tree_read_file(const void *ctx, const char *path, struct tree **out, int *count,
                    struct error *err);
bool tree_read_text(const void *ctx, const char *name, const char *text, size_t length,
                    struct tree **out, int *count, struct error *err);

/* The line (from 1) where node begins in the tree's file; for a mapping's member, where its key
   stands. 0 when the node is not of this tree. */
int tree_line(const struct tree *tree, const cJSON *node);

/* How values reach text: Slack's mrkdwn wants & < > escaped, HTML also quotes. */
enum tree_escape { TREE_PLAIN, TREE_MRKDWN, TREE_HTML };

/* Fills the holes of a tree. In it:
     "${name}"            a scalar that is one hole becomes the value, of the value's own type
     "text ${a.b} text"   a hole inside text becomes text (dots walk into mappings and lists)
     "${raw:name}"        not escaped: only for values that the program composed (mentions, links)
     "$${"                a literal "${"
     $if: name            in a mapping: the node is kept only if the value is true / not empty;
                          "!name" the opposite. In a list the item goes, in a mapping the member.
     $for: item in list   in a mapping that is an item of a list: repeated for each element;
                          inside, ${item} or ${item.x}. With $value: X the items become X.
   values is a JSON object. An unknown hole is an error that names it, the place (as a path) and
   the nearest known name. A member whose value became null is dropped from its mapping when
   drop_null is true. The result is a new tree owned by ctx. */
cJSON *tree_fill(const void *ctx, const cJSON *holes, const cJSON *values, enum tree_escape escape,
                 bool drop_null, struct error *err);

/* The names of all holes in a tree, each once, as a JSON array of strings owned by ctx (without
   the variables that $for binds). */
cJSON *tree_holes(const void *ctx, const cJSON *holes);

/* Writes a tree as YAML text (talloc, ctx) through libyaml's emitter; strings that would be read
   back as another type are quoted. NULL only when out of memory. */
char *tree_yaml(const void *ctx, const cJSON *root);

#endif
