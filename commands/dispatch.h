/* One envelope, one transaction, then the ack. */
#ifndef COMMANDS_DISPATCH_H
#define COMMANDS_DISPATCH_H

#include "commands/call.h"

/* Answers an envelope: payload is JSON text, or NULL for an ack without content. Called exactly
   once for each envelope, after the commit. */
typedef void ack_fn(void *user, const struct envelope_raw *raw, const char *payload);

/* Handles one envelope from reading it to the ack and what follows the ack (opening a modal). Takes
   raw. Never fails: what goes wrong is answered, logged and counted. Returns the result for the
   metrics: "ok", "refused", "repeated", "failed" or "malformed"; *type (static) is the envelope's.
 */
const char *dispatch(const struct tools *tools, struct envelope_raw *raw, ack_fn *ack, void *user,
                     const char **type);

#endif
