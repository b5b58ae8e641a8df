#include "jobs/supervise.h"

#include "base/duration.h"
#include "base/log.h"
#include "base/text.h"
#include "jobs/circuit.h"
#include "jobs/eksctl.h"
#include "jobs/owner.h"
#include "lifecycle/say.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <talloc.h>
#include <unistd.h>

volatile int supervise_stop = 0;

int64_t supervise_margin(const struct config *config)
{
    int64_t quarter = config->jobs.lease * 1000 / 4;
    return quarter < 6000 ? quarter : 6000;
}

/* Tells the guard until when eksctl may run. */
static void tell_guard(struct run *run)
{
    int64_t margin = supervise_margin(run->config);
    guard_tell(run->guard, run->group, run->renewed_at + run->config->jobs.lease * 1000 - margin,
               margin / 2);
}

bool supervise_heartbeat(struct run *run)
{
    const int64_t lease = run->config->jobs.lease;
    int64_t at = guard_clock();
    if (at - run->renewed_at < run->config->jobs.heartbeat * 1000)
        return true;
    bool held = false, cancel = false;
    struct error err;
    if (job_renew(run->db, run->job, lease, &held, &cancel, &err)) {
        run->renewed_at = at;
        run->cancel = run->cancel || cancel;
        if (held)
            tell_guard(run);
        else
            log_warn("the job was taken over by another process", "env", run->env->cluster);
        return held;
    }
    log_warn("the lease could not be renewed", "env", run->env->cluster, "error", err.text);
    /* Eksctl has to be gone before the lease is, by our own clock. */
    return guard_clock() - run->renewed_at < lease * 1000 - supervise_margin(run->config);
}

bool supervise_late(const struct run *run)
{
    return guard_clock() >= run->deadline_at;
}

bool supervise_pause(struct run *run, int seconds)
{
    int64_t end = guard_clock() + (int64_t)seconds * 1000;
    while (guard_clock() < end && !supervise_stop && !run->cancel) {
        if (!supervise_heartbeat(run))
            return false;
        poll(NULL, 0, 200);
    }
    return true;
}

/* Begins a fenced transaction; false: lost (or no database, which the heartbeat judges). */
static bool begin(struct run *run, struct error *err)
{
    bool held = false;
    if (!db_begin(run->db, DB_READ_WRITE, err))
        return false;
    if (job_fence(run->db, run->job, &held, err) && held)
        return true;
    db_rollback(run->db);
    return false;
}

int64_t supervise_time(const struct run *run)
{
    return run->database_at + (guard_clock() - run->clock_at) / 1000;
}

cJSON *supervise_plan(struct run *run, bool done)
{
    if (strcmp(run->env->state, "failed") == 0)
        return run->env->plan;
    run->env->plan = plan_json(run->env, &run->plan, done);
    json_set_number(run->env->plan, "job", (double)run->job->id);
    json_set_number(run->env->plan, "failures", run->job->failures);
    return run->env->plan;
}

bool supervise_plan_is_ours(const struct run *run)
{
    const cJSON *plan = run->env->plan;
    return (int64_t)json_number(plan, "job", 0) == run->job->id &&
           (int)json_number(plan, "failures", -1) == run->job->failures;
}

bool supervise_tell(struct run *run, bool done, struct error *err)
{
    cJSON *plan = supervise_plan(run, done);
    if (!begin(run, err))
        return false;
    job_progress(run->db, run->job, done ? "done" : "running", plan);
    say_redraw(run->db, run->env, "message");
    return db_commit(run->db, err);
}

void supervise_flush(struct run *run)
{
    struct error err;
    int64_t number = run->log_number;
    if (!run->unwritten || !db_begin(run->db, DB_READ_WRITE, &err))
        return;
    char *copy = talloc_strdup(run->unwritten, run->unwritten), *rest = NULL;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        job_log_line(run->db, run->job, ++run->log_number, line);
    if (db_commit(run->db, &err))
        TALLOC_FREE(run->unwritten);
    else
        run->log_number = number; /* with the next ones, under the same numbers */
}

void supervise_note(struct run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = talloc_vasprintf(NULL, format, args);
    va_end(args);
    char *clean = text_clean(line, line);
    for (char *c = clean; *c; c++)
        *c = *c == '\n' ? ' ' : *c;
    run->unwritten = talloc_asprintf_append_buffer(
        run->unwritten ? run->unwritten : talloc_strdup(run->db, ""), "envbot: %s\n", clean);
    supervise_flush(run);
    log_info("job", "env", run->env->cluster, "note", clean);
    talloc_free(line);
}

