#include "jobs/launcher.h"

#include "base/bell.h"
#include "base/log.h"
#include "jobs/launch.h"
#include "jobs/sweep.h"
#include "lifecycle/say.h"
#include "store/queue.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <talloc.h>
#include <time.h>

enum { REMEMBERED = 256 };

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
    const struct trouble_words *words;
};

struct launcher *launcher_new(const void *ctx, const struct config *config, struct metrics *metrics,
                              struct error *err)
{
    struct launcher *launcher = talloc_zero(ctx, struct launcher);
    launcher->config = config;
    launcher->bell = bell_new(launcher);
    launcher->launch = launch_find(config->jobs.launcher);
    launcher->words = troubles_read(launcher, config->templates, err);
    if (launcher->words)
        launcher->launch_state = launcher->launch->begin(launcher, config, metrics, err);
    if (launcher->launch_state)
        return launcher;
    talloc_free(launcher);
    return NULL;
}

struct breaker *launcher_breaker(const struct launcher *launcher)
{
    const struct launch *launch = launcher->launch;
    return launch->breaker ? launch->breaker(launcher->launch_state) : NULL;
}

void launcher_wake(struct launcher *launcher)
{
    bell_ring(launcher->bell);
}

/* Who waits and the operators, once each; of several jobs that the same holds up, the operators
   hear of the first. */
static bool tell(const struct launcher *launcher, struct db *db, const struct launch_job *job,
                 const struct trouble *trouble, bool *news, struct error *err)
{
    void *ctx = talloc_new(NULL);
    const struct trouble_words *words = &launcher->words[trouble->kind];
    struct environment *env = NULL;
    bool first = false,
         ok = db_begin(db, DB_READ_WRITE, err) &&
              environment_by_id(ctx, db, job->environment, ENVIRONMENT_LOCK, &env, err) &&
              launch_held_up(db, job, trouble_name(trouble->kind), news, &first, err);
    if (ok && env && *news) {
        cJSON *extra = json_object(ctx);
        json_set_number(extra, "number", (double)job->id);
        json_set_string(extra, "words", words->what);
        json_set_string(extra, "remedy", words->todo);
        json_set_string(extra, "error", trouble->detail);
        say(db, env, "thread", "held-up", extra);
        say_redraw(db, env, "message");
        if (first)
            say(db, env, "operators", "held-up-operators", extra);
        db_send(db, "SELECT pg_notify('envbot_outbox', '')", P0);
    }
    ok = ok && db_commit(db, err);
    db_rollback(db);
    talloc_free(ctx);
    return ok;
}

static bool start_job(struct launcher *launcher, struct db *db, int64_t id, struct error *err)
{
    void *ctx = talloc_new(NULL);
    char *number = talloc_asprintf(ctx, "%" PRId64, id);
    struct launch_job *job;
    struct trouble trouble = {0};
    bool news = false, ok = launch_job_read(ctx, db, id, &job, err);
    if (ok && job && launcher->launch->start(launcher->launch_state, job, &trouble))
        log_info("started", "job", number);
    if (ok && trouble.kind && trouble.lasts)
        ok = tell(launcher, db, job, &trouble, &news, err);
    if (ok && news)
        log_error("a job cannot be started", "job", number, "trouble", trouble_name(trouble.kind),
                  "error", trouble.detail);
    talloc_free(ctx);
    return ok;
}

static bool started_lately(const struct launcher *launcher, int64_t id, time_t now)
{
    for (unsigned i = 0; i < REMEMBERED; i++)
        if (launcher->started[i].id == id &&
            now - launcher->started[i].at < launcher->launch->again)
            return true;
    return false;
}

static void remember(struct launcher *launcher, int64_t id, time_t now)
{
    unsigned slot = launcher->next++ % REMEMBERED;
    launcher->started[slot].id = id;
    launcher->started[slot].at = now;
}

static bool start_sweep(struct launcher *launcher, struct db *db, time_t now, struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct launch_job *sweep;
    struct trouble trouble = {0};
    bool ok = sweep_wanted(ctx, launcher->config, db, &sweep, err);
    if (ok && sweep && !started_lately(launcher, SWEEP_JOB, now)) {
        remember(launcher, SWEEP_JOB, now);
        if (launcher->launch->start(launcher->launch_state, sweep, &trouble))
            log_info("started", "job", "sweep");
        else if (trouble.kind && trouble.lasts)
            log_warn("the sweep cannot be started", "trouble", trouble_name(trouble.kind), "error",
                     trouble.detail);
    }
    talloc_free(ctx);
    return ok;
}

/* A look at the queue; *more: some could be started yet, once the others have claimed their rows.
 */
static bool pass(struct launcher *launcher, struct db *db, bool *more, struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct job_bounds bounds = {launcher->config->jobs.parallel, launcher->config->jobs.per_region,
                                launcher->config->jobs.per_team, launcher->config->jobs.lease};
    int64_t *ids;
    int count = 0;
    bool ok = queue_startable(ctx, db, &bounds, &ids, &count, err);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int room = launcher->launch->at_once;
    for (int i = 0; ok && i < count; i++)
        room -= started_lately(launcher, ids[i], now.tv_sec);
    *more = false;
    for (int i = 0; ok && i < count && !*more; i++) {
        if (started_lately(launcher, ids[i], now.tv_sec))
            continue;
        *more = room-- <= 0;
        if (*more)
            continue;
        remember(launcher, ids[i], now.tv_sec);
        ok = start_job(launcher, db, ids[i], err);
    }
    ok = ok && start_sweep(launcher, db, now.tv_sec, err);
    if (ok && launcher->launch->tidy)
        launcher->launch->tidy(launcher->launch_state, db);
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
        bool more = false;
        if (!pass(launcher, db, &more, &err) && was_up)
            log_warn("the queue of jobs cannot be read", "error", err.text);
        db_wait(db, launcher->bell->fd, more ? 100 : 1000);
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
