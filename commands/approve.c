/* Approve, deny, and taking an approval back: the buttons, the forms for the reason and the code,
   and the words. */
#include "commands/commands.h"

#include "approvals/code.h"
#include "base/text.h"
#include "commands/amend.h"
#include "commands/approver.h"
#include "lifecycle/view.h"
#include "store/pauses.h"

#include <string.h>
#include <talloc.h>

/* before: what is said first in the answer. */
static bool say_decision(struct call *call, struct matter *matter, const struct decision *decision,
                         const char *before, struct error *err)
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
    answer(call, talloc_asprintf(call, "%s%s", before, words));
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
    return approver_matter(call, &matter, err) &&
           (!matter.env || say_decision(call, &matter, &decision, "", err));
}

static bool may_say(struct call *call, const struct matter *matter, const struct decision *decision,
                    struct error *err)
{
    const struct approver me = approver_of(call);
    return decision_allowed(call, &me, matter, decision, err);
}

/* The values of a form about it, which is this person's. */
static cJSON *form_view(struct call *call, const struct matter *matter)
{
    cJSON *view = approver_view(call, matter->env, matter->change);
    json_set_format(view, "metadata", "%s %s %s", call->envelope->channel, call->envelope->user,
                    call->envelope->value);
    return view;
}

static bool open_form(struct call *call, const char *name, const cJSON *view, struct error *err)
{
    call->view = wording_slack(call, call->app->wording, name, view, err);
    return call->view != NULL;
}

bool approve_run(struct call *call, struct error *err)
{
    return say_word(call, DECISION_APPROVE, words_rest(call, call->words, 1), err);
}

/* The form to approve with: for a code where the template wants one, for changes where they are
   asked for. Who could not send it is told at once. */
static bool open_approval(struct call *call, struct matter *matter, bool changes, struct error *err)
{
    struct decision decision = decision_of(call, DECISION_APPROVE, "");
    decision.proved = true;
    if (!may_say(call, matter, &decision, err) ||
        (matter->policy.code &&
         !code_possible(call, call->db, call->app->config, call->person, err)))
        return false;
    cJSON *view = form_view(call, matter);
    json_set_bool(view, "code", matter->policy.code);
    json_set_bool(view, "changes", changes);
    json_set_string(view, "ttl_usual", "");
    json_set(view, "fields", cJSON_CreateArray());
    return (!changes || amend_fields(call, matter->env, view, err)) &&
           open_form(call, "form-approve", view, err);
}

/* The button asks for a code in a form where the template wants one. */
bool approve_click(struct call *call, struct error *err)
{
    struct matter matter;
    struct decision decision = decision_of(call, DECISION_APPROVE, "");
    if (!approver_matter(call, &matter, err))
        return false;
    if (!matter.env)
        return true;
    return matter.policy.code ? open_approval(call, &matter, false, err)
                              : say_decision(call, &matter, &decision, "", err);
}

bool changes_click(struct call *call, struct error *err)
{
    struct matter matter;
    if (!approver_matter(call, &matter, err))
        return false;
    if (matter.env && matter.change)
        return error_set(err, ERROR_USAGE, "This button is not one of envbot's. Nothing was done.");
    return !matter.env || open_approval(call, &matter, true, err);
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

/* A form to approve with is its opener's: what it was filled with is theirs. */
static bool own_form(struct call *call, struct error *err)
{
    const char *opener = call_opener(call);
    return !*opener || strcmp(opener, call->envelope->user) == 0 ||
           error_set(err, ERROR_DENIED,
                     "Somebody else opened this form, so nothing was decided. Open your own with "
                     "the button on the card.");
}

/* Makes the request what the form says, where that is another. *said: of it, for the answer. */
static bool amend(struct call *call, struct matter *matter, const struct team_use *use,
                  struct decision *decision, bool *kept, const char **said, struct error *err)
{
    const struct approver me = approver_of(call);
    struct decision look = *decision;
    struct amendment amendment;
    cJSON *quota;
    *kept = false;
    look.proved = true;
    if (!may_say(call, matter, &look, err) ||
        !amend_read(call, matter->env, use, &amendment, &quota, err) ||
        !prove(call, matter, decision, kept, err) || !own_form(call, err))
        return false;
    if (!*amendment.words)
        return true;
    if (!amend_make(call, &me, matter, &amendment, quota, err))
        return false;
    decision->revision = matter->revision;
    *said = talloc_asprintf(call, "Changed: %s. <@%s> is told. ",
                            text_mrkdwn(call, amendment.words), matter->env->owner_id);
    return true;
}

bool approve_submit(struct call *call, struct error *err)
{
    struct matter matter;
    struct decision decision = decision_of(call, DECISION_APPROVE, call_field(call, "reason"));
    struct team_use use;
    bool amends = amend_asked(call), kept;
    const char *said = "";
    if ((amends && !amend_lock(call, &use, err)) || !approver_matter(call, &matter, err))
        return false;
    if (!matter.env)
        return true;
    if (amends ? !amend(call, &matter, &use, &decision, &kept, &said, err)
               : !prove(call, &matter, &decision, &kept, err) || !own_form(call, err))
        return kept;
    call->errors = NULL;
    return say_decision(call, &matter, &decision, said, err);
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
    if (!approver_matter(call, &matter, err))
        return false;
    return !matter.env || (may_say(call, &matter, &decision, err) &&
                           open_form(call, "form-deny", form_view(call, &matter), err));
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
    if (!approver_matter(call, &matter, err))
        return false;
    if (!matter.env)
        return true;
    if (!decision_take_back(call, &me, &matter, call_revision(call), &words, err))
        return false;
    answer(call, words);
    return true;
}
