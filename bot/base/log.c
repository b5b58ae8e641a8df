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

static void append_value(FILE *out, const char *value)
{
    bool plain = *value != '\0';
    for (const unsigned char *c = (const unsigned char *)value; plain && *c; c++)
        plain = *c > ' ' && *c != '"' && *c != '=' && *c != '\\' && *c != 0x7F;
    if (plain) {
        fputs(value, out);
        return;
    }
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c == '\n')
            fputs("\\n", out);
        else if (*c < ' ' || *c == 0x7F)
            fprintf(out, "\\x%02x", *c);
        else
            fputc(*c, out);
    }
    fputc('"', out);
}

void log_event(enum log_level level, const char *msg, ...)
{
    if ((int)level > atomic_load(&max_level))
        return;
    char line[4096];
    FILE *out = fmemopen(line, sizeof line - 1, "w");
    if (!out)
        return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    fprintf(out, "time=%s.%03ldZ level=%s msg=", stamp, now.tv_nsec / 1000000, level_names[level]);
    append_value(out, msg);
    va_list args;
    va_start(args, msg);
    for (const char *key; (key = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        if (!value)
            continue;
        fprintf(out, " %s=", key);
        append_value(out, value);
    }
    va_end(args);
    fflush(out);
    long used = ftell(out);
    fclose(out);
    size_t length = used < 0 ? 0 : (size_t)used;
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';
    /* A log that cannot be written has nobody left to tell. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
}
