/* Lengths of time, read and written. */
#include "base/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_lengths_of_time_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } table[] = {
        {"45s", 45},        {"30m", 1800},
        {"8h", 28800},      {"2d", 172800},
        {"1w", 604800},     {"1d12h", 129600},
        {"1h 30m", 5400},   {"90 min", 5400},
        {"2 days", 172800}, {"1 day, 2 hours", 93600},
        {" 8h ", 28800},    {"8H", 28800},
        {"1 Week", 604800}, {"08h", 28800},
        {"0d1h", 3600},     {"10m5s", 605},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = {0};
        int64_t seconds = 0;
        if (!duration_parse(table[i].text, &seconds, &err))
            fail_msg("%s: %s", table[i].text, err.text);
        assert_int_equal(seconds, table[i].seconds);
    }
}

static void test_what_is_no_length_of_time_is_refused(void **state)
{
    (void)state;
    static const char *const table[] = {"",     " ",    "8",    "h",     "0h",   "-8h",
                                        "8x",   "8h x", "1.5h", "8h 30", "1e3h", "0x8h",
                                        "8 8h", "+8h",  "∞",    "8hm",   "h8",   "8h\n-1m"};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = {0};
        int64_t seconds = 77;
        assert_false(duration_parse(table[i], &seconds, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_non_null(strstr(err.text, "write it like 30m, 8h, 2d or 1w"));
        assert_int_equal(seconds, 77);
    }
}

static void test_too_long_a_time_is_refused_without_an_overflow(void **state)
{
    (void)state;
    static const char *const table[] = {
        "11000d",   "99999999999999999999999h", "600w",
        "3660d 1s", "9223372036854775807s",     "18446744073709551616s"};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct error err = {0};
        int64_t seconds;
        assert_false(duration_parse(table[i], &seconds, &err));
        assert_non_null(strstr(err.text, "too long a time"));
    }
    int64_t seconds;
    assert_true(duration_parse("3660d", &seconds, NULL));
}

static void test_lengths_of_time_are_written(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } table[] = {
        {0, "0 s"},
        {-5, "0 s"},
        {45, "45 s"},
        {60, "1 min"},
        {125, "2 min 5 s"},
        {600, "10 min"},
        {601, "10 min"},
        {3600, "1 h"},
        {11400, "3 h 10 min"},
        {86400, "1 day"},
        {187200, "2 days 4 h"},
        {86460, "1 day"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(duration_text(*state, table[i].seconds), table[i].text);
}

static void test_what_is_written_short_is_read_back(void **state)
{
    static const int64_t table[] = {1, 59, 60, 3600, 28800, 129600, 604800, 694861};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t seconds = 0;
        assert_true(duration_parse(duration_short(*state, table[i]), &seconds, NULL));
        assert_int_equal(seconds, table[i]);
    }
    assert_string_equal(duration_short(*state, 129600), "1d12h");
}

static int set_up(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    return talloc_free(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lengths_of_time_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_length_of_time_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_too_long_a_time_is_refused_without_an_overflow, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_lengths_of_time_are_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_written_short_is_read_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
