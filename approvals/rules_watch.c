#include "approvals/rules_watch.h"

#include "base/log.h"
#include "base/text.h"
#include "base/watcher.h"
#include "lifecycle/say.h"
#include "store/audit.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <talloc.h>
#include <unistd.h>

/* Who writes a file is seldom done with the first write: the rules are read when nothing has
   changed for QUIET_MS, or after LONGEST_MS. What inotify does not tell (a network's file system, a
   link's far end) the slow poll sees. */
enum { POLL_MS = 5000, RETRY_MS = 1000, QUIET_MS = 200, LONGEST_MS = 3000 };

struct rules_watch {
    struct rules_watch_options options;
    struct metric *versions;
    struct watcher watcher;
    int notify;              /* inotify's descriptor */
    char *stamp;             /* of the files as they were when they were read */
    struct rules_look *look; /* the last one; untold while the database is away */
    bool told;
};

/* ---- telling ---- */

static bool same_text(const cJSON *detail, const char *key, const char *text)
{
    return strcmp(json_string_or_empty(detail, key), text) == 0;
}

static bool is_trouble(const cJSON *detail)
{
    return *json_string_or_empty(detail, "problems") != '\0';
}

/* Problems differ with a path or a line, not with who tells them: as a list, not too long. */
static cJSON *detail_of(const void *ctx, const struct rules_look *look)
{
    cJSON *detail = json_object(ctx);
    json_set_string(detail, "version", look->version);
    json_set_string(detail, "serving", look->serving);
    json_set_string(detail, "problems", text_cut(ctx, look->problems, 2000));
    return detail;
}

static void say_look(struct db *db, const cJSON *detail)
{
    bool kept = !same_text(detail, "version", json_string_or_empty(detail, "serving"));
    say_operators(db,
                  !is_trouble(detail) ? "rules-well"
                  : kept              ? "rules-kept"
                                      : "rules-problems",
                  detail);
}

bool rules_tell(struct db *db, const struct rules_look *look, struct error *err)
{
    void *ctx = talloc_new(NULL);
    cJSON *detail = detail_of(ctx, look);
    bool ok = db_begin(db, DB_READ_WRITE, err);
    /* Of several processes that see it at once one tells it, and the others see that. */
    db_send(db, "SELECT pg_advisory_xact_lock(hashtext('envbot rules'))", P0);
    struct rows *rows =
        ok ? db_query(ctx, db, err,
                      "SELECT detail FROM audit WHERE event = 'rules' ORDER BY id DESC LIMIT 1", P0)
           : NULL;
    ok = rows != NULL;
    const cJSON *last = ok && rows_count(rows) ? rows_json(ctx, rows, 0, "detail") : NULL;
    bool news = !same_text(last, "version", look->version) ||
                !same_text(last, "serving", look->serving) ||
                !same_text(last, "problems", json_string_or_empty(detail, "problems"));
    if (ok && news) {
        audit_add(db, &AUDIT_ENVBOT, 0, NULL, "rules", NULL, NULL, detail);
        if (is_trouble(detail) || is_trouble(last))
            say_look(db, detail);
    }
    ok = ok && db_commit(db, err);
    if (!ok)
        db_rollback(db);
    talloc_free(ctx);
    return ok;
}

/* ---- looking ---- */

