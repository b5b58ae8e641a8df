/* Templates of environments: what can be asked for, what becomes of it, what it takes. */
#include "lifecycle/template.h"

#include "base/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <talloc.h>
#include <unistd.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static struct template_set *ours(const void *ctx)
{
    struct template_set *set;
    char *problems;
    templates_read(ctx, "templates", &set, &problems);
    assert_string_equal(problems, "");
    return set;
}

/* The values for what was given (JSON), as text; or "! " and the sentence. */
static const char *values_of(const void *ctx, const struct template *t, const char *given)
{
    struct error err = {0};
    cJSON *values = template_values(ctx, t, json_parse(ctx, given), &err);
    return values ? json_text(ctx, values) : talloc_asprintf(ctx, "! %s", err.text);
}

static struct template *made_of(const void *ctx, const char *yaml)
{
    struct tree *trees;
    int count;
    struct error err = {0};
    struct template *t;
    if (!tree_read_text(ctx, "t", yaml, strlen(yaml), &trees, &count, &err))
        fail_msg("%s", err.text);
    assert_true(template_from_json(ctx, "made", trees[0].root, &t, &err));
    return t;
}

static const char sample[] =
    "parameters:\n"
    "  nodes: {type: integer, min: 1, max: 5, default: 2}\n"
    "  instance: {type: choice, choices: [t3.large, m6i.large], default: t3.large}\n"
    "  version: {type: choice, choices: [\"1.34\", \"1.30\"], default: \"1.34\"}\n"
    "  spot: {type: boolean, default: false}\n"
    "  note: {type: string, length: 10, default: \"\"}\n"
    "regions: [eu-west-1]\n";

static void test_values_have_their_types_and_defaults(void **state)
{
    struct template *t = made_of(*state, sample);
    assert_string_equal(
        values_of(*state, t, "{}"),
        "{\"nodes\":2,\"instance\":\"t3.large\",\"version\":\"1.34\",\"spot\":false,"
        "\"note\":\"\"}");
    assert_string_equal(
        values_of(*state, t,
                  "{\"nodes\":\"3\",\"version\":\"1.30\",\"spot\":\"yes\",\"note\":\"a: ${b}\"}"),
        "{\"nodes\":3,\"instance\":\"t3.large\",\"version\":\"1.30\",\"spot\":true,"
        "\"note\":\"a: ${b}\"}");
}

static void test_the_installations_limits_bound_a_templates_times(void **state)
{
    static const struct {
        const char *ttl;
        int64_t usual, most, ceiling;
    } table[] = {
        {"{}", 8, 72, 72},
        {"{max: 4h}", 4, 4, 4},
        {"{default: 2h}", 2, 2, 2},
        {"{default: 1d, max: 2d, ceiling: 14d}", 24, 48, 336},
        {"{default: 5d, max: 10d, ceiling: 14d}", 72, 72, 336},
    };
    const struct template_limits before = template_limits;
    template_limits = (struct template_limits){.default_ttl = 8 * 3600, .max_ttl = 72 * 3600};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct template *t =
            made_of(*state, talloc_asprintf(*state, "regions: [r]\nttl: %s\n", table[i].ttl));
        assert_int_equal(t->ttl_default, table[i].usual * 3600);
        assert_int_equal(t->ttl_max, table[i].most * 3600);
        assert_int_equal(t->ttl_ceiling, table[i].ceiling * 3600);
    }
    template_limits = before;
}

static void test_a_node_group_begins_within_its_own_bounds(void **state)
{
    struct template_set *set = ours(*state);
    const struct template *t = template_find(set, "standard");
    static const char *const given[] = {"{\"nodes\":\"8\",\"most\":\"5\"}",
                                        "{\"nodes\":\"5\",\"most\":\"5\"}"};
    for (int i = 0; i < 2; i++) {
        struct error err = {0};
        struct template_resources resources;
        struct template_target target = {"c", "eu-west-1", json_object(*state), ""};
        cJSON *values = template_values(*state, t, json_parse(*state, given[i]), &err);
        cJSON *config = template_render(*state, t, values, &target, &err);
        bool fits = template_resources(set, config, "eu-west-1", &resources, &err);
        assert_int_equal(fits, i == 1);
        if (!fits)
            assert_string_equal(err.text, "The node group main would begin with 8 nodes, but it "
                                          "has at least 1 and at most 5.");
    }
}

