/* The Kubernetes Job of one job, from templates/kubernetes/job.yaml. */
#ifndef JOBS_MANIFEST_H
#define JOBS_MANIFEST_H

#include "base/json.h"
#include "config.h"
#include "store/launches.h"

#define MANIFEST_JOB_LABEL "envbot.dev/job"
#define MANIFEST_TRY_LABEL "envbot.dev/try"
#define MANIFEST_TEAM_LABEL "envbot.dev/team"
#define MANIFEST_ENVIRONMENT_LABEL "envbot.dev/environment"

/* Reads and checks it. NULL with err: ERROR_CONFIG, what is wrong and where. Owned by ctx. */
cJSON *manifest_read(const void *ctx, const struct config *config, struct error *err);

/* The name of the Job of a job's next claim, "envbot-job-17-3"; after `ended` Jobs that came to
   nothing "envbot-job-17-3-2". Making it twice is refused by the API server. */
char *manifest_name(const void *ctx, const struct launch_job *job, int ended);

/* The Job, owned by ctx. NULL with err. */
cJSON *manifest_fill(const void *ctx, const cJSON *template, const struct config *config,
                     const struct launch_job *job, const char *name, struct error *err);

#endif
