/* Signatures against the known answers of AWS's own test suite for Signature Version 4
   (credentials AKIDEXAMPLE, 2015-08-30 12:36:00 UTC, us-east-1, "service"). */
#include "aws/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static const struct aws_keys keys = {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                     NULL};
static const struct sigv4_scope scope = {&keys, "us-east-1", "service", 1440938160};

static void assert_signature(const struct sigv4_request *request, const char *signature)
{
    void *ctx = talloc_new(NULL);
    const char **headers = sigv4_sign(ctx, &scope, request), *last = NULL;
    while (*headers)
        last = *headers++;
    assert_non_null(last);
    const char *found = strstr(last, "Signature=");
    assert_non_null(found);
    assert_string_equal(found + 10, signature);
    talloc_free(ctx);
}

static const char *const host_only[] = {"Host: example.amazonaws.com", NULL};

static void test_get_vanilla(void **unused)
{
    (void)unused;
    struct sigv4_request request = {.method = "GET", .path = "/", .headers = host_only};
    assert_signature(&request, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static void test_post_vanilla(void **unused)
{
    (void)unused;
    struct sigv4_request request = {.method = "POST", .path = "/", .headers = host_only};
    assert_signature(&request, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

static void test_query_is_sorted(void **unused)
{
    (void)unused;
    struct sigv4_request request = {
        .method = "GET", .path = "/", .query = "Param2=value2&Param1=value1", .headers = host_only};
    assert_signature(&request, "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

static void test_utf8_path(void **unused)
{
    (void)unused;
    struct sigv4_request request = {.method = "GET", .path = "/\xe1\x88\xb4", .headers = host_only};
    assert_signature(&request, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85");
}

static void test_header_values_are_trimmed(void **unused)
{
    (void)unused;
    static const char *const headers[] = {"Host:example.amazonaws.com", "My-Header1: value1",
                                          "My-Header2: \"a   b   c\"", NULL};
    struct sigv4_request request = {.method = "GET", .path = "/", .headers = headers};
    assert_signature(&request, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

static void test_signing_key(void **unused)
{
    (void)unused;
    static const unsigned char known[32] = {0xc4, 0xaf, 0xb1, 0xcc, 0x57, 0x71, 0xd8, 0x71,
                                            0x76, 0x3a, 0x39, 0x3e, 0x44, 0xb7, 0x03, 0x57,
                                            0x1b, 0x55, 0xcc, 0x28, 0x42, 0x4d, 0x1a, 0x5e,
                                            0x86, 0xda, 0x6e, 0xd3, 0xc1, 0x54, 0xa4, 0xb9};
    struct sigv4_scope iam = scope;
    iam.service = "iam";
    unsigned char key[32];
    sigv4_key(&iam, key);
    assert_memory_equal(key, known, sizeof key);
}

static void test_canonical_form(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    static const char *const headers[] = {"X-b:  1", "Host: h:80", "X-B-c: 2 ", NULL};
    struct sigv4_request request = {
        .method = "GET", .path = "/a%20b/c", .query = "b=%2f&a&a=1&B=~%7e+", .headers = headers};
    assert_string_equal(
        sigv4_canonical(ctx, &request),
        "GET\n/a%2520b/c\nB=~~%2B&a=&a=1&b=%2F\nhost:h:80\nx-b:1\nx-b-c:2\n\nhost;x-b;x-b-c\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    talloc_free(ctx);
}

static void test_a_token_is_sent_and_signed(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct aws_keys passing = keys;
    passing.token = "TOKEN";
    struct sigv4_scope session = scope;
    session.keys = &passing;
    struct sigv4_request request = {.method = "GET", .path = "/", .headers = host_only};
    const char **headers = sigv4_sign(ctx, &session, &request);
    assert_string_equal(headers[1], "X-Amz-Date: 20150830T123600Z");
    assert_string_equal(headers[2], "X-Amz-Security-Token: TOKEN");
    assert_non_null(strstr(headers[3], "SignedHeaders=host;x-amz-date;x-amz-security-token,"));
    assert_null(headers[4]);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_vanilla),
        cmocka_unit_test(test_post_vanilla),
        cmocka_unit_test(test_query_is_sorted),
        cmocka_unit_test(test_utf8_path),
        cmocka_unit_test(test_header_values_are_trimmed),
        cmocka_unit_test(test_signing_key),
        cmocka_unit_test(test_canonical_form),
        cmocka_unit_test(test_a_token_is_sent_and_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
