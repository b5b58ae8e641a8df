/* Hears what any process of envbot hears from Slack's events: each event comes to one of them only,
   and all keep copies. */
#ifndef APPROVALS_PEOPLE_WATCH_H
#define APPROVALS_PEOPLE_WATCH_H

#include "approvals/people.h"
#include "store/db.h"

/* Tells all processes, this one at once. False when the others could not be told: they cannot be
   listening either, and what they know does not serve them until they are. */
bool people_tell(struct people *people, struct db *db, const char *change, struct error *err);

struct people_watch;

/* Starts the thread; NULL when the system has none left: then no copy serves. */
struct people_watch *people_watch_start(const char *database_url, struct people *people);
void people_watch_stop(struct people_watch *watch); /* NULL: nothing */

#endif
