/* Mistakes in the words that show before anybody reads them: holes that nothing fills, files that
   are missing. */
#ifndef LIFECYCLE_WORDING_CHECK_H
#define LIFECYCLE_WORDING_CHECK_H

#include "base/tree.h"
#include "lifecycle/wording.h"

/* Adds a line "file:line: …" to *problems for each hole of the tree whose name is none that a
   template can be given. */
void wording_check_holes(const struct tree *tree, char **problems);
/* Adds a line for each file that the program needs and directory does not have. */
void wording_check_files(const struct wording *wording, const char *directory, char **problems);

#endif
