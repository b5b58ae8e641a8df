#include "commands/more.h"

#include "approvals/votes.h"
#include "base/duration.h"
#include "base/text.h"
#include "commands/quota_check.h"
#include "commands/refusal.h"
#include "lifecycle/change.h"
#include "lifecycle/change_request.h"
#include "lifecycle/say.h"
#include "lifecycle/view.h"
#include "lifecycle/waiting.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

static bool is_extend(const char *kind)
{
    return strcmp(kind, "extend") == 0;
}

static bool goes_on(const struct environment *env)
{
    return !env->ended_at && (state_runs(env->state) || strcmp(env->state, "asleep") == 0);
}

/* ---- whether it takes a vote ---- */

static cJSON *with_nodes(const void *ctx, const struct environment *env, int64_t nodes)
{
    cJSON *values = json_own(ctx, cJSON_Duplicate(env->parameters, true));
    json_set_number(values, "nodes", (double)nodes);
    return values;
}

bool more_takes_vote(struct call *call, const struct environment *env, const struct more *more,
                     bool *out, struct error *err)
{
    struct template *t;
    if (!template_from_json(call, env->template, env->template_copy, &t, err))
        return false;
    bool extend = is_extend(more->kind);
    int64_t now = json_integer(env->parameters, "nodes", 0);
    int64_t bound = json_integer(t->parameters, "nodes.max", INT64_MAX);
    int64_t lives = (int64_t)(env->expires_at - env->ready_at) + (extend ? more->wanted : 0);
    const char *word = json_string_or_empty(env->tally, "decision.word");
    bool agreed = strcmp(word, "approved") == 0 || env->break_glass;
    struct policy policy = policy_read(env->template_copy);
    if (extend)
        *out = lives > t->ttl_max;
    else
        *out =
            more->wanted > now &&
            (more->wanted > bound ||
             (!agreed && !policy_automatic(&policy, with_nodes(call, env, more->wanted), lives)));
    return true;
}

bool more_prepare(struct call *call, const struct more *more, struct error *err)
{
    struct error ignored = {0};
    struct environment *env = NULL;
    bool typed = call->envelope->type == ENVELOPE_COMMAND, vote = false;
    bool found = db_begin(call->db, DB_READ_ONLY, &ignored) &&
                 (typed ? call_environment(call, ENVIRONMENT_READ, &env, &ignored)
                        : call_environment_by_value(call, ENVIRONMENT_READ, &env, &ignored));
    db_rollback(call->db);
    if (!found || !goes_on(env) ||
        !call_may_or_owns(call, is_extend(more->kind) ? "extend" : "update", env, &ignored) ||
        !more_takes_vote(call, env, more, &vote, &ignored) || !vote)
        return true; /* what is wrong is said in the transaction */
    struct policy policy = policy_read(env->template_copy);
    const char *who;
    if (!policy_anybody(call, call->rules, call->app->people, call->tools->web, &policy,
                        call->person, env->team, env->template, &who, err))
        return false;
    call->prepared = policy.count > 1 ? talloc_asprintf(call, "%d of %s", policy.count, who)
                                      : talloc_strdup(call, who);
    return true;
}

/* ---- what its card shows ---- */

static char *moment(struct call *call, time_t at, bool plain)
{
    cJSON *values = json_object(call);
    view_moment(values, "at", at, 0);
    return talloc_strdup(call, json_string_or_empty(values, plain ? "at.text" : "at.slack"));
}

struct environment *more_widened(struct call *call, const struct environment *env, int64_t nodes)
{
    struct environment *wide = talloc_memdup(call, env, sizeof *env);
    wide->template_copy = json_own(wide, cJSON_Duplicate(env->template_copy, true));
    cJSON *declared = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(wide->template_copy, "parameters"), "nodes");
    if (cJSON_IsObject(declared) && json_integer(declared, "max", INT64_MAX) < nodes)
        json_set_number(declared, "max", (double)nodes);
    return wide;
}

static bool plan_scale(struct call *call, const struct environment *env, int64_t nodes,
                       struct change *change, struct error *err)
{
    return change_scale(call, more_widened(call, env, nodes), call->app->templates,
                        talloc_asprintf(call, "%" PRId64, nodes), change, err);
}

