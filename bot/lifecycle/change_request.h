/* A change that takes another approval (store/change_requests.h): what its card shows, and its end
   when nobody decided it. Its card stands at the place change-NUMBER, with a thread of its own. */
#ifndef LIFECYCLE_CHANGE_REQUEST_H
#define LIFECYCLE_CHANGE_REQUEST_H

#include "store/change_requests.h"
#include "store/environments.h"

/* "change-7", ctx. */
char *change_request_place(const void *ctx, const struct change_request *request);
/* "more time" or "more nodes" */
const char *change_request_words(const struct change_request *request);
/* "more time waits for approval", by its kind; "" for NULL */
const char *change_request_waits(const char *kind);

/* It is over, one way or another: its row says the state, its card is drawn anew, and the
   environment's thread is told templates/slack/NAME.yaml with extra (may be NULL) and
   {request: as in the view}; name NULL: nothing is told. Queued. */
void change_request_end(struct db *db, const struct environment *env,
                        struct change_request *request, const char *state, const char *name,
                        const cJSON *extra);

/* What messages about it are filled with in place of what the environment's view says of a request
   (lifecycle/view.h): subject ("*more time* for *payments/demo*"), asker_name, asker_mention,
   tally, lapses, question, question_words and request: {words, before, after, mention, by, reason,
   state, over (how it ended without a decision, or "")}. */
void change_request_values(cJSON *view, const char *team, const char *name,
                           const struct change_request *request);

/* For a card at that place: the view of its environment becomes its own: these values, and
   decision, quota, decided, button ("12.1.7") and can.approve. Other places change nothing. */
bool change_request_view(const void *ctx, struct db *db, const char *place, cJSON *view,
                         struct error *err);

/* What the time brings for one of them: it lapses, is shown in a second channel, or ends because
   its environment runs no more. *found false: there is none. */
bool change_request_tick(struct db *db, bool *found, struct error *err);

#endif
