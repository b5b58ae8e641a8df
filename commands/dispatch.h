/* One envelope, one transaction, then the ack. */
#ifndef COMMANDS_DISPATCH_H
#define COMMANDS_DISPATCH_H

#include "commands/call.h"

/* How an envelope is answered: takes the envelope's id and the payload as JSON text (NULL: an ack
   without content). Called exactly once for each envelope, after the commit. */
typedef void ack_fn(void *user, const char *envelope_id, const char *payload);

/* Handles one envelope from reading it to the ack and what follows the ack (opening a modal). Never
   fails: what goes wrong is answered, logged and counted. Returns the result for the metrics: "ok",
   "refused", "repeated", "failed" or "malformed". */
const char *dispatch(const struct tools *tools, const char *text, size_t length, ack_fn *ack,
                     void *user);

#endif
