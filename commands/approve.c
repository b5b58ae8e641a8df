/* Approve, deny, and taking an approval back: the buttons, the forms for the reason and the code,
   and the words. */
#include "commands/commands.h"

#include "approvals/code.h"
#include "base/text.h"
#include "commands/approver.h"
#include "commands/more.h"
#include "lifecycle/view.h"
#include "store/pauses.h"

#include <string.h>
#include <talloc.h>

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

/* The same. out->env NULL with true: it is not what its cards show, and the caller has been told.
 */
static bool find_matter(struct call *call, struct matter *out, struct error *err)
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

static bool say_decision(struct call *call, struct matter *matter, const struct decision *decision,
                         struct error *err)
{
    const struct approver me = approver_of(call);
    const char *words;
    if (!decide(call, &me, matter, decision, &words, err))
        return false;
    struct rows *paused = NULL;
    if (strcmp(matter->env->state, "queued") == 0) {
        pause_ask(call, call->db, &paused);
        if (!db_flush(call->db, err))
            return false;
        words = talloc_asprintf(call, "%s%s", words, call_pause_words(call, paused));
    }
    answer(call, words);
    return true;
}

static struct decision decision_of(struct call *call, enum decision_word word, const char *reason)
{
    return (struct decision){.word = word,
                             .reason = text_cut(call, text_line(call, reason ? reason : ""), 1000),
                             .revision = call_revision(call)};
}

static bool say_word(struct call *call, enum decision_word word, const char *reason,
                     struct error *err)
{
    struct matter matter;
    struct decision decision = decision_of(call, word, reason);
    return find_matter(call, &matter, err) &&
           (!matter.env || say_decision(call, &matter, &decision, err));
}

static bool may_say(struct call *call, const struct matter *matter, const struct decision *decision,
                    struct error *err)
{
    const struct approver me = approver_of(call);
    return decision_allowed(call, &me, matter, decision, err);
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
    return say_word(call, DECISION_APPROVE, words_rest(call, call->words, 1), err);
}

/* The button asks for a code in a form where the template wants one; who could not give one is told
   at once. */
bool approve_click(struct call *call, struct error *err)
{
    struct matter matter;
    struct decision decision = decision_of(call, DECISION_APPROVE, "");
    if (!find_matter(call, &matter, err))
        return false;
    if (!matter.env)
        return true;
    if (!matter.policy.code)
        return say_decision(call, &matter, &decision, err);
    decision.proved = true;
    return may_say(call, &matter, &decision, err) &&
           code_possible(call, call->db, call->app->config, call->person, err) &&
           open_form(call, matter.env, "form-approve", err);
}

/* Whether the form's code is right, where one is wanted. False with *kept: the refusal is the
   reply, and the wrong try is to be committed. Whoever could not approve anyway spends no try on
   it. */
static bool prove(struct call *call, const struct matter *matter, struct decision *decision,
                  bool *kept, struct error *err)
{
    *kept = false;
    if (!matter->policy.code)
        return true;
    decision->proved = true;
    if (!may_say(call, matter, decision, err))
        return false;
    const char *code = call_field(call, "code"), *words = NULL;
    call->errors = json_object(call);
    if (!code_check(call, call->db, call->app->config, matter->env, call->person, &call->actor,
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
    struct matter matter;
    struct decision decision = decision_of(call, DECISION_APPROVE, call_field(call, "reason"));
    if (!find_matter(call, &matter, err))
        return false;
    bool kept;
    if (matter.env && !prove(call, &matter, &decision, &kept, err))
        return kept;
    call->errors = NULL;
    return !matter.env || say_decision(call, &matter, &decision, err);
}

bool deny_run(struct call *call, struct error *err)
{
    return say_word(call, DECISION_DENY, words_rest(call, call->words, 1), err);
}

/* The button asks for the reason in a form; whoever may not deny is told at once. */
bool deny_click(struct call *call, struct error *err)
{
    struct matter matter;
    struct decision decision = decision_of(call, DECISION_DENY, "…");
    if (!find_matter(call, &matter, err))
        return false;
    return !matter.env || (may_say(call, &matter, &decision, err) &&
                           open_form(call, matter.env, "form-deny", err));
}

bool deny_submit(struct call *call, struct error *err)
{
    return say_word(call, DECISION_DENY, call_field(call, "reason"), err);
}

/* Typed, and the button. */
bool takeback_run(struct call *call, struct error *err)
{
    const struct approver me = approver_of(call);
    struct matter matter;
    const char *words;
    if (!find_matter(call, &matter, err))
        return false;
    if (!matter.env)
        return true;
    if (!decision_take_back(call, &me, &matter, call_revision(call), &words, err))
        return false;
    answer(call, words);
    return true;
}
