#include "commands/commands.h"

#include "base/text.h"

#include <string.h>
#include <talloc.h>

static const struct {
    const char *verb, *resource, *words;
} asked[] = {
    {"create", "environments", "ask for clusters"},
    {"approve", "environments", "approve them"},
    {"extend", "environments", "extend anybody's"},
    {"delete", "environments", "delete anybody's"},
    {"breakglass", "environments", "break the glass"},
    {"update", "quotas", "set the quota"},
    {"get", "reports", "read the report"},
};

bool whoami_run(struct call *call, struct error *err)
{
    (void)err;
    const struct person *me = call->person;
    const struct config *config = call->app->config;
    char *text = talloc_asprintf(call, "You are *%s* (`%s`), for the rules `%s`.\n",
                                 text_mrkdwn(call, me->name), me->id, me->rbac_user);
    text = talloc_asprintf_append(
        text, "Mail: %s\nGroups: ", me->mail ? text_mrkdwn(call, me->mail) : "unknown, so none");
    for (int i = 0; me->groups[i]; i++)
        text = talloc_asprintf_append(text, "%s`%s`", i ? ", " : "", me->groups[i]);
    if (me->groups_unknown)
        text = talloc_asprintf_append(text, "%sSlack cannot tell those of Slack at the moment",
                                      me->groups[0] ? "; " : "");
    else if (!me->groups[0])
        text = talloc_strdup_append(text, "none");
    for (int t = 0; t < config->team_count; t++) {
        const char *team = config->teams[t].name;
        text = talloc_asprintf_append(text, "\n*%s*: you may ", team);
        bool any = false;
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
            bool may =
                people_may(call->rules, me, asked[i].verb, asked[i].resource, team, "", NULL);
            const struct template_set *templates = call->app->templates;
            for (int k = 0; !may && k < templates->count; k++)
                may = strcmp(asked[i].resource, "environments") == 0 &&
                      people_may(call->rules, me, asked[i].verb, asked[i].resource, team,
                                 templates->items[k].name, NULL);
            if (may)
                text = talloc_asprintf_append(text, "%s%s", any ? ", " : "", asked[i].words);
            any = any || may;
        }
        if (!any)
            text = talloc_strdup_append(text, "only look");
    }
    reply_text(call, "%s", text);
    return true;
}
