#include "store/circuits.h"

#include <inttypes.h>
#include <stdio.h>
#include <talloc.h>

#define COLUMNS                                                                                    \
    "scope, cause, line, opened_at IS NOT NULL AS open,"                                           \
    " opened_at IS NOT NULL AND probe_job IS NOT NULL AS probing"

bool circuit_fail(struct db *db, const struct job *job, const struct circuit *trouble,
                  const struct circuit_bounds *bounds, bool *open, struct error *err)
{
    char id[32], jobs[32], wait[32];
    snprintf(id, sizeof id, "%" PRId64, job->id);
    snprintf(jobs, sizeof jobs, "%" PRId64, bounds->jobs);
    snprintf(wait, sizeof wait, "%" PRId64, bounds->wait);
    db_send(db,
            "INSERT INTO circuit_failures (scope, job, at) VALUES ($1, $2, clock_timestamp())"
            " ON CONFLICT (scope, job) DO UPDATE SET at = excluded.at",
            P(trouble->scope, id));
    db_send(db, "INSERT INTO circuits (scope) VALUES ($1) ON CONFLICT (scope) DO NOTHING",
            P(trouble->scope));
    /* It opens when enough have failed; the wait grows when it is the probe that failed. */
    db_send(db,
            "UPDATE circuits SET told = told AND opened_at IS NOT NULL,"
            " probes = CASE WHEN opened_at IS NULL THEN 0 ELSE probes + 1 END,"
            " probe_at = clock_timestamp() + make_interval(secs => $5::double precision"
            "  * CASE WHEN opened_at IS NULL THEN 1 ELSE 2 ^ least(probes + 1, 4) END),"
            " probe_job = NULL, opened_at = coalesce(opened_at, clock_timestamp()),"
            " cause = $3, line = $4"
            " WHERE scope = $1 AND (probe_job = $2::bigint OR (opened_at IS NULL AND $6::bigint <="
            "  (SELECT count(*) FROM circuit_failures WHERE scope = $1"
            "   AND at > clock_timestamp() - interval '10 minutes')))",
            P(trouble->scope, id, trouble->cause, trouble->line, wait, jobs));
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(tmp, db, err,
                                 "SELECT opened_at IS NOT NULL AS open FROM circuits"
                                 " WHERE scope = $1",
                                 P(trouble->scope));
    *open = rows && rows_count(rows) && rows_true(rows, 0, "open");
    talloc_free(tmp);
    return rows != NULL;
}

void circuit_well(struct db *db, const char *region)
{
    db_send(db, "DELETE FROM circuit_failures WHERE scope IN ('', $1)", P(region));
    db_send(db,
            "UPDATE circuits SET opened_at = NULL, probe_job = NULL, probes = 0, told = NOT told"
            " WHERE scope IN ('', $1) AND opened_at IS NOT NULL",
            P(region));
}

void circuit_ask(const void *ctx, struct db *db, const char *region, struct rows **rows)
{
    db_ask(ctx, db, rows,
           "SELECT " COLUMNS " FROM circuits WHERE opened_at IS NOT NULL"
           " AND ($1::text IS NULL OR scope IN ('', $1)) ORDER BY scope",
           P(region));
}

void circuit_ask_untold(const void *ctx, struct db *db, struct rows **rows)
{
    db_ask(ctx, db, rows, "SELECT " COLUMNS " FROM circuits WHERE NOT told ORDER BY scope", P0);
}

struct circuit circuit_from_row(const struct rows *rows, int row)
{
    return (struct circuit){
        .scope = rows_text(rows, row, "scope"),
        .cause = rows_text(rows, row, "cause"),
        .line = rows_text(rows, row, "line"),
        .open = rows_true(rows, row, "open"),
        .probing = rows_true(rows, row, "probing"),
    };
}

bool circuit_told(struct db *db, const struct circuit *circuit, bool *was, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(tmp, db, err,
                                 "UPDATE circuits SET told = true WHERE scope = $1 AND NOT told"
                                 " AND (opened_at IS NOT NULL) = $2::boolean RETURNING scope",
                                 P(circuit->scope, circuit->open ? "t" : "f"));
    *was = rows && rows_count(rows) == 1;
    talloc_free(tmp);
    return rows != NULL;
}
