#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Atomic int max_level = LOG_INFO;
static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    atomic_store(&max_level, (int)level);
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (int i = 0; i <= LOG_DEBUG; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* One line, cut where it would grow too long; room is kept for its end. */
struct line {
    char text[4096];
    size_t length;
};

static void append(struct line *line, const char *text, size_t length)
{
    size_t room = sizeof line->text - 1 - line->length;
    length = length < room ? length : room;
    memcpy(line->text + line->length, text, length);
    line->length += length;
}

static void append_quoted(struct line *line, const char *value)
{
    append(line, "\"", 1);
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        char code[8];
        int length;
        if (*c == '"' || *c == '\\')
            length = snprintf(code, sizeof code, "\\%c", *c);
        else if (*c == '\n')
            length = snprintf(code, sizeof code, "\\n");
        else if (*c < ' ' || *c == 0x7F)
            length = snprintf(code, sizeof code, "\\x%02x", *c);
        else
            length = (code[0] = (char)*c, 1);
        append(line, code, (size_t)length);
    }
    append(line, "\"", 1);
}

static void append_value(struct line *line, const char *value)
{
    bool plain = *value != '\0';
    for (const unsigned char *c = (const unsigned char *)value; plain && *c; c++)
        plain = *c > ' ' && *c != '"' && *c != '=' && *c != '\\' && *c != 0x7F;
    if (plain)
        append(line, value, strlen(value));
    else
        append_quoted(line, value);
}

void log_event(enum log_level level, const char *msg, ...)
{
    if ((int)level > atomic_load(&max_level))
        return;
    struct line line;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    line.length = strftime(line.text, sizeof line.text, "time=%Y-%m-%dT%H:%M:%S", &utc);
    char head[48];
    int length = snprintf(head, sizeof head, ".%03ldZ level=%s msg=", now.tv_nsec / 1000000,
                          level_names[level]);
    append(&line, head, (size_t)length);
    append_value(&line, msg);
    va_list args;
    va_start(args, msg);
    for (const char *key; (key = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        if (!value)
            continue;
        append(&line, " ", 1);
        append(&line, key, strlen(key));
        append(&line, "=", 1);
        append_value(&line, value);
    }
    va_end(args);
    line.text[line.length++] = '\n';
    /* A log that cannot be written has nobody left to tell. */
    ssize_t written = write(STDERR_FILENO, line.text, line.length);
    (void)written;
}
