#include "jobs/work.h"

#include "base/log.h"
#include "base/tree.h"
#include "jobs/change.h"
#include "jobs/circuit.h"
#include "jobs/eksctl.h"
#include "jobs/look.h"
#include "jobs/owner.h"
#include "lifecycle/template.h"

#include <string.h>
#include <talloc.h>

/* What one run knows besides the run itself. */
struct work {
    struct run *run;
    enum intent intent;
    cJSON *config; /* the ClusterConfig, of a job that creates */
    struct wants wants;
    struct goal before, goal; /* of a job that changes */
    struct change_step step;  /* which comes next */
    cJSON *steps;             /* those that this run has tried to the end */
    const char *role;         /* the team's role, where the cluster lets it in; else "" */
    struct look now;
    bool done[ACTION_COUNT]; /* what this run has tried to the end */
    bool interrupted;        /* eksctl was killed or stuck once: that is no failure */
    int unknown;             /* so often in a row nothing could be told */
    enum outcome outcome;
};

/* Each action: true to look again, false when the outcome is set. */
static bool ends(struct work *w, enum outcome outcome)
{
    w->outcome = outcome;
    return false;
}

/* By a cause that is known without a log. */
static bool fails(struct work *w, const char *cause)
{
    w->run->cause = cause_by_id(cause);
    return ends(w, OUTCOME_FAILED);
}

/* What stands in the way of knowing more, when that is what took the time. */
static bool ends_late(struct work *w)
{
    if (w->now.seen != SEEN_UNKNOWN)
        return fails(w, "deadline");
    const struct cause *cause = cause_of(w->now.why);
    return fails(w, cause ? cause->id : "no-answer");
}

/* What an ended eksctl means: true when it came to its end, whatever that was. */
static bool came_to_its_end(struct work *w, enum run_end end, const struct error *err)
{
    switch (end) {
    case RUN_LOST:
        return ends(w, OUTCOME_LOST);
    case RUN_CANCELLED:
        return ends(w, w->run->cancel ? OUTCOME_CANCELLED : OUTCOME_AGAIN);
    case RUN_NOT_STARTED:
        log_error("eksctl cannot be started", "error", err->text);
        return fails(w, "eksctl");
    case RUN_EXITED:
    case RUN_KILLED:
    case RUN_STUCK:
    case RUN_LATE: /* it may be there all the same: looked at once more */
        break;
    }
    return true;
}

static bool run_eksctl(struct work *w, enum action action, char **arguments, const char *input)
{
    struct error err = {0};
    enum run_end end = supervise(w->run, arguments, input, &err);
    if (!came_to_its_end(w, end, &err))
        return false;
    /* Killed or stuck, it was interrupted and did not fail: once. */
    bool interrupted = end == RUN_KILLED || end == RUN_STUCK;
    if (end == RUN_STUCK) {
        supervise_note(w->run, "it was ended: one step of it took longer than %lld s",
                       (long long)w->run->config->jobs.phase);
        w->run->cause = cause_by_id("phase");
        w->run->cause_is_guess = true;
    }
    if (end == RUN_LATE && !w->run->cause)
        w->run->cause = cause_by_id("deadline");
    w->done[action] = !interrupted || w->interrupted;
    w->interrupted = w->interrupted || interrupted;
    return true;
}

static bool act_create(struct work *w)
{
    if (w->run->plan.current)
        plan_restart(&w->run->plan, supervise_time(w->run));
    return run_eksctl(w, ACTION_CREATE, eksctl_create(w->run->env, w->run->config),
                      tree_yaml(w->run->env, w->config));
}

static bool act_add_groups(struct work *w)
{
    const char *what = w->wants.groups ? "nodegroup" : "fargateprofile";
    return run_eksctl(w, ACTION_ADD_GROUPS, eksctl_add(w->run->env, w->run->config, what),
                      tree_yaml(w->run->env, w->config));
}

/* The ClusterConfig with the missing add-ons alone: those that it lists as it lists them, and those
   that eksctl would have installed by itself. */
