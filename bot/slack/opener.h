/* Asks Slack where to connect (apps.connections.open) and looks the host up, on a thread of its
   own: neither an HTTP answer nor the resolver may hold up the loop that sends the acks. */
#ifndef SLACK_OPENER_H
#define SLACK_OPENER_H

#include "base/error.h"

#include <stdint.h>

struct opener;

/* One answer; a talloc root that belongs to whoever took it. */
struct opening {
    bool ok;
    struct error err;       /* when not ok: a sentence for the log and /readyz */
    bool final;             /* asking again does not help until somebody acts */
    int64_t retry_after_ms; /* Slack's wish; 0 when it has none */
    /* when ok */
    bool tls;
    const char *host, *path; /* path with its query: it holds the ticket, a secret */
    int port;
    const char **addresses; /* numeric, at least one */
    unsigned address_count;
};

/* wake is called on the opener's thread when an answer is there to be taken. NULL when the thread
   cannot be made. talloc_free ends the thread; that waits for a call under way (8 s at most, and
   the resolver's own limit). */
struct opener *opener_new(const void *ctx, const char *api_url, const char *app_token,
                          void (*wake)(void *user), void *user);

/* Asks at once, on this thread, and forgets the address: whether Slack takes this token. */
bool opener_try(const char *api_url, const char *app_token, struct error *err);

/* Asks for one address; to be called when no answer is outstanding. */
void opener_ask(struct opener *opener);

/* The answer, or NULL when there is none yet. */
struct opening *opener_take(struct opener *opener);

#endif
