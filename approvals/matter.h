/* What people vote on: a request, or whatever else waits for the approvers. Votes and decisions
   (approvals/votes.h, approvals/decide.h) know a matter only; what a kind of it does of its own is
   in its acts. */
#ifndef APPROVALS_MATTER_H
#define APPROVALS_MATTER_H

#include "approvals/policy.h"
#include "store/audit.h"
#include "store/change_requests.h"
#include "store/environments.h"

struct matter {
    struct environment *env; /* whose row is locked by whoever writes */
    const char *card; /* the message that shows it (lifecycle/place.h): its votes are kept by it */
    int revision;     /* of what its card shows */
    const char *digest;    /* of what it is now (matter_digest) */
    const char *presented; /* of what its card shows; NULL: of an older envbot, not known */
    struct policy policy;
    bool open;          /* nobody has decided it yet */
    const cJSON *tally; /* what its card says of the votes; the acts write a new one */
    const struct matter_acts *acts;
    /* of a change request alone */
    struct change_request *change;           /* NULL: the request for the environment */
    const struct matter_change_means *means; /* what its acts need besides (matter_change.h) */
};

struct matter_acts {
    /* Says in err what became of it, to who comes too late: matter.open is false. */
    void (*tell_over)(const void *ctx, const struct matter *matter, const struct person *person,
                      struct error *err);
    /* It is not what its cards show: a new revision, whose cards are shown, with nobody's vote.
       matter says the same. Queued. Where presented is NULL only that is noted. */
    void (*present)(struct db *db, struct matter *matter);
    /* The votes changed and nothing is decided: writes the tally, and has the cards show it. */
    void (*keep)(struct db *db, struct matter *matter, const cJSON *tally);
    /* The word that decides: takes the step and writes its audit row, with what extra says of the
       decision (by, by_mention, decision_reason …). *answer (ctx) is for who said it. */
    bool (*take)(const void *ctx, struct db *db, struct matter *matter, bool approved,
                 const cJSON *tally, const struct audit_actor *actor, const cJSON *extra,
                 const char **answer, struct error *err);
};

/* The request for an environment. */
struct matter matter_request(struct environment *env);

/* SHA-256, in hex, over all that an approval of the request is about: whose it is, team, name,
   region, how long, why, the values, and its own copy of the template with its policy. */
const char *matter_digest(const struct environment *env);

/* SHA-256, in hex, over a tree whose members are sorted; ctx. */
const char *matter_hash(const void *ctx, const cJSON *all);

/* Whether it is this person who asked for it, with whatever account. */
bool matter_is_own(const struct matter *matter, const struct person *person);

/* Whether its cards show something else than what it is. */
bool matter_is_stale(const struct matter *matter);

#endif
