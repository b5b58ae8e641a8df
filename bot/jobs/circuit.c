#include "jobs/circuit.h"

#include "base/log.h"
#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/trouble.h"
#include "store/circuits.h"

#include <string.h>
#include <talloc.h>

const char *circuit_scope(const struct cause *cause, const char *region)
{
    static const char *const credentials[] = {"token-expired", "no-credentials", "bad-credentials",
                                              "account-blocked"};
    if (!cause)
        return NULL;
    if (cause->class == CAUSE_THROTTLING)
        return region;
    for (size_t i = 0; i < sizeof credentials / sizeof *credentials; i++)
        if (strcmp(cause->id, credentials[i]) == 0)
            return "";
    return NULL;
}

/* Of what eksctl wrote, the line that tells it, without what stands before it. */
static char *telling_line(struct run *run, const char *text)
{
    char *copy = talloc_strdup(run->env, text ? text : ""), *state = NULL;
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        if (cause_of(line))
            return text_cut(run->env, eksctl_line_read(line).text, 300);
    return copy;
}

static bool tell(struct run *run, const struct cause *cause, const char *text, struct error *err)
{
    struct circuit trouble = {.scope = circuit_scope(cause, run->env->region),
                              .cause = cause->id,
                              .line = telling_line(run, text)};
    struct circuit_bounds bounds = {run->config->aws.breaker_jobs, run->config->aws.breaker_wait};
    return circuit_fail(run->db, run->job, &trouble, &bounds, &run->waits, err);
}

bool circuit_asks_in_vain(struct run *run, const char *text)
{
    const struct cause *cause = cause_of(text);
    struct error err = {0};
    bool held = false;
    if (!circuit_scope(cause, run->env->region))
        return false;
    if (db_begin(run->db, DB_READ_WRITE, &err) && job_fence(run->db, run->job, &held, &err) &&
        held && tell(run, cause, text, &err) && db_commit(run->db, &err))
        return run->waits;
    db_rollback(run->db);
    run->waits = false;
    if (held)
        log_warn("the breaker around AWS could not be told", "error", err.text);
    return false;
}

/* Queues it. */
static void close_circuits(struct run *run, const char *region)
{
    circuit_well(run->db, region);
    db_send(run->db, "SELECT pg_notify('envbot_jobs', '')", P0);
}

void circuit_answered(struct run *run)
{
    struct error err = {0};
    if (!run->job->probe || run->answered)
        return;
    if (db_begin(run->db, DB_READ_WRITE, &err)) {
        close_circuits(run, "");
        if (db_commit(run->db, &err)) {
            run->answered = true;
            return;
        }
    }
    db_rollback(run->db);
    log_warn("the breaker around AWS could not be closed", "error", err.text);
}

void circuit_heard(struct run *run, const char *text)
{
    static const char taken[] = "waiting for CloudFormation stack";
    if (!run->job->probe || strncmp(text, taken, strlen(taken)) != 0)
        return;
    close_circuits(run, run->env->region);
    run->job->probe = false;
}

bool circuit_failed(struct run *run, struct error *err)
{
    return !circuit_scope(run->cause, run->env->region) ||
           tell(run, run->cause, run->cause_line, err);
}

void circuit_put_back(struct run *run)
{
    job_again(run->db, run->job, 0, NULL);
    if (!run->waits)
        return;
    if (!run->job->probe) /* who probes was told before */
        trouble_say(run->db, run->env);
    say_redraw(run->db, run->env, "message");
}
