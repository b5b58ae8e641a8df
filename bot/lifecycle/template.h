/* The templates of environments: what can be asked for, with which values, and what becomes of it.
 */
#ifndef LIFECYCLE_TEMPLATE_H
#define LIFECYCLE_TEMPLATE_H

#include "base/error.h"
#include "base/json.h"

#include <stdint.h>

struct template
{
    const char *name; /* the file's name without .yaml */
    const char *title, *description;
    const cJSON *source;     /* the whole file as JSON: what a request keeps a copy of */
    const cJSON *parameters; /* source.parameters */
    const char **regions;    /* NULL-terminated, at least one; the first is the default */
    int64_t ttl_default, ttl_max, ttl_ceiling; /* seconds */
};

/* What this installation allows (limits: in envbot.yaml); set once at start. */
struct template_limits {
    int64_t default_ttl; /* seconds, where a template does not say */
    int64_t max_ttl;     /* no template's ttl.max goes beyond */
};
extern struct template_limits template_limits;

struct template_set {
    struct template *items; /* by order: and name */
    int count;
    cJSON *prices; /* prices.yaml */
};

/* Reads DIR/environments/NAME.yaml and DIR/prices.yaml; every problem a line "file:line: …" in
 * *problems (ctx). */
bool templates_read(const void *ctx, const char *directory, struct template_set **out,
                    char **problems);
const struct template *template_find(const struct template_set *set, const char *name);
/* From a request's own copy. */
bool template_from_json(const void *ctx, const char *name, const cJSON *source,
                        struct template **out, struct error *err);

/* Typed values from what was given: an object of strings (as typed) or already typed values, with
   defaults for the rest. ERROR_USAGE says what was understood, the bounds, the nearest choice. */
cJSON *template_values(const void *ctx, const struct template *t, const cJSON *given,
                       struct error *err);

/* What ${cluster}, ${region}, ${tags} and ${role} become. */
struct template_target {
    const char *cluster, *region;
    const cJSON *tags; /* an object of strings */
    const char *role;  /* the IAM role with which the team's people use it; "" for none */
};
/* The tags of everything that belongs to an environment in AWS, owned by ctx; id 0: it is none yet.
 */
cJSON *template_tags(const void *ctx, int64_t id, const char *team, const char *owner,
                     const char *name);
/* The ClusterConfig as a tree. */
cJSON *template_render(const void *ctx, const struct template *t, const cJSON *values,
                       const struct template_target *target, struct error *err);

/* What it takes, from a rendered ClusterConfig and the price table: an estimate. */
struct template_resources {
    int nodes, vcpus, gpus;
    double hourly_usd, monthly_usd; /* 730 hours */
};
bool template_resources(const struct template_set *set, const cJSON *cluster_config,
                        const char *region, struct template_resources *out, struct error *err);

#endif
