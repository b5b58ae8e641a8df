/* Numbers for Prometheus: counters, gauges and histograms with labels, in its text format
   (prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4).
   Every function may be called from any thread. A series, once looked up, is changed without a
   lock; looking it up takes one, so whoever is in a hurry keeps the pointer. */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stddef.h>

struct metrics; /* the registry */
struct metric;  /* a name with its labels' names */
struct series;  /* one set of its labels' values */

/* Owned by ctx; nobody else may allocate on what is inside. */
struct metrics *metrics_new(const void *ctx);

/* The metric of that name, made at the first call; later calls return the same one. After help
   come the labels' names (const char *, at most 4). */
#define metrics_counter(...) metrics_add_counter(__VA_ARGS__, (const char *)0)
#define metrics_gauge(...) metrics_add_gauge(__VA_ARGS__, (const char *)0)
/* After help: bounds and their count, the buckets' upper ends, ascending, at most 20; +Inf is
   added. Then the labels' names. */
#define metrics_histogram(...) metrics_add_histogram(__VA_ARGS__, (const char *)0)

struct metric *metrics_add_counter(struct metrics *metrics, const char *name, const char *help, ...)
    __attribute__((sentinel));
struct metric *metrics_add_gauge(struct metrics *metrics, const char *name, const char *help, ...)
    __attribute__((sentinel));
struct metric *metrics_add_histogram(struct metrics *metrics, const char *name, const char *help,
                                     const double *bounds, size_t count, ...)
    __attribute__((sentinel));

/* Buckets for answers in seconds: 0.5 ms … 10 s, with 3 s (Slack's patience) among them. */
extern const double metrics_seconds[];
extern const size_t metrics_seconds_count;

/* metric_series(metric, "value", …): the series of these values, one for each label; made with 0
   when new. It lives as long as the registry. */
#define metric_series(...) metric_find_series(__VA_ARGS__, (const char *)0)
struct series *metric_find_series(struct metric *metric, ...) __attribute__((sentinel));

void series_add(struct series *series, double amount);    /* a counter's or gauge's */
void series_set(struct series *series, double value);     /* a gauge's */
void series_observe(struct series *series, double value); /* a histogram's */
double series_value(const struct series *series); /* a histogram's is its number of observations */

/* For gauges that are read from a table: sets the given rows and zeroes all other series of the
   metric, seen by a scrape as one change. */
struct metric_row {
    const char *labels[4]; /* in the order of the names; the rest NULL */
    double value;
};
void metric_replace(struct metric *metric, const struct metric_row *rows, size_t count);

/* Everything, as a talloc string of ctx. */
char *metrics_text(const void *ctx, struct metrics *metrics);

#endif
