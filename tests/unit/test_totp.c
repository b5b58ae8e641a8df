/* One-time codes against the vectors of RFC 6238 and RFC 4648, and what keeps their secrets. */
#include "approvals/totp.h"

#include "base/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static const uint8_t SECRET[] = "12345678901234567890";

/* RFC 6238, Appendix B, the column of SHA-1. */
static void test_codes_are_those_of_the_rfc(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *code;
    } table[] = {
        {59, "94287082"},         {1111111109, "07081804"}, {1111111111, "14050471"},
        {1234567890, "89005924"}, {2000000000, "69279037"}, {20000000000, "65353130"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char code[9];
        totp_code(SECRET, 20, table[i].seconds / TOTP_STEP, 8, code);
        assert_string_equal(code, table[i].code);
        totp_code(SECRET, 20, table[i].seconds / TOTP_STEP, 6, code);
        assert_string_equal(code, table[i].code + 2);
    }
}

static void test_a_code_is_found_one_step_early_and_late_and_no_further(void **state)
{
    (void)state;
    char code[7];
    for (int64_t off = -3; off <= 3; off++) {
        totp_code(SECRET, 20, 1000 + off, 6, code);
        assert_int_equal(totp_find(SECRET, 20, 1000, code),
                         off >= -1 && off <= 1 ? 1000 + off : -1);
    }
}

static void test_what_is_no_code_is_not_found(void **state)
{
    (void)state;
    char code[7];
    totp_code(SECRET, 20, 1000, 6, code);
    static const char *const wrong[] = {"", "0", "00000000", "abcdef"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(totp_find(SECRET, 20, 1000, wrong[i]), -1);
    char longer[8] = "0";
    assert_int_equal(totp_find(SECRET, 20, 1000, strcat(longer, code)), -1);
    for (int i = 0; i < 6; i++) {
        char other[7];
        memcpy(other, code, 7);
        other[i] = other[i] == '9' ? '0' : (char)(other[i] + 1);
        assert_int_equal(totp_find(SECRET, 20, 1000, other), -1);
    }
    code[5] = '\0';
    assert_int_equal(totp_find(SECRET, 20, 1000, code), -1);
}

/* RFC 4648, 10, without the padding. */
static void test_base32_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const char *const table[][2] = {{"", ""},
                                           {"f", "MY"},
                                           {"fo", "MZXQ"},
                                           {"foo", "MZXW6"},
                                           {"foob", "MZXW6YQ"},
                                           {"fooba", "MZXW6YTB"},
                                           {"foobar", "MZXW6YTBOI"}};
    void *ctx = talloc_new(NULL);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_string_equal(totp_base32(ctx, (const uint8_t *)table[i][0], strlen(table[i][0])),
                            table[i][1]);
    talloc_free(ctx);
}

static void test_names_cannot_change_the_address_of_a_secret(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    assert_string_equal(
        totp_uri(ctx, "envbot A&B", "x?secret=AAAA:\xc3\xbc/", SECRET, 20),
        "otpauth://totp/envbot%20A%26B:x%3Fsecret%3DAAAA%3A%C3%BC%2F?secret="
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=envbot%20A%26B&algorithm=SHA1&digits=6&period=30");
    talloc_free(ctx);
}

static void test_keys_are_hexadecimal_or_base64_of_32_bytes(void **state)
{
    (void)state;
    uint8_t key[SEAL_KEY];
    for (int round = 0; round < 2; round++) {
        memset(key, 0, sizeof key);
        assert_true(seal_key(round ? "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
                                   : "000102030405060708090A0B0C0D0E0F"
                                     "101112131415161718191a1b1c1d1e1f",
                             key));
        for (int i = 0; i < SEAL_KEY; i++)
            assert_int_equal(key[i], i);
    }
    assert_true(seal_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", key));
    static const char *const wrong[] = {
        "",
        "secret",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
        "=AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1",
        "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1g"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(seal_key(wrong[i], key));
}

static void test_a_sealed_secret_opens_with_its_key_and_name_only(void **state)
{
    (void)state;
    uint8_t key[SEAL_KEY] = {1}, other[SEAL_KEY] = {2}, sealed[20 + SEAL_MORE],
            again[20 + SEAL_MORE], out[20];
    assert_true(seal(key, "T1/U1", SECRET, 20, sealed));
    assert_true(seal(key, "T1/U1", SECRET, 20, again));
    assert_memory_not_equal(sealed, again, 12);
    assert_memory_not_equal(sealed + 12, again + 12, 20);
    assert_true(unseal(key, "T1/U1", sealed, sizeof sealed, out));
    assert_memory_equal(out, SECRET, 20);
    assert_false(unseal(key, "T1/U2", sealed, sizeof sealed, out));
    assert_false(unseal(other, "T1/U1", sealed, sizeof sealed, out));
    assert_false(unseal(key, "T1/U1", sealed, sizeof sealed - 1, out));
    assert_false(unseal(key, "T1/U1", sealed, SEAL_MORE - 1, out));
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_false(unseal(key, "T1/U1", sealed, sizeof sealed, out));
        sealed[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_are_those_of_the_rfc),
        cmocka_unit_test(test_a_code_is_found_one_step_early_and_late_and_no_further),
        cmocka_unit_test(test_what_is_no_code_is_not_found),
        cmocka_unit_test(test_base32_is_that_of_the_rfc),
        cmocka_unit_test(test_names_cannot_change_the_address_of_a_secret),
        cmocka_unit_test(test_keys_are_hexadecimal_or_base64_of_32_bytes),
        cmocka_unit_test(test_a_sealed_secret_opens_with_its_key_and_name_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