/* Fills before and after from what the environment is now: for Slack, or as plain text. */
static bool describe(struct call *call, const struct environment *env, struct change_request *r,
                     bool plain, struct error *err)
{
    if (is_extend(r->kind)) {
        double cost = env->hourly_usd * (double)r->wanted / 3600;
        r->before = talloc_asprintf(r, "It ends %s", moment(call, env->expires_at, plain));
        r->after = talloc_asprintf(r, "It ends %s: %s more, about $%s",
                                   moment(call, env->expires_at + (time_t)r->wanted, plain),
                                   duration_text(call, r->wanted), text_money(call, cost, true));
        return true;
    }
    struct change change;
    if (!plan_scale(call, env, r->wanted, &change, err))
        return false;
    r->before = talloc_asprintf(
        r, "%s, about $%s a month",
        text_count(call, json_integer(env->parameters, "nodes", 0), "node", "nodes"),
        text_money(call, change.before.monthly_usd, false));
    r->after =
        talloc_asprintf(r, "%s, about $%s a month", text_count(call, r->wanted, "node", "nodes"),
                        text_money(call, change.after.monthly_usd, false));
    return true;
}

/* What a vote on it is about. */
static const char *digest_of(const struct environment *env, const struct change_request *r)
{
    cJSON *all = json_object(r);
    json_set_number(all, "environment", (double)env->id);
    json_set_string(all, "kind", r->kind);
    json_set_number(all, "wanted", (double)r->wanted);
    json_set_string(all, "reason", r->reason);
    json_set_string(all, "workspace", r->workspace);
    json_set_string(all, "user", r->user);
    json_set_number(all, "expires_at", is_extend(r->kind) ? (double)env->expires_at : 0);
    json_set(all, "parameters", cJSON_Duplicate(env->parameters, true));
    json_set(all, "template_copy", cJSON_Duplicate(env->template_copy, true));
    return matter_hash(r, all);
}

/* ---- asking ---- */

static bool none_open(struct call *call, const struct environment *env, struct error *err)
{
    struct change_request *other;
    if (!change_request_open(call, call->db, env->id, &other, err))
        return false;
    return !other ||
           error_set(err, ERROR_CONFLICT,
                     "Somebody has asked for %s for %s already. %s `%s withdraw %s` takes that "
                     "back.",
                     change_request_words(other), env->name,
                     json_string_or_empty(other->tally, "line"), call->app->config->slack.command,
                     env->name);
}

/* The audit reads it as plain text, and Slack as its own. */
static bool tell(struct call *call, const struct environment *env, struct change_request *r,
                 struct error *err)
{
    cJSON *detail = json_object(call);
    json_set_string(detail, "kind", r->kind);
    json_set_number(detail, "wanted", (double)r->wanted);
    json_set_string(detail, "more", change_request_words(r));
    json_set_string(detail, "decision_reason", r->reason);
    json_set_string(detail, "who", json_string_or_empty(r->tally, "who"));
    json_set_string(detail, "by", r->name);
    json_set_format(detail, "by_mention", "<@%s>", r->user);
    json_set_string(detail, "before", r->before);
    json_set_string(detail, "after", r->after);
    audit_add(call->db, &call->actor, env->id, env->team, "change-request", env->state, env->state,
              detail);
    if (!describe(call, env, r, false, err))
        return false;
    change_request_write(call->db, r);
    json_set_string(detail, "before", r->before);
    json_set_string(detail, "after", r->after);
    say(call->db, env, "thread", "change-asked", detail);
    say_redraw(call->db, env, change_request_place(call, r));
    return true;
}

bool more_ask(struct call *call, struct environment *env, const struct more *more,
              const struct team_use *use, struct error *err)
{
    const char *who = call->prepared;
    struct change_request *r = talloc_zero(call, struct change_request);
    if (!who)
        return error_set(err, ERROR_CONFLICT,
                         "%s was changed at this very moment, so nothing was done. Please try "
                         "again.",
                         env->name);
    r->environment = env->id;
    r->kind = more->kind;
    r->wanted = more->wanted;
    r->reason = text_cut(r, text_line(r, more->reason ? more->reason : ""), 1000);
    r->workspace = call->person->workspace;
    r->user = call->person->id;
    r->name = call->person->name;
    r->mail = call->person->mail;
    cJSON *quota = NULL;
    if (!none_open(call, env, err) || !describe(call, env, r, true, err))
        return false;
    if (use) {
        struct change change;
        if (!plan_scale(call, env, r->wanted, &change, err))
            return false;
        struct template_resources takes = change_more(&change);
        if (!quota_fits_more(call, env->team, use, &takes, err))
            return false;
        quota = quota_lines_more(call, use, &takes);
    }
    r->presented = digest_of(env, r);
    r->tally = votes_none(r, who, quota);
    if (!change_request_insert(call->db, r, waiting_lapse(env, &lifecycle_rules), err))
        return false;
    if (!tell(call, env, r, err))
        return false;
    answer(call, talloc_asprintf(call,
                                 "That is more than %s has without another approval, so it is "
                                 "asked for: it can be approved by %s. Until then *%s* stays as "
                                 "it is.",
                                 env->name, who, env->name));
    return true;
}

