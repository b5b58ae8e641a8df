/* The metrics registry and its text: what Prometheus reads is what was counted. */
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void *ctx;
static struct metrics *metrics;

static int setup(void **unused)
{
    (void)unused;
    ctx = talloc_new(NULL);
    metrics = metrics_new(ctx);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    return talloc_free(ctx);
}

static void test_counters_and_gauges_are_written_with_their_labels(void **unused)
{
    (void)unused;
    struct metric *envelopes =
        metrics_counter(metrics, "envelopes_total", "What came in.", "type", "result");
    series_add(metric_series(envelopes, "slash_commands", "ok"), 1);
    series_add(metric_series(envelopes, "slash_commands", "ok"), 2);
    series_set(metric_series(metrics_gauge(metrics, "up", "Is it.")), 0.1);
    assert_string_equal(metrics_text(ctx, metrics),
                        "# HELP envelopes_total What came in.\n"
                        "# TYPE envelopes_total counter\n"
                        "envelopes_total{type=\"slash_commands\",result=\"ok\"} 3\n"
                        "# HELP up Is it.\n"
                        "# TYPE up gauge\n"
                        "up 0.1\n");
}

static void test_a_metric_is_made_once(void **unused)
{
    (void)unused;
    struct metric *first = metrics_gauge(metrics, "g", "…", "a");
    assert_ptr_equal(metrics_gauge(metrics, "g", "…", "a"), first);
    assert_ptr_equal(metric_series(first, "x"), metric_series(first, "x"));
}

static void test_label_values_are_escaped(void **unused)
{
    (void)unused;
    struct metric *gauge = metrics_gauge(metrics, "g", "…", "team");
    series_set(metric_series(gauge, "a\"b\\c\nd"), 1);
    assert_non_null(strstr(metrics_text(ctx, metrics), "g{team=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

static void test_values_that_would_collide_unescaped_are_different_series(void **unused)
{
    (void)unused;
    struct metric *gauge = metrics_gauge(metrics, "g", "…", "a", "b");
    assert_ptr_not_equal(metric_series(gauge, "x\",b=\"y", "z"),
                         metric_series(gauge, "x", "y\",b=\"z"));
}

static void test_a_histogram_cumulates_its_buckets(void **unused)
{
    (void)unused;
    static const double bounds[] = {0.1, 1, 3};
    struct series *series =
        metric_series(metrics_histogram(metrics, "ack_seconds", "…", bounds, 3, "type"), "x");
    const double seen[] = {0.05, 0.1, 0.5, 2, 7};
    for (size_t i = 0; i < 5; i++)
        series_observe(series, seen[i]);
    assert_non_null(strstr(metrics_text(ctx, metrics),
                           "ack_seconds_bucket{type=\"x\",le=\"0.1\"} 2\n"
                           "ack_seconds_bucket{type=\"x\",le=\"1\"} 3\n"
                           "ack_seconds_bucket{type=\"x\",le=\"3\"} 4\n"
                           "ack_seconds_bucket{type=\"x\",le=\"+Inf\"} 5\n"
                           "ack_seconds_sum{type=\"x\"} 9.65\n"
                           "ack_seconds_count{type=\"x\"} 5\n"));
    assert_true(series_value(series) == 5);
}

static void test_replacing_rows_zeroes_what_is_no_longer_there(void **unused)
{
    (void)unused;
    struct metric *gauge = metrics_gauge(metrics, "jobs", "…", "kind", "state");
    metric_replace(gauge,
                   (struct metric_row[]){{{"create", "running"}, 2}, {{"delete", "queued"}, 1}}, 2);
    metric_replace(gauge, (struct metric_row[]){{{"create", "running"}, 5}}, 1);
    assert_true(series_value(metric_series(gauge, "create", "running")) == 5);
    assert_true(series_value(metric_series(gauge, "delete", "queued")) == 0);
}

static void *count_up(void *unused)
{
    (void)unused;
    struct metric *counter = metrics_counter(metrics, "c_total", "…", "n");
    struct metric *histogram =
        metrics_histogram(metrics, "h", "…", metrics_seconds, metrics_seconds_count);
    for (int i = 0; i < 5000; i++) {
        series_add(metric_series(counter, i % 2 ? "odd" : "even"), 1);
        series_observe(metric_series(histogram), 0.5);
    }
    return NULL;
}

static void test_nothing_is_lost_between_threads(void **unused)
{
    (void)unused;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, count_up, NULL);
    for (int i = 0; i < 50; i++)
        talloc_free(metrics_text(NULL, metrics));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    const char *text = metrics_text(ctx, metrics);
    assert_non_null(strstr(text, "c_total{n=\"even\"} 10000\n"));
    assert_non_null(strstr(text, "c_total{n=\"odd\"} 10000\n"));
    assert_non_null(strstr(text, "h_sum 10000\nh_count 20000\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_counters_and_gauges_are_written_with_their_labels),
        TEST(test_a_metric_is_made_once),
        TEST(test_label_values_are_escaped),
        TEST(test_values_that_would_collide_unescaped_are_different_series),
        TEST(test_a_histogram_cumulates_its_buckets),
        TEST(test_replacing_rows_zeroes_what_is_no_longer_there),
        TEST(test_nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
