/* What people are told of the queue: the place of an environment's job, and how long it usually
   takes. */
#ifndef LIFECYCLE_TURN_H
#define LIFECYCLE_TURN_H

#include "store/environments.h"
#include "store/queue.h"

/* Sets view's turn_words (why its job does not start at once; "": it does, or there is none),
   usual_words (how long a creation usually takes) and starts_soon. took: rows of
   queue_took_ask, trouble: of circuit_ask; either may be NULL. */
void turn_view(cJSON *view, const struct environment *env, const struct queue_place *place,
               const struct rows *took, const struct rows *trouble);
/* The same without having asked: nothing waits, and nothing is known. */
void turn_view_unasked(cJSON *view);

/* "14 to 18 minutes" of ctx, from seconds; a minute at least. */
char *turn_minutes(const void *ctx, double low, double high);

/* Marks the messages of those who are near to their turn for a redraw, when somebody had a turn
   since they were drawn; *marked: how many. In a transaction of its own. */
bool turn_redraw(struct db *db, int *marked, struct error *err);

#endif
