#include "base/duration.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <talloc.h>

static const struct {
    const char *name;
    int64_t seconds;
} units[] = {
    {"w", 604800},   {"week", 604800}, {"weeks", 604800}, {"d", 86400},    {"day", 86400},
    {"days", 86400}, {"h", 3600},      {"hour", 3600},    {"hours", 3600}, {"hr", 3600},
    {"hrs", 3600},   {"m", 60},        {"min", 60},       {"mins", 60},    {"minute", 60},
    {"minutes", 60}, {"s", 1},         {"sec", 1},        {"secs", 1},     {"second", 1},
    {"seconds", 1},
};

/* Longer than any environment lives; keeps sums far from overflow. */
#define LONGEST (10LL * 366 * 86400)

static int64_t unit_seconds(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == length && strncasecmp(units[i].name, name, length) == 0)
            return units[i].seconds;
    return 0;
}

bool duration_parse(const char *text, int64_t *seconds, struct error *err)
{
    int64_t sum = 0;
    const char *at = text;
    while (isspace((unsigned char)*at))
        at++;
    while (*at) {
        if (!isdigit((unsigned char)*at))
            break;
        char *end;
        unsigned long long number = strtoull(at, &end, 10);
        while (isspace((unsigned char)*end))
            end++;
        size_t length = 0;
        while (isalpha((unsigned char)end[length]))
            length++;
        int64_t unit = unit_seconds(end, length);
        if (!unit)
            break;
        if (number > (unsigned long long)LONGEST || (int64_t)number * unit > LONGEST - sum)
            return error_set(err, ERROR_USAGE, "“%s” is too long a time.", text);
        sum += (int64_t)number * unit;
        at = end + length;
        while (isspace((unsigned char)*at) || *at == ',')
            at++;
    }
    if (*at || sum == 0)
        return error_set(err, ERROR_USAGE,
                         "“%s” is not a length of time; write it like 30m, 8h, 2d or 1w.", text);
    *seconds = sum;
    return true;
}

char *duration_text(const void *ctx, int64_t seconds)
{
    if (seconds < 0)
        seconds = 0;
    int64_t days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;
    char *text = talloc_strdup(ctx, "");
    if (days)
        text = talloc_asprintf_append(text, "%lld %s", (long long)days, days == 1 ? "day" : "days");
    if (hours)
        text = talloc_asprintf_append(text, "%s%lld h", *text ? " " : "", (long long)hours);
    if (minutes && !days)
        text = talloc_asprintf_append(text, "%s%lld min", *text ? " " : "", (long long)minutes);
    if (seconds < 600 && seconds % 60)
        text =
            talloc_asprintf_append(text, "%s%lld s", *text ? " " : "", (long long)(seconds % 60));
    return *text ? text : talloc_strdup_append(text, "0 s");
}

char *duration_short(const void *ctx, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        char letter;
    } letters[] = {{604800, 'w'}, {86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    char *text = talloc_strdup(ctx, "");
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
        int64_t count = seconds / letters[i].seconds;
        if (count > 0)
            text = talloc_asprintf_append(text, "%lld%c", (long long)count, letters[i].letter);
        seconds %= letters[i].seconds;
    }
    return text;
}
