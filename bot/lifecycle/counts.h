/* What the database holds, as numbers for Prometheus: environments, jobs, and how long jobs took.
   Every process tells the same; a sum over processes means nothing. */
#ifndef LIFECYCLE_COUNTS_H
#define LIFECYCLE_COUNTS_H

#include "base/metrics.h"
#include "store/db.h"

struct counts;

/* Owned by ctx; used by one thread. */
struct counts *counts_new(const void *ctx, struct metrics *metrics);

/* Reads them anew, from what is alive and the latest jobs only. To be called every few seconds: a
   job that ended more than a minute before is not observed any more. Counting all that is alive
   takes longer the more there is, so it is left out for 50 times as long as it took, five minutes
   at most.
 */
bool counts_read(struct counts *counts, struct db *db, struct error *err);

/* What is the matter with AWS, in words; "" when nothing is. As of the last look. */
const char *counts_aws(const struct counts *counts);
/* Why nothing new starts, in words; "" when nothing is paused. As of the last look. */
const char *counts_pause(const struct counts *counts);

#endif
