/* One WebSocket connection to Slack: whole text messages in, text messages out, and a close that
   frees the socket. Knows nothing of what the messages mean. All of it on the loop's thread;
   nothing calls back but on_message: what became of a connection is asked of it. */
#ifndef SLACK_CONNECTION_H
#define SLACK_CONNECTION_H

#include "slack/opener.h"

#include <stddef.h>

#include <libwebsockets.h>

struct connection;

struct connection_options {
    struct lws_context *context;
    struct lws_vhost *vhost; /* one with connection_protocols; for wss one that verifies */
    const struct opening *where;
    unsigned address; /* which of where's addresses */
    size_t most;      /* bytes of a message; longer ones are logged and skipped */
    /* text belongs to the connection and does not end in '\0'. */
    void (*on_message)(void *user, struct connection *connection, const char *text, size_t length);
    void *user;
};

/* Begins to connect. Owned by ctx; to be freed only once it is gone. */
struct connection *connection_new(const void *ctx, const struct connection_options *options);

enum connection_state {
    CONNECTION_OPENING,
    CONNECTION_OPEN,
    CONNECTION_CLOSING, /* our close frame is sent or about to be; may still receive */
    CONNECTION_GONE,    /* nothing of it is left but this struct and what was not sent */
};
enum connection_state connection_state(const struct connection *connection);
/* Why it is gone, a few words. */
const char *connection_end(const struct connection *connection);

/* A text message to send: a talloc root. */
struct message {
    struct message *next;
    const char *text;
    size_t length;
};

/* Takes message over. Only while it is CONNECTION_OPEN. */
void connection_send(struct connection *connection, struct message *message);
/* What was given to connection_send and never handed to the system; once it is gone. */
struct message *connection_unsent(struct connection *connection);

/* A ping of our own; its answer ends the quiet. */
void connection_ping(struct connection *connection);
/* For how long not one byte came in: pings of the other side count. */
int64_t connection_quiet_ms(const struct connection *connection);

/* Stops reading from it, or reads again. */
void connection_pause(struct connection *connection, bool pause);
/* Sends what is queued, then a close frame; it is gone when the other side answers that. */
void connection_close(struct connection *connection);
/* Closes the socket as soon as the loop comes round. */
void connection_kill(struct connection *connection, const char *why);

/* For the vhost that the connections are made on. */
extern const struct lws_protocols connection_protocols[];

#endif
