/* The caller as who gives a word, and what it is about. */
#ifndef COMMANDS_APPROVER_H
#define COMMANDS_APPROVER_H

#include "approvals/decide.h"
#include "commands/call.h"

struct approver approver_of(struct call *call);

/* What the caller's word is about, its environment locked: what a button's or form's value says;
   typed, the open change request of that environment, else its request. out->env NULL with true: it
   is not what its cards show, and the caller has been told. */
bool approver_matter(struct call *call, struct matter *out, struct error *err);

/* The view of a request or a change request, for a form about it; call. */
cJSON *approver_view(struct call *call, const struct environment *env,
                     const struct change_request *change);

#endif
