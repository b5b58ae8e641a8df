/* The circuit breaker: when it opens, that one probe gets through, when it closes. */
#include "base/breaker.h"
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <talloc.h>
#include <time.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static struct breaker *opened(void *ctx, int64_t open_ms)
{
    struct breaker *breaker = breaker_new(
        ctx, &(struct breaker_options){.name = "ses", .failures = 2, .open_ms = open_ms}, NULL);
    for (int i = 0; i < 2; i++) {
        assert_true(breaker_allow(breaker, NULL));
        breaker_failure(breaker);
    }
    assert_int_equal(breaker_state(breaker), BREAKER_OPEN);
    return breaker;
}

/* Waits for the moment at which the breaker lets somebody through; it gets that one. */
static void wait_for_probe(struct breaker *breaker)
{
    for (int i = 0; i < 2000 && !breaker_allow(breaker, NULL); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(breaker_state(breaker), BREAKER_HALF_OPEN);
}

static void test_it_opens_after_failures_in_a_row_only(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct breaker *breaker =
        breaker_new(ctx, &(struct breaker_options){.name = "ses", .failures = 3}, NULL);
    for (int i = 0; i < 10; i++) {
        breaker_failure(breaker);
        breaker_failure(breaker);
        breaker_success(breaker);
    }
    assert_int_equal(breaker_state(breaker), BREAKER_CLOSED);
    for (int i = 0; i < 3; i++)
        breaker_failure(breaker);
    assert_int_equal(breaker_state(breaker), BREAKER_OPEN);
    struct error err;
    assert_false(breaker_allow(breaker, &err));
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    assert_non_null(strstr(err.text, "ses"));
    talloc_free(ctx);
}

static void test_one_probe_gets_through_and_closes_it(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct breaker *breaker = opened(ctx, 20);
    wait_for_probe(breaker);
    breaker_success(breaker);
    assert_int_equal(breaker_state(breaker), BREAKER_CLOSED);
    assert_true(breaker_allow(breaker, NULL));
    assert_true(breaker_allow(breaker, NULL));
    talloc_free(ctx);
}

static void test_a_failed_probe_opens_it_again(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct breaker *breaker = opened(ctx, 20);
    wait_for_probe(breaker);
    breaker_failure(breaker);
    assert_int_equal(breaker_state(breaker), BREAKER_OPEN);
    assert_false(breaker_allow(breaker, NULL));
    talloc_free(ctx);
}

static void test_a_late_report_does_not_close_what_opened_since(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct breaker *breaker = opened(ctx, 60000);
    breaker_success(breaker);
    assert_int_equal(breaker_state(breaker), BREAKER_OPEN);
    talloc_free(ctx);
}

static void test_a_probe_that_never_reports_is_forgotten(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct breaker *breaker = opened(ctx, 20);
    wait_for_probe(breaker);
    wait_for_probe(breaker);
    talloc_free(ctx);
}

static void test_it_shows_itself_in_the_metrics(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct metrics *metrics = metrics_new(ctx);
    struct breaker *breaker =
        breaker_new(ctx, &(struct breaker_options){.name = "slack", .failures = 1}, metrics);
    assert_non_null(
        strstr(metrics_text(ctx, metrics), "envbot_breaker_state{dependency=\"slack\"} 0"));
    breaker_failure(breaker);
    assert_non_null(
        strstr(metrics_text(ctx, metrics), "envbot_breaker_state{dependency=\"slack\"} 2"));
    talloc_free(ctx);
}

static struct breaker *shared;
static _Atomic int through;

static void *ask(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++)
        if (breaker_allow(shared, NULL))
            atomic_fetch_add(&through, 1);
    return NULL;
}

static void test_of_many_threads_one_is_the_probe(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    /* The probe's place is kept for open_ms: long against the threads' run. */
    shared = opened(ctx, 500);
    wait_for_probe(shared);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, ask, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(through <= 1); /* 1 only on a machine that stood still for half a second */
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_opens_after_failures_in_a_row_only),
        cmocka_unit_test(test_one_probe_gets_through_and_closes_it),
        cmocka_unit_test(test_a_failed_probe_opens_it_again),
        cmocka_unit_test(test_a_late_report_does_not_close_what_opened_since),
        cmocka_unit_test(test_a_probe_that_never_reports_is_forgotten),
        cmocka_unit_test(test_it_shows_itself_in_the_metrics),
        cmocka_unit_test(test_of_many_threads_one_is_the_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
