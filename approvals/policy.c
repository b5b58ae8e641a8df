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
        .code = json_true(section, "code"),
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

/* "slack:security" as people write it: "security". */
static const char *handle_of(const char *group)
{
    return strncmp(group, "slack:", 6) == 0 ? group + 6 : group;
}

static int index_of(const struct policy *policy, const char *group)
{
    int i = 0;
    const cJSON *each;
    cJSON_ArrayForEach (each, policy->groups) {
        if (strcmp(each->string, group) == 0)
            return i;
        i++;
    }
    return POLICY_GROUPS_MOST;
}

void policy_add(const struct policy *policy, struct policy_count *count, const char *const *groups)
{
    count->people++;
    for (; *groups; groups++) {
        int i = index_of(policy, *groups);
        if (i < POLICY_GROUPS_MOST)
            count->members[i]++;
    }
}

struct policy_missing policy_missing(const struct policy *policy, const struct policy_count *count)
{
    struct policy_missing missing = {0};
    int places = 0, i = 0;
    const cJSON *wanted;
    cJSON_ArrayForEach (wanted, policy->groups) {
        int have = i < POLICY_GROUPS_MOST ? count->members[i] : 0;
        int more = (int)json_integer(wanted, "", 1) - have;
        if (more > 0)
            places += more;
        if (more > 0 && i < POLICY_GROUPS_MOST)
            missing.members[i] = more;
        i++;
    }
    int people = policy->count - count->people;
    missing.all = people > places ? people : places;
    missing.others = missing.all - places;
    return missing;
}

/* "one of @security", "2 of @security": of each group that is wanted still. */
static size_t group_parts(const void *ctx, const struct policy *policy,
                          const struct policy_missing *missing, const char **parts)
{
    size_t count = 0;
    int i = 0;
    const cJSON *wanted;
    cJSON_ArrayForEach (wanted, policy->groups) {
        int more = i < POLICY_GROUPS_MOST ? missing->members[i++] : 0;
        if (more == 1)
            parts[count++] = talloc_asprintf(ctx, "one of @%s", handle_of(wanted->string));
        else if (more)
            parts[count++] = talloc_asprintf(ctx, "%d of @%s", more, handle_of(wanted->string));
    }
    return count;
}

char *policy_missing_text(const void *ctx, const struct policy *policy,
                          const struct policy_missing *missing)
{
    const char *parts[POLICY_GROUPS_MOST + 1];
    size_t count = group_parts(ctx, policy, missing, parts);
    if (missing->others > 0)
        parts[count++] = text_count(ctx, missing->others, "more approval", "more approvals");
    return text_list(ctx, parts, count, "and");
}

char *policy_takes(const void *ctx, const struct policy *policy, const char *who)
{
    const struct policy_count nobody = {0};
    struct policy_missing missing = policy_missing(policy, &nobody);
    const char *parts[POLICY_GROUPS_MOST + 1];
    size_t count = group_parts(ctx, policy, &missing, parts);
    if (count && missing.others > 0)
        parts[count++] = talloc_asprintf(ctx, "%d more of %s", missing.others, who);
    else if (!count)
        parts[count++] =
            missing.others > 1 ? talloc_asprintf(ctx, "%d of %s", missing.others, who) : who;
    return text_list(ctx, parts, count, "and");
}

/* Who could approve, each person once. */
struct approvers {
    const char **ids; /* user ids, and mail addresses where the rules name people by them */
    int count;
    bool everybody, by_mail;
    char *shown;
};

static bool is_among(const struct approvers *all, const char *id)
{
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->ids[i], id) == 0)
            return true;
    return false;
}

static void add_approver(const void *ctx, struct approvers *all, const char *id)
{
    if (is_among(all, id))
        return;
    all->ids = talloc_realloc(ctx, all->ids, const char *, (unsigned)all->count + 1);
    all->ids[all->count++] = id;
}

static void show(struct approvers *all, const char *before, const char *name, const char *after)
{
    all->shown = talloc_asprintf_append(all->shown, "%s%s%s%s", *all->shown ? ", " : "", before,
                                        name, after);
}

static void add_user(const void *ctx, const char *user, struct approvers *all)
{
    bool by_id = strncmp(user, "slack:", 6) == 0;
    add_approver(ctx, all, by_id ? user + 6 : user);
    all->by_mail = all->by_mail || !by_id;
    show(all, by_id ? "<@" : "", by_id ? user + 6 : user, by_id ? ">" : "");
}

