#include "jobs/launcher.h"

#include "base/bell.h"
#include "base/log.h"
#include "jobs/launch.h"
#include "store/jobs.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <talloc.h>
#include <time.h>

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
    const struct launch *launch;
    void *launch_state;
};

struct launcher *launcher_new(const void *ctx, const struct config *config)
{
    struct launcher *launcher = talloc_zero(ctx, struct launcher);
    launcher->config = config;
    launcher->bell = bell_new(launcher);
    launcher->launch = launch_find(config->jobs.launcher);
    launcher->launch_state = launcher->launch->begin(launcher, config);
    return launcher;
}

void launcher_wake(struct launcher *launcher)
{
    bell_ring(launcher->bell);
}

static void start_job(struct launcher *launcher, int64_t id)
{
    char number[32];
    struct error err = {0};
    snprintf(number, sizeof number, "%" PRId64, id);
    if (launcher->launch->start(launcher->launch_state, id, &err))
        log_info("started", "job", number);
    else
        log_error("a job could not be started", "job", number, "error", err.text);
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
