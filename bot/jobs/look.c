#include "jobs/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <talloc.h>

/* Without these no pod gets an address, a name or a route. */
static const char *const essential[] = {"vpc-cni", "kube-proxy", "coredns"};

struct wants wants_of(const void *ctx, const cJSON *config)
{
    struct wants wants = {.addons = json_array(ctx), .install = json_array(ctx)};
    const cJSON *listed = json_at(config, "addons"), *each;
    wants.groups = cJSON_GetArraySize(json_at(config, "managedNodeGroups")) +
                   cJSON_GetArraySize(json_at(config, "nodeGroups"));
    wants.profiles = cJSON_GetArraySize(json_at(config, "fargateProfiles"));
    /* Auto Mode has them built in. */
    bool defaults = !json_true(config, "autoModeConfig.enabled") &&
                    !json_true(config, "addonsConfig.disableDefaultAddons");
    for (size_t i = 0; defaults && i < sizeof essential / sizeof *essential; i++) {
        cJSON_AddItemToArray(wants.addons, cJSON_CreateString(essential[i]));
        cJSON_AddItemToArray(wants.install, cJSON_CreateString(essential[i]));
    }
    if (defaults)
        cJSON_AddItemToArray(wants.install, cJSON_CreateString("metrics-server"));
    cJSON_ArrayForEach (each, listed) {
        cJSON_AddItemToArray(wants.addons, cJSON_CreateString(json_string_or_empty(each, "name")));
        cJSON_AddItemToArray(wants.install, cJSON_CreateString(json_string_or_empty(each, "name")));
    }
    return wants;
}

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

/* Asking for one environment. */
struct asking {
    const void *ctx;
    char **environment;
    const struct eksctl_patience *patience;
    const char *why; /* what went wrong with the first question that got no answer */
};

/* NULL: cannot be told; an empty list: there is none. */
static cJSON *ask(struct asking *asking, char **arguments)
{
    char *output = NULL, *errors = NULL;
    int status;
    struct error err = {0};
    bool asked = eksctl_ask(asking->ctx, arguments, asking->environment, asking->patience, &output,
                            &errors, &status, &err);
    if (asked && !succeeded(status) && (says_absent(errors) || says_absent(output)))
        return json_array(asking->ctx);
    cJSON *list = asked && succeeded(status) ? json_parse(asking->ctx, output) : NULL;
    if (cJSON_IsNull(list))
        return json_array(asking->ctx);
    if (!cJSON_IsArray(list) && !*asking->why)
        asking->why = talloc_strdup(asking->ctx, !asked    ? err.text
                                                 : *errors ? errors
                                                           : "eksctl's answer is no list");
    return cJSON_IsArray(list) ? list : NULL;
}

struct stacks {
    int count, ours, complete_groups;
    bool moving, deleting, failed, rolled_back;
    bool control, control_ours; /* the control plane's own stack */
    const char *which;          /* of those that failed, the first */
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

/* CloudFormation's StackStatus. A stack whose update was rolled back is as it was before, and well;
   one whose creation was rolled back is nothing but a name that is taken. */
static void count_status(struct stacks *stacks, const char *status, const char *name)
{
    bool rolled_back = strcmp(status, "ROLLBACK_COMPLETE") == 0;
    if (strcmp(status, "DELETE_IN_PROGRESS") == 0)
        stacks->deleting = true;
    else if (has(status, "IN_PROGRESS"))
        stacks->moving = true;
    else if (has(status, "FAILED") || rolled_back) {
        stacks->failed = stacks->failed || !rolled_back;
        stacks->rolled_back = stacks->rolled_back || rolled_back;
        if (!stacks->which)
            stacks->which = name;
    } else if (has(name, "-nodegroup-"))
        stacks->complete_groups++;
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
        count_status(&stacks, status, name);
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
                       const struct environment *env)
{
    const char *status = json_string_or_empty(cluster, "Status");
    if (is_foreign(cluster, stacks, env))
        return SEEN_FOREIGN;
    if (!cluster && !stacks->count)
        return SEEN_NOTHING;
    if (stacks->deleting || strcmp(status, "DELETING") == 0)
        return SEEN_DELETING;
    if (stacks->moving || strcmp(status, "CREATING") == 0 || strcmp(status, "UPDATING") == 0 ||
        strcmp(status, "PENDING") == 0)
        return SEEN_IN_PROGRESS;
    if (stacks->failed || strcmp(status, "FAILED") == 0)
        return SEEN_FAILED;
    if (stacks->rolled_back)
        return SEEN_ROLLED_BACK;
    return cluster ? SEEN_COMPLETE : SEEN_NO_CLUSTER;
}

static bool lists(const cJSON *list, const char *member, const char *name)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, list)
        if (strcmp(json_string_or_empty(each, member), name) == 0)
            return true;
    return false;
}

