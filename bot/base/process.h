/* Which process that was: a name that no later process has, as long as the machine runs. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>

/* Names the machine's boot and the PID namespace: processes that share it can see each other.
   Ends in ':'; the same text for all of them. */
char *process_host(const void *ctx);
/* process_host(), this process's id and its start time: "4b6f…-4026531836:1234:98765". */
char *process_name(const void *ctx);
/* Whether a process of that name (more may follow after another ':') is surely no more. False for
   names of other hosts, of which nothing is known here. */
bool process_gone(const char *name);

#endif
