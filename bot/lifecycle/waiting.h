/* What time does to what waits for a decision, a request or a change request: reminders, a second
   channel, the lapse. Its clock stands still while a question is open: for one question, and at
   most as long again as it may wait.
   Where a function takes an environment and a change request, NULL as the latter means the request
   for the environment; that environment is locked by whoever writes. */
#ifndef LIFECYCLE_WAITING_H
#define LIFECYCLE_WAITING_H

#include "store/audit.h"
#include "store/change_requests.h"
#include "store/environments.h"

struct lifecycle_rules;

enum { WAITING_REMINDERS_MOST = 10 };

/* One of them, as its row says; borrowed. */
struct waiting {
    const cJSON *template_copy; /* whose approval section says how long */
    const struct wait *wait;
    time_t since, now; /* asked for; when the row was read */
};
struct waiting waiting_of(const struct environment *env, const struct change_request *change);

/* How long it may wait, in seconds: approval.lapse of its template, else the configuration's. */
int64_t waiting_lapse(const struct waiting *waiting, const struct lifecycle_rules *rules);
/* The moment at which it will have waited for so many seconds; with a question open the latest. */
time_t waiting_moment(const struct waiting *waiting, const struct lifecycle_rules *rules,
                      int64_t seconds);
time_t waiting_lapses_at(const struct waiting *waiting, const struct lifecycle_rules *rules);
/* When its card is to be shown in approval.escalate's channel too; 0: never, or it is already. */
time_t waiting_escalates_at(const struct waiting *waiting, const struct lifecycle_rules *rules);
/* The first of approval.remind that is still to come or was not heeded yet; 0: none. */
time_t waiting_remind_at(const struct waiting *waiting, const struct lifecycle_rules *rules);
/* How many of approval.remind are over at now; more than were heeded: one is due. */
int waiting_reminders_over(const struct waiting *waiting, const struct lifecycle_rules *rules);
/* When the clock must look at it: its lapse, or its escalation when that comes first. */
time_t waiting_due(const struct waiting *waiting, const struct lifecycle_rules *rules);

/* What the clock has to do now. */
enum waiting_step { WAITING_NOTHING, WAITING_ESCALATE, WAITING_LAPSE };
enum waiting_step waiting_step(const struct waiting *waiting, const struct lifecycle_rules *rules);

/* "card", or "change-7" (lifecycle/place.h). */
const char *waiting_card(const void *ctx, const struct change_request *change);
/* Its card is out of date, and the card's copy where it was escalated. */
void waiting_redraw(struct db *db, const struct environment *env,
                    const struct change_request *change);
/* What messages about it are filled with besides the environment's view, where that says something
   else of the request: ctx; extra's members (may be NULL) over it. */
cJSON *waiting_values(const void *ctx, const struct environment *env,
                      const struct change_request *change, const cJSON *extra);

/* Writes what the row says of its waiting, and when the clock must look at it. Queued. */
void waiting_write(struct db *db, struct environment *env, const struct change_request *change);
/* Its card appears in the second channel; said in both threads. Queued. */
void waiting_escalate(struct db *db, struct environment *env, struct change_request *change);
/* Those who are still needed ("<@U0A>, <@U0B>: ", composed) are asked again in the card's thread;
   all reminders whose time is over are given with this one. Queued; false when none is due. */
bool waiting_remind(struct db *db, struct environment *env, struct change_request *change,
                    const char *mentions);

/* Said in the environment's thread. */
void waiting_tell_requester(struct db *db, const struct environment *env,
                            const struct change_request *change, const char *name,
                            const cJSON *extra);
/* Said in the card's thread, and in its copy's where it was escalated; extra as for say(). */
void waiting_tell_approvers(struct db *db, const struct environment *env,
                            const struct change_request *change, const char *name,
                            const cJSON *extra);

/* An approver's question (clean text): said in the card's thread and in the requester's, and shown
   on the card until it is answered. ERROR_CONFLICT while another one is open. */
bool waiting_ask(struct db *db, struct environment *env, struct change_request *change,
                 const struct audit_actor *actor, const char *question, struct error *err);
/* The requester's words, told to both threads. There is an open question. Queued. */
void waiting_answer(struct db *db, struct environment *env, struct change_request *change,
                    const struct audit_actor *actor, const char *answer);

#endif
