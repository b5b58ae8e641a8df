/* Where something of an environment is said, as the outbox and the table of messages name it:
   "message", "card", "review" and "change-7" are messages, "card-escalated" and
   "change-7-escalated" their copies in the channel that a request was escalated to. "thread" is the
   message's thread, "card-thread" and so on the others'. */
#ifndef LIFECYCLE_PLACE_H
#define LIFECYCLE_PLACE_H

#include <stdbool.h>

enum { PLACE_MOST = 48 };

struct place {
    char message[PLACE_MOST]; /* the message, or whose thread it is; "" where there is none */
    char kind[PLACE_MOST]; /* templates/slack/KIND.yaml draws it: message, card, review, change */
    bool thread;
    bool approvers; /* what only they can answer: it goes to no requester's direct message */
    bool escalated; /* it stands in approval.escalate's channel */
};

struct place place_read(const char *name);

#endif
