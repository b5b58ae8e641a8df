/* An approver's question before the decision, and the owner's answer: the words, the buttons and
   the forms. */
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

static cJSON *form_view(struct call *call, const struct environment *env)
{
    cJSON *view = view_of(call, env);
    json_set_format(view, "metadata", "%s %s", call->envelope->channel, call->envelope->value);
    return view;
}

/* Who could decide it may ask, and needs no code for that. */
static bool may_ask(struct call *call, struct environment *env, struct error *err)
{
    struct decision decision = {
        .word = DECISION_APPROVE, .reason = "", .revision = call_revision(call), .proved = true};
    const struct approver me = approver_of(call);
    const struct matter matter = matter_request(env);
    return decision_allowed(call, &me, &matter, &decision, err);
}

static bool ask(struct call *call, struct environment *env, const char *typed, struct error *err)
{
    const char *cut, *question = one_line(call, typed, &cut);
    if (!may_ask(call, env, err))
        return false;
    if (!*question)
        return error_set(err, ERROR_USAGE, "Say what you want to know: `%s ask %s QUESTION`.",
                         call->app->config->slack.command, env->name);
    if (!waiting_ask(call->db, env, &call->actor, question, err))
        return false;
    bool stands = json_true(env->question, "pauses");
    answer(call, talloc_asprintf(
                     call, "<@%s> is asked; the answer will stand in the card's thread.%s%s",
                     env->owner_id,
                     stands ? " Until then the request does not lapse any sooner." : "", cut));
    return true;
}

bool ask_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) &&
           ask(call, env, words_rest(call, call->words, 1), err);
}

bool ask_click(struct call *call, struct error *err)
{
    struct environment *env;
    if (!call_environment_by_card(call, ENVIRONMENT_READ, &env, err) || !may_ask(call, env, err))
        return false;
    call->view = wording_slack(call, call->app->wording, "form-ask", form_view(call, env), err);
    return call->view != NULL;
}

bool ask_submit(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_card(call, ENVIRONMENT_LOCK, &env, err) &&
           ask(call, env, call_field(call, "question"), err);
}

/* A button says which question it is of ("12.3": the environment and the question). */
static bool may_answer(struct call *call, const struct environment *env, int question,
                       struct error *err)
{
    if (!call_owns(call, env))
        return error_set(err, ERROR_DENIED,
                         "Only <@%s> can answer this: it is their request. Nothing was done.",
                         env->owner_id);
    if (strcmp(env->state, "pending") != 0)
        return error_set(err, ERROR_CONFLICT,
                         "%s waits for no decision any more, so no answer is needed.", env->name);
    if (!env->question)
        return error_set(err, ERROR_CONFLICT, "Nobody waits for an answer about %s.", env->name);
    if (question && question != (int)json_integer(env->question, "id", 0))
        return error_set(err, ERROR_CONFLICT,
                         "That question was answered already. Now %s asks: “%s”",
                         json_string_or_empty(env->question, "mention"),
                         text_mrkdwn(call, json_string_or_empty(env->question, "text")));
    return true;
}

static bool reply(struct call *call, struct environment *env, int question, const char *typed,
                  struct error *err)
{
    const char *cut, *words = one_line(call, typed, &cut);
    if (!may_answer(call, env, question, err))
        return false;
    if (!*words)
        return error_set(err, ERROR_USAGE, "Say what you answer: `%s answer %s WORDS`.",
                         call->app->config->slack.command, env->name);
    const char *asker = talloc_strdup(call, json_string_or_empty(env->question, "mention"));
    waiting_answer(call->db, env, &call->actor, words);
    answer(call, talloc_asprintf(call, "Your answer is passed on to %s.%s", asker, cut));
    return true;
}

bool answer_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_LOCK, &env, err) &&
           reply(call, env, 0, words_rest(call, call->words, 1), err);
}

bool answer_click(struct call *call, struct error *err)
{
    struct environment *env;
    if (!call_environment_by_value(call, ENVIRONMENT_READ, &env, err) ||
        !may_answer(call, env, call_revision(call), err))
        return false;
    call->view = wording_slack(call, call->app->wording, "form-answer", form_view(call, env), err);
    return call->view != NULL;
}

bool answer_submit(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_value(call, ENVIRONMENT_LOCK, &env, err) &&
           reply(call, env, call_revision(call), call_field(call, "answer"), err);
}