/* A [✖] does not mean failure, and a word in passing is no cause: critical lines count, and what
   follows them; a warning while nothing better is known. */
static void take_cause(struct run *run, const char *line, const struct eksctl_line *read)
{
    bool telling = read->level == EKSCTL_CRITICAL || read->level == EKSCTL_CONTINUED;
    const struct cause *cause = telling || read->level == EKSCTL_WARNING ? cause_of(line) : NULL;
    if (!cause || (run->cause && !(run->cause_is_guess && telling)))
        return;
    run->cause = cause;
    run->cause_is_guess = !telling;
    run->cause_line = talloc_strdup(run->env, text_cut(line, read->text, 500));
}

static void take_line(struct run *run, const char *raw, bool *changed)
{
    char *line = text_clean(run->env, raw);
    job_log_line(run->db, run->job, ++run->log_number, line);
    struct eksctl_line read = eksctl_line_read(line);
    *changed = plan_advance(&run->plan, &read) || *changed;
    take_cause(run, line, &read);
    circuit_heard(run, read.text);
    talloc_free(line);
}

/* Writes the whole lines of the buffer to the log, all in one transaction. What could not be
   written stays in the buffer and comes with the next ones, under the same numbers. */
static void take_lines(struct run *run, char **buffer, bool all)
{
    struct error err;
    bool changed = false;
    if (!**buffer || (!all && !strchr(*buffer, '\n')))
        return;
    supervise_flush(run);
    int64_t number = run->log_number;
    if (!db_begin(run->db, DB_READ_WRITE, &err))
        return;
    char *copy = talloc_strdup(run->env, *buffer), *at = copy;
    for (char *end; (end = strchr(at, '\n')); at = end + 1) {
        *end = '\0';
        take_line(run, at, &changed);
    }
    if (all && *at) {
        take_line(run, at, &changed);
        at += strlen(at);
    }
    if (changed) {
        run->phase_at = guard_clock();
        run->plan.began[run->plan.current] = supervise_time(run);
        run->plan.slow = false;
    }
    if (db_commit(run->db, &err)) {
        char *rest = talloc_strdup(run->env, at);
        talloc_free(*buffer);
        *buffer = rest;
    } else {
        run->log_number = number;
        log_warn("lines of the log could not be written yet", "env", run->env->cluster, "error",
                 err.text);
    }
    talloc_free(copy);
    if (changed && !supervise_tell(run, false, &err))
        log_warn("the plan could not be told", "env", run->env->cluster, "error", err.text);
}

/* One eksctl at work. */
struct child {
    struct eksctl_process process;
    const char *input; /* what is still to be written to its stdin; NULL: closed */
    char *buffer;      /* what it said and is not in the log yet */
    bool exited;
    int status;
};

static void close_input(struct child *child)
{
    if (child->process.input >= 0)
        close(child->process.input);
    child->process.input = -1;
}

/* It may read slowly, or not at all: nobody waits for that. */
static void feed(struct child *child)
{
    ssize_t sent = write(child->process.input, child->input, strlen(child->input));
    if (sent > 0)
        child->input += sent;
    /* EPIPE: it ended before reading all; its log says why */
    bool over = !*child->input || (sent < 0 && errno != EAGAIN && errno != EINTR);
    if (over)
        close_input(child);
}

static void hear(struct child *child)
{
    char chunk[4096];
    ssize_t got = read(child->process.output, chunk, sizeof chunk);
    if (got > 0)
        child->buffer = talloc_strndup_append_buffer(child->buffer, chunk, (size_t)got);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        close(child->process.output);
        child->process.output = -1;
    }
}

/* What comes and goes for a moment. One that closed its stdout and lives on is watched all the
   same, and one that left a child behind with its stdout is not waited for. */
static void exchange(struct child *child)
{
    struct pollfd fds[2] = {{child->process.output, POLLIN, 0}, {child->process.input, POLLOUT, 0}};
    int wait = child->exited ? 0 : child->process.output < 0 ? 100 : 250;
    poll(fds, 2, wait);
    if (fds[0].revents)
        hear(child);
    else if (child->exited && child->process.output >= 0) {
        close(child->process.output);
        child->process.output = -1;
    }
    if (fds[1].revents)
        feed(child);
}

/* Ends the whole group: TERM, then KILL. */
static void end_group(struct run *run, struct child *child)
{
    int64_t until = guard_clock() + supervise_margin(run->config) / 2;
    kill(-child->process.pid, SIGTERM);
    while (!eksctl_exited(child->process.pid) && guard_clock() < until)
        poll(NULL, 0, 20);
}

