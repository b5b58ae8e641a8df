/* Who did what: the actor of a change, and the audit's rows. The database refuses to change or
   delete them, and a chain of hashes shows who did so all the same (store/audit_chain.h). */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store/db.h"

/* Who acts, from where, and what lets them. envbot itself: AUDIT_ENVBOT. Members may be NULL but
   for the first three. */
struct audit_actor {
    const char *workspace; /* "" for envbot */
    const char *id;
    const char *name;
    const char *rule;          /* which rule allowed it; NULL where none was asked */
    const char *rules_version; /* of all rules, when it was asked */
    const char *envelope;      /* the delivery it came with */
    const char *channel;       /* where it was typed or clicked */
    const char *message;       /* the ts of the message whose button was clicked */
};
extern const struct audit_actor AUDIT_ENVBOT;

/* Queues one row. environment 0, team and states may be NULL: not about one. detail may be NULL. An
   environment that does not exist is left out: a button's value may say anything. */
void audit_add(struct db *db, const struct audit_actor *actor, int64_t environment,
               const char *team, const char *event, const char *from_state, const char *to_state,
               const cJSON *detail);

#endif