/* What changes when a file does: names, times and sizes, through links. */
static char *stamp_of(const void *ctx, const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    char *stamp = talloc_strdup(ctx, "");
    for (int i = -1; i < count; i++) {
        const char *name = i < 0 ? "" : entries[i]->d_name;
        char *file = talloc_asprintf(ctx, "%s/%s", path, name);
        struct stat status = {0};
        /* "." and "..": the one stands here already, the other is not ours */
        if (*name != '.' && stat(i < 0 ? path : file, &status) == 0)
            stamp = talloc_asprintf_append_buffer(
                stamp, "%s %lld %lld.%09ld %lld\n", name, (long long)status.st_ino,
                (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                (long long)status.st_size);
        talloc_free(file);
        if (i >= 0)
            free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return stamp;
}

static void log_problems(const struct rules_look *look)
{
    char *copy = talloc_strdup(NULL, look->problems), *state = NULL;
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        log_error("access rules", "problem", line);
    talloc_free(copy);
}

static void show_version(struct rules_watch *watch)
{
    const struct metric_row row = {.labels = {watch->look->serving}, .value = 1};
    metric_replace(watch->versions, &row, 1);
}

/* Reads the rules; what was read only in part, or not at all, leaves those that hold. */
static void reload(struct rules_watch *watch)
{
    struct rules_look *before = watch->look, *look = talloc_zero(watch, struct rules_look);
    struct rbac *next = NULL;
    struct error err = {0};
    bool read = rbac_read(NULL, watch->options.path, &next, &look->problems, &err);
    talloc_steal(look, look->problems);
    bool good = read && rbac_whole(next);
    if (!read)
        look->problems = talloc_asprintf(look, "%s\n", err.text);
    look->version = talloc_strdup(look, read ? rbac_version(next) : "");
    look->serving = talloc_strdup(look, good ? look->version : before->serving);
    bool same = strcmp(look->version, before->version) == 0 &&
                strcmp(look->problems, before->problems) == 0;
    if (good && strcmp(look->serving, before->serving) != 0) {
        rules_replace(watch->options.rules, next);
        next = NULL;
        log_info("the access rules were read again", "version", look->serving);
    }
    talloc_free(next);
    watch->look = look;
    if (!same) {
        watch->told = false;
        log_problems(look);
        if (!good)
            log_error("the access rules cannot be read; the last ones stay", "version",
                      look->serving);
    }
    talloc_free(before);
    show_version(watch);
}

/* ---- the thread ---- */

/* True when something happened; false after the time, or when it is to stop. */
static bool wait_for_change(struct rules_watch *watch, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = watch->notify, .events = POLLIN},
                           {.fd = watch->watcher.bell->fd, .events = POLLIN}};
    char events[4096];
    if (poll(fds, 2, timeout_ms) <= 0 || !(fds[0].revents & POLLIN))
        return false;
    return read(watch->notify, events, sizeof events) > 0;
}

static void settle(struct rules_watch *watch)
{
    for (int waited = 0; waited < LONGEST_MS && !watcher_stopping(&watch->watcher);
         waited += QUIET_MS)
        if (!wait_for_change(watch, QUIET_MS))
            return;
}

/* Once more each time: the folder may be another one by now. A file is seen through its folder. */
static void watch_path(struct rules_watch *watch)
{
    struct stat status;
    const char *path = watch->options.path, *slash = strrchr(path, '/');
    char *parent = talloc_strndup(NULL, slash ? path : ".",
                                  slash && slash > path ? (size_t)(slash - path) : 1);
    bool folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    (void)inotify_add_watch(watch->notify, folder ? path : parent,
                            IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB);
    talloc_free(parent);
}

static bool files_changed(struct rules_watch *watch)
{
    char *stamp = stamp_of(watch, watch->options.path);
    bool changed = strcmp(stamp, watch->stamp) != 0;
    talloc_free(watch->stamp);
    watch->stamp = stamp;
    return changed;
}

static void tell(struct rules_watch *watch, struct db *db)
{
    struct error err;
    watch->told = rules_tell(db, watch->look, &err);
    if (watch->told && db_noted(db))
        watch->options.after_commit(watch->options.user, db_noted(db));
}

static void *watch_thread(void *user)
{
    struct rules_watch *watch = user;
    void *ctx = talloc_new(NULL);
    struct db *db = db_new(ctx, watch->options.database_url, "envbot rules", RETRY_MS * 10);
    while (!watcher_stopping(&watch->watcher)) {
        watch_path(watch);
        bool seen = wait_for_change(watch, watch->told ? POLL_MS : RETRY_MS);
        if (seen)
            settle(watch);
        if (watcher_stopping(&watch->watcher))
            break;
        if (files_changed(watch) || seen)
            reload(watch);
        if (!watch->told)
            tell(watch, db);
    }
    talloc_free(ctx);
    return NULL;
}

static int close_watch(struct rules_watch *watch)
{
    if (watch->notify >= 0)
        close(watch->notify);
    return 0;
}

struct rules_watch *rules_watch_start(const struct rules_watch_options *options)
{
    /* On NULL: what its thread allocates must not meet what others allocate. */
    struct rules_watch *watch = talloc_zero(NULL, struct rules_watch);
    watch->options = *options;
    watch->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    talloc_set_destructor(watch, close_watch);
    watch->versions = metrics_gauge(options->metrics, "envbot_rules",
                                    "1 for the version of the access rules that holds.", "version");
    watch->look = talloc_zero(watch, struct rules_look);
    watch->look->version = talloc_strdup(watch->look, options->first->version);
    watch->look->serving = talloc_strdup(watch->look, options->first->serving);
    watch->look->problems = talloc_strdup(watch->look, options->first->problems);
    watch->told = true;
    watch->stamp = talloc_strdup(watch, ""); /* what changed since they were read is seen at once */
    show_version(watch);
    return watcher_start(&watch->watcher, watch_thread, watch) ? watch : NULL;
}

void rules_watch_stop(struct rules_watch *watch)
{
    if (watch)
        watcher_stop(&watch->watcher, watch);
}
