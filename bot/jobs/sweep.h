/* The sweep: what AWS has under our tags beside what stands in the table, both ways. A cluster that
   no environment has is an orphan, an environment whose cluster is not there a ghost; the operators
   hear of both. Nothing is deleted unless the configuration allows it, and then only what carries
   our tags, is no environment's, is older than a day, and was found when every region could be
   read.

   It needs the rights of a job, so `envbot serve` runs it as one: the launcher starts `envbot job
   0` when one is due. */
#ifndef JOBS_SWEEP_H
#define JOBS_SWEEP_H

#include "config.h"
#include "store/launches.h"

enum { SWEEP_JOB = 0 }; /* no job of the table has that number */

/* For the launcher: the job that does it when one is due; *out (ctx) is NULL when none is. */
bool sweep_wanted(const void *ctx, const struct config *config, struct db *db,
                  struct launch_job **out, struct error *err);
/* `envbot job 0`: does it if it is due. 0 done, or not due; 1 failed. */
int sweep_job(const struct config *config);
/* `envbot sweep [--dry-run]`: now, and says on stdout what was found. 0 done, 1 a region could not
   be read or another one is under way, 2 used wrongly. */
int sweep_command(const struct config *config, const char *const *words);

#endif
