/* The audit's record is written down exactly, so that others can compute the chain. */
#include "store/audit_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

static struct audit_text text(const char *bytes)
{
    return (struct audit_text){bytes, bytes ? strlen(bytes) : 0};
}

static struct audit_record example(void)
{
    struct audit_record record = {.number = 7, .sealed_at = 1764048874250001};
    record.fields[AUDIT_ID] = text("12");
    record.fields[AUDIT_AT] = text("1764048874000000");
    record.fields[AUDIT_TEAM] = text("");
    record.fields[AUDIT_ACTOR_NAME] = text("Zo\xc3\xab");
    record.fields[AUDIT_DETAIL] = text("{\"a\": 1}");
    return record;
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
static const char written[] = "14:envbot audit 1,1:7,64:" ZEROS ",16:1764048874250001,"
                              "2:12,16:1764048874000000,-,0:,-,-,4:Zo\xc3\xab,-,-,-,-,-,-,-,-,"
                              "8:{\"a\": 1},";

static void test_a_record_is_written_as_documented(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    struct audit_record record = example();
    unsigned char none[AUDIT_HASH] = {0};
    struct audit_text bytes = audit_record_bytes(audit_hasher_new(ctx), &record, none);
    assert_int_equal(bytes.length, sizeof written - 1);
    assert_memory_equal(bytes.text, written, bytes.length);
    talloc_free(ctx);
}

/* sha256sum says the same of the bytes above. */
static void test_the_hash_is_sha256_of_the_record(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    struct audit_record record = example();
    unsigned char none[AUDIT_HASH] = {0}, hash[AUDIT_HASH];
    char hex[AUDIT_HEX];
    struct audit_hasher *hasher = audit_hasher_new(ctx);
    for (int i = 0; i < 2; i++) { /* a hasher keeps nothing of the last record */
        audit_hash(hasher, &record, none, hash);
        audit_hex(hash, hex);
        assert_string_equal(hex,
                            "377d684742e1f23a12ae43407a79a04955c95de455b520c9c967db5f1139ce63");
    }
    audit_hash(hasher, &record, hash, hash); /* in place, over another one before it */
    audit_hex(hash, hex);
    assert_string_not_equal(hex,
                            "377d684742e1f23a12ae43407a79a04955c95de455b520c9c967db5f1139ce63");
    talloc_free(ctx);
}

static void test_no_two_records_are_written_alike(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    struct audit_hasher *hasher = audit_hasher_new(ctx);
    unsigned char none[AUDIT_HASH] = {0}, first[AUDIT_HASH], other[AUDIT_HASH];
    struct audit_record record = example();
    audit_hash(hasher, &record, none, first);
    /* A field's text in the next field, null for nothing, a part of the text moved over. */
    static const struct {
        int field;
        const char *text;
        int second;
        const char *second_text;
    } changes[] = {
        {AUDIT_TEAM, NULL, AUDIT_TEAM, NULL},
        {AUDIT_TEAM, NULL, AUDIT_NAME, ""},
        {AUDIT_TEAM, "0:,-,", AUDIT_NAME, NULL},
        {AUDIT_ID, "1", AUDIT_AT, "21764048874000000"},
        {AUDIT_DETAIL, "{\"a\": 2}", AUDIT_TEAM, ""},
        {AUDIT_MESSAGE, "{\"a\": 1}", AUDIT_DETAIL, NULL},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        record = example();
        record.fields[changes[i].field] = text(changes[i].text);
        record.fields[changes[i].second] = text(changes[i].second_text);
        audit_hash(hasher, &record, none, other);
        assert_memory_not_equal(first, other, AUDIT_HASH);
    }
    record = example();
    record.number++;
    audit_hash(hasher, &record, none, other);
    assert_memory_not_equal(first, other, AUDIT_HASH);
    record = example();
    record.sealed_at++;
    audit_hash(hasher, &record, none, other);
    assert_memory_not_equal(first, other, AUDIT_HASH);
    talloc_free(ctx);
}

static void test_hex_is_read_strictly(void **state)
{
    (void)state;
    unsigned char hash[AUDIT_HASH];
    char hex[AUDIT_HEX];
    static const char right[] = "00ff0a000000000000000000000000000000000000000000000000000000a0ff";
    assert_true(audit_unhex(right, hash));
    audit_hex(hash, hex);
    assert_string_equal(hex, right);
    assert_true(
        audit_unhex("00FF0A000000000000000000000000000000000000000000000000000000A0FF", hash));
    assert_false(audit_unhex("", hash));
    assert_false(audit_unhex("0", hash));
    assert_false(audit_unhex(ZEROS "0", hash));
    assert_false(audit_unhex("0g" ZEROS, hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_is_written_as_documented),
        cmocka_unit_test(test_the_hash_is_sha256_of_the_record),
        cmocka_unit_test(test_no_two_records_are_written_alike),
        cmocka_unit_test(test_hex_is_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
