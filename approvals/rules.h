/* The rules that hold now: one set that all threads read, replaced as a whole when the files
   change. Whoever asks it more than one question holds it meanwhile, so that all are answered
   alike. */
#ifndef APPROVALS_RULES_H
#define APPROVALS_RULES_H

#include "approvals/rbac.h"

struct rules;

/* Reads rbac.path; false when it cannot be read at all. *problems as of rbac_read(). */
bool rules_new(const void *ctx, const char *path, struct rules **out, char **problems,
               struct error *err);

/* Rules that a cluster keeps: this set answers no to everything, and who asks gets a set of their
   own (review.h). */
struct rules *rules_elsewhere(const void *ctx);

/* The present set, which stays as it is until it is let go of. From any thread. */
const struct rbac *rules_hold(struct rules *rules);
void rules_let_go(struct rules *rules, const struct rbac *held);

/* Puts another set, which belongs to nobody else (ctx NULL), in the place of the present one. */
void rules_replace(struct rules *rules, struct rbac *next);

#endif
