#include "jobs/troubles.h"

#include "base/text.h"
#include "base/tree.h"

#include <stdarg.h>
#include <string.h>
#include <talloc.h>

static const char *const names[TROUBLE_KINDS] = {
    [TROUBLE_NONE] = "",           [TROUBLE_HERE] = "host",       [TROUBLE_IMAGE] = "image",
    [TROUBLE_CONFIG] = "config",   [TROUBLE_NODE] = "node",       [TROUBLE_NO_POD] = "pod",
    [TROUBLE_SLOW] = "slow",       [TROUBLE_CRASHED] = "crashed", [TROUBLE_OLD_POD] = "old-pod",
    [TROUBLE_REFUSED] = "refused", [TROUBLE_INVALID] = "invalid", [TROUBLE_AWAY] = "away",
    [TROUBLE_BUSY] = "busy",
};

const char *trouble_name(enum trouble_kind kind)
{
    return names[kind];
}

void trouble_set(struct trouble *trouble, enum trouble_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = talloc_vasprintf(NULL, format, args);
    va_end(args);
    struct error cut;
    error_set(&cut, ERROR_UNAVAILABLE, "%s", text);
    memcpy(trouble->detail, cut.text, sizeof trouble->detail);
    trouble->kind = kind;
    talloc_free(text);
}

static bool take(struct trouble_words *words, const char *path, const cJSON *root,
                 struct error *err)
{
    const cJSON *each;
    for (int i = TROUBLE_NONE + 1; i < TROUBLE_KINDS; i++) {
        const cJSON *of = cJSON_GetObjectItemCaseSensitive(root, names[i]);
        const char *what = json_string(of, "what"), *todo = json_string(of, "do");
        if (!what || !todo)
            return error_set(err, ERROR_CONFIG, "%s: %s needs `what` and `do`", path, names[i]);
        words[i] = (struct trouble_words){talloc_strdup(words, what), talloc_strdup(words, todo)};
    }
    cJSON_ArrayForEach (each, root) {
        bool known = false;
        for (int i = TROUBLE_NONE + 1; i < TROUBLE_KINDS; i++)
            known = known || strcmp(names[i], each->string) == 0;
        const char *near = known ? NULL : text_nearest(each->string, names + 1, TROUBLE_KINDS - 1);
        if (!known)
            return error_set(err, ERROR_CONFIG, "%s: %s is no trouble that there is%s%s%s", path,
                             each->string, near ? "; did you mean " : "", near ? near : "",
                             near ? "?" : "");
    }
    return true;
}

const struct trouble_words *troubles_read(const void *ctx, const char *directory, struct error *err)
{
    void *tmp = talloc_new(NULL);
    const char *path = talloc_asprintf(tmp, "%s/troubles.yaml", directory);
    struct trouble_words *words = talloc_zero_array(ctx, struct trouble_words, TROUBLE_KINDS);
    struct tree *trees;
    int count = 0;
    bool ok = tree_read_file(tmp, path, &trees, &count, err);
    if (!ok)
        err->code = ERROR_CONFIG;
    else if (count != 1 || !cJSON_IsObject(trees[0].root))
        ok = error_set(err, ERROR_CONFIG, "%s:1: one mapping is wanted here", path);
    else
        ok = take(words, path, trees[0].root, err);
    talloc_free(tmp);
    if (ok)
        return words;
    talloc_free(words);
    return NULL;
}
