#include "slack/envelope_queue.h"

#include <stdlib.h>

struct queue_entry {
    struct envelope_raw *raw;
    struct queue_entry *next;
};

void queue_init(struct envelope_queue *queue)
{
    *queue = (struct envelope_queue){0};
    queue->last = &queue->first;
    pthread_mutex_init(&queue->lock, NULL);
}

/* With the lock. */
static void call_one(struct envelope_queue *queue)
{
    struct queue_idle *one = queue->idle;
    if (!one)
        return;
    queue->idle = one->next;
    one->called = true;
    pthread_cond_signal(&one->woken);
}

static void wait_for_call(struct envelope_queue *queue, struct queue_idle *self)
{
    self->called = false;
    self->next = queue->idle;
    queue->idle = self;
    while (!self->called)
        pthread_cond_wait(&self->woken, &queue->lock);
}

void queue_add(struct envelope_queue *queue, struct envelope_raw *raw)
{
    struct queue_entry *entry = malloc(sizeof *entry);
    if (!entry)
        abort();
    *entry = (struct queue_entry){.raw = raw};
    pthread_mutex_lock(&queue->lock);
    *queue->last = entry;
    queue->last = &entry->next;
    call_one(queue);
    pthread_mutex_unlock(&queue->lock);
}

struct envelope_raw *queue_take(struct envelope_queue *queue, struct queue_idle *self)
{
    struct envelope_raw *raw = NULL;
    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->closed)
        wait_for_call(queue, self);
    struct queue_entry *entry = queue->first;
    if (entry) {
        raw = entry->raw;
        queue->first = entry->next;
        if (!queue->first)
            queue->last = &queue->first;
        free(entry);
    }
    pthread_mutex_unlock(&queue->lock);
    return raw;
}

void queue_close(struct envelope_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    while (queue->idle)
        call_one(queue);
    pthread_mutex_unlock(&queue->lock);
}

void queue_destroy(struct envelope_queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
}
