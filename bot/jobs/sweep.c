#include "jobs/sweep.h"

#include "base/log.h"
#include "jobs/owner.h"
#include "jobs/sweep_look.h"
#include "lifecycle/say.h"
#include "store/pauses.h"
#include "store/sweeps.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

enum { QUESTION_SECONDS = 120 };

static time_t monotonic(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec;
}

bool sweep_wanted(const void *ctx, const struct config *config, struct db *db,
                  struct launch_job **out, struct error *err)
{
    int64_t next;
    *out = NULL;
    if (!sweep_due(db, config->sweep.every, &next, err))
        return false;
    if (next) {
        *out = talloc_zero(ctx, struct launch_job);
        **out = (struct launch_job){.id = SWEEP_JOB,
                                    .next = next,
                                    .kind = "sweep",
                                    .region = "",
                                    .team = "",
                                    .name = "sweep",
                                    .owner = ""};
    }
    return true;
}

/* Renews the lease while eksctl is waited for; false: it is lost, so nothing more is done. */
static bool beat(void *user)
{
    struct sweep *s = user;
    struct error err;
    bool held = true;
    if (!s->id || monotonic() - s->renewed_at < s->config->jobs.heartbeat)
        return true;
    if (!sweep_renew(s->db, s->id, s->config->jobs.lease, &held, &err)) /* it may come back */
        return monotonic() - s->renewed_at < s->config->jobs.lease;
    s->renewed_at = monotonic();
    return held;
}

/* ---- deleting ---- */

static bool is_taken(void *ctx, struct sweep *s, const char *cluster, bool *taken,
                     struct error *err)
{
    struct rows *rows = db_query(ctx, s->db, err,
                                 "SELECT FROM environments WHERE cluster = $1"
                                 " AND ended_at IS NULL",
                                 P(cluster));
    *taken = rows && rows_count(rows) > 0;
    return rows != NULL;
}

static void note(void *ctx, cJSON *finding, const char *words)
{
    json_set_string(finding, "line",
                    talloc_asprintf(ctx, "%s %s", json_string_or_empty(finding, "line"), words));
}

static bool delete_one(void *ctx, struct sweep *s, cJSON *finding, struct error *err)
{
    const char *cluster = json_string_or_empty(finding, "cluster");
    const char *region = json_string_or_empty(finding, "region");
    bool taken, known = false;
    if (!is_taken(ctx, s, cluster, &taken, err))
        return false;
    if (taken) {
        note(ctx, finding, "An environment has its name by now, so it was left alone.");
        return true;
    }
    char *output = NULL, *errors = NULL;
    int status;
    struct eksctl_patience patience = s->patience;
    patience.seconds = (int)s->config->eksctl.delete_timeout + 600;
    log_info("deleting an orphan", "cluster", cluster, "region", region);
    struct error why = {0};
    if (!eksctl_ask(ctx, eksctl_delete(ctx, s->config, cluster, region), s->environment, &patience,
                    &output, &errors, &status, &why))
        log_warn("eksctl did not come to its end", "cluster", cluster, "error", why.text);
    /* The exit code is a hint; what is seen counts. */
    bool gone = !sweep_cluster(ctx, s, cluster, region, &known) && known;
    json_set_bool(finding, "deleted", gone);
    note(ctx, finding,
         gone ? "It was deleted." : "Deleting it did not succeed; look at its stacks.");
    return true;
}

static bool delete_orphans(void *ctx, struct sweep *s, struct error *err)
{
    struct pause *pause;
    cJSON *each;
    if (!pause_find(ctx, s->db, &pause, err))
        return false;
    bool may =
        s->config->sweep.delete_orphans && s->id && !s->unread && !(pause && pause->everything);
    cJSON_ArrayForEach (each, s->findings) {
        if (strcmp(json_string_or_empty(each, "kind"), "orphan") != 0)
            continue;
        if (may && json_true(each, "old")) {
            if (!delete_one(ctx, s, each, err))
                return false;
        } else {
            note(ctx, each,
                 talloc_asprintf(ctx,
                                 "`eksctl delete cluster --name %s --region %s --wait` deletes "
                                 "it.",
                                 json_string_or_empty(each, "cluster"),
                                 json_string_or_empty(each, "region")));
        }
    }
    return true;
}

/* ---- the end ---- */

