/* What an approver says afterwards of an environment that was started by breaking the glass. */
#ifndef APPROVALS_GLASS_H
#define APPROVALS_GLASS_H

#include "approvals/people.h"
#include "store/audit.h"
#include "store/environments.h"

enum glass_word { GLASS_SEEN, GLASS_END };

/* Inside the caller's transaction, env locked. Who may approve it and did not start it says one
   word; the first one stands. GLASS_END deletes it. Writes the word and its audit row; the owner's
   thread and the card are told. *answer (ctx): the sentence for who said it. False: refused, with
   the sentence in err, and nothing is written. */
bool glass_review(const void *ctx, struct db *db, const struct rbac *rules,
                  const struct person *person, struct audit_actor *actor, struct environment *env,
                  enum glass_word word, const char **answer, struct error *err);

#endif
