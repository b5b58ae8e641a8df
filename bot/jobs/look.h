/* What there is in AWS of one environment, as eksctl sees it. */
#ifndef JOBS_LOOK_H
#define JOBS_LOOK_H

#include "config.h"
#include "store/environments.h"

enum seen {
    SEEN_NOTHING,     /* no cluster, no stack */
    SEEN_READY,       /* the cluster is ACTIVE, every stack complete, the wanted groups are there */
    SEEN_PARTIAL,     /* ours, nothing moves, but something is missing */
    SEEN_IN_PROGRESS, /* a stack or the cluster is being created or changed */
    SEEN_DELETING,
    SEEN_FAILED,  /* a stack failed or was rolled back */
    SEEN_FOREIGN, /* a cluster of that name that is not ours */
    SEEN_UNKNOWN, /* cannot be told at the moment */
};

struct look {
    enum seen seen;
    cJSON *facts;     /* {version, endpoint, nodes} when there is a cluster */
    const char *text; /* one line for the log */
};

/* Asks eksctl get cluster and utils describe-stacks; at most `seconds` each. wanted_groups: how
   many node-group stacks there have to be. */
struct look look(const void *ctx, const struct config *config, const struct environment *env,
                 char **environment, int wanted_groups, int seconds);

#endif
