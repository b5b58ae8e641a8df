#include "lifecycle/change.h"

#include "base/text.h"
#include "lifecycle/schedule.h"
#include "lifecycle/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

/* Which events a change of each kind begins and ends with. */
static const struct kind {
    const char *name;
    enum event begins, succeeds;
} kinds[] = {
    {"scale", EVENT_SCALE, EVENT_SCALED},
    {"upgrade", EVENT_UPGRADE, EVENT_UPGRADED},
    {"sleep", EVENT_SLEEP, EVENT_SLEPT},
    {"wake", EVENT_WAKE, EVENT_WOKEN},
};

static const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

bool change_is(const char *kind)
{
    return kind_of(kind) != NULL;
}

/* ---- what it takes ---- */

static struct template_resources resources_of(const struct environment *env)
{
    return (struct template_resources){env->nodes, env->vcpus, env->gpus, env->hourly_usd,
                                       env->monthly_usd};
}

static cJSON *resources_json(const struct template_resources *r)
{
    cJSON *json = cJSON_CreateObject();
    json_set_number(json, "nodes", r->nodes);
    json_set_number(json, "vcpus", r->vcpus);
    json_set_number(json, "gpus", r->gpus);
    json_set_number(json, "hourly_usd", r->hourly_usd);
    json_set_number(json, "monthly_usd", r->monthly_usd);
    return json;
}

