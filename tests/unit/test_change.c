/* What a change is to reach, and the next step to it, told from the node groups as they are. */
#include "jobs/change.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static struct goal goal_from(const char *groups)
{
    cJSON *list = cJSON_Parse(groups), *config = cJSON_CreateObject();
    static char names[4][16];
    json_set(config, "managedNodeGroups", list);
    struct goal goal = goal_of(config);
    for (int i = 0; i < goal.count; i++) {
        strncpy(names[i], goal.groups[i].name, sizeof names[i] - 1);
        goal.groups[i].name = names[i];
    }
    cJSON_Delete(config);
    return goal;
}

static void test_a_goal_has_the_sizes_that_eksctl_makes_of_the_configuration(void **unused)
{
    (void)unused;
    static const struct {
        const char *group;
        struct eksctl_size size;
    } table[] = {
        {"[{\"name\": \"a\"}]", {2, 2, 2}},
        {"[{\"name\": \"a\", \"desiredCapacity\": 3}]", {3, 3, 3}},
        {"[{\"name\": \"a\", \"desiredCapacity\": 3, \"minSize\": 1, \"maxSize\": 6}]", {3, 1, 6}},
        {"[{\"name\": \"a\", \"minSize\": 4}]", {4, 4, 4}},
        {"[{\"name\": \"a\", \"desiredCapacity\": 0}]", {0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct goal goal = goal_from(table[i].group);
        assert_int_equal(goal.count, 1);
        assert_int_equal(goal.groups[0].size.desired, table[i].size.desired);
        assert_int_equal(goal.groups[0].size.least, table[i].size.least);
        assert_int_equal(goal.groups[0].size.most, table[i].size.most);
    }
    struct goal asleep = goal_from(table[2].group);
    asleep = goal_asleep(&asleep);
    assert_int_equal(asleep.groups[0].size.desired, 0);
    assert_int_equal(asleep.groups[0].size.least, 0);
    assert_int_equal(asleep.groups[0].size.most, 1);
}

#define GROUP(name, status, desired)                                                               \
    "{\"Name\": \"" name "\", \"Status\": \"" status "\", \"DesiredCapacity\": " #desired          \
    ", \"MinSize\": " #desired ", \"MaxSize\": " #desired "}"

static void test_each_state_of_the_groups_says_what_comes_next(void **unused)
{
    (void)unused;
    struct goal goal = goal_from("[{\"name\": \"a\"}, {\"name\": \"b\", \"desiredCapacity\": 3}]");
    static const struct {
        const char *groups;
        enum seen seen;
        const char *next; /* the group that is scaled */
    } table[] = {
        {"[" GROUP("a", "ACTIVE", 2) "," GROUP("b", "ACTIVE", 3) "]", SEEN_COMPLETE, NULL},
        {"[" GROUP("b", "ACTIVE", 3) "," GROUP("a", "ACTIVE", 2) "]", SEEN_COMPLETE, NULL},
        {"[" GROUP("a", "ACTIVE", 1) "," GROUP("b", "ACTIVE", 1) "]", SEEN_OTHER, "a"},
        {"[" GROUP("a", "ACTIVE", 2) "," GROUP("b", "ACTIVE", 1) "]", SEEN_OTHER, "b"},
        {"[" GROUP("a", "DEGRADED", 2) "," GROUP("b", "ACTIVE", 3) "]", SEEN_OTHER, "a"},
        {"[" GROUP("a", "ACTIVE", 1) "," GROUP("b", "UPDATING", 3) "]", SEEN_IN_PROGRESS, NULL},
        {"[" GROUP("a", "CREATING", 2) "," GROUP("b", "ACTIVE", 3) "]", SEEN_IN_PROGRESS, NULL},
        {"[" GROUP("a", "ACTIVE", 2) "]", SEEN_NO_GROUPS, NULL},
        {"[]", SEEN_NO_GROUPS, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cJSON *groups = cJSON_Parse(table[i].groups);
        struct change_step step;
        struct there there = {"1.33", groups};
        assert_int_equal(change_judge(&goal, &there, &step), table[i].seen);
        if (table[i].next)
            assert_string_equal(step.group, table[i].next);
        else
            assert_null(step.verb);
        cJSON_Delete(groups);
    }
}

#define NODES(name, status, version)                                                               \
    "{\"Name\": \"" name "\", \"Status\": \"" status "\", \"Version\": \"" version "\"}"

static void test_an_upgrade_begins_with_the_control_plane_and_ends_with_the_last_group(
    void **unused)
{
    (void)unused;
    struct goal goal = goal_from("[{\"name\": \"a\"}, {\"name\": \"b\"}]"), before = goal;
    goal.version = "1.34";
    before.version = "1.33";
    static const struct {
        const char *version, *groups;
        enum seen seen;
        const char *verb, *group;
        enum change_seen end;
    } table[] = {
        {"1.33", "[" NODES("a", "ACTIVE", "1.33") "," NODES("b", "ACTIVE", "1.33") "]", SEEN_OTHER,
         "upgrade cluster", NULL, CHANGE_SEEN_BEFORE},
        {"1.34", "[" NODES("a", "ACTIVE", "1.33") "," NODES("b", "ACTIVE", "1.33") "]", SEEN_OTHER,
         "upgrade nodegroup", "a", CHANGE_SEEN_BETWEEN},
        {"1.34", "[" NODES("a", "ACTIVE", "1.34") "," NODES("b", "ACTIVE", "1.33") "]", SEEN_OTHER,
         "upgrade nodegroup", "b", CHANGE_SEEN_BETWEEN},
        {"1.34", "[" NODES("a", "UPDATING", "1.33") "," NODES("b", "ACTIVE", "1.33") "]",
         SEEN_IN_PROGRESS, NULL, NULL, CHANGE_SEEN_BETWEEN},
        {"1.34", "[" NODES("a", "ACTIVE", "1.34") "," NODES("b", "DEGRADED", "1.34") "]",
         SEEN_COMPLETE, NULL, NULL, CHANGE_SEEN_BETWEEN},
        {"1.34", "[" NODES("a", "ACTIVE", "1.34") "]", SEEN_NO_GROUPS, NULL, NULL,
         CHANGE_SEEN_BETWEEN},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cJSON *groups = cJSON_Parse(table[i].groups);
        struct there there = {table[i].version, groups};
        struct change_step step;
        assert_int_equal(change_judge(&goal, &there, &step), table[i].seen);
        if (table[i].verb)
            assert_string_equal(step.verb, table[i].verb);
        else
            assert_null(step.verb);
        if (table[i].group)
            assert_string_equal(step.group, table[i].group);
        assert_int_equal(change_end(&before, &there), table[i].end);
        cJSON_Delete(groups);
    }
}

static void test_the_end_of_a_failed_change_is_what_was_seen(void **unused)
{
    (void)unused;
    struct goal before = goal_from("[{\"name\": \"a\"}, {\"name\": \"b\"}]");
    static const struct {
        const char *groups;
        enum change_seen end;
    } table[] = {
        {"[" GROUP("a", "ACTIVE", 2) "," GROUP("b", "DEGRADED", 2) "]", CHANGE_SEEN_BEFORE},
        {"[" GROUP("a", "ACTIVE", 3) "," GROUP("b", "ACTIVE", 2) "]", CHANGE_SEEN_BETWEEN},
        {"[" GROUP("a", "ACTIVE", 2) "," GROUP("b", "UPDATING", 2) "]", CHANGE_SEEN_BETWEEN},
        {"[" GROUP("a", "ACTIVE", 2) "]", CHANGE_SEEN_BETWEEN},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cJSON *groups = cJSON_Parse(table[i].groups);
        struct there there = {"1.33", groups};
        assert_int_equal(change_end(&before, &there), table[i].end);
        cJSON_Delete(groups);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_goal_has_the_sizes_that_eksctl_makes_of_the_configuration),
        cmocka_unit_test(test_each_state_of_the_groups_says_what_comes_next),
        cmocka_unit_test(
            test_an_upgrade_begins_with_the_control_plane_and_ends_with_the_last_group),
        cmocka_unit_test(test_the_end_of_a_failed_change_is_what_was_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
