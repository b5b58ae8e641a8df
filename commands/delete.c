/* `/env delete`, `withdraw` and `retry`, typed and clicked. */
#include "commands/commands.h"

#include "commands/more.h"
#include "commands/quota_check.h"
#include "lifecycle/states.h"

#include <string.h>
#include <talloc.h>

static cJSON *by(struct call *call)
{
    cJSON *extra = json_object(call);
    json_set_string(extra, "by", call->person->name);
    json_set_format(extra, "by_mention", "<@%s>", call->person->id);
    return extra;
}

static bool delete_it(struct call *call, struct environment *env, struct error *err)
{
    if (!call_may_or_owns(call, "delete", env, err))
        return false;
    if (strcmp(env->state, "pending") == 0)
        return error_set(err, ERROR_CONFLICT,
                         "%s is only a request yet. `%s withdraw %s` takes it back.", env->name,
                         call->app->config->slack.command, env->name);
    bool running = strcmp(env->state, "creating") == 0;
    if (!lifecycle_take(call->db, env, EVENT_DELETE, &call->actor, by(call), err))
        return false;
    return answer_template(call, running ? "reply-stopping" : "reply-deleting", env, err);
}

static bool withdraw(struct call *call, struct environment *env, struct error *err)
{
    bool done = false;
    if (strcmp(env->state, "pending") != 0 && !more_withdraw(call, env, &done, err))
        return false;
    if (done)
        return true;
    if (!call_may_or_owns(call, "delete", env, err))
        return false;
    if (strcmp(env->state, "queued") == 0 || strcmp(env->state, "creating") == 0 ||
        state_runs(env->state))
        return error_set(err, ERROR_CONFLICT, "%s is approved already. `%s delete %s` ends it.",
                         env->name, call->app->config->slack.command, env->name);
    if (!lifecycle_take(call->db, env, EVENT_WITHDRAW, &call->actor, by(call), err))
        return false;
    answer(call, talloc_asprintf(call, "The request for *%s* is withdrawn.", env->name));
    return true;
}

static bool name_in_use(const struct environment *env, struct error *err)
{
    return error_set(err, ERROR_CONFLICT,
                     "The name %s is in use again by now. Ask anew with another name.", env->name);
}

/* Retrying takes quota again, so the team's row is locked before the environment's. */
static bool retry(struct call *call, const struct environment *seen, struct error *err)
{
    struct rows *rows = NULL;
    struct environment *env;
    team_use_ask(call, call->db, seen->team, true, &rows);
    if (!environment_by_id(call, call->db, seen->id, ENVIRONMENT_LOCK, &env, err) ||
        !call_may_or_owns(call, "update", env, err))
        return false;
    struct team_use use = team_use_from_row(rows, 0);
    struct template_resources wanted = {env->nodes, env->vcpus, env->gpus, env->hourly_usd,
                                        env->monthly_usd};
    if (env->ended_at && !quota_fits(call, env->team, &use, &wanted, err))
        return false;
    rows = db_query(call, call->db, err,
                    "SELECT FROM environments WHERE cluster = $1 AND ended_at IS NULL",
                    P(env->cluster));
    if (!rows)
        return false;
    if (env->ended_at && rows_count(rows))
        return name_in_use(env, err);
    /* Another team can have a name that makes the same cluster's: its lock is not this one, so the
       index decides who was first. */
    if (!lifecycle_take(call->db, env, EVENT_RETRY, &call->actor, by(call), err) ||
        !db_flush(call->db, err)) {
        bool lost = strcmp(db_constraint(call->db), "environments_living_cluster") == 0;
        return lost ? name_in_use(env, err) : false;
    }
    answer(call, talloc_asprintf(call, "*%s* is tried again.", env->name));
    return true;
}

bool delete_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) && delete_it(call, env, err);
}

bool delete_click(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_value(call, ENVIRONMENT_LOCK, &env, err) &&
           delete_it(call, env, err);
}

bool withdraw_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) && withdraw(call, env, err);
}

bool withdraw_click(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_value(call, ENVIRONMENT_LOCK, &env, err) && withdraw(call, env, err);
}

bool retry_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_READ, &env, err) && retry(call, env, err);
}

bool retry_click(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_value(call, ENVIRONMENT_READ, &env, err) && retry(call, env, err);
}
