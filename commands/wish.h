/* A wish for an environment: what both the typed command and the form check, and how it is placed.
 */
#ifndef COMMANDS_WISH_H
#define COMMANDS_WISH_H

#include "approvals/policy.h"
#include "commands/call.h"

/* The cluster's name is <team>-<name>; EKS takes 100 characters, CloudFormation's stack name
   (eksctl-<cluster>-nodegroup-…) 128. */
enum { WISH_NAME_MOST = 40 };

/* What is asked for, checked as far as it goes without the database. */
struct wish {
    const struct template *template;
    const char *team, *name, *region, *reason;
    const char *who;        /* who could approve it, mrkdwn; "" with automatic */
    const char **approvers; /* their ids, where one-time codes are wanted and all are known; else
                               NULL */
    int64_t ttl;
    time_t until;  /* the moment that was given as its end; 0: a length of time was */
    cJSON *given;  /* as typed: {"nodes": "3"} */
    cJSON *values; /* typed, with defaults */
    cJSON *cluster_config;
    struct template_resources resources;
    struct policy policy;
    bool dry_run, automatic;
    bool break_glass; /* it starts without the approval that it needs */
};

/* Whether the rules let the person ask for the template in that team; NULL: for any, in any. */
bool wish_possible(struct call *call, const char *team, const struct template *t);

/* Each reads one part of a wish from what was given (NULL or "": the usual) and refuses what cannot
   be, with the nearest that can. The template comes first; the rest needs it. */
bool wish_template(struct call *call, const char *given, struct wish *wish, struct error *err);
bool wish_team(struct call *call, const char *given, struct wish *wish, struct error *err);
bool wish_name(struct call *call, const char *given, struct wish *wish, struct error *err);
bool wish_region(struct call *call, const char *given, struct wish *wish, struct error *err);
bool wish_ttl(struct call *call, const char *given, struct wish *wish, struct error *err);

/* The wish as a whole, outside of a transaction: whether the person may ask, what it takes, and
   whether anybody could approve it. */
bool wish_judge(struct call *call, struct wish *wish, struct error *err);
/* Inside the transaction: name and quota, under the team's lock; then it is asked for (or, with
   dry_run, shown), and call->reply says so. */
bool wish_place(struct call *call, const struct wish *wish, struct error *err);

#endif
