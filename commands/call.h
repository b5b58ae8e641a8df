/* What a command, a click or a modal is given, and what it may leave behind. */
#ifndef COMMANDS_CALL_H
#define COMMANDS_CALL_H

#include "approvals/people.h"
#include "approvals/rbac.h"
#include "approvals/review.h"
#include "approvals/rules.h"
#include "approvals/voters.h"
#include "commands/words.h"
#include "config.h"
#include "lifecycle/template.h"
#include "lifecycle/wording.h"
#include "slack/envelope.h"
#include "slack/web.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/environments.h"

/* What all threads share. */
struct app {
    const struct config *config;
    const struct template_set *templates;
    const struct wording *wording;
    struct rules *rules; /* its sets change; call->rules does not */
    struct people *people;
    struct breaker *cluster; /* around the cluster that keeps the rules; NULL: files keep them */
    const char *workspace, *enterprise, *bot_user;    /* from auth.test */
    void (*after_commit)(void *user, unsigned notes); /* rings whom the notes (db_note) concern */
    void *after_commit_user;
};

/* What a handler's thread has of its own. */
struct tools {
    const struct app *app;
    void *memory; /* a talloc pool that each call is made in; NULL: none */
    struct db *db;
    struct slack_web *web;
    struct kube *kube; /* the cluster that keeps the rules; NULL: files keep them */
};

/* One envelope being handled. Everything of it is talloc'ed on it. */
struct call {
    const struct tools *tools;
    const struct app *app;
    struct db *db;
    const struct rbac *rules; /* the access rules as they were when the envelope came */
    struct review *review;    /* what a cluster says of them, and rules are its; NULL: files */
    struct voters *voters;    /* who those are now who voted before */
    const struct envelope *envelope;
    const struct person *person;
    struct audit_actor actor;      /* the person, for the audit */
    const struct command *command; /* what they asked for */
    int64_t about;                 /* the environment that was found for it; 0: none yet */
    int64_t began_ms;              /* of the monotonic clock */
    int64_t began_people;          /* people_now() then, or a little later */
    const struct words *words;     /* a typed command's, after its name */
    void *prepared;                /* what prepare() left for run() */
    /* what comes of it */
    cJSON *reply;  /* the ack's payload; NULL: an empty ack */
    cJSON *view;   /* a modal to open after the commit; NULL: none */
    cJSON *errors; /* a refused form's, by block; NULL: the refusal stands at its first field */
    bool wrote;    /* something was committed, which others may have to be told of */
};

/* One thing a person can do. prepare runs before the transaction and may ask Slack; run runs inside
   it and may not. Both return false with err set to refuse: then nothing has happened. */
typedef bool call_fn(struct call *call, struct error *err);

enum { ANY_WORDS = -1 };

struct command {
    const char *name;
    const char *usage;   /* after the name: "TEMPLATE [NAME] [--ttl 8h] …" */
    const char *summary; /* one line */
    const char *example;
    const char *verb, *resource; /* who sees it in help; NULL: everybody */
    bool reads;                  /* READ ONLY, leaves no row */
    bool decides;                /* needs to know freshly who acts */
    const char *const *switches; /* options without a value */
    const char *const *(*all_switches)(struct call *call); /* in their place: these and more */
    const char *const *options; /* options with one; NULL: none, or run knows more of them */
    int words;                  /* how many it takes besides options; ANY_WORDS: run checks */
    call_fn *prepare, *run;
};

/* ---- replies ---- */

/* The ack's text, mrkdwn, as printf; only the caller sees it. Texts of people go through
   text_mrkdwn() first. */
void reply_text(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The ack from templates/slack/NAME.yaml. */
bool reply_template(struct call *call, const char *name, const cJSON *values, struct error *err);

/* The ack that refuses a form, with call->errors at its fields or else words at the first. For run:
   whoever returns true after it keeps what was written down all the same. */
void reply_form_refused(struct call *call, const char *words);

/* An answer that only the caller sees, after the commit: for clicks and modals, whose acks show
   nothing. In the channel of the click, or of the form's opening, else a direct message. words are
   mrkdwn. */
void answer_privately(struct call *call, const char *words);
/* The channel of the click, or of the form's opening; "" when it was opened in none. */
const char *call_channel(struct call *call);
/* What is added to an answer while provisioning is paused (rows of pause_ask); "" while it is not.
 */
const char *call_pause_words(struct call *call, const struct rows *rows);
/* How a typed command and a click answer alike: with words, or with the text of
   templates/slack/NAME.yaml, filled with the view of the environment. */
void answer(struct call *call, const char *words);
bool answer_template(struct call *call, const char *name, const struct environment *env,
                     struct error *err);

/* ---- what most commands do first ---- */

/* Refuses what does not exist with the nearest that does, or with all there is. what: "team". */
bool call_no_such(struct call *call, const char *what, const char *given, const char *const *known,
                  size_t count, struct error *err);
/* The configured team of that name; refuses with the nearest. */
bool call_team(struct call *call, const char *name, const char **team, struct error *err);
/* Refuses options that the command does not have, and more words than it takes: with what was
   understood, what was not, and the nearest that exists. */
bool call_words(struct call *call, const struct command *command, struct error *err);
/* What was put into a form's field (block and action are called alike), without what nobody sees;
   NULL when it was left empty. */
const char *call_field(struct call *call, const char *name);

/* The environment called words[0] (with --team), locked or not; refuses with the nearest name that
   exists and that the caller may see. Takes the lock order's care: nothing else may be locked
   before. */
bool call_environment(struct call *call, enum environment_lock lock, struct environment **out,
                      struct error *err);
/* By the id in a button's value ("12" or "12.1"), or in a form's private_metadata ("C0PAY 12",
   "C0PLAT U0APPR 12.1"). */
bool call_environment_by_value(struct call *call, enum environment_lock lock,
                               struct environment **out, struct error *err);
/* The same for a decision: the value must say which revision the card showed ("12.1"). */
bool call_environment_by_card(struct call *call, enum environment_lock lock,
                              struct environment **out, struct error *err);
/* The environment's id in that value; 0 when it cannot be read. */
int64_t call_value_id(const struct call *call);
/* Who opened the form, as its private_metadata says; "" where it does not. */
const char *call_opener(struct call *call);
/* The revision in that value; 0 when there is none. */
int call_revision(const struct call *call);
/* The change request in it ("12.1.7"); 0 when there is none. */
int64_t call_change(const struct call *call);
/* Whether the rules show the caller a team's environments, and "{payments,search}": the teams of
   which they show none. What the caller owns in these is theirs to see all the same. */
bool call_sees(const struct call *call, const char *team);
const char *call_hidden_teams(const struct call *call);
bool call_owns(const struct call *call, const struct environment *env);
/* Whether the rules let the caller do it; else refuses with whom the rules name for it. */
bool call_may(struct call *call, const char *verb, const char *resource, const char *team,
              const char *template, struct error *err);
/* The same, or being the owner. */
bool call_may_or_owns(struct call *call, const char *verb, const struct environment *env,
                      struct error *err);

#endif
