/* A pause, said to those whom it stops. */
#ifndef LIFECYCLE_PAUSING_H
#define LIFECYCLE_PAUSING_H

#include "store/environments.h"
#include "store/pauses.h"

/* {by, mention, reason, everything} for templates. Not owned by a context. */
cJSON *pausing_view(const struct pause *pause);
/* "Provisioning is paused by manager: “quota of AWS”. It starts when that is over." Plain text of
   ctx; "" for NULL. */
const char *pausing_words(const void *ctx, const struct pause *pause);

/* A job of that kind was queued for the environment: if a pause holds it, its thread says so. Only
   queues a statement. */
void pausing_say(struct db *db, const struct environment *env, const char *kind);

/* Tells the threads of all that wait that a pause has begun, or is over, once, and marks what shows
   it for a redraw; *told: how much was said. What started as soon as it was over needs no word. In
   a transaction of its own. */
bool pausing_tell(struct db *db, int *told, struct error *err);

#endif
