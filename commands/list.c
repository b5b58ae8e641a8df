#include "commands/commands.h"

#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/change_request.h"
#include "lifecycle/pausing.h"
#include "lifecycle/view.h"

#include <string.h>
#include <talloc.h>

/* A message has at most 50 blocks and a table 100 rows; nobody reads more than this in a chat. */
enum { MOST_SHOWN = 40 };

static const char *const states[] = {"pending",  "queued",    "creating", "ready",
                                     "changing", "asleep",    "deleting", "deleted",
                                     "denied",   "withdrawn", "lapsed",   "failed"};

static bool known_state(struct call *call, const char *state, struct error *err)
{
    size_t count = sizeof states / sizeof *states;
    for (size_t i = 0; state && i < count; i++)
        if (strcmp(states[i], state) == 0)
            return true;
    if (!state)
        return true;
    return call_no_such(call, "state", state, states, count, err);
}

/* Lists are what people type most: no more is read than a line shows. */
#define LINE_COLUMNS                                                                               \
    "e.id, e.team, e.name, e.cluster, e.region, e.template, e.owner_workspace, e.owner_id, "       \
    "e.owner_name, e.state,"                                                                       \
    " e.stuck,"                                                                                    \
    " (SELECT c.kind FROM change_requests c"                                                       \
    "   WHERE c.environment = e.id AND c.state = 'pending') AS wanted, extract(epoch FROM "        \
    "e.expires_at)::bigint AS expires_at,"                                                         \
    " extract(epoch FROM e.ended_at)::bigint AS ended_at, extract(epoch FROM now())::bigint AS "   \
    "now"

/* The living; with a state that is an end, the latest that ended in it. NULL parameters do not
   restrict. Each question is read from an index of its own, and planned once a connection. */
static struct rows *read_rows(struct call *call, const char *team, const char *owner,
                              const char *state, bool past, struct error *err)
{
    /* Their rows must not fill the list in place of those that are shown. */
    const char *hidden = call_hidden_teams(call), *me = call->person->id,
               *workspace = call->person->workspace;
    if (past)
        return db_query_last(
            call, call->db, err,
            "SELECT " LINE_COLUMNS " FROM environments e"
            " WHERE e.state = $3 AND ($1::text IS NULL OR e.team = $1)"
            " AND ($2::text IS NULL OR (e.owner_id = $2 AND e.owner_workspace = $6))"
            " AND (e.team <> ALL ($4::text[])"
            " OR (e.owner_id = $5 AND e.owner_workspace = $6))"
            " AND e.id > (SELECT max(id) FROM environments) - 1000"
            " ORDER BY e.id DESC LIMIT 41",
            P(team, owner, state, hidden, me, workspace));
    if (team && !owner && !state)
        return db_query_last(call, call->db, err,
                             "SELECT " LINE_COLUMNS " FROM environments e"
                             " WHERE e.ended_at IS NULL AND e.team = $1"
                             " ORDER BY e.name LIMIT 41",
                             P(team));
    return db_query_last(call, call->db, err,
                         "SELECT " LINE_COLUMNS " FROM environments e"
                         " WHERE e.ended_at IS NULL AND ($1::text IS NULL OR e.team = $1)"
                         " AND ($2::text IS NULL OR (e.owner_id = $2 AND e.owner_workspace = $6))"
                         " AND ($3::text IS NULL OR e.state = $3)"
                         " AND (e.team <> ALL ($4::text[])"
                         " OR (e.owner_id = $5 AND e.owner_workspace = $6))"
                         " ORDER BY e.team, e.name LIMIT 41",
                         P(team, owner, state, hidden, me, workspace));
}

