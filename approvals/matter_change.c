#include "approvals/matter_change.h"

#include "approvals/votes.h"
#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/change_request.h"
#include "lifecycle/view.h"
#include "lifecycle/waiting.h"

#include <assert.h>
#include <string.h>
#include <talloc.h>

static bool is_extend(const struct change_request *r)
{
    return strcmp(r->kind, "extend") == 0;
}

bool matter_change_possible(const struct environment *env)
{
    return !env->ended_at && (state_runs(env->state) || strcmp(env->state, "asleep") == 0);
}

/* ---- what its card shows ---- */

static char *moment(const void *ctx, time_t at, bool plain)
{
    cJSON *values = json_object(ctx);
    view_moment(values, "at", at, 0);
    return talloc_strdup(ctx, json_string_or_empty(values, plain ? "at.text" : "at.slack"));
}

struct environment *matter_change_widened(const void *ctx, const struct environment *env,
                                          int64_t nodes)
{
    struct environment *wide = talloc_memdup(ctx, env, sizeof *env);
    wide->template_copy = json_own(wide, cJSON_Duplicate(env->template_copy, true));
    cJSON *declared = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(wide->template_copy, "parameters"), "nodes");
    if (cJSON_IsObject(declared) && json_integer(declared, "max", INT64_MAX) < nodes)
        json_set_number(declared, "max", (double)nodes);
    return wide;
}

bool matter_change_scale(const void *ctx, const struct environment *env, int64_t nodes,
                         const struct template_set *templates, struct change *out,
                         struct error *err)
{
    return change_scale(ctx, matter_change_widened(ctx, env, nodes), templates,
                        text_number(ctx, nodes), out, err);
}

bool matter_change_describe(const struct environment *env, struct change_request *r,
                            const struct template_set *templates, bool plain, struct error *err)
{
    if (is_extend(r)) {
        double cost = env->hourly_usd * (double)r->wanted / 3600;
        r->before = talloc_asprintf(r, "It ends %s", moment(r, env->expires_at, plain));
        r->after = talloc_asprintf(r, "It ends %s: %s more, about $%s",
                                   moment(r, env->expires_at + (time_t)r->wanted, plain),
                                   duration_text(r, r->wanted), text_money(r, cost, true));
        return true;
    }
    struct change change;
    if (!matter_change_scale(r, env, r->wanted, templates, &change, err))
        return false;
    r->before =
        talloc_asprintf(r, "%s, about $%s a month",
                        text_count(r, json_integer(env->parameters, "nodes", 0), "node", "nodes"),
                        text_money(r, change.before.monthly_usd, false));
    r->after =
        talloc_asprintf(r, "%s, about $%s a month", text_count(r, r->wanted, "node", "nodes"),
                        text_money(r, change.after.monthly_usd, false));
    return true;
}

const char *matter_change_digest(const struct environment *env, const struct change_request *r)
{
    cJSON *all = json_object(r);
    json_set_number(all, "environment", (double)env->id);
    json_set_string(all, "kind", r->kind);
    json_set_number(all, "wanted", (double)r->wanted);
    json_set_string(all, "reason", r->reason);
    json_set_string(all, "workspace", r->workspace);
    json_set_string(all, "user", r->user);
    json_set_number(all, "expires_at", is_extend(r) ? (double)env->expires_at : 0);
    json_set(all, "parameters", cJSON_Duplicate(env->parameters, true));
    json_set(all, "template_copy", cJSON_Duplicate(env->template_copy, true));
    return matter_hash(r, all);
}

/* ---- what becomes of it ---- */

static void tell_over(const void *ctx, const struct matter *matter, const struct person *person,
                      struct error *err)
{
    const struct change_request *r = matter->change;
    const char *word = json_string(r->tally, "decision.word");
    const char *what = change_request_words(r);
    bool own = strcmp(json_string_or_empty(r->tally, "decision.mention"),
                      talloc_asprintf(ctx, "<@%s>", person->id)) == 0;
    if (word && own)
        error_set(err, ERROR_CONFLICT,
                  "You have %s %s for %s already. That stands; nothing more was done.", word, what,
                  matter->env->name);
    else if (word)
        error_set(err, ERROR_CONFLICT, "%s for %s was already %s by %s, so nothing was changed.",
                  is_extend(r) ? "More time" : "Another size", matter->env->name, word,
                  text_mrkdwn(ctx, json_string_or_empty(r->tally, "decision.by")));
    else if (strcmp(r->state, "withdrawn") == 0)
        error_set(err, ERROR_CONFLICT,
                  "The wish for %s for %s was taken back, so nothing was changed.", what,
                  matter->env->name);
    else if (strcmp(r->state, "lapsed") == 0)
        error_set(err, ERROR_CONFLICT,
                  "The wish for %s for %s lapsed: nobody had decided in time. Nothing was changed.",
                  what, matter->env->name);
    else
        error_set(err, ERROR_CONFLICT, "%s does not run any more, so nothing was changed.",
                  matter->env->name);
}

