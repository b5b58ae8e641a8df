/* Small verbs on text: what is near, what is shown, what is escaped. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_the_nearest_word_is_the_one_that_was_meant(void **state)
{
    (void)state;
    static const char *const words[] = {"create", "delete", "extend", "list", "templates", "quota"};
    static const struct {
        const char *typed, *meant;
    } table[] = {
        {"craete", "create"}, {"creat", "create"}, {"delte", "delete"},   {"lst", "list"},
        {"lits", "list"},     {"ls", NULL},        {"temp", "templates"}, {"Quota", "quota"},
        {"xyzzy", NULL},      {"", NULL},          {"q", NULL},           {"create", "create"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const char *near = text_nearest(table[i].typed, words, 6);
        if (table[i].meant)
            assert_string_equal(near ? near : "(none)", table[i].meant);
        else
            assert_null(near);
    }
    assert_null(text_nearest("create", words, 0));
}

static void test_a_very_long_word_is_near_nothing(void **state)
{
    static const char *const words[] = {"create"};
    char *word = talloc_zero_size(*state, 10001);
    memset(word, 'c', 10000);
    assert_null(text_nearest(word, words, 1));
}

static void test_text_is_cut_between_characters(void **state)
{
    assert_string_equal(text_cut(*state, "abc", 3), "abc");
    assert_string_equal(text_cut(*state, "abcd", 3), "ab…");
    assert_string_equal(text_cut(*state, "äöü€", 4), "äöü€");
    assert_string_equal(text_cut(*state, "äöü€x", 4), "äöü…");
    assert_string_equal(text_cut(*state, "😀😀😀", 2), "😀…");
    assert_string_equal(text_cut(*state, "", 1), "");
    assert_int_equal(text_characters("ä€😀x"), 4);
}

static void test_what_nobody_sees_goes_and_what_is_broken_shows(void **state)
{
    static const struct {
        const char *dirty, *clean;
    } table[] = {
        {"plain äöü 😀\n\tkept", "plain äöü 😀\n\tkept"},
        {"a\x01\x1B[31mb\x7F", "a[31mb"},
        {"a\u202Eb\u200Bc\uFEFFd\u2066e\u00ADf", "abcdef"},
        {"a\xFF", "a\uFFFD"},
        {"\xC0\xAF", "\uFFFD\uFFFD"},                     /* overlong "/" */
        {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},           /* a surrogate */
        {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"}, /* beyond Unicode */
        {"\xE2\x82", "\uFFFD\uFFFD"},                     /* cut off */
        {"", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *clean = text_clean(*state, table[i].dirty);
        assert_string_equal(clean, table[i].clean);
        assert_true(text_is_utf8(clean, strlen(clean)));
    }
    assert_false(text_is_utf8("\xED\xA0\x80", 3));
    assert_false(text_is_utf8("\xC1\xBF", 2));
}

static void test_text_is_escaped_for_where_it_goes(void **state)
{
    assert_string_equal(text_mrkdwn(*state, "<!channel> & \"x\" 'y'"),
                        "&lt;!channel&gt; &amp; \"x\" 'y'");
    assert_string_equal(text_html(*state, "<a href=\"x\">'&"),
                        "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    assert_string_equal(text_mrkdwn(*state, "&amp;"), "&amp;amp;");
}

static void test_names_are_labels(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "demo", "demo-2", "a1", "a--b"};
    static const char *const bad[] = {"",      "Demo",  "1demo", "-demo", "demo-", "de mo",
                                      "de_mo", "demo.", "démo",  "a/b",   "a\n",   "../a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(text_is_label(good[i], 40));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(text_is_label(bad[i], 40));
    assert_true(text_is_label("abcde", 5));
    assert_false(text_is_label("abcdef", 5));
}

static void test_a_mailbox_has_many_addresses(void **state)
{
    (void)state;
    assert_true(text_same_mailbox("ann@example.com", "Ann+two@Example.COM"));
    assert_true(text_same_mailbox("ann+a@example.com", "ann+b+c@example.com"));
    assert_true(text_same_mailbox("ann+@example.com", "ann@example.com"));
    assert_false(text_same_mailbox("ann@example.com", "anna@example.com"));
    assert_false(text_same_mailbox("ann@example.com", "ann@example.org"));
    assert_false(text_same_mailbox("ann@example.com", "bob+ann@example.com"));
    assert_false(text_same_mailbox("+a@example.com", "+b@example.com"));
    assert_false(text_same_mailbox("ann@a+b.example", "ann@a+c.example"));
    assert_false(text_same_mailbox("ann@example.com", NULL));
    assert_false(text_same_mailbox(NULL, NULL));
}

static void test_numbers_and_lists_as_people_write_them(void **state)
{
    static const char *const items[] = {"a", "b", "c"};
    assert_string_equal(text_money(*state, 1234567.5, true), "1,234,567.50");
    assert_string_equal(text_money(*state, 999, false), "999");
    assert_string_equal(text_money(*state, 999.9, false), "1,000");
    assert_string_equal(text_money(*state, -1000, false), "-1,000");
    assert_string_equal(text_money(*state, 0, true), "0.00");
    assert_string_equal(text_money(*state, -0.3, false), "0");
    assert_string_equal(text_count(*state, 1, "node", "nodes"), "1 node");
    assert_string_equal(text_count(*state, 0, "node", "nodes"), "0 nodes");
    assert_string_equal(text_list(*state, items, 0, "or"), "");
    assert_string_equal(text_list(*state, items, 1, "or"), "a");
    assert_string_equal(text_list(*state, items, 2, "or"), "a or b");
    assert_string_equal(text_list(*state, items, 3, "and"), "a, b and c");
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
        cmocka_unit_test(test_a_mailbox_has_many_addresses),
        cmocka_unit_test_setup_teardown(test_the_nearest_word_is_the_one_that_was_meant, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_very_long_word_is_near_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text_is_cut_between_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_nobody_sees_goes_and_what_is_broken_shows, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_text_is_escaped_for_where_it_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_are_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_and_lists_as_people_write_them, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
