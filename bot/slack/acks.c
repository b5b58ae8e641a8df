#include "slack/acks.h"
#include "base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <uthash.h>

enum { ID_MOST = 100 }; /* as envelope_frame promises */

/* Deliveries of one envelope on one connection. */
struct delivery {
    struct delivery_key {
        uint64_t connection;
        char envelope_id[ID_MOST + 4]; /* zeros after its end: the key is compared as bytes */
    } key;
    int64_t received_ns; /* the last of them */
    int times;
    bool takes_payload;
    UT_hash_handle hh;
};

struct given {
    struct ack ack;
    struct delivery_key key;
    size_t bare; /* the text's length without its payload and its last brace */
    char text[];
};

struct acks {
    void (*wake)(void *user);
    void *user;
    struct delivery *deliveries; /* the loop's alone */
    struct message *taken;       /* the loop's: what it took out of the queue at once */
    pthread_mutex_t lock;
    struct message *first, **last; /* under lock */
};

static void free_list(struct message *list)
{
    for (struct message *next; list; list = next) {
        next = list->next;
        talloc_free(list);
    }
}

static int destroy(struct acks *acks)
{
    free_list(acks->taken);
    free_list(acks->first);
    struct delivery *each, *next;
    HASH_ITER (hh, acks->deliveries, each, next) {
        HASH_DEL(acks->deliveries, each);
        talloc_free(each);
    }
    pthread_mutex_destroy(&acks->lock);
    return 0;
}

struct acks *acks_new(const void *ctx, void (*wake)(void *user), void *user)
{
    struct acks *acks = talloc_zero(ctx, struct acks);
    acks->wake = wake;
    acks->user = user;
    acks->last = &acks->first;
    pthread_mutex_init(&acks->lock, NULL);
    talloc_set_destructor(acks, destroy);
    return acks;
}

static struct delivery_key key_of(uint64_t connection, const char *envelope_id)
{
    struct delivery_key key;
    memset(&key, 0, sizeof key);
    key.connection = connection;
    strncpy(key.envelope_id, envelope_id, ID_MOST);
    return key;
}

static struct given *compose(uint64_t connection, const char *envelope_id, const char *payload)
{
    size_t most = strlen(envelope_id) + (payload ? strlen(payload) : 0) + 64;
    struct given *given = talloc_zero_size(NULL, sizeof *given + most);
    char *text = given->text;
    given->key = key_of(connection, envelope_id);
    given->bare = (size_t)snprintf(text, most, "{\"envelope_id\":\"%s\"", given->key.envelope_id);
    int rest = snprintf(text + given->bare, most - given->bare, "%s%s}",
                        payload ? ",\"payload\":" : "", payload ? payload : "");
    given->ack.message.text = text;
    given->ack.message.length = given->bare + (size_t)rest;
    given->ack.connection = connection;
    given->ack.envelope_id = given->key.envelope_id;
    return given;
}

void acks_give(struct acks *acks, uint64_t connection, const char *envelope_id, const char *payload)
{
    struct message *message = &compose(connection, envelope_id, payload)->ack.message;
    pthread_mutex_lock(&acks->lock);
    bool was_empty = !acks->first;
    *acks->last = message;
    acks->last = &message->next;
    pthread_mutex_unlock(&acks->lock);
    if (was_empty)
        acks->wake(acks->user);
}

void acks_owe(struct acks *acks, const struct envelope_raw *raw)
{
    struct delivery_key key = key_of(raw->connection, raw->envelope_id);
    struct delivery *delivery;
    HASH_FIND(hh, acks->deliveries, &key, sizeof key, delivery);
    if (!delivery) {
        delivery = talloc_zero(NULL, struct delivery);
        delivery->key = key;
        HASH_ADD(hh, acks->deliveries, key, sizeof key, delivery);
    }
    delivery->times++;
    delivery->received_ns = raw->received_ns;
    delivery->takes_payload = raw->takes_payload;
}

unsigned acks_owed(const struct acks *acks, uint64_t connection)
{
    unsigned count = 0;
    for (const struct delivery *each = acks->deliveries; each; each = each->hh.next)
        count += each->key.connection == connection;
    return count;
}

static struct given *next_given(struct acks *acks)
{
    if (!acks->taken) {
        pthread_mutex_lock(&acks->lock);
        acks->taken = acks->first;
        acks->first = NULL;
        acks->last = &acks->first;
        pthread_mutex_unlock(&acks->lock);
    }
    struct message *message = acks->taken;
    if (message) {
        acks->taken = message->next;
        message->next = NULL;
    }
    return (struct given *)message; /* its first member's first member */
}

struct ack *acks_take(struct acks *acks)
{
    for (struct given *given; (given = next_given(acks));) {
        struct delivery *delivery;
        HASH_FIND(hh, acks->deliveries, &given->key, sizeof given->key, delivery);
        if (!delivery) {
            log_debug("an ack that is not owed", "envelope", given->key.envelope_id);
            talloc_free(given);
            continue;
        }
        given->ack.received_ns = delivery->received_ns;
        if (!delivery->takes_payload) {
            given->text[given->bare] = '}';
            given->ack.message.length = given->bare + 1;
        }
        if (--delivery->times == 0) {
            HASH_DEL(acks->deliveries, delivery);
            talloc_free(delivery);
        }
        return &given->ack;
    }
    return NULL;
}

void acks_forget(struct acks *acks, int64_t received_before_ns)
{
    for (struct delivery *each = acks->deliveries, *next; each; each = next) {
        next = each->hh.next;
        if (each->received_ns >= received_before_ns)
            continue;
        log_error("an envelope was never acked", "envelope", each->key.envelope_id);
        HASH_DEL(acks->deliveries, each);
        talloc_free(each);
    }
}
