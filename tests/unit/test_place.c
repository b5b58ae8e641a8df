/* The names of places, taken apart. */
#include "lifecycle/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_a_place_says_its_message_its_words_and_who_it_is_for(void **unused)
{
    (void)unused;
    static const struct {
        const char *name, *message, *kind;
        bool thread, approvers, escalated;
    } table[] = {
        {"message", "message", "message", false, false, false},
        {"thread", "message", "message", true, false, false},
        {"card", "card", "card", false, true, false},
        {"card-thread", "card", "card", true, true, false},
        {"card-escalated", "card-escalated", "card", false, true, true},
        {"card-escalated-thread", "card-escalated", "card", true, true, true},
        {"review", "review", "review", false, true, false},
        {"review-thread", "review", "review", true, true, false},
        {"change-7", "change-7", "change", false, true, false},
        {"change-12-thread", "change-12", "change", true, true, false},
        {"change-9223372036854775807-escalated-thread", "change-9223372036854775807-escalated",
         "change", true, true, true},
        {"operators", "", "", false, false, false},
        {"person", "", "", false, false, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct place place = place_read(table[i].name);
        assert_string_equal(place.message, table[i].message);
        assert_string_equal(place.kind, table[i].kind);
        assert_int_equal(place.thread, table[i].thread);
        assert_int_equal(place.approvers, table[i].approvers);
        assert_int_equal(place.escalated, table[i].escalated);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_place_says_its_message_its_words_and_who_it_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
