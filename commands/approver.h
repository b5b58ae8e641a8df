/* The caller as who gives a word on a request. */
#ifndef COMMANDS_APPROVER_H
#define COMMANDS_APPROVER_H

#include "approvals/decide.h"
#include "commands/call.h"

static inline struct approver approver_of(struct call *call)
{
    voters_know(call->voters, call->person);
    return (struct approver){.db = call->db,
                             .rules = call->rules,
                             .person = call->person,
                             .actor = &call->actor,
                             .voters = call->voters,
                             .clicked = call->envelope->type == ENVELOPE_ACTION};
}

#endif
