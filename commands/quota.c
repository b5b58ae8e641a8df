/* `/env quota`: limits and use, and `quota set`. */
#include "commands/commands.h"

#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

static const char *const kinds[] = {"environments", "nodes", "vcpus", "gpus", "monthly_usd"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const char *const titles[KINDS] = {"environments", "nodes", "vCPUs", "GPUs", "USD a month"};

/* "▓▓▓░░░░░░░ 3 of 10" */
static char *bar(const void *ctx, double use, double limit)
{
    if (limit < 0)
        return talloc_asprintf(ctx, "%s, no limit", text_money(ctx, use, false));
    int full = limit > 0 ? (int)(use / limit * 10 + 0.5) : use > 0 ? 10 : 0;
    if (use > 0 && full == 0)
        full = 1;
    char *text = talloc_strdup(ctx, "");
    for (int i = 0; i < 10; i++)
        text = talloc_strdup_append(text, i < full ? "▓" : "░");
    return talloc_asprintf_append(text, " %s of %s", text_money(ctx, use, false),
                                  text_money(ctx, limit, false));
}

static void add_team(struct call *call, cJSON *teams, const char *name, const struct team_use *use)
{
    const double used[KINDS] = {use->use.environments, use->use.nodes, use->use.vcpus,
                                use->use.gpus, use->use.monthly_usd};
    const double limit[KINDS] = {use->limit.environments, use->limit.nodes, use->limit.vcpus,
                                 use->limit.gpus, use->limit.monthly_usd};
    cJSON *team = cJSON_CreateObject();
    char *lines = talloc_strdup(call, "");
    for (int i = 0; i < KINDS; i++)
        lines = talloc_asprintf_append(lines, "%s`%s` %s", i ? "\n" : "",
                                       bar(call, used[i], limit[i]), titles[i]);
    json_set_string(team, "name", name);
    json_set_string(team, "lines", lines);
    cJSON_AddItemToArray(teams, team);
}

static bool show_teams(struct call *call, cJSON *teams, struct error *err)
{
    /* for whoever cannot see the blocks */
    char *text = talloc_strdup(call, "");
    const cJSON *team;
    cJSON_ArrayForEach (team, teams)
        text = talloc_asprintf_append(text, "%sThe quota of %s:\n%s", *text ? "\n" : "",
                                      json_string_or_empty(team, "name"),
                                      json_string_or_empty(team, "lines"));
    cJSON *values = json_object(call);
    json_set_string(values, "text", text);
    json_set(values, "teams", teams);
    return reply_template(call, "reply-quota", values, err);
}

static bool show(struct call *call, const char *only, struct error *err)
{
    const struct config *config = call->app->config;
    if (only && !call_team(call, only, &only, err))
        return false;
    if (only && !call_may(call, "get", "quotas", only, "", err))
        return false;
    cJSON *teams = cJSON_CreateArray();
    for (int i = 0; i < config->team_count; i++) {
        const char *name = config->teams[i].name;
        if ((only && strcmp(only, name) != 0) ||
            !people_may(call->rules, call->person, "get", "quotas", name, "", NULL))
            continue;
        struct rows *rows = NULL;
        team_use_ask(call, call->db, name, false, &rows);
        if (!db_flush(call->db, err)) {
            cJSON_Delete(teams);
            return false;
        }
        if (rows_count(rows)) {
            struct team_use use = team_use_from_row(rows, 0);
            add_team(call, teams, name, &use);
        }
    }
    if (!teams->child) {
        cJSON_Delete(teams);
        return error_set(err, ERROR_DENIED, "The rules do not let you see any team's quota.");
    }
    return show_teams(call, teams, err);
}

/* "key=value"; "none" takes the limit away. */
static bool read_limit(struct call *call, const char *text, int *kind, const char **value,
                       struct error *err)
{
    const char *equals = strchr(text, '=');
    char *key = talloc_strndup(call, text, equals ? (size_t)(equals - text) : strlen(text));
    for (*kind = 0; *kind < KINDS && strcmp(kinds[*kind], key) != 0; ++*kind)
        ;
    if (!equals && *kind < KINDS)
        return error_set(err, ERROR_USAGE, "%s needs a number: `%s=5`, or `%s=none` for no limit.",
                         key, key, key);
    if (*kind == KINDS) {
        const char *near = text_nearest(key, kinds, KINDS);
        return error_set(err, ERROR_USAGE,
                         "`%s` is not a limit.%s%s%s Limits are %s, as key=value.",
                         text_mrkdwn(call, text_cut(call, text, 60)), near ? " Did you mean `" : "",
                         near ? near : "", near ? "`?" : "", text_list(call, kinds, KINDS, "and"));
    }
    *value = equals + 1;
    if (strcmp(*value, "none") == 0) {
        *value = NULL;
        return true;
    }
    char *end;
    long long number = strtoll(*value, &end, 10);
    if (!isdigit((unsigned char)**value) || *end || number < 0 || number > 100000000)
        return error_set(err, ERROR_USAGE,
                         "%s cannot be “%s”: it is a whole number from 0 to 100,000,000, or `none` "
                         "for no limit.",
                         kinds[*kind], text_mrkdwn(call, text_cut(call, *value, 60)));
    return true;
}

static void write_limit(struct call *call, const char *team, int kind, const char *value)
{
    static const char *const statements[KINDS] = {
        "UPDATE teams SET environments = $2::integer WHERE name = $1",
        "UPDATE teams SET nodes = $2::integer WHERE name = $1",
        "UPDATE teams SET vcpus = $2::integer WHERE name = $1",
        "UPDATE teams SET gpus = $2::integer WHERE name = $1",
        "UPDATE teams SET monthly_usd = $2::numeric WHERE name = $1",
    };
    db_send(call->db, statements[kind], P(team, value));
}

static bool set(struct call *call, struct error *err)
{
    const char *name = words_item(call->words, 1);
    if (!name || !words_item(call->words, 2))
        return error_set(err, ERROR_USAGE, "For example: `%s quota set TEAM environments=5`.",
                         call->app->config->slack.command);
    const char *team;
    if (!call_team(call, name, &team, err) || !call_may(call, "update", "quotas", team, "", err))
        return false;
    cJSON *changes = json_object(call);
    for (int i = 2; words_item(call->words, i); i++) {
        int kind = 0;
        const char *value = NULL;
        if (!read_limit(call, words_item(call->words, i), &kind, &value, err))
            return false;
        write_limit(call, team, kind, value);
        json_set_string(changes, kinds[kind], value);
    }
    audit_add(call->db, &call->actor, 0, team, "quota-set", NULL, NULL, changes);
    cJSON *teams = cJSON_CreateArray();
    struct rows *rows = NULL;
    team_use_ask(call, call->db, team, false, &rows);
    if (!db_flush(call->db, err)) {
        cJSON_Delete(teams);
        return false;
    }
    struct team_use use = team_use_from_row(rows, 0);
    add_team(call, teams, team, &use);
    return show_teams(call, teams, err);
}

bool quota_run(struct call *call, struct error *err)
{
    const char *first = words_item(call->words, 0);
    if (first && strcmp(first, "set") == 0)
        return set(call, err);
    return show(call, first, err);
}
