/* Trees with holes: values by type, and no value that changes a document's shape. */
#include "base/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

/* Fills holes (YAML text) with values (JSON text); the result as JSON, or "! " and the sentence. */
static const char *filled(const void *ctx, const char *holes, const char *values)
{
    struct tree *trees;
    int count;
    struct error err = {0};
    if (!tree_read_text(ctx, "t.yaml", holes, strlen(holes), &trees, &count, &err))
        return talloc_asprintf(ctx, "! %s", err.text);
    cJSON *tree = tree_fill(ctx, trees[0].root, json_parse(ctx, values), TREE_PLAIN, false, &err);
    return tree ? json_text(ctx, tree) : talloc_asprintf(ctx, "! %s", err.text);
}

static void test_holes_become_values_of_their_own_type(void **state)
{
    static const struct {
        const char *holes, *values, *result;
    } table[] = {
        {"n: \"${n}\"", "{\"n\":2}", "{\"n\":2}"},
        {"v: \"${v}\"", "{\"v\":\"1.30\"}", "{\"v\":\"1.30\"}"},
        {"b: \"${b}\"", "{\"b\":true}", "{\"b\":true}"},
        {"t: \"${t}\"", "{\"t\":{\"a\":\"b\"}}", "{\"t\":{\"a\":\"b\"}}"},
        {"x: \"${x}\"", "{\"x\":null}", "{\"x\":null}"},
        {"s: n is ${n}!", "{\"n\":2}", "{\"s\":\"n is 2!\"}"},
        {"s: ${a}${b}", "{\"a\":\"x\",\"b\":1}", "{\"s\":\"x1\"}"},
        {"s: ${a.b.0}", "{\"a\":{\"b\":[\"x\"]}}", "{\"s\":\"x\"}"},
        {"s: ${a.b}", "{\"a\":null}", "{\"s\":null}"},
        {"s: $${n} costs $5", "{\"n\":2}", "{\"s\":\"${n} costs $5\"}"},
        {"s: ${n", "{\"n\":2}", "{\"s\":\"${n\"}"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(filled(*state, table[i].holes, table[i].values), table[i].result);
}

static void test_if_keeps_what_is_wanted(void **state)
{
    static const char holes[] = "a: {$if: yes, x: 1}\n"
                                "b: {$if: no, x: 1}\n"
                                "c: {$if: \"!no\", x: 1}\n"
                                "d: [{$if: no, x: 1}, {$if: yes, x: 2}, 3]\n";
    assert_string_equal(filled(*state, holes, "{\"yes\":true,\"no\":false}"),
                        "{\"a\":{\"x\":1},\"c\":{\"x\":1},\"d\":[{\"x\":2},3]}");
    /* empty is no */
    static const char *const empty[] = {"\"\"", "0", "[]", "{}", "null", "false"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
        assert_string_equal(
            filled(*state, "a: {$if: v, x: 1}", talloc_asprintf(*state, "{\"v\":%s}", empty[i])),
            "{}");
    assert_string_equal(
        filled(*state, "a: {$if: \"on\", $value: \"${v}\"}", "{\"on\":true,\"v\":[1]}"),
        "{\"a\":[1]}");
}

static void test_for_repeats_an_item(void **state)
{
    assert_string_equal(filled(*state,
                               "l: [0, {$for: p in ps, name: \"${p.name}\", all: \"${n}\"}, 9]",
                               "{\"n\":2,\"ps\":[{\"name\":\"a\"},{\"name\":\"b\"}]}"),
                        "{\"l\":[0,{\"name\":\"a\",\"all\":2},{\"name\":\"b\",\"all\":2},9]}");
    assert_string_equal(
        filled(*state, "l: [{$for: x in xs, $value: \"${x}\"}]", "{\"xs\":[1,\"two\",{\"t\":3}]}"),
        "{\"l\":[1,\"two\",{\"t\":3}]}");
    assert_string_equal(filled(*state, "l: [{$for: x in xs, $if: x.on, n: \"${x.n}\"}]",
                               "{\"xs\":[{\"on\":true,\"n\":1},{\"on\":false,\"n\":2}]}"),
                        "{\"l\":[{\"n\":1}]}");
    assert_string_equal(filled(*state, "l: [{$for: x in xs, y: 1}]", "{\"xs\":[]}"), "{\"l\":[]}");
    /* the nearest binding wins, and is gone afterwards */
    assert_string_equal(
        filled(*state, "l: [{$for: x in xs, m: [{$for: x in x, $value: \"${x}\"}]}]\no: \"${x}\"",
               "{\"x\":0,\"xs\":[[1],[2]]}"),
        "{\"l\":[{\"m\":[1]},{\"m\":[2]}],\"o\":0}");
}

static void test_no_value_changes_the_shape_of_a_document(void **state)
{
    static const char *const hostile[] = {
        "a: b",      "x\n  evil: true",
        "\"",        "'",
        "- x",       "{a: 1}",
        "[1]",       "*anchor",
        "&a x",      "!!int 3",
        "#x",        "|",
        "${other}",  "$${x}",
        "true",      "null",
        "1e3",       "0x10",
        "~",         "",
        "y",         "1.30",
        "- ",        "a #b",
        "%YAML 1.2", "---",
        "...",       ": ",
        "\\",        "tab\there",
        "é😀",        "=",
        "<<",        "012",
    };
    static const char holes[] = "name: \"${v}\"\ntext: before ${v} after\nlist: [\"${v}\"]\n";
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        cJSON *values = json_object(*state);
        json_set_string(values, "v", hostile[i]);
        struct tree *trees, *back;
        int count;
        struct error err = {0};
        assert_true(tree_read_text(*state, "t", holes, strlen(holes), &trees, &count, &err));
        cJSON *tree = tree_fill(*state, trees[0].root, values, TREE_PLAIN, false, &err);
        char *yaml = tree_yaml(*state, tree);
        if (!tree_read_text(*state, "t", yaml, strlen(yaml), &back, &count, &err))
            fail_msg("%s: %s in\n%s", hostile[i], err.text, yaml);
        assert_int_equal(count, 1);
        assert_int_equal(cJSON_GetArraySize(back[0].root), 3);
        assert_string_equal(json_string(back[0].root, "name"), hostile[i]);
        assert_string_equal(json_string(back[0].root, "list.0"), hostile[i]);
        assert_true(cJSON_Compare(back[0].root, tree, true));
    }
}

static void test_escapes_follow_where_text_goes(void **state)
{
    static const char holes[] = "a: \"${v}\"\nb: \"x ${v} ${raw:v}\"\nc: \"${raw:v}\"";
    struct tree *trees;
    int count;
    struct error err = {0};
    assert_true(tree_read_text(*state, "t", holes, strlen(holes), &trees, &count, &err));
    cJSON *values = json_parse(*state, "{\"v\":\"<&\\\"\"}");
    cJSON *slack = tree_fill(*state, trees[0].root, values, TREE_MRKDWN, false, &err);
    assert_string_equal(json_string(slack, "a"), "&lt;&amp;\"");
    assert_string_equal(json_string(slack, "b"), "x &lt;&amp;\" <&\"");
    assert_string_equal(json_string(slack, "c"), "<&\"");
    cJSON *html = tree_fill(*state, trees[0].root, values, TREE_HTML, false, &err);
    assert_string_equal(json_string(html, "a"), "&lt;&amp;&quot;");
}

static void test_an_unknown_hole_is_named_with_its_place_and_the_nearest(void **state)
{
    assert_string_equal(filled(*state, "a: {b: [\"${nods}\"]}", "{\"nodes\":2}"),
                        "! /a/b/0: there is no value named nods; did you mean nodes?");
    assert_string_equal(filled(*state, "a: x ${xyzzy} y", "{\"nodes\":2}"),
                        "! /a: there is no value named xyzzy");
    assert_string_equal(filled(*state, "a: {$if: nods, x: 1}", "{\"nodes\":2}"),
                        "! /a: there is no value named nods; did you mean nodes?");
    assert_string_equal(filled(*state, "a: [{$for: n in nods}]", "{\"nodes\":[]}"),
                        "! /a/0: there is no value named nods; did you mean nodes?");
}

static void test_the_names_of_all_holes(void **state)
{
    static const char holes[] = "a: ${x} and ${raw:y} $${no}\n"
                                "b: [{$for: i in items, $if: i.on, n: \"${i.n}${x}\"}]\n"
                                "c: {$if: \"!z\", d: 1}\n";
    struct tree *trees;
    int count;
    struct error err = {0};
    assert_true(tree_read_text(*state, "t", holes, strlen(holes), &trees, &count, &err));
    assert_string_equal(json_text(*state, tree_holes(*state, trees[0].root)),
                        "[\"x\",\"y\",\"items\",\"z\"]");
}

static const char *holes_of(const void *ctx, const char *yaml)
{
    struct tree *trees;
    int count;
    struct error err = {0};
    assert_true(tree_read_text(ctx, "t", yaml, strlen(yaml), &trees, &count, &err));
    return json_text(ctx, tree_holes(ctx, trees[0].root));
}

/* A $for that says no list binds nothing, and takes away nothing that another one bound. */
static void test_a_loop_that_is_none_binds_nothing(void **state)
{
    assert_string_equal(holes_of(*state, "a: [{$for: choice, n: \"${x}\"}]"), "[\"x\"]");
    assert_string_equal(
        holes_of(*state, "a: [{$for: i in items, b: [{$for: choice}], c: \"${i.n}${x}\"}]"),
        "[\"items\",\"x\"]");
    char *deep = talloc_strdup(*state, "a: ");
    for (int i = 0; i < 20; i++)
        deep = talloc_asprintf_append(deep, "[{$for: i%d in items, b: ", i);
    deep = talloc_strdup_append(deep, "\"${i0}${i14}\"");
    for (int i = 0; i < 20; i++)
        deep = talloc_strdup_append(deep, "}]");
    assert_string_equal(holes_of(*state, deep), "[\"items\"]");
}

static void test_yaml_is_read_strictly_and_by_line(void **state)
{
    static const struct {
        const char *text, *sentence;
    } table[] = {
        {"a: 1\na: 2\n", "! t.yaml:2: a stands here twice"},
        {"a: !!binary x\n", "! t.yaml:1: tags (!…) are not used here"},
        {"a: &x {b: 1}\nc:\n  <<: *x\n", "! t.yaml:3: merge keys (<<) are not used here"},
        {"? [a]\n: b\n", "! t.yaml:1: a key must be a single word or text"},
        {"a: \"x\\0y\"\n", "! t.yaml:1: a text holds a zero byte"},
        {"a: &x [*x]\n", "! t.yaml:1: too large or too deeply nested"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(filled(*state, table[i].text, "{}"), table[i].sentence);
    assert_non_null(strstr(filled(*state, "a: 1\nb: [\n", "{}"), "! t.yaml:3: this is not YAML"));

    static const char text[] = "a: 1\nb:\n  c: [x,\n    y]\n";
    struct tree *trees;
    int count;
    struct error err = {0};
    assert_true(tree_read_text(*state, "t", text, strlen(text), &trees, &count, &err));
    assert_int_equal(tree_line(&trees[0], json_at(trees[0].root, "b")), 2);
    assert_int_equal(tree_line(&trees[0], json_at(trees[0].root, "b.c")), 3);
    assert_int_equal(tree_line(&trees[0], json_at(trees[0].root, "b.c.1")), 4);
    assert_int_equal(tree_line(&trees[0], json_parse(*state, "1")), 0);
}

static void test_a_document_that_unfolds_without_end_is_refused(void **state)
{
    char *text = talloc_strdup(*state, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++)
        text = talloc_asprintf_append(text, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i,
                                      i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    assert_non_null(strstr(filled(*state, text, "{}"), "too large or too deeply nested"));
}

static void test_plain_words_have_the_types_of_yaml_1_2(void **state)
{
    assert_string_equal(
        filled(*state,
               "[yes, on, ~, null, True, 12, -3, 0x10, 0o17, 012, 1.5, 1e3, .5, \"1\", 1.30.1]",
               "{}"),
        "[\"yes\",\"on\",null,null,true,12,-3,16,15,12,1.5,1000,0.5,\"1\",\"1.30.1\"]");
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
        cmocka_unit_test_setup_teardown(test_holes_become_values_of_their_own_type, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_if_keeps_what_is_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_for_repeats_an_item, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_value_changes_the_shape_of_a_document, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_escapes_follow_where_text_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_an_unknown_hole_is_named_with_its_place_and_the_nearest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_names_of_all_holes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_loop_that_is_none_binds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_yaml_is_read_strictly_and_by_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_document_that_unfolds_without_end_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_plain_words_have_the_types_of_yaml_1_2, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
