/* What a cluster has of one job: its Jobs and their Pods, read into what matters for starting it.
 */
#ifndef JOBS_PODS_H
#define JOBS_PODS_H

#include "base/json.h"
#include "jobs/launch.h"

enum { PODS_TO_END = 16 };

struct pods {
    const cJSON *current; /* the Job of its next claim that has not ended; NULL: none */
    struct trouble
        trouble;         /* what keeps that one's pod from starting; kind TROUBLE_NONE: nothing */
    int ended;           /* the number of the last Job of its next claim that has ended; 0 */
    char failure[256];   /* how one of those failed; "" */
    const char *earlier; /* the name of what is left of an earlier claim; NULL: nothing is */
    const cJSON *to_end[PODS_TO_END]; /* the Jobs that have to be deleted for that */
    int to_end_count;
};

/* jobs and pods: the items of both lists, which must outlive the result. */
struct pods pods_read(const cJSON *jobs, const cJSON *pods, const struct launch_job *job);

/* The number of the job that a Job is for, when it has neither ended nor is being deleted; else 0.
 */
int64_t pods_live_job(const cJSON *job);
bool pods_is_for(const cJSON *job, const char *team, const char *name);

#endif
