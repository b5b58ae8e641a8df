#include "lifecycle/report.h"

#include "base/duration.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

static bool this_month(struct db *db, char month[8], struct error *err)
{
    struct rows *rows =
        db_query(NULL, db, err, "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS month", P0);
    if (rows)
        snprintf(month, 8, "%s", rows_text(rows, 0, "month"));
    talloc_free(rows);
    return rows;
}

static bool read_month(struct db *db, const char *given, char month[8], struct error *err)
{
    if (!given || !*given)
        return this_month(db, month, err);
    bool ok = strlen(given) == 7 && given[4] == '-';
    for (int i = 0; ok && i < 7; i++)
        ok = i == 4 || isdigit((unsigned char)given[i]);
    int number = ok ? (given[5] - '0') * 10 + given[6] - '0' : 0;
    if (number < 1 || number > 12 || given[0] == '0')
        return error_set(err, ERROR_USAGE, "A month is written like 2026-11.");
    memcpy(month, given, 8);
    return true;
}

/* The month's bounds, as PostgreSQL reads them. */
static void bounds(const void *ctx, const char *month, const char **begin, const char **end)
{
    int year = atoi(month), number = atoi(month + 5);
    *begin = talloc_asprintf(ctx, "%s-01 00:00:00Z", month);
    *end = talloc_asprintf(ctx, "%04d-%02d-01 00:00:00Z", number == 12 ? year + 1 : year,
                           number % 12 + 1);
}

/* One team's month. What ran is found by its range, what was decided by its time, each in an index.
   The bounds are parameters and not computed in the statement: so PostgreSQL knows how few rows lie
   between them and does not read all. */
static struct rows *ask(const void *ctx, struct db *db, const char *month, const char *team,
                        struct error *err)
{
    const char *begin, *end;
    bounds(ctx, month, &begin, &end);
    return db_query(
        ctx, db, err,
        "WITH ran AS (SELECT CASE WHEN e.rates IS NULL THEN greatest(0, extract(epoch FROM"
        "   least(coalesce(e.ended_at, now()), $3::timestamptz, now())"
        "   - greatest(e.started_at, $2::timestamptz)) / 3600)"
        /* what cost nothing did not run: between a failure and its retry */
        "  ELSE (SELECT coalesce(sum(greatest(0, extract(epoch FROM"
        "    least(r.until, coalesce(e.ended_at, now()), $3::timestamptz, now())"
        "    - greatest(r.since, $2::timestamptz)) / 3600)) FILTER (WHERE usd > 0), 0) FROM"
        "    (SELECT usd, until, lag(until, 1, e.started_at) OVER (ORDER BY until) AS since FROM"
        "     (SELECT usd, until FROM jsonb_to_recordset(e.rates)"
        "       AS past(usd numeric, until timestamptz)"
        "      UNION ALL SELECT e.hourly_usd, 'infinity') rates) r) END AS hours,"
        "  CASE WHEN e.rates IS NULL THEN e.hourly_usd * greatest(0, extract(epoch FROM"
        "   least(coalesce(e.ended_at, now()), $3::timestamptz, now())"
        "   - greatest(e.started_at, $2::timestamptz)) / 3600)"
        "  ELSE (SELECT sum(r.usd * greatest(0, extract(epoch FROM"
        "    least(r.until, coalesce(e.ended_at, now()), $3::timestamptz, now())"
        "    - greatest(r.since, $2::timestamptz)) / 3600)) FROM"
        "    (SELECT usd, until, lag(until, 1, e.started_at) OVER (ORDER BY until) AS since FROM"
        "     (SELECT usd, until FROM jsonb_to_recordset(e.rates)"
        "       AS past(usd numeric, until timestamptz)"
        "      UNION ALL SELECT e.hourly_usd, 'infinity') rates) r) END AS cost"
        "  FROM environments e WHERE e.started_at IS NOT NULL AND e.team = $1"
        "  AND tstzrange(e.started_at, e.ended_at)"
        "   && tstzrange($2::timestamptz, $3::timestamptz)),"
        " said AS (SELECT d.word, extract(epoch FROM d.decided_at - e.created_at) AS wait"
        "  FROM decisions d JOIN environments e ON e.id = d.environment"
        "  WHERE e.team = $1 AND d.decided_at >= $2::timestamptz"
        "  AND d.decided_at < $3::timestamptz)"
        " SELECT (SELECT count(*) FROM ran) AS environments,"
        " (SELECT coalesce(sum(hours), 0) FROM ran) AS hours,"
        " (SELECT coalesce(sum(cost), 0) FROM ran) AS cost,"
        " (SELECT count(*) FROM said WHERE word = 'approve') AS approvals,"
        " (SELECT count(*) FROM said WHERE word = 'deny') AS denied,"
        " (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY wait) FROM said"
        "  WHERE word = 'approve') AS median_wait,"
        " (SELECT monthly_usd FROM teams WHERE name = $1) AS limit_usd",
        P(team, begin, end));
}

