/* The table of transitions: every pair of state and event is decided, and the arithmetic of
   warnings holds. */
#include "lifecycle/states.h"

#include "lifecycle/waiting.h"

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

/* ---- waiting for a decision ---- */

enum { H = 3600, ASKED = 1000000 };

static struct environment waiting(cJSON *template_copy)
{
    return (struct environment){
        .state = "pending", .created_at = ASKED, .now = ASKED, .template_copy = template_copy};
}

static void test_a_request_lapses_as_its_template_says_else_as_the_configuration_does(void **unused)
{
    (void)unused;
    static const struct lifecycle_rules day = {.request_lapses = 24 * H};
    static const struct {
        const char *copy;
        int64_t hours;
    } table[] = {
        {"{}", 24},
        {"{\"approval\": {\"lapse\": \"12h\"}}", 12},
        {"{\"approval\": {\"lapse\": \"2d\"}}", 48},
        {"{\"approval\": {\"lapse\": \"soon\"}}", 24},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cJSON *copy = cJSON_Parse(table[i].copy);
        struct environment env = waiting(copy);
        assert_int_equal(lifecycle_due(&env, &day), ASKED + table[i].hours * H);
        cJSON_Delete(copy);
    }
}

static const struct lifecycle_rules ever = {.request_lapses = 24 * H};
static const char policy[] = "{\"approval\": {\"lapse\": \"20h\", \"remind\": [\"1h\", \"4h\","
                             " \"12h\", \"30h\"], \"escalate\": {\"after\": \"6h\","
                             " \"channel\": \"C0LEADS\"}}}";

static void test_reminders_come_one_after_the_other_and_none_after_the_lapse(void **unused)
{
    (void)unused;
    cJSON *copy = cJSON_Parse(policy);
    struct environment env = waiting(copy);
    struct waiting wait = waiting_of(&env, NULL);
    static const struct {
        int64_t seconds;
        int over;
    } table[] = {{0, 0}, {H - 1, 0}, {H, 1}, {4 * H - 1, 1}, {4 * H, 2}, {12 * H, 3}, {40 * H, 3}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        wait.now = ASKED + table[i].seconds;
        assert_int_equal(waiting_reminders_over(&wait, &ever), table[i].over);
    }
    static const int64_t next[] = {ASKED + H, ASKED + 4 * H, ASKED + 12 * H, 0};
    for (env.wait.reminded = 0; env.wait.reminded < 4; env.wait.reminded++)
        assert_int_equal(waiting_remind_at(&wait, &ever), next[env.wait.reminded]);
    cJSON_Delete(copy);
}

static void test_it_is_escalated_once_and_lapses_later(void **unused)
{
    (void)unused;
    cJSON *copy = cJSON_Parse(policy);
    struct environment env = waiting(copy);
    struct waiting wait = waiting_of(&env, NULL);
    assert_int_equal(waiting_escalates_at(&wait, &ever), ASKED + 6 * H);
    assert_int_equal(lifecycle_due(&env, &ever), ASKED + 6 * H);
    env.wait.escalated_at = ASKED + 6 * H;
    assert_int_equal(waiting_escalates_at(&wait, &ever), 0);
    assert_int_equal(lifecycle_due(&env, &ever), ASKED + 20 * H);
    cJSON_Delete(copy);
}

static void test_the_clock_stands_still_while_a_question_is_open(void **unused)
{
    (void)unused;
    cJSON *copy = cJSON_Parse(policy);
    struct environment env = waiting(copy);
    struct waiting wait = waiting_of(&env, NULL);
    env.wait.question = cJSON_CreateObject();
    json_set_number(env.wait.question, "asked", ASKED + 5 * H);
    json_set_bool(env.wait.question, "pauses", true);
    /* What was due before stays due; the rest waits, at most as long again as it may wait. */
    assert_int_equal(waiting_moment(&wait, &ever, 4 * H), ASKED + 4 * H);
    assert_int_equal(waiting_escalates_at(&wait, &ever), ASKED + 26 * H);
    assert_int_equal(waiting_lapses_at(&wait, &ever), ASKED + 40 * H);
    /* A later question stops it no more. */
    json_set_bool(env.wait.question, "pauses", false);
    env.wait.paused_seconds = 2 * H;
    assert_int_equal(waiting_lapses_at(&wait, &ever), ASKED + 22 * H);
    cJSON_Delete(env.wait.question);
    /* Answered: the time that it stood still is added to everything that was to come. */
    env.wait.question = NULL;
    assert_int_equal(waiting_moment(&wait, &ever, 12 * H), ASKED + 14 * H);
    assert_int_equal(waiting_lapses_at(&wait, &ever), ASKED + 22 * H);
    cJSON_Delete(copy);
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
        cmocka_unit_test(test_a_request_lapses_as_its_template_says_else_as_the_configuration_does),
        cmocka_unit_test(test_reminders_come_one_after_the_other_and_none_after_the_lapse),
        cmocka_unit_test(test_it_is_escalated_once_and_lapses_later),
        cmocka_unit_test(test_the_clock_stands_still_while_a_question_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
