/* What is known of people, and the events that keep it true. */
#include "approvals/people_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static const char GROUPS[] = "[{\"id\":\"S1\",\"handle\":\"approvers\",\"users\":[\"U1\",\"U2\"]},"
                             " {\"id\":\"S2\",\"handle\":\"security\",\"users\":[\"U1\"]}]";

struct world {
    void *ctx;
    struct copy *copy;
    int64_t before;
};

/* Groups and U1 are known, and every change is heard of. */
static struct world world_new(void)
{
    struct world w = {.ctx = talloc_new(NULL)};
    w.copy = copy_new(w.ctx);
    copy_heard(w.copy, true);
    w.before = copy_now();
    assert_true(copy_keep_groups(w.copy, json_parse(w.ctx, GROUPS), w.before));
    assert_true(copy_keep_user(w.copy, "U1", json_parse(w.ctx, "{\"id\":\"U1\"}"), w.before));
    return w;
}

static void change(struct world *w, const char *text)
{
    copy_change(w->copy, json_parse(w->ctx, text));
}

static const char *groups(struct world *w)
{
    const cJSON *all = w->copy->groups;
    char *text = talloc_strdup(w->ctx, "");
    const cJSON *group, *user;
    cJSON_ArrayForEach (group, all) {
        text = talloc_asprintf_append(text, "%s:", json_string(group, "id"));
        cJSON_ArrayForEach (user, json_at(group, "users"))
            text = talloc_asprintf_append(text, "%s ", user->valuestring);
    }
    return text;
}

static void test_events_take_away_and_never_add(void **state)
{
    static const struct {
        const char *change, *left;
    } cases[] = {
        {"{\"group\":\"S1\",\"removed\":[\"U2\",\"U9\"]}", "S1:U1 S2:U1 "},
        {"{\"group\":\"S1\",\"removed\":[]}", "S1:U1 U2 S2:U1 "},
        {"{\"group\":\"S1\",\"users\":[\"U2\",\"U3\"]}", "S1:U2 S2:U1 "},
        {"{\"group\":\"S1\",\"users\":[]}", "S1:S2:U1 "},
        {"{\"group\":\"S1\",\"gone\":true}", "S2:U1 "},
        {"{\"group\":\"S2\",\"handle\":\"approvers\"}", "S1:U1 U2 "},
        {"{\"group\":\"S2\",\"handle\":\"security\"}", "S1:U1 U2 S2:U1 "},
        {"{\"group\":\"S9\",\"users\":[\"U3\"]}", "S1:U1 U2 S2:U1 "},
        {"{\"user\":\"U1\"}", "S1:U1 U2 S2:U1 "},
        {"{}", "S1:U1 U2 S2:U1 "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w = world_new();
        change(&w, cases[i].change);
        assert_string_equal(groups(&w), cases[i].left);
        talloc_free(w.ctx);
    }
}

static void test_an_answer_that_was_asked_for_before_an_event_is_not_believed(void **state)
{
    struct world w = world_new();
    int64_t asked_at = copy_now();
    (void)state;
    change(&w, "{\"group\":\"S1\",\"removed\":[\"U1\"]}");
    assert_false(copy_keep_groups(w.copy, json_parse(w.ctx, GROUPS), asked_at));
    assert_string_equal(groups(&w), "S1:U2 S2:U1 ");
    assert_null(copy_groups(w.ctx, w.copy, w.before)); /* not the whole any more */
    change(&w, "{\"user\":\"U1\"}");
    assert_null(copy_user(w.ctx, w.copy, "U1", w.before));
    assert_false(copy_keep_user(w.copy, "U1", json_parse(w.ctx, "{}"), asked_at));
    assert_null(copy_user(w.ctx, w.copy, "U1", w.before));
    /* somebody of whom nothing was known: the answer is on its way */
    change(&w, "{\"user\":\"U7\"}");
    assert_false(copy_keep_user(w.copy, "U7", json_parse(w.ctx, "{}"), asked_at));
    int64_t later = copy_now() + 1;
    assert_true(copy_keep_user(w.copy, "U7", json_parse(w.ctx, "{}"), later));
    assert_true(copy_keep_groups(w.copy, json_parse(w.ctx, GROUPS), later));
    assert_string_equal(groups(&w), "S1:U1 U2 S2:U1 ");
    assert_non_null(copy_groups(w.ctx, w.copy, w.before));
    talloc_free(w.ctx);
}

static void test_nothing_serves_that_is_too_old_or_from_before_a_gap(void **state)
{
    struct world w = world_new();
    (void)state;
    assert_true(copy_serves_since(w.copy, 60000) <= w.before);
    assert_true(copy_serves_since(w.copy, 0) >= w.before);
    copy_heard(w.copy, false);
    assert_true(copy_serves_since(w.copy, 60000) == INT64_MAX);
    copy_heard(w.copy, true);
    copy_heard(w.copy, true);
    assert_true(copy_serves_since(w.copy, 60000) >= w.before);
    talloc_free(w.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_take_away_and_never_add),
        cmocka_unit_test(test_an_answer_that_was_asked_for_before_an_event_is_not_believed),
        cmocka_unit_test(test_nothing_serves_that_is_too_old_or_from_before_a_gap),
    };
    return cmocka_run_group_tests_name("what is known of people", tests, NULL, NULL);
}
