/* What time does to a request that waits for its decision: reminders, a second channel, the lapse.
   Its clock stands still while a question is open: for one question, and at most as long again as
   the request may wait. */
#ifndef LIFECYCLE_WAITING_H
#define LIFECYCLE_WAITING_H

#include "store/audit.h"
#include "store/environments.h"

struct lifecycle_rules;

enum { WAITING_REMINDERS_MOST = 10 };

/* How long it may wait, in seconds: approval.lapse of its template, else the configuration's. */
int64_t waiting_lapse(const struct environment *env, const struct lifecycle_rules *rules);
/* The moment at which it will have waited for so many seconds; with a question open the latest. */
time_t waiting_moment(const struct environment *env, const struct lifecycle_rules *rules,
                      int64_t seconds);
time_t waiting_lapses_at(const struct environment *env, const struct lifecycle_rules *rules);
/* When its card is to be shown in approval.escalate's channel too; 0: never, or it is already. */
time_t waiting_escalates_at(const struct environment *env, const struct lifecycle_rules *rules);
/* The first of approval.remind that is still to come or was not heeded yet; 0: none. */
time_t waiting_remind_at(const struct environment *env, const struct lifecycle_rules *rules);
/* How many of approval.remind are over at env->now; more than env->reminded: one is due. */
int waiting_reminders_over(const struct environment *env, const struct lifecycle_rules *rules);
/* When the clock must look at it: its lapse, or its escalation when that comes first. */
time_t waiting_due(const struct environment *env, const struct lifecycle_rules *rules);

/* The locked environment's card appears in the second channel; said in both threads. */
bool waiting_escalate(struct db *db, struct environment *env, struct error *err);
/* Those who are still needed ("<@U0A>, <@U0B>: ", composed) are asked again in the card's thread;
   all reminders whose time is over are given with this one. Queued; false when none is due. */
bool waiting_remind(struct db *db, struct environment *env, const char *mentions);

/* Said in the card's thread, and in its copy's where it was escalated; extra as for say(). */
void waiting_tell_approvers(struct db *db, const struct environment *env, const char *name,
                            const cJSON *extra);

/* An approver's question (clean text) on a locked request: said in the card's thread and in the
   owner's, and shown on the card until it is answered. ERROR_CONFLICT while another one is open. */
bool waiting_ask(struct db *db, struct environment *env, const struct audit_actor *actor,
                 const char *question, struct error *err);
/* The owner's words, told to both threads. The environment has an open question. Queued. */
void waiting_answer(struct db *db, struct environment *env, const struct audit_actor *actor,
                    const char *answer);

#endif
