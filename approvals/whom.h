/* What a person is told whom the rules do not let do something. */
#ifndef APPROVALS_WHOM_H
#define APPROVALS_WHOM_H

#include "approvals/rbac.h"

/* Which rule it would take, and whom to ask, a sentence in mrkdwn: "That takes the verb `approve`.
   Ask @platform-approvers: the rules give it to them." ctx */
const char *whom_to_ask(const void *ctx, const struct rbac *rules, const char *verb,
                        const char *resource, const char *team, const char *template);

#endif
