#include "commands/call.h"

#include "approvals/whom.h"
#include "base/text.h"
#include "commands/refusal.h"
#include "lifecycle/say.h"
#include "lifecycle/view.h"
#include "slack/blocks.h"

#include <inttypes.h>
#include <stdarg.h>
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

/* Errors of a form are plain text: no entities, and quotes in place of code. */
static char *plain_words(struct call *call, const char *words)
{
    static const char *const entities[][2] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}};
    char *plain = talloc_strdup(call, "");
    bool open = false;
    while (*words) {
        const char *put = NULL;
        size_t used = 1;
        for (size_t i = 0; !put && i < sizeof entities / sizeof *entities; i++) {
            if (strncmp(words, entities[i][0], strlen(entities[i][0])) == 0) {
                put = entities[i][1];
                used = strlen(entities[i][0]);
            }
        }
        if (*words == '`') {
            open = !open;
            put = open ? "“" : "”";
        }
        plain = put ? talloc_strdup_append_buffer(plain, put)
                    : talloc_strndup_append_buffer(plain, words, 1);
        words += used;
    }
    return plain;
}

/* Slack takes errors for input blocks of the form only, and shows them at these. */
void reply_form_refused(struct call *call, const char *words)
{
    const cJSON *state = call->envelope->state, *each;
    cJSON *errors = cJSON_CreateObject();
    cJSON_ArrayForEach (each, call->errors)
        if (cJSON_GetObjectItemCaseSensitive(state, each->string))
            json_set_string(errors, each->string, plain_words(call, each->valuestring));
    if (!errors->child)
        json_set_string(errors, state && state->child ? state->child->string : "form",
                        plain_words(call, words));
    call->reply = json_object(call);
    json_set_string(call->reply, "response_action", "errors");
    json_set(call->reply, "errors", errors);
}

/* A form's private_metadata may say more than a channel, for its own use. */
const char *call_channel(struct call *call)
{
    const struct envelope *e = call->envelope;
    const char *channel = e->type == ENVELOPE_SUBMISSION ? e->private_metadata : e->channel;
    return talloc_strndup(call, channel, strcspn(channel, " "));
}

void answer_privately(struct call *call, const char *words)
{
    const struct envelope *e = call->envelope;
    const char *place = call_channel(call);
    cJSON *values = json_object(call);
    json_set_string(values, "words", words);
    /* Who is not of this workspace is not to be found by a user id: it may be another one's here.
     */
    const struct person *who = call->person;
    if (who && (who->stranger || who->deleted || who->bot) && *e->response_url)
        json_set_string(values, "response_url", e->response_url);
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
    blocks_fit(message);
    json_set_string(message, "response_type", "ephemeral");
    call->reply = message;
    return true;
}

bool answer_template(struct call *call, const char *name, const struct environment *env,
                     struct error *err)
{
    cJSON *message = wording_slack(call, call->app->wording, name, view_of(call, env), err);
    if (!message)
        return false;
    answer(call, json_string_or_empty(message, "text"));
    return true;
}

bool call_no_such(struct call *call, const char *what, const char *given, const char *const *known,
                  size_t count, struct error *err)
{
    const char *near = text_nearest(given, known, count);
    const char *shown = text_mrkdwn(call, text_cut(call, given, 60));
    if (near)
        return error_set(err, ERROR_NOT_FOUND, "There is no %s `%s`. Did you mean `%s`?", what,
                         shown, near);
    return error_set(err, ERROR_NOT_FOUND, "There is no %s `%s`. There is: %s.", what, shown,
                     text_list(call, known, count, "and"));
}

bool call_team(struct call *call, const char *name, const char **team, struct error *err)
{
    const struct config *config = call->app->config;
    const struct config_team *found = config_team(config, name);
    if (found) {
        *team = found->name;
        return true;
    }
    const char **names = talloc_array(call, const char *, (unsigned)config->team_count + 1);
    for (int i = 0; i < config->team_count; i++)
        names[i] = config->teams[i].name;
    return call_no_such(call, "team", name, names, (size_t)config->team_count, err);
}

