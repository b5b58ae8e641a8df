#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

/* One code point of UTF-8: its length in bytes, 0 when the bytes are not valid (RFC 3629). */
static size_t decode(const unsigned char *at, size_t left, uint32_t *point)
{
    if (left == 0)
        return 0;
    if (at[0] < 0x80) {
        *point = at[0];
        return 1;
    }
    size_t length = at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    if (at[0] < 0xC2 || at[0] > 0xF4 || length > left)
        return 0;
    uint32_t value = at[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3Fu);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *point = value;
    return length;
}

bool text_is_utf8(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    uint32_t point;
    for (size_t used; length; at += used, length -= used)
        if ((used = decode(at, length, &point)) == 0)
            return false;
    return true;
}

size_t text_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

char *text_cut(const void *ctx, const char *text, size_t most)
{
    if (text_characters(text) <= most)
        return talloc_strdup(ctx, text);
    const char *end = text;
    for (size_t count = 0; *end; end++) {
        bool starts = ((unsigned char)*end & 0xC0) != 0x80;
        if (starts && count == most - 1)
            break;
        count += starts;
    }
    return talloc_asprintf(ctx, "%.*s…", (int)(end - text), text);
}

/* What nobody sees but what changes what is seen. */
static bool unwelcome(uint32_t point)
{
    if (point == '\n' || point == '\t')
        return false;
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0xAD || point == 0x061C ||
           (point >= 0x200B && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF ||
           (point >= 0xFFF9 && point <= 0xFFFB) || (point >= 0xE0000 && point <= 0xE007F);
}

char *text_clean(const void *ctx, const char *text)
{
    size_t left = strlen(text);
    /* U+FFFD is three bytes for at least one bad one. */
    char *clean = talloc_size(ctx, left * 3 + 1), *out = clean;
    for (const unsigned char *at = (const unsigned char *)text; left;) {
        uint32_t point;
        size_t used = decode(at, left, &point);
        if (!used) {
            memcpy(out, "\xEF\xBF\xBD", 3);
            out += 3;
            used = 1;
        } else if (!unwelcome(point)) {
            memcpy(out, at, used);
            out += used;
        }
        at += used;
        left -= used;
    }
    *out = '\0';
    return clean;
}

char *text_line(const void *ctx, const char *text)
{
    char *line = text_clean(ctx, text), *out = line;
    for (const char *at = line; *at; at++) {
        bool space = isspace((unsigned char)*at);
        if (!space)
            *out++ = *at;
        else if (out > line && out[-1] != ' ')
            *out++ = ' ';
    }
    if (out > line && out[-1] == ' ')
        out--;
    *out = '\0';
    return line;
}

static char *replace(const void *ctx, const char *text, bool quotes)
{
    char *result = talloc_strdup(ctx, "");
    while (*text) {
        size_t plain = strcspn(text, quotes ? "&<>\"'" : "&<>");
        result = talloc_strndup_append_buffer(result, text, plain);
        text += plain;
        if (!*text)
            break;
        const char *entity = *text == '&'   ? "&amp;"
                             : *text == '<' ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '"' ? "&quot;"
                                            : "&#39;";
        result = talloc_strdup_append_buffer(result, entity);
        text++;
    }
    return result;
}

char *text_mrkdwn(const void *ctx, const char *text)
{
    return replace(ctx, text, false);
}

char *text_html(const void *ctx, const char *text)
{
    return replace(ctx, text, true);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, substitutions, swapped neighbours. */
static size_t distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t la = strlen(a), lb = strlen(b);
    if (la >= MOST || lb >= MOST)
        return SIZE_MAX; /* far from everything */
    size_t rows[3][MOST + 1];
    for (size_t j = 0; j <= lb; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *here = rows[i % 3], *above = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];
        here[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t cost = a[i - 1] != b[j - 1];
            here[j] = least(least(above[j] + 1, here[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                here[j] = least(here[j], twice[j - 2] + 1);
        }
    }
    return rows[la % 3][lb];
}

const char *text_nearest(const char *word, const char *const *words, size_t count)
{
    size_t length = strlen(word), best = length / 3 > 1 ? length / 3 : 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t far = distance(word, words[i]);
        if (far < best || (far == best && !nearest)) {
            best = far;
            nearest = words[i];
        }
    }
    /* A word that merely begins like one is meant too: "temp" for "templates". */
    for (size_t i = 0; !nearest && length >= 3 && i < count; i++)
        if (strncmp(words[i], word, length) == 0)
            nearest = words[i];
    return nearest;
}

bool text_is_label(const char *text, size_t most)
{
    size_t length = strlen(text);
    if (length == 0 || length > most || text[0] < 'a' || text[0] > 'z' || text[length - 1] == '-')
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

char *text_money(const void *ctx, double amount, bool cents)
{
    char digits[64];
    snprintf(digits, sizeof digits, cents ? "%.2f" : "%.0f", fabs(amount));
    size_t whole = strcspn(digits, ".");
    bool nothing = strspn(digits, "0.") == strlen(digits); /* -0.3 without cents is 0 */
    char *text = talloc_strdup(ctx, amount < 0 && !nothing ? "-" : "");
    for (size_t i = 0; i < whole; i++)
        text = talloc_asprintf_append_buffer(text, "%s%c", i && (whole - i) % 3 == 0 ? "," : "",
                                             digits[i]);
    return talloc_strdup_append_buffer(text, digits + whole);
}

char *text_number(const void *ctx, int64_t value)
{
    return talloc_asprintf(ctx, "%" PRId64, value);
}

char *text_count(const void *ctx, long count, const char *one, const char *many)
{
    return talloc_asprintf(ctx, "%ld %s", count, count == 1 ? one : many);
}

char *text_list(const void *ctx, const char *const *items, size_t count, const char *last_word)
{
    char *text = talloc_strdup(ctx, "");
    for (size_t i = 0; i < count; i++) {
        if (i && i == count - 1)
            text = talloc_asprintf_append_buffer(text, " %s ", last_word);
        else if (i)
            text = talloc_strdup_append_buffer(text, ", ");
        text = talloc_strdup_append_buffer(text, items[i]);
    }
    return text;
}

/* How much of an address says whose it is, before the @: what stands after a + is the same mailbox
   (RFC 5233), and Slack gives one address to one account of a workspace. */
static size_t mailbox_length(const char *mail)
{
    const char *at = strrchr(mail, '@');
    size_t whole = at ? (size_t)(at - mail) : strlen(mail), length = strcspn(mail, "+");
    return length && length < whole ? length : whole;
}

bool text_same_mailbox(const char *a, const char *b)
{
    if (!a || !b)
        return false;
    size_t length = mailbox_length(a);
    const char *domain = strrchr(a, '@'), *other = strrchr(b, '@');
    return length == mailbox_length(b) && strncasecmp(a, b, length) == 0 &&
           strcasecmp(domain ? domain : "", other ? other : "") == 0;
}
