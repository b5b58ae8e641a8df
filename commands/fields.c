#include "commands/fields.h"

#include "base/text.h"

#include <string.h>
#include <talloc.h>

enum { MOST_OPTION_TEXT = 75 }; /* Slack's limit */

/* A parameter's block: "set-nodes". The name cannot meet one of the form's own blocks. */
const char *field_block(struct call *call, const char *parameter)
{
    return talloc_asprintf(call, "set-%s", parameter);
}

cJSON *field_plain(struct call *call, const char *text)
{
    cJSON *object = cJSON_CreateObject();
    json_set_string(object, "type", "plain_text");
    json_set_string(object, "text", text_cut(call, text, MOST_OPTION_TEXT));
    return object;
}

cJSON *field_option(struct call *call, const char *value, const char *text)
{
    cJSON *object = cJSON_CreateObject();
    json_set(object, "text", field_plain(call, text));
    json_set_string(object, "value", value);
    return object;
}

cJSON *field_element(const char *type, const char *action)
{
    cJSON *object = cJSON_CreateObject();
    json_set_string(object, "type", type);
    json_set_string(object, "action_id", action);
    return object;
}

void field_add_option(cJSON *select, cJSON *added, bool initial)
{
    if (!cJSON_GetObjectItemCaseSensitive(select, "options"))
        json_set(select, "options", cJSON_CreateArray());
    if (initial)
        json_set(select, "initial_option", cJSON_Duplicate(added, true));
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(select, "options"), added);
}

static cJSON *choices_element(struct call *call, const cJSON *parameter, const cJSON *value)
{
    cJSON *select = field_element("static_select", "value");
    const cJSON *each;
    int count = 0;
    cJSON_ArrayForEach (each, json_at(parameter, "choices")) {
        const char *word = cJSON_IsString(each) ? each->valuestring : json_text(call, each);
        if (count++ < FIELD_MOST_OPTIONS)
            field_add_option(select, field_option(call, word, word),
                             cJSON_Compare(each, value, true));
    }
    return select;
}

static cJSON *boolean_element(struct call *call, const cJSON *value)
{
    cJSON *select = field_element("static_select", "value");
    bool yes = cJSON_IsTrue(value);
    field_add_option(select, field_option(call, "yes", "Yes"), yes);
    field_add_option(select, field_option(call, "no", "No"), !yes);
    return select;
}

static cJSON *typed_element(struct call *call, const cJSON *parameter, const cJSON *value)
{
    cJSON *input = field_element("plain_text_input", "value");
    const char *text = cJSON_IsString(value) ? value->valuestring
                       : value               ? json_text(call, value)
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

cJSON *fields_of(struct call *call, const struct template *t, const cJSON *values)
{
    cJSON *fields = cJSON_CreateArray();
    const cJSON *each;
    cJSON_ArrayForEach (each, t->parameters) {
        const char *type = json_string_or_empty(each, "type"), *title = json_string(each, "title");
        const cJSON *value = values ? cJSON_GetObjectItemCaseSensitive(values, each->string)
                                    : json_at(each, "default");
        cJSON *field = cJSON_CreateObject();
        json_set_string(field, "block", field_block(call, each->string));
        json_set_string(field, "title", title ? title : each->string);
        json_set_string(field, "hint", hint_of(call, each));
        json_set(field, "element",
                 strcmp(type, "choice") == 0    ? choices_element(call, each, value)
                 : strcmp(type, "boolean") == 0 ? boolean_element(call, value)
                                                : typed_element(call, each, value));
        cJSON_AddItemToArray(fields, field);
    }
    return fields;
}

void field_refuse(struct call *call, const char *block, bool ok, const struct error *why)
{
    if (ok)
        return;
    if (!call->errors)
        call->errors = json_object(call);
    json_set_string(call->errors, block, why->text);
}

const char *field_typed(struct call *call, const char *block, const char *action)
{
    const char *given = envelope_input(call->envelope, block, action);
    return given ? text_clean(call, given) : NULL;
}

void fields_read(struct call *call, const struct template *t, cJSON *given)
{
    struct error why;
    const cJSON *each;
    cJSON_ArrayForEach (each, t->parameters) {
        const char *block = field_block(call, each->string),
                   *value = field_typed(call, block, "value");
        if (!value)
            continue;
        cJSON *one = json_object(call);
        json_set_string(one, each->string, value);
        json_set_string(given, each->string, value);
        field_refuse(call, block, template_values(call, t, one, &why) != NULL, &why);
    }
}
