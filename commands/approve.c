/* Approve and deny: the buttons, the form for the reason, and the words. */
#include "commands/commands.h"

#include "approvals/decide.h"
#include "base/text.h"
#include "lifecycle/view.h"

#include <string.h>
#include <talloc.h>

static bool say_word(struct call *call, struct environment *env, enum decision_word word,
                     const char *reason, struct error *err)
{
    struct decision decision = {.word = word,
                                .reason = text_cut(call, text_clean(call, reason), 1000),
                                .revision = call_revision(call)};
    const char *words;
    if (!decide(call, call->db, call->rules, call->person, &call->actor, env, &decision, &words,
                err))
        return false;
    answer(call, words);
    return true;
}

bool approve_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) &&
           say_word(call, env, DECISION_APPROVE, words_rest(call, call->words, 1), err);
}

bool approve_click(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_card(call, ENVIRONMENT_LOCK, &env, err) &&
           say_word(call, env, DECISION_APPROVE, "", err);
}

bool deny_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) &&
           say_word(call, env, DECISION_DENY, words_rest(call, call->words, 1), err);
}

/* The button asks for the reason in a form; whoever may not deny is told at once. */
bool deny_click(struct call *call, struct error *err)
{
    struct environment *env;
    if (!call_environment_by_card(call, ENVIRONMENT_READ, &env, err))
        return false;
    struct decision decision = {
        .word = DECISION_DENY, .reason = "…", .revision = call_revision(call)};
    if (!decision_allowed(call, call->rules, call->person, env, &decision, err))
        return false;
    cJSON *view = view_of(call, env);
    json_set_format(view, "metadata", "%s %s", call->envelope->channel, call->envelope->value);
    call->view = wording_slack(call, call->app->wording, "form-deny", view, err);
    return call->view != NULL;
}

bool deny_submit(struct call *call, struct error *err)
{
    const char *reason = call_field(call, "reason");
    struct environment *env;
    return call_environment_by_card(call, ENVIRONMENT_LOCK, &env, err) &&
           say_word(call, env, DECISION_DENY, reason ? reason : "", err);
}
