/* One-time codes: what a stolen Slack session does not have. Where a request's own copy of the
   template says approval.code, an approval counts with a right code only. */
#ifndef APPROVALS_CODE_H
#define APPROVALS_CODE_H

#include "approvals/people.h"
#include "approvals/totp.h"
#include "store/audit.h"
#include "store/environments.h"

enum { CODE_TRIES = 5, CODE_LOCK = 15 * 60 };

/* Before the form that asks for a code: refuses who could not give one anyway (not enrolled,
   locked, no key in the configuration), with whom to ask. */
bool code_possible(const void *ctx, struct db *db, const struct config *config,
                   const struct person *person, struct error *err);

/* Inside the transaction of the decision, the environment locked; locks the enrolment. True with
   *right: the step is used up. True without: a wrong try is written down, which the caller commits,
   and *words (ctx, plain text) is for the person; the fifth in a row locks for CODE_LOCK seconds
   and tells the person and the operators. False: refused without a try, and nothing is written. */
bool code_check(const void *ctx, struct db *db, const struct config *config,
                const struct environment *env, const struct person *person,
                const struct audit_actor *actor, const char *code, bool *right, const char **words,
                struct error *err);

/* A new secret for the person, in place of an earlier one (*replaced), with its audit row, inside
   the caller's transaction. */
bool code_enrol(struct db *db, const struct config *config, const struct person *person,
                const struct audit_actor *actor, uint8_t secret[TOTP_SECRET], bool *replaced,
                struct error *err);
/* The way back; *was: whether there was one. */
bool code_forget(struct db *db, const char *workspace, const char *user, const char *name,
                 const struct audit_actor *actor, bool *was, struct error *err);

#endif
