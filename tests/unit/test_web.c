/* Slack's errors are sorted and arguments are encoded as Slack wants them. */
#include "slack/web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_each_error_name_has_its_class(void **unused)
{
    (void)unused;
    static const struct {
        const char *name;
        enum slack_class class;
    } table[] = {
        {"ratelimited", SLACK_LATER},
        {"rate_limited", SLACK_LATER},
        {"streaming_state_conflict", SLACK_LATER},
        {"fatal_error", SLACK_UNKNOWN},
        {"internal_error", SLACK_UNKNOWN},
        {"channel_not_found", SLACK_DESTINATION},
        {"is_archived", SLACK_DESTINATION},
        {"restricted_action", SLACK_DESTINATION},
        {"restricted_action_read_only_channel", SLACK_DESTINATION},
        {"push_limit_reached", SLACK_DESTINATION},
        {"invalid_auth", SLACK_STOP},
        {"missing_scope", SLACK_STOP},
        {"insecure_request", SLACK_STOP},
        {"invalid_blocks", SLACK_OURS},
        {"invalid_arguments", SLACK_OURS},
        {"channel_not", SLACK_OURS},
        {"not_found_channel", SLACK_OURS},
        {"a name of next year", SLACK_OURS},
        {"", SLACK_OURS},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(slack_class_name(slack_class_of(table[i].name)),
                            slack_class_name(table[i].class));
}

static void test_a_form_carries_structures_as_json_text(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    cJSON *arguments = json_parse(ctx, "{\"user\":\"U1 & co\",\"limit\":200,\"include\":true,"
                                       "\"none\":null,\"blocks\":[{\"type\":\"divider\"}]}");
    assert_string_equal(slack_form(ctx, arguments),
                        "user=U1%20%26%20co&limit=200&include=true&"
                        "blocks=%5B%7B%22type%22%3A%22divider%22%7D%5D");
    assert_string_equal(slack_form(ctx, NULL), "");
    talloc_free(ctx);
}

static void test_nobody_there_is_later(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct slack_web *web = slack_web_new(ctx, "http://127.0.0.1:9/api/", "xoxb-1-test");
    struct slack_answer answer;
    struct error err = {0};
    assert_false(slack_call(ctx, web, "chat.postMessage", NULL, &answer, &err));
    assert_int_equal(answer.class, SLACK_LATER);
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    assert_null(strstr(err.text, "xoxb"));
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_error_name_has_its_class),
        cmocka_unit_test(test_a_form_carries_structures_as_json_text),
        cmocka_unit_test(test_nobody_there_is_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
