#include "jobs/change.h"

#include <string.h>

/* eksctl's own defaults: two nodes, and as many at least and at most as at first
   (pkg/apis/eksctl.io/v1alpha5/defaults.go). EKS wants a maximum of at least one. */
static struct eksctl_size size_of(const cJSON *group)
{
    int least = (int)json_integer(group, "minSize", -1);
    int desired = (int)json_integer(group, "desiredCapacity", least >= 0 ? least : 2);
    int most = (int)json_integer(group, "maxSize", desired);
    return (struct eksctl_size){desired, least >= 0 ? least : desired, most > 0 ? most : 1};
}

struct goal goal_of(const cJSON *config)
{
    struct goal goal = {0};
    const cJSON *group;
    cJSON_ArrayForEach (group, json_at(config, "managedNodeGroups"))
        if (goal.count < GOAL_GROUPS_MOST)
            goal.groups[goal.count++] =
                (struct goal_group){json_string_or_empty(group, "name"), size_of(group)};
    return goal;
}

struct goal goal_asleep(const struct goal *awake)
{
    struct goal goal = *awake;
    for (int i = 0; i < goal.count; i++)
        goal.groups[i].size = (struct eksctl_size){0, 0, 1}; /* EKS wants a maximum of at least 1 */
    return goal;
}

static const cJSON *find(const cJSON *groups, const char *name)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, groups)
        if (strcmp(json_string_or_empty(each, "Name"), name) == 0)
            return each;
    return NULL;
}

/* ACTIVE and DEGRADED stay as they are; all else moves (EKS: NodegroupStatus). */
static bool moves(const cJSON *group)
{
    static const char *const moving[] = {"CREATING", "UPDATING", "DELETING"};
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++)
        if (strcmp(json_string_or_empty(group, "Status"), moving[i]) == 0)
            return true;
    return false;
}

static bool has_size(const cJSON *group, const struct eksctl_size *size)
{
    return json_integer(group, "DesiredCapacity", -1) == size->desired &&
           json_integer(group, "MinSize", -1) == size->least &&
           json_integer(group, "MaxSize", -1) == size->most;
}

/* A degraded one has the numbers that it was told, and not the nodes. */
static bool is_well(const cJSON *group)
{
    return strcmp(json_string_or_empty(group, "Status"), "ACTIVE") == 0;
}

static bool has_version(const cJSON *group, const char *version)
{
    return strcmp(json_string_or_empty(group, "Version"), version) == 0;
}

/* No node may be newer than the control plane, so that comes first. */
static bool version_step(const struct goal *goal, const struct there *there,
                         struct change_step *step)
{
    step->version = goal->version;
    if (strcmp(there->version, goal->version) != 0) {
        step->verb = "upgrade cluster";
        return true;
    }
    for (int i = 0; i < goal->count && !step->verb; i++) {
        step->group = goal->groups[i].name;
        if (!has_version(find(there->groups, step->group), goal->version))
            step->verb = "upgrade nodegroup";
    }
    return step->verb != NULL;
}

static bool size_step(const struct goal *goal, const struct there *there, struct change_step *step)
{
    for (int i = 0; i < goal->count; i++) {
        const struct goal_group *wanted = &goal->groups[i];
        const cJSON *group = find(there->groups, wanted->name);
        if (has_size(group, &wanted->size) && is_well(group))
            continue;
        *step = (struct change_step){"scale", wanted->name, wanted->size, NULL};
        return true;
    }
    return false;
}

enum seen change_judge(const struct goal *goal, const struct there *there, struct change_step *step)
{
    *step = (struct change_step){0};
    for (int i = 0; i < goal->count; i++) {
        const cJSON *group = find(there->groups, goal->groups[i].name);
        if (!group)
            return SEEN_NO_GROUPS;
        if (moves(group))
            return SEEN_IN_PROGRESS;
    }
    bool more = goal->version ? version_step(goal, there, step) : size_step(goal, there, step);
    return more ? SEEN_OTHER : SEEN_COMPLETE;
}

char **change_arguments(const void *ctx, const struct config *config, const char *cluster,
                        const char *region, const struct change_step *step)
{
    if (!step->version)
        return eksctl_scale(ctx, config, cluster, region, step->group, &step->size);
    return eksctl_upgrade(ctx, config, cluster, region, step->group, step->version);
}

enum change_seen change_end(const struct goal *before, const struct there *there)
{
    bool same = !before->version || strcmp(there->version, before->version) == 0;
    for (int i = 0; same && i < before->count; i++) {
        const cJSON *group = find(there->groups, before->groups[i].name);
        same = group && !moves(group) &&
               (before->version ? has_version(group, before->version)
                                : has_size(group, &before->groups[i].size));
    }
    return same ? CHANGE_SEEN_BEFORE : CHANGE_SEEN_BETWEEN;
}

int groups_nodes(const cJSON *groups)
{
    int nodes = 0;
    const cJSON *group;
    cJSON_ArrayForEach (group, groups)
        nodes += (int)json_integer(group, "DesiredCapacity", 0);
    return nodes;
}
