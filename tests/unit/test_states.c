/* The table of transitions: every pair of state and event is decided, and the arithmetic of
   warnings holds. */
#include "lifecycle/states.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static const char *const states[] = {"",          "pending", "queued",   "creating", "ready",
                                     "changing",  "asleep",  "deleting", "deleted",  "denied",
                                     "withdrawn", "lapsed",  "failed"};

static bool over(const char *state)
{
    static const char *const ends[] = {"deleted", "denied", "withdrawn", "lapsed"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(ends[i], state) == 0)
            return true;
    return false;
}

static void test_each_pair_of_state_and_event_has_at_most_one_transition(void **unused)
{
    (void)unused;
    for (size_t s = 0; s < sizeof states / sizeof *states; s++) {
        for (int e = 0; e < EVENT_COUNT; e++) {
            int found = 0;
            for (const struct transition *t = transitions; t->from; t++)
                found += t->event == (enum event)e && strcmp(t->from, states[s]) == 0;
            assert_true(found <= 1);
        }
    }
}

static void test_nothing_leaves_an_end(void **unused)
{
    (void)unused;
    for (const struct transition *t = transitions; t->from; t++)
        assert_false(over(t->from));
}

static void test_what_ends_frees_and_only_that(void **unused)
{
    (void)unused;
    for (const struct transition *t = transitions; t->from; t++) {
        if (over(t->to))
            assert_true(t->ends);
        else if (t->ends)
            assert_string_equal(t->to, "failed"); /* cleaned up: it may be tried again */
    }
}

static void test_every_state_of_the_table_can_be_reached_and_left_by_name(void **unused)
{
    (void)unused;
    assert_string_equal(transition_find("pending", EVENT_APPROVE)->to, "queued");
    assert_null(transition_find("pending", EVENT_READY));
    assert_null(transition_find("deleted", EVENT_DELETE));
    assert_null(transition_find("denied", EVENT_APPROVE));
    for (int e = 0; e < EVENT_COUNT; e++)
        assert_non_null(event_name((enum event)e));
}

static const struct lifecycle_rules rules = {.warn_before = {86400, 3600}};

static void test_warnings_come_once_and_in_order(void **unused)
{
    (void)unused;
    struct environment env = {.state = "ready", .ready_at = 1000, .expires_at = 1000 + 3 * 86400};
    env.now = env.expires_at - 86401;
    assert_int_equal(lifecycle_warning_due(&env, &rules), 0);
    assert_int_equal(lifecycle_due(&env, &rules), env.expires_at - 86400);
    env.now = env.expires_at - 86400;
    assert_int_equal(lifecycle_warning_due(&env, &rules), 86400);
    env.warned_seconds = 86400;
    assert_int_equal(lifecycle_warning_due(&env, &rules), 0);
    assert_int_equal(lifecycle_due(&env, &rules), env.expires_at - 3600);
    env.now = env.expires_at - 10; /* both are late: one is given, the nearer */
    assert_int_equal(lifecycle_warning_due(&env, &rules), 3600);
    env.warned_seconds = 3600;
    assert_int_equal(lifecycle_warning_due(&env, &rules), 0);
    assert_int_equal(lifecycle_due(&env, &rules), env.expires_at);
}

static void test_a_short_life_is_not_warned_a_day_before(void **unused)
{
    (void)unused;
    struct environment env = {.state = "ready", .ready_at = 1000, .expires_at = 1000 + 8 * 3600};
    env.now = 1001;
    assert_int_equal(lifecycle_warning_due(&env, &rules), 0);
    assert_int_equal(lifecycle_due(&env, &rules), env.expires_at - 3600);
}

static void test_what_is_over_is_never_due(void **unused)
{
    (void)unused;
    struct environment env = {.state = "failed", .ended_at = 5, .now = 10};
    assert_int_equal(lifecycle_due(&env, &rules), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pair_of_state_and_event_has_at_most_one_transition),
        cmocka_unit_test(test_nothing_leaves_an_end),
        cmocka_unit_test(test_what_ends_frees_and_only_that),
        cmocka_unit_test(test_every_state_of_the_table_can_be_reached_and_left_by_name),
        cmocka_unit_test(test_warnings_come_once_and_in_order),
        cmocka_unit_test(test_a_short_life_is_not_warned_a_day_before),
        cmocka_unit_test(test_what_is_over_is_never_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
