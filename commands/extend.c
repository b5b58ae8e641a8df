/* `/env extend`, its button and its form. */
#include "commands/commands.h"

#include "approvals/matter_change.h"
#include "base/duration.h"
#include "base/text.h"
#include "commands/more.h"
#include "lifecycle/moments.h"
#include "lifecycle/states.h"
#include "lifecycle/view.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

/* Nothing lives beyond the ceiling, whoever approves it. */
static bool too_long(struct call *call, const struct environment *env, const struct template *t,
                     int64_t left, struct error *err)
{
    const char *limit = talloc_asprintf(call, "%s from when its creation began",
                                        duration_text(call, t->ttl_ceiling));
    if (left < 60)
        return error_set(err, ERROR_DENIED, "%s has all the time that %s allows: %s.", env->name,
                         env->template, limit);
    return error_set(err, ERROR_DENIED,
                     "%s may live for %s, so at most %s more. Try `%s extend %s %s`.", env->name,
                     limit, duration_text(call, left), call->app->config->slack.command, env->name,
                     duration_short(call, left - left % 60));
}

/* How much longer than now it is to live: given as a length of time, or as the moment of its end by
   the clock of who says so. */
static bool read_time(struct call *call, const struct environment *env, const char *given,
                      int64_t *more, struct error *err)
{
    struct error ignored;
    struct moment moment;
    time_t end, now;
    if (duration_parse(given, more, err))
        return true;
    if (!moment_parse(given, &moment, &ignored))
        return error_set(err, ERROR_USAGE, "%s Or write when it ends: fri 18:00, 2026-12-01.",
                         text_mrkdwn(call, text_cut(call, err->text, 300)));
    if (!moment_time(call, call->db, &moment, call->person->zone, &end, &now, err))
        return false;
    *more = (int64_t)(end - env->expires_at);
    return *more > 0 ||
           error_set(err, ERROR_USAGE, "%s lives longer than that already: %s more than until %s.",
                     env->name, duration_text(call, -*more > 0 ? -*more : 1),
                     text_mrkdwn(call, text_cut(call, given, 60)));
}

static bool extend_now(struct call *call, struct environment *env, int64_t more, struct error *err)
{
    cJSON *extra = json_object(call);
    json_set_string(extra, "by", call->person->name);
    json_set_format(extra, "by_mention", "<@%s>", call->person->id);
    if (!matter_change_time(call->db, env, more, &call->actor, extra, err))
        return false;
    cJSON *view = view_of(call, env);
    answer(call,
           talloc_asprintf(call, "*%s* has %s more; it ends %s.", env->name,
                           duration_text(call, more), json_string_or_empty(view, "expires.slack")));
    return true;
}

/* Up to ttl.max nobody is asked, up to the ceiling the approvers are. */
static bool extend(struct call *call, struct environment *env, const char *given,
                   const char *reason, struct error *err)
{
    struct more more = {.kind = "extend", .reason = reason};
    struct template *t;
    bool vote;
    if (!call_may_or_owns(call, "extend", env, err) ||
        !lifecycle_possible(env, EVENT_EXTEND, err) ||
        !read_time(call, env, given, &more.wanted, err) ||
        !template_from_json(call, env->template, env->template_copy, &t, err))
        return false;
    time_t ceiling = lifecycle_ceiling(env);
    if (ceiling && env->expires_at + (time_t)more.wanted > ceiling)
        return too_long(call, env, t, ceiling - env->expires_at, err);
    if (!more_takes_vote(call, env, &more, &vote, err))
        return false;
    return vote ? more_ask(call, env, &more, NULL, err) : extend_now(call, env, more.wanted, err);
}

/* What is asked for, to look whether anybody could approve it. What is wrong with it is said in the
   transaction. */
static bool prepare(struct call *call, const char *given, struct error *err)
{
    struct error ignored;
    struct more more = {.kind = "extend"};
    struct environment *env;
    bool typed = call->envelope->type == ENVELOPE_COMMAND;
    bool read = db_begin(call->db, DB_READ_ONLY, &ignored) &&
                (typed ? call_environment(call, ENVIRONMENT_READ, &env, &ignored)
                       : call_environment_by_value(call, ENVIRONMENT_READ, &env, &ignored)) &&
                read_time(call, env, given, &more.wanted, &ignored);
    db_rollback(call->db);
    return !read || more_prepare(call, &more, err);
}

bool extend_prepare(struct call *call, struct error *err)
{
    return prepare(call, words_rest(call, call->words, 1), err);
}

bool extend_submit_prepare(struct call *call, struct error *err)
{
    const char *given = call_field(call, "time");
    return prepare(call, given ? given : "", err);
}

bool extend_run(struct call *call, struct error *err)
{
    const char *given = words_rest(call, call->words, 1);
    if (!words_item(call->words, 0) || !*given)
        return error_set(err, ERROR_USAGE,
                         "Say which and how much more: `%s extend NAME 4h`, or until when: `extend "
                         "NAME fri 18:00`.",
                         call->app->config->slack.command);
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) &&
           extend(call, env, given, words_option(call->words, "reason"), err);
}

/* The button opens a form that asks how long. */
bool extend_click(struct call *call, struct error *err)
{
    struct environment *env;
    if (!call_environment_by_value(call, ENVIRONMENT_READ, &env, err) ||
        !call_may_or_owns(call, "extend", env, err))
        return false;
    if (!state_runs(env->state))
        return error_set(err, ERROR_CONFLICT,
                         "%s is not running any more, so it cannot be extended.", env->name);
    cJSON *view = view_of(call, env);
    json_set_format(view, "metadata", "%s %" PRId64, call->envelope->channel, env->id);
    call->view = wording_slack(call, call->app->wording, "form-extend", view, err);
    return call->view != NULL;
}

bool extend_submit(struct call *call, struct error *err)
{
    const char *given = call_field(call, "time");
    struct environment *env;
    return call_environment_by_value(call, ENVIRONMENT_LOCK, &env, err) &&
           extend(call, env, given ? given : "", call_field(call, "reason"), err);
}
