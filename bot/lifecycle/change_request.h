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

/* It is over, one way or another: its row says the state, its card is drawn anew, and the
   environment's thread is told templates/slack/NAME.yaml with extra (may be NULL) and
   {request: as in the view}; name NULL: nothing is told. Queued. */
void change_request_end(struct db *db, const struct environment *env,
                        struct change_request *request, const char *state, const char *name,
                        const cJSON *extra);

/* For a card at that place: the view of its environment (lifecycle/view.h) becomes its own:
   request: {words, before, after, mention, by, reason, state}, and of the request are tally,
   decision, quota, decided, button ("12.1.7") and can.approve. Other places change nothing. */
bool change_request_view(const void *ctx, struct db *db, const char *place, cJSON *view,
                         struct error *err);

/* One that lapsed, or whose environment runs no more: it ends. *found false: there is none. */
bool change_request_tick(struct db *db, bool *found, struct error *err);

#endif
