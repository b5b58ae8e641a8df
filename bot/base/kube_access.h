/* Where a Kubernetes API server is and how one proves to it who one is: from a kubeconfig, or from
   what a pod finds about its service account. */
#ifndef BASE_KUBE_ACCESS_H
#define BASE_KUBE_ACCESS_H

#include "base/http_client.h"

struct kube_options {
    const char *kubeconfig; /* "": the pod's service account */
    const char *context;    /* "": the kubeconfig's current-context */
    const char *account;    /* the folder with token and ca.crt */
    const char *setting;    /* where these stand in envbot.yaml: "rbac"; for messages */
};

struct kube_access {
    const char *server; /* without a slash at its end */
    const char *token;  /* "" for none; a secret */
    struct http_tls tls;
    const char **files; /* that were read, NULL-terminated */
};

/* NULL with ERROR_CONFIG: what is missing or not supported, and what to do. Owned by ctx. */
struct kube_access *kube_access_read(const void *ctx, const struct kube_options *options,
                                     struct error *err);

#endif
