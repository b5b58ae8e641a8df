/* eksctl's log: its lines, and the phases of a plan that they tell. */
#ifndef JOBS_EKSCTL_LOG_H
#define JOBS_EKSCTL_LOG_H

#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

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
    /* Each phase's: when it began (PostgreSQL's time, 0: it was left out), and between which
       numbers of seconds it usually lasts (0: nobody knows). */
    int64_t began[PLAN_MOST], ended, least[PLAN_MOST], most[PLAN_MOST];
    bool slow; /* the phase under way takes longer than usual */
};
/* The phase's id and title; NULL when there is none. */
const char *plan_phase_id(const struct plan *plan, int index);
const char *plan_phase_title(const struct plan *plan, int index);
/* How long a phase that is over took, in seconds; -1 when it was left out. */
int64_t plan_took(const struct plan *plan, int index);
/* "8 min to 12 min", or "" when nobody knows. */
char *plan_usual(const void *ctx, const struct plan *plan, int index);
/* Moves the plan on as the line tells; true when it changed. */
bool plan_advance(struct plan *plan, const struct eksctl_line *line);
/* Back to its first phase, which begins now (PostgreSQL's time): what was done is not there any
 * more.
 */
void plan_restart(struct plan *plan, int64_t now);
/* As far as the view's plan tells that it came, with the times of its phases. Of another kind of
   job's nothing is taken. */
void plan_resume(struct plan *plan, const cJSON *json);
/* As the view's plan: {title, tasks: [{id, title, status, details, began}]}, owned by ctx. details:
   how long it took, or since when and how long it usually does. */
cJSON *plan_json(const void *ctx, const struct plan *plan, bool done);

#endif
