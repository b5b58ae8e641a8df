/* What a plain word of YAML means. For reading and writing trees; others use base/tree.h. */
#ifndef BASE_TREE_SCALAR_H
#define BASE_TREE_SCALAR_H

#include "base/json.h"

/* The value of an unquoted scalar by YAML 1.2's core schema (section 10.3.2): null, true, false,
   a number, or else a string. The caller owns it. */
cJSON *tree_scalar(const char *text);

#endif
