/* Why a job fails: what eksctl's log and CloudFormation's reasons say, in classes, and what is done
   about each class. The words for people are in templates/causes.yaml. */
#ifndef JOBS_CAUSES_H
#define JOBS_CAUSES_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>

enum cause_class {
    CAUSE_OURS,       /* envbot's installation or a template is wrong */
    CAUSE_REQUEST,    /* what was asked for cannot be had */
    CAUSE_QUOTA,      /* a quota of the AWS account */
    CAUSE_CAPACITY,   /* AWS has none free, here and now */
    CAUSE_PERMISSION, /* AWS does not let envbot do it */
    CAUSE_THROTTLING, /* AWS was asked too much */
    CAUSE_PASSING,    /* a fault on the way, or something that takes its time */
    CAUSE_UNKNOWN,
    CAUSE_CLASSES
};

/* What is done about a creation that failed. */
struct treatment {
    const char *name;
    int tries;      /* how often it is tried in all, with growing pauses; 1: not again */
    bool zones;     /* the next try takes other availability zones where the log names some */
    bool operators; /* whoever runs envbot has to do something */
};
extern const struct treatment treatments[CAUSE_CLASSES];

struct cause {
    const char *id; /* its key in templates/causes.yaml */
    enum cause_class class;
    const char *patterns[4]; /* any of these in a line; none: envbot knows it by itself */
};

/* All of them, the more telling ones first; the last one has id == NULL. */
extern const struct cause causes[];

/* The cause that a line tells, or NULL. "Resource creation cancelled" is never one: it says that
   something else failed. */
const struct cause *cause_of(const char *line);
/* One of ours: "unknown", "deadline", "foreign", … It must exist. */
const struct cause *cause_by_id(const char *id);

/* The sentence for the person and what they can do, from DIRECTORY/causes.yaml, with ${region},
   ${cluster}, ${name} and ${command} filled from values. Where the file cannot be read, err says
   why and the words name the cause alone. Owned by ctx. */
char *cause_words(const void *ctx, const char *directory, const struct cause *cause,
                  const cJSON *values, struct error *err);
/* Checks that the file has words for each cause and for nothing else. On false, *problems (ctx) has
   a line for each. */
bool causes_check(const void *ctx, const char *directory, char **problems);

/* The availability zones that a line offers ("choose from these availability zones: …"), at most
   three, as a JSON array owned by ctx; NULL when it names fewer than two. */
cJSON *cause_zones(const void *ctx, const char *line);

#endif
