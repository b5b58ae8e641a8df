/* The sealer: a thread that chains the audit's rows within a second of their commit, and tells the
   chain's head to the operators, daily and when serving stops. Any number of processes have one;
   one at a time seals. */
#ifndef LIFECYCLE_SEALER_H
#define LIFECYCLE_SEALER_H

#include "config.h"

struct sealer;

/* after_commit(user, db_noted(…)) is called from the thread when something is to be said. */
struct sealer *sealer_start(const void *ctx, const struct config *config,
                            void (*after_commit)(void *user, unsigned notes), void *user);
/* Seals what waits, tells the head, gives the outbox a moment to deliver it, and ends the thread.
   So it comes after all that writes to the audit, and before the outbox stops. NULL: nothing. */
void sealer_stop(struct sealer *sealer);

#endif
