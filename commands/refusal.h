/* What the audit keeps of a refusal. */
#ifndef COMMANDS_REFUSAL_H
#define COMMANDS_REFUSAL_H

#include "commands/call.h"

/* Queues the audit's row of a refusal that matters, in the transaction of its answer: whoever was
   not allowed to do it, and every word on a request that decided nothing. Not of what is only read,
   nor of what envbot could not serve. */
void refusal_note(struct call *call, const struct error *why);

/* Of what does not exist and of what one may not see, so that a guessed number tells nothing. */
#define REFUSAL_NOT_SHOWN                                                                          \
    "What this button belongs to does not exist, or the rules do not show it to you. Nothing was " \
    "done."

/* Inside the transaction of a click or a form that was refused with *err: where the person may not
   see the environment that its value names, and it did not come from a message of it, *err is
   REFUSAL_NOT_SHOWN in its place. */
void refusal_hide(struct call *call, struct error *err);

#endif
