/* All commands, buttons and modals, each a line. */
#ifndef COMMANDS_TABLE_H
#define COMMANDS_TABLE_H

#include "commands/call.h"

/* Ended by a line with name NULL. */
extern const struct command commands[];
extern const struct command actions[];     /* by action_id */
extern const struct command submissions[]; /* by callback_id */

const struct command *command_find(const struct command *table, const char *name);

#endif
