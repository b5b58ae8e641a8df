/* What a sweep finds, without doing anything about it. */
#ifndef JOBS_SWEEP_LOOK_H
#define JOBS_SWEEP_LOOK_H

#include "jobs/eksctl.h"
#include "store/db.h"

struct sweep {
    const struct config *config;
    struct db *db;
    int64_t id;         /* 0: a dry run, of which nothing is kept */
    time_t renewed_at;  /* CLOCK_MONOTONIC */
    char **environment; /* of eksctl */
    struct eksctl_patience patience;
    int regions, clusters; /* that were looked at */
    cJSON *findings;       /* {kind, region, line, …}; of an orphan {cluster, old} too */
    bool unread;           /* something could not be read */
};

/* Fills findings: orphan, ghost, unread. False with err: the database or the lease is lost. */
bool sweep_look(void *ctx, struct sweep *sweep, struct error *err);
/* What AWS says of one cluster. *known is false when it cannot be told; NULL: there is none. */
const cJSON *sweep_cluster(void *ctx, struct sweep *sweep, const char *cluster, const char *region,
                           bool *known);

#endif
