/* What keeps a job from starting, and the words for it: templates/troubles.yaml. */
#ifndef JOBS_TROUBLES_H
#define JOBS_TROUBLES_H

#include "base/error.h"

enum trouble_kind {
    TROUBLE_NONE,
    TROUBLE_HERE,    /* this host starts no process */
    TROUBLE_IMAGE,   /* the pod's image cannot be had */
    TROUBLE_CONFIG,  /* what the pod's manifest names is not there */
    TROUBLE_NODE,    /* no node has room */
    TROUBLE_NO_POD,  /* the cluster makes no pod: a quota, a missing account */
    TROUBLE_SLOW,    /* the pod does not come up */
    TROUBLE_CRASHED, /* the pod ended before it took the job */
    TROUBLE_OLD_POD, /* the earlier run's pod does not go */
    TROUBLE_REFUSED, /* the API server does not let us */
    TROUBLE_INVALID, /* it does not take the manifest */
    TROUBLE_AWAY,    /* it does not answer, or cannot work */
    TROUBLE_BUSY,    /* it wants to be asked later */
    TROUBLE_KINDS
};

struct trouble {
    enum trouble_kind kind;
    bool lasts;        /* long enough to be said */
    char detail[1024]; /* what the other side said, for whoever runs envbot */
};
/* Text that does not fit is cut at a character boundary. */
void trouble_set(struct trouble *trouble, enum trouble_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* In the log, in the jobs' table and in templates/troubles.yaml: "image", … */
const char *trouble_name(enum trouble_kind kind);

struct trouble_words {
    const char *what; /* for who waits */
    const char *todo; /* for whoever runs envbot */
};
/* Reads DIRECTORY/troubles.yaml: the words of every kind, indexed by it, owned by ctx. NULL with
   ERROR_CONFIG when some are missing or are of no kind. */
const struct trouble_words *troubles_read(const void *ctx, const char *directory,
                                          struct error *err);

#endif
