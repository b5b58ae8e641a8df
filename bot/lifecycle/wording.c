#include "lifecycle/wording.h"

#include "base/tree.h"
#include "lifecycle/wording_check.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <talloc.h>

struct wording {
    cJSON *trees; /* "slack/ready" -> tree */
};

static void add_file(struct wording *wording, const char *directory, const char *kind,
                     const char *file, char **problems)
{
    void *tmp = talloc_new(NULL);
    char *path = talloc_asprintf(tmp, "%s/%s/%s", directory, kind, file);
    struct tree *trees;
    int count = 0;
    struct error err = {0};
    if (!tree_read_file(tmp, path, &trees, &count, &err))
        *problems = talloc_asprintf_append(*problems, "%s\n", err.text);
    else if (count != 1 || !cJSON_IsObject(trees[0].root))
        *problems = talloc_asprintf_append(*problems, "%s:1: one mapping is wanted here\n", path);
    else {
        wording_check_holes(&trees[0], problems);
        json_set(wording->trees, talloc_asprintf(tmp, "%s/%.*s", kind, (int)strlen(file) - 5, file),
                 cJSON_Duplicate(trees[0].root, true));
    }
    talloc_free(tmp);
}

static void add_folder(struct wording *wording, const char *directory, const char *kind,
                       char **problems)
{
    char *path = talloc_asprintf(NULL, "%s/%s", directory, kind);
    DIR *folder = opendir(path);
    if (!folder) {
        *problems = talloc_asprintf_append(
            *problems, "%s cannot be read: %s; set templates: to the folder that has it\n", path,
            strerror(errno));
        talloc_free(path);
        return;
    }
    for (struct dirent *each; (each = readdir(folder));) {
        size_t length = strlen(each->d_name);
        if (length > 5 && strcmp(each->d_name + length - 5, ".yaml") == 0)
            add_file(wording, directory, kind, each->d_name, problems);
    }
    closedir(folder);
    talloc_free(path);
}

bool wording_read(const void *ctx, const char *directory, struct wording **out, char **problems)
{
    struct wording *wording = talloc_zero(ctx, struct wording);
    wording->trees = json_object(wording);
    *problems = talloc_strdup(ctx, "");
    add_folder(wording, directory, "slack", problems);
    add_folder(wording, directory, "mail", problems);
    wording_check_files(wording, directory, problems);
    *out = wording;
    return !**problems;
}

static const cJSON *find(const struct wording *wording, const char *kind, const char *name)
{
    char *key = talloc_asprintf(NULL, "%s/%s", kind, name);
    const cJSON *tree = cJSON_GetObjectItemCaseSensitive(wording->trees, key);
    talloc_free(key);
    return tree;
}

bool wording_has(const struct wording *wording, const char *kind, const char *name)
{
    return find(wording, kind, name) != NULL;
}

cJSON *wording_slack(const void *ctx, const struct wording *wording, const char *name,
                     const cJSON *values, struct error *err)
{
    const cJSON *tree = find(wording, "slack", name);
    cJSON *filled = NULL;
    if (!tree)
        error_set(err, ERROR_CONFIG, "there is no templates/slack/%s.yaml", name);
    else if (!(filled = tree_fill(ctx, tree, values, TREE_MRKDWN, true, err)))
        error_prefix(err, "templates/slack/%s.yaml", name);
    return filled;
}

cJSON *wording_mail(const void *ctx, const struct wording *wording, const char *name,
                    const cJSON *values, struct error *err)
{
    const cJSON *tree = find(wording, "mail", name);
    if (!tree) {
        error_set(err, ERROR_CONFIG, "there is no templates/mail/%s.yaml", name);
        return NULL;
    }
    cJSON *plain = tree_fill(ctx, tree, values, TREE_PLAIN, true, err);
    cJSON *marked = plain ? tree_fill(ctx, tree, values, TREE_HTML, true, err) : NULL;
    if (!marked) {
        error_prefix(err, "templates/mail/%s.yaml", name);
        return NULL;
    }
    json_set_string(plain, "html", json_string_or_empty(marked, "html"));
    return plain;
}
