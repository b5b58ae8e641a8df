/* Small verbs on UTF-8 text. Strings that are returned are talloc'ed on ctx. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether text is valid UTF-8 (no surrogates, no overlong forms). */
bool text_is_utf8(const char *text, size_t length);
/* How many code points; for limits that Slack counts in characters. */
size_t text_characters(const char *text);
/* At most `most` code points, with "…" as the last of them when something was cut off. */
char *text_cut(const void *ctx, const char *text, size_t most);
/* Invalid UTF-8 becomes U+FFFD; control characters (but newline and tab), bidirectional
   overrides and zero-width characters are taken out: what people see is what is there. */
char *text_clean(const void *ctx, const char *text);
/* The same on one line: white space of any length becomes one space, none at the ends. A second
   line of what somebody typed cannot pass for one of ours. */
char *text_line(const void *ctx, const char *text);
/* For Slack's mrkdwn: & < > become entities and nothing else
   (docs.slack.dev, formatting message text). */
char *text_mrkdwn(const void *ctx, const char *text);
/* For HTML: also quotes. */
char *text_html(const void *ctx, const char *text);
/* The nearest of `count` words to `word` by edit distance with transpositions; NULL when none is
   near enough to be meant (more than a third of its letters differ, at least one allowed). */
const char *text_nearest(const char *word, const char *const *words, size_t count);
/* RFC 1123 label: a-z 0-9 and -, begins with a letter, ends with a letter or digit, at most `most`.
 */
bool text_is_label(const char *text, size_t most);
/* 1234567.5 -> "1,234,567.50"; with cents=false rounded "1,234,568". */
char *text_money(const void *ctx, double amount, bool cents);
/* "-12", ctx: a whole number as a statement's parameter wants it. */
char *text_number(const void *ctx, int64_t value);
/* "1 node", "3 nodes" */
char *text_count(const void *ctx, long count, const char *one, const char *many);
/* "a", "a and b", "a, b and c", with last_word before the last. */
char *text_list(const void *ctx, const char *const *items, size_t count, const char *last_word);

/* Whether both are addresses of one mailbox: without regard to case, and to what stands after a +
   in it ("ann+2@example.com"). NULL is none. */
bool text_same_mailbox(const char *a, const char *b);

#endif
