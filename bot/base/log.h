/* One line an event, logfmt, on stderr: time level msg key=value…  Secrets never. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above this level are not written; LOG_INFO until set. */
void log_set_level(enum log_level level);
/* "error", "warn", "info" or "debug" to a level; false when it is none of them. */
bool log_level_parse(const char *name, enum log_level *out);

/* msg is a fixed short sentence; then pairs of (const char *key, const char *value), ended by
   NULL. A NULL value is left out with its key. Values are quoted and escaped as needed; a line
   is written with one write(), so lines of threads and processes never mix.
   A warning is something a person should do something about. */
void log_event(enum log_level level, const char *msg, ...) __attribute__((sentinel));

#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__, (const char *)0)
#define log_warn(...) log_event(LOG_WARN, __VA_ARGS__, (const char *)0)
#define log_info(...) log_event(LOG_INFO, __VA_ARGS__, (const char *)0)
#define log_debug(...) log_event(LOG_DEBUG, __VA_ARGS__, (const char *)0)

#endif
