/* Socket Mode: keeps the wanted number of WebSocket connections to Slack open, hands over what
   comes in, and sends the acks. One thread, one loop (libwebsockets); the HTTP door lives on the
   same loop. https://docs.slack.dev/apis/events-api/using-socket-mode */
#ifndef SLACK_SOCKET_H
#define SLACK_SOCKET_H

#include "base/error.h"
#include "slack/envelope.h"

#include <stdbool.h>
#include <stdint.h>

struct lws_context;
struct metrics;
struct socket;

struct socket_options {
    int connections;       /* kept open, 1–10 (Slack's own limit for an app); 0: 2 */
    const char *app_token; /* xapp-… */
    const char *api_url;   /* "https://slack.com/api/"; http:// and ws:// on loopback only */

    /* Called on the socket's thread for each envelope that wants an ack; must not block. Takes
       over raw (talloc_free on any thread) and owes exactly one socket_ack for it. */
    void (*on_envelope)(void *user, struct envelope_raw *raw);
    void *user;

    /* Times in ms, 0 for the default. */
    int64_t hello_ms;   /* for connecting, TLS, upgrade and hello together: 15 s */
    int64_t silence_ms; /* without any byte from Slack a connection is dead: 45 s */
    int64_t drain_ms;   /* how long a connection that is replaced waits for its acks: 5 s */
    int64_t pause_ms;   /* before looking again after link_disabled or a final refusal: 5 min */
    int64_t floor_ms;   /* back-off after abnormal ends: from 1 s … */
    int64_t cap_ms;     /* … to 60 s */
    int64_t proven_ms;  /* a connection that lived this long resets the back-off: 60 s */
};

/* Makes the loop, connects nothing yet. Owned by ctx, freed by talloc_free after socket_run
   returned and nobody calls socket_ack any more. NULL with err. */
struct socket *socket_new(const void *ctx, const struct socket_options *options,
                          struct metrics *metrics, struct error *err);

/* The loop's context, for those who serve on it too; to be used before socket_run, or on its
   thread. */
struct lws_context *socket_lws(struct socket *socket);

/* The loop. Returns true after socket_stop, with all connections closed; false with err when
   Slack refuses for good (token, scope, app) before it ever said hello. Later refusals make it
   unready instead, and it looks again every pause_ms. */
bool socket_run(struct socket *socket, struct error *err);

/* From any thread: acks an envelope. payload is JSON text (an object) or NULL; it is left out
   where Slack does not accept one. Goes out on the delivering connection while that is open,
   otherwise on another. A second ack for the same delivery is ignored. */
void socket_ack(struct socket *socket, uint64_t connection, const char *envelope_id,
                const char *payload);

/* From any thread and from signal handlers: stop taking new work, wait for the acks of what was
   taken (at most drain_ms), close. socket_run then returns. */
void socket_stop(struct socket *socket);

/* From any thread. Ready: at least one usable connection (Slack said hello on it). */
bool socket_ready(struct socket *socket);
int socket_connections(struct socket *socket); /* usable ones */
/* Why it is not ready, one sentence, talloc'ed on ctx; NULL when it is. */
char *socket_trouble(const void *ctx, struct socket *socket);

#endif
