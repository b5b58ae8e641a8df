/* A change request as a matter (approvals/matter.h): more time or more nodes than an environment
   has without another approval. */
#ifndef APPROVALS_MATTER_CHANGE_H
#define APPROVALS_MATTER_CHANGE_H

#include "approvals/matter.h"
#include "lifecycle/change.h"

/* What it takes besides the rows. It outlives the matter. */
struct matter_change_means {
    const struct template_set *templates;
    /* Whether the team's quota has room for so much more, the team's row locked; NULL where no word
       is given. */
    bool (*fits)(void *user, const struct environment *env, const struct template_resources *more,
                 struct error *err);
    void *user;
};

/* Its environment's row is locked by whoever writes. */
struct matter matter_change(struct environment *env, struct change_request *change,
                            const struct matter_change_means *means);

/* Fills before and after of a change request from what its environment is now: for Slack, or as
   plain text. */
bool matter_change_describe(const struct environment *env, struct change_request *change,
                            const struct template_set *templates, bool plain, struct error *err);
/* What a vote on it is about. */
const char *matter_change_digest(const struct environment *env,
                                 const struct change_request *change);
/* So many nodes instead, where the approvers agree: whatever bound the template has. ctx */
bool matter_change_scale(const void *ctx, const struct environment *env, int64_t nodes,
                         const struct template_set *templates, struct change *out,
                         struct error *err);

/* A copy of the environment whose template allows so many nodes, where somebody has approved them;
   ctx. */
struct environment *matter_change_widened(const void *ctx, const struct environment *env,
                                          int64_t nodes);
/* So much more time for the locked environment, whoever decided it; extra as for lifecycle_take,
   to which "more" is added. */
bool matter_change_time(struct db *db, struct environment *env, int64_t seconds,
                        const struct audit_actor *actor, cJSON *extra, struct error *err);

/* Whether the environment is there, so that more of it can be wanted. */
bool matter_change_possible(const struct environment *env);

#endif