static bool act_add_addons(struct work *w)
{
    cJSON *config = json_own(w->run->env, cJSON_Duplicate(w->config, true));
    cJSON *addons = cJSON_CreateArray();
    const cJSON *name, *listed;
    cJSON_ArrayForEach (name, w->now.missing) {
        cJSON *addon = NULL;
        cJSON_ArrayForEach (listed, json_at(w->config, "addons"))
            if (strcmp(json_string_or_empty(listed, "name"), name->valuestring) == 0)
                addon = cJSON_Duplicate(listed, true);
        if (!addon)
            json_set_string(addon = cJSON_CreateObject(), "name", name->valuestring);
        cJSON_AddItemToArray(addons, addon);
    }
    json_set(config, "addons", addons);
    return run_eksctl(w, ACTION_ADD_ADDONS, eksctl_add(w->run->env, w->run->config, "addon"),
                      tree_yaml(w->run->env, config));
}

static bool act_delete(struct work *w)
{
    const struct environment *env = w->run->env;
    return run_eksctl(w, ACTION_DELETE,
                      eksctl_delete(env, w->run->config, env->cluster, env->region), NULL);
}

/* eksctl cannot go on from a stack that failed: what there is is deleted first. */
static bool act_clean(struct work *w)
{
    const struct environment *env = w->run->env;
    bool on = run_eksctl(w, ACTION_CLEAN,
                         eksctl_delete(env, w->run->config, env->cluster, env->region), NULL);
    w->run->cause = on && w->done[ACTION_CLEAN] ? NULL : w->run->cause;
    return on;
}

/* "scale main": each step is tried once a run. */
static const char *step_key(const struct work *w)
{
    return talloc_asprintf(w->run->env, "%s %s", w->step.verb, w->step.group ? w->step.group : "");
}

static bool act_change(struct work *w)
{
    const struct environment *env = w->run->env;
    const char *key = step_key(w);
    if (!run_eksctl(w, ACTION_CHANGE,
                    change_arguments(env, w->run->config, env->cluster, env->region, &w->step),
                    NULL))
        return false;
    if (w->done[ACTION_CHANGE])
        json_set_bool(w->steps, key, true);
    w->done[ACTION_CHANGE] = false; /* the next step is another one */
    return true;
}

static bool act_miss(struct work *w)
{
    return fails(w, w->now.seen == SEEN_NO_GROUPS ? "group-missing" : "cluster-missing");
}

static bool act_wait(struct work *w)
{
    int seconds = w->run->config->jobs.heartbeat > 5 ? 5 : 1;
    return supervise_pause(w->run, seconds) || ends(w, OUTCOME_LOST);
}

static bool act_ready(struct work *w)
{
    if (w->run->exit_code)
        supervise_note(w->run, "eksctl ended with an error, but everything is there");
    return ends(w, OUTCOME_READY);
}

static bool act_gone(struct work *w)
{
    return ends(w, OUTCOME_GONE);
}

static bool act_leave(struct work *w)
{
    struct run *run = w->run;
    run->foreign = true;
    if (w->intent == INTENT_DELETE && !run->env->ready_at)
        return ends(w, OUTCOME_GONE); /* nothing of ours was ever seen there */
    return fails(w, w->intent == INTENT_CREATE ? "foreign" : "foreign-left");
}

static bool act_give_up(struct work *w)
{
    if (!w->run->cause)
        w->run->cause = cause_by_id("unknown");
    return ends(w, OUTCOME_FAILED);
}

static bool (*const acts[ACTION_COUNT])(struct work *) = {
    [ACTION_CREATE] = act_create,         [ACTION_ADD_GROUPS] = act_add_groups,
    [ACTION_ADD_ADDONS] = act_add_addons, [ACTION_CLEAN] = act_clean,
    [ACTION_CHANGE] = act_change,         [ACTION_MISS] = act_miss,
    [ACTION_DELETE] = act_delete,         [ACTION_WAIT] = act_wait,
    [ACTION_READY] = act_ready,           [ACTION_GONE] = act_gone,
    [ACTION_LEAVE] = act_leave,           [ACTION_GIVE_UP] = act_give_up,
};

