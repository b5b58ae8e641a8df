#include "store/job_states.h"

#include <stddef.h>

static const struct job_step steps[] = {
    {JOB_QUEUED, JOB_CLAIM, JOB_RUNNING},  {JOB_QUEUED, JOB_REPLACE, JOB_CANCELLED},
    {JOB_RUNNING, JOB_RENEW, JOB_RUNNING}, {JOB_RUNNING, JOB_TAKE_OVER, JOB_RUNNING},
    {JOB_RUNNING, JOB_AGAIN, JOB_QUEUED},  {JOB_RUNNING, JOB_FINISH, JOB_DONE},
    {JOB_RUNNING, JOB_FAIL, JOB_FAILED},   {JOB_RUNNING, JOB_STOP, JOB_CANCELLED},
};

const struct job_step *job_step(enum job_state from, enum job_event event)
{
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i].from == from && steps[i].event == event)
            return &steps[i];
    return NULL;
}

const char *job_state_name(enum job_state state)
{
    static const char *const names[JOB_STATE_COUNT] = {
        [JOB_QUEUED] = "queued", [JOB_RUNNING] = "running",     [JOB_DONE] = "done",
        [JOB_FAILED] = "failed", [JOB_CANCELLED] = "cancelled",
    };
    return names[state];
}
