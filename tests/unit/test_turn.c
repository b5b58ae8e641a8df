/* What people are told of the queue. */
#include "lifecycle/states.h"
#include "lifecycle/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_times_are_said_in_minutes(void **state)
{
    (void)state;
    static const struct {
        double low, high;
        const char *words;
    } cases[] = {
        {870, 1032, "14 to 18 minutes"}, {900, 900, "15 minutes"},         {0.4, 1, "a minute"},
        {20, 90, "1 to 2 minutes"},      {3600, 3660, "60 to 61 minutes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *words = turn_minutes(NULL, cases[i].low, cases[i].high);
        assert_string_equal(words, cases[i].words);
        talloc_free(words);
    }
}

/* parallel 4, per_region 3, per_team 2 */
static void test_who_waits_is_told_what_for(void **state)
{
    (void)state;
    static const struct {
        struct queue_place place;
        bool soon;
        const char *words;
    } cases[] = {
        {{.waits = false}, false, ""},
        {{.waits = true}, true, ""},
        {{.waits = true, .before = 1, .running = 2}, true, ""},
        {{.waits = true, .held_up = true},
         false,
         "Something keeps it from starting: the thread says what."},
        {{.waits = true, .before = 2, .running = 2},
         false,
         "It is number 3 in the queue; 2 jobs run at the moment."},
        {{.waits = true, .running = 4},
         false,
         "It is the next one: 4 jobs run, as many as may at once."},
        {{.waits = true, .running = 3, .region_runs = 3},
         false,
         "It is the next one: 3 jobs run in eu-central-1, as many as may at once."},
        {{.waits = true, .running = 2, .region_runs = 2, .team_runs = 2},
         false,
         "It is the next one: 2 jobs run for payments, as many as may at once."},
        {{.waits = true, .before = QUEUE_COUNTED, .running = 1},
         false,
         "20 jobs or more are before it in the queue."},
    };
    struct environment env = {.team = "payments", .region = "eu-central-1", .state = "queued"};
    lifecycle_rules.bounds = (struct job_bounds){4, 3, 2, 45};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *view = cJSON_CreateObject();
        turn_view(view, &env, &cases[i].place, NULL, NULL);
        assert_string_equal(json_string_or_empty(view, "turn_words"), cases[i].words);
        assert_int_equal(json_true(view, "starts_soon"), cases[i].soon);
        cJSON_Delete(view);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_said_in_minutes),
        cmocka_unit_test(test_who_waits_is_told_what_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
