#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* vsnprintf cuts bytes; a half character at the end is taken off. */
static void trim_half_character(char *text)
{
    size_t length = strlen(text), lead = length;
    while (lead > 0 && ((unsigned char)text[lead - 1] & 0xC0) == 0x80)
        lead--;
    if (lead == 0)
        return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t want = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (length - (lead - 1) < want)
        text[lead - 1] = '\0';
}

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    if (!err)
        return false;
    char text[sizeof err->text]; /* an argument may be err->text itself */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    trim_half_character(text);
    err->code = code;
    memcpy(err->text, text, sizeof text);
    return false;
}

bool error_prefix(struct error *err, const char *format, ...)
{
    if (!err)
        return false;
    char before[sizeof err->text], text[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(before, sizeof before, format, args);
    va_end(args);
    size_t used = strlen(before);
    memcpy(text, before, used + 1);
    snprintf(text + used, sizeof text - used, "%s", err->text);
    trim_half_character(text);
    memcpy(err->text, text, sizeof text);
    return false;
}

const char *error_name(enum error_code code)
{
    static const char *const names[] = {
        [ERROR_NONE] = "none",
        [ERROR_USAGE] = "usage",
        [ERROR_CONFIG] = "config",
        [ERROR_NOT_FOUND] = "not_found",
        [ERROR_DENIED] = "denied",
        [ERROR_CONFLICT] = "conflict",
        [ERROR_UNAVAILABLE] = "unavailable",
        [ERROR_UNKNOWN] = "unknown",
        [ERROR_INTERNAL] = "internal",
    };
    return names[code];
}
