#include "commands/refusal.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

static bool matters(const struct call *call, const struct error *why)
{
    if (!call->person || !call->command || call->command->reads)
        return false;
    if (why->code == ERROR_DENIED)
        return true;
    return call->command->decides && (why->code == ERROR_CONFLICT || why->code == ERROR_NOT_FOUND ||
                                      why->code == ERROR_USAGE);
}

/* What was typed, or what the button or form says it is about. Not a form's fields: one may hold a
   one-time code. */
static const char *what_was_said(struct call *call)
{
    const struct envelope *e = call->envelope;
    const char *said = e->type == ENVELOPE_COMMAND  ? e->text
                       : e->type == ENVELOPE_ACTION ? e->value
                                                    : e->private_metadata;
    return text_cut(call, text_clean(call, said), 1000);
}

void refusal_note(struct call *call, const struct error *why)
{
    static const char *const ways[] = {
        [ENVELOPE_COMMAND] = "typed", [ENVELOPE_ACTION] = "button", [ENVELOPE_SUBMISSION] = "form"};
    const struct envelope *e = call->envelope;
    if (!matters(call, why) || e->type > ENVELOPE_SUBMISSION)
        return;
    int64_t about = call->about;
    if (!about && e->type == ENVELOPE_ACTION) /* refused before anybody looked for it */
        about = strtoll(e->value, NULL, 10);
    cJSON *detail = json_object(call);
    json_set_string(detail, "asked", call->command->name);
    json_set_string(detail, "by", ways[e->type]);
    json_set_string(detail, "said", what_was_said(call));
    json_set_string(detail, "code", error_name(why->code));
    json_set_string(detail, "answer", why->text);
    audit_add(call->db, &call->actor, about, NULL, "refused", NULL, NULL, detail);
}

/* Whether what was clicked is one of the environment's messages: who sees that may be told. */
static bool of_its_message(struct call *call, const struct environment *env, bool *out,
                           struct error *err)
{
    struct rows *rows = db_query(
        call, call->db, err,
        "SELECT FROM messages WHERE environment = $1::bigint"
        " AND channel = $2 AND ts = $3",
        P(talloc_asprintf(call, "%" PRId64, env->id), call->actor.channel, call->actor.message));
    *out = rows && rows_count(rows) > 0;
    return rows != NULL;
}

static bool sees(struct call *call, const struct environment *env)
{
    static const char *const verbs[] = {"get", "approve"};
    bool seen = call_owns(call, env) || call_sees(call, env->team);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs && !seen; i++)
        seen = people_may(call->rules, call->person, verbs[i], "environments", env->team,
                          env->template, NULL);
    return seen;
}

void refusal_hide(struct call *call, struct error *err)
{
    struct environment *env;
    struct error ignored;
    bool typed = call->envelope->type == ENVELOPE_COMMAND, from_it;
    bool tells = err->code == ERROR_DENIED || err->code == ERROR_CONFLICT ||
                 err->code == ERROR_NOT_FOUND || err->code == ERROR_USAGE;
    tells = tells && strncmp(err->text, "PostgreSQL", 10) != 0; /* it is run again, or ours */
    if (typed || !tells || !call->about || !db_in_transaction(call->db) ||
        !environment_by_id(call, call->db, call->about, ENVIRONMENT_READ, &env, &ignored) || !env ||
        !of_its_message(call, env, &from_it, &ignored))
        return;
    if (!from_it && !sees(call, env))
        error_set(err, ERROR_NOT_FOUND, REFUSAL_NOT_SHOWN);
}
