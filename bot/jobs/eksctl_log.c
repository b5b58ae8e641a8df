#include "jobs/eksctl_log.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *icon;
    enum eksctl_level level;
} icons[] = {
    {"[\u2139]", EKSCTL_INFO},     {"[\u2714]", EKSCTL_SUCCESS}, {"[!]", EKSCTL_WARNING},
    {"[\u2716]", EKSCTL_CRITICAL}, {"[\u25B6]", EKSCTL_DEBUG},   {"[\u273F]", EKSCTL_INFO},
};

/* "YYYY-MM-DD HH:MM:SS " */
static bool is_stamp(const char *at)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd ";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)at[i]) : at[i] != form[i])
            return false;
    return true;
}

struct eksctl_line eksctl_line_read(const char *line)
{
    struct eksctl_line read = {EKSCTL_CONTINUED, line};
    for (const char *at = line; *at; at++) {
        if (!isdigit((unsigned char)*at) || !is_stamp(at))
            continue;
        const char *rest = at + 20;
        for (size_t i = 0; i < sizeof icons / sizeof *icons; i++) {
            size_t length = strlen(icons[i].icon);
            if (strncmp(rest, icons[i].icon, length) == 0) {
                read.level = icons[i].level;
                read.text = rest + length + strspn(rest + length, " ");
            }
        }
        /* An icon in another character set is still an icon. */
        const char *close = strchr(rest, ']');
        if (read.text == line && *rest == '[' && close && close - rest < 16) {
            read.level = EKSCTL_INFO;
            read.text = close + 1 + strspn(close + 1, " ");
        }
        at += 19;
    }
    return read;
}

/* What eksctl says when a phase begins (formats from its sources), in order. */
static const struct phase {
    const char *kind, *id, *title;
    const char *begins[3]; /* any of these, as the text's beginning */
} phases[] = {
    {"create", "prepare", "Plan the cluster", {"eksctl version", "setting availability zones"}},
    {"create",
     "control-plane",
     "Create the control plane",
     {"building cluster stack", "deploying stack \"eksctl-"}},
    {"create",
     "addons",
     "Install the add-ons",
     {"creating addon", "recommended policies were found"}},
    {"create",
     "nodes",
     "Start the nodes",
     {"building managed nodegroup stack", "building nodegroup stack", "creating Fargate profile"}},
    {"create",
     "finish",
     "Wait until all is ready",
     {"waiting for the control plane to become ready", "all EKS cluster resources"}},
    {"delete",
     "drain",
     "Remove load balancers and profiles",
     {"deleting EKS cluster", "will drain", "cleaning up AWS load balancers"}},
    {"delete",
     "nodes",
     "Delete the nodes",
     {"will delete stack", "2 sequential tasks: { delete nodegroup"}},
    {"delete", "control-plane", "Delete the control plane", {"will delete stack \"eksctl-"}},
    {"delete", "verify", "See that nothing is left", {"all cluster resources were deleted"}},
};
enum { PHASES = sizeof phases / sizeof *phases };

static int first_phase(const char *kind)
{
    int first = 0;
    while (first < PHASES && strcmp(phases[first].kind, kind) != 0)
        first++;
    return first;
}

/* "will delete stack" begins the nodes' phase for a node group and the control plane's for the
   cluster: the stack's name tells. */
static bool begins(const struct phase *phase, const char *text)
{
    bool cluster_stack = strstr(text, "-cluster\"") != NULL;
    if (strncmp(text, "will delete stack", 17) == 0)
        return strcmp(phase->kind, "delete") == 0 &&
               strcmp(phase->id, cluster_stack ? "control-plane" : "nodes") == 0;
    if (strncmp(text, "deploying stack", 15) == 0)
        return strcmp(phase->id, "control-plane") == 0 && cluster_stack;
    for (int i = 0; i < 3 && phase->begins[i]; i++)
        if (strncmp(text, phase->begins[i], strlen(phase->begins[i])) == 0)
            return true;
    return false;
}

bool plan_advance(struct plan *plan, const struct eksctl_line *line)
{
    int first = first_phase(plan->kind);
    for (int i = first + plan->current + 1; i < PHASES && strcmp(phases[i].kind, plan->kind) == 0;
         i++) {
        if (!begins(&phases[i], line->text))
            continue;
        plan->current = i - first;
        return true;
    }
    return false;
}

cJSON *plan_json(const void *ctx, const struct plan *plan, bool done)
{
    cJSON *json = json_object(ctx), *tasks = cJSON_CreateArray();
    int first = first_phase(plan->kind);
    for (int i = first; i < PHASES && strcmp(phases[i].kind, plan->kind) == 0; i++) {
        int index = i - first;
        const char *status = done || index < plan->current ? "complete"
                             : index > plan->current       ? "pending"
                             : plan->failed                ? "error"
                                                           : "in_progress";
        cJSON *task = cJSON_CreateObject();
        json_set_string(task, "id", phases[i].id);
        json_set_string(task, "title", phases[i].title);
        json_set_string(task, "status", status);
        cJSON_AddItemToArray(tasks, task);
    }
    bool create = strcmp(plan->kind, "create") == 0;
    json_set_string(json, "title",
                    plan->failed ? (create ? "Creating the cluster failed" : "Deleting it failed")
                    : done       ? (create ? "The cluster is created" : "The cluster is deleted")
                                 : (create ? "Creating the cluster" : "Deleting the cluster"));
    json_set(json, "tasks", tasks);
    return json;
}

