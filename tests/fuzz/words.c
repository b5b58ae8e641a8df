/* What people type: read, cleaned and put into a template's values, without a database. */
#include "base/duration.h"
#include "base/text.h"
#include "base/tree.h"
#include "commands/words.h"
#include "lifecycle/template.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const char parameters[] =
    "parameters:\n"
    "  nodes: {type: integer, min: 1, max: 5, default: 2}\n"
    "  instance: {type: choice, choices: [t3.large, m6i.large], default: t3.large}\n"
    "  spot: {type: boolean, default: false}\n"
    "  note: {type: string, length: 10, default: \"\"}\n"
    "regions: [eu-west-1]\n";

static const struct template *sample(void)
{
    static struct template *made;
    static struct tree *trees; /* the template is made of it */
    int count;
    struct error err = {0};
    if (!made &&
        (!tree_read_text(NULL, "sample", parameters, sizeof parameters - 1, &trees, &count, &err) ||
         !template_from_json(NULL, "sample", trees[0].root, &made, &err)))
        abort();
    return made;
}

/* What is said again to a person is text, and holds no mark of theirs. */
static void check_said(void *ctx, const char *text)
{
    const char *said = text_mrkdwn(ctx, text);
    if (!text_is_utf8(said, strlen(said)) || strpbrk(said, "<>"))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char *const switches[] = {"mine", "all", "dry-run", "spot?", NULL};
    static const char *const known[] = {"create", "extend", "approve", "nodes"};
    void *ctx = talloc_new(NULL);
    const char *text = talloc_strndup(ctx, (const char *)bytes, length);
    struct words *words = NULL;
    struct error err = {0};
    int64_t seconds;
    words_read(ctx, text, switches, &words, &err);
    if (!words || !text_is_utf8(words->text, strlen(words->text)))
        abort();
    check_said(ctx, words->text);
    cJSON *given = json_object(ctx);
    for (int i = 0; i < words->option_count; i++)
        if (words->options[i].value)
            cJSON_AddStringToObject(given, words->options[i].name, words->options[i].value);
    template_values(ctx, sample(), given, &err);
    for (int i = 0; i < words->count; i++) {
        check_said(ctx, words_item(words, i));
        duration_parse(words_item(words, i), &seconds, &err);
        text_nearest(words_item(words, i), known, sizeof known / sizeof *known);
    }
    check_said(ctx, words_rest(ctx, words, 1));
    talloc_free(ctx);
    return 0;
}
