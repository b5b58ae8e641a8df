/* `/env create` as a form of two pages: what and for whom; then a field for each parameter that the
   chosen template has. The second page comes in the ack of the first, so nothing waits for Slack.
 */
#include "commands/commands.h"

#include "base/duration.h"
#include "base/text.h"
#include "commands/wish.h"

#include <string.h>
#include <talloc.h>

/* Slack's limits: radio buttons, options of a select, an option's text. */
enum { MOST_RADIO = 10, MOST_OPTIONS = 100, MOST_OPTION_TEXT = 75 };

/* A parameter's block: "set-nodes". The name cannot meet one of the form's own blocks. */
static const char *block_of(struct call *call, const char *parameter)
{
    return talloc_asprintf(call, "set-%s", parameter);
}

static cJSON *plain(struct call *call, const char *text)
{
    cJSON *object = cJSON_CreateObject();
    json_set_string(object, "type", "plain_text");
    json_set_string(object, "text", text_cut(call, text, MOST_OPTION_TEXT));
    return object;
}

static cJSON *option(struct call *call, const char *value, const char *text)
{
    cJSON *object = cJSON_CreateObject();
    json_set(object, "text", plain(call, text));
    json_set_string(object, "value", value);
    return object;
}

static cJSON *element(const char *type, const char *action)
{
    cJSON *object = cJSON_CreateObject();
    json_set_string(object, "type", type);
    json_set_string(object, "action_id", action);
    return object;
}

static void add_option(cJSON *select, cJSON *added, bool initial)
{
    if (!cJSON_GetObjectItemCaseSensitive(select, "options"))
        json_set(select, "options", cJSON_CreateArray());
    if (initial)
        json_set(select, "initial_option", cJSON_Duplicate(added, true));
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(select, "options"), added);
}

/* ---- the first page ---- */

static cJSON *template_options(struct call *call)
{
    const struct template_set *set = call->app->templates;
    cJSON *options = cJSON_CreateArray();
    for (int i = 0; i < set->count && i < MOST_OPTIONS; i++) {
        cJSON *one = option(call, set->items[i].name, set->items[i].title);
        if (*set->items[i].description)
            json_set(one, "description", plain(call, set->items[i].description));
        cJSON_AddItemToArray(options, one);
    }
    return options;
}

static bool may_ask_in(struct call *call, const char *team)
{
    const struct template_set *set = call->app->templates;
    for (int i = 0; i < set->count; i++)
        if (people_may(call->rules, call->person, "create", "environments", team,
                       set->items[i].name, NULL))
            return true;
    return false;
}

static cJSON *teams_to_ask_in(struct call *call)
{
    const struct config *config = call->app->config;
    cJSON *teams = json_array(call);
    for (int i = 0; i < config->team_count && cJSON_GetArraySize(teams) < MOST_OPTIONS; i++)
        if (may_ask_in(call, config->teams[i].name))
            cJSON_AddItemToArray(teams, cJSON_CreateString(config->teams[i].name));
    return teams;
}

bool create_form(struct call *call, struct error *err)
{
    const cJSON *teams = teams_to_ask_in(call), *team;
    if (!teams->child || !call->app->templates->count)
        return error_set(err, ERROR_DENIED,
                         "The rules do not let you ask for a cluster in any team. Ask your "
                         "platform team for a role with the verb `create` on `environments`.");
    const char **own = people_teams(call, call->app->people, call->person);
    const char *first = teams->child->valuestring;
    cJSON_ArrayForEach (team, teams)
        if (own[0] && strcmp(own[0], team->valuestring) == 0)
            first = own[0];
    cJSON *values = json_object(call), *templates = template_options(call);
    json_set_string(values, "channel", call->envelope->channel);
    json_set_string(values, "first_team", first);
    json_set_bool(values, "few", call->app->templates->count <= MOST_RADIO);
    json_set(values, "first", cJSON_Duplicate(templates->child, true));
    json_set(values, "templates", templates);
    json_set(values, "teams", cJSON_Duplicate(teams, true));
    call->view = wording_slack(call, call->app->wording, "form-create", values, err);
    return call->view != NULL;
}

/* ---- the second page ---- */

static cJSON *choices_element(struct call *call, const cJSON *parameter)
{
    cJSON *select = element("static_select", "value");
    const cJSON *each, *normal = json_at(parameter, "default");
    int count = 0;
    cJSON_ArrayForEach (each, json_at(parameter, "choices")) {
        const char *word = cJSON_IsString(each) ? each->valuestring : json_text(call, each);
        if (count++ < MOST_OPTIONS)
            add_option(select, option(call, word, word), cJSON_Compare(each, normal, true));
    }
    return select;
}

