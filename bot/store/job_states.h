/* A job's states and what changes them: one table, which the statements in jobs.c follow. */
#ifndef STORE_JOB_STATES_H
#define STORE_JOB_STATES_H

enum job_state {
    JOB_QUEUED,  /* waits for its turn, or for its next try */
    JOB_RUNNING, /* a process holds its lease (or held it, and has not come back) */
    JOB_DONE,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_STATE_COUNT
};

enum job_event {
    JOB_CLAIM,     /* it is due and within the bounds: a process takes it, with a higher fence */
    JOB_RENEW,     /* its process is alive */
    JOB_TAKE_OVER, /* its lease ran out: the next process takes it, with a higher fence */
    JOB_AGAIN,     /* interrupted, or failed in a way that is worth another try later */
    JOB_FINISH,    /* what was meant was seen */
    JOB_FAIL,      /* given up */
    JOB_STOP,      /* stopped, because the environment is to be deleted */
    JOB_REPLACE,   /* not begun, and another job is wanted in its place */
    JOB_EVENT_COUNT
};

struct job_step {
    enum job_state from;
    enum job_event event;
    enum job_state to;
};

/* NULL: in that state this cannot happen; whoever tries writes nothing. */
const struct job_step *job_step(enum job_state from, enum job_event event);
/* As in the column jobs.state. */
const char *job_state_name(enum job_state state);

#endif
