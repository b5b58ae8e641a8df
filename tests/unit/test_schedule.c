/* When an environment sleeps, as it is written. */
#include "lifecycle/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

/* As words, or "! " and what is wrong. */
static const char *read_as(void *ctx, const char *text)
{
    struct schedule schedule;
    struct error err = {0};
    if (schedule_parse(json_parse(ctx, text), &schedule, &err))
        return schedule_words(ctx, &schedule);
    return talloc_asprintf(ctx, "! %s", err.text);
}

static void test_what_people_write_and_how_it_is_said(void **state)
{
    static const struct {
        const char *json, *words;
    } table[] = {
        {"{\"at\": \"20:00\", \"wake\": \"08:00\", \"days\": \"mon-fri\", \"zone\": "
         "\"Europe/Berlin\"}",
         "sleeps mon-fri at 20:00 and wakes at 08:00, Europe/Berlin"},
        {"{\"at\": \"20:00\", \"zone\": \"UTC\"}", "sleeps daily at 20:00, UTC"},
        {"{\"at\": \"0:05\", \"zone\": \"UTC\"}", "sleeps daily at 00:05, UTC"},
        {"{\"at\": \"23:59\", \"wake\": \"00:00\", \"days\": \"daily\", \"zone\": \"UTC\"}",
         "sleeps daily at 23:59 and wakes at 00:00, UTC"},
        {"{\"at\": \"20:00\", \"days\": \"sat,sun\", \"zone\": \"UTC\"}",
         "sleeps sat-sun at 20:00, UTC"},
        {"{\"at\": \"20:00\", \"days\": \"Mon, Wednesday-fri\", \"zone\": \"UTC\"}",
         "sleeps mon, wed-fri at 20:00, UTC"},
        {"{\"at\": \"20:00\", \"days\": \"fri-mon\", \"zone\": \"UTC\"}",
         "sleeps mon, fri-sun at 20:00, UTC"},
        {"{\"at\": \"20:00\", \"days\": \"mon-sun\", \"zone\": \"UTC\"}",
         "sleeps daily at 20:00, UTC"},
        {"{\"at\": \"24:00\", \"zone\": \"UTC\"}",
         "! at is a time of day like 20:00, not “24:00”."},
        {"{\"at\": \"20\", \"zone\": \"UTC\"}", "! at is a time of day like 20:00, not “20”."},
        {"{\"at\": \"20:0\", \"zone\": \"UTC\"}", "! at is a time of day like 20:00, not “20:0”."},
        {"{\"at\": \"8pm\", \"zone\": \"UTC\"}", "! at is a time of day like 20:00, not “8pm”."},
        {"{\"at\": \"-1:30\", \"zone\": \"UTC\"}",
         "! at is a time of day like 20:00, not “-1:30”."},
        {"{\"at\": \"2:+5\", \"zone\": \"UTC\"}", "! at is a time of day like 20:00, not “2:+5”."},
        {"{\"zone\": \"UTC\"}", "! at is a time of day like 20:00, not “”."},
        {"{\"at\": \"20:00\", \"wake\": \"early\", \"zone\": \"UTC\"}",
         "! wake is a time of day like 20:00, not “early”."},
        {"{\"at\": \"20:00\", \"wake\": \"20:00\", \"zone\": \"UTC\"}",
         "! It cannot sleep and wake at the same time."},
        {"{\"at\": \"20:00\", \"days\": \"weekdays\", \"zone\": \"UTC\"}",
         "! days are written like mon-fri or sat,sun, not “weekdays”."},
        {"{\"at\": \"20:00\", \"days\": \"mon-\", \"zone\": \"UTC\"}",
         "! days are written like mon-fri or sat,sun, not “mon-”."},
        {"{\"at\": \"20:00\", \"days\": \"\", \"zone\": \"UTC\"}",
         "! days are written like mon-fri or sat,sun, not “”."},
        {"{\"at\": \"20:00\"}", "! The time zone is missing: zone, like Europe/Berlin."},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(read_as(*state, table[i].json), table[i].words);
}

static void test_its_own_schedule_comes_before_its_templates(void **state)
{
    struct environment env = {.state = "ready"};
    struct schedule schedule;
    assert_false(schedule_of(&env, &schedule));
    env.template_copy = json_parse(*state, "{\"sleep\": {\"at\": \"20:00\", \"zone\": \"UTC\"}}");
    assert_true(schedule_of(&env, &schedule));
    assert_int_equal(schedule.at, 20 * 60);
    env.schedule = json_parse(*state, "{\"at\": \"21:00\", \"zone\": \"UTC\"}");
    assert_true(schedule_of(&env, &schedule));
    assert_int_equal(schedule.at, 21 * 60);
    env.schedule = json_parse(*state, "{\"off\": true}");
    assert_false(schedule_of(&env, &schedule));
}

static void test_it_turns_while_it_is_ready_or_asleep_alone(void **state)
{
    static const char *const states[] = {"ready", "asleep", "changing", "deleting", "creating"};
    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct environment env = {.state = states[i], .turn_at = 100, .now = 99};
        assert_false(schedule_due(&env));
        env.now = 100;
        assert_int_equal(schedule_due(&env), i < 2);
        env.turn_at = 0;
        assert_false(schedule_due(&env));
    }
}

static int make(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int forget(void **state)
{
    talloc_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_people_write_and_how_it_is_said),
        cmocka_unit_test(test_its_own_schedule_comes_before_its_templates),
        cmocka_unit_test(test_it_turns_while_it_is_ready_or_asleep_alone),
    };
    return cmocka_run_group_tests(tests, make, forget);
}
