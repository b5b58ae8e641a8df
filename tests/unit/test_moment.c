/* Moments as people write them. */
#include "base/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_what_is_a_moment(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        struct moment moment;
    } table[] = {
        {"2026-12-01", {MOMENT_DATE, 2026, 12, 1, 0, 0x7f, 0}},
        {"2026-12-01 18:00", {MOMENT_DATE, 2026, 12, 1, 0, 0x7f, 1080}},
        {" 2026-12-01  9:05 ", {MOMENT_DATE, 2026, 12, 1, 0, 0x7f, 545}},
        {"2026-12-01T18:00", {MOMENT_DATE, 2026, 12, 1, 0, 0x7f, 1080}},
        {"2028-02-29", {MOMENT_DATE, 2028, 2, 29, 0, 0x7f, 0}},
        {"fri 18:00", {MOMENT_DAYS, 0, 0, 0, 0, 1 << 4, 1080}},
        {"Friday 18:00", {MOMENT_DAYS, 0, 0, 0, 0, 1 << 4, 1080}},
        {"mon", {MOMENT_DAYS, 0, 0, 0, 0, 1, 0}},
        {"SUN 0:00", {MOMENT_DAYS, 0, 0, 0, 0, 1 << 6, 0}},
        {"18:00", {MOMENT_DAYS, 0, 0, 0, 0, 0x7f, 1080}},
        {"today 18:00", {MOMENT_AHEAD, 0, 0, 0, 0, 0x7f, 1080}},
        {"Tomorrow 9:30", {MOMENT_AHEAD, 0, 0, 0, 1, 0x7f, 570}},
        {"tomorrow", {MOMENT_AHEAD, 0, 0, 0, 1, 0x7f, 0}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct moment read;
        struct error err = {0};
        const struct moment *wanted = &table[i].moment;
        assert_true(moment_parse(table[i].text, &read, &err));
        assert_int_equal(read.kind, wanted->kind);
        assert_int_equal(read.year, wanted->year);
        assert_int_equal(read.month, wanted->month);
        assert_int_equal(read.day, wanted->day);
        assert_int_equal(read.ahead, wanted->ahead);
        assert_int_equal(read.days, wanted->days);
        assert_int_equal(read.minutes, wanted->minutes);
    }
}

static void test_what_is_none(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *part;
    } table[] = {
        {"", "not a moment"},
        {"soon", "not a moment"},
        {"8h", "not a moment"},
        {"fri 25:00", "not a moment"},
        {"fri 18", "not a moment"},
        {"fri 18:00 sharp", "not a moment"},
        {"frid 18:00", "not a moment"},
        {"18:00 fri", "not a moment"},
        {"2026-2-1", "not a moment"},
        {"2026-12-01T18:00 19:00", "not a moment"},
        {"2026-12-01T", "not a moment"},
        {"2026-12-01Tx", "not a moment"},
        {"2026-02-29", "no day of the calendar"},
        {"2026-13-01", "no day of the calendar"},
        {"2026-04-31 10:00", "no day of the calendar"},
        {"1999-04-30", "no day of the calendar"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct moment read;
        struct error err = {0};
        assert_false(moment_parse(table[i].text, &read, &err));
        if (!strstr(err.text, table[i].part))
            fail_msg("%s: %s", table[i].text, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_moment),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
