/* Whether jobs can be started as the configuration says, without starting one. */
#ifndef JOBS_LAUNCH_CHECK_H
#define JOBS_LAUNCH_CHECK_H

#include "config.h"

/* What is wrong, a line each ("": nothing); *part says what was looked at. Both are of ctx. For a
   cluster: the Job's template, each right that is needed, and a Job that the API server looks at
   and does not make. */
char *launch_check(const void *ctx, const struct config *config, const char **part);

#endif
