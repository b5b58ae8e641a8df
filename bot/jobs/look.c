#include "jobs/look.h"

#include "jobs/eksctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <talloc.h>

static bool succeeded(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* How eksctl says that there is none; anything else is no answer. That something else does not
   exist (a role, a profile) is none either. */
static bool says_absent(const char *errors)
{
    const char *stack = strstr(errors, "Stack with id ");
    return strstr(errors, "ResourceNotFoundException") || strstr(errors, "No cluster found") ||
           strstr(errors, "no eksctl-managed CloudFormation stacks found") ||
           (stack && strstr(stack, " does not exist"));
}

/* AWS writes tags of a cluster as a mapping, of a stack as a list of Key and Value. */
static const char *tag(const cJSON *thing, const char *name)
{
    const cJSON *tags = json_at(thing, "Tags"), *each;
    if (cJSON_IsObject(tags)) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(tags, name);
        return cJSON_IsString(value) ? value->valuestring : NULL;
    }
    cJSON_ArrayForEach (each, tags)
        if (strcmp(json_string_or_empty(each, "Key"), name) == 0)
            return json_string(each, "Value");
    return NULL;
}

static bool is_ours(const cJSON *thing, const struct environment *env)
{
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, env->id);
    const char *value = tag(thing, "envbot:environment");
    return value && strcmp(value, id) == 0;
}

/* NULL: cannot be told; an empty list: there is none. */
static cJSON *ask(const void *ctx, char **arguments, char **environment, int seconds)
{
    char *output, *errors;
    int status;
    struct error err;
    if (!eksctl_ask(ctx, arguments, environment, seconds, &output, &errors, &status, &err))
        return NULL;
    if (!succeeded(status))
        return says_absent(errors) || says_absent(output) ? json_array(ctx) : NULL;
    cJSON *list = json_parse(ctx, output);
    if (cJSON_IsNull(list))
        return json_array(ctx);
    return cJSON_IsArray(list) ? list : NULL;
}

struct stacks {
    int count, ours, complete_groups;
    bool moving, deleting, failed;
    bool control, control_ours; /* the control plane's own stack */
};

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* The names of stacks, eksctl: pkg/cfn/manager/cluster.go. */
static bool is_control(const char *name, const struct environment *env)
{
    static const char before[] = "eksctl-", after[] = "-cluster";
    size_t length = strlen(env->cluster);
    return strncmp(name, before, strlen(before)) == 0 &&
           strncmp(name + strlen(before), env->cluster, length) == 0 &&
           strcmp(name + strlen(before) + length, after) == 0;
}

static struct stacks count_stacks(const cJSON *list, const struct environment *env)
{
    struct stacks stacks = {0};
    const cJSON *each;
    cJSON_ArrayForEach (each, list) {
        const char *status = json_string_or_empty(each, "StackStatus");
        const char *name = json_string_or_empty(each, "StackName");
        if (strcmp(status, "DELETE_COMPLETE") == 0)
            continue;
        stacks.count++;
        stacks.ours += is_ours(each, env);
        if (is_control(name, env)) {
            stacks.control = true;
            stacks.control_ours = is_ours(each, env);
        }
        bool failed = has(status, "FAILED") || has(status, "ROLLBACK");
        if (strcmp(status, "DELETE_IN_PROGRESS") == 0)
            stacks.deleting = true;
        else if (failed)
            stacks.failed = true;
        else if (has(status, "IN_PROGRESS"))
            stacks.moving = true;
        else if (has(name, "-nodegroup-"))
            stacks.complete_groups++;
    }
    return stacks;
}

/* The control plane tells whose it is: what people add to their cluster with eksctl (a node group,
   a role of a service account) has no tags of ours, and goes with it. */
static bool is_foreign(const cJSON *cluster, const struct stacks *stacks,
                       const struct environment *env)
{
    if (cluster)
        return !is_ours(cluster, env);
    if (stacks->control)
        return !stacks->control_ours;
    return stacks->count > 0 && !stacks->ours;
}

static enum seen judge(const cJSON *cluster, const struct stacks *stacks,
                       const struct environment *env, int wanted_groups)
{
    const char *status = json_string_or_empty(cluster, "Status");
    if (is_foreign(cluster, stacks, env))
        return SEEN_FOREIGN;
    if (!cluster && !stacks->count)
        return SEEN_NOTHING;
    if (stacks->deleting || strcmp(status, "DELETING") == 0)
        return SEEN_DELETING;
    if (stacks->failed || strcmp(status, "FAILED") == 0)
        return SEEN_FAILED;
    if (stacks->moving || strcmp(status, "CREATING") == 0 || strcmp(status, "UPDATING") == 0)
        return SEEN_IN_PROGRESS;
    if (strcmp(status, "ACTIVE") == 0 && stacks->complete_groups >= wanted_groups)
        return SEEN_READY;
    return SEEN_PARTIAL;
}

struct look look(const void *ctx, const struct config *config, const struct environment *env,
                 char **environment, int wanted_groups, int seconds)
{
    static const char *const words[] = {"nothing there", "complete",      "incomplete",
                                        "in progress",   "being deleted", "failed",
                                        "not ours",      "cannot be told"};
    struct look result = {.seen = SEEN_UNKNOWN};
    cJSON *clusters =
        ask(ctx, eksctl_get(ctx, config, env->cluster, env->region), environment, seconds);
    cJSON *list =
        ask(ctx, eksctl_stacks(ctx, config, env->cluster, env->region), environment, seconds);
    if (clusters && list) {
        const cJSON *cluster = clusters->child;
        struct stacks stacks = count_stacks(list, env);
        result.seen = judge(cluster, &stacks, env, wanted_groups);
        if (cluster) {
            result.facts = json_object(ctx);
            json_set_string(result.facts, "version", json_string_or_empty(cluster, "Version"));
            json_set_string(result.facts, "endpoint", json_string_or_empty(cluster, "Endpoint"));
            json_set_number(result.facts, "nodes", env->nodes);
        }
    }
    result.text = words[result.seen];
    return result;
}
