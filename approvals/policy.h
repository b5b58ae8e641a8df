/* A template's approval section: who has to agree, what needs nobody, and what the card says. */
#ifndef APPROVALS_POLICY_H
#define APPROVALS_POLICY_H

#include "approvals/people.h"
#include "store/environments.h"

/* The section, read from a request's own copy of the template. */
struct policy {
    int count;              /* different people */
    bool self;              /* may the requester's own word count */
    bool code;              /* approvers prove themselves with a one-time code */
    const cJSON *groups;    /* {"slack:security": 1}, or NULL */
    const cJSON *automatic; /* lines of conditions, or NULL */
};
struct policy policy_read(const cJSON *template_source);

/* Whether one of the automatic lines holds for the values, so that nobody has to approve. The
   value "ttl" is the time asked for; conditions: {max: …}, {min: …}, or a value to equal. */
bool policy_automatic(const struct policy *policy, const cJSON *values, int64_t ttl_seconds);

/* A policy with more groups than this is never met. */
enum { POLICY_GROUPS_MOST = 32 };

/* How many different people have approved, and how many of each of the policy's groups, in its
   order. Begins as {0}; each approval is added with the groups of who gave it. */
struct policy_count {
    int people, members[POLICY_GROUPS_MOST];
};
void policy_add(const struct policy *policy, struct policy_count *count, const char *const *groups);

/* What is wanted still: so many of each group, so many besides, and all in all. One person may fill
   a group's place and one of the count. */
struct policy_missing {
    int members[POLICY_GROUPS_MOST], others, all;
};
struct policy_missing policy_missing(const struct policy *policy, const struct policy_count *count);
/* "one of @security and 1 more approval", ctx; "" when nothing is missing. */
char *policy_missing_text(const void *ctx, const struct policy *policy,
                          const struct policy_missing *missing);

/* What it takes where nobody has voted, ctx: who could, with how many of them and of which groups:
   "2 of @platform", "one of @security and 1 more of @platform". */
char *policy_takes(const void *ctx, const struct policy *policy, const char *who);

/* What is to be approved, and by which rules. */
struct policy_question {
    const struct rbac *rules;
    struct people *people;
    struct slack_web *web;
    const struct policy *policy;
    const struct person *requesters[2]; /* whose word does not count; NULL: nobody */
    const char *team, *template;
};

/* Whether anybody but the requesters could approve: asks for the members of the groups that the
   rules name. ERROR_DENIED with the remedy when nobody could. *who (ctx): up to ten, as mentions
   or group names for people to read. Never inside a transaction. */
bool policy_anybody(const void *ctx, const struct policy_question *question, const char **who,
                    struct error *err);

/* What is missing for it to be approved ("it needs 2 approvals, and the rules name only 1 …") and
   what whoever runs envbot can do; both mrkdwn, missing NULL when nothing is. */
struct policy_gap {
    const char *missing, *remedy;
};
/* The same as an answer; false only when it cannot be told at the moment. */
bool policy_look_for_gap(const void *ctx, const struct policy_question *question, const char **who,
                         struct policy_gap *gap, struct error *err);

/* Those whom the rules name for it, without the requesters: user ids, and mail addresses where the
   rules name people by these; without everybody where they name everybody. A NULL-terminated list,
   ctx. Never inside a transaction. */
bool policy_approvers(const void *ctx, const struct policy_question *question, const char ***ids,
                      struct error *err);

#endif
