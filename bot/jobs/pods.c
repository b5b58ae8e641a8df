#include "jobs/pods.h"

#include "jobs/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Why a container waits: k8s.io/kubernetes, pkg/kubelet/images and pkg/kubelet/container. What is
   not here only takes its time. */
static const struct {
    const char *reason;
    enum trouble_kind kind;
} reasons[] = {
    {"ErrImagePull", TROUBLE_IMAGE},
    {"ImagePullBackOff", TROUBLE_IMAGE},
    {"ErrImageNeverPull", TROUBLE_IMAGE},
    {"ImageInspectError", TROUBLE_IMAGE},
    {"InvalidImageName", TROUBLE_IMAGE},
    {"RegistryUnavailable", TROUBLE_IMAGE},
    {"SignatureValidationFailed", TROUBLE_IMAGE},
    {"CreateContainerConfigError", TROUBLE_CONFIG},
    {"CreateContainerError", TROUBLE_CONFIG},
    {"RunContainerError", TROUBLE_CONFIG},
    {"PreCreateHookError", TROUBLE_CONFIG},
};

static const char *label_of(const cJSON *object, const char *label)
{
    const cJSON *labels = json_at(object, "metadata.labels");
    return json_string_or_empty(labels ? cJSON_GetObjectItemCaseSensitive(labels, label) : NULL,
                                "");
}

static int64_t try_of(const cJSON *object)
{
    return strtoll(label_of(object, MANIFEST_TRY_LABEL), NULL, 10);
}

static const char *name_of(const cJSON *object)
{
    return json_string_or_empty(object, "metadata.name");
}

/* The condition of that type that is true; NULL when there is none. */
static const cJSON *condition(const cJSON *object, const char *type, const char *status)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, json_at(object, "status.conditions"))
        if (strcmp(json_string_or_empty(each, "type"), type) == 0 &&
            strcmp(json_string_or_empty(each, "status"), status) == 0)
            return each;
    return NULL;
}

static bool has_ended(const cJSON *job)
{
    return condition(job, "Complete", "True") || condition(job, "Failed", "True");
}

static bool is_live(const cJSON *pod)
{
    const char *phase = json_string_or_empty(pod, "status.phase");
    return strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0;
}

static bool is_of(const cJSON *pod, const cJSON *job)
{
    return strcmp(label_of(pod, "job-name"), name_of(job)) == 0;
}

static bool has_live_pod(const cJSON *pods, const cJSON *job)
{
    const cJSON *pod;
    cJSON_ArrayForEach (pod, pods)
        if (is_of(pod, job) && is_live(pod))
            return true;
    return false;
}

/* ---- what keeps a pod from starting ---- */

static void say(struct trouble *trouble, enum trouble_kind kind, const cJSON *of,
                const char *reason, const char *message)
{
    trouble_set(trouble, kind, "%s%s%s%s%s", name_of(of), *reason ? ": " : "", reason,
                *message ? ": " : "", message);
}

static bool container_waits(const cJSON *pod, const char *list, struct trouble *trouble)
{
    const cJSON *container;
    cJSON_ArrayForEach (container, json_at(pod, list)) {
        const cJSON *waiting = json_at(container, "state.waiting");
        const char *reason = json_string_or_empty(waiting, "reason");
        if (!waiting)
            continue;
        enum trouble_kind kind = TROUBLE_SLOW;
        for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
            if (strcmp(reasons[i].reason, reason) == 0)
                kind = reasons[i].kind;
        say(trouble, kind, pod, reason, json_string_or_empty(waiting, "message"));
        return true;
    }
    return false;
}

static void look_at_pod(const cJSON *pod, struct trouble *trouble)
{
    const cJSON *unscheduled = condition(pod, "PodScheduled", "False");
    if (unscheduled)
        say(trouble, TROUBLE_NODE, pod, json_string_or_empty(unscheduled, "reason"),
            json_string_or_empty(unscheduled, "message"));
    else if (!container_waits(pod, "status.initContainerStatuses", trouble) &&
             !container_waits(pod, "status.containerStatuses", trouble))
        say(trouble, TROUBLE_SLOW, pod, json_string_or_empty(pod, "status.phase"), "");
}

static void look_at_current(struct pods *found, const cJSON *pods)
{
    const cJSON *pod;
    say(&found->trouble, TROUBLE_NO_POD, found->current, "there is no pod of it", "");
    cJSON_ArrayForEach (pod, pods)
        if (is_of(pod, found->current))
            look_at_pod(pod, &found->trouble);
    if (json_at(found->current, "metadata.deletionTimestamp"))
        say(&found->trouble, TROUBLE_SLOW, found->current, "it is being deleted", "");
}

/* ---- what has ended ---- */

/* The number at the end of a Job's name: "envbot-job-17-3" is the first, "…-3-2" the second. */
static int number_of(const cJSON *job)
{
    int dashes = 0;
    const char *last = "";
    for (const char *c = name_of(job); *c; c++)
        if (*c == '-' && ++dashes)
            last = c + 1;
    return dashes >= 4 ? atoi(last) : 1;
}

static void note_end(struct pods *found, const cJSON *job, const cJSON *pods)
{
    int number = number_of(job);
    if (number > found->ended)
        found->ended = number;
    const cJSON *failed = condition(job, "Failed", "True"), *pod;
    if (!failed)
        return;
    double code = -1;
    cJSON_ArrayForEach (pod, pods)
        if (is_of(pod, job))
            code = json_number(pod, "status.containerStatuses.0.state.terminated.exitCode", -1);
    snprintf(found->failure, sizeof found->failure, "%s: %s", name_of(job),
             json_string_or_empty(failed, "reason"));
    if (code >= 0)
        snprintf(found->failure, sizeof found->failure, "%s: exit code %d", name_of(job),
                 (int)code);
}

/* What belongs to another claim than the next one is to end, whole. */
static void note_earlier(struct pods *found, const cJSON *job)
{
    found->earlier = name_of(job);
    if (!json_at(job, "metadata.deletionTimestamp") && found->to_end_count < PODS_TO_END)
        found->to_end[found->to_end_count++] = job;
}

struct pods pods_read(const cJSON *jobs, const cJSON *pods, const struct launch_job *job)
{
    struct pods found = {0};
    const cJSON *each;
    cJSON_ArrayForEach (each, pods)
        if (try_of(each) != job->next && is_live(each))
            found.earlier = name_of(each);
    cJSON_ArrayForEach (each, jobs) {
        if (try_of(each) != job->next) {
            if (!has_ended(each) || has_live_pod(pods, each))
                note_earlier(&found, each);
        } else if (has_ended(each)) {
            note_end(&found, each, pods);
        } else {
            found.current = each;
        }
    }
    if (found.current)
        look_at_current(&found, pods);
    return found;
}

int64_t pods_live_job(const cJSON *job)
{
    if (has_ended(job) || json_at(job, "metadata.deletionTimestamp"))
        return 0;
    return strtoll(label_of(job, MANIFEST_JOB_LABEL), NULL, 10);
}

bool pods_is_for(const cJSON *job, const char *team, const char *name)
{
    return strcmp(label_of(job, MANIFEST_TEAM_LABEL), team) == 0 &&
           strcmp(label_of(job, MANIFEST_ENVIRONMENT_LABEL), name) == 0;
}
