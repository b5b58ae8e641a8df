/* Envelopes: what Slack sends is read whole, what it never sends harms nobody. */
#include "slack/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void *ctx;
static struct error err;

static int setup(void **unused)
{
    (void)unused;
    ctx = talloc_new(NULL);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    return talloc_free(ctx);
}

static struct envelope *read_text(const char *text)
{
    struct envelope *out = NULL;
    if (!envelope_read(ctx, text, strlen(text), &out, &err))
        fail_msg("%s", err.text);
    return out;
}

/* A frame of that type around a payload. */
static char *frame(const char *type, const char *payload)
{
    return talloc_asprintf(ctx, "{\"type\":\"%s\",\"envelope_id\":\"e-1\",\"payload\":%s}", type,
                           payload);
}

static void refused(const char *type, const char *payload)
{
    struct envelope *out = NULL;
    const char *text = frame(type, payload);
    err.text[0] = '\0';
    if (envelope_read(ctx, text, strlen(text), &out, &err))
        fail_msg("taken: %s", text);
    assert_non_null(out); /* it can be acked */
    assert_string_equal(out->envelope_id, "e-1");
    assert_true(*err.text);
}

static void test_a_slash_command_is_read(void **unused)
{
    (void)unused;
    const struct envelope *e = read_text(
        "{\"type\":\"slash_commands\",\"envelope_id\":\"1d3c\",\"accepts_response_payload\":true,"
        "\"payload\":{\"token\":\"x\",\"team_id\":\"T1\",\"team_domain\":\"acme\","
        "\"enterprise_id\":\"E1\",\"channel_id\":\"C1\",\"user_id\":\"U1\",\"user_name\":\"dev\","
        "\"command\":\"/env\",\"text\":\" create \\u201csmall\\u201d &lt;x&gt; \","
        "\"is_enterprise_install\":\"false\",\"api_app_id\":\"A1\","
        "\"response_url\":\"https://x/r\",\"trigger_id\":\"1.2.ab\"}}");
    assert_int_equal(e->type, ENVELOPE_COMMAND);
    assert_string_equal(e->type_name, "slash_commands");
    assert_string_equal(e->envelope_id, "1d3c");
    assert_string_equal(e->key, "1.2.ab");
    assert_true(e->takes_payload);
    assert_string_equal(e->workspace, "T1");
    assert_string_equal(e->user_workspace, "T1");
    assert_string_equal(e->enterprise, "E1");
    assert_string_equal(e->user, "U1");
    assert_string_equal(e->user_name, "dev");
    assert_string_equal(e->channel, "C1");
    assert_string_equal(e->command, "/env");
    assert_string_equal(e->text, " create “small” &lt;x&gt; ");
    assert_string_equal(e->response_url, "https://x/r");
    assert_string_equal(e->trigger_id, "1.2.ab");
    assert_string_equal(e->action_id, "");
    assert_null(e->state);
}

static void test_a_click_in_a_thread_is_read(void **unused)
{
    (void)unused;
    const struct envelope *e = read_text(frame(
        "interactive",
        "{\"type\":\"block_actions\",\"user\":{\"id\":\"U1\",\"username\":\"a\",\"team_id\":\"T2\"}"
        ","
        "\"team\":{\"id\":\"T1\",\"domain\":\"acme\"},\"enterprise\":null,\"trigger_id\":\"3.4."
        "cd\","
        "\"container\":{\"type\":\"message\",\"message_ts\":\"17.1\",\"channel_id\":\"C1\","
        "\"thread_ts\":\"16.1\",\"is_ephemeral\":true},\"channel\":{\"id\":\"C1\",\"name\":\"x\"},"
        "\"response_url\":\"https://x/r\",\"actions\":[{\"type\":\"button\",\"action_id\":"
        "\"approve\",\"block_id\":\"b\",\"value\":\"7.2\",\"text\":{\"type\":\"plain_text\"}}]}"));
    assert_int_equal(e->type, ENVELOPE_ACTION);
    assert_string_equal(e->type_name, "block_actions");
    assert_false(e->takes_payload);
    assert_string_equal(e->workspace, "T1");
    assert_string_equal(e->user_workspace, "T2");
    assert_string_equal(e->channel, "C1");
    assert_string_equal(e->action_id, "approve");
    assert_string_equal(e->block_id, "b");
    assert_string_equal(e->value, "7.2");
    assert_string_equal(e->message_ts, "17.1");
    assert_string_equal(e->thread_ts, "16.1");
    assert_true(e->ephemeral);
    assert_string_equal(e->key, "3.4.cd");
}

