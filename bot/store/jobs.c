#include "store/jobs.h"

#include "base/text.h"
#include "store/circuits.h"
#include "store/pauses.h"

#include <string.h>
#include <talloc.h>

/* $1: the job, $2: who claims it, $3: its lease in seconds, $4 to $6: the bounds, $7: how long a
   probe keeps others away. One statement, so that the lock is held for no client's sake. */
#define CLAIM                                                                                      \
    "WITH claimed AS (UPDATE jobs j SET state = 'running', fence = j.fence + 1,"                   \
    "  attempts = j.attempts + 1, started_at = coalesce(j.started_at, now()), lease_owner = $2,"   \
    "  lease_until = clock_timestamp() + make_interval(secs => $3::double precision)"              \
    "  FROM (SELECT id, lease_owner, state FROM jobs WHERE id = $1 FOR UPDATE) old"                \
    "  WHERE j.id = old.id AND ((j.state = 'running' AND j.lease_until < clock_timestamp())"       \
    "   OR (j.state = 'queued' AND j.not_before <= clock_timestamp()"                              \
    "    AND NOT " PAUSE_HOLDS_J " AND NOT " CIRCUIT_HOLDS_J                                       \
    "    AND (SELECT count(*) FROM jobs WHERE state = 'running') < $4::bigint"                     \
    "    AND (SELECT count(*) FROM jobs r WHERE r.state = 'running' AND r.region = j.region)"      \
    "     < $5::bigint"                                                                            \
    "    AND (SELECT count(*) FROM jobs r WHERE r.state = 'running' AND r.team = j.team)"          \
    "     < $6::bigint))"                                                                          \
    "  RETURNING j.id, j.environment, j.team, j.kind, j.region, j.fence, j.attempts, j.cancel,"    \
    "   coalesce((j.result->>'failures')::integer, 0) AS failures,"                                \
    "   j.result->'zones' AS zones,"                                                               \
    "   extract(epoch FROM clock_timestamp() - j.started_at)::bigint AS age,"                      \
    "   coalesce(old.lease_owner, '') AS old_owner, old.state = 'queued' AS queued,"               \
    "   old.state = 'queued' AND " CIRCUIT_PROBES_J " AS probe),"                                  \
    " turn AS (INSERT INTO turns (team, served_at)"                                                \
    "  SELECT team, clock_timestamp() FROM claimed WHERE queued"                                   \
    "  ON CONFLICT (team) DO UPDATE SET served_at = excluded.served_at),"                          \
    " probe AS (UPDATE circuits SET probe_job = c.id,"                                             \
    "  probe_at = clock_timestamp() + make_interval(secs => $7::double precision)"                 \
    "  FROM claimed c WHERE c.probe AND opened_at IS NOT NULL AND scope IN ('', c.region))"        \
    " SELECT * FROM claimed"

static struct job *claimed(const void *ctx, const struct rows *rows)
{
    struct job *job = talloc_zero(ctx, struct job);
    job->id = rows_integer(rows, 0, "id", 0);
    job->environment = rows_integer(rows, 0, "environment", 0);
    job->fence = rows_integer(rows, 0, "fence", 0);
    job->kind = rows_copy(job, rows, 0, "kind");
    job->region = rows_copy(job, rows, 0, "region");
    job->old_owner = rows_copy(job, rows, 0, "old_owner");
    job->attempts = (int)rows_integer(rows, 0, "attempts", 1);
    job->failures = (int)rows_integer(rows, 0, "failures", 0);
    job->age = rows_integer(rows, 0, "age", 0);
    job->zones = rows_json(job, rows, 0, "zones");
    job->cancel = rows_true(rows, 0, "cancel");
    job->probe = rows_true(rows, 0, "probe");
    return job;
}

bool job_claim(const void *ctx, struct db *db, int64_t id, const char *owner,
               const struct job_bounds *bounds, struct job **out, struct error *err)
{
    *out = NULL;
    if (!db_begin(db, DB_READ_WRITE, err))
        return false;
    void *tmp = talloc_new(NULL);
    char *id_text = text_number(tmp, id);
    struct rows *rows = NULL;
    db_send(db,
            "SELECT FROM environments WHERE id = (SELECT environment FROM jobs WHERE id = $1)"
            " FOR UPDATE",
            P(id_text));
    db_send(db, JOBS_CLAIM_LOCK, P0);
    db_ask(tmp, db, &rows, CLAIM,
           P(id_text, owner, text_number(tmp, bounds->lease_seconds),
             text_number(tmp, bounds->parallel), text_number(tmp, bounds->per_region),
             text_number(tmp, bounds->per_team), text_number(tmp, 4 * bounds->lease_seconds)));
    bool ok = db_commit(db, err);
    if (ok && rows_count(rows))
        *out = claimed(ctx, rows);
    talloc_free(tmp);
    return ok;
}

