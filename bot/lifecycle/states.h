/* The environment's life: the one table of transitions, and the one way to change a state. */
#ifndef LIFECYCLE_STATES_H
#define LIFECYCLE_STATES_H

#include "config.h"
#include "store/audit.h"
#include "lifecycle/times.h"
#include "store/environments.h"
#include "store/jobs.h"

enum event {
    EVENT_REQUEST,      /* asked for; somebody has to approve */
    EVENT_REQUEST_FREE, /* asked for; the template needs nobody's approval for it */
    EVENT_BREAK_GLASS,  /* asked for and begun without the approval that it needs */
    EVENT_APPROVE,      /* the deciding approval */
    EVENT_DENY,
    EVENT_WITHDRAW,
    EVENT_LAPSE,         /* nobody decided in time */
    EVENT_START,         /* a job process began to create */
    EVENT_READY,         /* the cluster was seen to be there */
    EVENT_TRY_AGAIN,     /* a creation or a change failed in a way that is worth another try by
                            ourselves */
    EVENT_FAIL,          /* creating failed; a delete job cleans up */
    EVENT_WARN,          /* a warning is due */
    EVENT_EXTEND,        /* more time */
    EVENT_DELETE,        /* somebody wants it gone */
    EVENT_EXPIRE,        /* its time is up */
    EVENT_DELETE_FAILED, /* a deletion failed; it is tried again */
    EVENT_STUCK,         /* deletions failed too often: the operators must look */
    EVENT_GONE,          /* nothing of it was seen any more */
    EVENT_RETRY,         /* again, after it failed; what is left of it is gone on with */
    EVENT_SCALE,         /* another number of nodes is wanted */
    EVENT_SCALED,        /* it was seen to have it */
    EVENT_UPGRADE,       /* the next minor version is wanted */
    EVENT_UPGRADED,      /* all of it was seen to have it */
    EVENT_SLEEP,         /* its nodes are to go, for a while */
    EVENT_SLEPT,         /* it was seen to have none */
    EVENT_WAKE,          /* its nodes are to come back */
    EVENT_WOKEN,         /* they were seen to be back */
    EVENT_WAKE_FAILED,   /* none came back: it sleeps on */
    EVENT_CHANGE_FAILED, /* a change was not seen to succeed: it goes on as it is */
    EVENT_COUNT
};

struct transition {
    const char *from; /* a state; "" for a new one */
    enum event event;
    const char *to;
    const char *job;       /* kind of the job that is queued, or NULL */
    const char *thread;    /* templates/slack/NAME.yaml said in the environment's thread, or NULL */
    const char *mail;      /* templates/mail/NAME.yaml, or NULL */
    const char *operators; /* templates/slack/NAME.yaml said to the operators, or NULL */
    bool redraw_card;      /* the approvers' card changes */
    bool ends;             /* nothing is left of it: ended_at is set, the quota is free */
};

/* All transitions; the last one has from == NULL. */
extern const struct transition transitions[];
/* NULL when the event is not possible in that state. */
const struct transition *transition_find(const char *from, enum event event);
const char *event_name(enum event event);
/* Whether the cluster is there and its time counts: warnings come, and it ends. */
bool state_runs(const char *state);

/* What every process that takes events calls once, before it does: the rules, and the command that
   messages mention. */
void lifecycle_configure(const struct config *config);

/* A new environment, by EVENT_REQUEST, EVENT_REQUEST_FREE or EVENT_BREAK_GLASS: adds its row
   (environment_insert sets its id and times; its state is the transition's) and what
   lifecycle_take() adds for an event. Waits for the row; ERROR_CONFLICT when the cluster's name is
   taken by a living one. */
bool lifecycle_request(struct db *db, struct environment *env, enum event event,
                       const struct audit_actor *actor, const cJSON *extra, struct error *err);

/* Takes the event on a locked environment inside the caller's transaction: changes the row (and
   env), sets its times and due_at, queues or cancels its job, writes the audit row and the outbox
   rows that the table names, and marks its message (and card) for a redraw. extra: values for the
   templates besides the environment's view (reason, by, …); may be NULL; not taken.
   ERROR_CONFLICT, with a sentence that says what is going on, when the event is not possible now.
   Only queues statements: what fails shows at the next query or the commit.
   A job that ends marks its own row ended before it takes its event, in the same transaction:
   an environment has one live job. Where the transition needs a job while another one runs, that
   one is asked to stop (jobs.cancel) and queues its successor when it ends. */
bool lifecycle_take(struct db *db, struct environment *env, enum event event,
                    const struct audit_actor *actor, const cJSON *extra, struct error *err);

/* Whether it could take the event now; else says what is going on, as lifecycle_take does. */
bool lifecycle_possible(const struct environment *env, enum event event, struct error *err);

/* Queues a job for the environment (NOTIFY envbot_jobs in a process that says say_notifies), unless
   one runs, which is asked to stop instead; a job that is only queued gives way. */
void lifecycle_queue_job(struct db *db, const struct environment *env, const char *kind);

#endif
