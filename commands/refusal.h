/* What the audit keeps of a refusal. */
#ifndef COMMANDS_REFUSAL_H
#define COMMANDS_REFUSAL_H

#include "commands/call.h"

/* Queues the audit's row of a refusal that matters, in the transaction of its answer: whoever was
   not allowed to do it, and every word on a request that decided nothing. Not of what is only read,
   nor of what envbot could not serve. */
void refusal_note(struct call *call, const struct error *why);

#endif
