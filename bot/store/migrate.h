/* Brings the database's schema up to date: numbered SQL files, built into the program. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "store/db.h"

/* Applies what is missing, one process at a time (an advisory lock), each migration in a
   transaction of its own. Refuses a database that a newer program has migrated, or whose
   migrations differ from ours. A role that may create nothing will do when nothing is missing.
   *applied (may be NULL) is how many were applied. */
bool migrate(struct db *db, int *applied, struct error *err);

#endif