static void redraw(struct db *db, const struct matter *matter)
{
    change_request_write(db, matter->change);
    waiting_redraw(db, matter->env, matter->change);
}

static void present(struct db *db, struct matter *matter)
{
    const struct matter_change_means *means = matter->means;
    struct change_request *r = matter->change;
    struct error ignored; /* where it cannot be any more, the vote says so */
    (void)matter_change_describe(matter->env, r, means->templates, false, &ignored);
    r->presented = matter->presented = matter->digest;
    matter->revision = ++r->revision;
    matter->tally = r->tally = votes_tally(r, r->tally, NULL, NULL);
    redraw(db, matter);
}

static void keep(struct db *db, struct matter *matter, const cJSON *tally)
{
    struct change_request *r = matter->change;
    matter->tally = r->tally = json_own(r, cJSON_Duplicate(tally, true));
    redraw(db, matter);
}

bool matter_change_time(struct db *db, struct environment *env, int64_t seconds,
                        const struct audit_actor *actor, cJSON *extra, struct error *err)
{
    env->expires_at += (time_t)seconds;
    env->ttl_seconds += seconds;
    json_set_string(extra, "more", duration_text(env, seconds));
    return lifecycle_take(db, env, EVENT_EXTEND, actor, extra, err);
}

static bool extend(struct db *db, struct environment *env, const struct change_request *r,
                   const struct audit_actor *actor, cJSON *extra, struct error *err)
{
    time_t ceiling = lifecycle_ceiling(env);
    if (ceiling && env->expires_at + (time_t)r->wanted > ceiling)
        return error_set(err, ERROR_CONFLICT,
                         "%s would live beyond what its template ever allows, so nothing was "
                         "decided. Deny it, and say how much is possible.",
                         env->name);
    return matter_change_time(db, env, r->wanted, actor, extra, err);
}

static bool scale(struct db *db, const struct matter *matter, const struct audit_actor *actor,
                  const cJSON *extra, struct error *err)
{
    const struct matter_change_means *means = matter->means;
    struct environment *env = matter->env;
    struct change change;
    if (!lifecycle_possible(env, EVENT_SCALE, err) ||
        !matter_change_scale(env, env, matter->change->wanted, means->templates, &change, err))
        return false;
    struct template_resources takes = change_more(&change);
    assert(means->fits);
    return means->fits(means->user, env, &takes, err) &&
           change_begin(db, env, &change, actor, extra, err);
}

static bool take(const void *ctx, struct db *db, struct matter *matter, bool approved,
                 const cJSON *tally, const struct audit_actor *actor, const cJSON *extra,
                 const char **answer, struct error *err)
{
    struct change_request *r = matter->change;
    struct environment *env = matter->env;
    cJSON *detail = json_own(ctx, cJSON_Duplicate(extra, true));
    json_set_number(detail, "change_request", (double)r->id);
    json_set_string(detail, "kind", r->kind);
    matter->tally = r->tally = json_own(r, cJSON_Duplicate(tally, true));
    if (approved && !(is_extend(r) ? extend(db, env, r, actor, detail, err)
                                   : scale(db, matter, actor, detail, err)))
        return false;
    if (!approved)
        audit_add(db, actor, env->id, env->team, "change-denied", env->state, env->state, detail);
    change_request_end(db, env, r, approved ? "approved" : "denied",
                       approved ? NULL : "change-denied", extra);
    *answer = talloc_asprintf(ctx,
                              approved ? "You approved %s for %s. It goes ahead."
                                       : "You denied %s for %s. <@%s> is told why.",
                              change_request_words(r), env->name, r->user);
    return true;
}

struct matter matter_change(struct environment *env, struct change_request *change,
                            const struct matter_change_means *means)
{
    static const struct matter_acts acts = {tell_over, present, keep, take};
    bool open = strcmp(change->state, "pending") == 0 && matter_change_possible(env);
    return (struct matter){.env = env,
                           .card = waiting_card(change, change),
                           .revision = change->revision,
                           .digest = matter_change_digest(env, change),
                           .presented = change->presented,
                           .policy = policy_read(env->template_copy),
                           .open = open,
                           .tally = change->tally,
                           .acts = &acts,
                           .change = change,
                           .means = means};
}
