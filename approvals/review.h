/* Rules that a cluster keeps (rbac.source: kubernetes): the questions of one envelope, each asked
   as a SubjectAccessReview, and their answers.

   Nothing may be asked over the network inside a transaction, and only the handler knows its
   questions. So what was not asked yet is answered with no and noted; when the handler is done and
   something was noted, all that it did is rolled back, what was noted is asked at once, and the
   handler runs again with the answers. An answer serves the envelope that it was asked for. */
#ifndef APPROVALS_REVIEW_H
#define APPROVALS_REVIEW_H

#include "approvals/rbac.h"
#include "base/breaker.h"
#include "base/kube.h"

#include <stddef.h>

struct config;

/* The cluster that keeps the rules, as the configuration says how to reach it. Owned by ctx. */
struct kube *review_cluster(const void *ctx, const struct config *config);

struct review;
struct review *review_new(const void *ctx);

/* The rules as far as they were asked: rbac_allows() answers from the answers. Lives as long as the
   review. */
const struct rbac *review_rules(const struct review *review);

/* How many questions were noted that have no answer yet. While there are some, nothing that was
   made of the answers holds. */
size_t review_open(const struct review *review);

/* Asks what was noted. breaker may be NULL. ERROR_UNAVAILABLE with a sentence for people when the
   cluster cannot tell: then nobody is let through. Why stands in the log. */
bool review_ask(struct review *review, struct kube *kube, struct breaker *breaker, long patience_ms,
                struct error *err);

/* One question, with its answer in *allowed and *why; for the command line. err then says what the
   cluster said, for whoever runs envbot. */
bool review_one(const void *ctx, struct kube *kube, const struct rbac_question *question,
                long patience_ms, bool *allowed, struct rbac_reason *why, struct error *err);

#endif
