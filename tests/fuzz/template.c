/* A template: read, given values, filled, written, and what was written is read again as the same
   thing; and what its approval section says about who decides. */
#include "approvals/policy.h"
#include "base/text.h"
#include "base/tree.h"
#include "lifecycle/template.h"
#include "yaml_lines.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <talloc.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const char *const pieces[] = {
    "parameters:\n  nodes: {type: integer, min: 1, max: 5, default: 2}\n",
    "  size: {type: choice, choices: [a, b], default: a}\n",
    "  spot: {type: boolean, default: false}\n",
    "  note: {type: string, length: 30, default: \"\"}\n",
    "regions: [eu-west-1]\n",
    "ttl: {default: 8h, max: 3d, ceiling: 14d}\n",
    "approval:\n  count: 2\n",
    "  groups: {\"slack:security\": 1}\n",
    "  lapse: 24h\n  remind: [1h, 4h]\n",
    "  escalate: {after: 4h, channel: C0ESCALATE}\n",
    "  automatic: [{nodes: {max: 1}, ttl: {max: 2h}, spot: true, size: [a, b]}]\n",
    "  self: true\n  code: true\n",
    "cluster:\n  metadata: {name: \"${cluster}\", tags: \"${tags}\"}\n",
    "- $if: spot\n  $value: \"${nodes}\"\n",
    "- $for: one in list\n  name: \"${one.name} ${nodes}\"\n",
    "- {$for: one in tags, $value: \"x-${one}\"}\n",
    "$if: \"!role\"\n",
    "name: \"$${x} ${raw:note} ${tags.owner}\"\n",
    "- &x {a: \"${note}\"}\n- *x\n",
    "text: |\n  ${note}\n  more\n",
};
static const char *const values[] = {
    "null",  "true",     "[]",       "{}",         "\"\"",      "-1",          "1e999",
    "0x1f",  ".inf",     "9h",       "400d",       "[1h, 1h]",  "\"${x}\"",    "\"${nodes}\"",
    "\"~\"", "integer",  "choice",   "boolean",    "string",    "[a, [b]]",    "{max: 1}",
    "{}",    "{a: b}",   "[{a: b}]", "&x [*x]",    "99999999",  "2.5",         "\"\\u202e\"",
    "|-",    "\"<!x>\"", "!!str 1",  "2026-11-26", "[1, 2, 3]", "\"${raw:x\"",
};
const struct yaml_words yaml_words = {pieces, values, sizeof pieces / sizeof *pieces,
                                      sizeof values / sizeof *values};

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

static void one_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static char path[] = "/dev/shm/envbot-fuzz-XXXXXX", name[64];

static void remove_folder(void)
{
    static const char *const parts[] = {"/environments/fuzz.yaml", "/environments", "/prices.yaml",
                                        ""};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(name, sizeof name, "%s%s", path, parts[i]);
        remove(name);
    }
}

/* A folder of templates with one file, which is replaced each time. */
static const char *folder(const uint8_t *bytes, size_t length)
{
    static int file = -1;
    if (file < 0) {
        if (!mkdtemp(path) || atexit(remove_folder) != 0)
            abort();
        snprintf(name, sizeof name, "%s/environments", path);
        if (mkdir(name, 0700) != 0)
            abort();
        snprintf(name, sizeof name, "%s/prices.yaml", path);
        one_file(name, "control_plane_usd_hour: 0.1\n"
                       "instance_types: {t3.large: {vcpu: 2, gpu: 0, usd_hour: 0.1}}\n");
        snprintf(name, sizeof name, "%s/environments/fuzz.yaml", path);
        file = open(name, O_RDWR | O_CREAT, 0600);
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, bytes, length, 0) != (ssize_t)length)
        abort();
    return path;
}

static void fill(void *ctx, const struct template *made)
{
    struct error err = {0};
    cJSON *given = json_object(ctx), *values = template_values(ctx, made, json_object(ctx), &err);
    cJSON_AddStringToObject(given, "note", "a: ${b} <!channel>\n- x");
    template_values(ctx, made, given, &err);
    cJSON *tags = template_tags(ctx, 7, "payments", "U1", "demo");
    struct template_target target = {"payments-demo", "eu-west-1", tags, ""};
    cJSON *config = values ? template_render(ctx, made, values, &target, &err) : NULL;
    if (config)
        same_again(ctx, config);
}

/* One that was found right: what it says of approvals is plain. */
static void ask_policy(void *ctx, const struct template *made)
{
    struct error err = {0};
    struct policy policy = policy_read(made->source);
    const struct policy_count nobody = {0};
    struct policy_missing missing = policy_missing(&policy, &nobody);
    if (policy.count < 1 || missing.all < 1 || !*policy_missing_text(ctx, &policy, &missing) ||
        made->ttl_default > made->ttl_max)
        abort();
    cJSON *values = template_values(ctx, made, json_object(ctx), &err);
    if (!values)
        abort();
    policy_automatic(&policy, values, made->ttl_default);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    void *ctx = talloc_new(NULL);
    struct tree *trees;
    int count;
    struct template *made;
    struct template_set *set;
    char *problems;
    struct error err = {0};
    template_limits = (struct template_limits){8 * 3600, 7 * 86400};
    if (tree_read_text(ctx, "fuzz", (const char *)bytes, length, &trees, &count, &err) && count &&
        trees[0].root && template_from_json(ctx, "fuzz", trees[0].root, &made, &err))
        fill(ctx, made);
    if (templates_read(ctx, folder(bytes, length), &set, &problems))
        ask_policy(ctx, &set->items[0]);
    else if (!*problems || !text_is_utf8(problems, strlen(problems)))
        abort();
    talloc_free(ctx);
    return 0;
}