bool job_renew(struct db *db, const struct job *job, int64_t lease_seconds, bool *held,
               bool *cancel, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows =
        db_query(tmp, db, err,
                 "UPDATE jobs SET lease_until = clock_timestamp()"
                 " + make_interval(secs => $3::double precision)"
                 " WHERE id = $1 AND fence = $2 AND state = 'running' RETURNING cancel",
                 P(text_number(tmp, job->id), text_number(tmp, job->fence),
                   text_number(tmp, lease_seconds)));
    if (rows) {
        *held = rows_count(rows) == 1;
        *cancel = *held && rows_true(rows, 0, "cancel");
    }
    talloc_free(tmp);
    return rows != NULL;
}

bool job_owner(struct db *db, const struct job *job, const char *owner, struct error *err)
{
    void *tmp = talloc_new(NULL);
    bool ok = db_query(tmp, db, err,
                       "UPDATE jobs SET lease_owner = $3 WHERE id = $1 AND fence = $2"
                       " AND state = 'running'",
                       P(text_number(tmp, job->id), text_number(tmp, job->fence), owner)) != NULL;
    talloc_free(tmp);
    return ok;
}

bool job_fence(struct db *db, const struct job *job, bool *held, struct error *err)
{
    void *tmp = talloc_new(NULL);
    db_send(db, "SELECT FROM environments WHERE id = $1 FOR UPDATE",
            P(text_number(tmp, job->environment)));
    struct rows *rows = db_query(tmp, db, err,
                                 "SELECT FROM jobs WHERE id = $1 AND fence = $2"
                                 " AND state = 'running' FOR UPDATE",
                                 P(text_number(tmp, job->id), text_number(tmp, job->fence)));
    if (rows)
        *held = rows_count(rows) == 1;
    talloc_free(tmp);
    return rows != NULL;
}

void job_progress(struct db *db, const struct job *job, const char *phase, const cJSON *plan)
{
    void *tmp = talloc_new(NULL);
    db_send(db, "UPDATE jobs SET phase = $3 WHERE id = $1 AND fence = $2 AND state = 'running'",
            P(text_number(tmp, job->id), text_number(tmp, job->fence), phase));
    if (plan)
        db_send(db,
                "UPDATE environments SET plan = $3::jsonb WHERE id = (SELECT environment FROM jobs"
                " WHERE id = $1 AND fence = $2 AND state = 'running')",
                P(text_number(tmp, job->id), text_number(tmp, job->fence), json_text(tmp, plan)));
    talloc_free(tmp);
}

void job_log_line(struct db *db, const struct job *job, int64_t line_number, const char *line)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "INSERT INTO job_log (job, number, line) SELECT j.id,"
            " j.fence * 1000000 + $3::bigint, $4 FROM jobs j"
            " WHERE j.id = $1 AND j.fence = $2 AND j.state = 'running'"
            " ON CONFLICT DO NOTHING", /* nobody knew whether it was written */
            P(text_number(tmp, job->id), text_number(tmp, job->fence),
              text_number(tmp, line_number), line));
    talloc_free(tmp);
}

void job_end(struct db *db, const struct job *job, enum job_event event, const cJSON *result)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "UPDATE jobs SET state = $3, finished_at = now(), lease_until = NULL,"
            " result = $4::jsonb WHERE id = $1 AND fence = $2 AND state = 'running'",
            P(text_number(tmp, job->id), text_number(tmp, job->fence),
              job_state_name(job_step(JOB_RUNNING, event)->to),
              result ? json_text(tmp, result) : NULL));
    talloc_free(tmp);
}

void job_again(struct db *db, const struct job *job, int64_t after_seconds, const cJSON *result)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "UPDATE jobs SET state = 'queued', lease_until = NULL, lease_owner = NULL,"
            " not_before = now() + make_interval(secs => $3::double precision),"
            " result = coalesce($4::jsonb, result)"
            " WHERE id = $1 AND fence = $2 AND state = 'running'",
            P(text_number(tmp, job->id), text_number(tmp, job->fence),
              text_number(tmp, after_seconds), result ? json_text(tmp, result) : NULL));
    talloc_free(tmp);
}

struct rows *job_usual(const void *ctx, struct db *db, const char *kind, const char *template,
                       struct error *err)
{
    return db_query(
        ctx, db, err,
        "SELECT key AS phase,"
        " round(percentile_cont(0.1) WITHIN GROUP (ORDER BY value::numeric))::bigint AS least,"
        " ceil(percentile_cont(0.9) WITHIN GROUP (ORDER BY value::numeric))::bigint AS most"
        " FROM (SELECT phases FROM (SELECT id FROM environments WHERE template = $2"
        "   AND ready_at IS NOT NULL AND started_at IS NOT NULL ORDER BY ready_at DESC LIMIT 40) e"
        "  CROSS JOIN LATERAL (SELECT j.result->'phases' AS phases FROM jobs j"
        "   WHERE j.environment = e.id AND j.kind = $1 AND j.state = 'done'"
        "   AND j.result ? 'phases' ORDER BY j.id DESC LIMIT 20) latest LIMIT 20) recent,"
        " jsonb_each_text(recent.phases)"
        " GROUP BY key HAVING count(*) >= 3",
        P(kind, template));
}
