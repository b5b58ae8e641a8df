/* Whether a request fits into its team's quota. */
#ifndef COMMANDS_QUOTA_CHECK_H
#define COMMANDS_QUOTA_CHECK_H

#include "commands/call.h"

/* Called with the team's row locked. False: over a limit; err says which, by how much, and when the
   next slot falls free. */
bool quota_fits(struct call *call, const char *team, const struct team_use *use,
                const struct template_resources *wanted, struct error *err);

/* The same for what an environment that is there takes more than now. */
bool quota_fits_more(struct call *call, const char *team, const struct team_use *use,
                     const struct template_resources *more, struct error *err);

/* {before, after}: "2 of 5 environments, $310 of $2,000" for the card; owned by ctx. */
cJSON *quota_lines(const void *ctx, const struct team_use *use,
                   const struct template_resources *wanted);
/* The same for what an environment that is there takes more than now. */
cJSON *quota_lines_more(const void *ctx, const struct team_use *use,
                        const struct template_resources *more);

#endif
