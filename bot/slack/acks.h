/* What is owed to Slack: each delivery that was handed on, until its ack is sent, and the acks that
   other threads have given for them. */
#ifndef SLACK_ACKS_H
#define SLACK_ACKS_H

#include "slack/connection.h"
#include "slack/envelope.h"

struct acks;
/* wake is called, on the giver's thread, when the first ack comes into an empty queue. */
struct acks *acks_new(const void *ctx, void (*wake)(void *user), void *user);

/* From any thread: gives an ack; see socket_ack. */
void acks_give(struct acks *acks, uint64_t connection, const char *envelope_id,
               const char *payload);

/* The rest on the loop's thread alone. */

/* A delivery that is handed on now. The same envelope may come again, on the same connection or on
   another: each delivery is owed its own ack. */
void acks_owe(struct acks *acks, const struct envelope_raw *raw);
/* How many are owed on a connection. */
unsigned acks_owed(const struct acks *acks, uint64_t connection);

/* A talloc root; talloc_free(&ack->message) frees it all. */
struct ack {
    struct message message; /* first: connection_send takes it, and the ack with it */
    uint64_t connection;    /* that delivered the envelope */
    const char *envelope_id;
    int64_t received_ns; /* when it did */
    int64_t held_ms;     /* the sender's own note */
};
/* The next ack that was given; NULL when there is none. What was not owed is dropped; what was is
   no longer owed. */
struct ack *acks_take(struct acks *acks);

/* Forgets deliveries that are older than that: whoever took them will not ack them any more. */
void acks_forget(struct acks *acks, int64_t received_before_ns);

#endif
