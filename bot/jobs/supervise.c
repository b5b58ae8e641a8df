#include "jobs/supervise.h"

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
#include <time.h>
#include <unistd.h>

volatile int supervise_stop = 0;

static int64_t now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec;
}

bool supervise_heartbeat(struct run *run)
{
    const int64_t lease = run->config->jobs.lease;
    int64_t at = now();
    if (at - run->renewed_at < run->config->jobs.heartbeat)
        return true;
    bool held = false, cancel = false;
    struct error err;
    if (job_renew(run->db, run->job, lease, &held, &cancel, &err)) {
        run->renewed_at = at;
        run->cancel = run->cancel || cancel;
        if (!held)
            log_warn("the job was taken over by another process", "env", run->env->cluster);
        return held;
    }
    log_warn("the lease could not be renewed", "env", run->env->cluster, "error", err.text);
    /* Eksctl has to be gone before the lease is, by our own clock. */
    return at - run->renewed_at < lease - run->config->jobs.heartbeat / 2 - 1;
}

bool supervise_late(const struct run *run)
{
    return now() >= run->deadline_at;
}

bool supervise_pause(struct run *run, int seconds)
{
    for (int64_t end = now() + seconds; now() < end && !supervise_stop && !run->cancel;) {
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

cJSON *supervise_plan(struct run *run, bool done)
{
    if (strcmp(run->env->state, "failed") != 0)
        run->env->plan = plan_json(run->env, &run->plan, done);
    return run->env->plan;
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

bool supervise_note(struct run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = talloc_vasprintf(NULL, format, args);
    va_end(args);
    struct error err;
    bool ok = db_begin(run->db, DB_READ_WRITE, &err);
    if (ok) {
        char *text = talloc_asprintf(line, "envbot: %s", line);
        job_log_line(run->db, run->job, ++run->log_number, text);
        ok = db_commit(run->db, &err);
    }
    log_info("job", "env", run->env->cluster, "note", line);
    talloc_free(line);
    return ok;
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

/* Writes the whole lines of the buffer to the log, all in one transaction. */
static void take_lines(struct run *run, char **buffer, bool all)
{
    struct error err;
    bool changed = false;
    if (!**buffer || (!all && !strchr(*buffer, '\n')))
        return;
    if (!db_begin(run->db, DB_READ_WRITE, &err))
        return; /* kept: the next call has them */
    char *at = *buffer;
    for (char *end; (end = strchr(at, '\n')); at = end + 1) {
        *end = '\0';
        take_line(run, at, &changed);
    }
    if (all && *at) {
        take_line(run, at, &changed);
        at += strlen(at);
    }
    if (!db_commit(run->db, &err))
        log_warn("lines of the log were lost", "env", run->env->cluster, "error", err.text);
    char *rest = talloc_strdup(run->env, at);
    talloc_free(*buffer);
    *buffer = rest;
    if (changed && !supervise_tell(run, false, &err))
        log_warn("the plan could not be told", "env", run->env->cluster, "error", err.text);
}

static bool end_group(pid_t pid, int *status)
{
    kill(-pid, SIGTERM);
    for (int i = 0; i < 50; i++) {
        if (waitpid(pid, status, WNOHANG) == pid)
            break;
        poll(NULL, 0, 20);
    }
    kill(-pid, SIGKILL);
    waitpid(pid, status, 0);
    return true;
}

static bool feed(struct eksctl_process *process, const char *input)
{
    size_t length = input ? strlen(input) : 0;
    while (length) {
        ssize_t sent = write(process->input, input, length);
        if (sent < 0 && errno != EINTR)
            break; /* it ended before reading all: its log says why */
        if (sent > 0) {
            input += sent;
            length -= (size_t)sent;
        }
    }
    close(process->input);
    return length == 0;
}

/* Why it must end now, or RUN_EXITED to go on. */
static enum run_end judge(struct run *run)
{
    if (!supervise_heartbeat(run))
        return RUN_LOST;
    if (run->cancel && strcmp(run->job->kind, "delete") != 0)
        return RUN_CANCELLED;
    if (supervise_stop)
        return RUN_CANCELLED;
    return now() >= run->deadline_at ? RUN_LATE : RUN_EXITED;
}

enum run_end supervise(struct run *run, char **arguments, const char *input, struct error *err)
{
    struct eksctl_process process;
    if (!supervise_heartbeat(run)) /* the looks before took their time */
        return RUN_LOST;
    if (!eksctl_start(arguments, run->environment, true, &process, err))
        return RUN_NOT_STARTED;
    struct error ignored;
    char *owner = owner_text(run->env, process.pid);
    if (!job_owner(run->db, run->job, owner, &ignored))
        log_warn("eksctl's process could not be written down", "env", run->env->cluster);
    feed(&process, input);
    char *buffer = talloc_strdup(run->env, "");
    enum run_end end = RUN_EXITED;
    while (end == RUN_EXITED) {
        struct pollfd fd = {process.output, POLLIN, 0};
        poll(&fd, 1, 500);
        char chunk[4096];
        ssize_t got = fd.revents ? read(process.output, chunk, sizeof chunk) : -1;
        if (got > 0)
            buffer = talloc_strndup_append_buffer(buffer, chunk, (size_t)got);
        take_lines(run, &buffer, got == 0);
        if (got == 0)
            break;
        end = judge(run);
    }
    int status = 0;
    if (end == RUN_EXITED)
        waitpid(process.pid, &status, 0);
    else
        end_group(process.pid, &status);
    close(process.output);
    if (end != RUN_LOST)
        take_lines(run, &buffer, true);
    run->exit_code = end == RUN_EXITED && WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return end == RUN_EXITED && WIFSIGNALED(status) ? RUN_KILLED : end;
}
