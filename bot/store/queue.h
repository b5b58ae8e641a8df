/* The queue of jobs: whose turn it is, and the place of one.

   Teams take turns: the first job of each team comes before the second of any, and of these that of
   the team that was served longest ago. Within a team deletions and what has begun before go first,
   because they cost already; then who came first. */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include "store/jobs.h"

/* The jobs that could be started now, at most 100 with a lease that ran out, then those of the
   queue, in their order. */
bool queue_startable(const void *ctx, struct db *db, const struct job_bounds *bounds, int64_t **ids,
                     int *count, struct error *err);

/* Further back than this nobody counts. */
enum { QUEUE_COUNTED = 20 };

/* Queues the question for an environment's place; read *rows with queue_place_from_row after the
   next flush. */
void queue_place_ask(const void *ctx, struct db *db, const char *environment, struct rows **rows);
struct queue_place {
    bool waits;      /* it has a job that is queued and due */
    int before;      /* so many are before it; QUEUE_COUNTED: as many or more */
    int running;     /* of all */
    int region_runs; /* in its region */
    int team_runs;   /* of its team */
    bool held_up;    /* its turn has come, and something keeps it from starting */
};
struct queue_place queue_place_from_row(const struct rows *rows);

/* Rows (environment): of the first ones, those whose message was drawn before somebody had the last
   turn, and is not about to be drawn. NULL on error. */
struct rows *queue_drawn_before(const void *ctx, struct db *db, struct error *err);

/* Queues the question how long the latest environments of that template took until they were ready:
   {count, low, high}, seconds that one in five stayed under, and one in five took more than. */
void queue_took_ask(const void *ctx, struct db *db, const char *template, struct rows **rows);

#endif