/* Each finding on a line. */
static char *lines_of(void *ctx, const struct sweep *s)
{
    char *lines = talloc_strdup(ctx, "");
    const cJSON *each;
    cJSON_ArrayForEach (each, s->findings)
        lines = talloc_asprintf_append(lines, "%s• %s", *lines ? "\n" : "",
                                       json_string_or_empty(each, "line"));
    return lines;
}

/* By what findings are the same as an hour before: an age is none. */
static char *key_of(void *ctx, const struct sweep *s)
{
    char *key = talloc_strdup(ctx, "");
    const cJSON *each;
    cJSON_ArrayForEach (each, s->findings) {
        const char *own = json_string(each, "key");
        key = talloc_asprintf_append(key, "%s%s\n", own ? own : json_string_or_empty(each, "kind"),
                                     json_true(each, "deleted") ? " deleted" : "");
        if (!own)
            key = talloc_asprintf_append(key, "%s\n", json_string_or_empty(each, "region"));
    }
    return key;
}

/* Keeps the report, and tells the operators what is news. */
static bool record(void *ctx, struct sweep *s, struct error *err)
{
    const char *before;
    bool held = false;
    cJSON *report = json_object(ctx), *values = json_object(ctx);
    char *key = key_of(ctx, s);
    json_set_number(report, "regions", s->regions);
    json_set_number(report, "clusters", s->clusters);
    json_set(report, "findings", cJSON_Duplicate(s->findings, true));
    json_set_string(report, "lines", key);
    json_set_string(values, "words", lines_of(ctx, s));
    if (!db_begin(s->db, DB_READ_WRITE, err) ||
        !sweep_end(ctx, s->db, s->id, report, &before, &held, err))
        return false;
    if (!held)
        return error_set(err, ERROR_CONFLICT, "it took longer than its lease");
    if (*key && strcmp(key, before) != 0)
        say_operators(s->db, "sweep", values);
    if (!*key && *before)
        say_operators(s->db, "sweep-well", values);
    return db_commit(s->db, err);
}

static bool run(void *ctx, struct sweep *s, struct error *err)
{
    const char *place = owner_place(ctx, owner_text(ctx, 0));
    char *home = eksctl_make_home(ctx, place, err);
    if (!home)
        return false;
    s->environment = eksctl_environment(ctx, home);
    s->patience = (struct eksctl_patience){QUESTION_SECONDS, beat, s};
    s->renewed_at = monotonic();
    bool ok =
        sweep_look(ctx, s, err) && delete_orphans(ctx, s, err) && (!s->id || record(ctx, s, err));
    db_rollback(s->db);
    eksctl_remove_homes(place);
    return ok;
}

int sweep_job(const struct config *config)
{
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    struct sweep s = {.config = config,
                      .db = db_new(ctx, config->database.url, "envbot sweep", 60000)};
    say_notifies = true;
    bool ok = sweep_claim(s.db, config->sweep.every, config->jobs.lease, &s.id, &err) &&
              (!s.id || run(ctx, &s, &err));
    char counts[96];
    snprintf(counts, sizeof counts, "%d clusters, %d regions, %d findings", s.clusters, s.regions,
             cJSON_GetArraySize(s.findings));
    if (!ok)
        log_error("the sweep could not be done", "error", err.text);
    else if (s.id)
        log_info("swept", "saw", counts);
    talloc_free(ctx);
    return ok ? 0 : 1;
}

int sweep_command(const struct config *config, const char *const *words)
{
    bool dry = words[0] && strcmp(words[0], "--dry-run") == 0;
    if (words[0] && !dry) {
        fprintf(stderr, "envbot: %s was not expected here\nTry `envbot sweep --help`.\n", words[0]);
        return 2;
    }
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    struct sweep s = {.config = config,
                      .db = db_new(ctx, config->database.url, "envbot sweep", 60000)};
    say_notifies = true;
    bool ok = dry || sweep_claim(s.db, 0, config->jobs.lease, &s.id, &err);
    bool busy = ok && !dry && !s.id;
    ok = ok && !busy && run(ctx, &s, &err);
    if (busy)
        fprintf(stderr, "envbot: another sweep is under way; nothing was done.\n");
    else if (!ok)
        fprintf(stderr, "envbot: %s\n", err.text);
    else if (cJSON_GetArraySize(s.findings))
        printf("%s\n", lines_of(ctx, &s));
    else
        printf("AWS and the table agree: %d clusters in %d regions.\n", s.clusters, s.regions);
    int code = ok && !s.unread ? 0 : 1;
    talloc_free(ctx);
    return code;
}
