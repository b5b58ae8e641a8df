/* The circuits' table: a breaker around AWS that all processes share, because each job is one of
   its own. When the same trouble fails several jobs, those of the queue wait instead of failing one
   by one; now and then one of them is let through to see whether it is over. */
#ifndef STORE_CIRCUITS_H
#define STORE_CIRCUITS_H

#include "store/jobs.h"

struct circuit {
    const char *scope; /* "": all of AWS; else a region */
    const char *cause; /* jobs/causes.h */
    const char *line;  /* what AWS said */
    bool open, probing;
};

/* After so many jobs failed within ten minutes it opens, and is probed after so many seconds, which
   double with each probe that fails, up to sixteen times. */
struct circuit_bounds {
    int64_t jobs, wait;
};

/* In a statement: whether a circuit holds the queued job j; it does not when a probe is due. */
#define CIRCUIT_HOLDS_J                                                                            \
    "EXISTS (SELECT FROM circuits c WHERE c.opened_at IS NOT NULL AND c.scope IN ('', j.region)"   \
    " AND c.probe_at > clock_timestamp())"
/* … and whether it would be a probe. */
#define CIRCUIT_PROBES_J                                                                           \
    "EXISTS (SELECT FROM circuits c WHERE c.opened_at IS NOT NULL AND c.scope IN ('', j.region))"

/* In the caller's transaction, with the job's row locked: that trouble failed the job. *open: the
   circuit is open now, so the job is to wait. */
bool circuit_fail(struct db *db, const struct job *job, const struct circuit *trouble,
                  const struct circuit_bounds *bounds, bool *open, struct error *err);
/* Queues it, in the caller's transaction: AWS is well in that region, and takes our credentials
   ("": that alone). Closes what is open. */
void circuit_well(struct db *db, const char *region);

/* The open ones that concern a region (NULL: all, closed ones that nobody was told of too), as
   struct circuit's rows; read one with circuit_from_row. */
void circuit_ask(const void *ctx, struct db *db, const char *region, struct rows **rows);
void circuit_ask_untold(const void *ctx, struct db *db, struct rows **rows);
/* The texts live as long as the rows. */
struct circuit circuit_from_row(const struct rows *rows, int row);
/* In the caller's transaction: people know. *was: nobody else has said so before. */
bool circuit_told(struct db *db, const struct circuit *circuit, bool *was, struct error *err);

#endif
