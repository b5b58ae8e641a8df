#include "base/json_memory.h"

#include <cjson/cJSON.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    STEP = 16,
    SIZES = 17,
    KEPT_MOST = 96 * 1024
}; /* a cJSON is 64 bytes, its texts are short */

/* A block that is free; it lies in the list of the largest multiple of STEP that it has room for.
 */
struct block {
    struct block *next;
};

static _Thread_local struct {
    struct block *lists[SIZES];
    size_t bytes;
    bool known; /* that this thread has something to give back */
} kept;
static pthread_key_t at_end;

static void give_back(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < SIZES; i++) {
        for (struct block *next; kept.lists[i]; kept.lists[i] = next) {
            next = kept.lists[i]->next;
            free(kept.lists[i]);
        }
    }
    kept.bytes = 0;
    kept.known = false;
}

static void *take(size_t size)
{
    size_t list = (size + STEP - 1) / STEP;
    if (list >= SIZES)
        return malloc(size);
    struct block *block = kept.lists[list];
    if (!block)
        return malloc(list * STEP);
    kept.lists[list] = block->next;
    kept.bytes -= list * STEP;
    return block;
}

static void keep(void *memory)
{
    size_t list = memory ? malloc_usable_size(memory) / STEP : SIZES;
    if (list >= SIZES || kept.bytes + list * STEP > KEPT_MOST) {
        free(memory);
        return;
    }
    if (!kept.known)
        kept.known = pthread_setspecific(at_end, &kept) == 0;
    struct block *block = memory;
    block->next = kept.lists[list];
    kept.lists[list] = block;
    kept.bytes += list * STEP;
}

void json_memory_keep(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)take, (void)keep, (void)give_back;
#else
    if (pthread_key_create(&at_end, give_back) == 0)
        cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = take, .free_fn = keep});
#endif
}