static struct template_resources resources_read(const cJSON *json)
{
    return (struct template_resources){
        (int)json_integer(json, "nodes", 0), (int)json_integer(json, "vcpus", 0),
        (int)json_integer(json, "gpus", 0), json_number(json, "hourly_usd", 0),
        json_number(json, "monthly_usd", 0)};
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static double more_of(double a, double b)
{
    return a > b ? a : b;
}

static struct template_resources larger_of(const struct template_resources *a,
                                           const struct template_resources *b)
{
    return (struct template_resources){
        larger(a->nodes, b->nodes), larger(a->vcpus, b->vcpus), larger(a->gpus, b->gpus),
        more_of(a->hourly_usd, b->hourly_usd), more_of(a->monthly_usd, b->monthly_usd)};
}

struct template_resources change_more(const struct change *change)
{
    struct template_resources most = larger_of(&change->before, &change->after);
    const struct template_resources *now = &change->before;
    return (struct template_resources){most.nodes - now->nodes, most.vcpus - now->vcpus,
                                       most.gpus - now->gpus, most.hourly_usd - now->hourly_usd,
                                       most.monthly_usd - now->monthly_usd};
}

/* ---- planning ---- */

static bool take_template(const void *ctx, const struct environment *env, struct template **t,
                          struct error *err)
{
    return template_from_json(ctx, env->template, env->template_copy, t, err);
}

static cJSON *render(const void *ctx, const struct environment *env, const struct template *t,
                     const cJSON *parameters, struct error *err)
{
    struct template_target target = {env->cluster, env->region, NULL, ""};
    cJSON *tags = template_tags(ctx, env->id, env->team, env->owner_id, env->template);
    target.tags = tags;
    return template_render(ctx, t, parameters, &target, err);
}

/* Where there are no node groups of the kind that can be scaled. */
static bool has_groups(const struct environment *env, const cJSON *config, const char *what,
                       struct error *err)
{
    if (json_true(config, "autoModeConfig.enabled"))
        return error_set(err, ERROR_CONFLICT,
                         "%s is an Auto Mode cluster: EKS adds and removes its nodes by itself, so "
                         "it cannot be %s.",
                         env->name, what);
    if (json_at(config, "nodeGroups.0"))
        return error_set(err, ERROR_CONFLICT,
                         "%s has self-managed node groups, which envbot does not change, so it "
                         "cannot be %s.",
                         env->name, what);
    if (!json_at(config, "managedNodeGroups.0"))
        return error_set(err, ERROR_CONFLICT,
                         "%s has no node groups (its pods run on Fargate), so it cannot be %s.",
                         env->name, what);
    return true;
}

bool change_scale(const void *ctx, const struct environment *env, const struct template_set *set,
                  const char *nodes, struct change *out, struct error *err)
{
    struct template *t;
    if (!take_template(ctx, env, &t, err))
        return false;
    cJSON *config = render(ctx, env, t, env->parameters, err);
    if (!config || !has_groups(env, config, "scaled", err))
        return false;
    if (!cJSON_GetObjectItemCaseSensitive(t->parameters, "nodes"))
        return error_set(err, ERROR_CONFLICT,
                         "The template %s has no parameter nodes, so %s stays at its size.",
                         env->template, env->name);
    cJSON *wanted = json_own(ctx, cJSON_Duplicate(env->parameters, true));
    int64_t now = json_integer(env->parameters, "nodes", 0);
    json_set_string(wanted, "nodes", nodes);
    cJSON *values = template_values(ctx, t, wanted, err);
    if (!values)
        return false;
    int64_t then = json_integer(values, "nodes", 0);
    if (then == now && json_integer(env->seen, "nodes", now) == then)
        return error_set(err, ERROR_CONFLICT, "%s has %s already.", env->name,
                         text_count(ctx, then, "node", "nodes"));
    *out = (struct change){.kind = "scale",
                           .parameters = values,
                           .from = talloc_asprintf(ctx, "%" PRId64, now),
                           .to = talloc_asprintf(ctx, "%" PRId64, then),
                           .before = resources_of(env)};
    config = render(ctx, env, t, values, err);
    return config && template_resources(set, config, env->region, &out->after, err);
}

/* The minor of "1.34"; -1: it is no such version. */
static int minor_of(const char *version)
{
    int minor = -1, used = 0;
    bool ok = sscanf(version, "1.%d%n", &minor, &used) == 1 && !version[used];
    return ok ? minor : -1;
}

/* EKS goes up one minor version at a time. */
static bool is_next(const struct environment *env, const char *now, const char *wanted,
                    struct error *err)
{
    int from = minor_of(now), to = minor_of(wanted);
    if (from < 0 || to < 0)
        return error_set(err, ERROR_CONFLICT, "%s has Kubernetes %s, which envbot cannot upgrade.",
                         env->name, now);
    if (to == from)
        return error_set(err, ERROR_CONFLICT, "%s has Kubernetes %s already.", env->name, now);
    if (to < from)
        return error_set(err, ERROR_CONFLICT,
                         "%s has Kubernetes %s, and there is no way back to %s.", env->name, now,
                         wanted);
    if (to > from + 1)
        return error_set(err, ERROR_CONFLICT,
                         "Kubernetes is upgraded one minor version at a time: %s has %s, so 1.%d "
                         "comes first. Try `%s upgrade %s 1.%d`.",
                         env->name, now, from + 1, view_command, env->name, from + 1);
    return true;
}

bool change_upgrade(const void *ctx, const struct environment *env, const char *version,
                    struct change *out, struct error *err)
{
    struct template *t;
    if (!take_template(ctx, env, &t, err))
        return false;
    if (!cJSON_GetObjectItemCaseSensitive(t->parameters, "version"))
        return error_set(err, ERROR_CONFLICT,
                         "The template %s has no parameter version, so %s stays at its version.",
                         env->template, env->name);
    cJSON *config = render(ctx, env, t, env->parameters, err);
    if (!config)
        return false;
    if (json_at(config, "nodeGroups.0"))
        return error_set(err, ERROR_CONFLICT,
                         "%s has self-managed node groups, which envbot does not upgrade.",
                         env->name);
    cJSON *wanted = json_own(ctx, cJSON_Duplicate(env->parameters, true));
    json_set_string(wanted, "version", version);
    cJSON *values = template_values(ctx, t, wanted, err);
    const char *now = json_string_or_empty(env->parameters, "version");
    if (!values || !is_next(env, now, json_string_or_empty(values, "version"), err))
        return false;
    struct template_resources same = resources_of(env);
    *out = (struct change){.kind = "upgrade",
                           .parameters = values,
                           .from = now,
                           .to = json_string_or_empty(values, "version"),
                           .before = same,
                           .after = same};
    return true;
}

/* The ClusterConfig of a cluster whose nodes are gone. */
static cJSON *without_nodes(const void *ctx, const cJSON *config)
{
    cJSON *copy = json_own(ctx, cJSON_Duplicate(config, true)), *group;
    cJSON_ArrayForEach (group, cJSON_GetObjectItemCaseSensitive(copy, "managedNodeGroups")) {
        json_set_number(group, "desiredCapacity", 0);
        json_set_number(group, "minSize", 0);
    }
    return copy;
}

bool change_sleep(const void *ctx, const struct environment *env, const struct template_set *set,
                  struct change *out, struct error *err)
{
    struct template *t;
    if (!take_template(ctx, env, &t, err))
        return false;
    cJSON *config = render(ctx, env, t, env->parameters, err);
    if (!config || !has_groups(env, config, "put to sleep", err))
        return false;
    *out = (struct change){.kind = "sleep",
                           .from = talloc_asprintf(ctx, "%d", env->nodes),
                           .to = "0",
                           .before = resources_of(env)};
    return template_resources(set, without_nodes(ctx, config), env->region, &out->after, err);
}

bool change_wake(const void *ctx, const struct environment *env, struct change *out,
                 struct error *err)
{
    if (!env->awake)
        return error_set(err, ERROR_INTERNAL, "%s does not know its size from before", env->name);
    *out = (struct change){
        .kind = "wake", .before = resources_of(env), .after = resources_read(env->awake)};
    out->from = "0";
    out->to = talloc_asprintf(ctx, "%d", out->after.nodes);
    return true;
}

/* ---- beginning and ending ---- */

static void reserve(struct environment *env, const struct template_resources *r)
{
    env->nodes = r->nodes;
    env->vcpus = r->vcpus;
    env->gpus = r->gpus;
    env->hourly_usd = r->hourly_usd;
    env->monthly_usd = r->monthly_usd;
}

static void write_change(struct db *db, const struct environment *env)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "UPDATE environments SET change = $2::jsonb, awake = $3::jsonb, parameters = $4::json,"
            " nodes = $5::integer, vcpus = $6::integer, gpus = $7::integer,"
            " hourly_usd = $8::numeric, monthly_usd = $9::numeric,"
            " rates = CASE WHEN hourly_usd IS DISTINCT FROM $8::numeric THEN"
            "  coalesce(rates, '[]') || jsonb_build_object('until', now(), 'usd', hourly_usd)"
            "  ELSE rates END WHERE id = $1",
            P(talloc_asprintf(tmp, "%" PRId64, env->id),
              env->change ? json_text(tmp, env->change) : NULL,
              env->awake ? json_text(tmp, env->awake) : NULL, json_text(tmp, env->parameters),
              talloc_asprintf(tmp, "%d", env->nodes), talloc_asprintf(tmp, "%d", env->vcpus),
              talloc_asprintf(tmp, "%d", env->gpus), talloc_asprintf(tmp, "%.4f", env->hourly_usd),
              talloc_asprintf(tmp, "%.2f", env->monthly_usd)));
    talloc_free(tmp);
}

