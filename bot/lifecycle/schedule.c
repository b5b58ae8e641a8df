#include "lifecycle/schedule.h"

#include "base/moment.h"
#include "base/text.h"
#include "lifecycle/change.h"
#include "lifecycle/pausing.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"
#include "lifecycle/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <talloc.h>

/* ---- what is written ---- */

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
enum { EVERY_DAY = 0x7f };

/* "mon-fri", "sat,sun", "mon, wed-fri", "fri-mon", "daily"; 0: these are no days. */
static unsigned days_of(const char *text)
{
    unsigned days = 0;
    if (strcasecmp(text, "daily") == 0)
        return EVERY_DAY;
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",- ");
        int from = moment_weekday(at, length), to = from;
        at += length;
        at += strspn(at, " ");
        if (*at == '-') {
            at += 1 + strspn(at + 1, " ");
            length = strcspn(at, ",- ");
            to = moment_weekday(at, length);
            at += length + strspn(at + length, " ");
        }
        if (from < 0 || to < 0 || (*at && *at != ','))
            return 0;
        for (int day = from;; day = (day + 1) % 7) {
            days |= 1u << day;
            if (day == to)
                break;
        }
        at += *at == ',';
        at += strspn(at, " ");
    }
    return days;
}

static bool no_time(const char *key, const char *text, struct error *err)
{
    char shown[64];
    snprintf(shown, sizeof shown, "%.40s", text);
    return error_set(err, ERROR_USAGE, "%s is a time of day like 20:00, not “%s”.", key, shown);
}

bool schedule_parse(const cJSON *json, struct schedule *out, struct error *err)
{
    const char *at = json_string_or_empty(json, "at"), *wake = json_string(json, "wake");
    const char *days = json_string(json, "days");
    out->at = moment_minutes(at);
    out->wake = wake ? moment_minutes(wake) : -1;
    out->days = days ? days_of(days) : EVERY_DAY;
    out->zone = json_string_or_empty(json, "zone");
    if (out->at < 0)
        return no_time("at", at, err);
    if (wake && out->wake < 0)
        return no_time("wake", wake, err);
    if (out->at == out->wake)
        return error_set(err, ERROR_USAGE, "It cannot sleep and wake at the same time.");
    if (!out->days)
        return error_set(err, ERROR_USAGE, "days are written like mon-fri or sat,sun, not “%.40s”.",
                         days);
    if (!*out->zone)
        return error_set(err, ERROR_USAGE, "The time zone is missing: zone, like Europe/Berlin.");
    return true;
}

/* "mon-fri", "mon, wed-fri", "daily" */
static char *day_words(const void *ctx, unsigned days)
{
    char *text = talloc_strdup(ctx, days == EVERY_DAY ? "daily" : "");
    for (int day = 0; days != EVERY_DAY && day < 7; day++) {
        if (!(days >> day & 1))
            continue;
        int last = day;
        while (last < 6 && (days >> (last + 1) & 1))
            last++;
        text = talloc_asprintf_append(text, last > day ? "%s%s-%s" : "%s%s", *text ? ", " : "",
                                      day_names[day], day_names[last]);
        day = last;
    }
    return text;
}

char *schedule_words(const void *ctx, const struct schedule *s)
{
    char *days = day_words(NULL, s->days);
    char *text = talloc_asprintf(ctx, "sleeps %s at %02d:%02d", days, s->at / 60, s->at % 60);
    if (s->wake >= 0)
        text = talloc_asprintf_append(text, " and wakes at %02d:%02d", s->wake / 60, s->wake % 60);
    talloc_free(days);
    return talloc_asprintf_append(text, ", %s", s->zone);
}

bool schedule_of(const struct environment *env, struct schedule *out)
{
    struct error ignored;
    const cJSON *json = env->schedule ? env->schedule : json_at(env->template_copy, "sleep");
    return json && !json_true(json, "off") && schedule_parse(json, out, &ignored);
}

/* ---- turns ---- */

