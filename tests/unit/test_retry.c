/* Back-off grows, is spread, and stays between its floor and its cap. */
#include "base/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_each_wait_is_between_the_floor_and_its_ceiling(void **unused)
{
    (void)unused;
    for (int attempt = 1; attempt <= 12; attempt++) {
        int64_t ceiling = 1000LL << attempt;
        if (ceiling > 60000)
            ceiling = 60000;
        for (int i = 0; i < 200; i++) {
            int64_t wait = retry_wait_ms(attempt, 1000, 60000);
            assert_true(wait >= 1000 && wait <= ceiling);
        }
    }
}

static void test_waits_are_spread_over_the_whole_range(void **unused)
{
    (void)unused;
    int low = 0, high = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t wait = retry_wait_ms(10, 1000, 61000);
        low += wait < 21000;
        high += wait > 41000;
    }
    /* a third each, give or take: 200 of 1000 is 9 standard deviations away */
    assert_true(low > 200 && high > 200);
}

static void test_a_huge_number_of_failures_does_not_overflow(void **unused)
{
    (void)unused;
    int64_t wait = retry_wait_ms(2000000000, 1, INT64_MAX / 2);
    assert_true(wait >= 1);
    assert_int_equal(retry_wait_ms(5, 100, 100), 100);
    assert_int_equal(retry_wait_ms(5, 200, 100), 100);
}

static void test_a_success_begins_anew(void **unused)
{
    (void)unused;
    struct retry retry = {.floor_ms = 100, .cap_ms = 1000000};
    for (int i = 0; i < 10; i++)
        retry_next_ms(&retry);
    retry_reset(&retry);
    for (int i = 0; i < 50; i++) {
        assert_true(retry_next_ms(&retry) <= 200);
        retry_reset(&retry);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_wait_is_between_the_floor_and_its_ceiling),
        cmocka_unit_test(test_waits_are_spread_over_the_whole_range),
        cmocka_unit_test(test_a_huge_number_of_failures_does_not_overflow),
        cmocka_unit_test(test_a_success_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
