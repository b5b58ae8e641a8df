/* eksctl's log: its lines, and the phases of a plan that they tell. */
#ifndef JOBS_EKSCTL_LOG_H
#define JOBS_EKSCTL_LOG_H

#include "base/json.h"

#include <stdbool.h>

enum eksctl_level {
    EKSCTL_INFO,
    EKSCTL_SUCCESS,
    EKSCTL_WARNING,
    EKSCTL_CRITICAL,
    EKSCTL_DEBUG,
    EKSCTL_CONTINUED /* a line without a prefix */
};

struct eksctl_line {
    enum eksctl_level level;
    const char *text; /* after the prefix; points into the line */
};

/* Reads one line "YYYY-MM-DD HH:MM:SS [ICON]  text" (pkg: cmd/eksctl/logger.go). A line with two
   prefixes in it (a newline that eksctl forgets) counts from the last one. */
struct eksctl_line eksctl_line_read(const char *line);

/* A job's plan: its phases in order, each pending, in_progress, complete or error. */
enum { PLAN_MOST = 8 };
struct plan {
    const char *kind; /* "create" or "delete" */
    int current;      /* index of the phase under way; the ones before are complete */
    bool failed;
};
/* Moves the plan on as the line tells; true when it changed. */
bool plan_advance(struct plan *plan, const struct eksctl_line *line);
/* As the view's plan: {title, tasks: [{id, title, status}]}, owned by ctx. */
cJSON *plan_json(const void *ctx, const struct plan *plan, bool done);

#endif