/* What is told of it besides the environment: {change: {kind, from, to}, by, by_mention, …}. */
static cJSON *told(const struct environment *env, const cJSON *change, const cJSON *extra)
{
    static const char *const members[] = {"kind", "from", "to"};
    cJSON *all = extra ? json_own(env, cJSON_Duplicate(extra, true)) : json_object(env);
    cJSON *part = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_set_string(part, members[i], json_string_or_empty(change, members[i]));
    json_set(all, "change", part);
    return all;
}

bool change_begin(struct db *db, struct environment *env, const struct change *change,
                  const struct audit_actor *actor, const cJSON *extra, struct error *err)
{
    struct template_resources most = larger_of(&change->before, &change->after);
    const char *state = env->state;
    cJSON *kept = json_object(env);
    json_set_string(kept, "kind", change->kind);
    json_set_string(kept, "state", state);
    json_set_string(kept, "from", change->from);
    json_set_string(kept, "to", change->to);
    json_set(kept, "before", resources_json(&change->before));
    json_set(kept, "after", resources_json(&change->after));
    if (change->parameters)
        json_set(kept, "parameters", cJSON_Duplicate(change->parameters, true));
    if (!lifecycle_take(db, env, kind_of(change->kind)->begins, actor, told(env, kept, extra), err))
        return false;
    env->change = kept;
    reserve(env, &most);
    write_change(db, env);
    return true;
}

/* Where it goes on after a change that did not succeed: a wake of which nothing came sleeps on. */
static enum event failure_of(const cJSON *change, enum change_seen seen)
{
    bool slept = strcmp(json_string_or_empty(change, "state"), "asleep") == 0;
    return slept && seen != CHANGE_SEEN_BETWEEN ? EVENT_WAKE_FAILED : EVENT_CHANGE_FAILED;
}

static bool sleeps_after(enum event event)
{
    return event == EVENT_SLEPT || event == EVENT_WAKE_FAILED;
}

bool change_finish(struct db *db, struct environment *env, enum change_seen seen,
                   const cJSON *extra, struct error *err)
{
    const cJSON *change = env->change;
    const struct kind *kind = kind_of(json_string_or_empty(change, "kind"));
    if (!kind)
        return error_set(err, ERROR_INTERNAL, "%s has no change that could end", env->name);
    struct template_resources before = resources_read(json_at(change, "before"));
    struct template_resources after = resources_read(json_at(change, "after"));
    struct template_resources most = larger_of(&before, &after);
    const cJSON *parameters = json_at(change, "parameters");
    bool done = seen == CHANGE_SEEN_AFTER;
    reserve(env, done ? &after : seen == CHANGE_SEEN_BEFORE ? &before : &most);
    if (done && parameters)
        env->parameters = json_own(env, cJSON_Duplicate(parameters, true));
    enum event event = done ? kind->succeeds : failure_of(change, seen);
    if (!sleeps_after(event))
        env->awake = NULL;
    else if (!env->awake)
        env->awake = json_own(env, resources_json(&before));
    env->change = NULL;
    write_change(db, env);
    if (!lifecycle_take(db, env, event, &AUDIT_ENVBOT, told(env, change, extra), err))
        return false;
    /* A turn that came while something else changed is still to be taken; one that was taken, or
       tried in vain, is over. */
    bool turned = kind->begins == EVENT_SLEEP || kind->begins == EVENT_WAKE;
    if (turned)
        schedule_next(db, env);
    return true;
}
