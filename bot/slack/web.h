/* Slack's Web API: one call, one answer, sorted by what can be done about it. */
#ifndef SLACK_WEB_H
#define SLACK_WEB_H

#include "base/error.h"
#include "base/json.h"

#include <stdint.h>

/* A client of one thread: it keeps its connection alive. */
struct slack_web;
struct slack_web *slack_web_new(const void *ctx, const char *api_url, const char *token);

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
    const char *error; /* Slack's name for it, "" when ok */
    int64_t retry_after; /* seconds; 0 when Slack did not say */
    const cJSON *body; /* NULL when there was none; owned by ctx */
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

#endif
