#include "jobs/job.h"

#include "base/duration.h"
#include "base/log.h"
#include "base/text.h"
#include "jobs/circuit.h"
#include "jobs/eksctl.h"
#include "jobs/owner.h"
#include "jobs/work.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"
#include "lifecycle/view.h"
#include "store/circuits.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

static void on_signal(int number)
{
    (void)number;
    supervise_stop = 1;
}

/* ---- the end is written down ---- */

static const struct treatment *treatment_of(const struct run *run)
{
    return &treatments[run->cause ? run->cause->class : CAUSE_UNKNOWN];
}

static cJSON *result_of(struct run *run, const char *outcome)
{
    cJSON *result = json_object(run->env);
    json_set_string(result, "outcome", outcome);
    json_set_string(result, "class", run->cause ? treatment_of(run)->name : "");
    json_set_string(result, "cause_id", run->cause ? run->cause->id : "");
    json_set_string(result, "line", run->cause_line);
    json_set_string(result, "cause", run->env->cause);
    json_set_bool(result, "despite_error", run->exit_code != 0);
    cJSON *phases = cJSON_CreateObject();
    for (int i = 0; plan_phase_id(&run->plan, i); i++)
        if (plan_took(&run->plan, i) >= 0)
            json_set_number(phases, plan_phase_id(&run->plan, i), (double)plan_took(&run->plan, i));
    json_set(result, "phases", phases);
    return result;
}

/* What people read of why it failed. */
static void word_cause(struct run *run)
{
    struct error err = {0};
    cJSON *values = json_object(run->env);
    json_set_string(values, "region", run->env->region);
    json_set_string(values, "cluster", run->env->cluster);
    json_set_string(values, "name", run->env->name);
    json_set_string(values, "command", view_command);
    if (!run->cause)
        run->cause = cause_by_id("unknown");
    run->env->cause = cause_words(run->env, run->config->templates, run->cause, values, &err);
    if (*err.text)
        log_warn("there are no words for why it failed", "env", run->env->cluster, "error",
                 err.text);
}

static cJSON *extra_of(struct run *run)
{
    cJSON *extra = json_object(run->env);
    bool left = run->which && *run->which;
    json_set_string(extra, "cause_line", run->cause_line ? run->cause_line : "");
    json_set_format(extra, "left_behind", left ? " What is left: `%s`." : "%s",
                    left ? run->which : "");
    return extra;
}

