/* A template: read, given values, filled, written, and what was written is read again as the same
   thing. */
#include "base/tree.h"
#include "lifecycle/template.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void same_again(void *ctx, const cJSON *root)
{
    const char *yaml = tree_yaml(ctx, root);
    struct tree *trees;
    int count;
    struct error err = {0};
    if (!tree_read_text(ctx, "again", yaml, strlen(yaml), &trees, &count, &err) || count != 1 ||
        !cJSON_Compare(root, trees[0].root, true))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    void *ctx = talloc_new(NULL);
    struct tree *trees;
    int count;
    struct template *made;
    struct error err = {0};
    template_limits = (struct template_limits){8 * 3600, 7 * 86400};
    if (tree_read_text(ctx, "fuzz", (const char *)bytes, length, &trees, &count, &err) && count &&
        trees[0].root && template_from_json(ctx, "fuzz", trees[0].root, &made, &err)) {
        cJSON *given = json_object(ctx);
        cJSON_AddStringToObject(given, "note", "a: ${b} <!channel>\n- x");
        cJSON *values = template_values(ctx, made, json_object(ctx), &err);
        template_values(ctx, made, given, &err);
        cJSON *tags = template_tags(ctx, 7, "payments", "U1", "demo");
        struct template_target target = {"payments-demo", "eu-west-1", tags, ""};
        cJSON *config = values ? template_render(ctx, made, values, &target, &err) : NULL;
        if (config)
            same_again(ctx, config);
    }
    talloc_free(ctx);
    return 0;
}
