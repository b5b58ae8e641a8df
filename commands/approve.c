/* Approve, deny, and taking an approval back: the buttons, the forms for the reason and the code,
   and the words. */
#include "commands/commands.h"

#include "approvals/code.h"
#include "base/text.h"
#include "commands/approver.h"
#include "lifecycle/view.h"
#include "store/pauses.h"

#include <string.h>
#include <talloc.h>

static bool say_decision(struct call *call, struct environment *env,
                         const struct decision *decision, struct error *err)
{
    const struct approver me = approver_of(call);
    struct matter matter = matter_request(env);
    const char *words;
    if (!decide(call, &me, &matter, decision, &words, err))
        return false;
    struct rows *paused = NULL;
    if (strcmp(env->state, "queued") == 0) {
        pause_ask(call, call->db, &paused);
        if (!db_flush(call->db, err))
            return false;
        words = talloc_asprintf(call, "%s%s", words, call_pause_words(call, paused));
    }
    answer(call, words);
    return true;
}

static bool say_word(struct call *call, struct environment *env, enum decision_word word,
                     const char *reason, struct error *err)
{
    struct decision decision = {.word = word,
                                .reason = text_cut(call, text_line(call, reason), 1000),
                                .revision = call_revision(call)};
    return say_decision(call, env, &decision, err);
}

static bool may_say(struct call *call, struct environment *env, const struct decision *decision,
                    struct error *err)
{
    const struct approver me = approver_of(call);
    const struct matter matter = matter_request(env);
    return decision_allowed(call, &me, &matter, decision, err);
}

static bool open_form(struct call *call, const struct environment *env, const char *name,
                      struct error *err)
{
    cJSON *view = view_of(call, env);
    json_set_format(view, "metadata", "%s %s", call->envelope->channel, call->envelope->value);
    call->view = wording_slack(call, call->app->wording, name, view, err);
    return call->view != NULL;
}

bool approve_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) &&
           say_word(call, env, DECISION_APPROVE, words_rest(call, call->words, 1), err);
}

/* The button asks for a code in a form where the template wants one; who could not give one is told
   at once. */
bool approve_click(struct call *call, struct error *err)
{
    struct environment *env;
    if (!call_environment_by_card(call, ENVIRONMENT_LOCK, &env, err))
        return false;
    if (!policy_read(env->template_copy).code)
        return say_word(call, env, DECISION_APPROVE, "", err);
    struct decision decision = {
        .word = DECISION_APPROVE, .reason = "", .revision = call_revision(call), .proved = true};
    return may_say(call, env, &decision, err) &&
           code_possible(call, call->db, call->app->config, call->person, err) &&
           open_form(call, env, "form-approve", err);
}

/* Whether the form's code is right, where one is wanted. False with *kept: the refusal is the
   reply, and the wrong try is to be committed. Whoever could not approve anyway spends no try on
   it. */
static bool prove(struct call *call, struct environment *env, struct decision *decision, bool *kept,
                  struct error *err)
{
    *kept = false;
    if (!policy_read(env->template_copy).code)
        return true;
    decision->proved = true;
    if (!may_say(call, env, decision, err))
        return false;
    const char *code = call_field(call, "code"), *words = NULL;
    call->errors = json_object(call);
    if (!code_check(call, call->db, call->app->config, env, call->person, &call->actor,
                    code ? code : "", &decision->proved, &words, err)) {
        json_set_string(call->errors, "code", err->text);
        return false;
    }
    if (!decision->proved) {
        json_set_string(call->errors, "code", words);
        reply_form_refused(call, words);
        *kept = true;
    }
    return decision->proved;
}

bool approve_submit(struct call *call, struct error *err)
{
    const char *reason = call_field(call, "reason");
    struct environment *env;
    if (!call_environment_by_card(call, ENVIRONMENT_LOCK, &env, err))
        return false;
    struct decision decision = {.word = DECISION_APPROVE,
                                .reason =
                                    text_cut(call, text_line(call, reason ? reason : ""), 1000),
                                .revision = call_revision(call)};
    bool kept;
    if (!prove(call, env, &decision, &kept, err))
        return kept;
    call->errors = NULL;
    return say_decision(call, env, &decision, err);
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
    if (!may_say(call, env, &decision, err))
        return false;
    return open_form(call, env, "form-deny", err);
}

bool deny_submit(struct call *call, struct error *err)
{
    const char *reason = call_field(call, "reason");
    struct environment *env;
    return call_environment_by_card(call, ENVIRONMENT_LOCK, &env, err) &&
           say_word(call, env, DECISION_DENY, reason ? reason : "", err);
}

static bool take_back(struct call *call, struct environment *env, struct error *err)
{
    const struct approver me = approver_of(call);
    struct matter matter = matter_request(env);
    const char *words;
    if (!decision_take_back(call, &me, &matter, call_revision(call), &words, err))
        return false;
    answer(call, words);
    return true;
}

bool takeback_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) && take_back(call, env, err);
}

bool takeback_click(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_card(call, ENVIRONMENT_LOCK, &env, err) && take_back(call, env, err);
}
