/* `/env create` as a form of two pages: what and for whom; then a field for each parameter that the
   chosen template has. The second page comes in the ack of the first, so nothing waits for Slack.
 */
#include "commands/commands.h"

#include "base/duration.h"
#include "base/text.h"
#include "commands/fields.h"
#include "commands/wish.h"

#include <string.h>
#include <talloc.h>

/* Slack's limit of radio buttons. */
enum { MOST_RADIO = 10 };

/* ---- the first page ---- */

/* Those that the person may ask for in some team. */
static cJSON *template_options(struct call *call)
{
    const struct template_set *set = call->app->templates;
    cJSON *options = json_array(call);
    for (int i = 0; i < set->count && cJSON_GetArraySize(options) < FIELD_MOST_OPTIONS; i++) {
        if (!wish_possible(call, NULL, &set->items[i]))
            continue;
        cJSON *one = field_option(call, set->items[i].name, set->items[i].title);
        if (*set->items[i].description)
            json_set(one, "description", field_plain(call, set->items[i].description));
        cJSON_AddItemToArray(options, one);
    }
    return options;
}

static cJSON *teams_to_ask_in(struct call *call)
{
    const struct config *config = call->app->config;
    cJSON *teams = json_array(call);
    for (int i = 0; i < config->team_count && cJSON_GetArraySize(teams) < FIELD_MOST_OPTIONS; i++)
        if (wish_possible(call, config->teams[i].name, NULL))
            cJSON_AddItemToArray(teams, cJSON_CreateString(config->teams[i].name));
    return teams;
}

bool create_form(struct call *call, struct error *err)
{
    const cJSON *teams = teams_to_ask_in(call), *templates = template_options(call), *team;
    if (!teams->child || !templates->child)
        return error_set(err, ERROR_DENIED,
                         "The rules do not let you ask for a cluster in any team. Ask your "
                         "platform team for a role with the verb `create` on `environments`.");
    const char **own = people_teams(call, call->app->people, call->person);
    const char *first = teams->child->valuestring;
    cJSON_ArrayForEach (team, teams)
        if (own[0] && strcmp(own[0], team->valuestring) == 0)
            first = own[0];
    cJSON *values = json_object(call);
    json_set_string(values, "channel", call->envelope->channel);
    json_set_string(values, "first_team", first);
    json_set_bool(values, "few", cJSON_GetArraySize(templates) <= MOST_RADIO);
    json_set(values, "first", cJSON_Duplicate(templates->child, true));
    json_set(values, "templates", cJSON_Duplicate(templates, true));
    json_set(values, "teams", cJSON_Duplicate(teams, true));
    call->view = wording_slack(call, call->app->wording, "form-create", values, err);
    return call->view != NULL;
}

/* ---- the second page ---- */

static bool show_details(struct call *call, const struct wish *wish, struct error *err)
{
    const struct template *t = wish->template;
    cJSON *values = json_object(call), *regions = field_element("static_select", "region");
    for (int i = 0; i < FIELD_MOST_OPTIONS && t->regions[i]; i++)
        field_add_option(regions, field_option(call, t->regions[i], t->regions[i]), i == 0);
    json_set_format(values, "metadata", "%s %s %s", call->envelope->private_metadata, t->name,
                    wish->team);
    json_set_string(values, "title", t->title);
    json_set_string(values, "description", t->description);
    json_set_string(values, "team", wish->team);
    json_set_string(values, "ttl_usual", duration_short(call, t->ttl_default));
    json_set_string(values, "ttl_most", duration_text(call, t->ttl_max));
    json_set(values, "parameters", fields_of(call, t, NULL));
    json_set(values, "regions", regions);
    cJSON *view = wording_slack(call, call->app->wording, "form-create-details", values, err);
    if (!view)
        return false;
    call->reply = json_object(call);
    json_set_string(call->reply, "response_action", "update");
    json_set(call->reply, "view", cJSON_Duplicate(view, true));
    return true;
}

/* ---- what comes back ---- */

static bool read_details(struct call *call, struct wish *wish, struct error *err)
{
    struct error why;
    field_refuse(call, "name", wish_name(call, field_typed(call, "name", "name"), wish, &why),
                 &why);
    field_refuse(call, "ttl", wish_ttl(call, field_typed(call, "ttl", "ttl"), wish, &why), &why);
    field_refuse(call, "region",
                 wish_region(call, field_typed(call, "region", "region"), wish, &why), &why);
    wish->given = json_object(call);
    fields_read(call, wish->template, wish->given);
    const char *reason = field_typed(call, "reason", "reason");
    wish->reason = text_cut(call, text_line(call, reason ? reason : ""), 1000);
    if (call->errors)
        return error_set(err, ERROR_USAGE, "%s", call->errors->child->valuestring);
    return wish_judge(call, wish, err);
}

/* The first page says template and team; the second carries them: "C0GEN small payments". */
bool create_submit_prepare(struct call *call, struct error *err)
{
    struct wish *wish = talloc_zero(call, struct wish);
    struct error why;
    char *words = talloc_strdup(call, call->envelope->private_metadata), *state = NULL;
    strtok_r(words, " ", &state); /* the channel */
    const char *template = strtok_r(NULL, " ", &state), *team = strtok_r(NULL, " ", &state);
    if (template && team) {
        call->prepared = wish;
        return wish_template(call, template, wish, err) && wish_team(call, team, wish, err) &&
               read_details(call, wish, err);
    }
    template = call_field(call, "template");
    if (!wish_template(call, template ? template : "", wish, err) ||
        !wish_team(call, call_field(call, "team"), wish, err))
        return false;
    field_refuse(call, "team",
                 call_may(call, "create", "environments", wish->team, wish->template->name, &why),
                 &why);
    if (call->errors)
        return error_set(err, ERROR_DENIED, "%s", why.text);
    return show_details(call, wish, err);
}

bool create_submit(struct call *call, struct error *err)
{
    const struct wish *wish = call->prepared;
    if (!wish) /* the first page: its ack holds the second */
        return true;
    if (!wish_place(call, wish, err))
        return false;
    /* The form closes with an empty ack; the words that a typed command gets come privately. */
    answer_privately(call, json_string_or_empty(call->reply, "text"));
    call->reply = NULL;
    return true;
}
