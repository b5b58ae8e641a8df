/* Changes YAML by whole lines, beside what libFuzzer does with its bytes, so that more of what
   comes out is still a document. Whoever includes this says which pieces and values may be put in.
 */
#ifndef FUZZ_YAML_LINES_H
#define FUZZ_YAML_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Lines without indentation ("rules:\n- verbs: [get]\n"), and what may stand after a key. */
struct yaml_words {
    const char *const *pieces, *const *values;
    size_t piece_count, value_count;
};
extern const struct yaml_words yaml_words;

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t length, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t length, size_t most, unsigned seed);

struct text {
    uint8_t *bytes;
    size_t length, most;
};

/* Puts words in place of the `gone` bytes at `at`; nothing when there is no room. */
static void put(struct text *text, size_t at, size_t gone, const char *words, size_t count)
{
    if (text->length - gone + count > text->most)
        return;
    memmove(text->bytes + at + count, text->bytes + at + gone, text->length - at - gone);
    memcpy(text->bytes + at, words, count);
    text->length += count - gone;
}

static size_t line_end(const struct text *text, size_t at)
{
    const uint8_t *end = memchr(text->bytes + at, '\n', text->length - at);
    return end ? (size_t)(end - text->bytes) + 1 : text->length;
}

/* Where some line begins. */
static size_t some_line(const struct text *text, unsigned *seed)
{
    size_t at = text->length ? (size_t)rand_r(seed) % text->length : 0;
    while (at && text->bytes[at - 1] != '\n')
        at--;
    return at;
}

static size_t indentation(const struct text *text, size_t at)
{
    size_t count = 0;
    while (at + count < text->length && text->bytes[at + count] == ' ')
        count++;
    return count;
}

/* A piece before the line, as deep as that, or a step deeper. */
static void put_piece(struct text *text, size_t at, const char *piece, size_t depth)
{
    static const char blanks[] = "                                ";
    depth = depth < sizeof blanks - 1 ? depth : sizeof blanks - 1;
    while (*piece) {
        size_t count = strcspn(piece, "\n") + 1;
        put(text, at, 0, blanks, depth);
        put(text, at + depth, 0, piece, count);
        at += depth + count;
        piece += count;
        if (at > text->length)
            return;
    }
}

static void put_value(struct text *text, size_t at, const char *value)
{
    size_t end = line_end(text, at);
    for (size_t i = at; i + 1 < end; i++) {
        if (text->bytes[i] == ':' && text->bytes[i + 1] == ' ') {
            put(text, i + 2, end - i - 2, value, strlen(value));
            put(text, i + 2 + strlen(value), 0, "\n", 1);
            return;
        }
    }
}

/* Some lines once more, somewhere. */
static void copy_lines(struct text *text, unsigned *seed)
{
    char kept[512];
    size_t from = some_line(text, seed), to = from;
    for (int lines = rand_r(seed) % 8; lines >= 0 && to < text->length; lines--)
        to = line_end(text, to);
    size_t count = to - from < sizeof kept ? to - from : sizeof kept;
    memcpy(kept, text->bytes + from, count);
    put(text, some_line(text, seed), 0, kept, count);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t length, size_t most, unsigned seed)
{
    struct text text = {bytes, length, most};
    size_t at = some_line(&text, &seed), end = line_end(&text, at);
    unsigned pick = (unsigned)rand_r(&seed);
    switch (rand_r(&seed) % 8) {
    case 0:
    case 1:
        put_piece(&text, at, yaml_words.pieces[pick % yaml_words.piece_count],
                  indentation(&text, at) + (pick >> 8) % 3 / 2 * 2);
        break;
    case 2:
    case 3:
        put_value(&text, at, yaml_words.values[pick % yaml_words.value_count]);
        break;
    case 4:
        put(&text, at, end - at, "", 0);
        break;
    case 5:
        copy_lines(&text, &seed);
        break;
    case 6:
        if (pick % 2)
            put(&text, at, 0, "  ", 2);
        else if (indentation(&text, at) >= 2)
            put(&text, at, 2, "", 0);
        break;
    default:
        return LLVMFuzzerMutate(bytes, length, most);
    }
    return text.length ? text.length : LLVMFuzzerMutate(bytes, length, most);
}

#endif
