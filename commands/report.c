/* `/env report`: table and chart, text for who sees no blocks, --csv as a file. */
#include "lifecycle/report.h"

#include "base/duration.h"
#include "base/text.h"
#include "commands/commands.h"
#include "lifecycle/say.h"

#include <string.h>
#include <talloc.h>

static const char **choose_teams(struct call *call, struct error *err)
{
    const struct config *config = call->app->config;
    const char *only = words_item(call->words, 0);
    if (only && !call_team(call, only, &only, err))
        return NULL;
    if (only && !call_may(call, "get", "reports", only, "", err))
        return NULL;
    const char **teams = talloc_zero_array(call, const char *, (unsigned)config->team_count + 1);
    int count = 0;
    for (int i = 0; i < config->team_count; i++) {
        const char *name = config->teams[i].name;
        if ((!only || strcmp(only, name) == 0) &&
            people_may(call->rules, call->person, "get", "reports", name, "", NULL))
            teams[count++] = name;
    }
    if (!count)
        error_set(err, ERROR_DENIED, "The rules do not let you read any team's report.");
    return count ? teams : NULL;
}

/* A message takes 50 blocks; the text and the file have them all. */
static void keep_some_glass(cJSON *values)
{
    enum { SHOWN_MOST = 30 };
    cJSON *list = cJSON_GetObjectItemCaseSensitive(values, "glass");
    int more = cJSON_GetArraySize(list) - SHOWN_MOST;
    while (cJSON_GetArraySize(list) > SHOWN_MOST)
        cJSON_DeleteItemFromArray(list, SHOWN_MOST);
    json_set_format(values, "more", more > 0 ? "and %d more: `--csv` has them all" : "", more);
}

/* What could not be deleted, a line each, in one block. */
static void word_quarantine(struct call *call, cJSON *values)
{
    char *text = talloc_strdup(call, "");
    const cJSON *item;
    cJSON_ArrayForEach (item, json_at(values, "quarantine"))
        text = talloc_asprintf_append(
            text, "*%s/%s* in %s, up to %s an hour\n", json_string_or_empty(item, "team"),
            json_string_or_empty(item, "name"), json_string_or_empty(item, "region"),
            json_string_or_empty(item, "hourly"));
    json_set_string(values, "quarantine_words", text_cut(call, text, 2800));
}

/* The numbers as people read them, beside the numbers for the chart. */
static cJSON *readable(struct call *call, const cJSON *report)
{
    cJSON *values = json_own(call, cJSON_Duplicate(report, true));
    cJSON *row;
    cJSON *teams = cJSON_GetObjectItemCaseSensitive(values, "teams");
    cJSON_ArrayForEach (row, teams) {
        report_words(row);
        double spent = json_number(row, "cost", 0);
        json_set_number(row, "cost_rounded", (double)(int64_t)(spent * 100 + 0.5) / 100);
        json_set_string(row, "short", text_cut(call, json_string_or_empty(row, "team"), 20));
    }
    double cost = json_number(report, "total.cost", 0);
    json_set_format(values, "total_cost", "$%s", text_money(call, cost, true));
    json_set_format(values, "total_environments", "%.0f",
                    json_number(report, "total.environments", 0));
    keep_some_glass(values);
    word_quarantine(call, values);
    json_set_string(values, "text", report_text(call, report));
    /* A chart takes at most 20 points, and one without any height shows nothing. */
    json_set_bool(values, "chart", cost >= 0.005 && cJSON_GetArraySize(teams) <= 20);
    return values;
}

bool report_run(struct call *call, struct error *err)
{
    const char **teams = choose_teams(call, err);
    if (!teams)
        return false;
    cJSON *report = report_read(call, call->db, words_option(call->words, "month"), teams, err);
    if (!report)
        return false;
    const char *month = json_string_or_empty(report, "month");
    if (words_option(call->words, "csv")) {
        say_upload(call->db, call->person->id, talloc_asprintf(call, "envbot-%s.csv", month),
                   talloc_asprintf(call, "Report of %s", month), report_csv(call, report),
                   talloc_asprintf(call, "The report of %s. Costs are estimates.", month));
        reply_text(call, "The report of %s comes to you as a file, in a direct message.", month);
        return true;
    }
    return reply_template(call, "reply-report", readable(call, report), err);
}
