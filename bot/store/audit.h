/* Who did what: the actor of a change, and the audit's rows. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store/db.h"

/* Who acts. envbot itself: AUDIT_ENVBOT. */
struct audit_actor {
    const char *workspace; /* "" for envbot */
    const char *id;
    const char *name;
    const char *rule;     /* which rule allowed it; NULL where none was asked */
    const char *envelope; /* the delivery it came with; NULL for none */
};
extern const struct audit_actor AUDIT_ENVBOT;

/* Queues one row. environment 0, team and states may be NULL: not about one. detail may be NULL. */
void audit_add(struct db *db, const struct audit_actor *actor, int64_t environment,
               const char *team, const char *event, const char *from_state, const char *to_state,
               const cJSON *detail);

#endif
