/* `/env extend`, its button and its form. */
#include "commands/commands.h"

#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/states.h"
#include "lifecycle/view.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

/* Until when it may live: ttl.max counts from ready, the ceiling from when its creation began.
   limit: which of the two it is, in words. */
static time_t latest_end(struct call *call, const struct environment *env, const struct template *t,
                         const char **limit)
{
    time_t by_max = env->ready_at + (time_t)t->ttl_max;
    time_t by_ceiling = lifecycle_ceiling(env);
    bool ceiling = by_ceiling && by_ceiling < by_max;
    *limit = ceiling ? talloc_asprintf(call, "%s from when its creation began",
                                       duration_text(call, t->ttl_ceiling))
                     : talloc_asprintf(call, "%s from when it was ready",
                                       duration_text(call, t->ttl_max));
    return ceiling ? by_ceiling : by_max;
}

static bool too_long(struct call *call, const struct environment *env, const char *limit,
                     int64_t left, struct error *err)
{
    if (left < 60)
        return error_set(err, ERROR_DENIED, "%s has all the time that %s allows: %s.", env->name,
                         env->template, limit);
    return error_set(err, ERROR_DENIED,
                     "%s may live for %s, so at most %s more. Try `%s extend %s %s`.", env->name,
                     limit, duration_text(call, left), call->app->config->slack.command, env->name,
                     duration_short(call, left - left % 60));
}

static bool extend(struct call *call, struct environment *env, const char *given, struct error *err)
{
    int64_t more;
    struct template *t;
    if (!call_may_or_owns(call, "extend", env, err))
        return false;
    if (!duration_parse(given, &more, err))
        return error_set(err, ERROR_USAGE, "%s", text_mrkdwn(call, text_cut(call, err->text, 300)));
    if (!template_from_json(call, env->template, env->template_copy, &t, err))
        return false;
    if (state_runs(env->state)) {
        const char *limit;
        time_t latest = latest_end(call, env, t, &limit), wanted = env->expires_at + (time_t)more;
        if (wanted > latest)
            return too_long(call, env, limit, latest - env->expires_at, err);
        env->expires_at = wanted;
        env->ttl_seconds += more;
    }
    cJSON *extra = json_object(call);
    json_set_string(extra, "more", duration_text(call, more));
    json_set_string(extra, "by", call->person->name);
    json_set_format(extra, "by_mention", "<@%s>", call->person->id);
    if (!lifecycle_take(call->db, env, EVENT_EXTEND, &call->actor, extra, err))
        return false;
    cJSON *view = view_of(call, env);
    answer(call,
           talloc_asprintf(call, "*%s* has %s more; it ends %s.", env->name,
                           duration_text(call, more), json_string_or_empty(view, "expires.slack")));
    return true;
}

bool extend_run(struct call *call, struct error *err)
{
    const char *given = words_rest(call, call->words, 1);
    if (!words_item(call->words, 0) || !*given)
        return error_set(err, ERROR_USAGE, "Say which and how much more: `%s extend NAME 4h`.",
                         call->app->config->slack.command);
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) && extend(call, env, given, err);
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
           extend(call, env, given ? given : "", err);
}
