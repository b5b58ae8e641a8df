#include "store/sweeps.h"

#include "base/text.h"

#include <talloc.h>

bool sweep_due(struct db *db, int64_t every, int64_t *next, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows =
        db_query(tmp, db, err,
                 "SELECT id + 1 AS next, (finished_at IS NOT NULL OR lease_until < now())"
                 " AND begun_at < now() - make_interval(secs => $1::double precision) AS due"
                 " FROM sweeps ORDER BY id DESC LIMIT 1",
                 P(text_number(tmp, every)));
    *next = rows && rows_count(rows) && rows_true(rows, 0, "due") ? rows_integer(rows, 0, "next", 0)
                                                                  : 0;
    talloc_free(tmp);
    return rows != NULL;
}

bool sweep_claim(struct db *db, int64_t every, int64_t lease_seconds, int64_t *id,
                 struct error *err)
{
    void *tmp = talloc_new(NULL);
    *id = 0;
    bool ok = db_begin(db, DB_READ_WRITE, err);
    if (ok)
        db_send(db, "SELECT pg_advisory_xact_lock(6583114405)", P0);
    struct rows *rows =
        ok ? db_query(tmp, db, err,
                      "INSERT INTO sweeps (begun_at, lease_until) SELECT clock_timestamp(),"
                      "  clock_timestamp() + make_interval(secs => $2::double precision)"
                      " FROM (SELECT * FROM sweeps ORDER BY id DESC LIMIT 1) last"
                      " WHERE (finished_at IS NOT NULL OR lease_until < clock_timestamp())"
                      "  AND ($1::bigint = 0 OR begun_at <"
                      "   clock_timestamp() - make_interval(secs => $1::double precision))"
                      " RETURNING id",
                      P(text_number(tmp, every), text_number(tmp, lease_seconds)))
           : NULL;
    ok = rows && db_commit(db, err);
    if (ok && rows_count(rows))
        *id = rows_integer(rows, 0, "id", 0);
    db_rollback(db);
    talloc_free(tmp);
    return ok;
}

bool sweep_renew(struct db *db, int64_t id, int64_t lease_seconds, bool *held, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(tmp, db, err,
                                 "UPDATE sweeps SET lease_until = clock_timestamp()"
                                 " + make_interval(secs => $2::double precision) WHERE id = $1"
                                 " AND finished_at IS NULL AND lease_until > clock_timestamp()"
                                 " RETURNING id",
                                 P(text_number(tmp, id), text_number(tmp, lease_seconds)));
    *held = rows && rows_count(rows) == 1;
    talloc_free(tmp);
    return rows != NULL;
}

bool sweep_end(const void *ctx, struct db *db, int64_t id, const cJSON *report, const char **before,
               bool *held, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *last = NULL;
    db_ask(tmp, db, &last,
           "SELECT report->>'lines' AS lines FROM sweeps WHERE id < $1 AND finished_at IS NOT NULL"
           " ORDER BY id DESC LIMIT 1",
           P(text_number(tmp, id)));
    struct rows *rows = db_query(tmp, db, err,
                                 "UPDATE sweeps SET finished_at = clock_timestamp(),"
                                 " report = $2::jsonb WHERE id = $1 AND finished_at IS NULL"
                                 " AND lease_until > clock_timestamp() RETURNING id",
                                 P(text_number(tmp, id), json_text(tmp, report)));
    *held = rows && rows_count(rows) == 1;
    const char *lines = last && rows_count(last) ? rows_text(last, 0, "lines") : NULL;
    *before = talloc_strdup(ctx, lines ? lines : "");
    talloc_free(tmp);
    return rows != NULL;
}

void sweep_last_ask(const void *ctx, struct db *db, struct rows **rows)
{
    db_ask(ctx, db, rows,
           "SELECT kind, count(f) AS count FROM (SELECT report FROM sweeps"
           "  WHERE finished_at IS NOT NULL ORDER BY id DESC LIMIT 1) last"
           " CROSS JOIN (VALUES ('orphan'), ('ghost'), ('unread')) kinds (kind)"
           " LEFT JOIN LATERAL (SELECT f FROM jsonb_array_elements(report->'findings') f"
           "  WHERE f->>'kind' = kind) found ON true GROUP BY kind",
           P0);
}