/* Adds what was started in the month by breaking the glass, with what came of its review. */
static bool add_glass(const void *ctx, struct db *db, const char *month, const char *team,
                      cJSON *list, struct error *err)
{
    const char *begin, *end;
    bounds(ctx, month, &begin, &end);
    struct rows *rows =
        db_query(ctx, db, err,
                 "SELECT name, owner_name, reason, review FROM environments WHERE break_glass"
                 " AND team = $1 AND created_at >= $2::timestamptz AND created_at < $3::timestamptz"
                 " ORDER BY created_at, id",
                 P(team, begin, end));
    for (int i = 0; rows && i < rows_count(rows); i++) {
        const cJSON *review = rows_json(ctx, rows, i, "review");
        cJSON *item = cJSON_CreateObject();
        json_set_string(item, "team", team);
        json_set_string(item, "name", rows_text(rows, i, "name"));
        json_set_string(item, "by", rows_text(rows, i, "owner_name"));
        json_set_string(item, "reason", text_line(ctx, rows_text(rows, i, "reason")));
        json_set_format(item, "reviewed", review ? "%s by %s" : "not reviewed%s%s",
                        json_string_or_empty(review, "word"), json_string_or_empty(review, "by"));
        cJSON_AddItemToArray(list, item);
    }
    return rows != NULL;
}

/* Adds what could not be deleted and goes on costing, with what that is an hour. */
static bool add_stuck(const void *ctx, struct db *db, const char *team, cJSON *list,
                      struct error *err)
{
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT name, region, hourly_usd FROM environments"
                                 " WHERE ended_at IS NULL AND stuck AND team = $1 ORDER BY id",
                                 P(team));
    for (int i = 0; rows && i < rows_count(rows); i++) {
        cJSON *item = cJSON_CreateObject();
        json_set_string(item, "team", team);
        json_set_string(item, "name", rows_text(rows, i, "name"));
        json_set_string(item, "region", rows_text(rows, i, "region"));
        json_set_format(item, "hourly", "$%s",
                        text_money(ctx, rows_number(rows, i, "hourly_usd", 0), true));
        cJSON_AddItemToArray(list, item);
    }
    return rows != NULL;
}

static void add(cJSON *total, const char *key, double amount)
{
    json_set_number(total, key, json_number(total, key, 0) + amount);
}

cJSON *report_read(const void *ctx, struct db *db, const char *given, const char *const *teams,
                   struct error *err)
{
    static const char *const sums[] = {"environments", "hours", "cost", "approvals", "denied"};
    char month[8];
    if (!read_month(db, given, month, err))
        return NULL;
    cJSON *report = json_object(ctx), *list = cJSON_CreateArray(), *total = cJSON_CreateObject();
    cJSON *glass = cJSON_CreateArray();
    json_set_string(report, "month", month);
    json_set(report, "teams", list);
    json_set(report, "total", total);
    json_set(report, "glass", glass);
    cJSON *stuck = cJSON_CreateArray();
    json_set(report, "quarantine", stuck);
    for (; *teams; teams++) {
        struct rows *rows = ask(ctx, db, month, *teams, err);
        if (!rows || !add_glass(ctx, db, month, *teams, glass, err) ||
            !add_stuck(ctx, db, *teams, stuck, err))
            return NULL;
        cJSON *row = cJSON_CreateObject();
        json_set_string(row, "team", *teams);
        for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
            double value = rows_number(rows, 0, sums[i], 0);
            json_set_number(row, sums[i], value);
            add(total, sums[i], value);
        }
        double limit = rows_number(rows, 0, "limit_usd", -1);
        json_set_number(row, "median_wait", rows_number(rows, 0, "median_wait", -1));
        json_set_number(row, "limit", limit);
        json_set_number(row, "used_percent",
                        limit > 0 ? rows_number(rows, 0, "cost", 0) / limit * 100 : -1);
        cJSON_AddItemToArray(list, row);
        talloc_free(rows);
    }
    return report;
}

/* A team's starts without an approval as one field: "demo, developer: why (not reviewed)", one
   after the other. It begins with a name, so no spreadsheet takes it for a formula. */
