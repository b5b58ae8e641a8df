#include "jobs/job.h"

#include "base/log.h"
#include "jobs/eksctl.h"
#include "jobs/owner.h"
#include "jobs/work.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

static void on_signal(int number)
{
    (void)number;
    supervise_stop = 1;
}

static int64_t monotonic(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec;
}

/* ---- the end is written down ---- */

static cJSON *result_of(struct run *run, const char *outcome)
{
    cJSON *result = json_object(run->env);
    json_set_string(result, "outcome", outcome);
    json_set_string(result, "class", run->cause ? run->cause->class : "");
    json_set_string(result, "line", run->cause_line);
    json_set_string(result, "cause", run->env->cause);
    return result;
}

static bool take(struct run *run, enum event event, struct error *err)
{
    cJSON *extra = json_object(run->env);
    json_set_string(extra, "cause_line", run->cause_line ? run->cause_line : "");
    return lifecycle_take(run->db, run->env, event, &AUDIT_ENVBOT, extra, err);
}

/* A deletion that did not succeed: again after a while, and after some tries for the operators. */
static bool delete_failed(struct run *run, struct error *err)
{
    int failures = run->job->failures + 1; /* a claim that was interrupted is none */
    bool enough = failures >= run->config->jobs.delete_tries;
    cJSON *result = result_of(run, enough ? "stuck" : "again");
    json_set_number(result, "failures", failures);
    if (enough)
        job_end(run->db, run->job, JOB_FAIL, result);
    else
        job_again(run->db, run->job, run->config->jobs.retry_after * failures, result);
    return take(run, enough ? EVENT_STUCK : EVENT_DELETE_FAILED, err);
}

static bool write_end(struct run *run, enum outcome outcome, struct error *err)
{
    bool deletes = strcmp(run->job->kind, "delete") == 0;
    bool unwanted = !deletes && strcmp(run->env->state, "deleting") == 0;
    if (outcome == OUTCOME_AGAIN) {
        job_again(run->db, run->job, 0, NULL);
        return true;
    }
    if (deletes && outcome == OUTCOME_FAILED)
        return delete_failed(run, err);
    enum job_event end = outcome == OUTCOME_READY || outcome == OUTCOME_GONE ? JOB_FINISH
                         : outcome == OUTCOME_CANCELLED                      ? JOB_STOP
                                                                             : JOB_FAIL;
    job_end(run->db, run->job, end, result_of(run, job_state_name(job_step(JOB_RUNNING, end)->to)));
    if (unwanted) {
        /* Whatever came of it: it is to be deleted. */
        lifecycle_queue_job(run->db, run->env, "delete");
        return true;
    }
    if (run->foreign && outcome == OUTCOME_FAILED)
        say(run->db, run->env, "operators", "foreign", NULL);
    run->plan.failed = outcome == OUTCOME_FAILED;
    supervise_plan(run, outcome != OUTCOME_FAILED);
    return take(run,
                outcome == OUTCOME_READY  ? EVENT_READY
                : outcome == OUTCOME_GONE ? EVENT_GONE
                                          : EVENT_FAIL,
                err);
}

/* The environment as it is under the lock, with what this run has found out. */
static bool reload(struct run *run, struct error *err)
{
    struct environment *fresh;
    if (!environment_by_id(NULL, run->db, run->env->id, ENVIRONMENT_LOCK, &fresh, err))
        return false;
    if (!fresh)
        return error_set(err, ERROR_INTERNAL, "the environment's row is gone");
    fresh->cause = run->env->cause;
    fresh->seen = run->env->seen;
    fresh->plan = run->env->plan;
    talloc_steal(fresh, run->env); /* what they point to */
    run->env = fresh;
    return true;
}

static bool record(struct run *run, enum outcome outcome, struct error *err)
{
    bool held = false;
    talloc_steal(NULL, run->env);
    bool ok = db_begin(run->db, DB_READ_WRITE, err) && job_fence(run->db, run->job, &held, err);
    if (ok && !held)
        ok = error_set(err, ERROR_CONFLICT, "the job was taken over by another process");
    ok = ok && reload(run, err) && write_end(run, outcome, err);
    if (ok)
        return db_commit(run->db, err);
    db_rollback(run->db);
    return false;
}

/* Recording is worth waiting for: the work is done. Gives up when the lease cannot be ours any
 * more. */
static bool record_patiently(struct run *run, enum outcome outcome)
{
    struct error err = {0};
    for (int attempt = 0;; attempt++) {
        if (record(run, outcome, &err))
            return true;
        log_warn("the job's end could not be recorded", "env", run->env->cluster, "error",
                 err.text);
        bool again = err.code == ERROR_UNAVAILABLE || err.code == ERROR_UNKNOWN;
        if (!again || attempt > 600 || !supervise_pause(run, 1))
            return false;
    }
}

static bool begin(struct run *run, const void *ctx, int64_t id, struct error *err)
{
    struct job_bounds bounds = {run->config->jobs.parallel, run->config->jobs.per_region,
                                run->config->jobs.lease};
    if (!db_begin(run->db, DB_READ_WRITE, err) ||
        !job_claim(ctx, run->db, id, owner_text(ctx, 0), &bounds, &run->job, err))
        return false;
    if (!run->job) {
        db_rollback(run->db);
        return true;
    }
    if (!environment_by_id(ctx, run->db, run->job->environment, ENVIRONMENT_LOCK, &run->env, err))
        return false;
    run->plan = (struct plan){.kind = strcmp(run->job->kind, "delete") == 0 ? "delete" : "create"};
    bool starts = strcmp(run->job->kind, "create") == 0 && !run->job->cancel &&
                  transition_find(run->env->state, EVENT_START);
    supervise_plan(run, false);
    if (starts && !lifecycle_take(run->db, run->env, EVENT_START, &AUDIT_ENVBOT, NULL, err))
        return false;
    if (!starts) {
        job_progress(run->db, run->job, "running", run->env->plan);
        say_redraw(run->db, run->env, "message");
    }
    return db_commit(run->db, err);
}

static int run_claimed(struct run *run, struct error *err)
{
    run->home = eksctl_make_home(run->db, err);
    enum outcome outcome = OUTCOME_FAILED;
    if (run->home) {
        run->environment = eksctl_environment(run->db, run->home);
        outcome = work(run);
        eksctl_remove_home(run->home);
    } else {
        log_error("the job has no place to work", "error", err->text);
        run->env->cause =
            "envbot could not make a folder to work in. Whoever runs envbot has to look at "
            "its log; then retry.";
    }
    if (outcome == OUTCOME_LOST)
        return 1;
    return record_patiently(run, outcome) ? 0 : 1;
}

int job_run(const struct config *config, int64_t id)
{
    struct error err = {0};
    void *ctx = talloc_new(NULL);
    struct run run = {.config = config,
                      .db = db_new(ctx, config->database.url, "envbot job", 10000),
                      .renewed_at = monotonic(),
                      .deadline_at = monotonic() + config->jobs.deadline};
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    say_notifies = true;
    int code = 0;
    if (!begin(&run, ctx, id, &err)) {
        log_error("the job cannot be begun", "error", err.text);
        code = 1;
    } else if (run.job) {
        code = run_claimed(&run, &err);
    }
    talloc_free(run.env);
    talloc_free(ctx);
    return code;
}
