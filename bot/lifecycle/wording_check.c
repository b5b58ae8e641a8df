#include "lifecycle/wording_check.h"

#include "base/text.h"
#include "lifecycle/states.h"
#include "lifecycle/view.h"

#include <string.h>
#include <talloc.h>
#include <unistd.h>

/* What templates are given besides the view of an environment: by events, replies and forms. */
static const char *const others[] = {
    "answer",
    "missing",
    "remedy",
    "names",
    "by",
    "by_mention",
    "cause_line",
    "channel",
    "chart",
    "comment",
    "content",
    "count",
    "decision_reason",
    "deciders",
    "description",
    "error",
    "few",
    "filename",
    "first",
    "first_team",
    "items",
    "kind",
    "link_html",
    "metadata",
    "month",
    "more",
    "glass",
    "note_words",
    "outbox",
    "conversation",
    "regions",
    "problems",
    "serving",
    "version",
    "teams",
    "templates",
    "text",
    "total",
    "total_cost",
    "total_environments",
    "ttl_most",
    "ttl_usual",
    "where",
    "who_words",
    "words",
    "wait",
    "zones_words",
    "doing",
    "number",
    "hash",
    "paused_by",
    "everything",
    "change",
    "request",
    "before",
    "after",
    "who",
    "wanted",
    "left_behind",
    "code",
    "changes",
    "fields",
    "void_words",
    "votes_words",
    "step",
    "took",
    "usual",
    "most",
    "quarantine_words",
};
enum { OTHERS = sizeof others / sizeof *others, KNOWN_MOST = 200 };

/* Files that the table of transitions does not name. */
static const char *const needed[] = {
    "change",
    "change-asked",
    "change-denied",
    "change-lapsed",
    "change-withdrawn",
    "escalated",
    "votes-void",
    "changed",
    "changed-card",
    "nobody",
    "nobody-operators",
    "reminder",
    "asked",
    "question",
    "answered",
    "form-ask",
    "form-answer",
    "message",
    "card",
    "private",
    "parked",
    "mail-missing",
    "mail-failed",
    "code-locked",
    "form-approve",
    "form-create",
    "form-deny",
    "form-extend",
    "form-create-details",
    "reply-show",
    "reply-list",
    "reply-list-empty",
    "reply-quota",
    "reply-report",
    "reply-deleting",
    "reply-stopping",
    "rules-kept",
    "rules-problems",
    "rules-well",
    "review",
    "audit-head",
    "turn-skipped",
    "turn-waits",
    "turn-past",
    "scheduled",
    "paused",
    "resumed",
    "provisioning-paused",
    "aws-waits",
    "sweep",
    "sweep-well",
    "aws-goes-on",
    "aws-trouble",
    "aws-well",
    "provisioning-resumed",
    "foreign",
    "held-up",
    "held-up-operators",
    "trouble",
    "slow",
};

struct search {
    void *ctx;
    const struct tree *tree;
    const char *known[KNOWN_MOST];
    size_t count;
    char **problems;
};

static void add_known(struct search *s, const char *name, size_t length)
{
    if (s->count < KNOWN_MOST)
        s->known[s->count++] = talloc_strndup(s->ctx, name, length);
}

static void add_view(struct search *s)
{
    struct environment env = {.team = "",
                              .name = "",
                              .cluster = "",
                              .region = "",
                              .owner_id = "",
                              .owner_workspace = "",
                              .owner_name = "",
                              .template = "",
                              .reason = "",
                              .state = "ready"};
    cJSON *view = view_of(s->ctx, &env);
    const cJSON *each;
    cJSON_ArrayForEach (each, view)
        add_known(s, each->string, strlen(each->string));
}

/* "$for: item in list" binds item in all that is beside it. */
static void add_bound(struct search *s, const cJSON *node)
{
    const cJSON *each;
    if (cJSON_IsString(node) && node->string && strcmp(node->string, "$for") == 0)
        add_known(s, node->valuestring, strcspn(node->valuestring, " "));
    cJSON_ArrayForEach (each, node)
        add_bound(s, each);
}

static void check_hole(struct search *s, const cJSON *node, const char *hole)
{
    char *name = talloc_strndup(NULL, hole, strcspn(hole, "."));
    bool found = false;
    for (size_t i = 0; i < s->count; i++)
        found = found || strcmp(s->known[i], name) == 0;
    const char *near = found ? NULL : text_nearest(name, s->known, s->count);
    if (!found)
        *s->problems = talloc_asprintf_append(
            *s->problems, "%s:%d: ${%s} is nothing that these words are given%s%s%s\n",
            s->tree->file, tree_line(s->tree, node), hole, near ? "; did you mean " : "",
            near ? near : "", near ? "?" : "");
    talloc_free(name);
}

static void check_node(struct search *s, const cJSON *node)
{
    const cJSON *each;
    if (cJSON_IsString(node)) {
        cJSON *holes = tree_holes(s->ctx, node);
        cJSON_ArrayForEach (each, holes)
            check_hole(s, node, each->valuestring);
    }
    cJSON_ArrayForEach (each, node)
        check_node(s, each);
}

void wording_check_holes(const struct tree *tree, char **problems)
{
    struct search search = {.ctx = talloc_new(NULL), .tree = tree, .problems = problems};
    for (size_t i = 0; i < OTHERS; i++)
        add_known(&search, others[i], strlen(others[i]));
    add_view(&search);
    add_bound(&search, tree->root);
    check_node(&search, tree->root);
    talloc_free(search.ctx);
}

static void check_file(const struct wording *wording, const char *directory, const char *kind,
                       const char *name, char **problems)
{
    char *path = talloc_asprintf(NULL, "%s/%s/%s.yaml", directory, kind, name);
    char *line = talloc_asprintf(path, "%s is missing\n", path);
    const char *folder = talloc_asprintf(path, "%s/%s", directory, kind);
    /* One that cannot be read was told already, and so was a folder that is not there; several
       transitions may need the same. */
    if (!wording_has(wording, kind, name) && access(folder, F_OK) == 0 && access(path, F_OK) != 0 &&
        !strstr(*problems, line))
        *problems = talloc_strdup_append(*problems, line);
    talloc_free(path);
}

void wording_check_files(const struct wording *wording, const char *directory, char **problems)
{
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        check_file(wording, directory, "slack", needed[i], problems);
    for (const struct transition *step = transitions; step->from; step++) {
        if (step->thread)
            check_file(wording, directory, "slack", step->thread, problems);
        if (step->operators)
            check_file(wording, directory, "slack", step->operators, problems);
        if (step->mail)
            check_file(wording, directory, "mail", step->mail, problems);
    }
}
