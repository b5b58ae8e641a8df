/* What people type: read and cleaned, and as a wish for an environment judged as far as that goes
   without a database. */
#include "base/duration.h"
#include "base/text.h"
#include "commands/commands.h"
#include "commands/wish.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Rules that stand elsewhere, and let everybody do everything: nobody is looked for in Slack. */
static bool everything(void *user, const struct rbac_question *question, struct rbac_reason *why)
{
    (void)user, (void)question;
    if (why)
        snprintf(why->text, sizeof why->text, "everything");
    return true;
}

/* What all wishes have in common: the templates that come with envbot, two teams, one person. */
static void set_up(struct call *wish)
{
    static const char *members[] = {"U1", NULL}, *nobody[] = {NULL};
    static struct config_team teams[] = {
        {.name = "payments", .members = members, .slack_group = ""},
        {.name = "search", .members = nobody, .slack_group = ""}};
    static struct config config = {.slack = {.command = "/env"}, .teams = teams, .team_count = 2};
    static const char *groups[] = {"team:payments", NULL};
    static struct person person = {
        .workspace = "T1", .id = "U1", .name = "dev", .groups = groups, .rbac_user = "slack:U1"};
    static struct app app;
    static struct rbac *rules;
    if (!rules) {
        struct template_set *set;
        char *problems;
        config.rbac.user_name = "slack";
        for (int i = 0; i < config.team_count; i++)
            teams[i].channel = teams[i].approvers_channel = teams[i].iam_role_arn = "";
        template_limits = (struct template_limits){8 * 3600, 7 * 86400};
        if (!templates_read(NULL, "templates", &set, &problems))
            abort();
        talloc_free(problems);
        app = (struct app){.config = &config,
                           .templates = set,
                           .workspace = "T1",
                           .people = people_new(NULL, &config, "T1", "")};
        rules = rbac_asked(NULL, everything, NULL);
    }
    static const struct tools tools = {.app = &app};
    wish->app = &app;
    wish->tools = &tools;
    wish->rules = rules;
    wish->db = db_new(wish, "host=/nonexistent", "fuzz", 0); /* only a moment asks it */
    wish->person = &person;
}

/* What is said again to a person is text, and holds no mark of theirs. */
static void check_said(void *ctx, const char *text)
{
    const char *said = text_mrkdwn(ctx, text);
    if (!text_is_utf8(said, strlen(said)) || strpbrk(said, "<>"))
        abort();
}

/* `create` with these words: a wish within its template's bounds, or a refusal in words. */
static void judge(void *ctx, const char *text)
{
    struct call *call = talloc_zero(ctx, struct call);
    struct words *words;
    struct error err = {0};
    set_up(call);
    bool read = words_read(call, text, create_switches(call), &words, &err);
    if (!read || (words->count == 0 && words->option_count == 0))
        return; /* the form */
    call->words = words;
    if (!create_prepare(call, &err)) {
        if (!text_is_utf8(err.text, strlen(err.text)) || strpbrk(err.text, "<>") || !*err.text ||
            err.code == ERROR_INTERNAL)
            abort();
        return;
    }
    const struct wish *wish = call->prepared;
    if (!text_is_label(wish->name, WISH_NAME_MOST) || wish->ttl <= 0 ||
        wish->ttl > wish->template->ttl_max || !config_team(call->app->config, wish->team) ||
        !text_is_utf8(wish->reason, strlen(wish->reason)) || wish->resources.nodes < 0)
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
    for (int i = 0; i < words->count; i++) {
        check_said(ctx, words_item(words, i));
        duration_parse(words_item(words, i), &seconds, &err);
        text_nearest(words_item(words, i), known, sizeof known / sizeof *known);
    }
    check_said(ctx, words_rest(ctx, words, 1));
    judge(ctx, text);
    talloc_free(ctx);
    return 0;
}
