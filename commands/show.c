#include "commands/commands.h"

#include "approvals/needed.h"
#include "base/log.h"
#include "lifecycle/change_request.h"
#include "lifecycle/view.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

/* Whom a pending request, or change request, waits for is known to Slack, which is asked before the
   transaction. What goes wrong here run() says as well, or it shows one line less. */
bool show_prepare(struct call *call, struct error *err)
{
    struct error ignored = {0};
    struct environment *env = NULL;
    struct change_request *change = NULL;
    (void)err;
    bool found = db_begin(call->db, DB_READ_ONLY, &ignored) &&
                 call_environment(call, ENVIRONMENT_READ, &env, &ignored) &&
                 change_request_open(call, call->db, env->id, &change, &ignored);
    db_rollback(call->db);
    if (!found || !call_may_or_owns(call, "get", env, &ignored))
        return true;
    struct needed needed = {.db = call->db,
                            .web = call->tools->web,
                            .people = call->app->people,
                            .rules = call->rules,
                            .change = {.templates = call->app->templates}};
    const struct matter matter =
        change ? matter_change(env, change, &needed.change) : matter_request(env);
    const char *names;
    if (!matter.open)
        return true;
    if (needed_names(call, &needed, &matter, &names, &ignored))
        call->prepared = talloc_strdup(call, names);
    else
        log_info("who can still decide is not known now", "env", env->cluster, "error",
                 ignored.text);
    return true;
}

bool show_run(struct call *call, struct error *err)
{
    struct environment *env;
    if (!call_environment(call, ENVIRONMENT_READ, &env, err) ||
        !call_may_or_owns(call, "get", env, err))
        return false;
    cJSON *view = view_read(call, call->db, env->id, err);
    if (!view)
        return false;
    struct change_request *change;
    if (!change_request_open(call, call->db, env->id, &change, err))
        return false;
    bool waits = change || strcmp(env->state, "pending") == 0;
    const char *deciders = call->prepared && waits ? call->prepared : "";
    json_set_string(view, "deciders", deciders);
    json_set_format(view, "votes_words", "%s%s%s%s",
                    waits && !change ? json_string_or_empty(env->tally, "line") : "",
                    *deciders ? " Can still decide: " : "", deciders, *deciders ? "." : "");
    if (change)
        view_question(view, change->wait.question);
    json_set_string(view, "wanted",
                    change ? talloc_asprintf(call, "<@%s> has asked for %s. %s", change->user,
                                             change_request_words(change),
                                             json_string_or_empty(change->tally, "line"))
                           : "");
    return reply_template(call, "reply-show", view, err);
}
