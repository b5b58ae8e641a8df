/* What people type and paste, read as they meant it. */
#include "commands/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static const char *const switches[] = {"mine", "all", "dry-run", "spot?", NULL};

/* Items in [], options as name=value, in their order: one line to compare. A "!" and the sentence
   follow when it was refused. */
static const char *read_back(const void *ctx, const char *text)
{
    struct words *words;
    struct error err = {0};
    bool ok = words_read(ctx, text, switches, &words, &err);
    char *line = talloc_strdup(ctx, "");
    for (int i = 0; i < words->count; i++)
        line = talloc_asprintf_append(line, "[%s]", words->items[i]);
    for (int i = 0; i < words->option_count; i++)
        line = talloc_asprintf_append(line, " %s=%s", words->options[i].name,
                                      words->options[i].value ? words->options[i].value : "(none)");
    return ok ? line : talloc_asprintf_append(line, " ! %s", err.text);
}

static void test_what_is_typed_is_what_was_meant(void **state)
{
    static const struct {
        const char *text, *meant;
    } table[] = {
        {"", ""},
        {"   ", ""},
        {"list", "[list]"},
        {"  extend   demo  4h ", "[extend][demo][4h]"},
        /* options */
        {"create small demo --ttl 8h", "[create][small][demo] ttl=8h"},
        {"create small --ttl=8h demo", "[create][small][demo] ttl=8h"},
        {"create small -ttl 8h", "[create][small] ttl=8h"},
        {"create small --TTL 8h", "[create][small] ttl=8h"},
        {"create small --set a=b --set c=d", "[create][small] set=a=b set=c=d"},
        {"create small --set=a=b", "[create][small] set=a=b"},
        {"create --nodes -5", "[create] nodes=-5"},
        {"list --mine --team x", "[list] mine= team=x"},
        {"list --Mine payments", "[list][payments] mine="},
        {"list --ttl=", "[list] ttl="},
        {"create standard --spot", "[create][standard] spot=yes"},
        {"create standard --spot demo", "[create][standard][demo] spot=yes"},
        {"create standard --spot --ttl 8h", "[create][standard] spot=yes ttl=8h"},
        {"create standard --spot No demo", "[create][standard][demo] spot=No"},
        {"create standard --spot=maybe", "[create][standard] spot=maybe"},
        /* no options */
        {"deny demo -- too big", "[deny][demo][--][too][big]"},
        {"deny demo - too big", "[deny][demo][-][too][big]"},
        {"scale demo -3", "[scale][demo][-3]"},
        {"deny demo a-b c--d", "[deny][demo][a-b][c--d]"},
        /* quotes */
        {"create --reason \"try it out\"", "[create] reason=try it out"},
        {"create --reason='try it out'", "[create] reason=try it out"},
        {"create --reason=\"try it\" demo", "[create][demo] reason=try it"},
        {"create --reason \"\"", "[create] reason="},
        {"deny demo it's too big", "[deny][demo][it's][too][big]"},
        {"deny demo 'tis too big", "[deny][demo]['tis][too][big]"},
        {"deny demo \"--force is not an option\"", "[deny][demo][--force is not an option]"},
        {"create --reason \"--mine\"", "[create] reason=--mine"},
        /* what keyboards and editors do */
        {"create --reason “try it”", "[create] reason=try it"},
        {"create --reason „try it“", "[create] reason=try it"},
        {"create --reason «try it»", "[create] reason=try it"},
        {"create --reason ‘try it’", "[create] reason=try it"},
        {"deny demo it’s too big", "[deny][demo][it's][too][big]"},
        {"create —ttl 8h –reason x", "[create] ttl=8h reason=x"},
        {"create \u200B—ttl 8h", "[create] ttl=8h"},
        {"deny demo too big — try small", "[deny][demo][too][big][—][try][small]"},
        {"deny demo 3–5 nodes", "[deny][demo][3–5][nodes]"},
        {"create\u00A0small\u2003demo\u3000--ttl\u202F8h", "[create][small][demo] ttl=8h"},
        {"create\tsmall\r\ndemo\u2028x", "[create][small][demo][x]"},
        {"de\u200Bmo \u202Edemo \uFEFFx", "[demo][demo][x]"},
        {"demo\u2011two \u22125", "[demo-two][-5]"},
        /* what Slack does */
        {"whoami <@U123|name>", "[whoami][<@U123|name>]"},
        {"whoami <#C123|x>", "[whoami][<#C123|x>]"},
        {"deny demo a &lt; b &amp;&amp; c &gt; d", "[deny][demo][a][<][b][&&][c][>][d]"},
        {"deny demo &amp;lt;", "[deny][demo][&lt;]"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(read_back(*state, table[i].text), table[i].meant);
}

static void test_mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *answer;
    } table[] = {
        {"create --reason \"try it", "[create] ! A quotation mark is open: \"try it"},
        {"create “try it", "[create] ! A quotation mark is open: \"try it"},
        {"create --ttl", "[create] ttl=(none) ! --ttl needs a value after it."},
        {"create --ttl --reason x", "[create] ttl=(none) ! --ttl needs a value after it."},
        {"create --ttl 8h --ttl 9h", "[create] ttl=8h ! --ttl stands there twice."},
        {"create --ttl 8h --TTL=9h", "[create] ttl=8h ! --ttl stands there twice."},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(read_back(*state, table[i].text), table[i].answer);
}

static void test_invalid_bytes_harm_nobody(void **state)
{
    assert_string_equal(read_back(*state, "a\xFF\xFE b\xE2\x80"), "[a\uFFFD\uFFFD][b\uFFFD\uFFFD]");
    assert_string_equal(read_back(*state, "a\x01\x02\x7F"), "[a]");
}

static void test_many_options_and_long_words(void **state)
{
    char *text = talloc_strdup(*state, "create");
    for (int i = 0; i < 100; i++)
        text = talloc_asprintf_append(text, " --option-%d %d", i, i);
    struct words *words;
    struct error err = {0};
    assert_true(words_read(*state, text, switches, &words, &err));
    assert_int_equal(words->option_count, 100);
    assert_string_equal(words_option(words, "option-99"), "99");
    assert_null(words_option(words, "option-100"));

    char *large = talloc_zero_size(*state, 30001);
    memset(large, 'x', 30000);
    assert_true(words_read(*state, large, NULL, &words, &err));
    assert_int_equal(words->count, 1);
    assert_int_equal(strlen(words_item(words, 0)), 30000);
}

static void test_items_and_the_rest(void **state)
{
    struct words *words;
    struct error err = {0};
    assert_true(words_read(*state, "deny demo  too   big", NULL, &words, &err));
    assert_string_equal(words_item(words, 1), "demo");
    assert_null(words_item(words, 4));
    assert_string_equal(words_rest(*state, words, 2), "too big");
    assert_string_equal(words_rest(*state, words, 9), "");
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
        cmocka_unit_test_setup_teardown(test_what_is_typed_is_what_was_meant, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_invalid_bytes_harm_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_options_and_long_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_items_and_the_rest, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
