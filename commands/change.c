/* `/env scale`, `upgrade`, `sleep`, `wake`, typed and clicked: changes of what runs. */
#include "commands/commands.h"

#include "approvals/matter_change.h"
#include "commands/more.h"
#include "commands/quota_check.h"
#include "base/text.h"
#include "lifecycle/change.h"
#include "lifecycle/say.h"
#include "lifecycle/schedule.h"
#include "lifecycle/view.h"

#include <stdlib.h>
#include <string.h>
#include <talloc.h>

/* Plans a change of the locked environment. */
typedef bool plan_fn(struct call *call, struct environment *env, struct change *change,
                     struct error *err);

/* What a change takes more is reserved in this transaction, so the team's row is locked before the
   environment's. *env: as it was read, then as it is under the lock. */
static bool hold(struct call *call, struct environment **env, struct team_use *use,
                 struct error *err)
{
    struct rows *rows = NULL;
    team_use_ask(call, call->db, (*env)->team, true, &rows);
    if (!environment_by_id(call, call->db, (*env)->id, ENVIRONMENT_LOCK, env, err) ||
        !call_may_or_owns(call, "update", *env, err))
        return false;
    *use = team_use_from_row(rows, 0);
    return true;
}

static bool start(struct call *call, struct environment *env, const struct team_use *use,
                  plan_fn *plan, struct error *err)
{
    struct change change;
    if (!plan(call, env, &change, err))
        return false;
    struct template_resources more = change_more(&change);
    cJSON *extra = json_object(call);
    json_set_string(extra, "by", call->person->name);
    json_set_format(extra, "by_mention", "<@%s>", call->person->id);
    return quota_fits_more(call, env->team, use, &more, err) &&
           change_begin(call->db, env, &change, &call->actor, extra, err);
}

static bool begin(struct call *call, plan_fn *plan, struct environment **env, struct error *err)
{
    struct team_use use;
    return hold(call, env, &use, err) && start(call, *env, &use, plan, err);
}

static bool plan_scale(struct call *call, struct environment *env, struct change *change,
                       struct error *err)
{
    /* What somebody has approved beyond the template's bound can be made smaller again. */
    struct environment *wide =
        matter_change_widened(call, env, json_integer(env->parameters, "nodes", 0));
    return change_scale(call, wide, call->app->templates, words_item(call->words, 1), change, err);
}

/* A whole number of nodes that EKS can have in a managed node group; 0: something else, which is
   refused where it is read. */
static int64_t nodes_of(const char *text)
{
    enum { NODES_MOST = 450 }; /* docs.aws.amazon.com/eks/latest/userguide/service-quotas.html */
    size_t digits = strspn(text, "0123456789");
    int64_t nodes = digits && digits < 6 && !text[digits] ? strtoll(text, NULL, 10) : 0;
    return nodes <= NODES_MOST ? nodes : 0;
}

static struct more wanted_nodes(struct call *call)
{
    const char *given = words_item(call->words, 1);
    return (struct more){.kind = "scale",
                         .wanted = given ? nodes_of(given) : 0,
                         .reason = words_option(call->words, "reason")};
}

bool scale_prepare(struct call *call, struct error *err)
{
    struct more more = wanted_nodes(call);
    return !more.wanted || more_prepare(call, &more, err);
}

bool scale_run(struct call *call, struct error *err)
{
    struct environment *env;
    if (!words_item(call->words, 1))
        return error_set(err, ERROR_USAGE, "Say which and how many nodes: `%s scale NAME 3`.",
                         call->app->config->slack.command);
    struct more more = wanted_nodes(call);
    struct team_use use;
    bool vote = false;
    if (!call_environment(call, ENVIRONMENT_READ, &env, err) || !hold(call, &env, &use, err) ||
        !lifecycle_possible(env, EVENT_SCALE, err) ||
        (more.wanted && !more_takes_vote(call, env, &more, &vote, err)))
        return false;
    if (vote)
        return more_ask(call, env, &more, &use, err);
    if (!start(call, env, &use, plan_scale, err))
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
        !begin(call, plan_upgrade, &env, err))
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

/* What was typed as a schedule, in the zone of who typed it where none was given. NULL: refused. */
static cJSON *typed_schedule(struct call *call, const struct environment *env, struct error *err)
{
    static const char *const keys[] = {"at", "wake", "days"};
    cJSON *json = json_object(call);
    struct schedule schedule;
    if (words_option(call->words, "off")) {
        json_set_bool(json, "off", true);
        return json;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (words_option(call->words, keys[i]))
            json_set_string(json, keys[i], words_option(call->words, keys[i]));
    const char *zone = words_option(call->words, "zone");
    json_set_string(json, "zone", zone ? zone : call->person->zone);
    if (!json_string(json, "at")) {
        error_set(err, ERROR_USAGE, "Say at what time it sleeps: `%s sleep %s --at 20:00`.",
                  call->app->config->slack.command, env->name);
        return NULL;
    }
    if (!schedule_parse(json, &schedule, err)) {
        error_set(err, ERROR_USAGE, "%s", text_mrkdwn(call, talloc_strdup(call, err->text)));
        return NULL;
    }
    return schedule_zone(call, call->db, schedule.zone, err) ? json : NULL;
}

/* When it sleeps from now on. */
static bool set_schedule(struct call *call, struct environment *env, struct error *err)
{
    struct change unused;
    struct schedule schedule;
    if (!call_may_or_owns(call, "update", env, err))
        return false;
    if (env->ended_at)
        return error_set(err, ERROR_CONFLICT, "%s is over.", env->name);
    cJSON *json = typed_schedule(call, env, err);
    if (!json ||
        (!json_true(json, "off") && !change_sleep(call, env, call->app->templates, &unused, err)))
        return false;
    env->schedule = json;
    bool sleeps = schedule_of(env, &schedule);
    const char *words = sleeps ? schedule_words(call, &schedule) : "sleeps by hand only";
    db_send(call->db, "UPDATE environments SET schedule = $2::jsonb WHERE id = $1",
            P(talloc_asprintf(call, "%lld", (long long)env->id), json_text(call, json)));
    if (state_runs(env->state))
        schedule_next(call->db, env);
    cJSON *extra = json_object(call);
    json_set_string(extra, "answer", words);
    json_set_format(extra, "by_mention", "<@%s>", call->person->id);
    audit_add(call->db, &call->actor, env->id, env->team, "schedule", env->state, env->state,
              extra);
    say(call->db, env, "thread", "scheduled", extra);
    answer(call, talloc_asprintf(call, "*%s* %s.", env->name, words));
    return true;
}

static bool has_schedule_options(const struct call *call)
{
    static const char *const names[] = {"at", "wake", "days", "zone", "off"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (words_option(call->words, names[i]))
            return true;
    return false;
}

bool sleep_run(struct call *call, struct error *err)
{
    struct environment *env;
    if (has_schedule_options(call))
        return call_environment(call, ENVIRONMENT_LOCK, &env, err) && set_schedule(call, env, err);
    if (!call_environment(call, ENVIRONMENT_READ, &env, err) || !begin(call, plan_sleep, &env, err))
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
    if (!begin(call, plan_wake, &env, err))
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