static char *csv_glass(const void *ctx, const cJSON *report, const char *team)
{
    char *text = talloc_strdup(ctx, "\"");
    const cJSON *item;
    cJSON_ArrayForEach (item, json_at(report, "glass")) {
        if (strcmp(json_string_or_empty(item, "team"), team) != 0)
            continue;
        char *line = talloc_asprintf(
            ctx, "%s%s, %s: %s (%s)", text[1] ? "; " : "", json_string_or_empty(item, "name"),
            json_string_or_empty(item, "by"), json_string_or_empty(item, "reason"),
            json_string_or_empty(item, "reviewed"));
        for (const char *c = line; *c; c++)
            text = talloc_strndup_append_buffer(text, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    }
    return text[1] ? talloc_strdup_append(text, "\"") : talloc_strdup(ctx, "");
}

char *report_csv(const void *ctx, const cJSON *report)
{
    char *text = talloc_strdup(ctx, "month,team,environments,hours,estimated_usd,approvals,denied,"
                                    "median_wait_seconds,monthly_limit_usd,broke_glass\r\n");
    const cJSON *row;
    cJSON_ArrayForEach (row, json_at(report, "teams")) {
        double wait = json_number(row, "median_wait", -1), limit = json_number(row, "limit", -1);
        text = talloc_asprintf_append(
            text, "%s,%s,%.0f,%.2f,%.2f,%.0f,%.0f,", json_string_or_empty(report, "month"),
            json_string_or_empty(row, "team"), json_number(row, "environments", 0),
            json_number(row, "hours", 0), json_number(row, "cost", 0),
            json_number(row, "approvals", 0), json_number(row, "denied", 0));
        if (wait >= 0)
            text = talloc_asprintf_append(text, "%.0f", wait);
        text = talloc_strdup_append(text, ",");
        if (limit >= 0)
            text = talloc_asprintf_append(text, "%.2f", limit);
        text = talloc_asprintf_append(text, ",%s\r\n",
                                      csv_glass(ctx, report, json_string_or_empty(row, "team")));
    }
    return text;
}

/* "38% of $5,000", "no limit" */
static char *limit_text(const void *ctx, const cJSON *row)
{
    double limit = json_number(row, "limit", -1);
    if (limit < 0)
        return talloc_strdup(ctx, "no limit");
    if (limit == 0)
        return talloc_strdup(ctx, "of $0");
    return talloc_asprintf(ctx, "%.0f%% of $%s", json_number(row, "used_percent", 0),
                           text_money(ctx, limit, false));
}

void report_words(cJSON *row)
{
    void *tmp = talloc_new(NULL);
    double wait = json_number(row, "median_wait", -1);
    json_set_format(row, "environments_text", "%.0f", json_number(row, "environments", 0));
    json_set_format(row, "hours_text", "%.1f", json_number(row, "hours", 0));
    json_set_format(row, "cost_text", "$%s", text_money(tmp, json_number(row, "cost", 0), true));
    json_set_format(row, "approvals_text", "%.0f", json_number(row, "approvals", 0));
    json_set_string(row, "wait_text", wait < 0 ? "-" : duration_text(tmp, (int64_t)wait));
    json_set_string(row, "limit_text", limit_text(tmp, row));
    talloc_free(tmp);
}

/* Not too long, and without the marks that would end the block of code it is shown in. */
static char *quiet(const void *ctx, const char *words)
{
    char *text = text_cut(ctx, words, 200);
    for (char *c = text; *c; c++)
        *c = *c == '`' ? '\'' : *c;
    return text;
}

/* What was started without an approval, a line each; "" when nothing was. */
static char *glass_text(const void *ctx, const cJSON *report)
{
    char *text = talloc_strdup(ctx, "");
    const cJSON *item;
    cJSON_ArrayForEach (item, json_at(report, "glass"))
        text = talloc_asprintf_append(
            text, "%s%s/%s, %s: %s (%s)\n", *text ? "" : "\nStarted by breaking the glass:\n",
            json_string_or_empty(item, "team"), json_string_or_empty(item, "name"),
            json_string_or_empty(item, "by"), quiet(ctx, json_string_or_empty(item, "reason")),
            json_string_or_empty(item, "reviewed"));
    return text;
}

static char *stuck_text(const void *ctx, const cJSON *report)
{
    char *text = talloc_strdup(ctx, "");
    const cJSON *item;
    cJSON_ArrayForEach (item, json_at(report, "quarantine"))
        text = talloc_asprintf_append(
            text, "%s%s/%s in %s, up to %s an hour\n",
            *text ? "" : "\nCould not be deleted, and goes on costing:\n",
            json_string_or_empty(item, "team"), json_string_or_empty(item, "name"),
            json_string_or_empty(item, "region"), json_string_or_empty(item, "hourly"));
    return text;
}

char *report_text(const void *ctx, const cJSON *report)
{
    static const char *const columns[] = {"environments_text", "hours_text", "cost_text",
                                          "approvals_text",    "wait_text",  "limit_text"};
    char *text =
        talloc_asprintf(ctx, "%-20s %12s %8s %12s %9s %12s %16s\n", "team", "environments", "hours",
                        "cost (est.)", "approvals", "median wait", "of the limit");
    const cJSON *each;
    cJSON_ArrayForEach (each, json_at(report, "teams")) {
        cJSON *row = json_own(ctx, cJSON_Duplicate(each, true));
        report_words(row);
        text = talloc_asprintf_append(text, "%-20s", json_string_or_empty(row, "team"));
        static const int widths[] = {12, 8, 12, 9, 12, 16};
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
            text = talloc_asprintf_append(text, " %*s", widths[i],
                                          json_string_or_empty(row, columns[i]));
        text = talloc_strdup_append(text, "\n");
    }
    text = talloc_strdup_append(text, glass_text(ctx, report));
    return talloc_strdup_append(text, stuck_text(ctx, report));
}
