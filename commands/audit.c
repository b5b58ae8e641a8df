/* `/env audit`: what happened to an environment, as the audit has it. */
#include "commands/commands.h"

#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/story.h"

#include <string.h>
#include <talloc.h>

/* Slack cuts texts at 3,000 characters. */
enum { REPLY_MOST = 2800 };

static bool owns(const struct call *call, const cJSON *part)
{
    return strcmp(json_string_or_empty(part, "owner_workspace"), call->person->workspace) == 0 &&
           strcmp(json_string_or_empty(part, "owner_id"), call->person->id) == 0;
}

/* Takes out what is not for this person. False, refused, when nothing is left: where they see none
   of a team's environments they do not learn that there was one. */
static bool keep_allowed(struct call *call, const char *name, cJSON *story, struct error *err)
{
    struct error why;
    error_set(&why, ERROR_NOT_FOUND, "There never was an environment `%s`.",
              text_mrkdwn(call, text_cut(call, name, 60)));
    for (cJSON *part = story->child, *next; part; part = next) {
        next = part->next;
        const char *team = json_string_or_empty(part, "team");
        if (!owns(call, part) &&
            (!call_sees(call, team) || !call_may(call, "get", "audits", team, "", &why)))
            cJSON_Delete(cJSON_DetachItemViaPointer(story, part));
    }
    if (story->child)
        return true;
    return error_set(err, why.code, "%s", why.text);
}

/* The whole when it is short, else its last lines and the whole as a file. */
static void tell(struct call *call, const cJSON *story)
{
    char *whole = story_text(call, story);
    const char *from = whole;
    if (text_characters(text_mrkdwn(call, whole)) <= REPLY_MOST) {
        answer(call, talloc_asprintf(call, "```%s```", text_mrkdwn(call, whole)));
        return;
    }
    while (text_characters(text_mrkdwn(call, from)) > REPLY_MOST && strchr(from, '\n'))
        from = strchr(from, '\n') + 1;
    const cJSON *last = cJSON_GetArrayItem(story, cJSON_GetArraySize(story) - 1);
    const char *team = json_string_or_empty(last, "team"),
               *name = json_string_or_empty(last, "name");
    say_upload(call->db, call->person->id, talloc_asprintf(call, "%s-%s-audit.txt", team, name),
               talloc_asprintf(call, "The audit of %s", name), whole,
               talloc_asprintf(call, "All that happened to %s.", name));
    answer(call, talloc_asprintf(call,
                                 "The last of what happened to *%s* (the whole comes as a direct "
                                 "message):\n```%s```",
                                 name, text_mrkdwn(call, from)));
}

bool audit_run(struct call *call, struct error *err)
{
    const char *name = words_item(call->words, 0), *team = words_option(call->words, "team");
    if (!name)
        return error_set(err, ERROR_USAGE, "Say which environment: its name comes first.");
    const char *slash = strchr(name, '/');
    if (slash && !team) {
        team = talloc_strndup(call, name, (size_t)(slash - name));
        name = slash + 1;
    }
    /* What a team had is told when the team has left the configuration, too. */
    struct error unknown = {0};
    bool gone = team && !call_team(call, team, &team, &unknown);
    cJSON *story = story_read(call, call->db, team, name, err);
    if (!story)
        return false;
    if (!keep_allowed(call, name, story, err))
        return gone ? error_set(err, unknown.code, "%s", unknown.text) : false;
    tell(call, story);
    return true;
}
