#include "base/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <uthash.h>

enum { LABELS_MOST = 4, BOUNDS_MOST = 20 };
enum kind { COUNTER, GAUGE, HISTOGRAM };

const double metrics_seconds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                  0.1,    0.25,  0.5,    1,     2,    3,     10};
const size_t metrics_seconds_count = sizeof metrics_seconds / sizeof *metrics_seconds;

struct series {
    struct metric *metric;
    const char *labels;        /* `type="x",result="y"`, escaped; also the hash's key */
    bool fresh;                /* set by the metric_replace under way */
    _Atomic double value;      /* a histogram's sum */
    _Atomic uint64_t *buckets; /* a histogram's: not yet cumulated, the last is +Inf */
    UT_hash_handle hh;
};

struct metric {
    struct metrics *metrics;
    enum kind kind;
    const char *name, *help;
    const char *labels[LABELS_MOST];
    size_t label_count;
    double bounds[BOUNDS_MOST];
    size_t bound_count;
    struct series *series; /* by labels */
    struct metric *next;
};

struct metrics {
    pthread_mutex_t lock; /* the lists and hashes, not the values */
    struct metric *first, **end;
};

static int destroy(struct metrics *metrics)
{
    for (struct metric *m = metrics->first; m; m = m->next)
        HASH_CLEAR(hh, m->series);
    pthread_mutex_destroy(&metrics->lock);
    return 0;
}

