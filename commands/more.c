#include "commands/more.h"

#include "approvals/matter_change.h"
#include "approvals/votes.h"
#include "base/text.h"
#include "commands/quota_check.h"
#include "commands/refusal.h"
#include "lifecycle/change.h"
#include "lifecycle/change_request.h"
#include "lifecycle/waiting.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

static bool is_extend(const char *kind)
{
    return strcmp(kind, "extend") == 0;
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
    struct person *owner = NULL;
    bool typed = call->envelope->type == ENVELOPE_COMMAND, vote = false;
    bool found = db_begin(call->db, DB_READ_ONLY, &ignored) &&
                 (typed ? call_environment(call, ENVIRONMENT_READ, &env, &ignored)
                        : call_environment_by_value(call, ENVIRONMENT_READ, &env, &ignored));
    db_rollback(call->db);
    if (!found || !matter_change_possible(env) ||
        !call_may_or_owns(call, is_extend(more->kind) ? "extend" : "update", env, &ignored) ||
        !more_takes_vote(call, env, more, &vote, &ignored) || !vote)
        return true; /* what is wrong is said in the transaction */
    struct policy policy = policy_read(env->template_copy);
    struct policy_question question = {.rules = call->rules,
                                       .people = call->app->people,
                                       .web = call->tools->web,
                                       .policy = &policy,
                                       .requesters = {call->person},
                                       .team = env->team,
                                       .template = env->template};
    const char *who;
    if (!people_same(call->person, env->owner_workspace, env->owner_id, env->owner_mail) &&
        !people_find(call, call->app->people, call->tools->web, env->owner_workspace, env->owner_id,
                     PEOPLE_RECENT, &owner, err))
        return false;
    question.requesters[1] = owner;
    if (!policy_anybody(call, &question, &who, err))
        return false;
    call->prepared = policy_takes(call, &policy, who);
    return true;
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
    if (!matter_change_describe(env, r, call->app->templates, false, err))
        return false;
    change_request_write(call->db, r);
    json_set_string(detail, "before", r->before);
    json_set_string(detail, "after", r->after);
    waiting_tell_requester(call->db, env, r, "change-asked", detail);
    waiting_redraw(call->db, env, r);
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
    if (!none_open(call, env, err) ||
        !matter_change_describe(env, r, call->app->templates, true, err))
        return false;
    if (use) {
        struct change change;
        if (!matter_change_scale(call, env, r->wanted, call->app->templates, &change, err))
            return false;
        struct template_resources takes = change_more(&change);
        if (!quota_fits_more(call, env->team, use, &takes, err))
            return false;
        quota = quota_lines_more(call, use, &takes);
    }
    r->presented = matter_change_digest(env, r);
    r->tally = votes_none(r, who, quota);
    const struct waiting waiting = waiting_of(env, r);
    if (!change_request_insert(call->db, r, waiting_lapse(&waiting, &lifecycle_rules), err))
        return false;
    waiting_write(call->db, env, r);
    if (!tell(call, env, r, err))
        return false;
    answer(call, talloc_asprintf(call,
                                 "That is more than %s has without another approval, so it is "
                                 "asked for: it can be approved by %s. Until then *%s* stays as "
                                 "it is.",
                                 env->name, who, env->name));
    return true;
}

struct asked_in {
    struct call *call;
    struct team_use use;
};

static bool fits(void *user, const struct environment *env, const struct template_resources *more,
                 struct error *err)
{
    struct asked_in *in = user;
    return quota_fits_more(in->call, env->team, &in->use, more, err);
}

bool more_matter(struct call *call, int64_t environment, int64_t change, struct matter *out,
                 struct error *err)
{
    struct matter_change_means *means = talloc_zero(call, struct matter_change_means);
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
    *in = (struct asked_in){call, team_use_from_row(rows, 0)};
    *means = (struct matter_change_means){call->app->templates, fits, in};
    *out = matter_change(env, r, means);
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