/* Patterns from eksctl's and CloudFormation's messages, the more telling ones first. */
static const struct {
    const char *pattern;
    struct cause cause;
} causes[] = {
    {"maximum number of VPCs has been reached",
     {"quota", "The AWS account has no room for another VPC in this region.",
      "Delete an unused environment, or ask for a higher VPC quota.", false}},
    {"VpcLimitExceeded",
     {"quota", "The AWS account has no room for another VPC in this region.",
      "Delete an unused environment, or ask for a higher VPC quota.", false}},
    {"maximum number of addresses has been reached",
     {"quota", "The AWS account has no free Elastic IP address left in this region.",
      "Delete an unused environment, or ask for a higher quota of addresses.", false}},
    {"AddressLimitExceeded",
     {"quota", "The AWS account has no free Elastic IP address left in this region.",
      "Delete an unused environment, or ask for a higher quota of addresses.", false}},
    {"vCPU limit",
     {"quota", "The nodes would exceed the AWS account's vCPU quota.",
      "Ask for fewer or smaller nodes, or for a higher quota.", false}},
    {"vCPU capacity than your current",
     {"quota", "The nodes would exceed the AWS account's vCPU quota.",
      "Ask for fewer or smaller nodes, or for a higher quota.", false}},
    {"VcpuLimitExceeded",
     {"quota", "The nodes would exceed the AWS account's vCPU quota.",
      "Ask for fewer or smaller nodes, or for a higher quota.", false}},
    {"UnsupportedAvailabilityZoneException",
     {"capacity", "AWS has no room for another cluster in one of the chosen availability zones.",
      "Retry; other zones are chosen then. Or take another region.", true}},
    {"does not currently have sufficient capacity",
     {"capacity", "AWS has no room for another cluster in one of the chosen availability zones.",
      "Retry; other zones are chosen then. Or take another region.", true}},
    {"InsufficientInstanceCapacity",
     {"capacity", "AWS has none of these instances free at the moment.",
      "Retry later, or take another instance type or region.", true}},
    {"UnfulfillableCapacity",
     {"capacity", "AWS has none of these instances free at the moment.",
      "Retry later, or take another instance type or region.", true}},
    {"AlreadyExistsException",
     {"leftover", "Something of the same name is left in AWS from before.",
      "Retry: what is left is cleaned up first.", true}},
    {"already exists",
     {"leftover", "Something of the same name is left in AWS from before.",
      "Retry: what is left is cleaned up first.", true}},
    {"ExpiredToken",
     {"permission", "envbot's AWS credentials ran out in the middle.",
      "Whoever runs envbot has to look at its credentials; then retry.", true}},
    {"AccessDenied",
     {"permission", "AWS does not let envbot do this.",
      "Whoever runs envbot has to look at its IAM policies.", false}},
    {"UnauthorizedOperation",
     {"permission", "AWS does not let envbot do this.",
      "Whoever runs envbot has to look at its IAM policies.", false}},
    {"not authorized to perform",
     {"permission", "AWS does not let envbot do this.",
      "Whoever runs envbot has to look at its IAM policies.", false}},
    {"Rate exceeded",
     {"throttling", "AWS was asked too much at once and refused.", "Retry in a few minutes.",
      true}},
    {"Throttling",
     {"throttling", "AWS was asked too much at once and refused.", "Retry in a few minutes.",
      true}},
    {"DependencyViolation",
     {"leftover",
      "Network interfaces or load balancers made inside the cluster keep it from being deleted.",
      "It is tried again; if it stays, the operators are told.", true}},
    {"has some mapped public address",
     {"leftover", "Load balancers made inside the cluster keep its network from being deleted.",
      "It is tried again; if it stays, the operators are told.", true}},
    {"would violate the pod's disruption budget",
     {"leftover", "A pod disruption budget inside the cluster keeps its nodes from being emptied.",
      "It is tried again without waiting for the pods.", true}},
    {"exceeded max wait time",
     {"timeout", "AWS took longer than eksctl waits.",
      "Retry; if it happens again, look at the CloudFormation stack.", true}},
    {"timed out waiting for at least",
     {"timeout", "The nodes did not join the cluster in time.",
      "Retry; if it happens again, look at the node group's instances.", true}},
    {"context deadline exceeded",
     {"timeout", "AWS took longer than eksctl waits.",
      "Retry; if it happens again, look at the CloudFormation stack.", true}},
    {"waiter state transitioned to Failure",
     {"timeout", "CloudFormation reported a failure while eksctl waited.",
      "Look at the log; then retry.", true}},
    {"i/o timeout",
     {"unreachable", "The cluster's API could not be reached from where eksctl runs.",
      "Whoever runs envbot has to look at the network between them; then retry.", true}},
    {"GetCallerIdentity",
     {"passing", "AWS did not say who envbot is when eksctl asked.", "Retry in a few minutes.",
      true}},
    {"unknown field",
     {"request", "The template makes a ClusterConfig that eksctl does not understand.",
      "Whoever wrote the template has to mend it.", false}},
    {"--region=",
     {"request", "eksctl does not know this region.", "Choose another region.", false}},
    {"no such host", {"passing", "AWS could not be reached.", "Retry in a few minutes.", true}},
    {"connection refused",
     {"passing", "AWS could not be reached.", "Retry in a few minutes.", true}},
};

const struct cause cause_unknown = {
    "unknown", "eksctl failed, and its log does not say why in words that envbot knows.",
    "Look at the log; then retry, or ask whoever runs envbot.", true};

const struct cause *cause_of(const char *line)
{
    if (strstr(line, "Resource creation cancelled"))
        return NULL;
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (strstr(line, causes[i].pattern))
            return &causes[i].cause;
    return NULL;
}