void schedule_next(struct db *db, const struct environment *env)
{
    struct schedule s;
    char id[32], minutes[16], days[16];
    bool sleeps = strcmp(env->state, "asleep") == 0;
    bool has = schedule_of(env, &s);
    snprintf(id, sizeof id, "%" PRId64, env->id);
    if (!has && !env->turn_at)
        return;
    snprintf(minutes, sizeof minutes, "%d", has ? (sleeps ? s.wake : s.at) : -1);
    snprintf(days, sizeof days, "%u", has ? s.days : 0);
    db_send(db,
            "UPDATE environments e SET turn_at = t.turn, due_at = least(e.due_at, t.turn)"
            " FROM (SELECT CASE WHEN $2::integer >= 0 THEN"
            "  next_turn($2::integer, $3::integer, $4, now()) END AS turn) t WHERE e.id = $1",
            P(id, minutes, days, has ? s.zone : ""));
}

bool schedule_due(const struct environment *env)
{
    bool turns = strcmp(env->state, "ready") == 0 || strcmp(env->state, "asleep") == 0;
    return turns && env->turn_at && env->turn_at <= env->now;
}

/* Its team's row first, then its own: the order of locks. */
static bool lock(void *ctx, struct db *db, int64_t id, struct team_use *use,
                 struct environment **env, struct error *err)
{
    char text[32];
    struct rows *rows = NULL;
    snprintf(text, sizeof text, "%" PRId64, id);
    struct rows *team =
        db_query(ctx, db, err, "SELECT team FROM environments WHERE id = $1", P(text));
    if (!team || rows_count(team) == 0)
        return team ? error_set(err, ERROR_INTERNAL, "environment %s is not there", text) : false;
    team_use_ask(ctx, db, rows_text(team, 0, "team"), true, &rows);
    if (!environment_by_id(ctx, db, id, ENVIRONMENT_LOCK, env, err))
        return false;
    *use = team_use_from_row(rows, 0);
    return true;
}

static bool fits(const struct team_use *use, const struct template_resources *more)
{
    const struct quota *now = &use->use, *most = &use->limit;
    return (most->nodes < 0 || more->nodes <= 0 || now->nodes + more->nodes <= most->nodes) &&
           (most->vcpus < 0 || more->vcpus <= 0 || now->vcpus + more->vcpus <= most->vcpus) &&
           (most->gpus < 0 || more->gpus <= 0 || now->gpus + more->gpus <= most->gpus) &&
           (most->monthly_usd < 0 || more->monthly_usd <= 0 ||
            now->monthly_usd + more->monthly_usd <= most->monthly_usd);
}

/* Told, and kept in the audit, both by that name. */
static void tell(struct db *db, struct environment *env, const char *name, cJSON *extra)
{
    audit_add(db, &AUDIT_ENVBOT, env->id, env->team, name, env->state, env->state, extra);
    say(db, env, "thread", name, extra);
}

/* It does not turn this time. */
static void skip(struct db *db, struct environment *env, const char *why)
{
    cJSON *extra = json_object(env);
    json_set_string(extra, "answer", why);
    tell(db, env, "turn-skipped", extra);
    schedule_next(db, env);
}

/* What may keep a turn from being taken now. */
struct obstacle {
    bool past;           /* the opposite turn has come since */
    bool told;           /* that it waits */
    struct pause *pause; /* NULL: none */
};

static bool find_obstacle(void *ctx, struct db *db, const struct environment *env,
                          struct obstacle *out, struct error *err)
{
    struct schedule s;
    bool sleeps = strcmp(env->state, "asleep") != 0, has = schedule_of(env, &s);
    int back = !has ? -1 : sleeps ? s.wake : s.at;
    struct rows *rows =
        db_query(ctx, db, err,
                 "SELECT coalesce($2::integer >= 0 AND"
                 "  next_turn($2::integer, $3::integer, $4, turn_at) <= now(), false) AS past,"
                 " EXISTS (SELECT FROM audit WHERE environment = e.id AND event = 'turn-waits'"
                 "  AND at >= turn_at) AS told FROM environments e WHERE id = $1",
                 P(talloc_asprintf(ctx, "%" PRId64, env->id), talloc_asprintf(ctx, "%d", back),
                   talloc_asprintf(ctx, "%u", has ? s.days : 0), has ? s.zone : ""));
    if (!rows || !pause_find(ctx, db, &out->pause, err))
        return false;
    out->past = rows_true(rows, 0, "past");
    out->told = rows_true(rows, 0, "told");
    return true;
}

