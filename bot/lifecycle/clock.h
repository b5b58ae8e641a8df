/* What is due: requests lapse, warnings are given, environments end. Every serving process may run
   one; each takes what the others have not locked. */
#ifndef LIFECYCLE_CLOCK_H
#define LIFECYCLE_CLOCK_H

#include "lifecycle/states.h"
#include "lifecycle/template.h"
#include "store/db.h"

/* Takes up to a hundred due environments, each in a transaction of its own; *taken is how many.
   False when the database cannot be asked. */
bool clock_tick(struct db *db, const struct template_set *templates, int *taken, struct error *err);

/* Deletes what has served: envelopes older than a day, delivered outbox rows older than a week, a
   thousand at a time. Audit rows and environments stay. */
bool clock_sweep(struct db *db, struct error *err);

/* What the time has brought to a locked environment; EVENT_COUNT: nothing yet. */
enum event clock_event(const struct environment *env);

#endif