static void reap(struct run *run, struct child *child)
{
    kill(-child->process.pid, SIGKILL); /* what it left behind as well */
    run->group = 0;
    tell_guard(run);
    while (waitpid(child->process.pid, &child->status, 0) < 0 && errno == EINTR)
        ;
    child->exited = true;
}

/* Why it must end now, or RUN_EXITED to go on. */
static enum run_end judge(struct run *run)
{
    if (!supervise_heartbeat(run))
        return RUN_LOST;
    if (run->cancel)
        return RUN_CANCELLED;
    if (supervise_stop)
        return RUN_CANCELLED;
    if (guard_clock() - run->phase_at >= run->config->jobs.phase * 1000)
        return RUN_STUCK;
    return supervise_late(run) ? RUN_LATE : RUN_EXITED;
}

/* Where nobody knows how long it usually takes: half an hour, more than any step of eksctl's. */
enum { SLOW_SECONDS = 1800 };

/* Says once of a step that it takes unusually long. */
static void tell_slow(struct run *run)
{
    struct plan *plan = &run->plan;
    int64_t took = (guard_clock() - run->phase_at) / 1000, most = plan->most[plan->current];
    int64_t bound = !most ? SLOW_SECONDS : most < 10 ? most + 10 : 2 * most;
    struct error err;
    if (plan->slow || took < bound || !begin(run, &err))
        return;
    void *tmp = talloc_new(NULL);
    cJSON *extra = json_object(tmp);
    char *usual = plan_usual(tmp, plan, plan->current);
    json_set_string(extra, "step", plan_phase_title(plan, plan->current));
    json_set_string(extra, "took", duration_text(tmp, took));
    json_set_format(extra, "usual", *usual ? " (%s)" : "%s", usual);
    json_set_string(extra, "most", duration_text(tmp, run->config->jobs.phase));
    plan->slow = true;
    job_progress(run->db, run->job, "running", supervise_plan(run, false));
    say(run->db, run->env, "thread", "slow", extra);
    say_redraw(run->db, run->env, "message");
    if (!db_commit(run->db, &err))
        log_warn("that it takes long could not be told", "env", run->env->cluster, "error",
                 err.text);
    talloc_free(tmp);
}

/* Until it has ended, by itself or by us. */
static enum run_end watch(struct run *run, struct child *child)
{
    enum run_end end = RUN_EXITED;
    while (!child->exited || child->process.output >= 0) {
        exchange(child);
        take_lines(run, &child->buffer, child->process.output < 0);
        if (!child->exited && eksctl_exited(child->process.pid))
            reap(run, child);
        if (!child->exited && (end = judge(run)) != RUN_EXITED)
            break;
        if (!child->exited)
            tell_slow(run);
    }
    if (end == RUN_EXITED)
        return WIFSIGNALED(child->status) ? RUN_KILLED : RUN_EXITED;
    end_group(run, child);
    while (child->process.output >= 0 && eksctl_exited(child->process.pid)) {
        child->exited = true; /* what it said last is read, and no more waited for */
        exchange(child);
    }
    reap(run, child);
    return end;
}

enum run_end supervise(struct run *run, char **arguments, const char *input, struct error *err)
{
    struct child child = {.input = input ? input : ""};
    if (!supervise_heartbeat(run)) /* the looks before took their time */
        return RUN_LOST;
    if (!eksctl_start(arguments, run->environment, true, &child.process, err))
        return RUN_NOT_STARTED;
    run->group = child.process.pid;
    run->phase_at = guard_clock();
    tell_guard(run);
    struct error ignored;
    char *owner = owner_text(run->env, child.process.pid);
    if (!job_owner(run->db, run->job, owner, &ignored))
        log_warn("eksctl's process could not be written down", "env", run->env->cluster);
    fcntl(child.process.input, F_SETFL, O_NONBLOCK);
    fcntl(child.process.output, F_SETFL, O_NONBLOCK);
    if (!*child.input)
        close_input(&child);
    child.buffer = talloc_strdup(run->env, "");
    enum run_end end = watch(run, &child);
    close_input(&child);
    if (child.process.output >= 0)
        close(child.process.output);
    if (end != RUN_LOST)
        take_lines(run, &child.buffer, true);
    run->exit_code = end == RUN_EXITED && WIFEXITED(child.status) ? WEXITSTATUS(child.status) : 0;
    return end;
}
