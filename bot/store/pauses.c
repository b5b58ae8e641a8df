#include "store/pauses.h"

#include "store/jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <talloc.h>

#define SELECT_PAUSES                                                                              \
    "SELECT id, workspace, user_id, user_name, reason, everything,"                                \
    " extract(epoch FROM paused_at)::bigint AS since, resumed_at IS NOT NULL AS over FROM pauses"
#define OPEN_PAUSE SELECT_PAUSES " WHERE resumed_at IS NULL"

void pause_ask(const void *ctx, struct db *db, struct rows **rows)
{
    db_ask(ctx, db, rows, OPEN_PAUSE, P0);
}

void pause_ask_for(const void *ctx, struct db *db, const char *environment, struct rows **rows)
{
    db_ask(ctx, db, rows,
           OPEN_PAUSE " AND (EXISTS (SELECT FROM environments WHERE id = $1 AND state = 'pending')"
                      " OR EXISTS (SELECT FROM jobs j WHERE environment = $1 AND state = 'queued'"
                      "  AND " PAUSE_HOLDS_J "))",
           P(environment));
}

struct pause *pause_from_row(const void *ctx, const struct rows *rows)
{
    if (rows_count(rows) == 0)
        return NULL;
    struct pause *pause = talloc_zero(ctx, struct pause);
    pause->id = rows_integer(rows, 0, "id", 0);
    pause->workspace = talloc_strdup(pause, rows_text(rows, 0, "workspace"));
    pause->user = talloc_strdup(pause, rows_text(rows, 0, "user_id"));
    pause->name = talloc_strdup(pause, rows_text(rows, 0, "user_name"));
    pause->reason = talloc_strdup(pause, rows_text(rows, 0, "reason"));
    pause->everything = rows_true(rows, 0, "everything");
    pause->since = (time_t)rows_integer(rows, 0, "since", 0);
    return pause;
}

bool pause_find(const void *ctx, struct db *db, struct pause **out, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = NULL;
    pause_ask(tmp, db, &rows);
    bool ok = db_flush(db, err);
    *out = ok ? pause_from_row(ctx, rows) : NULL;
    talloc_free(tmp);
    return ok;
}

bool pause_hold_claims(struct db *db, struct error *err)
{
    db_send(db, JOBS_CLAIM_LOCK, P0);
    return db_flush(db, err);
}

void pause_begin(struct db *db, const struct pause *pause)
{
    db_send(db, "UPDATE pauses SET resumed_at = now(), told = true WHERE resumed_at IS NULL", P0);
    db_send(db,
            "INSERT INTO pauses (workspace, user_id, user_name, reason, everything)"
            " VALUES ($1, $2, $3, $4, $5::boolean)",
            P(pause->workspace, pause->user, pause->name, pause->reason,
              pause->everything ? "t" : "f"));
}

void pause_end(struct db *db, int64_t id)
{
    char number[32];
    snprintf(number, sizeof number, "%" PRId64, id);
    db_send(db, "UPDATE pauses SET resumed_at = now(), told = false WHERE id = $1", P(number));
}

bool pause_find_untold(const void *ctx, struct db *db, struct pause **out, bool *over,
                       struct error *err)
{
    struct rows *rows =
        db_query(ctx, db, err, SELECT_PAUSES " WHERE NOT told ORDER BY id LIMIT 1", P0);
    *out = rows ? pause_from_row(ctx, rows) : NULL;
    *over = *out && rows_true(rows, 0, "over");
    return rows != NULL;
}

bool pause_told(struct db *db, const struct pause *pause, bool over, bool *was, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(tmp, db, err,
                                 "UPDATE pauses SET told = true WHERE id = $1 AND NOT told"
                                 " AND (resumed_at IS NOT NULL) = $2::boolean RETURNING id",
                                 P(talloc_asprintf(tmp, "%" PRId64, pause->id), over ? "t" : "f"));
    *was = rows && rows_count(rows) == 1;
    talloc_free(tmp);
    return rows != NULL;
}
