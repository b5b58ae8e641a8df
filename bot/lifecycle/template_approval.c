#include "base/duration.h"
#include "lifecycle/template_reading.h"
#include "lifecycle/waiting.h"

#include <string.h>

/* The length of time that a node says; 0, and a problem, where it says none. */
static int64_t waits(struct template_reading *r, const cJSON *node, const char *what)
{
    int64_t seconds;
    struct error err;
    if (cJSON_IsString(node) && duration_parse(node->valuestring, &seconds, &err))
        return seconds;
    template_problem(r, node, "%s is a length of time, like 24h", what);
    return 0;
}

static void check_waiting(struct template_reading *r, const cJSON *approval)
{
    static const char *const keys[] = {"after", "channel"};
    const cJSON *lapse = json_at(approval, "lapse"), *remind = json_at(approval, "remind"), *each;
    const cJSON *escalate = json_at(approval, "escalate"), *after = json_at(escalate, "after");
    int64_t most = lapse ? waits(r, lapse, "approval.lapse") : 0, before = 0;
    if (remind && (!cJSON_IsArray(remind) || cJSON_GetArraySize(remind) > WAITING_REMINDERS_MOST))
        template_problem(r, remind,
                         "approval.remind is a list of at most %d lengths of time, like [1h, 4h]",
                         WAITING_REMINDERS_MOST);
    cJSON_ArrayForEach (each, remind) {
        int64_t at = waits(r, each, "each of approval.remind");
        if (at && (at <= before || (most && at >= most)))
            template_problem(r, each,
                             "each of approval.remind comes later than the one before it, and all "
                             "before approval.lapse");
        before = at;
    }
    if (!escalate)
        return;
    template_known_keys(r, escalate, keys, sizeof keys / sizeof *keys);
    if (!after || !*json_string_or_empty(escalate, "channel"))
        template_problem(r, escalate,
                         "approval.escalate wants both, after and channel: {after: 4h, "
                         "channel: C0…}");
    else if (waits(r, after, "approval.escalate.after") >= most && most)
        template_problem(r, after, "approval.escalate.after comes before approval.lapse");
}

/* What is no group, or no number, must not be read as "of nobody". */
static void check_groups(struct template_reading *r, const cJSON *groups)
{
    const cJSON *each;
    if (groups && (!cJSON_IsObject(groups) || !groups->child))
        template_problem(r, groups,
                         "approval.groups says how many of each: {\"slack:security\": 1}");
    if (!cJSON_IsObject(groups))
        return;
    cJSON_ArrayForEach (each, groups) {
        bool kind = strncmp(each->string, "slack:", 6) == 0 || //
                    strncmp(each->string, "team:", 5) == 0;
        if (!kind || !strchr(each->string, ':')[1])
            template_problem(r, each,
                             "approval.groups: %s is no group; it is slack: and the handle of a "
                             "user group, or team: and a team",
                             each->string);
        if (!cJSON_IsNumber(each) || each->valuedouble < 1 || each->valuedouble > 20 ||
            each->valuedouble != each->valueint)
            template_problem(r, each, "approval.groups: how many of %s goes from 1 to 20",
                             each->string);
    }
}

/* One condition of an automatic line: a value to equal, or bounds. */
static void check_condition(struct template_reading *r, const cJSON *condition)
{
    static const char *const keys[] = {"min", "max"};
    const cJSON *parameters = json_at(r->tree->root, "parameters");
    if (strcmp(condition->string, "ttl") != 0 &&
        !cJSON_GetObjectItemCaseSensitive(parameters, condition->string))
        template_problem(r, condition, "approval.automatic: %s is neither a parameter nor ttl",
                         condition->string);
    if (cJSON_IsArray(condition) || (cJSON_IsObject(condition) && !condition->child))
        template_problem(r, condition, "approval.automatic: %s is a value, or {min: …, max: …}",
                         condition->string);
    else if (cJSON_IsObject(condition))
        template_known_keys(r, condition, keys, sizeof keys / sizeof *keys);
}

static void check_automatic(struct template_reading *r, const cJSON *lines)
{
    const cJSON *line, *condition;
    bool ok = !lines || cJSON_IsArray(lines);
    cJSON_ArrayForEach (line, lines)
        ok = ok && cJSON_IsObject(line) && line->child;
    if (!ok) {
        template_problem(r, lines,
                         "approval.automatic is a list of conditions: [{nodes: {max: 1}, ttl: "
                         "{max: 2h}}]");
        return;
    }
    cJSON_ArrayForEach (line, lines) {
        cJSON_ArrayForEach (condition, line)
            check_condition(r, condition);
    }
}

static void check_switch(struct template_reading *r, const cJSON *approval, const char *key)
{
    const cJSON *said = cJSON_GetObjectItemCaseSensitive(approval, key);
    if (said && !cJSON_IsBool(said))
        template_problem(r, said, "approval.%s is true or false", key);
}

void template_check_approval(struct template_reading *r, const cJSON *approval)
{
    static const char *const keys[] = {"count",  "groups",   "self", "lapse",
                                       "remind", "escalate", "code", "automatic"};
    template_known_keys(r, approval, keys, sizeof keys / sizeof *keys);
    if (!cJSON_IsObject(approval))
        return;
    const cJSON *count = json_at(approval, "count");
    if (count && (!cJSON_IsNumber(count) || count->valuedouble < 1 || count->valuedouble > 20 ||
                  count->valuedouble != count->valueint))
        template_problem(r, count, "approval.count goes from 1 to 20");
    check_waiting(r, approval);
    check_groups(r, json_at(approval, "groups"));
    check_automatic(r, json_at(approval, "automatic"));
    check_switch(r, approval, "self");
    check_switch(r, approval, "code");
}