static void test_a_wrong_value_is_answered_with_what_there_is(void **state)
{
    struct template *t = made_of(*state, sample);
    static const struct {
        const char *given, *answer;
    } table[] = {
        {"{\"nodes\":\"0\"}", "! nodes goes from 1 to 5; 0 is outside."},
        {"{\"nodes\":\"6\"}", "! nodes goes from 1 to 5; 6 is outside."},
        {"{\"nodes\":\"-1\"}", "! nodes goes from 1 to 5; -1 is outside."},
        {"{\"nodes\":\"three\"}", "! nodes is a whole number, not “three”."},
        {"{\"nodes\":\"\"}", "! nodes is a whole number, not “”."},
        {"{\"nodes\":\"2.5\"}", "! nodes is a whole number, not “2.5”."},
        {"{\"nodes\":\"0x2\"}", "! nodes is a whole number, not “0x2”."},
        {"{\"nodes\":\"99999999999999999999\"}",
         "! nodes is a whole number, not “99999999999999999999”."},
        {"{\"instance\":\"t3.lage\"}", "! instance cannot be “t3.lage”. Did you mean t3.large? It "
                                       "is one of t3.large or m6i.large."},
        {"{\"version\":\"1.3\"}",
         "! version cannot be “1.3”. Did you mean 1.34? It is one of 1.34 or 1.30."},
        {"{\"spot\":\"maybe\"}", "! spot is yes or no, not “maybe”."},
        {"{\"note\":\"eleven char\"}", "! note is too long: at most 10 characters."},
        {"{\"nods\":\"2\"}",
         "! made has no `nods`. Did you mean `nodes`? It takes nodes, instance, "
         "version, spot and note."},
        {"{\"<!channel>\":\"2\"}", "! made has no `&lt;!channel&gt;`. It takes nodes, instance, "
                                   "version, spot and note."},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(values_of(*state, t, table[i].given), table[i].answer);
}

static void test_what_is_rendered_is_what_was_asked_for(void **state)
{
    struct template_set *set = ours(*state);
    const struct template *small = template_find(set, "small");
    struct error err = {0};
    cJSON *values = template_values(*state, small, json_parse(*state, "{\"nodes\":\"3\"}"), &err);
    struct template_target target = {"payments-demo", "eu-west-1",
                                     template_tags(*state, 7, "payments", "slack:U1", "small"), ""};
    cJSON *config = template_render(*state, small, values, &target, &err);
    assert_string_equal(json_string(config, "metadata.name"), "payments-demo");
    assert_string_equal(json_string(config, "metadata.region"), "eu-west-1");
    assert_int_equal(json_integer(config, "managedNodeGroups.0.desiredCapacity", 0), 3);
    assert_true(cJSON_IsString(json_at(config, "metadata.version")));
    const cJSON *tags = json_at(config, "managedNodeGroups.0.tags");
    assert_string_equal(
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tags, "envbot:environment")), "7");
    assert_null(template_find(set, "smal"));
}