static cJSON *boolean_element(struct call *call, const cJSON *parameter)
{
    cJSON *select = element("static_select", "value");
    bool yes = json_true(parameter, "default");
    add_option(select, option(call, "yes", "Yes"), yes);
    add_option(select, option(call, "no", "No"), !yes);
    return select;
}

static cJSON *typed_element(struct call *call, const cJSON *parameter)
{
    cJSON *input = element("plain_text_input", "value");
    const cJSON *normal = json_at(parameter, "default");
    const char *text = cJSON_IsString(normal) ? normal->valuestring
                       : normal               ? json_text(call, normal)
                                              : "";
    if (*text)
        json_set_string(input, "initial_value", text);
    json_set_number(input, "max_length", (double)json_integer(parameter, "length", 100));
    return input;
}

static const char *hint_of(struct call *call, const cJSON *parameter)
{
    const cJSON *least = json_at(parameter, "min"), *most = json_at(parameter, "max");
    if (least && most)
        return talloc_asprintf(call, "From %s to %s.", json_text(call, least),
                               json_text(call, most));
    if (most)
        return talloc_asprintf(call, "At most %s.", json_text(call, most));
    return least ? talloc_asprintf(call, "At least %s.", json_text(call, least)) : "";
}

static cJSON *parameter_fields(struct call *call, const struct template *t)
{
    cJSON *fields = cJSON_CreateArray();
    const cJSON *each;
    cJSON_ArrayForEach (each, t->parameters) {
        const char *type = json_string_or_empty(each, "type"), *title = json_string(each, "title");
        cJSON *field = cJSON_CreateObject();
        json_set_string(field, "block", block_of(call, each->string));
        json_set_string(field, "title", title ? title : each->string);
        json_set_string(field, "hint", hint_of(call, each));
        json_set(field, "element",
                 strcmp(type, "choice") == 0    ? choices_element(call, each)
                 : strcmp(type, "boolean") == 0 ? boolean_element(call, each)
                                                : typed_element(call, each));
        cJSON_AddItemToArray(fields, field);
    }
    return fields;
}

static bool show_details(struct call *call, const struct wish *wish, struct error *err)
{
    const struct template *t = wish->template;
    cJSON *values = json_object(call), *regions = element("static_select", "region");
    for (int i = 0; i < MOST_OPTIONS && t->regions[i]; i++)
        add_option(regions, option(call, t->regions[i], t->regions[i]), i == 0);
    json_set_format(values, "metadata", "%s %s %s", call->envelope->private_metadata, t->name,
                    wish->team);
    json_set_string(values, "title", t->title);
    json_set_string(values, "description", t->description);
    json_set_string(values, "team", wish->team);
    json_set_string(values, "ttl_usual", duration_short(call, t->ttl_default));
    json_set_string(values, "ttl_most", duration_text(call, t->ttl_max));
    json_set(values, "parameters", parameter_fields(call, t));
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

/* Notes a refusal at its field; the form shows all of them at once. */
static void at_field(struct call *call, const char *block, bool ok, const struct error *why)
{
    if (ok)
        return;
    if (!call->errors)
        call->errors = json_object(call);
    json_set_string(call->errors, block, why->text);
}

static const char *typed(struct call *call, const char *block, const char *action)
{
    const char *given = envelope_input(call->envelope, block, action);
    return given ? text_clean(call, given) : NULL;
}

/* Each parameter by itself, so that each mistake stands at its own field. */
static void read_parameters(struct call *call, struct wish *wish)
{
    struct error why;
    const cJSON *each;
    wish->given = json_object(call);
    cJSON_ArrayForEach (each, wish->template->parameters) {
        const char *block = block_of(call, each->string), *given = typed(call, block, "value");
        if (!given)
            continue;
        cJSON *one = json_object(call);
        json_set_string(one, each->string, given);
        json_set_string(wish->given, each->string, given);
        at_field(call, block, template_values(call, wish->template, one, &why) != NULL, &why);
    }
}

static bool read_details(struct call *call, struct wish *wish, struct error *err)
{
    struct error why;
    at_field(call, "name", wish_name(call, typed(call, "name", "name"), wish, &why), &why);
    at_field(call, "ttl", wish_ttl(call, typed(call, "ttl", "ttl"), wish, &why), &why);
    at_field(call, "region", wish_region(call, typed(call, "region", "region"), wish, &why), &why);
    read_parameters(call, wish);
    const char *reason = typed(call, "reason", "reason");
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
    at_field(call, "team",
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
