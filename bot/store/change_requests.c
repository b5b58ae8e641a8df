#include "store/change_requests.h"

#include "base/text.h"

#include <string.h>
#include <talloc.h>

#define COLUMNS                                                                                    \
    "c.id, c.environment, c.kind, c.wanted, c.before, c.after, c.reason, c.workspace, c.user_id,"  \
    " c.user_name, c.mail, c.state, c.revision, c.presented, c.tally, " WAIT_COLUMNS(              \
        "c") ", extract(epoch FROM c.created_at)::bigint AS created_at,"                           \
             " extract(epoch FROM c.lapses_at)::bigint AS lapses_at,"                              \
             " extract(epoch FROM c.decided_at)::bigint AS decided_at,"                            \
             " extract(epoch FROM now())::bigint AS now"

/* The first row, with what it was read from let go; NULL rows: false. */
static bool take(const void *ctx, struct rows *rows, struct change_request **out)
{
    *out = NULL;
    if (!rows)
        return false;
    if (rows_count(rows)) {
        struct change_request *request = *out = talloc_zero(ctx, struct change_request);
        request->id = rows_integer(rows, 0, "id", 0);
        request->environment = rows_integer(rows, 0, "environment", 0);
        request->kind = rows_copy(request, rows, 0, "kind");
        request->wanted = rows_integer(rows, 0, "wanted", 0);
        request->before = rows_copy(request, rows, 0, "before");
        request->after = rows_copy(request, rows, 0, "after");
        request->reason = rows_copy(request, rows, 0, "reason");
        request->workspace = rows_copy(request, rows, 0, "workspace");
        request->user = rows_copy(request, rows, 0, "user_id");
        request->name = rows_copy(request, rows, 0, "user_name");
        request->mail = rows_copy(request, rows, 0, "mail");
        request->state = rows_copy(request, rows, 0, "state");
        request->revision = (int)rows_integer(rows, 0, "revision", 0);
        request->presented = rows_copy(request, rows, 0, "presented");
        request->tally = rows_json(request, rows, 0, "tally");
        request->wait = wait_from_row(request, rows, 0);
        request->created_at = (time_t)rows_integer(rows, 0, "created_at", 0);
        request->lapses_at = (time_t)rows_integer(rows, 0, "lapses_at", 0);
        request->decided_at = (time_t)rows_integer(rows, 0, "decided_at", 0);
        request->now = (time_t)rows_integer(rows, 0, "now", 0);
    }
    talloc_free(rows);
    return true;
}

bool change_request_by_id(const void *ctx, struct db *db, int64_t id, struct change_request **out,
                          struct error *err)
{
    return take(ctx,
                db_query(ctx, db, err,
                         "SELECT " COLUMNS " FROM change_requests c WHERE c.id = $1::bigint",
                         P(text_number(ctx, id))),
                out);
}

bool change_request_open(const void *ctx, struct db *db, int64_t environment,
                         struct change_request **out, struct error *err)
{
    return take(ctx,
                db_query(ctx, db, err,
                         "SELECT " COLUMNS " FROM change_requests c"
                         " WHERE c.environment = $1::bigint AND c.state = 'pending'",
                         P(text_number(ctx, environment))),
                out);
}

bool change_request_due(const void *ctx, struct db *db, struct change_request **out,
                        struct error *err)
{
    return take(ctx,
                db_query(ctx, db, err,
                         "SELECT " COLUMNS " FROM change_requests c"
                         " JOIN environments e ON e.id = c.environment"
                         " WHERE c.state = 'pending' AND (c.due_at IS NULL"
                         "  OR c.due_at <= now() OR e.state NOT IN ('ready', 'changing', 'asleep'))"
                         " ORDER BY c.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED",
                         P0),
                out);
}

bool change_request_insert(struct db *db, struct change_request *request, int64_t lapse_seconds,
                           struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(
        tmp, db, err,
        "INSERT INTO change_requests (environment, kind, wanted, before, after, reason,"
        " workspace, user_id, user_name, mail, presented, tally, lapses_at)"
        " VALUES ($1::bigint, $2, $3::bigint, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb,"
        "  now() + make_interval(secs => $13::double precision)) RETURNING id,"
        " extract(epoch FROM created_at)::bigint AS now",
        P(text_number(tmp, request->environment), request->kind, text_number(tmp, request->wanted),
          request->before, request->after, request->reason, request->workspace, request->user,
          request->name, request->mail, request->presented, json_text(tmp, request->tally),
          text_number(tmp, lapse_seconds)));
    if (rows) {
        request->id = rows_integer(rows, 0, "id", 0);
        request->created_at = request->now = (time_t)rows_integer(rows, 0, "now", 0);
    }
    request->revision = 1;
    request->state = "pending";
    talloc_free(tmp);
    return rows != NULL;
}

void change_request_write(struct db *db, const struct change_request *request)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "UPDATE change_requests SET state = $2, revision = $3::integer, presented = $4,"
            " tally = $5::jsonb, before = $6, after = $7,"
            " decided_at = CASE WHEN $2 <> 'pending' THEN now() END WHERE id = $1::bigint",
            P(text_number(tmp, request->id), request->state, text_number(tmp, request->revision),
              request->presented, json_text(tmp, request->tally), request->before, request->after));
    talloc_free(tmp);
}
