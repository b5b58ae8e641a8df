/* Keeps one eksctl running: feeds it, reads its log, renews the lease, tells the plan. */
#ifndef JOBS_SUPERVISE_H
#define JOBS_SUPERVISE_H

#include "config.h"
#include "jobs/causes.h"
#include "jobs/eksctl_log.h"
#include "jobs/guard.h"
#include "lifecycle/change.h"
#include "store/environments.h"
#include "store/jobs.h"

/* What a job process knows and does with. */
struct run {
    const struct config *config;
    struct db *db;
    struct job *job;
    struct environment *env;
    char *home;
    char **environment; /* of eksctl */
    struct plan plan;
    int64_t clock_at, database_at; /* guard_clock() and PostgreSQL's time of one moment */
    int64_t log_number;
    char *unwritten;           /* notes for the log, each with its newline; NULL: none */
    int guard;                 /* guard_start() */
    pid_t group;               /* of the eksctl that runs, else 0 */
    int64_t renewed_at;        /* guard_clock() right before the last renewal was asked for */
    int64_t deadline_at;       /* guard_clock(): the job has had all the time that it gets */
    int64_t phase_at;          /* guard_clock(): this phase of the plan began */
    bool cancel;               /* stop soundly: it is to be deleted, or not to be cleaned up */
    const struct cause *cause; /* the first telling line of the log; NULL: none yet */
    bool cause_is_guess;       /* it was but a warning: an error's takes its place */
    char *cause_line;
    const char *which;            /* the first stack that failed, or "" */
    int exit_code;                /* of the last eksctl that came to its own end; a hint */
    enum change_seen change_seen; /* of a change that did not succeed */
    bool waits;                   /* for AWS: a breaker is open */
    bool answered;                /* AWS answered this job, a probe of the breaker */
    bool foreign;                 /* something of that name is not ours */
};

enum run_end {
    RUN_EXITED,    /* by itself; the exit code is only a hint */
    RUN_KILLED,    /* by a signal that was not ours: the kernel was short of memory, an operator */
    RUN_CANCELLED, /* ended because the environment is to be deleted */
    RUN_LATE,      /* ended by our deadline */
    RUN_STUCK,     /* ended because one phase took too long */
    RUN_LOST,      /* the lease is gone or cannot be renewed: change nothing more */
    RUN_NOT_STARTED,
};

/* How long before the lease runs out eksctl is ended, and how long it gets to end by itself. */
int64_t supervise_margin(const struct config *config);
/* Renews the lease when a heartbeat is due. False: lost. */
bool supervise_heartbeat(struct run *run);
/* Whether the job has had all the time that it gets. */
bool supervise_late(const struct run *run);
/* Waits that long while the lease is renewed; false: lost. */
bool supervise_pause(struct run *run, int seconds);
/* Runs eksctl to its end with input (may be NULL) on its stdin. */
enum run_end supervise(struct run *run, char **arguments, const char *input, struct error *err);
/* PostgreSQL's time now, in seconds, as far as our clock tells. */
int64_t supervise_time(const struct run *run);
/* The plan as it stands now, set on the environment and returned. While a failure is cleaned up,
   its message keeps the plan that shows where it stopped. */
cJSON *supervise_plan(struct run *run, bool done);
/* Whether the environment's plan is of this job, and of no try of it that has failed: then who goes
   on keeps what was done. */
bool supervise_plan_is_ours(const struct run *run);
/* Writes the plan as it is now and lets the message be redrawn. */
bool supervise_tell(struct run *run, bool done, struct error *err);
/* A line of our own in the job's log; what cannot be written now comes with the next lines. */
void supervise_note(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes what could not be written yet. */
void supervise_flush(struct run *run);

/* Set by SIGTERM and SIGINT: give the job back. */
extern volatile int supervise_stop;

#endif
