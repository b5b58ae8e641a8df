#include "commands/approver.h"

#include "commands/more.h"
#include "lifecycle/view.h"
#include "lifecycle/waiting.h"
#include "store/change_requests.h"

struct approver approver_of(struct call *call)
{
    voters_know(call->voters, call->person);
    return (struct approver){.db = call->db,
                             .rules = call->rules,
                             .person = call->person,
                             .actor = &call->actor,
                             .voters = call->voters,
                             .clicked = call->envelope->type == ENVELOPE_ACTION};
}

/* The open change request of the environment that was typed; 0: none. */
static bool typed_change(struct call *call, int64_t *environment, int64_t *change,
                         struct error *err)
{
    struct environment *env;
    struct change_request *open;
    if (!call_environment(call, ENVIRONMENT_READ, &env, err) ||
        !change_request_open(call, call->db, env->id, &open, err))
        return false;
    *environment = env->id;
    *change = open ? open->id : 0;
    return true;
}

/* What it is about, locked: a request, or a change that takes another approval. */
static bool find_open(struct call *call, struct matter *out, struct error *err)
{
    bool typed = call->envelope->type == ENVELOPE_COMMAND;
    int64_t environment = call_value_id(call), change = call_change(call);
    struct environment *env;
    if (typed && !typed_change(call, &environment, &change, err))
        return false;
    if (change)
        return more_matter(call, environment, change, out, err);
    if (!(typed ? call_environment(call, ENVIRONMENT_LOCK, &env, err)
                : call_environment_by_card(call, ENVIRONMENT_LOCK, &env, err)))
        return false;
    *out = matter_request(env);
    return true;
}

bool approver_matter(struct call *call, struct matter *out, struct error *err)
{
    const char *words;
    if (!find_open(call, out, err) ||
        !decision_settle(call, call->db, &call->actor, out, &words, err))
        return false;
    if (words) {
        answer(call, words);
        out->env = NULL;
    }
    return true;
}

cJSON *approver_view(struct call *call, const struct environment *env,
                     const struct change_request *change)
{
    cJSON *view = view_of(call, env);
    const cJSON *values = waiting_values(call, env, change, NULL), *each;
    cJSON_ArrayForEach (each, values)
        json_set(view, each->string, cJSON_Duplicate(each, true));
    return view;
}
