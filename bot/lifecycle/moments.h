/* When a moment that somebody wrote is, by the clock of their time zone: PostgreSQL knows it. */
#ifndef LIFECYCLE_MOMENTS_H
#define LIFECYCLE_MOMENTS_H

#include "base/moment.h"
#include "store/db.h"

#include <time.h>

/* zone: IANA's name; NULL: UTC. *now: PostgreSQL's clock. ERROR_USAGE where the zone is not known.
 */
bool moment_time(const void *ctx, struct db *db, const struct moment *moment, const char *zone,
                 time_t *out, time_t *now, struct error *err);

#endif
