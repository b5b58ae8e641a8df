/* The words of what keeps a job from starting. */
#include "jobs/troubles.h"

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

static void test_every_trouble_has_its_words(void **state)
{
    (void)state;
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    const struct trouble_words *words = troubles_read(ctx, "templates", &err);
    if (!words)
        fail_msg("%s", err.text);
    for (int i = TROUBLE_NONE + 1; i < TROUBLE_KINDS; i++) {
        assert_true(*trouble_name((enum trouble_kind)i) != '\0');
        assert_true(*words[i].what && *words[i].todo);
    }
    talloc_free(ctx);
}

static void test_words_that_are_missing_or_too_many_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"image: {what: a}\n", "host needs `what` and `do`"},
        {"- a\n", "troubles.yaml:1: one mapping is wanted"},
        {"a: [\n", "troubles.yaml"},
        {NULL, "troubles.yaml"},
    };
    char folder[] = "/tmp/envbot-troubles-XXXXXX", path[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/troubles.yaml", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *ctx = talloc_new(NULL);
        struct error err = {0};
        unlink(path);
        FILE *file = cases[i].text ? fopen(path, "we") : NULL;
        if (file) {
            fputs(cases[i].text, file);
            fclose(file);
        }
        assert_null(troubles_read(ctx, folder, &err));
        assert_int_equal(err.code, ERROR_CONFIG);
        if (!strstr(err.text, cases[i].words))
            fail_msg("%s is not in: %s", cases[i].words, err.text);
        talloc_free(ctx);
    }
    FILE *file = fopen(path, "we");
    for (int i = TROUBLE_NONE + 1; i < TROUBLE_KINDS; i++)
        fprintf(file, "%s: {what: a, do: b}\n", trouble_name((enum trouble_kind)i));
    fputs("imagee: {what: a, do: b}\n", file);
    fclose(file);
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    assert_null(troubles_read(ctx, folder, &err));
    assert_non_null(strstr(err.text, "imagee is no trouble that there is; did you mean image?"));
    talloc_free(ctx);
    unlink(path);
    rmdir(folder);
}

static void test_a_long_detail_is_cut_between_characters(void **state)
{
    (void)state;
    struct trouble trouble = {0};
    char text[3001] = "";
    for (int i = 0; i < 1000; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 3); /* € */
    trouble_set(&trouble, TROUBLE_AWAY, "%s", text);
    assert_int_equal(trouble.kind, TROUBLE_AWAY);
    assert_true(strlen(trouble.detail) < sizeof trouble.detail);
    assert_int_equal(strlen(trouble.detail) % 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_trouble_has_its_words),
        cmocka_unit_test(test_words_that_are_missing_or_too_many_are_named),
        cmocka_unit_test(test_a_long_detail_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
