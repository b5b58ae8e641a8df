/* Approving with changes: the form's fields and what comes back from them. */
#ifndef COMMANDS_AMEND_H
#define COMMANDS_AMEND_H

#include "approvals/amend.h"
#include "commands/call.h"

/* Whether the form that came back has these fields. */
bool amend_asked(const struct call *call);
/* Puts the fields, as the request is, into the form's values. */
bool amend_fields(struct call *call, const struct environment *env, cJSON *values,
                  struct error *err);

/* What was filled in, and whether it fits the team's quota. The team's row is locked before the
   environment's: amend_lock comes first. *quota: {before, after} for the card. */
bool amend_lock(struct call *call, struct team_use *use, struct error *err);
bool amend_read(struct call *call, const struct environment *env, const struct team_use *use,
                struct amendment *out, cJSON **quota, struct error *err);

#endif
