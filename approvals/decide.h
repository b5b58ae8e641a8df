/* One person's word on one matter: checked, written down, and when it decides, acted on. */
#ifndef APPROVALS_DECIDE_H
#define APPROVALS_DECIDE_H

#include "approvals/matter.h"
#include "approvals/people.h"
#include "approvals/voters.h"

enum decision_word { DECISION_APPROVE, DECISION_DENY };

struct decision {
    enum decision_word word;
    const char *reason; /* "" for none; a deny needs one */
    int revision;       /* of the card that was clicked; 0: typed, the present one */
    bool proved; /* a one-time code was right (approvals/code.h), or is yet to be asked for */
};

/* Who gives a word, and by what it is judged. */
struct approver {
    struct db *db;
    const struct rbac *rules;
    const struct person *person;
    struct audit_actor *actor;
    struct voters *voters; /* who voted before; the caller runs it again when they are open */
    bool clicked;          /* a button of the message actor->message in actor->channel */
};

/* What comes first, inside the caller's transaction, the matter's environment locked: where it is
   not what its cards show, they are shown anew and the earlier votes are void, which those who gave
   them are told. *words (ctx) is then for the caller, and nothing else is to be done; else NULL.
   actor: who came across it. False when the database cannot be asked. */
bool decision_settle(const void *ctx, struct db *db, const struct audit_actor *actor,
                     struct matter *matter, const char **words, struct error *err);

/* Inside the caller's transaction, the matter's environment locked. Checks state, revision,
   identity and rules; writes the decision and its audit row; when it decides, takes the step.
   *answer (ctx): the sentence for who voted. False: refused, with the sentence in err, and nothing
   is written. */
bool decide(const void *ctx, const struct approver *me, struct matter *matter,
            const struct decision *decision, const char **answer, struct error *err);

/* Whether the votes still count that the card counts, voters being known: else the card is told,
   and the audit. Inside the caller's transaction, the matter's environment locked. */
bool decision_recount(const void *ctx, struct db *db, const struct rbac *rules,
                      struct voters *voters, struct matter *matter, struct error *err);

/* The same checks alone, for a form that is yet to be filled in. */
bool decision_allowed(const void *ctx, const struct approver *me, const struct matter *matter,
                      const struct decision *decision, struct error *err);

/* Takes the person's own vote back, as long as nothing is decided. revision as in a decision. */
bool decision_take_back(const void *ctx, const struct approver *me, struct matter *matter,
                        int revision, const char **answer, struct error *err);

#endif
