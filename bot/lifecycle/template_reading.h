/* Between the files that read templates: what was found wrong on the way. */
#ifndef LIFECYCLE_TEMPLATE_READING_H
#define LIFECYCLE_TEMPLATE_READING_H

#include "base/tree.h"

struct template_reading {
    const void *ctx;
    const struct tree *tree;
    char **problems;
};

/* Adds "file:line: …"; node NULL: of the whole file. */
void template_problem(struct template_reading *r, const cJSON *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A problem for each member that is none of these, with the nearest that is. */
void template_known_keys(struct template_reading *r, const cJSON *mapping, const char *const *known,
                         size_t count);
/* The section approval: who has to agree, and what happens while nobody has. */
void template_check_approval(struct template_reading *r, const cJSON *approval);

#endif
