/* Whom a request, or a change request, still waits for: they are reminded, and when the rules leave
   nobody who could approve it, that is said. Asks Slack who is in which group, outside of
   transactions. */
#ifndef APPROVALS_NEEDED_H
#define APPROVALS_NEEDED_H

#include "approvals/matter_change.h"
#include "approvals/people.h"

/* What it takes; the calling thread's own connections. */
struct needed {
    struct db *db;
    struct slack_web *web;
    struct people *people;
    const struct rbac *rules;
    struct matter_change_means change; /* of change requests */
    int64_t rests_until; /* its own: Slack could not tell, and is not asked again at once */
};

/* Gives the reminders that are due (when Slack cannot tell who is needed, some minutes later,
   without names), each in a transaction of its own: *taken is how many. Any number of processes may
   do it side by side. False when the database cannot be asked. */
bool needed_remind(struct needed *needed, int *taken, struct error *err);

/* Who can still approve a matter that is open, as mentions for people to read ("<@U0A>, <@U0B> and
   3 others"; "" when the rules name nobody or everybody): without who asks for it, those who voted,
   and those who may decide nothing. Outside of transactions. */
bool needed_names(const void *ctx, const struct needed *needed, const struct matter *matter,
                  const char **names, struct error *err);

/* Looks whether what waits can be approved at all: those that were not looked at under
   these rules yet, and the others every few minutes, for groups change too. Who asks for what
   nobody can approve is told what is missing, and the operators are, once for each version of the
   rules. What is not what its cards show any more is shown anew. *taken: how many were told of. */
bool needed_check(struct needed *needed, int *taken, struct error *err);

#endif
