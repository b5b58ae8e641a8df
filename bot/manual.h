/* What `--help` says: a page of manual for envbot and for each of its commands. */
#ifndef MANUAL_H
#define MANUAL_H

#include <stdbool.h>

struct manual {
    const char *name;
    const char *usage; /* after the name; may be "" */
    const char *summary;
    const char *text;     /* paragraphs, wrapped */
    const char *options;  /* lines; NULL: --config and --help alone */
    const char *exits;    /* what exit codes mean beyond the usual; NULL */
    const char *examples; /* lines */
};

/* All pages; the last one's name is NULL. */
extern const struct manual manuals[];
const struct manual *manual_find(const char *name);

/* The page of one command, and the one of envbot itself, to stdout. */
void manual_print(const struct manual *page);
void manual_print_all(void);

#endif
