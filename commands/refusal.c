#include "commands/refusal.h"

#include "base/text.h"

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
