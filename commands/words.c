#include "commands/words.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <talloc.h>

/* What keyboards and Slack make of plain characters. Invisible ones go here already, so that a dash
   behind one still stands at the beginning of its word. */
static const struct {
    const char *seen, *meant;
} replacements[] = {
    {"\u201C", "\""}, {"\u201D", "\""}, {"\u201E", "\""}, {"\u201F", "\""}, {"\u00AB", "\""},
    {"\u00BB", "\""}, {"\u2018", "'"},  {"\u2019", "'"},  {"\u201A", "'"},  {"\u00A0", " "},
    {"\u202F", " "},  {"\u2007", " "},  {"\u2009", " "},  {"\u3000", " "},  {"\t", " "},
    {"\n", " "},      {"\r", " "},      {"\u2010", "-"},  {"\u2011", "-"},  {"\u2212", "-"},
    {"\u2002", " "},  {"\u2003", " "},  {"\u2005", " "},  {"\u2006", " "},  {"\u200A", " "},
    {"\u2028", " "},  {"\u2029", " "},  {"\u205F", " "},  {"\u200B", ""},   {"\u200E", ""},
    {"\u200F", ""},   {"\u2060", ""},   {"\uFEFF", ""},   {"&lt;", "<"},    {"&gt;", ">"},
    {"&amp;", "&"},
};

/* A long dash stands for "--" where an option begins, and for itself elsewhere. */
static bool long_dash(const char *at, size_t *used)
{
    *used = 3;
    return (strncmp(at, "\u2014", 3) == 0 || strncmp(at, "\u2013", 3) == 0) &&
           isalpha((unsigned char)at[3]);
}

static char *straighten(const void *ctx, const char *text)
{
    /* What any of them begins with, the long dashes too. */
    static const char special[] = "\xC2\xE2\xE3\t\n\r&";
    char *out = talloc_strdup(ctx, "");
    bool start = true;
    while (*text) {
        size_t used = 0, plain = strcspn(text, special);
        if (plain) {
            out = talloc_strndup_append_buffer(out, text, plain);
            start = text[plain - 1] == ' ';
            text += plain;
            continue;
        }
        const char *put = NULL;
        for (size_t i = 0; !put && i < sizeof replacements / sizeof *replacements; i++) {
            used = strlen(replacements[i].seen);
            if (strncmp(text, replacements[i].seen, used) == 0)
                put = replacements[i].meant;
        }
        if (!put && start && long_dash(text, &used))
            put = "--";
        if (put) {
            out = talloc_strdup_append_buffer(out, put);
        } else {
            used = 1;
            out = talloc_strndup_append_buffer(out, text, 1);
        }
        if (!put || *put)
            start = put ? strcmp(put, " ") == 0 : *text == ' ';
        text += used;
    }
    return out;
}

/* One word from *at on, quotes taken off; NULL at the end or (err set) with an open quote. quoted:
   it begins with a quote, so it is what it is and no option. */
static char *next_word(const void *ctx, const char **at, bool *quoted, struct error *err)
{
    const char *c = *at;
    while (*c == ' ')
        c++;
    *quoted = *c == '"' || *c == '\'';
    if (!*c) {
        *at = c;
        return NULL;
    }
    char *word = talloc_strdup(ctx, "");
    while (*c && *c != ' ') {
        /* An apostrophe inside a word is one; at its start, or after "=", it opens a quote. */
        bool opens = *c == '"' || (*c == '\'' && (c == *at || c[-1] == ' ' || c[-1] == '='));
        const char *end = opens ? strchr(c + 1, *c) : NULL;
        if (opens && !end && *c == '"') {
            error_set(err, ERROR_USAGE, "A quotation mark is open: %s", text_cut(word, c, 60));
            return NULL;
        }
        if (end) {
            word = talloc_strndup_append_buffer(word, c + 1, (size_t)(end - c - 1));
            c = end + 1;
        } else {
            size_t plain = 1 + strcspn(c + 1, " \"'");
            word = talloc_strndup_append_buffer(word, c, plain);
            c += plain;
        }
    }
    *at = c;
    return word;
}

