/* AWS Signature Version 4 as AWS describes it for every service but S3
   (docs.aws.amazon.com, "Create a signed AWS API request"). */
#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include <stddef.h>
#include <time.h>

/* Secrets: never in a log. token is NULL with long-lived keys. */
struct aws_keys {
    const char *id, *secret, *token;
};

struct sigv4_scope {
    const struct aws_keys *keys;
    const char *region, *service; /* the service's signing name: "ses", "sns", "sts" */
    time_t at;
};

/* The request as it goes over the wire. */
struct sigv4_request {
    const char *method;
    const char *path;           /* "/", as in the request line */
    const char *query;          /* without "?"; NULL or "" when there is none */
    const char *const *headers; /* "Name: value", NULL-terminated; Host among them */
    const char *body;           /* NULL: empty */
    size_t body_length;
};

/* The request's headers and X-Amz-Date, X-Amz-Security-Token (where keys have a token) and
   Authorization, NULL-terminated, owned by ctx. */
const char **sigv4_sign(const void *ctx, const struct sigv4_scope *scope,
                        const struct sigv4_request *request);

/* The parts, for tests: the canonical request of the given headers, and the day's signing key. */
char *sigv4_canonical(const void *ctx, const struct sigv4_request *request);
void sigv4_key(const struct sigv4_scope *scope, unsigned char key[32]);

#endif
