/* One person's word on one request: checked, written down, and when it decides, acted on. */
#ifndef APPROVALS_DECIDE_H
#define APPROVALS_DECIDE_H

#include "approvals/people.h"
#include "approvals/policy.h"
#include "store/audit.h"
#include "store/environments.h"

enum decision_word { DECISION_APPROVE, DECISION_DENY };

struct decision {
    enum decision_word word;
    const char *reason; /* "" for none; a deny needs one */
    int revision;       /* of the card that was clicked; 0: typed, the present one */
    bool proved; /* a one-time code was right (approvals/code.h), or is yet to be asked for */
};

/* Inside the caller's transaction, env locked. Checks state, revision, identity and rules; writes
   the decision and its audit row; when it decides, takes the event. *answer (ctx): the sentence for
   who voted. False: refused, with the sentence in err, and nothing is written. */
bool decide(const void *ctx, struct db *db, const struct rbac *rules, const struct person *person,
            struct audit_actor *actor, struct environment *env, const struct decision *decision,
            const char **answer, struct error *err);

/* The same checks alone, for a form that is yet to be filled in. */
bool decision_allowed(const void *ctx, const struct rbac *rules, const struct person *person,
                      const struct environment *env, const struct decision *decision,
                      struct error *err);

#endif
