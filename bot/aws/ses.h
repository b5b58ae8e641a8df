/* Mail over Amazon SES v2, one recipient a message. */
#ifndef AWS_SES_H
#define AWS_SES_H

#include "aws/call.h"

struct ses_mail {
    const char *from, *to;
    const char *subject, *text, *html; /* UTF-8; html may be "" */
    const char *id;                    /* of the outbox: header X-Envbot-Id and tag envbot_id */
};

/* Sends it. *message_id (may be NULL) is SES's id, ctx. An accepted mail is not a delivered one.
   SES knows no idempotency: after AWS_UNKNOWN a second sending can arrive twice. */
bool ses_send(const void *ctx, struct aws *aws, const struct ses_mail *mail,
              const char **message_id, struct aws_answer *answer, struct error *err);

#endif
