/* `/env create`, typed. Without words it opens the form. */
#include "commands/commands.h"

#include "base/text.h"
#include "commands/wish.h"

#include <string.h>
#include <talloc.h>

static bool is_boolean(const cJSON *parameter)
{
    return strcmp(json_string_or_empty(parameter, "type"), "boolean") == 0;
}

/* Whether every template that has it means yes or no by it: the template is not read yet. */
static bool boolean_everywhere(const struct template_set *set, const char *name)
{
    for (int i = 0; i < set->count; i++) {
        const cJSON *other = cJSON_GetObjectItemCaseSensitive(set->items[i].parameters, name);
        if (other && !is_boolean(other))
            return false;
    }
    return true;
}

const char *const *create_switches(struct call *call)
{
    const struct template_set *set = call->app->templates;
    const char **list = talloc_array(call, const char *, 3);
    unsigned count = 0;
    list[count++] = "dry-run";
    list[count++] = "break-glass";
    for (int i = 0; i < set->count; i++) {
        const cJSON *each;
        cJSON_ArrayForEach (each, set->items[i].parameters) {
            if (!is_boolean(each) || !boolean_everywhere(set, each->string))
                continue;
            list = talloc_realloc(call, list, const char *, count + 2);
            list[count++] = talloc_asprintf(call, "%s?", each->string);
        }
    }
    list[count] = NULL;
    return list;
}

static bool no_such_option(struct call *call, const char *name, const char *const *known,
                           size_t count, struct error *err)
{
    const char *near = text_nearest(name, known, count);
    const char *shown = text_mrkdwn(call, text_cut(call, name, 60));
    if (near)
        return error_set(err, ERROR_USAGE, "`create` has no option `--%s`. Did you mean `--%s`?",
                         shown, near);
    char *all = talloc_strdup(call, "");
    for (size_t i = 0; i < count; i++)
        all = talloc_asprintf_append(all, "%s`--%s`", i ? ", " : "", known[i]);
    return error_set(err, ERROR_USAGE, "`create` has no option `--%s`. It takes %s.", shown, all);
}

/* --nodes 3 is --set nodes=3; other options of create are its own. */
static bool take_parameters(struct call *call, struct wish *wish, struct error *err)
{
    static const char *const own[] = {"ttl",    "team",    "region",     "set",
                                      "reason", "dry-run", "break-glass"};
    enum { OWN = sizeof own / sizeof *own };
    const char *known[OWN + 64];
    size_t count = OWN;
    memcpy(known, own, sizeof own);
    const cJSON *each;
    cJSON_ArrayForEach (each, wish->template->parameters)
        if (count < OWN + 64)
            known[count++] = each->string;
    wish->given = json_object(call);
    for (int i = 0; i < call->words->option_count; i++) {
        const struct word_option *option = &call->words->options[i];
        if (strcmp(option->name, "set") == 0) {
            const char *equals = strchr(option->value, '=');
            if (!equals)
                return error_set(err, ERROR_USAGE, "--set takes key=value, not `%s`.",
                                 text_mrkdwn(call, text_cut(call, option->value, 60)));
            json_set_string(wish->given,
                            talloc_strndup(call, option->value, (size_t)(equals - option->value)),
                            equals + 1);
            continue;
        }
        bool is_own = false;
        for (size_t k = 0; k < OWN; k++)
            is_own = is_own || strcmp(own[k], option->name) == 0;
        if (is_own)
            continue;
        if (!cJSON_GetObjectItemCaseSensitive(wish->template->parameters, option->name))
            return no_such_option(call, option->name, known, count, err);
        json_set_string(wish->given, option->name, option->value);
    }
    return true;
}

bool create_prepare(struct call *call, struct error *err)
{
    const char *name = words_item(call->words, 0);
    if (!name && call->words->option_count == 0) {
        return create_form(call, err);
    }
    if (!name)
        return error_set(
            err, ERROR_USAGE,
            "Say which template: `%s create TEMPLATE NAME`. `%s templates` lists them.",
            call->app->config->slack.command, call->app->config->slack.command);
    if (words_item(call->words, 2))
        return error_set(err, ERROR_USAGE,
                         "Understood template `%s` and name `%s`, but not `%s`. Options begin with "
                         "--, a reason goes in quotes: --reason \"…\".",
                         text_mrkdwn(call, text_cut(call, name, 60)),
                         text_mrkdwn(call, text_cut(call, words_item(call->words, 1), 60)),
                         text_mrkdwn(call, text_cut(call, words_item(call->words, 2), 60)));
    struct wish *wish = talloc_zero(call, struct wish);
    const char *reason = words_option(call->words, "reason");
    wish->dry_run = words_option(call->words, "dry-run") != NULL;
    wish->break_glass = words_option(call->words, "break-glass") != NULL;
    wish->reason = text_cut(call, text_line(call, reason ? reason : ""), 1000);
    call->prepared = wish;
    if (wish->break_glass && !*wish->reason)
        return error_set(err, ERROR_USAGE,
                         "Whoever breaks the glass says why: add --reason \"…\". The approvers and "
                         "the operators get to read it. Nothing was done.");
    return wish_template(call, name, wish, err) && take_parameters(call, wish, err) &&
           wish_team(call, words_option(call->words, "team"), wish, err) &&
           wish_name(call, words_item(call->words, 1), wish, err) &&
           wish_region(call, words_option(call->words, "region"), wish, err) &&
           wish_ttl(call, words_option(call->words, "ttl"), wish, err) &&
           wish_judge(call, wish, err);
}

bool create_run(struct call *call, struct error *err)
{
    return call->prepared ? wish_place(call, call->prepared, err) : true;
}
