/* AWS's answers are sorted; keys come from where AWS's own SDKs would take them. */
#include "aws/call.h"
#include "aws/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_each_answer_has_its_class(void **unused)
{
    (void)unused;
    static const struct {
        long status;
        const char *error, *message;
        enum aws_class class;
    } table[] = {
        {200, "", "", AWS_OK},
        {429, "TooManyRequestsException", "", AWS_LATER},
        {400, "ThrottlingException", "", AWS_LATER},
        {400, "LimitExceededException", "", AWS_LATER},
        {454, "SomethingNew", "Maximum sending rate exceeded.", AWS_LATER},
        {400, "SomethingNew", "Daily message quota exceeded", AWS_LATER},
        {400, "MessageRejected", "Email address is not verified.", AWS_NEVER},
        {400, "BadRequestException", "", AWS_NEVER},
        {400, "SendingPausedException", "", AWS_STOP},
        {400, "MailFromDomainNotVerifiedException", "", AWS_STOP},
        {403, "SignatureDoesNotMatch", "", AWS_STOP},
        {403, "HTTP 403", "", AWS_STOP},
        {403, "ExpiredTokenException", "", AWS_LATER},
        {500, "InternalServiceError", "", AWS_UNKNOWN},
        {503, "HTTP 503", "", AWS_LATER},
        {504, "HTTP 504", "", AWS_UNKNOWN},
        {400, "SomethingNew", "", AWS_NEVER},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(
            aws_class_name(aws_class_of(table[i].status, table[i].error, table[i].message)),
            aws_class_name(table[i].class));
}

static void test_a_profile_is_read_by_its_section(void **unused)
{
    (void)unused;
    static const char file[] = "[default]\naws_access_key_id=A\naws_secret_access_key = B \n"
                               "# a word\n[other]\naws_access_key_id = C\n"
                               "aws_secret_access_key=D=/+\naws_session_token=E\r\n";
    void *ctx = talloc_new(NULL);
    const char *id, *secret, *token;
    aws_profile_read(ctx, file, "default", &id, &secret, &token);
    assert_string_equal(id, "A");
    assert_string_equal(secret, "B");
    assert_null(token);
    aws_profile_read(ctx, file, "other", &id, &secret, &token);
    assert_string_equal(id, "C");
    assert_string_equal(secret, "D=/+");
    assert_string_equal(token, "E");
    aws_profile_read(ctx, file, "oth", &id, &secret, &token);
    assert_null(id);
    talloc_free(ctx);
}

static void test_times_and_flat_xml_are_read(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    assert_int_equal(aws_time("2015-08-30T12:36:00Z"), 1440938160);
    assert_int_equal(aws_time("2015-08-30T12:36:00.123Z"), 1440938160);
    assert_int_equal(aws_time("soon"), 0);
    assert_int_equal(aws_time(NULL), 0);
    assert_string_equal(aws_xml_text(ctx, "<R><Code>No</Code></R>", "Code"), "No");
    assert_null(aws_xml_text(ctx, "<R><Code>No", "Code"));
    assert_null(aws_xml_text(ctx, NULL, "Code"));
    talloc_free(ctx);
}

static void clear_environment(void)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_ROLE_ARN",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_PROFILE",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "HOME",
                                        "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_CONFIG_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
}

static void test_the_environment_comes_first_and_nothing_is_said_plainly(void **unused)
{
    (void)unused;
    clear_environment();
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    struct aws_credentials *c = aws_credentials_new(ctx, http_client_new(ctx), "eu-central-1", "");
    assert_null(aws_credentials_get(c, &err));
    assert_int_equal(err.code, ERROR_CONFIG);

    char path[] = "/tmp/envbot-profile-XXXXXX";
    int fd = mkstemp(path);
    static const char file[] = "[work]\naws_access_key_id=A\naws_secret_access_key=B\n";
    assert_int_equal(write(fd, file, strlen(file)), (ssize_t)strlen(file));
    close(fd);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    setenv("AWS_PROFILE", "work", 1);
    const struct aws_keys *keys = aws_credentials_get(c, &err);
    assert_non_null(keys);
    assert_string_equal(keys->id, "A");

    setenv("AWS_ACCESS_KEY_ID", "E", 1);
    aws_credentials_forget(c);
    assert_null(aws_credentials_get(c, &err)); /* half a pair is a mistake, not "not here" */
    assert_int_equal(err.code, ERROR_CONFIG);
    setenv("AWS_SECRET_ACCESS_KEY", "F", 1);
    keys = aws_credentials_get(c, &err);
    assert_non_null(keys);
    assert_string_equal(keys->id, "E");
    unlink(path);
    clear_environment();
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_answer_has_its_class),
        cmocka_unit_test(test_a_profile_is_read_by_its_section),
        cmocka_unit_test(test_times_and_flat_xml_are_read),
        cmocka_unit_test(test_the_environment_comes_first_and_nothing_is_said_plainly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