static bool take(struct run *run, enum event event, struct error *err)
{
    return lifecycle_take(run->db, run->env, event, &AUDIT_ENVBOT, extra_of(run), err);
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

/* ", in eu-central-1a and eu-central-1c this time", or "". */
static const char *zones_words(struct run *run, const cJSON *zones)
{
    const char *names[4];
    size_t count = 0;
    const cJSON *each;
    cJSON_ArrayForEach (each, zones)
        if (count < 4 && cJSON_IsString(each))
            names[count++] = each->valuestring;
    return count ? talloc_asprintf(run->env, ", in %s this time",
                                   text_list(run->env, names, count, "and"))
                 : "";
}

/* A creation that failed in a way that passes: what is left of it is looked at by the next try. */
static bool try_again(struct run *run, struct error *err)
{
    int failures = run->job->failures + 1;
    int64_t wait = run->config->jobs.retry_after << (failures < 7 ? failures - 1 : 6);
    cJSON *result = result_of(run, "again"), *extra = extra_of(run);
    cJSON *zones = treatment_of(run)->zones ? cause_zones(run->env, run->cause_line) : NULL;
    json_set_number(result, "failures", failures);
    json_set_string(extra, "wait", duration_text(run->env, wait));
    json_set_string(extra, "zones_words", zones_words(run, zones));
    if (!zones)
        zones = run->job->zones;
    if (zones)
        json_set(result, "zones", cJSON_Duplicate(zones, true));
    job_again(run->db, run->job, wait, result);
    return lifecycle_take(run->db, run->env, EVENT_TRY_AGAIN, &AUDIT_ENVBOT, extra, err);
}

/* A creation that is given up: a delete job cleans up. */
static bool create_failed(struct run *run, struct error *err)
{
    cJSON *extra = extra_of(run);
    json_set_string(extra, "doing", "Creating");
    if (run->foreign)
        say(run->db, run->env, "operators", "foreign", NULL);
    else if (treatment_of(run)->operators)
        say(run->db, run->env, "operators", "trouble", extra);
    job_end(run->db, run->job, JOB_FAIL, result_of(run, "failed"));
    run->plan.failed = true;
    supervise_plan(run, false);
    return take(run, EVENT_FAIL, err);
}

static bool succeeded(struct run *run, enum event event, struct error *err)
{
    circuit_well(run->db, run->env->region);
    job_end(run->db, run->job, JOB_FINISH, result_of(run, "done"));
    supervise_plan(run, true);
    return take(run, event, err);
}

/* A change leaves it in the state that was seen. */
static bool end_change(struct run *run, enum change_seen seen, struct error *err)
{
    bool done = seen == CHANGE_SEEN_AFTER;
    job_end(run->db, run->job, done ? JOB_FINISH : JOB_FAIL,
            result_of(run, done ? "done" : "failed"));
    run->plan.failed = !done;
    supervise_plan(run, done);
    return change_finish(run->db, run->env, seen, extra_of(run), err);
}

static bool change_failed(struct run *run, struct error *err)
{
    cJSON *extra = extra_of(run);
    json_set_string(extra, "doing", "Changing");
    if (run->foreign)
        say(run->db, run->env, "operators", "foreign", NULL);
    else if (treatment_of(run)->operators)
        say(run->db, run->env, "operators", "trouble", extra);
    return end_change(run, run->change_seen, err);
}

/* Whatever came of it: it is to be deleted. */
static bool unwanted(struct run *run, enum outcome outcome)
{
    enum job_event end = outcome == OUTCOME_READY    ? JOB_FINISH
                         : outcome == OUTCOME_FAILED ? JOB_FAIL
                                                     : JOB_STOP;
    job_end(run->db, run->job, end, result_of(run, "stopped"));
    lifecycle_queue_job(run->db, run->env, "delete");
    return true;
}

/* A cleaning up after which it is wanted again: the next job goes on from what it sees. */
static bool wanted_again(struct run *run)
{
    job_end(run->db, run->job, JOB_STOP, result_of(run, "stopped"));
    lifecycle_queue_job(run->db, run->env, "create");
    return true;
}

static bool write_end(struct run *run, enum outcome outcome, struct error *err)
{
    run->plan.ended = supervise_time(run);
    bool deletes = strcmp(run->job->kind, "delete") == 0;
    if (deletes && strcmp(run->env->state, "queued") == 0)
        return wanted_again(run);
    if (outcome == OUTCOME_FAILED)
        word_cause(run);
    bool wanted = deletes || strcmp(run->env->state, "deleting") != 0;
    if (outcome == OUTCOME_FAILED && wanted && !circuit_failed(run, err))
        return false;
    if (outcome == OUTCOME_AGAIN || run->waits) {
        circuit_put_back(run);
        return true;
    }
    if (deletes && outcome == OUTCOME_FAILED)
        return delete_failed(run, err);
    if (!wanted)
        return unwanted(run, outcome);
    bool changes = change_is(run->job->kind);
    if (changes && outcome == OUTCOME_READY)
        return end_change(run, CHANGE_SEEN_AFTER, err);
    if (outcome == OUTCOME_READY || outcome == OUTCOME_GONE)
        return succeeded(run, outcome == OUTCOME_READY ? EVENT_READY : EVENT_GONE, err);
    bool more = treatment_of(run)->tries > run->job->failures + 1 &&
                transition_find(run->env->state, EVENT_TRY_AGAIN);
    if (outcome == OUTCOME_FAILED && more)
        return try_again(run, err);
    return changes ? change_failed(run, err) : create_failed(run, err);
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
        supervise_flush(run);
        if (record(run, outcome, &err))
            return true;
        log_warn("the job's end could not be recorded", "env", run->env->cluster, "error",
                 err.text);
        bool again = err.code == ERROR_UNAVAILABLE || err.code == ERROR_UNKNOWN;
        int64_t until = guard_clock() + 1000;
        for (; again && guard_clock() < until; poll(NULL, 0, 200))
            again = supervise_heartbeat(run);
        if (!again || attempt > 600)
            return false;
    }
}

