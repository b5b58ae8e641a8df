/* An open circuit around AWS, said to those whom it holds up. */
#ifndef LIFECYCLE_TROUBLE_H
#define LIFECYCLE_TROUBLE_H

#include "store/circuits.h"
#include "store/environments.h"

/* "AWS throttles envbot in eu-central-1; …": plain text of ctx. */
char *trouble_sentence(const void *ctx, const struct circuit *circuit);

/* A job was queued for the environment: if a circuit holds it, its thread says so. Only queues a
   statement. */
void trouble_say(struct db *db, const struct environment *env);

/* Tells the operators, and the threads of all that wait, that a circuit has opened or closed, once;
 *told: how much was said. In a transaction of its own. */
bool trouble_tell(struct db *db, int *told, struct error *err);

#endif
