/* What a row says of its wait for a decision: a request and a change request have the same columns
   for it. */
#ifndef STORE_WAITS_H
#define STORE_WAITS_H

#include "store/db.h"

#include <time.h>

struct wait {
    int reminded;           /* so many of the policy's reminders are over */
    time_t escalated_at;    /* 0: its card stands in one channel */
    int64_t paused_seconds; /* so long the clock stood still for a question that was answered */
    cJSON *question;        /* the open one: {id, by, mention, text, asked, pauses}, else NULL */
};

/* Of a statement whose rows wait_from_row() reads; table: its name there, as "e". */
#define WAIT_COLUMNS(table)                                                                        \
    table ".reminded, extract(epoch FROM " table ".escalated_at) AS escalated_at, " table          \
          ".paused_seconds, " table ".question"
/* Owned by ctx. */
struct wait wait_from_row(const void *ctx, const struct rows *rows, int row);

/* When it is to be looked at next; 0: never. */
struct wait_times {
    time_t due, remind, lapses;
};
/* Queued: the row of a request (by its environment's id), or of a change request. */
void wait_write_request(struct db *db, int64_t environment, const struct wait *wait,
                        const struct wait_times *times);
void wait_write_change(struct db *db, int64_t change, const struct wait *wait,
                       const struct wait_times *times);

#endif
