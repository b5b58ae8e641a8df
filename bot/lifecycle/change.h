/* Changes of what runs: how many nodes, which version, asleep or awake. Planned from the request's
   own copy of its template, begun and finished under the environment's lock. While one is under way
   the row reserves the larger of before and after, so that neither end can be over the quota. */
#ifndef LIFECYCLE_CHANGE_H
#define LIFECYCLE_CHANGE_H

#include "lifecycle/states.h"
#include "lifecycle/template.h"

struct change {
    const char *kind;      /* of the job: "scale", "upgrade", "sleep", "wake" */
    cJSON *parameters;     /* what they become; NULL: they stay */
    const char *from, *to; /* what changes, for people: "2" and "4" */
    struct template_resources before, after;
};

/* Whether envbot knows changes of that kind: what a job of it is for. */
bool change_is(const char *kind);

/* Another number of nodes, within the bounds of the parameter `nodes`. Owned by ctx. ERROR_USAGE or
   ERROR_CONFLICT with a sentence where it does not fit. */
bool change_scale(const void *ctx, const struct environment *env, const struct template_set *set,
                  const char *nodes, struct change *out, struct error *err);

/* The next minor version of Kubernetes, where the parameter `version` has it among its choices. */
bool change_upgrade(const void *ctx, const struct environment *env, const char *version,
                    struct change *out, struct error *err);

/* No nodes, and back to as many as before. */
bool change_sleep(const void *ctx, const struct environment *env, const struct template_set *set,
                  struct change *out, struct error *err);
bool change_wake(const void *ctx, const struct environment *env, struct change *out,
                 struct error *err);

/* What it takes more than now; nothing is negative. The caller sees, under the lock of the team's
   row, that it fits. */
struct template_resources change_more(const struct change *change);

/* Begins it on a locked environment: the row keeps it and what it reserves, its job is queued, and
   it is told. extra as for lifecycle_take. */
bool change_begin(struct db *db, struct environment *env, const struct change *change,
                  const struct audit_actor *actor, const cJSON *extra, struct error *err);

/* What was seen in the end. */
enum change_seen {
    CHANGE_UNSEEN,       /* it could not be seen */
    CHANGE_SEEN_AFTER,   /* as it was to become */
    CHANGE_SEEN_BEFORE,  /* as it was */
    CHANGE_SEEN_BETWEEN, /* some of it changed */
};
/* Ends the change under way by what was seen; where it did not succeed, env->cause says why. */
bool change_finish(struct db *db, struct environment *env, enum change_seen seen,
                   const cJSON *extra, struct error *err);

#endif
