/* Slack's Web API: one call, one answer, sorted by what can be done about it. */
#ifndef SLACK_WEB_H
#define SLACK_WEB_H

#include "base/error.h"
#include "base/json.h"

#include <stdint.h>

/* A client of one thread: it keeps its connection alive. */
struct slack_web;
struct slack_web *slack_web_new(const void *ctx, const char *api_url, const char *token);
/* How long the calls that follow wait for an answer; 0: the HTTP client's usual time. Returns what
   it was. For those whom somebody waits for: an ack has 3 s. */
long slack_web_patience(struct slack_web *web, long ms);

/* What can be done about an answer (a table of Slack's error names in web.c). */
enum slack_class {
    SLACK_OK,
    SLACK_LATER,       /* nothing happened; again after retry_after (429, 5xx, ratelimited, …) */
    SLACK_UNKNOWN,     /* it may have happened: look before repeating */
    SLACK_DESTINATION, /* the channel or person cannot be reached: say it elsewhere */
    SLACK_OURS,        /* a mistake of ours (invalid_blocks, …): repeating does not help */
    SLACK_STOP,        /* token or permission: nothing works until somebody acts */
};

struct slack_answer {
    enum slack_class class;
    const char *error;   /* Slack's name for it, "" when ok */
    int64_t retry_after; /* seconds; 0 when Slack did not say */
    const cJSON *body;   /* NULL when there was none; owned by ctx */
};

/* Calls METHOD with arguments (an object; not taken), as JSON or form as the method wants it. True
   when Slack said ok. Otherwise err has a sentence, answer the class. */
bool slack_call(const void *ctx, struct slack_web *web, const char *method, const cJSON *arguments,
                struct slack_answer *answer, struct error *err);

/* Posts to a response_url (no token). */
bool slack_respond(const void *ctx, struct slack_web *web, const char *response_url,
                   const cJSON *message, struct slack_answer *answer, struct error *err);

/* The three-step upload of a text file to a channel. */
bool slack_upload(const void *ctx, struct slack_web *web, const char *channel, const char *filename,
                  const char *title, const char *content, const char *comment,
                  struct slack_answer *answer, struct error *err);

/* Looks for a message of ours that carries this id, as its metadata (event_payload.outbox) or at
   the end of a block_id ("…outbox-ID"): thread_ts NULL looks in the channel from `oldest` (seconds
   since 1970) on, else in that thread. True when Slack could be asked; *ts is then the message's ts
   (ctx) or NULL when it is not there. Needs the …:history scopes. */
bool slack_find(const void *ctx, struct slack_web *web, const char *channel, const char *thread_ts,
                int64_t oldest, const char *id, const char **ts, struct slack_answer *answer,
                struct error *err);

/* What the table of error names says; for tests and for those who read answers themselves. An
   unknown name is SLACK_OURS. */
enum slack_class slack_class_of(const char *error);
/* "ok", "later", … for logs and metrics. */
const char *slack_class_name(enum slack_class class);
/* The arguments as the body of a form: objects and lists as JSON text, null left out. */
char *slack_form(const void *ctx, const cJSON *arguments);

#endif
