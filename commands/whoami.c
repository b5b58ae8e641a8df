#include "commands/commands.h"

#include "base/text.h"
#include "store/pauses.h"

#include <string.h>
#include <talloc.h>

static const struct {
    const char *verb, *resource, *words;
} asked[] = {
    {"list", "environments", "look"},
    {"create", "environments", "ask for clusters"},
    {"approve", "environments", "approve them"},
    {"extend", "environments", "extend anybody's"},
    {"delete", "environments", "delete anybody's"},
    {"breakglass", "environments", "break the glass"},
    {"get", "quotas", "see the quota"},
    {"update", "quotas", "set the quota"},
    {"get", "reports", "read the report"},
};
enum { ASKED = sizeof asked / sizeof *asked };

/* "approve them", "approve them (only small, gpu)" or NULL, for one line of the table. */
static const char *allowed_words(struct call *call, size_t i, const char *team)
{
    const struct template_set *templates = call->app->templates;
    char *only = NULL;
    if (people_may(call->rules, call->person, asked[i].verb, asked[i].resource, team, "", NULL))
        return asked[i].words;
    for (int k = 0; strcmp(asked[i].resource, "environments") == 0 && k < templates->count; k++) {
        const char *name = templates->items[k].name;
        if (people_may(call->rules, call->person, asked[i].verb, "environments", team, name, NULL))
            only = only ? talloc_asprintf_append(only, ", %s", name)
                        : talloc_asprintf(call, "%s (only %s", asked[i].words, name);
    }
    return only ? talloc_strdup_append(only, ")") : NULL;
}

/* "*payments*: you may look and ask for clusters" */
static const char *team_line(struct call *call, const char *team)
{
    const char *may[ASKED];
    size_t count = 0;
    for (size_t i = 0; i < ASKED; i++)
        if ((may[count] = allowed_words(call, i, team)))
            count++;
    return count ? talloc_asprintf(call, "\n*%s*: you may %s", team,
                                   text_list(call, may, count, "and"))
                 : talloc_asprintf(call, "\n*%s*: you may nothing but with what is yours", team);
}

/* "`slack:managers` and `team:payments`"; without: "none" */
static const char *names(struct call *call, const char *const *list)
{
    size_t count = 0;
    while (list[count])
        count++;
    const char **shown = talloc_array(call, const char *, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++)
        shown[i] = talloc_asprintf(call, "`%s`", list[i]);
    return count ? text_list(call, shown, count, "and") : "none";
}

bool whoami_run(struct call *call, struct error *err)
{
    const struct person *me = call->person;
    struct rows *paused = NULL;
    pause_ask(call, call->db, &paused);
    if (!db_flush(call->db, err))
        return false;
    const struct config *config = call->app->config;
    char *text = talloc_asprintf(
        call, "You are *%s*, `%s` of the workspace `%s`%s; for the rules you are `%s`.\nMail: %s\n",
        text_mrkdwn(call, me->name), me->id, me->workspace, me->named_only ? ", a guest" : "",
        *me->rbac_user ? me->rbac_user : "nobody",
        me->mail ? text_mrkdwn(call, me->mail) : "unknown, so none");
    text = talloc_asprintf_append(
        text, "Groups: %s%s\nTeams: %s", names(call, me->groups),
        me->groups_unknown ? "; Slack cannot tell those of Slack at the moment" : "",
        names(call, people_teams(call, call->app->people, me)));
    for (int t = 0; t < config->team_count; t++)
        text = talloc_strdup_append(text, team_line(call, config->teams[t].name));
    if (people_may(call->rules, me, "pause", "provisioning", "", "", NULL))
        text = talloc_strdup_append(text, "\nYou may pause provisioning for all teams.");
    const char *words = call_pause_words(call, paused);
    reply_text(call, "%s%s%s", text, *words ? "\n" : "", *words ? words + 1 : "");
    return true;
}
