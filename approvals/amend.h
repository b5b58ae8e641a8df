/* Approving with changes: who approves a request may make it smaller, or give a parameter another
   value that its template allows. */
#ifndef APPROVALS_AMEND_H
#define APPROVALS_AMEND_H

#include "approvals/decide.h"
#include "lifecycle/template.h"

struct amendment {
    cJSON *parameters;
    int64_t ttl_seconds;
    struct template_resources before, after; /* what the request takes */
    const char *words; /* "Nodes 3 → 2, How long 8 h → 4 h", plain; "" when nothing changes */
};

/* What given (parameters, typed or as values) and so much time make of the request. Refuses more
   nodes or more time than were asked for, and what its own copy of the template does not allow.
   Owned by ctx. */
bool amend_plan(const void *ctx, const struct environment *env, const struct template_set *set,
                const cJSON *given, int64_t ttl_seconds, struct amendment *out, struct error *err);

/* Makes it so, inside the caller's transaction, the rows of team and environment locked: a new
   revision without anybody's vote, shown on the cards; the requester and those whose votes are void
   are told, and the audit. Fewer nodes and less time become the bounds of its copy of the template.
   quota: {before, after} for the card. */
bool amend_make(const void *ctx, const struct approver *me, struct matter *matter,
                const struct amendment *amendment, const cJSON *quota, struct error *err);

#endif
