/* One delivery from Slack: the frame as the socket hands it over, and read into a struct.
   https://docs.slack.dev/apis/events-api/using-socket-mode */
#ifndef SLACK_ENVELOPE_H
#define SLACK_ENVELOPE_H

#include "base/error.h"
#include "base/json.h"

#include <stdint.h>

/* One text frame of Socket Mode. All of it hangs on the struct itself: whoever has it owns it, and
   talloc_free() ends it, on any thread. */
struct envelope_raw {
    uint64_t connection; /* where it came in; for socket_ack */
    int64_t received_ns; /* CLOCK_MONOTONIC */
    const char *type;    /* "slash_commands", "interactive", "events_api", "hello", …; or "" */
    const char *envelope_id; /* "" when there is none (hello, disconnect); otherwise at most 100
                                printable characters, none of them a quote or backslash */
    bool takes_payload;      /* the ack may carry content */
    const cJSON *frame;      /* the whole */
};

/* Reads a text frame; NULL with err when it is no UTF-8, no JSON object, or its envelope_id could
   not be acked. "\u0000" and half surrogate pairs, which neither C nor PostgreSQL can hold, become
   U+FFFD. */
struct envelope_raw *envelope_frame(const void *ctx, const char *text, size_t length,
                                    struct error *err);

enum envelope_type {
    ENVELOPE_COMMAND,    /* a slash command */
    ENVELOPE_ACTION,     /* block_actions: a button or another element */
    ENVELOPE_SUBMISSION, /* view_submission: a modal was sent */
    ENVELOPE_CLOSED,     /* view_closed */
    ENVELOPE_EVENT,      /* events_api */
    ENVELOPE_OTHER,      /* known to Slack, not to us: acked and forgotten */
};

/* Texts are never NULL ("" where Slack sent none) unless said, and are as the person sent them:
   not trimmed, not escaped. */
struct envelope {
    enum envelope_type type;
    const char *type_name; /* for logs and metrics: "slash_commands", "block_actions", … */
    const char *envelope_id;
    const char *key;            /* to tell a second delivery: event_id, trigger_id or envelope_id */
    bool takes_payload;         /* the ack may carry content */
    int retry_attempt;          /* an event's; may be above 0 on the first one that reaches us */
    const char *workspace;      /* team_id of the workspace it came from; "" with an org-wide one */
    const char *enterprise;     /* "" or E… */
    const char *user_workspace; /* the actor's own workspace (user.team_id), else workspace; in an
                                   event of a shared channel it can be an organisation, E… */
    const char *user;           /* U… or W…; "" only in events and what is of no known type */
    const char *user_name;      /* as Slack calls them; for logs, never for decisions */
    const char *channel;        /* where it was typed or clicked; "" in a modal */
    const char *trigger_id, *response_url;
    /* a slash command */
    const char *command, *text;
    /* a button or another element: actions[0]; value is the button's, the option's or what was
       typed */
    const char *action_id, *value, *block_id;
    const char *message_ts; /* of the message that holds the button */
    const char *thread_ts;  /* of the thread that message is in */
    bool ephemeral;         /* that message is one that only this person sees */
    /* a modal */
    const char *view_id, *callback_id, *private_metadata, *view_hash;
    const cJSON *state; /* view.state.values or state.values; NULL when there is none */
    /* an event */
    const char *event_type;
    const cJSON *event;   /* NULL when there is none (app_rate_limited) */
    const cJSON *payload; /* the whole */
};

/* Reads what handlers ask for. On false err says what is malformed: a known type without its
   person, ids that are no ids, parts of the wrong kind. *out is set either way and hangs on raw;
   on false only type_name, envelope_id, key and takes_payload count, so that it can be acked. */
bool envelope_parse(struct envelope_raw *raw, struct envelope **out, struct error *err);

/* Both in one, from the JSON text of one frame. On false err says what is wrong; *out is then set
   if at least the envelope_id could be read (so that it can be acked), else NULL. */
bool envelope_read(const void *ctx, const char *text, size_t length, struct envelope **out,
                   struct error *err);

/* The value that a person gave to an input (block_id, action_id) of a modal: the text, the selected
   option's value, the picked date; NULL when empty or not there. */
const char *envelope_input(const struct envelope *envelope, const char *block_id,
                           const char *action_id);

#endif
