/* A template's approval section: what decides, what needs nobody, what the card says. */
#include "approvals/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static struct policy policy(const void *ctx, const char *section)
{
    return policy_read(json_parse(ctx, talloc_asprintf(ctx, "{\"approval\":%s}", section)));
}

static void test_without_a_word_one_other_person_decides(void **state)
{
    struct policy p = policy_read(json_parse(*state, "{}"));
    assert_int_equal(p.count, 1);
    assert_false(p.self);
    const char *needed;
    struct votes votes = {.approvals = 0};
    assert_false(policy_met(*state, &p, &votes, &needed));
    assert_string_equal(needed, "1 more approval");
    votes.approvals = 1;
    assert_true(policy_met(*state, &p, &votes, &needed));
    assert_string_equal(needed, "");
    assert_false(policy_automatic(&p, json_parse(*state, "{\"nodes\":1}"), 60));
}

static void test_so_many_of_each_group_are_needed(void **state)
{
    struct policy p = policy(*state, "{\"count\":2,\"groups\":{\"slack:security\":1}}");
    const char *needed;
    struct votes votes = {.approvals = 0};
    assert_false(policy_met(*state, &p, &votes, &needed));
    assert_string_equal(needed, "2 more approvals, 1 of @security");
    votes.approvals = 2;
    assert_false(policy_met(*state, &p, &votes, &needed));
    assert_string_equal(needed, "1 of @security");
    votes.groups = json_parse(*state, "{\"slack:security\":1}");
    assert_true(policy_met(*state, &p, &votes, &needed));
    votes.approvals = 1;
    assert_false(policy_met(*state, &p, &votes, &needed));
    assert_string_equal(needed, "1 more approval");
}

static void test_any_line_whose_conditions_all_hold_needs_nobody(void **state)
{
    struct policy p =
        policy(*state, "{\"automatic\":[{\"nodes\":{\"max\":1},\"ttl\":{\"max\":\"2h\"}},"
                       "{\"spot\":true,\"nodes\":{\"min\":2,\"max\":3}},{}]}");
    static const struct {
        const char *values;
        int64_t ttl;
        bool automatic;
    } table[] = {
        {"{\"nodes\":1}", 7200, true},
        {"{\"nodes\":1}", 7201, false},
        {"{\"nodes\":2}", 7200, false},
        {"{\"nodes\":2,\"spot\":true}", 86400, true},
        {"{\"nodes\":4,\"spot\":true}", 60, false},
        {"{\"nodes\":2,\"spot\":false}", 60, false},
        {"{\"nodes\":2,\"spot\":\"true\"}", 60, false},
        {"{}", 60, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(policy_automatic(&p, json_parse(*state, table[i].values), table[i].ttl),
                         table[i].automatic);
}

static void test_a_condition_that_cannot_be_judged_does_not_hold(void **state)
{
    static const char *const sections[] = {
        "{\"automatic\":[{\"instance\":{\"max\":5}}]}", /* a word is not at most 5 */
        "{\"automatic\":[{\"instance\":{\"min\":\"soon\"}}]}",
        "{\"automatic\":[{\"nodes\":{\"most\":5}}]}",
        "{\"automatic\":[{\"nodes\":{}}]}",
        "{\"automatic\":[{}]}",
        "{\"automatic\":[{\"other\":{\"max\":5}}]}",
        "{\"automatic\":[{\"nodes\":{\"max\":\"many\"}}]}",
    };
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        struct policy p = policy(*state, sections[i]);
        if (policy_automatic(&p, json_parse(*state, "{\"nodes\":1,\"instance\":\"p5.48xlarge\"}"),
                             60))
            fail_msg("%s needs nobody", sections[i]);
    }
}

static void test_the_tally_says_who_and_what_is_wanted(void **state)
{
    char *names[] = {(char[]){"<@U1>"}, (char[]){"<@U2>"}, NULL};
    cJSON *tally = policy_tally(*state, "1 of @security", names, NULL, NULL);
    assert_string_equal(json_string(tally, "line"), "<@U1> ✓, <@U2> ✓; 1 of @security needed");
    assert_int_equal(cJSON_GetArraySize(json_at(tally, "votes")), 2);
    assert_true(cJSON_IsNull(json_at(tally, "quota")));
    assert_string_equal(
        json_string(policy_tally(*state, "1 more approval", NULL, NULL, NULL), "line"),
        "1 more approval needed");
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
        cmocka_unit_test_setup_teardown(test_without_a_word_one_other_person_decides, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_so_many_of_each_group_are_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_line_whose_conditions_all_hold_needs_nobody,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_condition_that_cannot_be_judged_does_not_hold,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_tally_says_who_and_what_is_wanted, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
