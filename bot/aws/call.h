/* One signed call to an AWS service, its answer sorted by what can be done about it. */
#ifndef AWS_CALL_H
#define AWS_CALL_H

#include "base/error.h"

#include <stdint.h>

/* A client of one thread. endpoint_url "" is AWS itself; else every call goes there
   (AWS_ENDPOINT_URL; AWS_ENDPOINT_URL_SESV2 … before it, as in AWS's SDKs). */
struct aws;
struct aws *aws_new(const void *ctx, const char *region, const char *endpoint_url);

enum aws_class {
    AWS_OK,
    AWS_LATER,   /* nothing happened; again after retry_after */
    AWS_UNKNOWN, /* it may have happened */
    AWS_NEVER,   /* this request is refused: repeating does not help */
    AWS_STOP,    /* the account or the rights: nothing works until somebody acts */
};

struct aws_answer {
    enum aws_class class;
    const char *error;   /* AWS's name for it, "" when ok */
    int64_t retry_after; /* seconds; 0: not said */
    const char *body;    /* owned by ctx; "" when there was none */
};

struct aws_service {
    const char *host;     /* "email": email.REGION.amazonaws.com */
    const char *signing;  /* "ses" */
    const char *variable; /* AWS_ENDPOINT_URL_<…> */
};

/* Posts body to the service. True when it answered 2xx. */
bool aws_post(const void *ctx, struct aws *aws, const struct aws_service *service, const char *path,
              const char *content_type, const char *body, struct aws_answer *answer,
              struct error *err);

/* What the table of error names and texts says of an answer. */
enum aws_class aws_class_of(long status, const char *error, const char *message);
const char *aws_class_name(enum aws_class class);

#endif
