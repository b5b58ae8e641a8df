#include "store/queue.h"

#include "store/circuits.h"
#include "store/pauses.h"

#include <inttypes.h>
#include <talloc.h>

/* $1: so many of each line are looked at, and no more than $3, how many may run for a team, leaves.
   $2: regions where so many run are left out. lines: each team, region and whether new, found from
   one to the next through the index, without those that a pause or a circuit holds; heads: the
   first of each; ranked: with their round. */
#define QUEUE                                                                                      \
    "WITH RECURSIVE every_line (team, region, new) AS ("                                           \
    "  (SELECT team, region, (kind <> 'delete' AND started_at IS NULL) FROM jobs"                  \
    "   WHERE state = 'queued'"                                                                    \
    "   ORDER BY team, region, (kind <> 'delete' AND started_at IS NULL) LIMIT 1)"                 \
    "  UNION ALL SELECT next.* FROM every_line l, LATERAL"                                         \
    "   (SELECT team, region, (kind <> 'delete' AND started_at IS NULL) FROM jobs"                 \
    "    WHERE state = 'queued' AND (team, region, (kind <> 'delete' AND started_at IS NULL))"     \
    "     > (l.team, l.region, l.new)"                                                             \
    "    ORDER BY team, region, (kind <> 'delete' AND started_at IS NULL) LIMIT 1) next),"         \
    " running AS MATERIALIZED (SELECT team, region FROM jobs WHERE state = 'running'),"            \
    " lines AS (SELECT * FROM every_line j WHERE NOT EXISTS (SELECT FROM pauses p"                 \
    "   WHERE p.resumed_at IS NULL AND (p.everything OR j.new)) AND NOT " CIRCUIT_HOLDS_J          \
    "  AND (SELECT count(*) FROM running r WHERE r.region = j.region) < $2::bigint),"              \
    " heads AS (SELECT h.* FROM lines l, LATERAL"                                                  \
    "  (SELECT id, environment, team, region, l.new, not_before FROM jobs"                         \
    "   WHERE state = 'queued' AND team = l.team AND region = l.region"                            \
    "    AND (kind <> 'delete' AND started_at IS NULL) = l.new AND not_before <= now()"            \
    "   ORDER BY not_before, id LIMIT greatest(0, least($1::bigint, $3::bigint"                    \
    "    - (SELECT count(*) FROM running r WHERE r.team = l.team)))) h),"                          \
    " ranked AS (SELECT h.*, t.served_at, row_number() OVER"                                       \
    "   (PARTITION BY team ORDER BY new, not_before, id) AS round"                                 \
    "  FROM heads h LEFT JOIN turns t USING (team))"
#define IN_TURN "round, served_at NULLS FIRST, not_before, id"

bool queue_startable(const void *ctx, struct db *db, const struct job_bounds *bounds, int64_t **ids,
                     int *count, struct error *err)
{
    if (!db_connect(db, err))
        return false;
    void *tmp = talloc_new(NULL);
    struct rows *left = NULL, *next = NULL;
    db_ask(tmp, db, &left,
           "SELECT id FROM jobs WHERE state = 'running' AND lease_until < now()"
           " ORDER BY lease_until LIMIT 100",
           P0);
    db_ask(tmp, db, &next,
           QUEUE " SELECT id FROM (SELECT *, row_number() OVER"
                 "   (PARTITION BY region ORDER BY " IN_TURN ") AS in_region FROM ranked"
                 "   WHERE round <= $3::bigint"
                 "    - (SELECT count(*) FROM running r WHERE r.team = ranked.team)) own"
                 "  WHERE in_region <= $2::bigint"
                 "   - (SELECT count(*) FROM running r WHERE r.region = own.region)"
                 "   AND (in_region = 1 OR NOT EXISTS (SELECT FROM circuits c"
                 "    WHERE c.opened_at IS NOT NULL AND c.scope IN ('', own.region)))"
                 "  ORDER BY " IN_TURN
                 "  LIMIT greatest(0, $1::bigint - (SELECT count(*) FROM running))",
           P(talloc_asprintf(tmp, "%" PRId64, bounds->parallel),
             talloc_asprintf(tmp, "%" PRId64, bounds->per_region),
             talloc_asprintf(tmp, "%" PRId64, bounds->per_team)));
    bool ok = db_flush(db, err);
    *count = 0;
    if (ok) {
        int first = rows_count(left), all = first + rows_count(next);
        *ids = talloc_array(ctx, int64_t, (unsigned)all + 1);
        for (int i = 0; i < all; i++)
            (*ids)[i] =
                i < first ? rows_integer(left, i, "id", 0) : rows_integer(next, i - first, "id", 0);
        *count = all;
    }
    talloc_free(tmp);
    return ok;
}

