/* One delivery from Slack, read into a struct. */
#ifndef SLACK_ENVELOPE_H
#define SLACK_ENVELOPE_H

#include "base/error.h"
#include "base/json.h"

enum envelope_type {
    ENVELOPE_COMMAND,         /* a slash command */
    ENVELOPE_ACTION,          /* block_actions: a button or another element */
    ENVELOPE_SUBMISSION,      /* view_submission: a modal was sent */
    ENVELOPE_CLOSED,          /* view_closed */
    ENVELOPE_EVENT,           /* events_api */
    ENVELOPE_OTHER,           /* known to Slack, not to us: acked and forgotten */
};

/* Texts are never NULL ("" where Slack sent none) unless said; all live in the ctx it was read in. */
struct envelope {
    enum envelope_type type;
    const char *type_name;   /* for logs and metrics: "slash_commands", "block_actions", … */
    const char *envelope_id;
    const char *key;         /* to tell a second delivery: event_id, trigger_id or envelope_id */
    bool takes_payload;      /* the ack may carry content */
    const char *workspace;   /* team_id of the workspace it came from; "" with an org-wide one */
    const char *enterprise;  /* "" or E… */
    const char *user_workspace; /* the actor's own workspace (user.team_id), else workspace */
    const char *user;        /* U… or W… */
    const char *user_name;   /* as Slack calls them; for logs, never for decisions */
    const char *channel;     /* where it was typed or clicked; "" in a modal */
    const char *trigger_id, *response_url;
    /* a slash command */
    const char *command, *text;
    /* a button */
    const char *action_id, *value, *block_id;
    const char *message_ts;  /* of the message that holds the button */
    bool ephemeral;          /* that message is one that only this person sees */
    /* a modal */
    const char *view_id, *callback_id, *private_metadata, *view_hash;
    const cJSON *state;      /* view.state.values or state.values; NULL when there is none */
    /* an event */
    const char *event_type;
    const cJSON *event;      /* NULL when there is none (app_rate_limited) */
    const cJSON *payload;    /* the whole */
};

/* Reads the JSON text of one frame of type slash_commands, interactive or events_api. On false err
   says what is wrong; *out is then set if at least the envelope_id could be read (so that it can be
   acked), else NULL. */
bool envelope_read(const void *ctx, const char *text, size_t length, struct envelope **out,
                   struct error *err);

/* The value that a person gave to an input (block_id, action_id) of a modal: the text, the selected
   option's value, the picked date; NULL when empty or not there. */
const char *envelope_input(const struct envelope *envelope, const char *block_id,
                           const char *action_id);

#endif
