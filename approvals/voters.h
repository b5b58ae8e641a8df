/* Who those are now who have voted. Slack is asked for it outside of transactions: whom a handler
   comes across inside one and nobody has asked for yet is noted, what it did is rolled back, those
   noted are asked for, and it runs again (commands/dispatch.c). An answer serves one call. */
#ifndef APPROVALS_VOTERS_H
#define APPROVALS_VOTERS_H

#include "approvals/people.h"

struct voters;
struct voters *voters_new(const void *ctx);

/* The person as Slack told them, the voters' own; of whom Slack knows nothing: one who may do
   nothing. NULL: not asked yet, and noted. */
const struct person *voters_find(struct voters *voters, const char *workspace, const char *id);
/* This one need not be asked for; who outlives voters. */
void voters_know(struct voters *voters, const struct person *person);

/* How many are noted. */
int voters_open(const struct voters *voters);
/* Asks for those. began: when the decision did, by people_now(); what Slack was asked since then
   will do. 0: what is recent will. */
bool voters_ask(struct voters *voters, struct people *people, struct slack_web *web, int64_t began,
                struct error *err);

#endif
