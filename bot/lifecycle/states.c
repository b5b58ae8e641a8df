#include "lifecycle/states.h"

#include "base/duration.h"
#include "lifecycle/pausing.h"
#include "lifecycle/say.h"
#include "lifecycle/schedule.h"
#include "lifecycle/template.h"
#include "lifecycle/trouble.h"
#include "lifecycle/view.h"
#include "lifecycle/waiting.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

struct lifecycle_rules lifecycle_rules = {.warn_before = {86400, 3600}, .request_lapses = 86400};

/* clang-format off */
const struct transition transitions[] = {
    /* from       event                to           job       thread         mail        operators  card   ends */
    {"",          EVENT_REQUEST,       "pending",   NULL,     "requested",   NULL,       NULL,      true,  false},
    {"",          EVENT_REQUEST_FREE,  "queued",    "create", "requested",   NULL,       NULL,      false, false},
    {"",          EVENT_BREAK_GLASS,   "queued",    "create", "broke-glass", NULL,       "alarm",   false, false},
    {"pending",   EVENT_APPROVE,       "queued",    "create", "approved",    NULL,       NULL,      true,  false},
    {"pending",   EVENT_DENY,          "denied",    NULL,     "denied",      NULL,       NULL,      true,  true},
    {"pending",   EVENT_WITHDRAW,      "withdrawn", NULL,     "withdrawn",   NULL,       NULL,      true,  true},
    {"pending",   EVENT_LAPSE,         "lapsed",    NULL,     "lapsed",      NULL,       NULL,      true,  true},
    {"queued",    EVENT_START,         "creating",  NULL,     NULL,          NULL,       NULL,      false, false},
    {"creating",  EVENT_START,         "creating",  NULL,     NULL,          NULL,       NULL,      false, false},
    {"queued",    EVENT_DELETE,        "deleting",  "delete", "deleting",    NULL,       NULL,      false, false},
    {"creating",  EVENT_DELETE,        "deleting",  "delete", "stopping",    NULL,       NULL,      false, false},
    {"queued",    EVENT_FAIL,          "failed",    "delete", "failed",      "failed",   NULL,      false, false},
    {"creating",  EVENT_FAIL,          "failed",    "delete", "failed",      "failed",   NULL,      false, false},
    {"creating",  EVENT_TRY_AGAIN,     "creating",  NULL,     "trying-again", NULL,      NULL,       false, false},
    {"creating",  EVENT_READY,         "ready",     NULL,     "ready",       "ready",    NULL,      false, false},
    {"ready",     EVENT_WARN,          "ready",     NULL,     "warning",     "expiring", NULL,      false, false},
    {"ready",     EVENT_EXTEND,        "ready",     NULL,     "extended",    NULL,       NULL,      false, false},
    {"ready",     EVENT_DELETE,        "deleting",  "delete", "deleting",    NULL,       NULL,      false, false},
    {"ready",     EVENT_EXPIRE,        "deleting",  "delete", "expired",     NULL,       NULL,      false, false},
    {"ready",     EVENT_SCALE,         "changing",  "scale",  "scaling",     NULL,       NULL,      false, false},
    {"changing",  EVENT_SCALED,        "ready",     NULL,     "scaled",      NULL,       NULL,      false, false},
    {"ready",     EVENT_UPGRADE,       "changing",  "upgrade", "upgrading",  NULL,       NULL,      false, false},
    {"changing",  EVENT_UPGRADED,      "ready",     NULL,     "upgraded",    NULL,       NULL,      false, false},
    {"ready",     EVENT_SLEEP,         "changing",  "sleep",  "falling-asleep", NULL,    NULL,      false, false},
    {"changing",  EVENT_SLEPT,         "asleep",    NULL,     "asleep",      NULL,       NULL,      false, false},
    {"asleep",    EVENT_WAKE,          "changing",  "wake",   "waking",      NULL,       NULL,      false, false},
    {"changing",  EVENT_WOKEN,         "ready",     NULL,     "awake",       NULL,       NULL,      false, false},
    {"changing",  EVENT_WAKE_FAILED,   "asleep",    NULL,     "change-failed", NULL,     NULL,      false, false},
    {"asleep",    EVENT_WARN,          "asleep",    NULL,     "warning",     "expiring", NULL,      false, false},
    {"asleep",    EVENT_EXTEND,        "asleep",    NULL,     "extended",    NULL,       NULL,      false, false},
    {"asleep",    EVENT_DELETE,        "deleting",  "delete", "deleting",    NULL,       NULL,      false, false},
    {"asleep",    EVENT_EXPIRE,        "deleting",  "delete", "expired",     NULL,       NULL,      false, false},
    {"changing",  EVENT_TRY_AGAIN,     "changing",  NULL,     "changing-again", NULL,    NULL,      false, false},
    {"changing",  EVENT_CHANGE_FAILED, "ready",     NULL,     "change-failed", NULL,     NULL,      false, false},
    {"changing",  EVENT_WARN,          "changing",  NULL,     "warning",     "expiring", NULL,      false, false},
    {"changing",  EVENT_EXTEND,        "changing",  NULL,     "extended",    NULL,       NULL,      false, false},
    {"changing",  EVENT_DELETE,        "deleting",  "delete", "deleting",    NULL,       NULL,      false, false},
    {"changing",  EVENT_EXPIRE,        "deleting",  "delete", "expired",     NULL,       NULL,      false, false},
    {"deleting",  EVENT_DELETE_FAILED, "deleting",  NULL,     NULL,          NULL,       NULL,      false, false},
    {"deleting",  EVENT_STUCK,         "deleting",  NULL,     "stuck",       NULL,       "stuck-operators",   false, false},
    {"deleting",  EVENT_DELETE,        "deleting",  "delete", "deleting",    NULL,       NULL,      false, false},
    {"deleting",  EVENT_GONE,          "deleted",   NULL,     "gone",        "gone",     NULL,      false, true},
    {"failed",    EVENT_DELETE_FAILED, "failed",    NULL,     NULL,          NULL,       NULL,      false, false},
    {"failed",    EVENT_STUCK,         "failed",    NULL,     "stuck",       NULL,       "stuck-operators",   false, false},
    {"failed",    EVENT_DELETE,        "deleting",  "delete", "deleting",    NULL,       NULL,      false, false},
    {"failed",    EVENT_GONE,          "failed",    NULL,     "cleaned-up",  NULL,       NULL,      false, true},
    {"failed",    EVENT_RETRY,         "queued",    "create", "retrying",    NULL,       NULL,      false, false},
    {NULL,        EVENT_COUNT,         NULL,        NULL,     NULL,          NULL,       NULL,      false, false},
};
/* clang-format on */

