/* The sweeps' table: comparisons of AWS with what stands here, one at a time. */
#ifndef STORE_SWEEPS_H
#define STORE_SWEEPS_H

#include "store/db.h"

/* The number that the next one will have when one is due (the last began so many seconds ago, and
   none is under way); else 0. */
bool sweep_due(struct db *db, int64_t every, int64_t *next, struct error *err);
/* Begins one; *id is 0 when another is under way, or (every not 0) none is due. In a transaction of
   its own. */
bool sweep_claim(struct db *db, int64_t every, int64_t lease_seconds, int64_t *id,
                 struct error *err);
/* Renews its lease; *held is false when that ran out before. */
bool sweep_renew(struct db *db, int64_t id, int64_t lease_seconds, bool *held, struct error *err);
/* In the caller's transaction: its end, and the lines that the one before had told (ctx; "" for
   none). *held as before. */
bool sweep_end(const void *ctx, struct db *db, int64_t id, const cJSON *report, const char **before,
               bool *held, struct error *err);

/* Queues the question for the last report: {orphans, ghosts, unread}, counted. */
void sweep_last_ask(const void *ctx, struct db *db, struct rows **rows);

#endif
