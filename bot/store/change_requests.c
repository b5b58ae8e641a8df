#include "store/change_requests.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

#define COLUMNS                                                                                    \
    "c.id, c.environment, c.kind, c.wanted, c.before, c.after, c.reason, c.workspace, c.user_id,"  \
    " c.user_name, c.mail, c.state, c.revision, c.presented, c.tally,"                             \
    " extract(epoch FROM c.decided_at)::bigint AS decided_at,"                                     \
    " extract(epoch FROM now())::bigint AS now"

static const char *copy(const void *ctx, const struct rows *rows, const char *column)
{
    const char *text = rows_text(rows, 0, column);
    return text ? talloc_strdup(ctx, text) : NULL;
}

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
        request->kind = copy(request, rows, "kind");
        request->wanted = rows_integer(rows, 0, "wanted", 0);
        request->before = copy(request, rows, "before");
        request->after = copy(request, rows, "after");
        request->reason = copy(request, rows, "reason");
        request->workspace = copy(request, rows, "workspace");
        request->user = copy(request, rows, "user_id");
        request->name = copy(request, rows, "user_name");
        request->mail = copy(request, rows, "mail");
        request->state = copy(request, rows, "state");
        request->revision = (int)rows_integer(rows, 0, "revision", 0);
        request->presented = copy(request, rows, "presented");
        request->tally = rows_json(request, rows, 0, "tally");
        request->decided_at = (time_t)rows_integer(rows, 0, "decided_at", 0);
        request->now = (time_t)rows_integer(rows, 0, "now", 0);
    }
    talloc_free(rows);
    return true;
}

static const char *number(const void *ctx, int64_t value)
{
    return talloc_asprintf(ctx, "%" PRId64, value);
}

bool change_request_by_id(const void *ctx, struct db *db, int64_t id, struct change_request **out,
                          struct error *err)
{
    return take(ctx,
                db_query(ctx, db, err,
                         "SELECT " COLUMNS " FROM change_requests c WHERE c.id = $1::bigint",
                         P(number(ctx, id))),
                out);
}

bool change_request_open(const void *ctx, struct db *db, int64_t environment,
                         struct change_request **out, struct error *err)
{
    return take(ctx,
                db_query(ctx, db, err,
                         "SELECT " COLUMNS " FROM change_requests c"
                         " WHERE c.environment = $1::bigint AND c.state = 'pending'",
                         P(number(ctx, environment))),
                out);
}

bool change_request_due(const void *ctx, struct db *db, struct change_request **out,
                        struct error *err)
{
    return take(ctx,
                db_query(ctx, db, err,
                         "SELECT " COLUMNS " FROM change_requests c"
                         " JOIN environments e ON e.id = c.environment"
                         " WHERE c.state = 'pending' AND (c.lapses_at <= now()"
                         "  OR e.state NOT IN ('ready', 'changing', 'asleep'))"
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
        "  now() + make_interval(secs => $13::double precision)) RETURNING id",
        P(number(tmp, request->environment), request->kind, number(tmp, request->wanted),
          request->before, request->after, request->reason, request->workspace, request->user,
          request->name, request->mail, request->presented, json_text(tmp, request->tally),
          number(tmp, lapse_seconds)));
    if (rows)
        request->id = rows_integer(rows, 0, "id", 0);
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
            P(number(tmp, request->id), request->state, number(tmp, request->revision),
              request->presented, json_text(tmp, request->tally), request->before, request->after));
    talloc_free(tmp);
}
