/* `envbot check`: everything that is wrong before it matters. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

/* Looks at the configuration (file: of --config, NULL where none was named), the templates, the
   words and the rules, and asks PostgreSQL, Slack and, where there is one, the cluster. A line on
   stdout for each that is well; what is wrong stands below its line, with what to do. Changes
   nothing. False when something is wrong. */
bool check(const char *file);

#endif