static void test_an_org_wide_click_has_no_team(void **unused)
{
    (void)unused;
    const struct envelope *e = read_text(frame(
        "interactive", "{\"type\":\"block_actions\",\"user\":{\"id\":\"W1\",\"team_id\":\"T2\"},"
                       "\"team\":null,\"enterprise\":{\"id\":\"E9\",\"name\":\"x\"},"
                       "\"is_enterprise_install\":true,\"actions\":[{\"action_id\":\"logs\"}]}"));
    assert_string_equal(e->workspace, "");
    assert_string_equal(e->user_workspace, "T2");
    assert_string_equal(e->enterprise, "E9");
    assert_string_equal(e->key, "e-1"); /* no trigger: the envelope's own id */
}

static void test_a_modal_is_read(void **unused)
{
    (void)unused;
    const struct envelope *e = read_text(frame(
        "interactive",
        "{\"type\":\"view_submission\",\"user\":{\"id\":\"U1\",\"team_id\":\"T1\"},\"team\":{"
        "\"id\":"
        "\"T1\"},\"trigger_id\":\"5.6.ef\",\"view\":{\"id\":\"V1\",\"callback_id\":\"create\","
        "\"private_metadata\":\"{}\",\"hash\":\"h.1\",\"state\":{\"values\":{"
        "\"name\":{\"v\":{\"type\":\"plain_text_input\",\"value\":\"demo\"}},"
        "\"empty\":{\"v\":{\"type\":\"plain_text_input\",\"value\":null}},"
        "\"param.nodes\":{\"v.x\":{\"type\":\"static_select\",\"selected_option\":{\"text\":{},"
        "\"value\":\"3\"}}},"
        "\"none\":{\"v\":{\"type\":\"static_select\",\"selected_option\":null}},"
        "\"boxes\":{\"v\":{\"type\":\"checkboxes\",\"selected_options\":[{\"value\":\"spot\"}]}},"
        "\"when\":{\"v\":{\"type\":\"datepicker\",\"selected_date\":\"2026-12-01\"}}}}},"
        "\"response_urls\":[]}"));
    assert_int_equal(e->type, ENVELOPE_SUBMISSION);
    assert_string_equal(e->view_id, "V1");
    assert_string_equal(e->callback_id, "create");
    assert_string_equal(e->private_metadata, "{}");
    assert_string_equal(e->view_hash, "h.1");
    assert_string_equal(e->channel, "");
    assert_string_equal(envelope_input(e, "name", "v"), "demo");
    assert_string_equal(envelope_input(e, "param.nodes", "v.x"), "3");
    assert_string_equal(envelope_input(e, "boxes", "v"), "spot");
    assert_string_equal(envelope_input(e, "when", "v"), "2026-12-01");
    assert_null(envelope_input(e, "empty", "v"));
    assert_null(envelope_input(e, "none", "v"));
    assert_null(envelope_input(e, "name", "other"));
    assert_null(envelope_input(e, "other", "v"));
}

static void test_a_menu_inside_a_view_is_an_action(void **unused)
{
    (void)unused;
    const struct envelope *e = read_text(frame(
        "interactive",
        "{\"type\":\"block_actions\",\"user\":{\"id\":\"U1\",\"team_id\":\"T1\"},\"container\":{"
        "\"type\":\"view\",\"view_id\":\"V1\"},\"view\":{\"id\":\"V1\",\"callback_id\":\"create\","
        "\"state\":{\"values\":{\"t\":{\"template\":{\"selected_option\":{\"value\":\"gpu\"}}}}}},"
        "\"actions\":[{\"type\":\"static_select\",\"action_id\":\"template\",\"block_id\":\"t\","
        "\"selected_option\":{\"text\":{},\"value\":\"gpu\"}}]}"));
    assert_int_equal(e->type, ENVELOPE_ACTION);
    assert_string_equal(e->value, "gpu");
    assert_string_equal(e->view_id, "V1");
    assert_string_equal(e->callback_id, "create");
    assert_string_equal(envelope_input(e, "t", "template"), "gpu");
}

static void test_an_event_is_told_by_its_event_id(void **unused)
{
    (void)unused;
    const struct envelope *e = read_text(
        "{\"type\":\"events_api\",\"envelope_id\":\"e-2\",\"retry_attempt\":2,\"payload\":{"
        "\"type\":\"event_callback\",\"team_id\":\"T1\",\"event_id\":\"Ev1\",\"event\":{"
        "\"type\":\"app_home_opened\",\"user\":\"U1\",\"channel\":\"D1\"}}}");
    assert_int_equal(e->type, ENVELOPE_EVENT);
    assert_string_equal(e->key, "Ev1");
    assert_int_equal(e->retry_attempt, 2);
    assert_string_equal(e->event_type, "app_home_opened");
    assert_string_equal(e->user, "U1");
    assert_string_equal(e->user_workspace, "T1");
}

