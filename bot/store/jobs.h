/* The jobs' table: claims with a lease and a fence, and writes that carry it. */
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include "store/db.h"
#include "store/job_states.h"

struct job {
    int64_t id, environment, fence;
    const char *kind, *region;
    const char *old_owner; /* of who held it before (job_owner); "" for none */
    int attempts;          /* this claim included */
    int failures;          /* of these, how many came to an end that was a failure */
    int64_t age;           /* seconds since its first claim */
    cJSON *zones;          /* the availability zones to take now; NULL: whichever */
    bool cancel;
    bool probe; /* of a breaker around AWS that is open (store/circuits.h) */
};

/* How many may run in all, in a region and for a team. */
struct job_bounds {
    int64_t parallel, per_region, per_team, lease_seconds;
};

/* Claims come one after the other, so that they keep the bounds, and a pause, exactly. A claim
   holds this as long as PostgreSQL takes for it, however slow its process is. */
#define JOBS_CLAIM_LOCK "SELECT pg_advisory_xact_lock(6583114406)"

/* Claims the job, in a transaction of its own that is one round trip, when it is queued and due
   within the bounds, or running with a lease that ran out. The environment's row is locked first.
   *out is NULL when it is not to be had now. Where a breaker around AWS is open, it is its probe
   for four leases. */
bool job_claim(const void *ctx, struct db *db, int64_t id, const char *owner,
               const struct job_bounds *bounds, struct job **out, struct error *err);

/* Renews the lease. *held is false when another has claimed it meanwhile; *cancel: it is to stop.
 */
bool job_renew(struct db *db, const struct job *job, int64_t lease_seconds, bool *held,
               bool *cancel, struct error *err);

/* Writes down who works on it now (the job process and its eksctl), for who may take over. */
bool job_owner(struct db *db, const struct job *job, const char *owner, struct error *err);

/* In the caller's transaction: locks the job's row if it is still ours (*held). Everything that a
   job writes comes after this. */
bool job_fence(struct db *db, const struct job *job, bool *held, struct error *err);

/* Queued after job_fence: the phase and the plan that people see. */
void job_progress(struct db *db, const struct job *job, const char *phase, const cJSON *plan);
void job_log_line(struct db *db, const struct job *job, int64_t number, const char *line);
/* By JOB_FINISH, JOB_FAIL or JOB_STOP; result may be NULL. */
void job_end(struct db *db, const struct job *job, enum job_event event, const cJSON *result);
/* Back into the queue, to be tried again after so many seconds. result NULL: as it was. Its members
   "failures" and "zones" are what the next claim is told. */
void job_again(struct db *db, const struct job *job, int64_t after_seconds, const cJSON *result);

/* How long the phases of such jobs usually take: rows (phase, least, most) in seconds, from the
   last twenty of the kind and template that came to a good end; of a phase with fewer than three,
   none. */
struct rows *job_usual(const void *ctx, struct db *db, const char *kind, const char *template,
                       struct error *err);

#endif
