/* The outbox's delivery: threads that take rows and tell the world, at least once, in order per
   conversation, paced per destination. Any number of processes deliver side by side. */
#ifndef LIFECYCLE_OUTBOX_H
#define LIFECYCLE_OUTBOX_H

#include "base/breaker.h"
#include "base/error.h"
#include "base/metrics.h"
#include "config.h"
#include "lifecycle/wording.h"

struct outbox_options {
    const struct config *config;
    const struct wording *wording;
    struct metrics *metrics;       /* may be NULL */
    struct breaker *slack, *email; /* may be NULL */
};

struct outbox;
/* Starts the threads; they connect by themselves and wait while PostgreSQL is away. What options
   point to must live until outbox_stop. */
struct outbox *outbox_start(const void *ctx, const struct outbox_options *options,
                            struct error *err);
/* Rows were committed, of the kinds that the notes (db_note) say: look now. From any thread; cheap.
 */
void outbox_ring(struct outbox *outbox, unsigned notes);
/* Finishes what is in hand (at most some seconds) and ends the threads. Freed with its ctx. */
void outbox_stop(struct outbox *outbox);

#endif