struct metrics *metrics_new(const void *ctx)
{
    struct metrics *metrics = talloc_zero(ctx, struct metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->end = &metrics->first;
    talloc_set_destructor(metrics, destroy);
    return metrics;
}

static struct metric *add(struct metrics *metrics, enum kind kind, const char *name,
                          const char *help, va_list labels)
{
    struct metric *metric = talloc_zero(metrics, struct metric);
    metric->metrics = metrics;
    metric->kind = kind;
    metric->name = talloc_strdup(metric, name);
    metric->help = talloc_strdup(metric, help);
    for (const char *label; (label = va_arg(labels, const char *));) {
        assert(metric->label_count < LABELS_MOST);
        metric->labels[metric->label_count++] = talloc_strdup(metric, label);
    }
    *metrics->end = metric;
    metrics->end = &metric->next;
    return metric;
}

static struct metric *find_or_add(struct metrics *metrics, enum kind kind, const char *name,
                                  const char *help, const double *bounds, size_t bound_count,
                                  va_list labels)
{
    assert(bound_count <= BOUNDS_MOST);
    pthread_mutex_lock(&metrics->lock);
    struct metric *metric = metrics->first;
    while (metric && strcmp(metric->name, name) != 0)
        metric = metric->next;
    if (!metric) {
        metric = add(metrics, kind, name, help, labels);
        metric->bound_count = bound_count;
        for (size_t i = 0; i < bound_count; i++)
            metric->bounds[i] = bounds[i];
    }
    pthread_mutex_unlock(&metrics->lock);
    assert(metric->kind == kind);
    return metric;
}

struct metric *metrics_add_counter(struct metrics *metrics, const char *name, const char *help, ...)
{
    va_list labels;
    va_start(labels, help);
    struct metric *metric = find_or_add(metrics, COUNTER, name, help, NULL, 0, labels);
    va_end(labels);
    return metric;
}

struct metric *metrics_add_gauge(struct metrics *metrics, const char *name, const char *help, ...)
{
    va_list labels;
    va_start(labels, help);
    struct metric *metric = find_or_add(metrics, GAUGE, name, help, NULL, 0, labels);
    va_end(labels);
    return metric;
}

struct metric *metrics_add_histogram(struct metrics *metrics, const char *name, const char *help,
                                     const double *bounds, size_t count, ...)
{
    va_list labels;
    va_start(labels, count);
    struct metric *metric = find_or_add(metrics, HISTOGRAM, name, help, bounds, count, labels);
    va_end(labels);
    return metric;
}

/* `name="value"` with \ " and newline escaped, as the exposition format asks. */
static char *append_label(char *text, const char *name, const char *value)
{
    text = talloc_asprintf_append_buffer(text, "%s%s=\"", *text ? "," : "", name);
    while (*value) {
        size_t plain = strcspn(value, "\n\\\"");
        text = talloc_strndup_append_buffer(text, value, plain);
        value += plain;
        if (*value == '\n')
            text = talloc_strdup_append_buffer(text, "\\n");
        else if (*value)
            text = talloc_asprintf_append_buffer(text, "\\%c", *value);
        value += *value != '\0';
    }
    return talloc_strdup_append_buffer(text, "\"");
}

/* Under the registry's lock. */
static struct series *series_of(struct metric *metric, const char *const *values)
{
    char *labels = talloc_strdup(metric, "");
    for (size_t i = 0; i < metric->label_count; i++)
        labels = append_label(labels, metric->labels[i], values[i]);
    struct series *series;
    HASH_FIND_STR(metric->series, labels, series);
    if (series) {
        talloc_free(labels);
        return series;
    }
    series = talloc_zero(metric, struct series);
    series->metric = metric;
    series->labels = talloc_steal(series, labels);
    if (metric->kind == HISTOGRAM)
        series->buckets =
            talloc_zero_array(series, _Atomic uint64_t, (unsigned)metric->bound_count + 1);
    HASH_ADD_KEYPTR(hh, metric->series, series->labels, strlen(series->labels), series);
    return series;
}

struct series *metric_find_series(struct metric *metric, ...)
{
    const char *values[LABELS_MOST] = {0};
    va_list list;
    va_start(list, metric);
    size_t count = 0;
    for (const char *value; (value = va_arg(list, const char *));) {
        assert(count < metric->label_count);
        values[count++] = value;
    }
    va_end(list);
    assert(count == metric->label_count);
    pthread_mutex_lock(&metric->metrics->lock);
    struct series *series = series_of(metric, values);
    pthread_mutex_unlock(&metric->metrics->lock);
    return series;
}

static void add_atomically(_Atomic double *to, double amount)
{
    double old = atomic_load_explicit(to, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(to, &old, old + amount, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

void series_add(struct series *series, double amount)
{
    assert(series->metric->kind == GAUGE || (series->metric->kind == COUNTER && amount >= 0));
    add_atomically(&series->value, amount);
}

void series_set(struct series *series, double value)
{
    assert(series->metric->kind == GAUGE);
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void series_observe(struct series *series, double value)
{
    const struct metric *metric = series->metric;
    assert(metric->kind == HISTOGRAM);
    size_t bucket = 0;
    while (bucket < metric->bound_count && value > metric->bounds[bucket])
        bucket++;
    atomic_fetch_add_explicit(&series->buckets[bucket], 1, memory_order_relaxed);
    add_atomically(&series->value, value);
}

static uint64_t bucket_count(const struct series *series, size_t bucket)
{
    return atomic_load_explicit(&series->buckets[bucket], memory_order_relaxed);
}

double series_value(const struct series *series)
{
    if (series->metric->kind != HISTOGRAM)
        return atomic_load_explicit(&series->value, memory_order_relaxed);
    uint64_t count = 0;
    for (size_t i = 0; i <= series->metric->bound_count; i++)
        count += bucket_count(series, i);
    return (double)count;
}

void metric_replace(struct metric *metric, const struct metric_row *rows, size_t count)
{
    assert(metric->kind == GAUGE);
    pthread_mutex_lock(&metric->metrics->lock);
    for (struct series *s = metric->series; s; s = s->hh.next)
        s->fresh = false;
    for (size_t i = 0; i < count; i++) {
        struct series *series = series_of(metric, rows[i].labels);
        series->fresh = true;
        series_set(series, rows[i].value);
    }
    for (struct series *s = metric->series; s; s = s->hh.next)
        if (!s->fresh)
            series_set(s, 0);
    pthread_mutex_unlock(&metric->metrics->lock);
}

static void write_number(FILE *out, double value)
{
    if (isnan(value))
        fputs("NaN\n", out);
    else if (isinf(value))
        fputs(value > 0 ? "+Inf\n" : "-Inf\n", out);
    else
        fprintf(out, "%.15g\n", value);
}

static void write_histogram(FILE *out, const struct series *series)
{
    const struct metric *metric = series->metric;
    const char *comma = *series->labels ? "," : "";
    uint64_t count = 0;
    for (size_t i = 0; i <= metric->bound_count; i++) {
        count += bucket_count(series, i);
        fprintf(out, "%s_bucket{%s%sle=\"", metric->name, series->labels, comma);
        if (i < metric->bound_count)
            fprintf(out, "%g\"} ", metric->bounds[i]);
        else
            fputs("+Inf\"} ", out);
        fprintf(out, "%llu\n", (unsigned long long)count);
    }
    const char *open = *series->labels ? "{" : "", *shut = *series->labels ? "}" : "";
    fprintf(out, "%s_sum%s%s%s ", metric->name, open, series->labels, shut);
    write_number(out, atomic_load_explicit(&series->value, memory_order_relaxed));
    fprintf(out, "%s_count%s%s%s %llu\n", metric->name, open, series->labels, shut,
            (unsigned long long)count);
}

static void write_metric(FILE *out, const struct metric *metric)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
            kinds[metric->kind]);
    for (const struct series *s = metric->series; s; s = s->hh.next) {
        if (metric->kind == HISTOGRAM) {
            write_histogram(out, s);
            continue;
        }
        fputs(metric->name, out);
        if (*s->labels)
            fprintf(out, "{%s}", s->labels);
        fputc(' ', out);
        write_number(out, series_value(s));
    }
}

char *metrics_text(const void *ctx, struct metrics *metrics)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    pthread_mutex_lock(&metrics->lock);
    for (const struct metric *m = metrics->first; m; m = m->next)
        write_metric(out, m);
    pthread_mutex_unlock(&metrics->lock);
    fclose(out);
    char *copy = talloc_strndup(ctx, text, length);
    free(text);
    return copy;
}