/* The plan of this job, with what is known of how long its steps take. */
static bool begin_plan(struct run *run, const void *ctx, struct error *err)
{
    run->plan = (struct plan){.kind = run->job->kind};
    run->clock_at = run->phase_at = guard_clock();
    run->database_at = run->env->now;
    run->plan.began[0] = supervise_time(run);
    if (supervise_plan_is_ours(run))
        plan_resume(&run->plan, run->env->plan);
    struct rows *usual = job_usual(ctx, run->db, run->job->kind, run->env->template, err);
    for (int row = 0; usual && row < rows_count(usual); row++)
        for (int i = 0; plan_phase_id(&run->plan, i); i++)
            if (strcmp(plan_phase_id(&run->plan, i), rows_text(usual, row, "phase")) == 0) {
                run->plan.least[i] = rows_integer(usual, row, "least", 0);
                run->plan.most[i] = rows_integer(usual, row, "most", 0);
            }
    return usual != NULL;
}

/* What the claim is for: its environment says that it is worked on. */
static bool set_to_work(struct run *run, const void *ctx, struct error *err)
{
    bool held = false;
    if (!db_begin(run->db, DB_READ_WRITE, err) || !job_fence(run->db, run->job, &held, err))
        return false;
    if (!held)
        return error_set(err, ERROR_CONFLICT, "the job was taken over by another process");
    if (!environment_by_id(ctx, run->db, run->job->environment, ENVIRONMENT_LOCK, &run->env, err))
        return false;
    if (!begin_plan(run, ctx, err))
        return false;
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

static bool begin(struct run *run, const void *ctx, int64_t id, struct error *err)
{
    int64_t lease = run->config->jobs.lease * 1000;
    struct job_bounds bounds = {run->config->jobs.parallel, run->config->jobs.per_region,
                                run->config->jobs.per_team, run->config->jobs.lease};
    run->renewed_at = guard_clock();
    if (!job_claim(ctx, run->db, id, owner_text(ctx, 0), &bounds, &run->job, err))
        return false;
    if (!run->job)
        return true;
    /* From now on there is a lease to be kept. */
    db_answer_within(run->db, (int)supervise_margin(run->config) + 1000);
    /* A creation is bounded in all, each try of a deletion by itself: that one must not end before
       all is gone. */
    int64_t had = strcmp(run->job->kind, "create") == 0 ? run->job->age : 0;
    run->deadline_at = guard_clock() + (run->config->jobs.deadline - had) * 1000;
    /* Nobody else can do it before the lease is over. */
    while (!set_to_work(run, ctx, err)) {
        db_rollback(run->db);
        bool passes = err->code == ERROR_UNAVAILABLE || err->code == ERROR_UNKNOWN;
        if (!passes || supervise_stop || guard_clock() - run->renewed_at > lease / 2)
            return false;
        poll(NULL, 0, 200);
    }
    return true;
}

static int run_claimed(struct run *run, struct error *err)
{
    const char *place = owner_place(run->db, owner_text(run->db, 0));
    run->home = eksctl_make_home(run->db, place, err);
    enum outcome outcome = OUTCOME_FAILED;
    if (run->home) {
        run->environment = eksctl_environment(run->db, run->home);
        outcome = work(run);
        eksctl_remove_homes(place);
    } else {
        log_error("the job has no place to work", "error", err->text);
        run->cause = cause_by_id("folder");
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
                      .guard = guard_start()};
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
