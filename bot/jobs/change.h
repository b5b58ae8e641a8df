/* What a change of what runs is to reach, and the next step to it: told from the node groups as
   they are. Knows no process; work.h runs the steps. */
#ifndef JOBS_CHANGE_H
#define JOBS_CHANGE_H

#include "jobs/eksctl.h"
#include "jobs/reconcile.h"
#include "lifecycle/change.h"

enum { GOAL_GROUPS_MOST = 30 }; /* as many as EKS allows in a cluster */

/* How the cluster and its node groups are to be. */
struct goal {
    const char *version; /* of all of it; NULL: the sizes are what matters */
    int count;
    struct goal_group {
        const char *name;
        struct eksctl_size size;
    } groups[GOAL_GROUPS_MOST];
};

/* As the ClusterConfig says. */
struct goal goal_of(const cJSON *config);
/* The same, asleep: no nodes, and no room for an autoscaler to start many. */
struct goal goal_asleep(const struct goal *awake);

/* What is there: the control plane's version, and the node groups as `eksctl get nodegroup` lists
   them. */
struct there {
    const char *version;
    const cJSON *groups;
};

/* The next step towards the goal. */
struct change_step {
    const char
        *verb; /* "scale", "upgrade cluster", "upgrade nodegroup"; NULL: nothing to be done */
    const char *group;
    struct eksctl_size size;
    const char *version;
};

/* What is there says: SEEN_COMPLETE, SEEN_OTHER with the step that comes next, SEEN_IN_PROGRESS, or
   SEEN_NO_GROUPS where a wanted one is missing. */
enum seen change_judge(const struct goal *goal, const struct there *there,
                       struct change_step *step);
/* eksctl's command line for it, owned by ctx. */
char **change_arguments(const void *ctx, const struct config *config, const char *cluster,
                        const char *region, const struct change_step *step);

/* Which end it came to, where it did not succeed: whether all of it is as `before` still. */
enum change_seen change_end(const struct goal *before, const struct there *there);

/* How many nodes all of them are to have. */
int groups_nodes(const cJSON *groups);

#endif
