/* The page /metrics: what base/metrics.h holds, and what the process itself uses. */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

struct metrics;

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A talloc string of ctx. Adds the process's own numbers to the registry: memory and processor
   time, under the names that Prometheus's clients give them. */
char *metrics_page(const void *ctx, struct metrics *metrics);

#endif
