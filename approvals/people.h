/* Who somebody is: an identity is a workspace and a user id, never the user id alone. */
#ifndef APPROVALS_PEOPLE_H
#define APPROVALS_PEOPLE_H

#include "approvals/rbac.h"
#include "config.h"
#include "slack/web.h"

#include <stdbool.h>
#include <time.h>

/* One person as Slack knows them now. Owned by the ctx they were read into. */
struct person {
    const char *workspace, *id;
    const char *name;      /* how they are called: display name, else real name, else the id */
    const char *mail;      /* NULL when unknown */
    const char *zone;      /* IANA time zone, NULL when unknown */
    const char *rbac_user; /* "slack:U…", or the mail address (rbac.user_name: email) */
    const char **groups; /* NULL-terminated: "slack:<handle>" …, "team:<name>" of config members */
    bool guest, bot, deleted;
    bool stranger;       /* of another workspace: nothing is theirs to do */
    bool named_only;     /* a guest whom the configuration lets in where the rules name them */
    bool groups_unknown; /* Slack could not tell their groups, which are left out */
};

struct people; /* thread-safe; shared by all handlers */

/* workspace: our own team id (auth.test); enterprise "" or E…; bot: our own user id. */
struct people *people_new(const void *ctx, const struct config *config, const char *workspace,
                          const char *enterprise);

enum people_freshness {
    PEOPLE_RECENT, /* what was read within the last 60 s will do */
    PEOPLE_NOW,    /* for a decision: what Slack is asked after the call; when it cannot tell, what
                      was read within the last 60 s and every event has kept true since */
    PEOPLE_LOOK,   /* for who only reads: as PEOPLE_RECENT, but without groups when Slack cannot
                      tell these: then less is shown, never more */
};

/* Asks Slack (through the calling thread's own web client) what is not known freshly enough: never
   called inside a transaction. Those who ask at the same time share the groups' answer.
   ERROR_UNAVAILABLE when it cannot be told at the moment, after four fifths of slack.ack_ms at the
   latest. */
bool people_find(const void *ctx, struct people *people, struct slack_web *web,
                 const char *workspace, const char *user, enum people_freshness freshness,
                 struct person **out, struct error *err);

/* Milliseconds: how long Slack is asked for what can be done without, half of slack.ack_ms. */
int64_t people_less_patience(const struct people *people);

/* For a decision that somebody else takes: a person on whom it depends as well. What Slack was
   asked since it began will do, by people_now(), and it is waited for no longer than for who acts.
 */
int64_t people_now(void);
bool people_find_besides(const void *ctx, struct people *people, struct slack_web *web,
                         const char *workspace, const char *user, int64_t began,
                         struct person **out, struct error *err);

/* What an event of Slack (subteam_members_changed, subteam_updated, user_change …) says of people,
   as a text of ctx that all processes are to be told; NULL when it says nothing of them. */
const char *people_change_of(const void *ctx, const char *event_type, const cJSON *event);
/* Takes such a text: what was known and is not true any more is forgotten. */
void people_change(struct people *people, const char *change);
/* Whether every change is heard of from now on: only then an older answer serves for a decision. */
void people_heard(struct people *people, bool heard);

/* The members of "slack:<handle>" (a NULL-terminated list of user ids, ctx), from the recent copy;
   for "could anybody approve this" and for naming who can. */
bool people_of_group(const void *ctx, struct people *people, struct slack_web *web,
                     const char *group, const char ***out, struct error *err);

/* The teams this person belongs to (config members, or the team's slack_group): a NULL-terminated
   list of names, ctx; empty when none. */
const char **people_teams(const void *ctx, const struct people *people,
                          const struct person *person);

/* Whether that identity (mail may be NULL) is this person: two accounts with one mailbox are one.
 */
bool people_same(const struct person *person, const char *workspace, const char *id,
                 const char *mail);

/* Whether the rules let the person do verb on resource in team (namespace) for the template (name;
   "" = no name). why may be NULL. Guests, bots, strangers and deactivated people: never. */
bool people_may(const struct rbac *rules, const struct person *person, const char *verb,
                const char *resource, const char *team, const char *template,
                struct rbac_reason *why);

#endif
