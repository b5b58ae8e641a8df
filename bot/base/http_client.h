/* One HTTP request, one answer, over a connection that is kept alive between requests. A client
   belongs to one thread. Plain http is for loopback alone (and, where a request says so, for the
   addresses at which a cloud machine asks for its credentials). */
#ifndef BASE_HTTP_CLIENT_H
#define BASE_HTTP_CLIENT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct http_client;
/* Freed with ctx. NULL only when out of memory. */
struct http_client *http_client_new(const void *ctx);

/* Whom to believe and how to prove who one is, as PEM text; "" or NULL: the system's authorities,
   no certificate of ours. */
struct http_tls {
    const char *authority, *certificate, *key;
};

struct http_request {
    const char *method; /* "GET", "POST", "PUT" … */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    const char *body;           /* may be NULL */
    size_t body_length;
    long connect_ms, total_ms; /* 0: 3 and 8 seconds */
    size_t most;               /* bytes of an answer; 0: 4 MiB */
    bool repeatable;           /* doing it twice does no harm: a dead connection is tried again */
    const struct http_tls *tls;
    bool metadata; /* plain http to the clouds' link-local addresses is meant */
};

struct http_response {
    long status;
    const char *body; /* ends in '\0'; owned by ctx */
    size_t length;
    int64_t retry_after; /* seconds; 0 when the answer did not say */
};

/* True when an answer came, whatever its status. Otherwise err says which of the two it was:
   ERROR_UNAVAILABLE  the request was never sent: nothing happened
   ERROR_UNKNOWN      it was sent (at least in part) and no whole answer came: it may have happened
   ERROR_USAGE        the address is not allowed. */
bool http_send(const void *ctx, struct http_client *client, const struct http_request *request,
               struct http_response *response, struct error *err);

/* Several at once, over a few connections; outcomes is an array of count. Each is what http_send()
   would have said of it: answered, and if not, err. */
struct http_outcome {
    bool answered;
    struct http_response response;
    struct error err;
};
void http_send_all(const void *ctx, struct http_client *client, const struct http_request *requests,
                   size_t count, struct http_outcome *outcomes);

/* A header of the last answer of http_send(), NULL when it has none; lives until the next request.
 */
const char *http_header(struct http_client *client, const char *name);

/* Whether a request may go there: https, or plain http to this machine (metadata: or to a cloud's
   link-local credential address). */
bool http_url_allowed(const char *url, bool metadata, struct error *err);

/* Text as a part of an application/x-www-form-urlencoded body or of a query (RFC 3986: all but
   A-Z a-z 0-9 - . _ ~ as %XX); a talloc string. */
char *http_escape(const void *ctx, const char *text);

#endif
