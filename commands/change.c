/* `/env scale`, `upgrade`, `sleep` and `wake`, typed and clicked: changes of an environment that
 * runs. */
#include "commands/commands.h"

#include "commands/quota_check.h"
#include "lifecycle/change.h"
#include "lifecycle/view.h"

#include <string.h>
#include <talloc.h>

/* Plans a change of the locked environment. */
typedef bool plan_fn(struct call *call, struct environment *env, struct change *change,
                     struct error *err);

/* What it takes more is reserved in this transaction, so the team's row is locked before the
   environment's. *out: the environment, with the change begun. */
static bool begin(struct call *call, const struct environment *seen, plan_fn *plan,
                  struct environment **out, struct error *err)
{
    struct rows *rows = NULL;
    struct change change;
    team_use_ask(call, call->db, seen->team, true, &rows);
    if (!environment_by_id(call, call->db, seen->id, ENVIRONMENT_LOCK, out, err) ||
        !call_may_or_owns(call, "update", *out, err) || !plan(call, *out, &change, err))
        return false;
    struct team_use use = team_use_from_row(rows, 0);
    struct template_resources more = change_more(&change);
    cJSON *extra = json_object(call);
    json_set_string(extra, "by", call->person->name);
    json_set_format(extra, "by_mention", "<@%s>", call->person->id);
    return quota_fits_more(call, (*out)->team, &use, &more, err) &&
           change_begin(call->db, *out, &change, &call->actor, extra, err);
}

static bool plan_scale(struct call *call, struct environment *env, struct change *change,
                       struct error *err)
{
    return lifecycle_possible(env, EVENT_SCALE, err) &&
           change_scale(call, env, call->app->templates, words_item(call->words, 1), change, err);
}

bool scale_run(struct call *call, struct error *err)
{
    struct environment *env;
    if (!words_item(call->words, 1))
        return error_set(err, ERROR_USAGE, "Say which and how many nodes: `%s scale NAME 3`.",
                         call->app->config->slack.command);
    if (!call_environment(call, ENVIRONMENT_READ, &env, err) ||
        !begin(call, env, plan_scale, &env, err))
        return false;
    answer(call,
           talloc_asprintf(call, "*%s* goes from %s to %s nodes. You will hear when it has them.",
                           env->name, json_string_or_empty(env->change, "from"),
                           json_string_or_empty(env->change, "to")));
    return true;
}

static bool plan_upgrade(struct call *call, struct environment *env, struct change *change,
                         struct error *err)
{
    return lifecycle_possible(env, EVENT_UPGRADE, err) &&
           change_upgrade(call, env, words_item(call->words, 1), change, err);
}

bool upgrade_run(struct call *call, struct error *err)
{
    struct environment *env;
    if (!words_item(call->words, 1))
        return error_set(err, ERROR_USAGE, "Say which and to what: `%s upgrade NAME 1.34`.",
                         call->app->config->slack.command);
    if (!call_environment(call, ENVIRONMENT_READ, &env, err) ||
        !begin(call, env, plan_upgrade, &env, err))
        return false;
    answer(call,
           talloc_asprintf(call,
                           "*%s* is upgraded from Kubernetes %s to %s: that can take an hour. You "
                           "will hear when it is done.",
                           env->name, json_string_or_empty(env->change, "from"),
                           json_string_or_empty(env->change, "to")));
    return true;
}

static bool plan_sleep(struct call *call, struct environment *env, struct change *change,
                       struct error *err)
{
    if (strcmp(env->state, "asleep") == 0)
        return error_set(err, ERROR_CONFLICT, "%s is asleep already.", env->name);
    return lifecycle_possible(env, EVENT_SLEEP, err) &&
           change_sleep(call, env, call->app->templates, change, err);
}

bool sleep_run(struct call *call, struct error *err)
{
    struct environment *env;
    if (!call_environment(call, ENVIRONMENT_READ, &env, err) ||
        !begin(call, env, plan_sleep, &env, err))
        return false;
    answer(call, talloc_asprintf(call,
                                 "*%s* goes to sleep: its nodes go, and what runs on them. "
                                 "`%s wake %s` brings them back.",
                                 env->name, call->app->config->slack.command, env->name));
    return true;
}

static bool plan_wake(struct call *call, struct environment *env, struct change *change,
                      struct error *err)
{
    return lifecycle_possible(env, EVENT_WAKE, err) && change_wake(call, env, change, err);
}

static bool wake(struct call *call, struct environment *env, struct error *err)
{
    if (!begin(call, env, plan_wake, &env, err))
        return false;
    answer(call, talloc_asprintf(call, "*%s* wakes up. You will hear when its nodes are back.",
                                 env->name));
    return true;
}

bool wake_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_READ, &env, err) && wake(call, env, err);
}

bool wake_click(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_value(call, ENVIRONMENT_READ, &env, err) && wake(call, env, err);
}
