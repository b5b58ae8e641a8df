/* One way to say what went wrong: a sentence for a person, a code for the program. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_USAGE,       /* what was asked is malformed; the sentence says how to ask */
    ERROR_CONFIG,      /* a file or setting is wrong; the sentence says where and the remedy */
    ERROR_NOT_FOUND,   /* it does not exist, or not for this person */
    ERROR_DENIED,      /* the rules do not allow it */
    ERROR_CONFLICT,    /* the state of things does not allow it (taken, busy, over, full) */
    ERROR_UNAVAILABLE, /* something we depend on is away; nothing happened; try again */
    ERROR_UNKNOWN,     /* the answer was lost: it may or may not have happened */
    ERROR_INTERNAL,    /* a mistake of ours */
};

struct error {
    enum error_code code;
    char text[1024]; /* one or more sentences, UTF-8, no trailing newline */
};

/* Fills err (which may be NULL) and returns false, so that a function can
   `return error_set(err, ERROR_CONFLICT, "…", …);`. Text that does not fit is
   cut at a character boundary. */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts words before what err already says ("reading x.yaml: ") and returns false. */
bool error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The code's name for logs: "usage", "config", … */
const char *error_name(enum error_code code);

#endif