/* Whether it is somebody whose word does not count, as far as the rules or Slack name them. */
static bool asks_for_it(const struct policy_question *question, const char *id,
                        const char *rbac_user)
{
    for (int i = 0; i < 2 && !question->policy->self; i++) {
        const struct person *person = question->requesters[i];
        if (person && ((id && strcmp(id, person->id) == 0) ||
                       (rbac_user && strcmp(rbac_user, person->rbac_user) == 0)))
            return true;
    }
    return false;
}

/* Adds who a subject of the rules stands for, without the requesters. */
static bool add_subject(const void *ctx, const struct policy_question *question,
                        const char *subject, struct approvers *all, struct error *err)
{
    if (strncmp(subject, "User ", 5) == 0) {
        if (!asks_for_it(question, NULL, subject + 5))
            add_user(ctx, subject + 5, all);
        return true;
    }
    if (strncmp(subject, "Group ", 6) != 0)
        return true;
    if (strcmp(subject + 6, "system:authenticated") == 0) {
        all->everybody = true;
        show(all, "", "everybody else", "");
        return true;
    }
    const char **members;
    if (!people_of_group(ctx, question->people, question->web, subject + 6, &members, err))
        return false;
    bool any = false;
    for (int i = 0; members[i]; i++) {
        if (asks_for_it(question, members[i], NULL))
            continue;
        add_approver(ctx, all, members[i]);
        any = true;
    }
    if (any)
        show(all, "@", handle_of(subject + 6), "");
    return true;
}

/* Whether each group that has to approve has enough people who may; else *gap says which has not.
 */
static bool groups_suffice(const void *ctx, const struct policy_question *question,
                           const struct approvers *all, struct policy_gap *gap, struct error *err)
{
    const cJSON *wanted;
    cJSON_ArrayForEach (wanted, question->policy->groups) {
        const char **members;
        if (!people_of_group(ctx, question->people, question->web, wanted->string, &members, err))
            return false;
        int have = 0, need = (int)json_integer(wanted, "", 1);
        for (int i = 0; members[i]; i++) {
            bool other = !asks_for_it(question, members[i], NULL);
            /* Which of the members a mail address is, is not known here. */
            have += other && (all->everybody || all->by_mail || is_among(all, members[i]));
        }
        if (have >= need || gap->missing)
            continue;
        gap->missing =
            talloc_asprintf(ctx, "it needs %d of @%s, and %d of them could approve it in %s", need,
                            handle_of(wanted->string), have, question->team);
        gap->remedy = "put more people into that group, or bind the role to it";
    }
    return true;
}

static bool find_approvers(const void *ctx, const struct policy_question *question,
                           struct approvers *all, struct error *err)
{
    const char **subjects = rbac_subjects(ctx, question->rules, question->team, "approve",
                                          "environments", question->template);
    *all = (struct approvers){.shown = talloc_strdup(ctx, "")};
    for (int i = 0; subjects[i]; i++)
        if (!add_subject(ctx, question, subjects[i], all, err))
            return false;
    return true;
}

bool policy_approvers(const void *ctx, const struct policy_question *question, const char ***ids,
                      struct error *err)
{
    struct approvers all;
    if (!find_approvers(ctx, question, &all, err))
        return false;
    *ids = talloc_zero_array(ctx, const char *, (unsigned)all.count + 1);
    for (int i = 0; i < all.count; i++)
        (*ids)[i] = all.ids[i];
    return true;
}

bool policy_look_for_gap(const void *ctx, const struct policy_question *question, const char **who,
                         struct policy_gap *gap, struct error *err)
{
    struct approvers all;
    *gap = (struct policy_gap){0};
    if (!rbac_can_name(question->rules)) {
        *who = "whoever the cluster's rules let approve it";
        return true;
    }
    if (!find_approvers(ctx, question, &all, err))
        return false;
    *who = all.shown;
    if (all.everybody || all.count >= question->policy->count)
        return groups_suffice(ctx, question, &all, gap, err);
    if (all.count == 0) {
        gap->missing = talloc_asprintf(ctx,
                                       "the rules name no one but the requester for `approve` on "
                                       "`environments` in %s",
                                       question->team);
        gap->remedy = "bind that role to somebody";
        return true;
    }
    gap->missing = talloc_asprintf(
        ctx, "it needs %d approvals, and the rules name only %d who could give one in %s",
        question->policy->count, all.count, question->team);
    gap->remedy = "bind the role to more people";
    return true;
}

bool policy_anybody(const void *ctx, const struct policy_question *question, const char **who,
                    struct error *err)
{
    struct policy_gap gap;
    if (!policy_look_for_gap(ctx, question, who, &gap, err))
        return false;
    if (!gap.missing)
        return true;
    return error_set(
        err, ERROR_DENIED,
        "Nobody could approve this: %s. Ask whoever runs envbot to %s; then ask again.",
        gap.missing, gap.remedy);
}
