/* The caller as who gives a word on a request. */
#ifndef COMMANDS_APPROVER_H
#define COMMANDS_APPROVER_H

#include "approvals/decide.h"
#include "commands/call.h"

static inline struct approver approver_of(struct call *call)
{
    return (struct approver){.db = call->db,
                             .rules = call->rules,
                             .person = call->person,
                             .actor = &call->actor,
                             .clicked = call->envelope->type == ENVELOPE_ACTION};
}

#endif
