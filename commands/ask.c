/* An approver's question before the decision, and the requester's answer: the words, the buttons
   and the forms. */
#include "commands/commands.h"

#include "commands/approver.h"
#include "base/text.h"
#include "lifecycle/view.h"
#include "lifecycle/waiting.h"

#include <string.h>
#include <talloc.h>

enum { LETTERS_MOST = 1000 };

/* What was typed, on one line and not too long; *cut says so when it was. */
static const char *one_line(struct call *call, const char *typed, const char **cut)
{
    const char *line = text_line(call, typed ? typed : "");
    bool fits = text_characters(line) <= LETTERS_MOST;
    *cut = fits ? "" : " It was cut to 1,000 letters.";
    return text_cut(call, line, LETTERS_MOST);
}

/* The values of a form about it, in the channel where it is opened. */
static cJSON *form_view(struct call *call, const struct environment *env,
                        const struct change_request *change)
{
    cJSON *view = approver_view(call, env, change);
    json_set_format(view, "metadata", "%s %s", call->envelope->channel, call->envelope->value);
    return view;
}

/* What is asked about. Who could decide it may ask, and needs no code for that. out->env NULL with
   true: the caller has been told. */
static bool may_ask(struct call *call, struct matter *out, struct error *err)
{
    struct decision decision = {
        .word = DECISION_APPROVE, .reason = "", .revision = call_revision(call), .proved = true};
    if (!approver_matter(call, out, err))
        return false;
    const struct approver me = approver_of(call);
    return !out->env || decision_allowed(call, &me, out, &decision, err);
}

static bool ask(struct call *call, const char *typed, struct error *err)
{
    struct matter matter;
    const char *cut, *question = one_line(call, typed, &cut);
    if (!may_ask(call, &matter, err))
        return false;
    if (!matter.env)
        return true;
    struct environment *env = matter.env;
    if (!*question)
        return error_set(err, ERROR_USAGE, "Say what you want to know: `%s ask %s QUESTION`.",
                         call->app->config->slack.command, env->name);
    if (!waiting_ask(call->db, env, matter.change, &call->actor, question, err))
        return false;
    bool stands = json_true(waiting_of(env, matter.change).wait->question, "pauses");
    answer(call, talloc_asprintf(
                     call, "<@%s> is asked; the answer will stand in the card's thread.%s%s",
                     matter.change ? matter.change->user : env->owner_id,
                     stands ? " Until then the request does not lapse any sooner." : "", cut));
    return true;
}

bool ask_run(struct call *call, struct error *err)
{
    return ask(call, words_rest(call, call->words, 1), err);
}

bool ask_click(struct call *call, struct error *err)
{
    struct matter matter;
    if (!may_ask(call, &matter, err))
        return false;
    if (!matter.env)
        return true;
    call->view = wording_slack(call, call->app->wording, "form-ask",
                               form_view(call, matter.env, matter.change), err);
    return call->view != NULL;
}

bool ask_submit(struct call *call, struct error *err)
{
    return ask(call, call_field(call, "question"), err);
}

/* What waits in an environment: the request for it, or its open change request. */
static bool find_waiting(struct call *call, enum environment_lock lock, struct environment **env,
                         struct change_request **change, struct error *err)
{
    bool typed = call->envelope->type == ENVELOPE_COMMAND;
    return (typed ? call_environment(call, lock, env, err)
                  : call_environment_by_value(call, lock, env, err)) &&
           change_request_open(call, call->db, (*env)->id, change, err);
}

/* question: the one of the button ("12.3": the environment and the question); 0: typed. */
static bool may_answer(struct call *call, const struct environment *env,
                       const struct change_request *change, int question, struct error *err)
{
    const struct person *me = call->person;
    const cJSON *open = waiting_of(env, change).wait->question;
    bool asked = change && strcmp(me->id, change->user) == 0 &&
                 strcmp(me->workspace, change->workspace) == 0;
    if (!asked && !call_owns(call, env))
        return error_set(err, ERROR_DENIED,
                         "Only <@%s> can answer this: it is their request. Nothing was done.",
                         change ? change->user : env->owner_id);
    if (!change && strcmp(env->state, "pending") != 0)
        return error_set(err, ERROR_CONFLICT,
                         "%s waits for no decision any more, so no answer is needed.", env->name);
    if (!open)
        return error_set(err, ERROR_CONFLICT, "Nobody waits for an answer about %s.", env->name);
    if (question && question != (int)json_integer(open, "id", 0))
        return error_set(err, ERROR_CONFLICT,
                         "That question was answered already. Now %s asks: “%s”",
                         json_string_or_empty(open, "mention"),
                         text_mrkdwn(call, json_string_or_empty(open, "text")));
    return true;
}

static bool reply(struct call *call, int question, const char *typed, struct error *err)
{
    const char *cut, *words = one_line(call, typed, &cut);
    struct environment *env;
    struct change_request *change;
    if (!find_waiting(call, ENVIRONMENT_LOCK, &env, &change, err) ||
        !may_answer(call, env, change, question, err))
        return false;
    if (!*words)
        return error_set(err, ERROR_USAGE, "Say what you answer: `%s answer %s WORDS`.",
                         call->app->config->slack.command, env->name);
    const cJSON *open = waiting_of(env, change).wait->question;
    const char *asker = talloc_strdup(call, json_string_or_empty(open, "mention"));
    waiting_answer(call->db, env, change, &call->actor, words);
    answer(call, talloc_asprintf(call, "Your answer is passed on to %s.%s", asker, cut));
    return true;
}

bool answer_run(struct call *call, struct error *err)
{
    return reply(call, 0, words_rest(call, call->words, 1), err);
}

bool answer_click(struct call *call, struct error *err)
{
    struct environment *env;
    struct change_request *change;
    if (!find_waiting(call, ENVIRONMENT_READ, &env, &change, err) ||
        !may_answer(call, env, change, call_revision(call), err))
        return false;
    call->view =
        wording_slack(call, call->app->wording, "form-answer", form_view(call, env, change), err);
    return call->view != NULL;
}

bool answer_submit(struct call *call, struct error *err)
{
    return reply(call, call_revision(call), call_field(call, "answer"), err);
}
