#include "slack/links.h"
#include "base/log.h"
#include "base/metrics.h"

#include <talloc.h>

void link_turn(struct link *link, enum link_state state)
{
    link->state = state;
    link->since_ms = socket_now_ms();
}

void link_close(struct link *link)
{
    if (link->state == LINK_CLOSING)
        return;
    link_turn(link, LINK_CLOSING);
    link->socket->closed_ms = link->since_ms;
    if (connection_state(link->connection) == CONNECTION_OPEN)
        connection_close(link->connection);
    else
        connection_kill(link->connection, "closed");
}

static bool can_send(const struct link *link)
{
    return link->ready_ms && connection_state(link->connection) == CONNECTION_OPEN;
}

/* The delivering connection while it is open, otherwise another (clients of Slack's own do so at
   each reconnect), rather one that stays. */
static struct link *link_for(struct socket *socket, uint64_t id)
{
    struct link *best = NULL;
    for (struct link *link = socket->links; link; link = link->next) {
        if (!can_send(link))
            continue;
        if (link->id == id)
            return link;
        if (!best || (best->leaving && !link->leaving))
            best = link;
    }
    return best;
}

void links_send_acks(struct socket *socket, int64_t now)
{
    struct message *waiting = socket->held, *next;
    socket->held = NULL;
    for (struct message *message; (message = waiting ? waiting : (void *)acks_take(socket->acks));
         waiting = next) {
        next = waiting ? waiting->next : NULL;
        struct ack *ack = (struct ack *)message;
        struct link *link = link_for(socket, ack->connection);
        if (link) {
            series_observe(socket->ack_seconds, (double)(socket_now_ns() - ack->received_ns) / 1e9);
            connection_send(link->connection, message);
            continue;
        }
        if (!ack->held_ms)
            ack->held_ms = now;
        if (socket->draining || now - ack->held_ms > HELD_MS) {
            log_warn("an ack found no connection to go to", "envelope", ack->envelope_id);
            talloc_free(message);
            continue;
        }
        message->next = socket->held;
        socket->held = message;
    }
}

static void take_gone(struct socket *socket, struct link *link, int64_t now)
{
    void *tmp = talloc_new(NULL);
    bool expected = link->leaving || link->state >= LINK_DRAINING || socket->draining;
    if (link->ready_ms && now - link->ready_ms >= socket->options.proven_ms)
        retry_reset(&socket->retry);
    if (!expected) {
        socket_back_off(socket, 0);
        socket_count_disconnect(socket, link->ready_ms ? "broken" : "no_hello");
        if (!socket->trouble[0])
            socket_set_trouble(socket, "The connection to Slack broke.");
    }
    log_event(expected ? LOG_INFO : LOG_WARN, "a connection to Slack is gone", "connection",
              socket_number(tmp, (int64_t)link->id), "why", connection_end(link->connection),
              "retry_ms", expected ? NULL : socket_number(tmp, socket->open_ms - now),
              (const char *)0);
    talloc_free(tmp);
    struct message *unsent = connection_unsent(link->connection);
    for (struct message *next; unsent; unsent = next) {
        next = unsent->next;
        unsent->next = socket->held;
        socket->held = unsent;
    }
    talloc_free(link);
}

/* Kills what is silent; asks first. */
static void look_at_silence(struct socket *socket, struct link *link, int64_t now)
{
    if (now < link->look_ms || connection_state(link->connection) != CONNECTION_OPEN)
        return;
    int64_t quiet = connection_quiet_ms(link->connection), silence = socket->options.silence_ms;
    int64_t ask = PING_MS < silence / 3 ? PING_MS : silence / 3;
    if (quiet >= silence) {
        socket_count_disconnect(socket, "silent");
        connection_kill(link->connection, "silent");
        link->look_ms = now + silence;
        return;
    }
    if (quiet >= ask)
        connection_ping(link->connection);
    link->look_ms = now + (quiet >= ask ? ask : ask - quiet);
    if (link->look_ms > now + silence - quiet)
        link->look_ms = now + silence - quiet;
}

int64_t link_due(const struct socket *socket, const struct link *link)
{
    switch (link->state) {
    case LINK_GREETING:
        return link->since_ms + socket->options.hello_ms;
    case LINK_DRAINING:
        return link->since_ms + socket->options.drain_ms;
    case LINK_CLOSING:
        return link->since_ms + CLOSE_MS;
    case LINK_READY:
        break;
    }
    return INT64_MAX;
}

static void look_at_link(struct socket *socket, struct link *link, int64_t now)
{
    bool due = now >= link_due(socket, link);
    look_at_silence(socket, link, now);
    if (link->state == LINK_GREETING && due)
        connection_kill(link->connection, "no hello");
    else if (link->state == LINK_GREETING && socket->draining)
        link_close(link);
    else if (link->state == LINK_CLOSING && due)
        connection_kill(link->connection, "closed, and TCP was left open");
    else if (link->state == LINK_DRAINING && (due || acks_owed(socket->acks, link->id) == 0))
        link_close(link);
}

void links_look(struct socket *socket, int64_t now)
{
    int ready = 0;
    for (struct link **at = &socket->links; *at;) {
        struct link *link = *at;
        if (connection_state(link->connection) == CONNECTION_GONE) {
            *at = link->next;
            take_gone(socket, link, now);
            continue;
        }
        look_at_link(socket, link, now);
        ready += can_send(link);
        if (link->state == LINK_READY && link->ready_ms > socket->failed_ms &&
            now - link->ready_ms >= socket->options.proven_ms)
            retry_reset(&socket->retry);
        at = &link->next;
    }
    atomic_store(&socket->ready, ready);
    series_set(socket->shown, ready);
}

/* As many of those that Slack wants replaced as the others make up for, the oldest first. */
void links_drain_replaced(struct socket *socket)
{
    int ready = 0;
    for (const struct link *link = socket->links; link; link = link->next)
        ready += link->state == LINK_READY;
    while (ready > socket->options.connections) {
        struct link *oldest = NULL;
        for (struct link *link = socket->links; link; link = link->next)
            if (link->state == LINK_READY && link->leaving && (!oldest || link->id < oldest->id))
                oldest = link;
        if (!oldest)
            return;
        link_turn(oldest, LINK_DRAINING);
        ready--;
    }
}