static bool has_option(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

static bool no_such_option(struct call *call, const struct command *command, const char *given,
                           struct error *err)
{
    enum { MOST = 16 };
    const char *known[MOST];
    size_t count = 0;
    for (const char *const *each = command->switches; each && *each && count < MOST; each++)
        known[count++] = *each;
    for (const char *const *each = command->options; each && *each && count < MOST; each++)
        known[count++] = *each;
    const char *shown = text_mrkdwn(call, text_cut(call, given, 60));
    const char *near = text_nearest(given, known, count);
    if (near)
        return error_set(err, ERROR_USAGE, "`%s` has no option `--%s`. Did you mean `--%s`?",
                         command->name, shown, near);
    char *all = talloc_strdup(call, "");
    for (size_t i = 0; i < count; i++)
        all = talloc_asprintf_append(all, "%s`--%s`", i ? ", " : "", known[i]);
    return error_set(err, ERROR_USAGE, "`%s` has no option `--%s`. It takes %s.", command->name,
                     shown, *all ? all : "none");
}

bool call_words(struct call *call, const struct command *command, struct error *err)
{
    const struct words *words = call->words;
    bool open = command->words == ANY_WORDS && !command->options;
    for (int i = 0; i < words->option_count && !open; i++)
        if (!has_option(command->switches, words->options[i].name) &&
            !has_option(command->options, words->options[i].name))
            return no_such_option(call, command, words->options[i].name, err);
    const char *more = command->words == ANY_WORDS ? NULL : words_item(words, command->words);
    if (!more)
        return true;
    char *understood = talloc_strdup(call, command->name);
    for (int i = 0; i < command->words; i++)
        understood = talloc_asprintf_append(understood, " %s",
                                            text_mrkdwn(call, text_cut(call, words->items[i], 60)));
    return error_set(err, ERROR_USAGE,
                     "I understood `%s`, but not `%s` after it. Nothing was done. It is written "
                     "`%s %s %s`.",
                     understood, text_mrkdwn(call, text_cut(call, more, 60)),
                     call->app->config->slack.command, command->name, command->usage);
}

bool call_sees(const struct call *call, const char *team)
{
    return people_may(call->rules, call->person, "list", "environments", team, "", NULL);
}

const char *call_hidden_teams(const struct call *call)
{
    const struct config *config = call->app->config;
    char *list = talloc_strdup(call, "{");
    for (int i = 0; i < config->team_count; i++)
        if (!call_sees(call, config->teams[i].name))
            list =
                talloc_asprintf_append(list, "%s\"%s\"", list[1] ? "," : "", config->teams[i].name);
    return talloc_strdup_append(list, "}");
}

/* The nearest living name to one that does not exist, of those that this person may see. */
static bool no_such_name(struct call *call, const char *name, struct error *err)
{
    const char *shown = text_mrkdwn(call, text_cut(call, name, 60));
    struct rows *rows =
        db_query(call, call->db, err,
                 "SELECT name FROM environments WHERE ended_at IS NULL"
                 " AND (team <> ALL ($1::text[])"
                 "  OR (owner_workspace = $2 AND owner_id = $3))"
                 " ORDER BY id DESC LIMIT 200",
                 P(call_hidden_teams(call), call->person->workspace, call->person->id));
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
    if (team && !call_team(call, team, &team, err))
        return false;
    struct onlooker who = {call->person->workspace, call->person->id, call_hidden_teams(call)};
    if (!environment_by_name(call, call->db, team, name, &who, lock, out, err))
        return false;
    if (!*out)
        return no_such_name(call, name, err);
    call->about = (*out)->id;
    return true;
}

const char *call_field(struct call *call, const char *name)
{
    const char *value = envelope_input(call->envelope, name, name);
    return value ? text_clean(call, value) : NULL;
}

/* A form's private_metadata: the channel, perhaps who opened it, and the value. */
const char *call_opener(struct call *call)
{
    const char *first = strchr(call->envelope->private_metadata, ' ');
    const char *second = first ? strchr(first + 1, ' ') : NULL;
    return second ? talloc_strndup(call, first + 1, (size_t)(second - first - 1)) : "";
}

static const char *value_of(const struct call *call)
{
    if (call->envelope->type != ENVELOPE_SUBMISSION)
        return call->envelope->value;
    const char *first = strchr(call->envelope->private_metadata, ' ');
    const char *second = first ? strchr(first + 1, ' ') : NULL;
    return second && second > first + 1 ? second + 1 : first ? first + 1 : "";
}

/* A whole number from 1 on, of digits alone; 0 when it is none. Stands at *at, which moves on. */
static int64_t take_number(const char **at, int64_t most)
{
    int64_t number = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) {
        number = number * 10 + (**at - '0');
        if (number > most)
            return 0;
    }
    return number;
}

