#include "jobs/job.h"

#include "base/log.h"
#include "base/tree.h"
#include "jobs/eksctl.h"
#include "jobs/look.h"
#include "jobs/owner.h"
#include "jobs/supervise.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"
#include "lifecycle/template.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

/* How a job's attempt ended, before it is written down. */
enum outcome {
    OUTCOME_READY,
    OUTCOME_GONE,
    OUTCOME_FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_AGAIN, /* not done: back into the queue */
    OUTCOME_LOST,  /* another has it: write nothing */
};

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

static cJSON *tags_of(const void *ctx, const struct environment *env)
{
    return template_tags(ctx, env->id, env->team, env->owner_id, env->template);
}

/* The role with which the team's people use their clusters; "" for none. */
static const char *role_of(const struct run *run)
{
    const struct config_team *team = config_team(run->config, run->env->team);
    return team ? team->iam_role_arn : "";
}

static bool grants(const cJSON *config, const char *role)
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, json_at(config, "accessConfig.accessEntries"))
        if (strcmp(json_string_or_empty(entry, "principalARN"), role) == 0)
            return true;
    return false;
}

/* The ClusterConfig from the request's own copy of the template. */
static cJSON *cluster_config(struct run *run, struct error *err)
{
    struct template *t;
    if (!template_from_json(run->env, run->env->template, run->env->template_copy, &t, err))
        return NULL;
    struct template_target target = {run->env->cluster, run->env->region,
                                     tags_of(run->env, run->env), role_of(run)};
    return template_render(run->env, t, run->env->parameters, &target, err);
}

static struct look look_now(struct run *run, int wanted_groups)
{
    /* A question must not outlive the lease: it is asked between two heartbeats. */
    int seconds = (int)(run->config->jobs.lease / 3);
    run->renewed_at -= run->config->jobs.heartbeat; /* renew right before */
    if (!supervise_heartbeat(run))
        return (struct look){.seen = SEEN_UNKNOWN, .text = "lease lost"};
    struct look seen = look(run->env, run->config, run->env, run->environment, wanted_groups,
                            seconds < 2 ? 2 : seconds);
    supervise_note(run, "looked at %s in %s: %s", run->env->cluster, run->env->region, seen.text);
    return seen;
}

static bool late(const struct run *run)
{
    return monotonic() >= run->deadline_at;
}

static void set_cause(struct run *run, const char *sentence, const char *remedy)
{
    run->env->cause = talloc_asprintf(run->env, "%s %s", sentence, remedy);
}

static void set_cause_from_log(struct run *run)
{
    const struct cause *cause = run->cause ? run->cause : &cause_unknown;
    set_cause(run, cause->sentence, cause->remedy);
}

/* What an ended eksctl means for the loop around it. */
static bool must_leave(struct run *run, enum run_end end, enum outcome *outcome,
                       const struct error *err)
{
    switch (end) {
    case RUN_LOST:
        *outcome = OUTCOME_LOST;
        return true;
    case RUN_CANCELLED:
        *outcome = run->cancel ? OUTCOME_CANCELLED : OUTCOME_AGAIN;
        return true;
    case RUN_LATE:
        set_cause(run, "It took longer than this installation allows for one job.",
                  "Retry, or ask whoever runs envbot.");
        *outcome = OUTCOME_FAILED;
        return true;
    case RUN_NOT_STARTED:
        log_error("eksctl cannot be started", "error", err->text);
        set_cause(run, "eksctl could not be started on envbot's side.",
                  "Whoever runs envbot has to look at its log; then retry.");
        *outcome = OUTCOME_FAILED;
        return true;
    case RUN_EXITED:
    case RUN_KILLED:
        break;
    }
    return false;
}

static enum outcome delete_remains(struct run *run, bool *deleted)
{
    enum outcome outcome;
    struct error err = {0};
    supervise_note(run, "deleting what there is of it");
    enum run_end end = supervise(
        run, eksctl_delete(run->env, run->config, run->env->cluster, run->env->region), NULL, &err);
    *deleted = !must_leave(run, end, &outcome, &err);
    return *deleted ? OUTCOME_FAILED : outcome;
}