/* Whether this run has done already what the table says at first. What it made itself and failed
   at is a failure; only what an earlier one left is cleaned. */
static bool has_tried(const struct work *w, enum action first)
{
    bool made = w->done[ACTION_CREATE] || w->done[ACTION_ADD_GROUPS] || w->done[ACTION_ADD_ADDONS];
    if (first == ACTION_CHANGE)
        return json_at(w->steps, step_key(w)) != NULL;
    return w->done[first] || (first == ACTION_CLEAN && made);
}

/* What is missing is added to what this run (or the one before) has begun. */
static enum action next_action(const struct work *w)
{
    bool tried = has_tried(w, reconcile(w->intent, w->now.seen, false));
    return reconcile(w->intent, w->now.seen, tried);
}

static bool beat(void *run)
{
    return supervise_heartbeat(run);
}

/* Whether the node groups are as the change wants them, and what comes next. */
static void look_at_groups(struct work *w, const struct eksctl_patience *patience)
{
    struct run *run = w->run;
    cJSON *groups =
        look_groups(run->env, run->config, run->env, run->environment, patience, &w->now.why);
    struct there there = {json_string_or_empty(w->now.facts, "version"), groups};
    w->now.seen = groups ? change_judge(&w->goal, &there, &w->step) : SEEN_UNKNOWN;
    run->change_seen = groups ? change_end(&w->before, &there) : CHANGE_UNSEEN;
    if (groups && w->now.facts)
        json_set_number(w->now.facts, "nodes", groups_nodes(groups));
}

static bool look_again(struct work *w)
{
    struct run *run = w->run;
    struct eksctl_patience patience = {60, beat, run};
    w->now = look(run->env, run->config, run->env, run->environment,
                  w->intent == INTENT_CREATE ? &w->wants : NULL, &patience);
    run->change_seen = CHANGE_UNSEEN;
    if (w->intent == INTENT_CHANGE && w->now.seen == SEEN_COMPLETE)
        look_at_groups(w, &patience);
    if (!supervise_heartbeat(run))
        return ends(w, OUTCOME_LOST);
    if (w->now.seen != SEEN_UNKNOWN)
        circuit_answered(run);
    else if (circuit_asks_in_vain(run, w->now.why))
        return ends(w, OUTCOME_AGAIN);
    run->which = w->now.which;
    if (w->now.facts) {
        run->env->seen = w->now.facts;
        if (*w->role)
            json_set_string(w->now.facts, "role", w->role);
    }
    return true;
}

/* Notes what is seen and what follows, when that is news. */
static void note(struct work *w, enum action action, enum seen *last)
{
    bool known = w->now.seen == *last && action == ACTION_WAIT;
    *last = w->now.seen;
    if (!known)
        supervise_note(w->run, "looked at %s in %s: %s; next: %s", w->run->env->cluster,
                       w->run->env->region, seen_words(w->now.seen), action_words(action));
    if (!known && w->now.seen == SEEN_UNKNOWN)
        supervise_note(w->run, "no answer: %s", w->now.why);
}

/* No answer, and one that will not get better by asking: the region is not known, AWS does not let
   us look. Nothing is concluded from one word. */
static const struct cause *hopeless(struct work *w)
{
    w->unknown = w->now.seen == SEEN_UNKNOWN ? w->unknown + 1 : 0;
    const struct cause *cause = w->unknown >= 3 ? cause_of(w->now.why) : NULL;
    return cause && treatments[cause->class].tries == 1 ? cause : NULL;
}

static bool is_end(enum action action)
{
    return action == ACTION_READY || action == ACTION_GONE || action == ACTION_LEAVE ||
           action == ACTION_MISS || action == ACTION_GIVE_UP;
}

/* One round; true to go on. Even who is late looks first: it may be there. */
static bool round_of(struct work *w, enum seen *last)
{
    if (!look_again(w))
        return false;
    enum action action = next_action(w);
    const struct cause *cause = hopeless(w);
    note(w, action, last);
    if (cause) {
        w->run->cause_line = talloc_strdup(w->run->env, w->now.why);
        return fails(w, cause->id);
    }
    if (!is_end(action) && supervise_late(w->run))
        return ends_late(w);
    return acts[action](w);
}

