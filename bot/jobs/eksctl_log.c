#include "jobs/eksctl_log.h"

#include "base/duration.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

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
    {"scale", "scale", "Change the node groups", {"scaling nodegroup"}},
    {"scale", "wait", "Wait for the nodes", {"waiting for scaling of nodegroup"}},
    {"scale", "verify", "See that it has them", {"nodegroup successfully scaled"}},
    {"sleep", "scale", "Take its nodes away", {"scaling nodegroup"}},
    {"sleep", "wait", "Wait until they are gone", {"waiting for scaling of nodegroup"}},
    {"sleep", "verify", "See that none is left", {"nodegroup successfully scaled"}},
    {"wake", "scale", "Bring its nodes back", {"scaling nodegroup"}},
    {"wake", "wait", "Wait for the nodes", {"waiting for scaling of nodegroup"}},
    {"wake", "verify", "See that they are back", {"nodegroup successfully scaled"}},
    {"upgrade",
     "control-plane",
     "Upgrade the control plane",
     {"will upgrade cluster", "waiting for requested"}},
    {"upgrade",
     "nodes",
     "Upgrade the nodes",
     {"setting ForceUpdateEnabled", "upgrading nodegroup version"}},
    {"upgrade", "verify", "See that all has the version", {"nodegroup successfully upgraded"}},
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

/* A plan's title while it is under way, when it is done, and when it failed. */
static const char *title_of(const struct plan *plan, bool done)
{
    static const struct {
        const char *kind, *doing, *done, *failed;
    } titles[] = {
        {"create", "Creating the cluster", "The cluster is created", "Creating the cluster failed"},
        {"delete", "Deleting the cluster", "The cluster is deleted", "Deleting it failed"},
        {"sleep", "Putting it to sleep", "It is asleep", "Putting it to sleep failed"},
        {"wake", "Waking it", "It is awake", "Waking it failed"},
        {"upgrade", "Upgrading Kubernetes", "It is upgraded", "Upgrading it failed"},
        {"scale", "Changing the number of nodes", "It has the nodes", "Changing its nodes failed"},
    };
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strcmp(titles[i].kind, plan->kind) == 0)
            return plan->failed ? titles[i].failed : done ? titles[i].done : titles[i].doing;
    return "";
}

static const struct phase *phase_at(const struct plan *plan, int index)
{
    int at = first_phase(plan->kind) + index;
    return index < PLAN_MOST && at < PHASES && strcmp(phases[at].kind, plan->kind) == 0
               ? &phases[at]
               : NULL;
}

const char *plan_phase_id(const struct plan *plan, int index)
{
    const struct phase *phase = phase_at(plan, index);
    return phase ? phase->id : NULL;
}

const char *plan_phase_title(const struct plan *plan, int index)
{
    const struct phase *phase = phase_at(plan, index);
    return phase ? phase->title : NULL;
}

int64_t plan_took(const struct plan *plan, int index)
{
    int64_t end = plan->ended;
    for (int i = PLAN_MOST - 1; i > index; i--)
        end = plan->began[i] ? plan->began[i] : end;
    return plan->began[index] && end >= plan->began[index] ? end - plan->began[index] : -1;
}

char *plan_usual(const void *ctx, const struct plan *plan, int index)
{
    if (!plan->most[index])
        return talloc_strdup(ctx, "");
    char *least = duration_text(NULL, plan->least[index]);
    char *most = duration_text(least, plan->most[index]);
    char *text = strcmp(least, most) == 0 ? talloc_strdup(ctx, most)
                                          : talloc_asprintf(ctx, "%s to %s", least, most);
    talloc_free(least);
    return text;
}

/* What is known of a phase's time. */
static char *details_of(const void *ctx, const struct plan *plan, int index, bool over)
{
    int64_t took = over ? plan_took(plan, index) : -1;
    if (took > 0)
        return talloc_asprintf(ctx, "took %s", duration_text(ctx, took));
    if (over || index != plan->current || !plan->began[index])
        return talloc_strdup(ctx, "");
    time_t began = (time_t)plan->began[index];
    struct tm utc;
    char since[16];
    strftime(since, sizeof since, "%H:%M", gmtime_r(&began, &utc));
    const char *usual = plan_usual(ctx, plan, index);
    return talloc_asprintf(ctx, "since %s UTC%s%s%s", since, *usual ? ", usually " : "", usual,
                           plan->slow ? "; longer than usual" : "");
}

cJSON *plan_json(const void *ctx, const struct plan *plan, bool done)
{
    cJSON *json = json_object(ctx), *tasks = cJSON_CreateArray();
    void *tmp = talloc_new(NULL);
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
        json_set_string(task, "details",
                        details_of(tmp, plan, index, done || index < plan->current));
        json_set_number(task, "began", (double)plan->began[index]);
        cJSON_AddItemToArray(tasks, task);
    }
    talloc_free(tmp);
    json_set_string(json, "title", title_of(plan, done));
    json_set(json, "tasks", tasks);
    return json;
}

void plan_restart(struct plan *plan, int64_t now)
{
    plan->current = 0;
    plan->slow = false;
    memset(plan->began, 0, sizeof plan->began);
    plan->began[0] = now;
}

void plan_resume(struct plan *plan, const cJSON *json)
{
    int64_t began[PLAN_MOST] = {0};
    int current = 0, index = 0;
    const cJSON *task;
    cJSON_ArrayForEach (task, json_at(json, "tasks")) {
        const char *id = plan_phase_id(plan, index);
        if (!id || strcmp(id, json_string_or_empty(task, "id")) != 0)
            return;
        if (strcmp(json_string_or_empty(task, "status"), "pending") != 0)
            current = index;
        began[index++] = (int64_t)json_number(task, "began", 0);
    }
    if (index == 0 || !began[0])
        return;
    plan->current = current;
    memcpy(plan->began, began, sizeof began);
}
