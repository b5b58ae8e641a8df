/* What to do next: what a job is to reach and what is seen in AWS decide it, in one table. */
#ifndef JOBS_RECONCILE_H
#define JOBS_RECONCILE_H

#include <stdbool.h>

/* What the job is to reach. */
enum intent {
    INTENT_CREATE,
    INTENT_DELETE,
    INTENT_CHANGE, /* scale, upgrade, sleep, wake: the steps are change.h's */
    INTENT_COUNT,
};

/* What there is of the cluster. */
enum seen {
    SEEN_NOTHING,     /* no cluster, no stack */
    SEEN_IN_PROGRESS, /* a stack or the cluster is being created, changed or rolled back */
    SEEN_COMPLETE,    /* ACTIVE, every stack complete, the wanted add-ons and node groups there */
    SEEN_FAILED,      /* a stack failed, or its rollback or deletion did; or the cluster FAILED */
    SEEN_ROLLED_BACK, /* ROLLBACK_COMPLETE: it holds the name and can only be deleted */
    SEEN_DELETING,
    SEEN_NO_GROUPS,  /* ACTIVE and well, but a wanted node group is missing */
    SEEN_NO_ADDONS,  /* ACTIVE, but wanted add-ons are missing */
    SEEN_NO_CLUSTER, /* stacks without a cluster */
    SEEN_OTHER,      /* well, but not of the size or version that is wanted */
    SEEN_FOREIGN,    /* a cluster or stack of that name that is not ours */
    SEEN_UNKNOWN,    /* the region cannot be reached, or its answer tells nothing */
    SEEN_COUNT,
};

enum action {
    ACTION_CREATE,     /* eksctl create cluster */
    ACTION_ADD_GROUPS, /* eksctl create nodegroup: the missing ones */
    ACTION_ADD_ADDONS, /* eksctl create addon: the missing ones */
    ACTION_CLEAN,      /* eksctl delete cluster --force, and then on with what is meant */
    ACTION_DELETE,     /* eksctl delete cluster --force */
    ACTION_CHANGE,  /* the next step: eksctl scale nodegroup, upgrade cluster, upgrade nodegroup */
    ACTION_WAIT,    /* look again a little later */
    ACTION_READY,   /* it is reached */
    ACTION_GONE,    /* it is reached: nothing is left */
    ACTION_MISS,    /* what was to be changed is not there: it is told */
    ACTION_LEAVE,   /* not ours: it is not touched, and the operators are told */
    ACTION_GIVE_UP, /* our own try failed: the class of its cause says what comes then */
    ACTION_COUNT,
};

/* tried: this run has done what the table says at first, and it has come to this. */
enum action reconcile(enum intent intent, enum seen seen, bool tried);

/* For the log: "nothing there", "create the cluster". */
const char *seen_words(enum seen seen);
const char *action_words(enum action action);

#endif