/* Looked at again soon, and for what else is due. */
static void hold(struct db *db, struct environment *env, const struct obstacle *obstacle)
{
    enum { AGAIN_SECONDS = 60 };
    char id[32], due[32];
    cJSON *extra = json_object(env);
    json_set(extra, "pause", pausing_view(obstacle->pause));
    if (!obstacle->told)
        tell(db, env, "turn-waits", extra);
    time_t turn = env->turn_at, again = env->now + AGAIN_SECONDS;
    env->turn_at = 0;
    time_t other = lifecycle_due(env, &lifecycle_rules);
    env->turn_at = turn;
    snprintf(id, sizeof id, "%" PRId64, env->id);
    snprintf(due, sizeof due, "%lld", (long long)(other && other < again ? other : again));
    db_send(db, "UPDATE environments SET due_at = to_timestamp($2::double precision) WHERE id = $1",
            P(id, due));
}

static bool turn(void *ctx, struct db *db, const struct template_set *set, struct environment *env,
                 const struct team_use *use, struct error *err)
{
    struct change change;
    struct error why = {0};
    struct obstacle obstacle;
    if (!find_obstacle(ctx, db, env, &obstacle, err))
        return false;
    if (obstacle.past) {
        tell(db, env, "turn-past", NULL);
        schedule_next(db, env);
        return true;
    }
    if (obstacle.pause) {
        hold(db, env, &obstacle);
        return true;
    }
    bool wakes = strcmp(env->state, "asleep") == 0;
    bool planned =
        wakes ? change_wake(ctx, env, &change, &why) : change_sleep(ctx, env, set, &change, &why);
    struct template_resources more = {0};
    if (planned)
        more = change_more(&change);
    if (!planned || !fits(use, &more)) {
        skip(db, env,
             planned ? talloc_asprintf(env, "the quota of %s has no room", env->team) : why.text);
        return true;
    }
    cJSON *extra = json_object(ctx);
    json_set_string(extra, "by", "its schedule");
    json_set_string(extra, "by_mention", "Its schedule");
    return change_begin(db, env, &change, &AUDIT_ENVBOT, extra, err);
}

bool schedule_turn(struct db *db, const struct template_set *set, int64_t id, struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct environment *env = NULL;
    struct team_use use;
    bool ok = db_begin(db, DB_READ_WRITE, err) && lock(ctx, db, id, &use, &env, err);
    if (ok && env && !env->ended_at && schedule_due(env)) /* nobody was faster */
        ok = turn(ctx, db, set, env, &use, err);
    if (ok)
        ok = db_commit(db, err);
    else
        db_rollback(db);
    talloc_free(ctx);
    return ok;
}

/* ---- zones ---- */

bool schedule_zone(const void *ctx, struct db *db, const char *zone, struct error *err)
{
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT name FROM pg_timezone_names WHERE name NOT LIKE 'posix/%'"
                                 " ORDER BY name = $1 DESC, name",
                                 P(zone));
    if (!rows)
        return false;
    int count = rows_count(rows);
    const char **names = talloc_array(ctx, const char *, (unsigned)count + 1);
    for (int i = 0; i < count; i++)
        names[i] = rows_text(rows, i, "name");
    if (count && strcmp(names[0], zone) == 0)
        return true;
    const char *near = text_nearest(zone, names, (size_t)count);
    return error_set(err, ERROR_USAGE,
                     "“%s” is not a time zone.%s%s%s Zones are written like Europe/Berlin.",
                     text_mrkdwn(ctx, text_cut(ctx, zone, 60)), near ? " Did you mean " : "",
                     near ? near : "", near ? "?" : "");
}

void schedule_check(const void *ctx, struct db *db, const struct template_set *set, char **problems)
{
    *problems = talloc_strdup(ctx, "");
    for (int i = 0; set && db_connected(db) && i < set->count; i++) {
        struct error err = {0};
        const char *zone = json_string(set->items[i].source, "sleep.zone");
        if (zone && !schedule_zone(ctx, db, zone, &err))
            *problems = talloc_asprintf_append(*problems, "template %s: sleep: %s\n",
                                               set->items[i].name, err.text);
    }
}
