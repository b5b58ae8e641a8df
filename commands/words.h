/* What a person typed after the command, as words and options. */
#ifndef COMMANDS_WORDS_H
#define COMMANDS_WORDS_H

#include "base/error.h"

#include <stdbool.h>

struct word_option {
    const char *name;  /* without the dashes */
    const char *value; /* "" for a switch; NULL where it is missing */
};

struct words {
    const char *text;   /* what was understood: cleaned, one line */
    const char **items; /* words that are no options */
    int count;
    struct word_option *options;
    int option_count;
};

/* Reads text as Slack sends it. Forgives what keyboards do: curly quotes become straight, long
   dashes before a word become "--", odd spaces become spaces, &amp; &lt; &gt; become what they
   stand for, invisible characters go. "…" and '…' hold words together; --name value and
   --name=value are the same; an option of `switches` (NULL-terminated) takes no value, and one
   written "spot?" there only yes or no: alone it means yes.
   ERROR_USAGE: an open quote, an option without its value, an option given twice (but --set); *out
   then has what was read so far, the option without a value included (value NULL). */
bool words_read(const void *ctx, const char *text, const char *const *switches, struct words **out,
                struct error *err);

/* The option's value, "" for a switch that was given, NULL when it was not. */
const char *words_option(const struct words *words, const char *name);
/* The item, or NULL. */
const char *words_item(const struct words *words, int index);
/* The items from index on, joined by spaces; "" when there are none. */
const char *words_rest(const void *ctx, const struct words *words, int index);

#endif
