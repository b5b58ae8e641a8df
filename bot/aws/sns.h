/* Publishing to an Amazon SNS topic. */
#ifndef AWS_SNS_H
#define AWS_SNS_H

#include "aws/call.h"

/* Publishes message (at most 256 KB) to the topic, with subject where the protocol has one (ASCII,
   under 100 characters: cut and cleaned here). id is the message's deduplication id at FIFO topics,
   which makes a second sending within five minutes harmless there. */
bool sns_publish(const void *ctx, struct aws *aws, const char *topic_arn, const char *subject,
                 const char *message, const char *id, struct aws_answer *answer, struct error *err);

#endif