/* ---- what becomes of it ---- */

struct asked_in {
    struct call *call;
    struct team_use use;
};

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
                  is_extend(r->kind) ? "More time" : "Another size", matter->env->name, word,
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
    say_redraw(db, matter->env, matter->card);
}

static void present(struct db *db, struct matter *matter)
{
    struct asked_in *in = matter->asked_in;
    struct change_request *r = matter->change;
    struct error ignored;
    (void)describe(in->call, matter->env, r, false,
                   &ignored); /* where it cannot be any more, the vote says so */
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

bool more_time(struct db *db, struct environment *env, int64_t seconds,
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
    return more_time(db, env, r->wanted, actor, extra, err);
}

static bool scale(struct db *db, struct matter *matter, const struct audit_actor *actor,
                  cJSON *extra, struct error *err)
{
    struct asked_in *in = matter->asked_in;
    struct environment *env = matter->env;
    struct change change;
    if (!lifecycle_possible(env, EVENT_SCALE, err) ||
        !plan_scale(in->call, env, matter->change->wanted, &change, err))
        return false;
    struct template_resources takes = change_more(&change);
    return quota_fits_more(in->call, env->team, &in->use, &takes, err) &&
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
    if (approved && !(is_extend(r->kind) ? extend(db, env, r, actor, detail, err)
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

bool more_matter(struct call *call, int64_t environment, int64_t change, struct matter *out,
                 struct error *err)
{
    static const struct matter_acts acts = {tell_over, present, keep, take};
    struct asked_in *in = talloc_zero(call, struct asked_in);
    struct change_request *r;
    struct environment *env;
    struct rows *rows = NULL;
    if (!change_request_by_id(call, call->db, change, &r, err) ||
        !environment_by_id(call, call->db, environment, ENVIRONMENT_READ, &env, err))
        return false;
    if (!r || !env || r->environment != environment)
        return error_set(err, ERROR_NOT_FOUND, REFUSAL_NOT_SHOWN);
    call->about = env->id;
    team_use_ask(call, call->db, env->team, true, &rows);
    if (!environment_by_id(call, call->db, environment, ENVIRONMENT_LOCK, &env, err) ||
        !change_request_by_id(call, call->db, change, &r, err))
        return false;
    in->call = call;
    in->use = team_use_from_row(rows, 0);
    *out = (struct matter){.env = env,
                           .card = change_request_place(call, r),
                           .revision = r->revision,
                           .digest = digest_of(env, r),
                           .presented = r->presented,
                           .policy = policy_read(env->template_copy),
                           .open = strcmp(r->state, "pending") == 0 && goes_on(env),
                           .tally = r->tally,
                           .acts = &acts,
                           .change = r,
                           .asked_in = in};
    return true;
}

static bool asked_for(const struct call *call, const struct change_request *r)
{
    return strcmp(call->person->id, r->user) == 0 &&
           strcmp(call->person->workspace, r->workspace) == 0;
}

bool more_withdraw(struct call *call, const struct environment *env, bool *done, struct error *err)
{
    struct change_request *r;
    if (!change_request_open(call, call->db, env->id, &r, err))
        return false;
    *done = r != NULL;
    if (!r)
        return true;
    if (!asked_for(call, r) && !call_may_or_owns(call, "delete", env, err))
        return false;
    cJSON *extra = json_object(call);
    json_set_string(extra, "by", call->person->name);
    json_set_format(extra, "by_mention", "<@%s>", call->person->id);
    change_request_end(call->db, env, r, "withdrawn", "change-withdrawn", extra);
    audit_add(call->db, &call->actor, env->id, env->team, "change-withdrawn", env->state,
              env->state, extra);
    answer(call, talloc_asprintf(call, "The wish for %s for *%s* is taken back.",
                                 change_request_words(r), env->name));
    return true;
}