static bool is_switch(const char *const *switches, const char *name)
{
    for (; switches && *switches; switches++)
        if (strcmp(*switches, name) == 0)
            return true;
    return false;
}

/* "spot?" among the switches: --spot alone is yes, and a yes or no behind it is its value. */
static bool is_yes_or_no(const char *const *switches, const char *name)
{
    size_t length = strlen(name);
    for (; switches && *switches; switches++)
        if (strncmp(*switches, name, length) == 0 && strcmp(*switches + length, "?") == 0)
            return true;
    return false;
}

static bool says_yes_or_no(const char *word)
{
    static const char *const known[] = {"yes", "no", "true", "false", "on", "off", "1", "0"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i], word) == 0)
            return true;
    return false;
}

/* "--ttl" and, as people type, "-ttl"; but "-5" and "-" are words. */
static const char *option_name(const char *word)
{
    if (strncmp(word, "--", 2) == 0 && isalpha((unsigned char)word[2]))
        return word + 2;
    if (word[0] == '-' && isalpha((unsigned char)word[1]) && isalpha((unsigned char)word[2]))
        return word + 1;
    return NULL;
}

static bool add_option(struct words *words, const char *name, const char *value, struct error *err)
{
    if (strcmp(name, "set") != 0 && words_option(words, name))
        return error_set(err, ERROR_USAGE, "--%s stands there twice.", text_cut(words, name, 60));
    words->options = talloc_realloc(words, words->options, struct word_option,
                                    (unsigned)words->option_count + 1);
    words->options[words->option_count++] = (struct word_option){name, value};
    return true;
}

static bool take_option(struct words *words, const char *given, const char **at,
                        const char *const *switches, struct error *err)
{
    const char *equals = strchr(given, '=');
    char *name = equals ? talloc_strndup(words, given, (size_t)(equals - given))
                        : talloc_strdup(words, given);
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (equals)
        return add_option(words, name, equals + 1, err);
    if (is_switch(switches, name))
        return add_option(words, name, "", err);
    bool quoted;
    struct error inner = {0};
    const char *before = *at, *value = next_word(words, at, &quoted, &inner);
    if (is_yes_or_no(switches, name) && (inner.code || !value || !says_yes_or_no(value))) {
        *at = before;
        return add_option(words, name, "yes", err);
    }
    if (inner.code) {
        *err = inner;
        return false;
    }
    if (!value || (!quoted && option_name(value)))
        return add_option(words, name, NULL, err) &&
               error_set(err, ERROR_USAGE, "--%s needs a value after it.",
                         text_cut(words, name, 60));
    return add_option(words, name, value, err);
}

bool words_read(const void *ctx, const char *text, const char *const *switches, struct words **out,
                struct error *err)
{
    struct words *words = *out = talloc_zero(ctx, struct words);
    words->text = text_clean(words, straighten(words, text));
    words->items = talloc_array(words, const char *, 0);
    const char *at = words->text;
    struct error inner = {0};
    bool quoted;
    char *word;
    while ((word = next_word(words, &at, &quoted, &inner))) {
        const char *name = quoted ? NULL : option_name(word);
        if (name) {
            if (!take_option(words, name, &at, switches, err))
                return false;
            continue;
        }
        words->items =
            talloc_realloc(words, words->items, const char *, (unsigned)words->count + 1);
        words->items[words->count++] = word;
    }
    if (inner.code) {
        *err = inner;
        return false;
    }
    return true;
}

const char *words_option(const struct words *words, const char *name)
{
    for (int i = 0; i < words->option_count; i++)
        if (strcmp(words->options[i].name, name) == 0)
            return words->options[i].value;
    return NULL;
}

const char *words_item(const struct words *words, int index)
{
    return index < words->count ? words->items[index] : NULL;
}

const char *words_rest(const void *ctx, const struct words *words, int index)
{
    char *text = talloc_strdup(ctx, "");
    for (int i = index; i < words->count; i++)
        text = talloc_asprintf_append(text, "%s%s", i > index ? " " : "", words->items[i]);
    return text;
}
