/* What /readyz says, from what the threads said. */
#include "http/health.h"
#include "base/breaker.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <talloc.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static void test_it_is_unready_until_postgresql_answered(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct health *health = health_new(ctx, NULL);
    bool ready = true;
    const cJSON *page = json_parse(ctx, health_json(ctx, health, &ready));
    assert_false(ready);
    assert_false(json_true(page, "ready"));
    assert_true(json_true(page, "slack.ready")); /* not its concern here */
    assert_non_null(strstr(json_string(page, "database.reason"), "has not been asked"));
    health_database(health, NULL);
    page = json_parse(ctx, health_json(ctx, health, &ready));
    assert_true(ready && json_true(page, "ready") && json_true(page, "database.ready"));
    talloc_free(ctx);
}

static void test_the_last_word_counts(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct health *health = health_new(ctx, NULL);
    bool ready;
    health_database(health, NULL);
    health_database(health, "the server said “no”");
    const cJSON *page = json_parse(ctx, health_json(ctx, health, &ready));
    assert_false(ready);
    assert_string_equal(json_string(page, "database.reason"), "the server said “no”");
    health_database(health, NULL);
    health_json(ctx, health, &ready);
    assert_true(ready);
    talloc_free(ctx);
}

static void test_breakers_are_listed_and_do_not_make_it_unready(void **unused)
{
    (void)unused;
    void *ctx = talloc_new(NULL);
    struct health *health = health_new(ctx, NULL);
    health_database(health, NULL);
    struct breaker *ses =
        breaker_new(ctx, &(struct breaker_options){.name = "ses", .failures = 1}, NULL);
    health_watch(health, ses);
    breaker_failure(ses);
    bool ready;
    const cJSON *page = json_parse(ctx, health_json(ctx, health, &ready));
    assert_true(ready);
    assert_string_equal(json_string(page, "breakers.ses"), "open");
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_unready_until_postgresql_answered),
        cmocka_unit_test(test_the_last_word_counts),
        cmocka_unit_test(test_breakers_are_listed_and_do_not_make_it_unready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
