#include "lifecycle/story.h"

#include "base/duration.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

/* {hole} is filled with a value; what is in [brackets] is left out when a hole in it has none. */
static const struct {
    const char *event, *words;
} sentences[] = {
    {"request", "{who} asked for it: {wish}.[ Reason: “{reason}”]"},
    {"request-without-approval",
     "{who} asked for it: {wish}. It needed nobody's approval.[ Reason: “{reason}”]"},
    {"break-glass", "{who} broke the glass and started it without an approval: {wish}.[ Reason: "
                    "“{reason}”][ Allowed by {rule}.]"},
    {"review-seen", "{who} has seen that the glass was broken.[ Allowed by {rule}.]"},
    {"review-end", "{who} ended it after the glass was broken.[ Allowed by {rule}.]"},
    {"vote", "{who} approved it.[ Still needed: {needed}.][ Allowed by {rule}.]"},
    {"vote-taken-back", "{who} took their vote back.[ Still needed: {needed}.]"},
    {"votes-recounted", "The votes were counted again.[{lost}][ Still needed: {needed}.]"},
    {"amend", "{who} changed it to approve it: {changes}.[ Votes that counted no more: {names}.]"},
    {"shown-anew",
     "It was not what its card showed, so that was shown anew.[ Votes that counted no "
     "more: {names}.]"},
    {"approve", "{who} approved it, and that decided: {wish}.[ “{decision_reason}”][ Allowed by "
                "{rule}.]"},
    {"change-request", "{who} asked for {more}: {before} → {after}.[ “{decision_reason}”]"},
    {"change-denied", "{who} denied that.[ “{decision_reason}”][ Allowed by {rule}.]"},
    {"change-withdrawn", "{who} took that wish back."},
    {"change-lapsed", "Nobody decided that in time, or it ran no more."},
    {"deny", "{who} denied it.[ “{decision_reason}”][ Allowed by {rule}.]"},
    {"withdraw", "{who} withdrew the request."},
    {"lapse", "Nobody decided in time; the request lapsed."},
    {"remind", "The approvers were reminded[: {names}]."},
    {"escalate", "Nobody had decided; it was shown in a second channel."},
    {"ask", "{who} asked: “{question}”"},
    {"answer", "{who} answered: “{answer}”"},
    {"nobody-can-approve", "Nobody could approve it under the rules of that moment[: {missing}]."},
    {"code-wrong", "{who} gave a one-time code that was not right."},
    {"refused", "{who} was refused ({asked}): {answer}"},
    {"start", "Creating it began."},
    {"ready", "It was ready[, until {until}]."},
    {"try-again",
     "Creating it failed, and was to be tried again by itself.[ {cause}][ “{cause_line}”]"},
    {"fail", "Creating it failed.[ {cause}][ “{cause_line}”]"},
    {"warn", "Its owner was warned that its time runs out."},
    {"extend", "{who} gave it[ {more}] more time[, until {until}].[ Allowed by {rule}.]"},
    {"scale",
     "{who} changed its number of nodes[ from {change.from}][ to {change.to}].[ Allowed by "
     "{rule}.]"},
    {"scaled", "It has[ {change.to}] nodes now."},
    {"upgrade", "{who} had Kubernetes upgraded[ from {change.from}][ to {change.to}]."},
    {"upgraded", "All of it has Kubernetes[ {change.to}] now."},
    {"sleep", "{who} put it to sleep."},
    {"slept", "It was asleep: no nodes ran."},
    {"wake", "{who} woke it."},
    {"schedule", "{who} changed when it sleeps[: it {answer}]."},
    {"turn-skipped", "Its schedule came to a turn that it could not take[: {answer}]."},
    {"woken", "It was awake again[, with {change.to} nodes]."},
    {"wake-failed", "Waking it failed; it slept on.[ {cause}][ “{cause_line}”]"},
    {"change-failed", "A change of it failed; it goes on as it is.[ {cause}][ “{cause_line}”]"},
    {"delete", "{who} had it deleted."},
    {"expire", "Its time was up; deleting it began."},
    {"delete-failed", "Deleting it failed and was tried again.[ “{cause_line}”]"},
    {"stuck", "Deleting it failed too often; the operators were told.[ {cause}]"},
    {"gone", "Nothing of it was left."},
    {"retry", "{who} tried it again."},
    {"pause", "{who} paused provisioning: “{reason}”[ Allowed by {rule}.]"},
    {"resume", "{who} let provisioning go on.[ Allowed by {rule}.]"},
    {"mail-missing", "Its owner has no mail address; no mail was sent."},
};
static const char otherwise[] = "{who}: {event}[, which made it {to_state}].";