/* What the cluster's stacks do not tell: add-ons come first, because no node is ready without. */
static enum seen judge_rest(struct asking *asking, const struct config *config,
                            const struct environment *env, const struct wants *wants,
                            int complete_groups, cJSON *missing)
{
    const cJSON *addons = NULL, *profiles = NULL, *each;
    bool lacks = false;
    if (cJSON_GetArraySize(wants->addons) &&
        !(addons = ask(asking, eksctl_addons(asking->ctx, config, env->cluster, env->region))))
        return SEEN_UNKNOWN;
    cJSON_ArrayForEach (each, wants->addons)
        lacks = lacks || !lists(addons, "Name", each->valuestring);
    cJSON_ArrayForEach (each, wants->install)
        if (!lists(addons, "Name", each->valuestring))
            cJSON_AddItemToArray(missing, cJSON_CreateString(each->valuestring));
    if (lacks)
        return SEEN_NO_ADDONS;
    if (complete_groups < wants->groups)
        return SEEN_NO_GROUPS;
    if (!wants->profiles)
        return SEEN_COMPLETE;
    profiles = ask(asking, eksctl_profiles(asking->ctx, config, env->cluster, env->region));
    if (!profiles)
        return SEEN_UNKNOWN;
    if (lists(profiles, "status", "CREATING"))
        return SEEN_IN_PROGRESS;
    return cJSON_GetArraySize(profiles) < wants->profiles ? SEEN_NO_GROUPS : SEEN_COMPLETE;
}

struct look look(const void *ctx, const struct config *config, const struct environment *env,
                 char **environment, const struct wants *wants,
                 const struct eksctl_patience *patience)
{
    struct look result = {.seen = SEEN_UNKNOWN, .missing = json_array(ctx), .which = ""};
    struct asking asking = {ctx, environment, patience, ""};
    cJSON *clusters = ask(&asking, eksctl_get(ctx, config, env->cluster, env->region));
    cJSON *list =
        clusters ? ask(&asking, eksctl_stacks(ctx, config, env->cluster, env->region)) : NULL;
    if (clusters && list) {
        const cJSON *cluster = clusters->child;
        struct stacks stacks = count_stacks(list, env);
        result.which = stacks.which ? stacks.which : "";
        result.seen = judge(cluster, &stacks, env);
        if (result.seen == SEEN_COMPLETE && wants)
            result.seen =
                judge_rest(&asking, config, env, wants, stacks.complete_groups, result.missing);
        if (cluster) {
            result.facts = json_object(ctx);
            json_set_string(result.facts, "version", json_string_or_empty(cluster, "Version"));
            json_set_string(result.facts, "endpoint", json_string_or_empty(cluster, "Endpoint"));
            json_set_number(result.facts, "nodes", env->nodes);
        }
    }
    result.why = asking.why;
    return result;
}

cJSON *look_groups(const void *ctx, const struct config *config, const struct environment *env,
                   char **environment, const struct eksctl_patience *patience, const char **why)
{
    struct asking asking = {ctx, environment, patience, ""};
    cJSON *groups = ask(&asking, eksctl_groups(ctx, config, env->cluster, env->region));
    *why = asking.why;
    return groups;
}
