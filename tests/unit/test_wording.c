/* Every message and mail can be filled: for each state that says it, with hostile values too. */
#include "lifecycle/wording.h"

#include "base/text.h"
#include "lifecycle/states.h"
#include "lifecycle/view.h"
#include "slack/blocks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static const char *const states[] = {"pending", "queued", "creating",  "ready",  "deleting",
                                     "deleted", "denied", "withdrawn", "lapsed", "failed"};
static const char hostile[] = "<!channel> & \"x\" *b* ${owner} `c`";

static struct wording *read_all(void **state)
{
    struct wording *wording;
    char *problems;
    bool ok = wording_read(*state, "templates", &wording, &problems);
    assert_string_equal(problems, "");
    assert_true(ok);
    return wording;
}

static struct environment sample(const void *ctx, const char *state)
{
    struct environment env = {.id = 12,
                              .team = "payments",
                              .name = "demo",
                              .cluster = "payments-demo",
                              .region = "eu-central-1",
                              .owner_workspace = "T0ACME",
                              .owner_id = "U0DEV",
                              .owner_name = hostile,
                              .owner_mail = "developer@example.com",
                              .template = "small",
                              .reason = hostile,
                              .revision = 1,
                              .ttl_seconds = 28800,
                              .created_at = 1700000000,
                              .now = 1700000100,
                              .nodes = 2,
                              .vcpus = 4,
                              .hourly_usd = 0.31,
                              .monthly_usd = 226};
    env.state = state;
    env.cause = hostile;
    env.template_copy = json_parse(ctx, "{\"title\":\"Small cluster\",\"parameters\":{}}");
    env.parameters = json_parse(ctx, "{\"nodes\":2,\"instance\":\"t3.large\"}");
    if (strcmp(state, "ready") == 0) {
        env.ready_at = env.now;
        env.expires_at = env.now + 28800;
    }
    if (strcmp(state, "creating") == 0)
        env.plan = json_parse(ctx, "{\"title\":\"Creating the cluster\",\"tasks\":[{\"id\":\"vpc\","
                                   "\"title\":\"Network\",\"status\":\"in_progress\"}]}");
    env.tally = json_parse(ctx, "{\"line\":\"x\",\"needed\":\"<@U0APPR>\",\"votes\":[\"<!here>\"],"
                                "\"quota\":{\"before\":\"1\",\"after\":\"2\"},\"decision\":null}");
    return env;
}

/* The words that only some events bring. */
static void add_extras(cJSON *values)
{
    static const char *const plain[] = {"by", "decision_reason", "more", "words", "error", "note"};
    json_set_string(values, "deciders", "<@U0APPR>");
    json_set_string(values, "votes_words", "Waiting for @approvers. Can still decide: <@U0APPR>.");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        json_set_string(values, plain[i], hostile);
    json_set_string(values, "by_mention", "<@U0APPR>");
    json_set_string(values, "who_words", "It can be approved by <@U0APPR>.");
    json_set_string(values, "note_words", " <@U0DEV>, it was reviewed.");
    json_set_string(values, "link_html", "");
    cJSON *change = cJSON_CreateObject();
    json_set_string(change, "from", "1");
    json_set_string(change, "to", "2");
    json_set(values, "change", change);
    json_set_string(values, "answer", hostile);
    json_set_string(values, "wait", "2 min");
    json_set_string(values, "left_behind", "");
    json_set_string(values, "wanted", "");
    json_set_string(values, "cause_line", "AWS::EC2::VPC/VPC: DELETE_FAILED");
    json_set_string(values, "zones_words", "");
}

static void assert_harmless(void **state, const char *name, const cJSON *message)
{
    char *text = json_text(*state, message);
    /* These two ring on purpose, once, before anything that a person wrote. */
    if (strcmp(name, "alarm") == 0 || strcmp(name, "review") == 0)
        text = strstr(text, "<!here>") ? strstr(text, "<!here>") + 1 : text;
    if (strstr(text, "<!channel>") || strstr(text, "<!here>"))
        fail_msg("%s lets a person's words act: %s", name, text);
    if (strstr(text, "$if") || strstr(text, "$for"))
        fail_msg("%s was not filled: %s", name, text);
}

static void test_message_and_card_in_every_state(void **state)
{
    struct wording *wording = read_all(state);
    static const char *const names[] = {"message", "card", "reply-show"};
    for (size_t s = 0; s < sizeof states / sizeof *states; s++) {
        struct environment env = sample(*state, states[s]);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            struct error err = {0};
            cJSON *values = view_of(*state, &env);
            add_extras(values);
            cJSON *message = wording_slack(*state, wording, names[n], values, &err);
            assert_string_equal(err.text, "");
            assert_non_null(message);
            blocks_fit(message);
            assert_true(strlen(json_string_or_empty(message, "text")) > 10);
            assert_true(cJSON_GetArraySize(json_at(message, "blocks")) > 1);
            assert_harmless(state, names[n], message);
        }
    }
}