static void test_nodes_gpus_and_prices_are_added_up(void **state)
{
    struct template_set *set = ours(*state);
    set->prices = json_parse(
        *state, "{\"control_plane_usd_hour\":0.1,\"nat_gateway_usd_hour\":0,\"gp3_usd_gb_month\":0,"
                "\"spot_factor\":0.5,\"region_factors\":{\"r\":2},\"other_regions_factor\":1,"
                "\"instance_types\":{\"a.b\":{\"vcpu\":4,\"gpu\":1,\"usd_hour\":1}}}");
    struct template_resources sum;
    struct error err = {0};
    cJSON *config = json_parse(
        *state, "{\"managedNodeGroups\":[{\"instanceType\":\"a.b\",\"desiredCapacity\":3},"
                "{\"instanceTypes\":[\"a.b\"],\"desiredCapacity\":1,\"spot\":true}]}");
    assert_true(template_resources(set, config, "elsewhere", &sum, &err));
    assert_int_equal(sum.nodes, 4);
    assert_int_equal(sum.vcpus, 16);
    assert_int_equal(sum.gpus, 4);
    assert_int_equal((int)(sum.hourly_usd * 1000 + 0.5), 3600);
    assert_int_equal((int)(sum.monthly_usd + 0.5), 2628);
    assert_true(template_resources(set, config, "r", &sum, &err));
    assert_int_equal((int)(sum.hourly_usd * 1000 + 0.5), 7100);
    config = json_parse(*state, "{\"nodeGroups\":[{\"instanceType\":\"x.y\"}]}");
    assert_false(template_resources(set, config, "r", &sum, &err));
    assert_string_equal(err.text, "prices.yaml does not know the instance type x.y; add it there");
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_every_mistake_of_a_template_is_said_with_its_line(void **state)
{
    char folder[] = "/tmp/envbot-templates-XXXXXX", *problems;
    assert_non_null(mkdtemp(folder));
    char *inside = talloc_asprintf(*state, "%s/environments", folder);
    assert_int_equal(mkdir(inside, 0700), 0);
    write_file(folder, "prices.yaml", "instance_types: {}\n");
    write_file(inside, "bad.yaml",
               "titel: Bad\n"
               "parameters:\n"
               "  nodes: {type: integer, min: 1, max: 5, default: 9}\n"
               "  team: {type: string, default: x}\n"
               "  size: {type: number, default: 1}\n"
               "  kind: {type: choice, default: x}\n"
               "  flag: {type: boolean}\n"
               "  zone: {type: choice, choices: [a, b], default: c}\n"
               "  count: {type: integer, default: \"2\"}\n"
               "ttl: {default: 2d, max: 8x, ceiling: 1d}\n"
               "approval: {count: 0, lapse: soon}\n"
               "cluster: {metadata: {name: \"${clustr}\"}}\n"
               "order: first\n");
    write_file(inside, "late.yaml",
               "approval:\n"
               "  lapse: 12h\n"
               "  remind: [4h, 1h, 12h, soon]\n"
               "  escalate: {after: 12h, channel: C0LEADS}\n");
    write_file(inside, "odd.yaml",
               "approval:\n"
               "  remind: 4h\n"
               "  escalate: {after: 4h, chanel: C0LEADS}\n");
    write_file(inside, "shape.yaml",
               "approval:\n"
               "- count: 1\n");
    write_file(inside, "list.yaml",
               "parameters:\n"
               "- nodes: {type: integer, min: 1, max: 5, default: 2}\n");
    write_file(inside, "groups.yaml",
               "parameters: {nodes: {type: integer, default: 2}}\n"
               "approval:\n"
               "  groups: [\"slack:security\"]\n"
               "  self: never\n"
               "  count: 1.5\n"
               "  automatic: {nodes: {max: 1}}\n");
    write_file(inside, "lines.yaml",
               "parameters: {nodes: {type: integer, default: 2}}\n"
               "approval:\n"
               "  groups: {security: 1, \"slack:\": 1, \"slack:few\": 0,\n"
               "    \"slack:many\": \"1\"}\n"
               "  automatic:\n"
               "  - nods: {max: 1}\n"
               "    ttl: {maximum: 2h}\n"
               "  - nodes: [1]\n");
    write_file(inside, "empty.yaml",
               "approval:\n"
               "  groups: {}\n"
               "  automatic: [[{max: 1}]]\n");
    struct template_set *set;
    assert_false(templates_read(*state, folder, &set, &problems));
    static const char *const expected[] = {
        ":1: titel is not a key of this; did you mean title?",
        ":3: the default of nodes: nodes goes from 1 to 5; 9 is outside.",
        ":4: team means something else already: give the parameter another name",
        ":5: the type of size is one of integer, choice, string, boolean",
        ":6: kind needs its choices",
        ":7: flag needs a default",
        ":8: the default of zone: zone cannot be “c”.",
        ":9: the default of count: it is not of the type integer",
        ":10: ttl.max: “8x” is not a length of time",
        ":11: approval.count goes from 1 to 20",
        ":11: approval.lapse is a length of time, like 24h",
        "late.yaml:3: each of approval.remind comes later than the one before it, and all before "
        "approval.lapse\n",
        "late.yaml:3: each of approval.remind is a length of time",
        "late.yaml:4: approval.escalate.after comes before approval.lapse",
        "odd.yaml:2: approval.remind is a list of at most 10 lengths of time",
        "odd.yaml:3: approval.escalate wants both, after and channel",
        "odd.yaml:3: chanel is not a key of this; did you mean channel?",
        "shape.yaml:1: a mapping is wanted here",
        "list.yaml:1: parameters is a mapping",
        "groups.yaml:3: approval.groups says how many of each",
        "groups.yaml:4: approval.self is true or false",
        "groups.yaml:5: approval.count goes from 1 to 20",
        "groups.yaml:6: approval.automatic is a list of conditions",
        "lines.yaml:3: approval.groups: security is no group",
        "lines.yaml:3: approval.groups: slack: is no group",
        "lines.yaml:3: approval.groups: how many of slack:few goes from 1 to 20",
        "lines.yaml:4: approval.groups: how many of slack:many goes from 1 to 20",
        "lines.yaml:6: approval.automatic: nods is neither a parameter nor ttl",
        "lines.yaml:7: maximum is not a key of this",
        "lines.yaml:8: approval.automatic: nodes is a value, or {min",
        "empty.yaml:2: approval.groups says how many of each",
        "empty.yaml:3: approval.automatic is a list of conditions",
        ": regions is missing: a list with at least one",
        ":12: ${clustr} is neither a parameter nor one of cluster, region, tags, role; did you "
        "mean "
        "cluster?",
        ":13: order is a number: the place in the lists",
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (!strstr(problems, expected[i]))
            fail_msg("“%s” is not in\n%s", expected[i], problems);
    static const char *const files[] = {"bad",  "late",   "odd",   "shape",
                                        "list", "groups", "lines", "empty"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove(talloc_asprintf(*state, "%s/%s.yaml", inside, files[i]));
    remove(talloc_asprintf(*state, "%s/prices.yaml", folder));
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(rmdir(folder), 0);
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

static void test_a_copy_that_is_wrong_today_is_read_with_the_usual_times(void **state)
{
    struct template *t = made_of(*state, "ttl: {default: soon, max: 3ig, ceiling: {}}\n");
    assert_int_equal(t->ttl_default, template_limits.default_ttl);
    assert_int_equal(t->ttl_max, t->ttl_default);
    assert_int_equal(t->ttl_ceiling, t->ttl_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values_have_their_types_and_defaults, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_installations_limits_bound_a_templates_times,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_node_group_begins_within_its_own_bounds, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_wrong_value_is_answered_with_what_there_is, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_rendered_is_what_was_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nodes_gpus_and_prices_are_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_mistake_of_a_template_is_said_with_its_line,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_copy_that_is_wrong_today_is_read_with_the_usual_times, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
