/* What there is in AWS of one environment, as eksctl sees it. */
#ifndef JOBS_LOOK_H
#define JOBS_LOOK_H

#include "jobs/eksctl.h"
#include "jobs/reconcile.h"
#include "store/environments.h"

/* What a cluster has to have to be complete; NULL where nothing is wanted. */
struct wants {
    int groups;     /* stacks of node groups */
    int profiles;   /* Fargate profiles */
    cJSON *addons;  /* names of add-ons without which it does not work */
    cJSON *install; /* names of all that it is to have */
};

/* From its ClusterConfig, owned by ctx. What eksctl installs by itself it does not list
   (pkg/apis/eksctl.io/v1alpha5/defaults.go). */
struct wants wants_of(const void *ctx, const cJSON *config);

struct look {
    enum seen seen;
    cJSON *facts;      /* {version, endpoint, nodes} when there is a cluster */
    cJSON *missing;    /* SEEN_NO_ADDONS: names of the add-ons that are not there */
    const char *why;   /* SEEN_UNKNOWN: what eksctl said; else "" */
    const char *which; /* the first stack that failed, or is not ours, or ""; for the operators */
};

/* Asks eksctl get cluster and utils describe-stacks, and where these say that all is there, what
   else is wanted. wants may be NULL. */
struct look look(const void *ctx, const struct config *config, const struct environment *env,
                 char **environment, const struct wants *wants,
                 const struct eksctl_patience *patience);

/* All node groups as `eksctl get nodegroup` lists them; NULL: that cannot be told, and *why says
   what eksctl said. */
cJSON *look_groups(const void *ctx, const struct config *config, const struct environment *env,
                   char **environment, const struct eksctl_patience *patience, const char **why);

#endif