static const char *words_of(const char *event)
{
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (strcmp(sentences[i].event, event) == 0)
            return sentences[i].words;
    return otherwise;
}

/* "2026-11-25 05:34:34 UTC" */
static char *moment(const void *ctx, time_t at)
{
    struct tm utc;
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&at, &utc));
    return talloc_strdup(ctx, text);
}

/* In one line, and nothing in it that does something to a terminal or to what is read. */
static char *plain(const void *ctx, const char *text)
{
    char *clean = text_clean(ctx, text_cut(ctx, text, 1000));
    for (char *c = clean; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    return clean;
}

/* "small in eu-central-1, nodes 2, version 1.34, for 8 h, about $219 a month" */
static char *wish_words(const void *ctx, const cJSON *values)
{
    char *text = talloc_asprintf(ctx, "%s in %s", json_string_or_empty(values, "template"),
                                 json_string_or_empty(values, "region"));
    const cJSON *each;
    cJSON_ArrayForEach (each, json_at(values, "parameters")) {
        const char *value = cJSON_IsString(each) ? each->valuestring : json_text(ctx, each);
        text = talloc_asprintf_append_buffer(text, ", %s %s", each->string, value);
    }
    int64_t ttl = json_integer(values, "ttl_seconds", 0);
    if (ttl)
        text = talloc_asprintf_append_buffer(text, ", for %s", duration_text(ctx, ttl));
    double monthly = json_number(values, "monthly_usd", 0);
    if (monthly > 0)
        text = talloc_asprintf_append_buffer(text, ", about $%s a month",
                                             text_money(ctx, monthly, false));
    return text;
}

/* "" where there is nothing to say. */
static const char *value_of(const void *ctx, const cJSON *row, const char *hole)
{
    const cJSON *detail = json_at(row, "detail"), *values = json_at(detail, "values");
    if (strcmp(hole, "who") == 0)
        return plain(ctx, json_string_or_empty(row, "actor_name"));
    if (strcmp(hole, "wish") == 0)
        return values ? plain(ctx, wish_words(ctx, values)) : "as the request says";
    if (strcmp(hole, "reason") == 0)
        return plain(ctx, json_string_or_empty(values ? values : detail, "reason"));
    if (strcmp(hole, "until") == 0) {
        int64_t at = json_integer(detail, "expires_at", 0);
        return at ? moment(ctx, (time_t)at) : "";
    }
    const cJSON *of_row = cJSON_GetObjectItemCaseSensitive(row, hole);
    const cJSON *found = of_row ? of_row : json_at(detail, hole);
    return cJSON_IsString(found)   ? plain(ctx, found->valuestring)
           : cJSON_IsNumber(found) ? json_text(ctx, found)
                                   : "";
}

/* Fills words up to end; *empty when a hole had no value. */
static char *fill(const void *ctx, const cJSON *row, const char *words, const char *end,
                  bool *empty)
{
    char *text = talloc_strdup(ctx, "");
    *empty = false;
    while (words < end) {
        size_t used = strcspn(words, "{[");
        if (used > (size_t)(end - words))
            used = (size_t)(end - words);
        text = talloc_strndup_append_buffer(text, words, used);
        words += used;
        if (words == end)
            break;
        const char *close = strchr(words, *words == '{' ? '}' : ']');
        if (*words == '{') {
            char *hole = talloc_strndup(ctx, words + 1, (size_t)(close - words - 1));
            const char *value = value_of(ctx, row, hole);
            *empty = *empty || !*value;
            text = talloc_strdup_append_buffer(text, value);
        } else {
            bool nothing;
            char *part = fill(ctx, row, words + 1, close, &nothing);
            text = talloc_strdup_append_buffer(text, nothing ? "" : part);
        }
        words = close + 1;
    }
    return text;
}

char *story_sentence(const void *ctx, const cJSON *row)
{
    const char *words = words_of(json_string_or_empty(row, "event"));
    void *tmp = talloc_new(NULL);
    bool empty;
    char *text = talloc_strdup(ctx, fill(tmp, row, words, words + strlen(words), &empty));
    talloc_free(tmp);
    return text;
}

static cJSON *environment_part(const void *ctx, const struct rows *rows, int i)
{
    static const char *const copied[] = {"team", "name", "template", "owner_workspace", "owner_id"};
    cJSON *part = cJSON_CreateObject();
    for (size_t k = 0; k < sizeof copied / sizeof *copied; k++)
        json_set_string(part, copied[k], rows_text(rows, i, copied[k]));
    json_set_format(part, "title", "%s/%s, number %s: of %s, asked for on %s, now %s",
                    rows_text(rows, i, "team"), rows_text(rows, i, "name"),
                    rows_text(rows, i, "id"), plain(ctx, rows_text(rows, i, "owner_name")),
                    rows_text(rows, i, "day"), rows_text(rows, i, "state"));
    return part;
}

/* The lines of each environment, in one question. */
static bool add_lines(const void *ctx, struct db *db, const char *ids, cJSON *by_id,
                      struct error *err)
{
    struct rows *rows =
        db_query(ctx, db, err,
                 "SELECT environment, to_char(at, 'YYYY-MM-DD HH24:MI:SS') AS moment,"
                 " jsonb_build_object('event', event, 'actor_name', actor_name,"
                 "  'from_state', from_state, 'to_state', to_state, 'rule', rule,"
                 "  'detail', detail) AS told"
                 " FROM audit WHERE environment = ANY ($1::bigint[]) ORDER BY id",
                 P(ids));
    if (!rows)
        return false;
    for (int i = 0; i < rows_count(rows); i++) {
        cJSON *part = cJSON_GetObjectItemCaseSensitive(by_id, rows_text(rows, i, "environment"));
        cJSON *lines = cJSON_GetObjectItemCaseSensitive(part, "lines");
        cJSON *line = cJSON_CreateObject();
        char *text = story_sentence(rows, rows_json(rows, rows, i, "told"));
        json_set_string(line, "at", rows_text(rows, i, "moment"));
        json_set_string(line, "text", text);
        cJSON_AddItemToArray(lines, line);
    }
    talloc_free(rows);
    return true;
}

cJSON *story_read(const void *ctx, struct db *db, const char *team, const char *name,
                  struct error *err)
{
    /* By teams, because the index has the team first. */
    struct rows *rows = db_query(
        ctx, db, err,
        "SELECT * FROM (SELECT e.id, e.team, e.name, e.template, e.owner_workspace, e.owner_id,"
        "  e.owner_name, e.state, to_char(e.created_at, 'YYYY-MM-DD') AS day FROM environments e"
        "  WHERE e.name = $1 AND e.team IN (SELECT t.name FROM teams t)"
        "  AND ($2::text IS NULL OR e.team = $2) ORDER BY e.id DESC LIMIT 100) latest ORDER BY id",
        P(name, team));
    if (!rows)
        return NULL;
    cJSON *by_id = json_object(ctx), *story = json_array(ctx);
    char *ids = talloc_strdup(ctx, "{");
    for (int i = 0; i < rows_count(rows); i++) {
        const char *id = rows_text(rows, i, "id");
        cJSON *part = environment_part(ctx, rows, i);
        json_set(part, "lines", cJSON_CreateArray());
        json_set(by_id, id, part);
        ids = talloc_asprintf_append_buffer(ids, "%s%s", i ? "," : "", id);
    }
    if (!add_lines(ctx, db, talloc_strdup_append_buffer(ids, "}"), by_id, err))
        return NULL;
    while (by_id->child)
        cJSON_AddItemToArray(story, cJSON_DetachItemViaPointer(by_id, by_id->child));
    return story;
}

char *story_text(const void *ctx, const cJSON *story)
{
    char *text = talloc_strdup(ctx, "");
    const cJSON *part, *line;
    cJSON_ArrayForEach (part, story) {
        text = talloc_asprintf_append_buffer(text, "%s%s\n", *text ? "\n" : "",
                                             json_string_or_empty(part, "title"));
        cJSON_ArrayForEach (line, json_at(part, "lines"))
            text =
                talloc_asprintf_append_buffer(text, "  %s  %s\n", json_string_or_empty(line, "at"),
                                              json_string_or_empty(line, "text"));
    }
    return text;
}