static void test_in_a_shared_channel_the_actor_has_their_own_workspace(void **unused)
{
    (void)unused;
    const struct envelope *e = read_text(
        frame("events_api", "{\"type\":\"event_callback\",\"team_id\":\"T1\",\"event_id\":\"Ev1\","
                            "\"is_ext_shared_channel\":true,\"event\":{\"type\":\"app_mention\","
                            "\"user\":\"U1\",\"user_team\":\"E7\",\"team\":\"T7\"}}"));
    assert_string_equal(e->user_workspace, "E7");
    assert_string_equal(e->workspace, "T1");
}

static void test_an_event_may_hold_the_person_as_an_object(void **unused)
{
    (void)unused;
    const struct envelope *e = read_text(
        frame("events_api", "{\"type\":\"event_callback\",\"team_id\":\"T1\",\"event_id\":\"Ev1\","
                            "\"event\":{\"type\":\"user_change\",\"user\":{\"id\":\"U5\"}}}"));
    assert_string_equal(e->user, "U5");
}

static void test_app_rate_limited_has_no_event(void **unused)
{
    (void)unused;
    const struct envelope *e =
        read_text(frame("events_api", "{\"type\":\"app_rate_limited\",\"team_id\":\"T1\","
                                      "\"minute_rate_limited\":1518467820,\"api_app_id\":\"A1\"}"));
    assert_int_equal(e->type, ENVELOPE_EVENT);
    assert_null(e->event);
    assert_string_equal(e->event_type, "app_rate_limited");
}

static void test_what_is_not_known_is_left_alone(void **unused)
{
    (void)unused;
    assert_int_equal(read_text(frame("workflow_things", "[1,2]"))->type, ENVELOPE_OTHER);
    const struct envelope *e = read_text(frame("interactive", "{\"type\":\"shortcut\"}"));
    assert_int_equal(e->type, ENVELOPE_OTHER);
    assert_string_equal(e->type_name, "shortcut");
}

static void test_hello_and_disconnect_have_no_envelope_id(void **unused)
{
    (void)unused;
    static const char *const frames[] = {
        "{\"type\":\"hello\",\"num_connections\":1}",
        "{\"type\":\"disconnect\",\"reason\":\"warning\",\"envelope_id\":null}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct envelope_raw *raw = envelope_frame(ctx, frames[i], strlen(frames[i]), &err);
        assert_non_null(raw);
        assert_string_equal(raw->envelope_id, "");
    }
}

static void test_malformed_payloads_are_refused_but_can_be_acked(void **unused)
{
    (void)unused;
    refused("slash_commands", "null");
    refused("slash_commands", "[]");
    refused("slash_commands", "\"text\"");
    refused("slash_commands", "{}");
    refused("slash_commands", "{\"user_id\":\"U1\"}");
    refused("slash_commands", "{\"user_id\":7,\"command\":\"/env\"}");
    refused("slash_commands", "{\"user_id\":\"U1\",\"command\":\"/env\",\"text\":[\"a\"]}");
    refused("slash_commands", "{\"user_id\":\"U1'; DROP\",\"command\":\"/env\"}");
    refused("slash_commands", "{\"user_id\":\"u1\",\"command\":\"/env\"}");
    refused("slash_commands", "{\"user_id\":\"U\",\"command\":\"/env\"}");
    refused("slash_commands", "{\"user_id\":\"U1\",\"command\":\"/env\",\"team_id\":\"X1\"}");
    refused("slash_commands", "{\"user_id\":\"U1\",\"command\":\"/env\",\"channel_id\":\"../x\"}");
    refused("interactive", "{\"type\":\"block_actions\"}");
    refused("interactive", "{\"type\":\"block_actions\",\"user\":\"U1\"}");
    refused("interactive", "{\"type\":\"block_actions\",\"user\":{\"id\":\"U1\"},\"actions\":[]}");
    refused("interactive", "{\"type\":\"block_actions\",\"user\":{\"id\":\"U1\"},\"actions\":{}}");
    refused("interactive", "{\"type\":\"block_actions\",\"user\":{\"id\":\"U1\"},\"actions\":[7]}");
    refused("interactive", "{\"type\":\"view_submission\",\"user\":{\"id\":\"U1\"}}");
    refused("interactive", "{\"type\":\"view_submission\",\"user\":{\"id\":\"U1\"},"
                           "\"view\":{\"id\":\"V1\",\"state\":{\"values\":[]}}}");
    refused("events_api", "{\"type\":\"event_callback\",\"event\":\"x\"}");
    refused("events_api", "{\"type\":\"event_callback\",\"event\":{\"type\":5}}");
    char *id = talloc_zero_size(ctx, 300);
    memset(id, '7', 299);
    refused("slash_commands", talloc_asprintf(ctx,
                                              "{\"user_id\":\"U1\",\"command\":\"/env\","
                                              "\"trigger_id\":\"%s\"}",
                                              id));
}

