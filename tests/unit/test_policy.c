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

static const char *const NOBODY[] = {NULL}; /* in no group */

static const char *missing(void *ctx, const struct policy *p, const struct policy_count *count)
{
    struct policy_missing all = policy_missing(p, count);
    const char *words = policy_missing_text(ctx, p, &all);
    assert_int_equal(all.all == 0, !*words);
    return words;
}

static void test_without_a_word_one_other_person_decides(void **state)
{
    struct policy p = policy_read(json_parse(*state, "{}"));
    assert_int_equal(p.count, 1);
    assert_false(p.self);
    struct policy_count count = {0};
    assert_string_equal(missing(*state, &p, &count), "1 more approval");
    policy_add(&p, &count, NOBODY);
    assert_string_equal(missing(*state, &p, &count), "");
    policy_add(&p, &count, NOBODY);
    assert_string_equal(missing(*state, &p, &count), "");
    assert_false(policy_automatic(&p, json_parse(*state, "{\"nodes\":1}"), 60));
}

static void test_so_many_of_each_group_are_needed(void **state)
{
    struct policy p =
        policy(*state, "{\"count\":3,\"groups\":{\"slack:security\":1,\"slack:money\":2}}");
    static const char *const security[] = {"slack:other", "slack:security", NULL};
    static const char *const both[] = {"slack:money", "slack:security", NULL};
    struct policy_count count = {0};
    assert_string_equal(missing(*state, &p, &count), "one of @security and 2 of @money");
    policy_add(&p, &count, security);
    assert_string_equal(missing(*state, &p, &count), "2 of @money");
    policy_add(&p, &count, security);
    policy_add(&p, &count, NOBODY);
    policy_add(&p, &count, NOBODY); /* enough people, of the wrong groups */
    assert_string_equal(missing(*state, &p, &count), "2 of @money");
    count = (struct policy_count){0};
    policy_add(&p, &count, both); /* one person fills a place of each */
    assert_string_equal(missing(*state, &p, &count), "one of @money and 1 more approval");
    policy_add(&p, &count, both);
    assert_string_equal(missing(*state, &p, &count), "1 more approval");
    policy_add(&p, &count, both);
    assert_string_equal(missing(*state, &p, &count), "");
}

static void test_what_it_takes_names_how_many_of_whom(void **state)
{
    static const struct {
        const char *section, *takes;
    } table[] = {
        {"{}", "@x, <@U1>"},
        {"{\"count\":2}", "2 of @x, <@U1>"},
        {"{\"groups\":{\"slack:security\":1}}", "one of @security"},
        {"{\"count\":2,\"groups\":{\"slack:security\":1}}",
         "one of @security and 1 more of @x, <@U1>"},
        {"{\"count\":2,\"groups\":{\"slack:a\":2,\"slack:b\":1}}", "2 of @a and one of @b"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct policy p = policy(*state, table[i].section);
        assert_string_equal(policy_takes(*state, &p, "@x, <@U1>"), table[i].takes);
    }
}

static void test_more_groups_than_can_be_counted_are_never_met(void **state)
{
    char *section = talloc_strdup(*state, "{\"groups\":{");
    const char *all[POLICY_GROUPS_MOST + 2] = {NULL};
    for (int i = 0; i <= POLICY_GROUPS_MOST; i++) {
        all[i] = talloc_asprintf(*state, "slack:g%d", i);
        section = talloc_asprintf_append(section, "%s\"%s\":1", i ? "," : "", all[i]);
    }
    struct policy p = policy(*state, talloc_asprintf(*state, "%s}}", section));
    struct policy_count count = {0};
    policy_add(&p, &count, all);
    assert_int_equal(policy_missing(&p, &count).all, 1);
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
        cmocka_unit_test_setup_teardown(test_what_it_takes_names_how_many_of_whom, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_more_groups_than_can_be_counted_are_never_met, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