static enum outcome reconcile_until_done(struct work *w)
{
    enum seen last = SEEN_COUNT;
    do {
        if (w->run->cancel)
            return OUTCOME_CANCELLED;
        if (supervise_stop)
            return OUTCOME_AGAIN;
    } while (round_of(w, &last));
    return w->outcome;
}

/* The role with which the team's people use their clusters; "" for none. */
static const char *role_of(const struct run *run)
{
    const struct config_team *team = config_team(run->config, run->env->team);
    return team ? team->iam_role_arn : "";
}

static bool grants(const cJSON *config, const char *role)
{
    const cJSON *entry;
    cJSON_ArrayForEach (entry, json_at(config, "accessConfig.accessEntries"))
        if (strcmp(json_string_or_empty(entry, "principalARN"), role) == 0)
            return true;
    return false;
}

/* The ClusterConfig from the request's own copy of the template. */
static cJSON *render(struct run *run, const cJSON *parameters)
{
    struct environment *env = run->env;
    struct template *t;
    struct error err = {0};
    cJSON *config = NULL;
    struct template_target target = {
        env->cluster, env->region,
        template_tags(env, env->id, env->team, env->owner_id, env->template), role_of(run)};
    if (template_from_json(env, env->template, env->template_copy, &t, &err))
        config = template_render(env, t, parameters, &target, &err);
    if (!config)
        log_error("the ClusterConfig cannot be rendered", "env", env->cluster, "error", err.text);
    return config;
}

static bool prepare_create(struct work *w)
{
    struct run *run = w->run;
    w->config = render(run, run->env->parameters);
    if (!w->config)
        return fails(w, "template");
    if (run->job->zones)
        json_set(w->config, "availabilityZones", cJSON_Duplicate(run->job->zones, true));
    w->wants = wants_of(run->env, w->config);
    w->role = grants(w->config, role_of(run)) ? role_of(run) : "";
    return true;
}

/* How its node groups are, and how the change wants them. */
static bool prepare_change(struct work *w)
{
    struct environment *env = w->run->env;
    const cJSON *parameters = json_at(env->change, "parameters");
    cJSON *now = render(w->run, env->parameters);
    w->config = now ? render(w->run, parameters ? parameters : env->parameters) : NULL;
    if (!w->config)
        return fails(w, "template");
    w->before = goal_of(now);
    w->goal = goal_of(w->config);
    if (strcmp(w->run->job->kind, "upgrade") == 0) {
        w->before.version = json_string_or_empty(env->parameters, "version");
        w->goal.version = json_string_or_empty(parameters, "version");
    }
    if (strcmp(w->run->job->kind, "sleep") == 0)
        w->goal = goal_asleep(&w->goal);
    if (strcmp(w->run->job->kind, "wake") == 0)
        w->before = goal_asleep(&w->before);
    w->steps = json_object(env);
    w->role = grants(w->config, role_of(w->run)) ? role_of(w->run) : "";
    return true;
}

static enum intent intent_of(const char *kind)
{
    return strcmp(kind, "delete") == 0 ? INTENT_DELETE
           : change_is(kind)           ? INTENT_CHANGE
                                       : INTENT_CREATE;
}

enum outcome work(struct run *run)
{
    struct work w = {.run = run, .intent = intent_of(run->job->kind), .role = ""};
    if (*run->job->old_owner && owner_end(run->job->old_owner))
        supervise_note(run, "ended what was left of the process that had this job before");
    const char *place = owner_place(run->env, run->job->old_owner);
    if (place)
        eksctl_remove_homes(place);
    if (run->job->cancel)
        return OUTCOME_CANCELLED;
    bool prepared = w.intent == INTENT_CREATE   ? prepare_create(&w)
                    : w.intent == INTENT_CHANGE ? prepare_change(&w)
                                                : true;
    return prepared ? reconcile_until_done(&w) : w.outcome;
}