static void test_what_cannot_be_acked_is_no_envelope(void **unused)
{
    (void)unused;
    static const char *const frames[] = {
        "",
        "{",
        "nonsense",
        "[]",
        "7",
        "null",
        "\"x\"",
        "{\"type\":\"slash_commands\",\"payload\":{}}",
        "{\"type\":\"slash_commands\",\"envelope_id\":7,\"payload\":{}}",
        "{\"type\":\"slash_commands\",\"envelope_id\":\"a\\\"b\",\"payload\":{}}",
        "{\"type\":\"slash_commands\",\"envelope_id\":\"a\\nb\",\"payload\":{}}",
        "{\"type\":\"slash_commands\",\"envelope_id\":\"\",\"payload\":{}}",
        "{\"type\":\"x\xff\"}",
        "{\"type\":\"x\xed\xa0\x80\"}",
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct envelope *out = (struct envelope *)&err;
        if (envelope_read(ctx, frames[i], strlen(frames[i]), &out, &err))
            fail_msg("taken: %s", frames[i]);
        assert_null(out);
    }
    assert_null(envelope_frame(ctx, "{\"type\":\"a\0b\"}", 14, &err));
}

static void test_deep_nesting_is_refused(void **unused)
{
    (void)unused;
    char *deep = talloc_zero_size(ctx, 200001);
    memset(deep, '[', 200000);
    assert_null(envelope_frame(ctx, deep, 200000, &err));
}

static const char *text_of(const char *escaped)
{
    return read_text(
               frame("slash_commands", talloc_asprintf(ctx,
                                                       "{\"user_id\":\"U1\",\"command\":\"/env\","
                                                       "\"text\":\"%s\"}",
                                                       escaped)))
        ->text;
}

static void test_what_c_and_postgresql_cannot_hold_is_replaced(void **unused)
{
    (void)unused;
    assert_string_equal(text_of("a\\u0000b"), "a\xEF\xBF\xBD"
                                              "b");
    assert_string_equal(text_of("\\ud83d"), "\xEF\xBF\xBD");
    assert_string_equal(text_of("\\udc00x"), "\xEF\xBF\xBDx");
    assert_string_equal(text_of("\\ud83d\\ud83d\\ude00"), "\xEF\xBF\xBD\xF0\x9F\x98\x80");
    assert_string_equal(text_of("\\ud83d\\ude00"), "\xF0\x9F\x98\x80");
    assert_string_equal(text_of("\\\\u0000"), "\\u0000"); /* an escaped backslash, then letters */
    assert_string_equal(text_of("\\\\\\u0000"), "\\\xEF\xBF\xBD");
    assert_string_equal(text_of("\\u00e9\\u0041"), "éA");
}

static void test_cut_and_mutilated_frames_never_crash(void **unused)
{
    (void)unused;
    const char *whole =
        frame("interactive",
              "{\"type\":\"block_actions\",\"user\":{\"id\":\"U1\",\"team_id\":\"T2\"},"
              "\"team\":{\"id\":\"T1\"},\"trigger_id\":\"3.4\\ud83d\\ude00\\u0000\","
              "\"actions\":[{\"action_id\":\"a\",\"value\":\"\\u00e9\"}],\"x\":[{},[1e9]]}");
    size_t length = strlen(whole);
    srand(1);
    for (size_t cut = 0; cut <= length; cut++) {
        /* a copy of its own, so that valgrind and ASan see a read past its end */
        char *part = malloc(cut ? cut : 1);
        memcpy(part, whole, cut);
        struct envelope *out;
        envelope_read(ctx, part, cut, &out, &err);
        for (int i = 0; cut && i < 20; i++) {
            part[(size_t)rand() % cut] = (char)(rand() % 256);
            envelope_read(ctx, part, cut, &out, &err);
        }
        free(part);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_slash_command_is_read),
        TEST(test_a_click_in_a_thread_is_read),
        TEST(test_an_org_wide_click_has_no_team),
        TEST(test_a_modal_is_read),
        TEST(test_a_menu_inside_a_view_is_an_action),
        TEST(test_an_event_is_told_by_its_event_id),
        TEST(test_in_a_shared_channel_the_actor_has_their_own_workspace),
        TEST(test_an_event_may_hold_the_person_as_an_object),
        TEST(test_app_rate_limited_has_no_event),
        TEST(test_what_is_not_known_is_left_alone),
        TEST(test_hello_and_disconnect_have_no_envelope_id),
        TEST(test_malformed_payloads_are_refused_but_can_be_acked),
        TEST(test_what_cannot_be_acked_is_no_envelope),
        TEST(test_deep_nesting_is_refused),
        TEST(test_what_c_and_postgresql_cannot_hold_is_replaced),
        TEST(test_cut_and_mutilated_frames_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