static const char *const event_names[EVENT_COUNT] = {
    [EVENT_REQUEST] = "request",
    [EVENT_REQUEST_FREE] = "request-without-approval",
    [EVENT_APPROVE] = "approve",
    [EVENT_DENY] = "deny",
    [EVENT_WITHDRAW] = "withdraw",
    [EVENT_LAPSE] = "lapse",
    [EVENT_START] = "start",
    [EVENT_TRY_AGAIN] = "try-again",
    [EVENT_READY] = "ready",
    [EVENT_FAIL] = "fail",
    [EVENT_WARN] = "warn",
    [EVENT_EXTEND] = "extend",
    [EVENT_DELETE] = "delete",
    [EVENT_EXPIRE] = "expire",
    [EVENT_DELETE_FAILED] = "delete-failed",
    [EVENT_STUCK] = "stuck",
    [EVENT_GONE] = "gone",
    [EVENT_RETRY] = "retry",
    [EVENT_BREAK_GLASS] = "break-glass",
    [EVENT_SCALE] = "scale",
    [EVENT_SCALED] = "scaled",
    [EVENT_CHANGE_FAILED] = "change-failed",
    [EVENT_UPGRADE] = "upgrade",
    [EVENT_UPGRADED] = "upgraded",
    [EVENT_SLEEP] = "sleep",
    [EVENT_SLEPT] = "slept",
    [EVENT_WAKE] = "wake",
    [EVENT_WOKEN] = "woken",
    [EVENT_WAKE_FAILED] = "wake-failed",
};

const char *event_name(enum event event)
{
    return event_names[event];
}