static void test_every_transition_has_its_words(void **state)
{
    struct wording *wording = read_all(state);
    for (const struct transition *t = transitions; t->from; t++) {
        struct environment env = sample(*state, t->to);
        cJSON *values = view_of(*state, &env);
        add_extras(values);
        const char *const said[] = {t->thread, t->operators};
        for (size_t i = 0; i < 2; i++) {
            struct error err = {0};
            if (!said[i])
                continue;
            cJSON *message = wording_slack(*state, wording, said[i], values, &err);
            assert_string_equal(err.text, "");
            assert_true(strlen(json_string_or_empty(message, "text")) > 10);
            assert_harmless(state, said[i], message);
        }
        struct error err = {0};
        if (!t->mail)
            continue;
        cJSON *mail = wording_mail(*state, wording, t->mail, values, &err);
        assert_string_equal(err.text, "");
        assert_true(strlen(json_string_or_empty(mail, "subject")) > 5);
        assert_true(strlen(json_string_or_empty(mail, "text")) > 40);
        const char *html = json_string_or_empty(mail, "html");
        assert_true(strlen(html) > 40);
        assert_null(strstr(html, "<!channel>"));
        assert_non_null(strstr(html, "&lt;!channel&gt;"));
    }
}

static void test_the_review_rings_until_somebody_has_reviewed_it(void **state)
{
    struct wording *wording = read_all(state);
    for (size_t s = 0; s < 2 * sizeof states / sizeof *states; s++) {
        struct error err = {0};
        struct environment env = sample(*state, states[s / 2]);
        bool reviewed = s % 2;
        env.break_glass = true;
        if (reviewed)
            env.review = json_parse(*state, "{\"word\":\"seen\",\"by\":\"<!channel>\","
                                            "\"mention\":\"<@U0APPR>\",\"at\":1700000050}");
        cJSON *message = wording_slack(*state, wording, "review", view_of(*state, &env), &err);
        assert_string_equal(err.text, "");
        blocks_fit(message);
        assert_harmless(state, "review", message);
        char *text = json_text(*state, message);
        assert_int_equal(strstr(text, "<!here>") != NULL, !reviewed);
        assert_int_equal(strstr(text, "\"action_id\":\"seen\"") != NULL, !reviewed);
    }
}

static void test_buttons_follow_the_state(void **state)
{
    struct wording *wording = read_all(state);
    static const struct {
        const char *state, *name, *action;
        bool there;
    } table[] = {
        {"pending", "card", "approve", true},     {"pending", "card", "deny", true},
        {"denied", "card", "approve", false},     {"queued", "card", "deny", false},
        {"ready", "message", "extend", true},     {"ready", "message", "delete", true},
        {"deleted", "message", "delete", false},  {"creating", "message", "logs", true},
        {"pending", "message", "withdraw", true},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct environment env = sample(*state, table[i].state);
        cJSON *message = wording_slack(*state, wording, table[i].name, view_of(*state, &env), NULL);
        assert_non_null(message);
        char *text = json_text(*state, message);
        char *wanted = talloc_asprintf(*state, "\"action_id\":\"%s\"", table[i].action);
        assert_int_equal(strstr(text, wanted) != NULL, table[i].there);
    }
}

static void test_plain_blocks_say_the_plan(void **state)
{
    struct wording *wording = read_all(state);
    struct environment env = sample(*state, "creating");
    cJSON *message = wording_slack(*state, wording, "message", view_of(*state, &env), NULL);
    assert_non_null(strstr(json_text(*state, message), "\"type\":\"plan\""));
    char *plain = json_text(*state, blocks_plain(*state, message));
    assert_null(strstr(plain, "\"type\":\"plan\""));
    assert_non_null(strstr(plain, "Network"));
}

static void test_long_texts_are_cut_and_empty_ones_left_out(void **state)
{
    char *words = talloc_strdup(*state, "");
    for (int i = 0; i < 500; i++)
        words = talloc_strdup_append(words, "1234567890");
    cJSON *message = json_object(*state);
    json_set_string(message, "text", words);
    json_set(message, "blocks",
             cJSON_Parse("[{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"\"}},"
                         "{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"x\"},"
                         "\"fields\":[{\"type\":\"mrkdwn\",\"text\":\"\"}]}]"));
    cJSON *text =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(json_at(message, "blocks"), 1), "text");
    json_set_string(text, "text", words);
    blocks_fit(message);
    assert_int_equal(text_characters(json_string_or_empty(message, "text")), 3900);
    assert_int_equal(cJSON_GetArraySize(json_at(message, "blocks")), 1);
    assert_int_equal(text_characters(json_string_or_empty(message, "blocks.0.text.text")), 3000);
    assert_null(json_at(message, "blocks.0.fields"));
}

static void test_a_cut_goes_through_no_entity(void **state)
{
    for (int before = 0; before < 6; before++) {
        char *words = talloc_strdup(*state, &"xxxxxx"[before]);
        for (int i = 0; i < 1000; i++)
            words = talloc_strdup_append(words, "&amp;");
        cJSON *message = json_object(*state);
        json_set_string(message, "text", words);
        blocks_fit(message);
        const char *text = json_string_or_empty(message, "text");
        assert_string_equal(strrchr(text, '&'), "&amp;…");
    }
}

static int open_context(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int close_context(void **state)
{
    talloc_free(*state);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_context, close_context)
    const struct CMUnitTest tests[] = {
        TEST(test_message_and_card_in_every_state),
        TEST(test_every_transition_has_its_words),
        TEST(test_the_review_rings_until_somebody_has_reviewed_it),
        TEST(test_buttons_follow_the_state),
        TEST(test_plain_blocks_say_the_plan),
        TEST(test_a_cut_goes_through_no_entity),
        TEST(test_long_texts_are_cut_and_empty_ones_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