/* A row of LINE_COLUMNS, whose texts it borrows. */
static struct environment line_of(const struct rows *rows, int row)
{
    return (struct environment){
        .id = rows_integer(rows, row, "id", 0),
        .team = rows_text(rows, row, "team"),
        .name = rows_text(rows, row, "name"),
        .cluster = rows_text(rows, row, "cluster"),
        .region = rows_text(rows, row, "region"),
        .template = rows_text(rows, row, "template"),
        .owner_workspace = rows_text(rows, row, "owner_workspace"),
        .owner_id = rows_text(rows, row, "owner_id"),
        .owner_name = rows_text(rows, row, "owner_name"),
        .state = rows_text(rows, row, "state"),
        .stuck = rows_true(rows, row, "stuck"),
        .expires_at = rows_integer(rows, row, "expires_at", 0),
        .ended_at = rows_integer(rows, row, "ended_at", 0),
        .now = rows_integer(rows, row, "now", 0),
    };
}

/* Which teams this person may look into; NULL in *only: all of them. */
static bool choose_team(struct call *call, const char **team, const char **owner, struct error *err)
{
    const char *named = words_option(call->words, "team");
    bool all = words_option(call->words, "all") != NULL;
    *owner = words_option(call->words, "mine") ? call->person->id : NULL;
    *team = NULL;
    if (named) {
        return call_team(call, named, team, err) &&
               call_may(call, "list", "environments", *team, "", err);
    }
    const char **own = people_teams(call, call->app->people, call->person);
    if (!all && !*owner && own[0] && !own[1])
        *team = own[0];
    return true;
}

bool list_run(struct call *call, struct error *err)
{
    const char *team, *owner, *state = words_option(call->words, "state");
    if (words_item(call->words, 0))
        return error_set(err, ERROR_USAGE,
                         "`list` takes options only, not `%s`. Did you mean `%s show %s`?",
                         text_mrkdwn(call, text_cut(call, words_item(call->words, 0), 60)),
                         call->app->config->slack.command,
                         text_mrkdwn(call, text_cut(call, words_item(call->words, 0), 60)));
    if (!known_state(call, state, err) || !choose_team(call, &team, &owner, err))
        return false;
    bool past = state && (strcmp(state, "deleted") == 0 || strcmp(state, "denied") == 0 ||
                          strcmp(state, "withdrawn") == 0 || strcmp(state, "lapsed") == 0);
    struct rows *paused = NULL;
    pause_ask(call, call->db, &paused);
    struct rows *rows = read_rows(call, team, owner, state, past, err);
    if (!rows)
        return false;
    cJSON *values = json_object(call), *items = cJSON_CreateArray();
    char *text = talloc_strdup(call, ""); /* for whoever cannot see the blocks */
    int shown = 0;
    for (int i = 0; i < rows_count(rows) && shown < MOST_SHOWN; i++) {
        struct environment env = line_of(rows, i);
        if (!call_sees(call, env.team) && !call_owns(call, &env))
            continue;
        const struct template *template = template_find(call->app->templates, env.template);
        const char *title = template ? template->title : env.template;
        cJSON *line = view_line(&env, title);
        const char *wanted = change_request_waits(rows_text(rows, i, "wanted"));
        json_set_format(line, "wanted_words", *wanted ? "· :raised_hand: %s" : "%s", wanted);
        cJSON_AddItemToArray(items, line);
        text = talloc_asprintf_append_buffer(text, "\n%s/%s %s%s%s, %s of %s", env.team, env.name,
                                             json_string_or_empty(line, "state_word"),
                                             *wanted ? ", " : "", wanted, title, env.owner_name);
        shown++;
    }
    json_set(values, "items", items);
    json_set_string(values, "pause_words", pausing_words(call, pause_from_row(call, paused)));
    json_set_string(values, "command", call->app->config->slack.command);
    json_set_string(values, "where", team ? team : owner ? "yours" : "all teams");
    json_set_string(values, "text", text_cut(call, text, 3000));
    json_set_number(values, "count", shown);
    json_set_bool(values, "more", rows_count(rows) > MOST_SHOWN);
    return reply_template(call, shown ? "reply-list" : "reply-list-empty", values, err);
}
