/* A Kubernetes API server: calls of its API, one or several at once. A client belongs to one
   thread. What proves who we are is read anew when one of its files changed, each minute, and when
   the server did not believe it. */
#ifndef BASE_KUBE_H
#define BASE_KUBE_H

#include "base/json.h"
#include "base/kube_access.h"

struct kube;
/* Nothing is read or asked yet. Freed with ctx. */
struct kube *kube_new(const void *ctx, const struct kube_options *options);

/* What can be done about an answer. */
enum kube_class {
    KUBE_OK,
    KUBE_AWAY,    /* no answer, or 5xx: it does not work at the moment */
    KUBE_BUSY,    /* 429: it works, later */
    KUBE_REFUSED, /* 401, 403: it does not know us, or we may not */
    KUBE_OTHER,   /* 404, 409, 422 …: status and reason say it */
};

struct kube_call {
    const char *method, *path; /* "POST", "/apis/batch/v1/namespaces/…" */
    const cJSON *body;         /* NULL for none */
    bool repeatable;           /* doing it twice does no harm */
    /* what came of it */
    enum kube_class class;
    long status;         /* 0 without an answer */
    const char *reason;  /* the Status object's: "NotFound", …; "" */
    const cJSON *answer; /* NULL when there was none; owned by ctx */
    int64_t retry_after; /* seconds; 0 when it did not say */
    struct error err;    /* unless KUBE_OK: what it said, for whoever runs envbot */
};

/* Makes the calls, together; nothing takes longer than patience_ms. False when what proves who we
   are cannot be read (ERROR_CONFIG); then nothing was sent. */
bool kube_send(const void *ctx, struct kube *kube, struct kube_call *calls, size_t count,
               long patience_ms, struct error *err);

/* Where it is; "" before the first call. */
const char *kube_server(const struct kube *kube);

#endif