void queue_place_ask(const void *ctx, struct db *db, const char *environment, struct rows **rows)
{
    db_ask(ctx, db, rows,
           QUEUE
           " SELECT $1::bigint AS counted,"
           "  (SELECT place - 1 FROM (SELECT environment, row_number() OVER (ORDER BY " IN_TURN
           "    ) AS place FROM ranked) all_lines WHERE environment = $4::bigint) AS before,"
           "  (SELECT count(*) FROM running) AS running,"
           "  (SELECT count(*) FROM running r WHERE r.region = j.region) AS region_runs,"
           "  (SELECT count(*) FROM running r WHERE r.team = j.team) AS team_runs,"
           "  coalesce(trouble_before = fence + 1, false) AS held_up"
           " FROM jobs j WHERE environment = $4::bigint AND state = 'queued'"
           "  AND not_before <= now()",
           P("20", "1000000", "1000000", environment));
}

struct queue_place queue_place_from_row(const struct rows *rows)
{
    if (rows_count(rows) == 0)
        return (struct queue_place){0};
    int before = (int)rows_integer(rows, 0, "before", QUEUE_COUNTED);
    return (struct queue_place){
        .waits = true,
        .before = before < QUEUE_COUNTED ? before : QUEUE_COUNTED,
        .running = (int)rows_integer(rows, 0, "running", 0),
        .region_runs = (int)rows_integer(rows, 0, "region_runs", 0),
        .team_runs = (int)rows_integer(rows, 0, "team_runs", 0),
        .held_up = rows_true(rows, 0, "held_up"),
    };
}

struct rows *queue_drawn_before(const void *ctx, struct db *db, struct error *err)
{
    return db_query(ctx, db, err,
                    QUEUE " SELECT environment FROM (SELECT environment FROM ranked"
                          "  ORDER BY " IN_TURN " LIMIT $1::bigint) first"
                          " JOIN messages m USING (environment)"
                          " WHERE m.place = 'message'"
                          "  AND m.drawn_at < (SELECT max(served_at) FROM turns)"
                          "  AND NOT EXISTS (SELECT FROM outbox o WHERE o.sent_at IS NULL"
                          "   AND NOT o.parked AND o.conversation = 'env:' || environment"
                          "   AND o.kind = 'redraw' AND o.place = 'message')",
                    P("20", "1000000", "1000000"));
}

void queue_took_ask(const void *ctx, struct db *db, const char *template, struct rows **rows)
{
    db_ask(ctx, db, rows,
           "SELECT count(*) AS count,"
           " percentile_disc(0.2) WITHIN GROUP (ORDER BY seconds) AS low,"
           " percentile_disc(0.8) WITHIN GROUP (ORDER BY seconds) AS high"
           " FROM (SELECT extract(epoch FROM ready_at - started_at) AS seconds FROM environments"
           "  WHERE template = $1 AND ready_at IS NOT NULL AND started_at IS NOT NULL"
           "  ORDER BY ready_at DESC LIMIT 20) latest",
           P(template));
}
