#include "commands/commands.h"

#include "base/text.h"
#include "commands/table.h"

#include <string.h>
#include <talloc.h>

/* Whether the person may use it anywhere: in one of the teams, for one of the templates. */
static bool may_anywhere(struct call *call, const struct command *command)
{
    if (!command->verb)
        return true;
    const struct config *config = call->app->config;
    const struct template_set *templates = call->app->templates;
    for (int t = 0; t < config->team_count; t++) {
        const char *team = config->teams[t].name;
        if (people_may(call->rules, call->person, command->verb, command->resource, team, "", NULL))
            return true;
        bool by_template = strcmp(command->resource, "environments") == 0;
        for (int i = 0; by_template && i < templates->count; i++)
            if (people_may(call->rules, call->person, command->verb, command->resource, team,
                           templates->items[i].name, NULL))
                return true;
    }
    return people_may(call->rules, call->person, command->verb, command->resource, "", "", NULL);
}

static bool one(struct call *call, const struct command *command)
{
    const char *slash = call->app->config->slack.command;
    reply_text(call, "*%s %s*%s%s\n%s.\nFor example: `%s %s`%s", slash, command->name,
               *command->usage ? " " : "", text_mrkdwn(call, command->usage), command->summary,
               slash, command->example,
               may_anywhere(call, command) ? "" : "\nThe rules do not let you use it at present.");
    return true;
}

bool help_run(struct call *call, struct error *err)
{
    const char *name = words_item(call->words, 0);
    const struct command *command = name ? command_find(commands, name) : NULL;
    if (command)
        return one(call, command);
    if (name) {
        const char *names[64];
        size_t count = 0;
        for (const struct command *each = commands; each->name && count < 64; each++)
            names[count++] = each->name;
        const char *near = text_nearest(name, names, count);
        const char *shown = text_mrkdwn(call, text_cut(call, name, 60));
        if (near)
            return error_set(err, ERROR_NOT_FOUND, "There is no command `%s`. Did you mean `%s`?",
                             shown, near);
        return error_set(err, ERROR_NOT_FOUND,
                         "There is no command `%s`. `%s help` lists what there is.", shown,
                         call->app->config->slack.command);
    }
    const char *slash = call->app->config->slack.command;
    char *text = talloc_strdup(call, "envbot hands out EKS clusters for a while. You can:\n");
    for (const struct command *each = commands; each->name; each++)
        if (may_anywhere(call, each))
            text =
                talloc_asprintf_append(text, "• `%s %s`  %s\n", slash, each->name, each->summary);
    text = talloc_asprintf_append(text, "`%s help create` tells more about one of them.", slash);
    reply_text(call, "%s", text);
    return true;
}
