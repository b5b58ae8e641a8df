#include "jobs/launch.h"

#include <stdarg.h>
#include <string.h>
#include <talloc.h>

static const struct launch *const ways[] = {&launch_local, &launch_kubernetes};

const struct launch *launch_find(const char *name)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(ways[i]->name, name) == 0)
            return ways[i];
    return NULL;
}

static const struct trouble_words words[TROUBLE_KINDS] = {
    [TROUBLE_NONE] = {"", "", ""},
    [TROUBLE_HERE] = {"host", "The computer that envbot runs on starts no process for it.",
                      "Look at that computer's memory and number of processes."},
    [TROUBLE_IMAGE] = {"image", "The program that does the work cannot be fetched.",
                       "Look at jobs.kubernetes.image, and whether the nodes may pull it."},
    [TROUBLE_CONFIG] = {"config", "Something that its pod is set up with is missing.",
                        "Make the Secret, ConfigMap or volume that templates/kubernetes/job.yaml "
                        "names, in the namespace of the jobs."},
    [TROUBLE_NODE] = {"node", "The cluster that does the work has no room at the moment.",
                      "Add a node, or ask for less in templates/kubernetes/job.yaml."},
    [TROUBLE_NO_POD] = {"pod", "The cluster that does the work makes no pod for it.",
                        "Its events say why (kubectl describe job): mostly a quota of the "
                        "namespace, or a service account that is missing."},
    [TROUBLE_SLOW] = {"slow", "Its pod takes long to come up.",
                      "Its events say why (kubectl describe pod)."},
    [TROUBLE_CRASHED] = {"crashed", "Its pod ended before it began to work; it is tried again.",
                         "The pod's log says why (kubectl logs)."},
    [TROUBLE_OLD_POD] = {"old-pod", "The pod that worked on it before does not end.",
                         "Look at the node that it runs on. Nothing new starts for it before that "
                         "pod is gone, or its end is overdue."},
    [TROUBLE_REFUSED] = {"refused", "The cluster that does the work refuses envbot.",
                         "Look at the kubeconfig or service account, and at "
                         "deploy/kubernetes/jobs.yaml; `envbot check` asks for each right."},
    [TROUBLE_INVALID] =
        {"invalid", "The cluster that does the work does not take the job.",
         "Mend templates/kubernetes/job.yaml or the namespace; `envbot check` tries "
         "it without starting anything."},
    [TROUBLE_AWAY] = {"away", "The cluster that does the work does not answer.",
                      "Look at its API server."},
    [TROUBLE_BUSY] = {"busy", "The cluster that does the work is busy.",
                      "Its API server asks for patience (429)."},
};

void trouble_set(struct trouble *trouble, enum trouble_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = talloc_vasprintf(NULL, format, args);
    va_end(args);
    struct error cut;
    error_set(&cut, ERROR_UNAVAILABLE, "%s", text);
    memcpy(trouble->detail, cut.text, sizeof trouble->detail);
    trouble->kind = kind;
    talloc_free(text);
}

const struct trouble_words *trouble_words(enum trouble_kind kind)
{
    return &words[kind];
}
