#include "jobs/launcher.h"

#include "base/bell.h"
#include "base/log.h"
#include "store/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <talloc.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* A job that was started is given this long to claim its row before it is started again. */
enum { PATIENCE_SECONDS = 5, REMEMBERED = 256 };

struct launcher {
    const struct config *config;
    struct bell *bell;
    pthread_t thread;
    _Atomic bool stopping;
    struct {
        int64_t id;
        time_t at;
    } started[REMEMBERED];
    unsigned next;
    char **environment; /* of the job process */
};

/* The job process needs the database, the configuration and AWS, and nothing of Slack. */
static char **job_environment(const void *ctx)
{
    static const char *const kept_back[] = {"SLACK_", "ENVBOT_SLACK_"};
    unsigned count = 0;
    while (environ[count])
        count++;
    char **list = talloc_array(ctx, char *, count + 1);
    unsigned used = 0;
    for (unsigned i = 0; i < count; i++) {
        bool keep = true;
        for (size_t k = 0; k < sizeof kept_back / sizeof *kept_back; k++)
            keep = keep && strncmp(environ[i], kept_back[k], strlen(kept_back[k])) != 0;
        if (keep)
            list[used++] = talloc_strdup(list, environ[i]);
    }
    list[used] = NULL;
    return list;
}

struct launcher *launcher_new(const void *ctx, const struct config *config)
{
    struct launcher *launcher = talloc_zero(ctx, struct launcher);
    launcher->config = config;
    launcher->bell = bell_new(launcher);
    launcher->environment = job_environment(launcher);
    return launcher;
}

void launcher_wake(struct launcher *launcher)
{
    bell_ring(launcher->bell);
}

/* Between fork and exec only what is safe after fork in a program with threads: signal-safety(7).
 */
static void become_job(char **arguments, char **environment)
{
    setsid();
    pid_t grandchild = fork();
    if (grandchild != 0)
        _exit(grandchild < 0);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve("/proc/self/exe", arguments, environment);
    _exit(127);
}

static bool start_job(struct launcher *launcher, int64_t id)
{
    char number[32];
    snprintf(number, sizeof number, "%" PRId64, id);
    char name[] = "envbot", job[] = "job", option[] = "--config";
    char *file = talloc_strdup(NULL, launcher->config->file);
    char *plain[] = {name, job, number, NULL};
    char *with_file[] = {name, job, number, option, file, NULL};
    char **arguments = *file ? with_file : plain;
    pid_t child = fork();
    if (child == 0)
        become_job(arguments, launcher->environment);
    int status = 0;
    bool ok = child > 0;
    while (ok && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok)
        log_error("a job could not be started", "job", number, "error", strerror(errno));
    else
        log_info("started", "job", number);
    talloc_free(file);
    return ok;
}

static bool started_lately(const struct launcher *launcher, int64_t id, time_t now)
{
    for (unsigned i = 0; i < REMEMBERED; i++)
        if (launcher->started[i].id == id && now - launcher->started[i].at < PATIENCE_SECONDS)
            return true;
    return false;
}

static bool pass(struct launcher *launcher, struct db *db, struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct job_bounds bounds = {launcher->config->jobs.parallel, launcher->config->jobs.per_region,
                                launcher->config->jobs.lease};
    int64_t *ids;
    int count = 0;
    bool ok = jobs_startable(ctx, db, &bounds, &ids, &count, err);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (int i = 0; ok && i < count; i++) {
        if (started_lately(launcher, ids[i], now.tv_sec))
            continue;
        unsigned slot = launcher->next++ % REMEMBERED;
        launcher->started[slot].id = ids[i];
        launcher->started[slot].at = now.tv_sec;
        start_job(launcher, ids[i]);
    }
    talloc_free(ctx);
    return ok;
}

static void *launcher_thread(void *user)
{
    struct launcher *launcher = user;
    void *ctx = talloc_new(NULL);
    struct db *db = db_new(ctx, launcher->config->database.url, "envbot launcher", 10000);
    struct error err = {0};
    bool listening = db_listen(db, "envbot_jobs", &err);
    while (!atomic_load(&launcher->stopping)) {
        bell_hear(launcher->bell);
        bool was_up = db_connected(db);
        if (!pass(launcher, db, &err) && was_up)
            log_warn("the queue of jobs cannot be read", "error", err.text);
        db_wait(db, launcher->bell->fd, 1000);
    }
    (void)listening; /* a failed LISTEN is repeated with the connection; the poll is behind it */
    talloc_free(ctx);
    return NULL;
}

void launcher_start(struct launcher *launcher)
{
    pthread_create(&launcher->thread, NULL, launcher_thread, launcher);
}

void launcher_stop(struct launcher *launcher)
{
    atomic_store(&launcher->stopping, true);
    bell_ring(launcher->bell);
    pthread_join(launcher->thread, NULL);
}
