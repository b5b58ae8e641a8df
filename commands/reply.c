#include "commands/call.h"

#include "base/text.h"
#include "lifecycle/say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

void reply_text(struct call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = talloc_vasprintf(call, format, args);
    va_end(args);
    call->reply = json_object(call);
    json_set_string(call->reply, "response_type", "ephemeral");
    /* chat text beyond 4,000 characters comes out in pieces */
    json_set_string(call->reply, "text", text_cut(call, text, 3900));
}

void answer_privately(struct call *call, const char *words)
{
    const struct envelope *e = call->envelope;
    const char *channel = e->type == ENVELOPE_SUBMISSION ? e->private_metadata : e->channel;
    /* A form's private_metadata may say more than a channel, for its own use. */
    char *place = talloc_strndup(call, channel, strcspn(channel, " "));
    cJSON *values = json_object(call);
    json_set_string(values, "words", words);
    say_private(call->db, NULL, e->user, *place ? place : NULL, "private", values);
}

void answer(struct call *call, const char *words)
{
    if (call->envelope->type == ENVELOPE_COMMAND)
        reply_text(call, "%s", words);
    else
        answer_privately(call, words);
}

bool reply_template(struct call *call, const char *name, const cJSON *values, struct error *err)
{
    cJSON *message = wording_slack(call, call->app->wording, name, values, err);
    if (!message)
        return false;
    json_set_string(message, "response_type", "ephemeral");
    call->reply = message;
    return true;
}

/* The nearest living name to one that does not exist. */
static bool no_such_name(struct call *call, const char *name, struct error *err)
{
    const char *shown = text_mrkdwn(call, text_cut(call, name, 60));
    struct rows *rows = db_query(call, call->db, err,
                                 "SELECT name FROM environments WHERE ended_at IS NULL"
                                 " ORDER BY id DESC LIMIT 200",
                                 P0);
    if (!rows)
        return false;
    int count = rows_count(rows);
    const char **names = talloc_array(call, const char *, (unsigned)count + 1);
    for (int i = 0; i < count; i++)
        names[i] = rows_text(rows, i, "name");
    const char *near = text_nearest(name, names, (size_t)count);
    if (near)
        return error_set(err, ERROR_NOT_FOUND, "There is no environment `%s`. Did you mean `%s`?",
                         shown, near);
    return error_set(err, ERROR_NOT_FOUND,
                     "There is no environment `%s`. `%s list --all` shows what there is.", shown,
                     call->app->config->slack.command);
}

bool call_environment(struct call *call, enum environment_lock lock, struct environment **out,
                      struct error *err)
{
    const char *name = words_item(call->words, 0), *team = words_option(call->words, "team");
    if (!name)
        return error_set(err, ERROR_USAGE, "Say which environment: its name comes first.");
    /* payments-demo is the cluster's name, payments/demo how people write it */
    const char *slash = strchr(name, '/');
    if (slash && !team) {
        team = talloc_strndup(call, name, (size_t)(slash - name));
        name = slash + 1;
    }
    if (team && !config_team(call->app->config, team))
        return error_set(err, ERROR_NOT_FOUND, "There is no team `%s`.",
                         text_mrkdwn(call, text_cut(call, team, 60)));
    if (!environment_by_name(call, call->db, team, name, lock, out, err))
        return false;
    return *out ? true : no_such_name(call, name, err);
}

static const char *value_of(const struct call *call)
{
    if (call->envelope->type != ENVELOPE_SUBMISSION)
        return call->envelope->value;
    const char *space = strrchr(call->envelope->private_metadata, ' ');
    return space ? space + 1 : "";
}

int call_revision(const struct call *call)
{
    const char *dot = strchr(value_of(call), '.');
    return dot ? atoi(dot + 1) : 0;
}

bool call_environment_by_value(struct call *call, enum environment_lock lock,
                               struct environment **out, struct error *err)
{
    const char *value = value_of(call);
    char *end;
    long long id = strtoll(value, &end, 10);
    if (end == value || (*end && *end != '.') || id <= 0)
        return error_set(err, ERROR_USAGE, "This button is not one of envbot's. Nothing was done.");
    if (!environment_by_id(call, call->db, id, lock, out, err))
        return false;
    return *out ? true
                : error_set(err, ERROR_NOT_FOUND,
                            "What this button belongs to does not exist. Nothing was done.");
}

bool call_owns(const struct call *call, const struct environment *env)
{
    return strcmp(call->person->id, env->owner_id) == 0 &&
           strcmp(call->person->workspace, env->owner_workspace) == 0;
}

bool call_may(struct call *call, const char *verb, const char *resource, const char *team,
              const char *template, struct error *err)
{
    struct rbac_reason why;
    if (people_may(call->app->rules, call->person, verb, resource, team, template, &why)) {
        call->actor.rule = talloc_strdup(call, why.text);
        return true;
    }
    const char **who = rbac_subjects(call, call->app->rules, team, verb, resource, template);
    char *names = talloc_strdup(call, "");
    for (int i = 0; i < 4 && who[i]; i++)
        names = talloc_asprintf_append(names, "%s%s", i ? ", " : "", who[i]);
    if (*names)
        return error_set(err, ERROR_DENIED,
                         "The rules do not let you %s %s in %s. They allow it to: %s.", verb,
                         resource, *team ? team : "all teams", names);
    return error_set(err, ERROR_DENIED,
                     "The rules let nobody %s %s in %s. Ask whoever runs envbot for a role with "
                     "that verb.",
                     verb, resource, *team ? team : "all teams");
}

bool call_may_or_owns(struct call *call, const char *verb, const struct environment *env,
                      struct error *err)
{
    return call_owns(call, env) ||
           call_may(call, verb, "environments", env->team, env->template, err);
}
