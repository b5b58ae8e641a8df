/* `/env pause` and `resume`: no new job starts while somebody says so. */
#include "commands/commands.h"

#include "base/text.h"
#include "lifecycle/pausing.h"
#include "lifecycle/say.h"
#include "store/pauses.h"

#include <talloc.h>

enum { LETTERS_MOST = 300 };

const char *call_pause_words(struct call *call, const struct rows *rows)
{
    const struct pause *pause = pause_from_row(call, rows);
    return pause ? talloc_asprintf(call, " %s", text_mrkdwn(call, pausing_words(call, pause))) : "";
}

static bool may(struct call *call, struct error *err)
{
    return call_may(call, "pause", "provisioning", "", "", err);
}

/* What the audit keeps, and the operators read. */
static cJSON *detail_of(struct call *call, const struct pause *pause)
{
    cJSON *detail = json_object(call);
    json_set_string(detail, "by", call->person->name);
    json_set_format(detail, "by_mention", "<@%s>", call->person->id);
    json_set_string(detail, "reason", pause->reason);
    json_set_string(detail, "paused_by", pause->name);
    json_set_bool(detail, "everything", pause->everything);
    return detail;
}

static void tell_operators(struct call *call, const char *name, const cJSON *detail)
{
    cJSON *values = json_own(call, cJSON_Duplicate(detail, true));
    json_set_string(values, "command", call->app->config->slack.command);
    say_operators(call->db, name, values);
}

bool pause_run(struct call *call, struct error *err)
{
    if (!may(call, err))
        return false;
    const char *command = call->app->config->slack.command;
    const char *reason = text_line(call, words_rest(call, call->words, 0));
    if (!*reason)
        return error_set(err, ERROR_USAGE,
                         "Say why, for those who wait: `%s pause we look into a failure at AWS`. "
                         "Nothing was done.",
                         command);
    struct pause pause = {.workspace = call->person->workspace,
                          .user = call->person->id,
                          .name = call->person->name,
                          .reason = text_cut(call, reason, LETTERS_MOST),
                          .everything = words_option(call->words, "all") != NULL};
    cJSON *detail = detail_of(call, &pause);
    tell_operators(call, "provisioning-paused", detail);
    if (!pause_hold_claims(call->db, err))
        return false;
    pause_begin(call->db, &pause);
    audit_add(call->db, &call->actor, 0, NULL, "pause", NULL, NULL, detail);
    reply_text(call,
               "Provisioning is paused: no new job starts, and those that run finish.%s Everybody "
               "who waits is told that it was you, and why. `%s resume` ends it.",
               pause.everything ? " Deletions are paused too, so what is expired goes on to cost."
                                : " Deletions go on; `--all` would stop these, too.",
               command);
    return true;
}

bool resume_run(struct call *call, struct error *err)
{
    if (!may(call, err) || !pause_hold_claims(call->db, err))
        return false;
    struct pause *pause;
    if (!pause_find(call, call->db, &pause, err))
        return false;
    if (!pause)
        return error_set(err, ERROR_CONFLICT, "Provisioning is not paused. Nothing was done.");
    cJSON *detail = detail_of(call, pause);
    pause_end(call->db, pause->id);
    audit_add(call->db, &call->actor, 0, NULL, "resume", NULL, NULL, detail);
    tell_operators(call, "provisioning-resumed", detail);
    db_note(call->db, DB_NOTE_JOBS);
    reply_text(call, "Provisioning goes on; what waited starts in its turn.");
    return true;
}
