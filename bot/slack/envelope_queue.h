/* Envelopes on their way from the socket's thread to the handlers. Of the handlers that wait, the
   one that worked last is called: its connection is open and has its statements prepared, and as
   many connections to PostgreSQL stay as work is done side by side. */
#ifndef SLACK_ENVELOPE_QUEUE_H
#define SLACK_ENVELOPE_QUEUE_H

#include "slack/envelope.h"

#include <pthread.h>
#include <stdbool.h>

struct envelope_queue {
    pthread_mutex_t lock;
    struct queue_idle *idle;
    struct queue_entry *first, **last;
    bool closed;
};

/* A handler that waits: it keeps one of these as long as it lives. */
struct queue_idle {
    pthread_cond_t woken;
    bool called;
    struct queue_idle *next;
};
#define QUEUE_IDLE                                                                                 \
    {                                                                                              \
        .woken = PTHREAD_COND_INITIALIZER                                                          \
    }

void queue_init(struct envelope_queue *queue);
/* Takes raw over. */
void queue_add(struct envelope_queue *queue, struct envelope_raw *raw);
/* Waits for the next one, the caller's to free; NULL when the queue is closed and empty. */
struct envelope_raw *queue_take(struct envelope_queue *queue, struct queue_idle *self);
/* Who waits, and who asks from now on, gets what is left and then NULL. */
void queue_close(struct envelope_queue *queue);
void queue_destroy(struct envelope_queue *queue);

#endif
