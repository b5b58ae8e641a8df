/* One row of the outbox, delivered once: what lifecycle/outbox.c does with each. */
#ifndef LIFECYCLE_DELIVER_H
#define LIFECYCLE_DELIVER_H

#include "aws/call.h"
#include "config.h"
#include "lifecycle/pace.h"
#include "lifecycle/wording.h"
#include "slack/web.h"
#include "store/outbox.h"

/* What a sending thread has. */
struct sender {
    const struct config *config;
    const struct wording *wording;
    struct db *db;
    struct slack_web *web; /* NULL in the mail thread */
    struct aws *aws;       /* NULL in Slack's threads */
    struct pace *channels; /* a turn a channel */
    struct pace *methods;  /* held after a 429 */
    const char *claimer;
};

enum outcome {
    OUTCOME_SENT,
    OUTCOME_DROPPED, /* nothing more to do; why says so */
    OUTCOME_TURN,    /* it was not its turn: again after wait_ms, which is no attempt */
    OUTCOME_LATER,   /* it failed: again after wait_ms */
    OUTCOME_PARKED,  /* it cannot be delivered */
    OUTCOME_LOST,    /* PostgreSQL did not answer: the claim runs out by itself */
};

struct verdict {
    enum outcome outcome;
    int64_t wait_ms;
    bool uncertain;  /* it may have happened */
    bool down;       /* the other side is away, for the breaker */
    const char *why; /* for the row and the log; NULL when sent */
    /* A message of an environment that was posted or drawn. */
    const char *channel, *ts; /* where it stands now; NULL: as before */
    int64_t drawn_upto;       /* redraws up to this row are done; 0: none */
};

/* kinds say, redraw, private and upload. Asks Slack; reads the database, writes nothing. */
struct verdict deliver_slack(const void *ctx, struct sender *sender, const struct outbox_row *row);
/* kinds mail and sns. */
struct verdict deliver_mail(const void *ctx, struct sender *sender, const struct outbox_row *row);

/* The values for a row's template: what was frozen with it, the environment's link of now, and ""
   for those words that only some events bring (by, more, …). NULL: the database is away. */
cJSON *deliver_values(const void *ctx, struct sender *sender, const struct outbox_row *row,
                      struct error *err);
/* Where the template has holes that values do not fill, because an older version of the program
   froze them: what is true now stands in. False when there is nothing to take it from. */
bool deliver_complete(const void *ctx, struct sender *sender, const struct outbox_row *row,
                      cJSON *values);

#endif
