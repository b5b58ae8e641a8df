/* What is owed to Slack is acked once for each delivery, whoever gives the ack and in what order.
 */
#include "slack/acks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static struct acks *acks;
static int woken;

static void wake(void *user)
{
    (void)user;
    woken++;
}

static int setup(void **unused)
{
    (void)unused;
    woken = 0;
    acks = acks_new(NULL, wake, NULL);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    return talloc_free(acks);
}

static void owe(uint64_t connection, const char *id, bool takes_payload)
{
    acks_owe(acks, &(struct envelope_raw){.connection = connection,
                                          .received_ns = 77,
                                          .envelope_id = id,
                                          .takes_payload = takes_payload});
}

/* The next ack is this text for a delivery on that connection. */
static void expect(uint64_t connection, const char *text)
{
    struct ack *ack = acks_take(acks);
    assert_non_null(ack);
    assert_true(ack->connection == connection);
    assert_true(ack->received_ns == 77);
    assert_int_equal(ack->message.length, strlen(text));
    assert_memory_equal(ack->message.text, text, strlen(text));
    talloc_free(&ack->message);
}

static void test_an_ack_carries_its_payload(void **unused)
{
    (void)unused;
    owe(1, "e", true);
    acks_give(acks, 1, "e", "{\"text\":\"“hi”\"}");
    expect(1, "{\"envelope_id\":\"e\",\"payload\":{\"text\":\"“hi”\"}}");
    assert_null(acks_take(acks));
}

static void test_a_payload_is_left_out_where_slack_takes_none(void **unused)
{
    (void)unused;
    owe(1, "e", false);
    acks_give(acks, 1, "e", "{\"text\":\"hi\"}");
    expect(1, "{\"envelope_id\":\"e\"}");
}

static void test_a_second_ack_is_dropped(void **unused)
{
    (void)unused;
    owe(1, "e", true);
    acks_give(acks, 1, "e", NULL);
    acks_give(acks, 1, "e", NULL);
    acks_give(acks, 2, "e", NULL);
    acks_give(acks, 1, "never delivered", NULL);
    expect(1, "{\"envelope_id\":\"e\"}");
    assert_null(acks_take(acks));
}

static void test_each_delivery_of_an_envelope_is_owed_its_own(void **unused)
{
    (void)unused;
    owe(1, "e", true);
    owe(1, "e", true);
    owe(2, "e", true);
    assert_int_equal(acks_owed(acks, 1), 1); /* one envelope, twice */
    acks_give(acks, 1, "e", NULL);
    acks_give(acks, 2, "e", NULL);
    expect(1, "{\"envelope_id\":\"e\"}");
    assert_int_equal(acks_owed(acks, 1), 1);
    expect(2, "{\"envelope_id\":\"e\"}");
    assert_int_equal(acks_owed(acks, 2), 0);
    acks_give(acks, 1, "e", NULL);
    expect(1, "{\"envelope_id\":\"e\"}");
    assert_int_equal(acks_owed(acks, 1), 0);
    acks_give(acks, 1, "e", NULL);
    assert_null(acks_take(acks));
}

static void test_the_loop_is_woken_once_for_many(void **unused)
{
    (void)unused;
    owe(1, "a", true);
    owe(1, "b", true);
    acks_give(acks, 1, "a", NULL);
    acks_give(acks, 1, "b", NULL);
    assert_int_equal(woken, 1);
    expect(1, "{\"envelope_id\":\"a\"}");
    owe(1, "c", true);
    acks_give(acks, 1, "c", NULL);
    assert_int_equal(woken, 2);
    expect(1, "{\"envelope_id\":\"b\"}");
    expect(1, "{\"envelope_id\":\"c\"}");
}

static void test_what_nobody_acks_is_forgotten(void **unused)
{
    (void)unused;
    owe(1, "e", true);
    acks_forget(acks, 77);
    assert_int_equal(acks_owed(acks, 1), 1);
    acks_forget(acks, 78);
    assert_int_equal(acks_owed(acks, 1), 0);
    acks_give(acks, 1, "e", NULL);
    assert_null(acks_take(acks));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_ack_carries_its_payload),
        TEST(test_a_payload_is_left_out_where_slack_takes_none),
        TEST(test_a_second_ack_is_dropped),
        TEST(test_each_delivery_of_an_envelope_is_owed_its_own),
        TEST(test_the_loop_is_woken_once_for_many),
        TEST(test_what_nobody_acks_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
