#include "store/launches.h"

#include <inttypes.h>
#include <talloc.h>

bool launch_job_read(const void *ctx, struct db *db, int64_t id, struct launch_job **out,
                     struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows =
        db_query(tmp, db, err,
                 "SELECT j.environment, j.fence, j.kind, j.region, e.team, e.name, e.owner_id"
                 " FROM jobs j JOIN environments e ON e.id = j.environment"
                 " WHERE j.id = $1 AND (j.state = 'queued'"
                 "  OR (j.state = 'running' AND j.lease_until < now()))",
                 P(talloc_asprintf(tmp, "%" PRId64, id)));
    *out = NULL;
    if (rows && rows_count(rows)) {
        struct launch_job *job = talloc_zero(ctx, struct launch_job);
        job->id = id;
        job->environment = rows_integer(rows, 0, "environment", 0);
        job->next = rows_integer(rows, 0, "fence", 0) + 1;
        job->kind = talloc_strdup(job, rows_text(rows, 0, "kind"));
        job->region = talloc_strdup(job, rows_text(rows, 0, "region"));
        job->team = talloc_strdup(job, rows_text(rows, 0, "team"));
        job->name = talloc_strdup(job, rows_text(rows, 0, "name"));
        job->owner = talloc_strdup(job, rows_text(rows, 0, "owner_id"));
        *out = job;
    }
    talloc_free(tmp);
    return rows != NULL;
}

bool launch_held_up(struct db *db, const struct launch_job *job, const char *trouble, bool *news,
                    bool *first, struct error *err)
{
    void *tmp = talloc_new(NULL);
    const char *id = talloc_asprintf(tmp, "%" PRId64, job->id);
    /* One after the other, so that of two that find the same at once one is the first. */
    db_send(db, "SELECT pg_advisory_xact_lock(6583114404)", P0);
    struct rows *others = NULL;
    db_ask(tmp, db, &others,
           "SELECT FROM jobs WHERE id <> $1 AND trouble = $2 AND trouble_before = fence + 1"
           " AND state IN ('queued', 'running') LIMIT 1",
           P(id, trouble));
    struct rows *rows = db_query(tmp, db, err,
                                 "UPDATE jobs SET trouble = $2, trouble_before = $3::bigint"
                                 " WHERE id = $1 AND fence + 1 = $3::bigint AND (state = 'queued'"
                                 "  OR (state = 'running' AND lease_until < clock_timestamp()))"
                                 " AND (trouble, trouble_before) IS DISTINCT FROM ($2, $3::bigint)",
                                 P(id, trouble, talloc_asprintf(tmp, "%" PRId64, job->next)));
    if (rows) {
        *news = rows_affected(rows) == 1;
        *first = others && rows_count(others) == 0;
    }
    talloc_free(tmp);
    return rows != NULL;
}

struct rows *launches_over(const void *ctx, struct db *db, const char *ids, int64_t seconds,
                           struct error *err)
{
    char *text = talloc_asprintf(ctx, "%" PRId64, seconds);
    return db_query(ctx, db, err,
                    "SELECT j.id, e.team, e.name FROM jobs j"
                    " JOIN environments e ON e.id = j.environment"
                    " WHERE j.id = ANY ($1::bigint[])"
                    " AND j.state IN ('done', 'failed', 'cancelled') AND j.finished_at <"
                    " now() - make_interval(secs => $2::double precision)",
                    P(ids, text));
}
