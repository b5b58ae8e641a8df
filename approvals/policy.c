#include "approvals/policy.h"

#include "base/duration.h"
#include "base/text.h"

#include <math.h>
#include <string.h>
#include <talloc.h>

struct policy policy_read(const cJSON *template_source)
{
    const cJSON *section = json_at(template_source, "approval");
    struct policy policy = {
        .count = (int)json_integer(section, "count", 1),
        .self = json_true(section, "self"),
        .groups = json_at(section, "groups"),
        .automatic = json_at(section, "automatic"),
    };
    return policy;
}

/* What is no number is neither more nor less than anything: no condition holds for it. */
static double as_number(const cJSON *value)
{
    int64_t seconds;
    if (cJSON_IsString(value) && duration_parse(value->valuestring, &seconds, NULL))
        return (double)seconds;
    return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

static bool holds(const cJSON *condition, const cJSON *value)
{
    const cJSON *most = json_at(condition, "max"), *least = json_at(condition, "min");
    if (!cJSON_IsObject(condition))
        return cJSON_Compare(condition, value, true);
    if (!most && !least)
        return false;
    return (!most || as_number(value) <= as_number(most)) &&
           (!least || as_number(value) >= as_number(least));
}

bool policy_automatic(const struct policy *policy, const cJSON *values, int64_t ttl_seconds)
{
    cJSON *ttl = cJSON_CreateNumber((double)ttl_seconds);
    const cJSON *line, *condition;
    bool any = false;
    cJSON_ArrayForEach (line, policy->automatic) {
        bool all = line->child != NULL;
        cJSON_ArrayForEach (condition, line) {
            const cJSON *value = strcmp(condition->string, "ttl") == 0
                                     ? ttl
                                     : cJSON_GetObjectItemCaseSensitive(values, condition->string);
            all = all && value && holds(condition, value);
        }
        any = any || all;
    }
    cJSON_Delete(ttl);
    return any;
}

bool policy_met(const void *ctx, const struct policy *policy, const struct votes *votes,
                const char **needed)
{
    char *text = talloc_strdup(ctx, "");
    int missing = policy->count - votes->approvals;
    if (missing > 0)
        text = talloc_asprintf_append(text, "%d more approval%s", missing, missing == 1 ? "" : "s");
    const cJSON *wanted;
    bool groups = true;
    cJSON_ArrayForEach (wanted, policy->groups) {
        int have = (int)json_integer(
            cJSON_GetObjectItemCaseSensitive(votes->groups, wanted->string), "", 0);
        int more = (int)json_integer(wanted, "", 1) - have;
        if (more <= 0)
            continue;
        groups = false;
        const char *handle =
            strncmp(wanted->string, "slack:", 6) == 0 ? wanted->string + 6 : wanted->string;
        text = talloc_asprintf_append(text, "%s%d of @%s", *text ? ", " : "", more, handle);
    }
    *needed = text;
    return missing <= 0 && groups;
}

/* Adds who a subject of the rules stands for, without the requester; returns how many. */
static int count_subject(const void *ctx, struct people *people, struct slack_web *web,
                         const char *subject, const struct person *requester, bool self,
                         char **shown, struct error *err)
{
    if (strncmp(subject, "User ", 5) == 0) {
        if (!self && strcmp(subject + 5, requester->rbac_user) == 0)
            return 0;
        const char *id = strncmp(subject + 5, "slack:", 6) == 0 ? subject + 11 : NULL;
        *shown = id ? talloc_asprintf_append(*shown, "%s<@%s>", **shown ? ", " : "", id)
                    : talloc_asprintf_append(*shown, "%s%s", **shown ? ", " : "", subject + 5);
        return 1;
    }
    if (strncmp(subject, "Group ", 6) != 0)
        return 0;
    if (strcmp(subject + 6, "system:authenticated") == 0) {
        *shown = talloc_asprintf_append(*shown, "%severybody else", **shown ? ", " : "");
        return 1000;
    }
    const char **members;
    if (!people_of_group(ctx, people, web, subject + 6, &members, err))
        return -1;
    int count = 0;
    for (int i = 0; members[i]; i++)
        count += self || strcmp(members[i], requester->id) != 0;
    if (count)
        *shown = talloc_asprintf_append(*shown, "%s@%s", **shown ? ", " : "",
                                        strncmp(subject + 6, "slack:", 6) == 0 ? subject + 12
                                                                               : subject + 6);
    return count;
}

bool policy_anybody(const void *ctx, const struct rbac *rules, struct people *people,
                    struct slack_web *web, const struct policy *policy,
                    const struct person *requester, const char *team, const char *template,
                    const char **who, struct error *err)
{
    const char **subjects = rbac_subjects(ctx, rules, team, "approve", "environments", template);
    char *shown = talloc_strdup(ctx, "");
    int total = 0;
    for (int i = 0; subjects[i]; i++) {
        int count =
            count_subject(ctx, people, web, subjects[i], requester, policy->self, &shown, err);
        if (count < 0)
            return false;
        total += count;
    }
    *who = shown;
    if (total >= policy->count)
        return true;
    if (total == 0)
        return error_set(err, ERROR_DENIED,
                         "Nobody could approve this: the rules name no one but you for `approve` "
                         "on `environments` in %s. Ask whoever runs envbot to bind that role to "
                         "somebody; then ask again.",
                         team);
    return error_set(err, ERROR_DENIED,
                     "Nobody could approve this: it needs %d approvals, and the rules name only "
                     "%d who could give one in %s. Ask whoever runs envbot to bind the role to "
                     "more people.",
                     policy->count, total, team);
}

cJSON *policy_tally(const void *ctx, const char *needed, char **names, const cJSON *quota,
                    const cJSON *decision)
{
    cJSON *tally = json_object(ctx), *votes = cJSON_CreateArray();
    char *line = talloc_strdup(ctx, "");
    for (int i = 0; names && names[i]; i++) {
        cJSON_AddItemToArray(votes, cJSON_CreateString(names[i]));
        line = talloc_asprintf_append(line, "%s%s ✓", i ? ", " : "", names[i]);
    }
    if (*needed)
        line = talloc_asprintf_append(line, "%s%s needed", *line ? "; " : "", needed);
    json_set_string(tally, "line", line);
    json_set_string(tally, "needed", needed);
    json_set(tally, "votes", votes);
    json_set(tally, "quota", quota ? cJSON_Duplicate(quota, true) : cJSON_CreateNull());
    json_set(tally, "decision", decision ? cJSON_Duplicate(decision, true) : cJSON_CreateNull());
    return tally;
}
