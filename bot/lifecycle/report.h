/* A month's numbers, the same for chat and the command line. */
#ifndef LIFECYCLE_REPORT_H
#define LIFECYCLE_REPORT_H

#include "store/db.h"

/* month: "2026-11", or NULL for the present one. teams: which to report, NULL-terminated. Returns
   {month, teams: [{team, environments, hours, cost, approvals, denied, median_wait (seconds, -1:
   none), limit (USD a month, -1: none), used_percent}], total: {…}, glass: [{team, name, by,
   reason, reviewed ("seen by approver", "not reviewed")}]: what was started by breaking the glass,
   quarantine: [{team, name, region, hourly}]: what could not be deleted}
   owned by ctx. median_wait is of the approvals. Cost is an estimate: the hours an environment ran
   in the month times its hourly price. */
cJSON *report_read(const void *ctx, struct db *db, const char *month, const char *const *teams,
                   struct error *err);
/* Adds to a team's row its numbers as people read them: environments_text, hours_text, cost_text,
   approvals_text, wait_text, limit_text ("38% of $5,000"). */
void report_words(cJSON *row);
/* As CSV with a header (RFC 4180). */
char *report_csv(const void *ctx, const cJSON *report);
/* As lines of text for a terminal. */
char *report_text(const void *ctx, const cJSON *report);

#endif
