#include "approvals/people_watch.h"

#include "base/log.h"
#include "base/watcher.h"

#include <talloc.h>

static const char CHANNEL[] = "envbot_people";
enum { WAIT_MS = 1000 };

struct people_watch {
    const char *database_url;
    struct people *people;
    struct watcher watcher;
};

bool people_tell(struct people *people, struct db *db, const char *change, struct error *err)
{
    void *tmp = talloc_new(NULL);
    people_change(people, change);
    bool ok = db_connect(db, err) &&
              db_query(tmp, db, err, "SELECT pg_notify('envbot_people', $1)", P(change)) != NULL;
    talloc_free(tmp);
    return ok;
}

static void heard(void *user, const char *change)
{
    people_change(user, change);
}

static void *watch_thread(void *user)
{
    struct people_watch *watch = user;
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    struct db *db = db_new(ctx, watch->database_url, "envbot people", 0);
    db_on_notify(db, heard, watch->people);
    bool listening = db_listen(db, CHANNEL, &err);
    while (!watcher_stopping(&watch->watcher)) {
        people_heard(watch->people, listening);
        bool well = db_wait(db, watch->watcher.bell->fd, WAIT_MS);
        if (listening && well)
            continue;
        /* What was said in between was not heard. */
        people_heard(watch->people, false);
        if (listening)
            log_info("changes of people are not heard of until PostgreSQL answers again");
        listening = db_connect(db, &err);
    }
    talloc_free(ctx);
    return NULL;
}

struct people_watch *people_watch_start(const char *database_url, struct people *people)
{
    struct people_watch *watch = talloc_zero(NULL, struct people_watch);
    watch->database_url = database_url;
    watch->people = people;
    return watcher_start(&watch->watcher, watch_thread, watch) ? watch : NULL;
}

void people_watch_stop(struct people_watch *watch)
{
    if (watch)
        watcher_stop(&watch->watcher, watch);
}