const struct transition *transition_find(const char *from, enum event event)
{
    for (const struct transition *each = transitions; each->from; each++)
        if (each->event == event && strcmp(each->from, from) == 0)
            return each;
    return NULL;
}

bool state_runs(const char *state)
{
    return strcmp(state, "ready") == 0 || strcmp(state, "changing") == 0 ||
           strcmp(state, "asleep") == 0;
}

/* What a person is told whose wish is not possible in this state. */
static const char *what_goes_on(const char *state)
{
    static const struct {
        const char *state, *words;
    } table[] = {
        {"pending", "still waits for an approval"},
        {"queued", "is approved and waits for its turn"},
        {"creating", "is being created right now"},
        {"ready", "is up and running"},
        {"changing", "is being changed right now"},
        {"asleep", "is asleep; wake it first"},
        {"deleting", "is already being deleted"},
        {"deleted", "is gone"},
        {"denied", "was denied"},
        {"withdrawn", "was withdrawn"},
        {"lapsed", "lapsed: nobody decided in time"},
        {"failed", "failed and is being cleaned up"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].state, state) == 0)
            return table[i].words;
    return state;
}

void lifecycle_configure(const struct config *config)
{
    view_command = config->slack.command;
    lifecycle_rules.bounds = (struct job_bounds){config->jobs.parallel, config->jobs.per_region,
                                                 config->jobs.per_team, config->jobs.lease};
    lifecycle_rules.request_lapses = config->limits.request_lapses;
    memcpy(lifecycle_rules.warn_before, config->limits.warn_before,
           sizeof lifecycle_rules.warn_before);
    template_limits = (struct template_limits){config->limits.default_ttl, config->limits.max_ttl};
}

/* Conditions on an event that the state alone does not tell. */
static bool guard(const struct environment *env, const struct transition *step, struct error *err)
{
    bool over = env->ended_at != 0;
    if (step->event == EVENT_RETRY && lifecycle_ceiling(env) && env->now >= lifecycle_ceiling(env))
        return error_set(err, ERROR_CONFLICT,
                         "The time that %s may take in all is over. Ask for it anew.", env->name);
    if (over && step->event != EVENT_RETRY)
        return error_set(err, ERROR_CONFLICT, "%s is over: it failed and was cleaned up.",
                         env->name);
    if (strcmp(step->from, "deleting") == 0 && step->event == EVENT_DELETE && !env->stuck)
        return error_set(err, ERROR_CONFLICT, "%s is already being deleted.", env->name);
    if (step->event == EVENT_DELETE && strcmp(step->from, "failed") == 0 && !env->stuck)
        return error_set(err, ERROR_CONFLICT, "%s failed and is already being cleaned up.",
                         env->name);
    return true;
}

static void set_times(struct environment *env, const struct transition *step, bool *stuck)
{
    switch (step->event) {
    case EVENT_APPROVE:
    case EVENT_DENY:
    case EVENT_REQUEST_FREE:
    case EVENT_BREAK_GLASS:
        env->decided_at = env->now;
        break;
    case EVENT_START:
        if (!env->started_at)
            env->started_at = env->now;
        env->cause = NULL; /* why the try before failed is over */
        break;
    case EVENT_READY:
        env->ready_at = env->now;
        env->expires_at = env->now + (time_t)env->ttl_seconds;
        /* A moment that is over already would leave nothing: then the length counts. */
        if (env->until > env->now && env->until < env->expires_at)
            env->expires_at = env->until;
        if (lifecycle_ceiling(env) && env->expires_at > lifecycle_ceiling(env))
            env->expires_at = lifecycle_ceiling(env);
        break;
    case EVENT_WARN:
        env->warned_seconds = lifecycle_warning_due(env, &lifecycle_rules);
        break;
    case EVENT_EXTEND:
        env->warned_seconds = lifecycle_warning_known(env, &lifecycle_rules);
        break;
    case EVENT_SCALE:
    case EVENT_SCALED:
    case EVENT_UPGRADE:
    case EVENT_UPGRADED:
    case EVENT_SLEEP:
    case EVENT_SLEPT:
    case EVENT_WAKE:
    case EVENT_WOKEN:
        env->cause = NULL; /* why an earlier change failed is over */
        break;
    case EVENT_STUCK:
        *stuck = true;
        break;
    case EVENT_DELETE:
        *stuck = false;
        break;
    case EVENT_GONE:
        *stuck = false;
        if (strcmp(step->to, "deleted") == 0) /* why an earlier try failed is over */
            env->cause = NULL;
        break;
    case EVENT_RETRY:
        /* It began when it began first: what the failed try cost stays in the report, and the
           ceiling is not moved. */
        env->ready_at = env->expires_at = env->ended_at = 0;
        env->warned_seconds = 0;
        env->cause = NULL;
        env->plan = NULL;
        *stuck = false;
        break;
    default:
        break;
    }
    if (step->ends)
        env->ended_at = env->now;
}

