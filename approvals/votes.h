/* The votes on a matter: which of them count, what is wanted still, and what the card says of it.
   Nowhere else is a vote counted. */
#ifndef APPROVALS_VOTES_H
#define APPROVALS_VOTES_H

#include "approvals/matter.h"
#include "approvals/voters.h"
#include "store/db.h"

struct vote {
    int64_t id; /* 0: not written yet */
    const char *workspace, *user, *name, *mail;
    const struct person *person; /* who they are now; NULL: not asked for */
    const char *rule;            /* by which it counts now */
    const char *lost;            /* why it does not count, as "<@U…> …"; NULL: it counts */
};

struct votes {
    struct vote *items;            /* those that stand, in the order in which they were given */
    int standing, count;           /* so many of these count */
    struct policy_missing missing; /* missing.all 0: they decide */
    const char *needed;            /* in words; "" when nothing is missing */
};

/* Those that stand on the matter's present revision, each judged as if it was given now, and what
   they come to. Whose voter is not known to voters yet does not count. Owned by ctx. */
bool votes_read(const void *ctx, struct db *db, const struct matter *matter,
                const struct rbac *rules, struct voters *voters, struct votes *out,
                struct error *err);
/* The person's own among them, with whatever account they gave it; NULL: none. */
const struct vote *votes_of(const struct votes *votes, const struct person *person);
/* The same votes and one more. */
void votes_add(const void *ctx, const struct matter *matter, struct votes *votes,
               const struct person *person, const char *rule);
/* The same votes without that one, which is taken back. Queued. */
void votes_take_back(const void *ctx, struct db *db, const struct matter *matter,
                     struct votes *votes, const struct vote *vote);

/* Those who gave them: "<@U0A> and <@U0B>", ctx; "" for nobody. */
char *votes_mentions(const void *ctx, const struct votes *votes);
/* " Not counted any more: <@U0A> (…)." or "", ctx. */
char *votes_lost(const void *ctx, const struct votes *votes);

/* What the card and the view show of votes (NULL: nobody has voted), owned by ctx:
     {who: who could approve it, as the request says; needed: what is wanted still; words: "Waiting
      for …" or "1 of 2: <@U…> ✓, … still needed", mrkdwn, "" when there is nothing to say; line:
   the same as a sentence; votes: [names]; any: whether one is there; changed: what an approver
   changed, mrkdwn, or
      ""; quota: {before, after} or
   null; decision: {word, by, mention, reason} or null} who, changed and quota are those of the
   tally before.
 */
cJSON *votes_tally(const void *ctx, const cJSON *before, const struct votes *votes,
                   const cJSON *decision);
/* The first one. */
cJSON *votes_none(const void *ctx, const char *who, const cJSON *quota);

#endif
