/* The inside of socket, shared by socket.c (the loop and opening), frames.c (what Slack says) and
   links.c (each connection's life, and the acks). Nobody else includes it. */
#ifndef SLACK_LINKS_H
#define SLACK_LINKS_H

#include "base/retry.h"
#include "slack/acks.h"
#include "slack/connection.h"
#include "slack/opener.h"
#include "slack/socket.h"

#include <pthread.h>
#include <stdatomic.h>

struct metric;
struct series;

enum {
    PING_MS = 15000,   /* quiet for so long: ask */
    CLOSE_MS = 1000,   /* Slack answers a close but leaves TCP open
                          (node-slack-sdk#2752): we end it */
    HELD_MS = 10000,   /* how long an ack waits for a connection; Slack waits 3 s */
    FORGET_MS = 60000, /* an envelope that nobody acked */
    HASTE_MS = 1000,   /* refreshed so soon after its hello: do not hurry */
};

enum link_state {
    LINK_GREETING, /* until hello */
    LINK_READY,
    LINK_DRAINING, /* replaced; waits for its acks */
    LINK_CLOSING,
};

/* One connection and what Slack said on it. */
struct link {
    struct link *next;
    struct socket *socket;
    uint64_t id;
    struct connection *connection;
    enum link_state state;
    int64_t since_ms; /* in that state */
    int64_t ready_ms; /* its hello; 0 before */
    int64_t look_ms;  /* when to look at its silence again */
    bool leaving;     /* Slack asked for another in its place */
};

struct socket {
    struct socket_options options;
    struct lws_context *lws;
    struct lws_vhost *plain, *tls; /* made when first needed */
    lws_sorted_usec_list_t alarm;
    struct opener *opener;
    struct acks *acks;
    struct metric *envelopes, *disconnects;
    struct series *shown, *ack_seconds;

    struct link *links;
    uint64_t last_id;
    struct message *held; /* acks that have no connection to go to */
    struct retry retry;
    int64_t open_ms;   /* not before */
    int64_t failed_ms; /* the last failure */
    int64_t closed_ms; /* the last close of ours; Slack may still count it */
    int64_t forget_ms;
    bool asking;         /* the opener is */
    bool greeted;        /* Slack has said hello, ever */
    bool draining;       /* stop was asked, and is under way */
    int others;          /* connections of other programs that were warned of */
    struct error *fatal; /* socket_run's, once filled */
    bool failed;

    _Atomic bool stop;
    _Atomic int ready;
    pthread_mutex_t lock;
    char trouble[sizeof((struct error *)0)->text]; /* under lock; "" when all is well */
};

int64_t socket_now_ns(void); /* CLOCK_MONOTONIC */
int64_t socket_now_ms(void);
char *socket_number(const void *ctx, int64_t value);              /* for the log */
void socket_set_trouble(struct socket *socket, const char *text); /* "": all is well */
void socket_count_disconnect(struct socket *socket, const char *reason);
/* Something went wrong: the next connection waits, at least so long. */
void socket_back_off(struct socket *socket, int64_t at_least_ms);

/* frames.c: a connection's on_message; user is the link. */
void frames_on_message(void *user, struct connection *connection, const char *text, size_t length);

/* links.c */
void link_turn(struct link *link, enum link_state state);
/* Begins the end of a connection: what is queued is sent, then a close frame. */
void link_close(struct link *link);
/* When its state lasts too long; INT64_MAX when it may last. */
int64_t link_due(const struct socket *socket, const struct link *link);
/* Sends the acks that were given. */
void links_send_acks(struct socket *socket, int64_t now);
/* Begins to drain those that are replaced. */
void links_drain_replaced(struct socket *socket);
/* Looks after each connection, and takes away those that are gone. */
void links_look(struct socket *socket, int64_t now);

#endif