/* A moment as text for extract(epoch …)'s counterpart, NULL for none. */
static const char *seconds(const void *ctx, time_t at)
{
    return at ? talloc_asprintf(ctx, "%" PRId64, (int64_t)at) : NULL;
}

static void write_row(struct db *db, const struct environment *env)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "UPDATE environments SET state = $2, cause = $3, stuck = $4::boolean,"
            " ttl_seconds = $5::bigint, decided_at = to_timestamp($6::double precision),"
            " started_at = to_timestamp($7::double precision),"
            " ready_at = to_timestamp($8::double precision),"
            " expires_at = to_timestamp($9::double precision),"
            " ended_at = to_timestamp($10::double precision),"
            " warned_seconds = $11::bigint, due_at = to_timestamp($12::double precision),"
            " plan = $13::jsonb, seen = $14::jsonb, tally = $15::jsonb"
            " WHERE id = $1",
            P(talloc_asprintf(tmp, "%" PRId64, env->id), env->state, env->cause,
              env->stuck ? "t" : "f", talloc_asprintf(tmp, "%" PRId64, env->ttl_seconds),
              seconds(tmp, env->decided_at), seconds(tmp, env->started_at),
              seconds(tmp, env->ready_at), seconds(tmp, env->expires_at),
              seconds(tmp, env->ended_at),
              env->warned_seconds ? talloc_asprintf(tmp, "%" PRId64, env->warned_seconds) : NULL,
              seconds(tmp, env->due_at), env->plan ? json_text(tmp, env->plan) : NULL,
              env->seen ? json_text(tmp, env->seen) : NULL,
              env->tally ? json_text(tmp, env->tally) : NULL));
    talloc_free(tmp);
}

void lifecycle_queue_job(struct db *db, const struct environment *env, const char *kind)
{
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, env->id);
    db_send(db, "UPDATE jobs SET cancel = true WHERE environment = $1 AND state = 'running'",
            P(id));
    db_send(db,
            "UPDATE jobs SET state = 'cancelled', finished_at = now()"
            " WHERE environment = $1 AND state = 'queued'",
            P(id));
    db_send(db,
            "INSERT INTO jobs (environment, kind, region, team) SELECT $1::bigint, $2, $3, $4"
            " WHERE NOT EXISTS (SELECT FROM jobs WHERE environment = $1::bigint"
            "  AND state = 'running')",
            P(id, kind, env->region, env->team));
    db_note(db, DB_NOTE_JOBS);
    if (say_notifies)
        db_send(db, "SELECT pg_notify('envbot_jobs', '')", P0);
}

static void tell(struct db *db, const struct environment *env, const struct transition *step,
                 const cJSON *extra)
{
    struct saying sayings[5];
    size_t count = 0;
    sayings[count++] = (struct saying){"message", NULL};
    if (step->thread)
        sayings[count++] = (struct saying){"thread", step->thread};
    bool first = !*step->from; /* nobody else was asked yet: it has one card */
    if (step->redraw_card && first)
        sayings[count++] = (struct saying){"card", NULL};
    if (env->break_glass && strcmp(step->from, step->to) != 0)
        sayings[count++] = (struct saying){"review", NULL};
    if (step->operators)
        sayings[count++] = (struct saying){"operators", step->operators};
    say_all(db, env, sayings, count, extra);
    if (step->redraw_card && !first)
        waiting_redraw(db, env, NULL);
    if (step->job) {
        pausing_say(db, env, step->job);
        trouble_say(db, env);
    }
    if (step->mail)
        say_mail(db, env, step->mail, extra);
}