/* Create: look, do what is missing, look again. */
static enum outcome create(struct run *run)
{
    struct error err = {0};
    cJSON *config = cluster_config(run, &err);
    if (!config) {
        log_error("the ClusterConfig cannot be rendered", "env", run->env->cluster, "error",
                  err.text);
        set_cause(run, "The template could not be turned into a ClusterConfig.",
                  "Whoever wrote the template has to mend it.");
        return OUTCOME_FAILED;
    }
    char *yaml = tree_yaml(run->env, config);
    int groups = cJSON_GetArraySize(json_at(config, "managedNodeGroups"));
    bool for_role = grants(config, role_of(run));
    enum outcome outcome;
    enum run_end end;
    bool created = false, cleaned = false, killed = false;
    while (!late(run)) {
        if (run->cancel)
            return OUTCOME_CANCELLED;
        if (supervise_stop)
            return OUTCOME_AGAIN;
        struct look now = look_now(run, groups);
        if (now.facts) {
            run->env->seen = now.facts;
            if (for_role)
                json_set_string(now.facts, "role", role_of(run));
        }
        switch (now.seen) {
        case SEEN_READY:
            return OUTCOME_READY;
        case SEEN_FOREIGN:
            set_cause(run, "A cluster of this name is in AWS already, and it is not envbot's.",
                      "It was not touched. Ask anew with another name.");
            return OUTCOME_FAILED;
        case SEEN_NOTHING:
            if (created) {
                set_cause_from_log(run);
                return OUTCOME_FAILED;
            }
            end = supervise(run, eksctl_create(run->env, run->config), yaml, &err);
            if (must_leave(run, end, &outcome, &err))
                return outcome;
            /* Killed, it was interrupted and did not fail: once. */
            created = end != RUN_KILLED || killed;
            killed = killed || end == RUN_KILLED;
            break;
        case SEEN_PARTIAL:
        case SEEN_FAILED:
            /* eksctl cannot resume. What this run made and failed at is a failure; what an
               interrupted one left is deleted, and then it is done once more. */
            if (created || cleaned) {
                set_cause_from_log(run);
                return OUTCOME_FAILED;
            }
            outcome = delete_remains(run, &cleaned);
            if (!cleaned)
                return outcome;
            run->cause = NULL;
            break;
        case SEEN_IN_PROGRESS:
        case SEEN_DELETING:
        case SEEN_UNKNOWN:
            if (!supervise_pause(run, run->config->jobs.heartbeat > 5 ? 5 : 1))
                return OUTCOME_LOST;
            break;
        }
    }
    set_cause(run, "It took longer than this installation allows for one job.",
              "Retry, or ask whoever runs envbot.");
    return OUTCOME_FAILED;
}

/* Delete: gone is what was seen to be gone. */
static enum outcome remove_all(struct run *run)
{
    struct error err = {0};
    enum outcome outcome;
    bool deleted = false;
    while (!late(run)) {
        if (supervise_stop)
            return OUTCOME_AGAIN;
        struct look now = look_now(run, 0);
        switch (now.seen) {
        case SEEN_NOTHING:
            return OUTCOME_GONE;
        case SEEN_FOREIGN:
            supervise_note(run, "the cluster of that name is not ours: it is not touched");
            if (!run->env->ready_at)
                return OUTCOME_GONE; /* nothing of ours is there */
            set_cause(run, "The cluster of this name in AWS lacks envbot's tags by now.",
                      "It was not touched: it has to be looked at.");
            return OUTCOME_FAILED;
        case SEEN_READY:
        case SEEN_PARTIAL:
        case SEEN_FAILED:
            if (deleted) {
                set_cause_from_log(run);
                return OUTCOME_FAILED;
            }
            deleted = true;
            if (must_leave(run,
                           supervise(run,
                                     eksctl_delete(run->env, run->config, run->env->cluster,
                                                   run->env->region),
                                     NULL, &err),
                           &outcome, &err))
                return outcome;
            break;
        case SEEN_IN_PROGRESS:
        case SEEN_DELETING:
        case SEEN_UNKNOWN:
            if (!supervise_pause(run, run->config->jobs.heartbeat > 5 ? 5 : 1))
                return OUTCOME_LOST;
            break;
        }
    }
    set_cause_from_log(run);
    return OUTCOME_FAILED;
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
        job_end(run->db, run->job, "failed", result);
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
    const char *state = outcome == OUTCOME_READY || outcome == OUTCOME_GONE ? "done"
                        : outcome == OUTCOME_CANCELLED                      ? "cancelled"
                                                                            : "failed";
    job_end(run->db, run->job, state, result_of(run, state));
    if (unwanted) {
        /* Whatever came of it: it is to be deleted. */
        lifecycle_queue_job(run->db, run->env, "delete");
        return true;
    }
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

static enum outcome work(struct run *run)
{
    if (*run->job->old_owner && owner_end(run->job->old_owner))
        supervise_note(run, "ended what was left of the process that had this job before");
    if (run->job->cancel && strcmp(run->job->kind, "delete") != 0)
        return OUTCOME_CANCELLED;
    return strcmp(run->job->kind, "delete") == 0 ? remove_all(run) : create(run);
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
        set_cause(run, "envbot could not make a folder to work in.",
                  "Whoever runs envbot has to look at its log; then retry.");
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