/* "12", "12.1" or "12.1.7"; revision and change are 0 when there are none. */
static bool read_value(const struct call *call, int64_t *id, int *revision, int64_t *change)
{
    const char *at = value_of(call);
    *id = take_number(&at, INT64_MAX / 20);
    bool fine = *id > 0;
    *revision = 0;
    *change = 0;
    if (fine && *at == '.') {
        at++;
        *revision = (int)take_number(&at, INT32_MAX);
        fine = *revision > 0;
    }
    if (fine && *revision && *at == '.') {
        at++;
        *change = take_number(&at, INT64_MAX / 20);
        fine = *change > 0;
    }
    return fine && !*at;
}

int call_revision(const struct call *call)
{
    int64_t id, change;
    int revision;
    return read_value(call, &id, &revision, &change) ? revision : 0;
}

int64_t call_value_id(const struct call *call)
{
    int64_t id, change;
    int revision;
    return read_value(call, &id, &revision, &change) ? id : 0;
}

int64_t call_change(const struct call *call)
{
    int64_t id, change;
    int revision;
    return read_value(call, &id, &revision, &change) ? change : 0;
}

bool call_environment_by_value(struct call *call, enum environment_lock lock,
                               struct environment **out, struct error *err)
{
    int64_t id, change;
    int revision;
    if (!read_value(call, &id, &revision, &change) || change)
        return error_set(err, ERROR_USAGE, "This button is not one of envbot's. Nothing was done.");
    if (!environment_by_id(call, call->db, id, lock, out, err))
        return false;
    if (!*out)
        return error_set(err, ERROR_NOT_FOUND, REFUSAL_NOT_SHOWN);
    call->about = (*out)->id;
    return true;
}

bool call_environment_by_card(struct call *call, enum environment_lock lock,
                              struct environment **out, struct error *err)
{
    if (call_revision(call) == 0)
        return error_set(err, ERROR_USAGE, "This button is not one of envbot's. Nothing was done.");
    return call_environment_by_value(call, lock, out, err);
}

bool call_owns(const struct call *call, const struct environment *env)
{
    return strcmp(call->person->id, env->owner_id) == 0 &&
           strcmp(call->person->workspace, env->owner_workspace) == 0;
}

/* A verb of the rules as people say it, before "environments", "quotas" or "reports". */
static const char *verb_words(const char *verb)
{
    static const char *const words[][2] = {
        {"get", "see"},       {"create", "ask for"}, {"logs", "read the logs of"},
        {"update", "change"}, {"pause", "pause"},    {"breakglass", "break the glass for"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], verb) == 0)
            return words[i][1];
    return verb;
}

bool call_may(struct call *call, const char *verb, const char *resource, const char *team,
              const char *template, struct error *err)
{
    struct rbac_reason why;
    if (people_may(call->rules, call->person, verb, resource, team, template, &why)) {
        call->actor.rule = talloc_strdup(call, why.text);
        return true;
    }
    /* Who may ask for one template may not ask for all. */
    const char *what =
        strcmp(verb, "create") == 0 ? talloc_asprintf(call, "%s %s", template, resource) : resource;
    if (call->person->groups_unknown)
        return error_set(err, ERROR_UNAVAILABLE,
                         "Slack cannot tell at the moment which groups you are in, and without one "
                         "the rules do not let you %s %s in %s. Please try again in a minute.",
                         verb_words(verb), what, *team ? team : "all teams");
    return error_set(err, ERROR_DENIED,
                     "The rules do not let you %s %s in %s, so nothing was done. %s",
                     verb_words(verb), what, *team ? team : "all teams",
                     whom_to_ask(call, call->rules, verb, resource, team, template));
}

bool call_may_or_owns(struct call *call, const char *verb, const struct environment *env,
                      struct error *err)
{
    return call_owns(call, env) ||
           call_may(call, verb, "environments", env->team, env->template, err);
}