/* Which values a request and its decision are about. */
static cJSON *values_of(const struct environment *env)
{
    cJSON *values = cJSON_CreateObject();
    json_set_string(values, "template", env->template);
    json_set_string(values, "region", env->region);
    json_set(values, "parameters", cJSON_Duplicate(env->parameters, true));
    json_set_number(values, "ttl_seconds", (double)env->ttl_seconds);
    json_set_number(values, "monthly_usd", env->monthly_usd);
    json_set_number(values, "revision", env->revision);
    json_set_string(values, "reason", env->reason);
    return values;
}

/* What the audit keeps of a step: what was said of it, and what it was about. Owned by env. */
static const cJSON *told(const struct environment *env, const struct transition *step,
                         const cJSON *extra)
{
    cJSON *detail = extra ? json_own(env, cJSON_Duplicate(extra, true)) : json_object(env);
    bool request = !*step->from || step->event == EVENT_RETRY;
    if (request || strcmp(step->from, "pending") == 0)
        json_set(detail, "values", values_of(env));
    if (env->cause && (step->event == EVENT_FAIL || step->event == EVENT_STUCK ||
                       step->event == EVENT_TRY_AGAIN || step->event == EVENT_CHANGE_FAILED ||
                       step->event == EVENT_WAKE_FAILED))
        json_set_string(detail, "cause", env->cause);
    if (step->event == EVENT_READY || step->event == EVENT_EXTEND)
        json_set_number(detail, "expires_at", (double)env->expires_at);
    return detail;
}

/* What follows from a step, once the row says it. */
static void follow(struct db *db, const struct environment *env, const struct transition *step,
                   const struct audit_actor *actor, const cJSON *extra)
{
    if (step->event == EVENT_READY)
        schedule_next(db, env);
    if (step->job)
        lifecycle_queue_job(db, env, step->job);
    audit_add(db, actor, env->id, env->team, event_name(step->event),
              *step->from ? step->from : NULL, step->to, told(env, step, extra));
    tell(db, env, step, extra);
}

bool lifecycle_request(struct db *db, struct environment *env, enum event event,
                       const struct audit_actor *actor, const cJSON *extra, struct error *err)
{
    const struct transition *step = transition_find("", event);
    env->state = step->to;
    env->created_at = env->now = 0; /* not known yet: due is counted from then */
    const struct waiting waiting = waiting_of(env, NULL);
    bool waits = strcmp(env->state, "pending") == 0;
    if (!environment_insert(db, env, lifecycle_due(env, &lifecycle_rules),
                            waits ? waiting_remind_at(&waiting, &lifecycle_rules) : 0, err))
        return false;
    set_times(env, step, &env->stuck);
    follow(db, env, step, actor, extra);
    return true;
}

bool lifecycle_possible(const struct environment *env, enum event event, struct error *err)
{
    const struct transition *step = transition_find(env->state, event);
    if (!step)
        return error_set(err, ERROR_CONFLICT, "%s %s.", env->name, what_goes_on(env->state));
    return guard(env, step, err);
}

/* Between the end of what failed and the next try nothing ran, and nothing is counted. */
static void count_pause(struct db *db, const struct environment *env)
{
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, env->id);
    db_send(db,
            "UPDATE environments SET rates = coalesce(rates, '[]') || jsonb_build_array("
            " jsonb_build_object('until', ended_at, 'usd', hourly_usd),"
            " jsonb_build_object('until', now(), 'usd', 0))"
            " WHERE id = $1 AND started_at IS NOT NULL AND ended_at IS NOT NULL",
            P(id));
}

bool lifecycle_take(struct db *db, struct environment *env, enum event event,
                    const struct audit_actor *actor, const cJSON *extra, struct error *err)
{
    if (!lifecycle_possible(env, event, err))
        return false;
    const struct transition *step = transition_find(env->state, event);
    if (event == EVENT_RETRY)
        count_pause(db, env);
    set_times(env, step, &env->stuck);
    env->state = step->to;
    env->due_at = lifecycle_due(env, &lifecycle_rules);
    write_row(db, env);
    follow(db, env, step, actor, extra);
    return true;
}
