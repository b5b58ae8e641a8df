#include "lifecycle/counts.h"

#include "base/breaker.h"
#include "lifecycle/pausing.h"
#include "lifecycle/trouble.h"
#include "store/sweeps.h"

#include <talloc.h>
#include <time.h>

struct counts {
    struct metric *environments, *jobs, *job_seconds, *paused, *breakers, *swept;
    char *pause;       /* its words; "" when nothing is paused */
    char *aws;         /* the same of the circuits around AWS */
    int64_t *observed; /* the jobs that ended within the last minute; NULL before the first look */
    int64_t alive_due_ms; /* monotonic: when to count again what is alive */
};

/* Counting takes a fiftieth of the time, and what is told is this old at most. */
enum { REST = 50, OLDEST_MS = 300000 };

/* A cluster takes a quarter of an hour, a deletion some minutes. */
static const double job_bounds[] = {1, 5, 15, 60, 120, 300, 600, 900, 1200, 1800, 2700, 3600, 7200};

struct counts *counts_new(const void *ctx, struct metrics *metrics)
{
    struct counts *counts = talloc_zero(ctx, struct counts);
    counts->environments =
        metrics_gauge(metrics, "envbot_environments", "Environments of which something is left.",
                      "state", "team");
    counts->jobs = metrics_gauge(metrics, "envbot_jobs", "Jobs that wait or run.", "kind", "state");
    counts->job_seconds = metrics_histogram(
        metrics, "envbot_job_seconds", "How long jobs took, from their first start to their end.",
        job_bounds, sizeof job_bounds / sizeof *job_bounds, "kind");
    counts->paused =
        metrics_gauge(metrics, "envbot_paused", "1 while somebody has paused provisioning.");
    counts->pause = talloc_strdup(counts, "");
    counts->aws = talloc_strdup(counts, "");
    counts->swept = metrics_gauge(metrics, "envbot_sweep_found",
                                  "What the last sweep found: orphans in AWS, ghosts in the table, "
                                  "regions that could not be read.",
                                  "kind");
    counts->breakers = metrics_gauge(metrics, "envbot_breaker_state",
                                     "0 closed, 1 half open, 2 open.", "dependency");
    return counts;
}

static void note_pause(struct counts *counts, const struct rows *rows)
{
    const struct pause *pause = pause_from_row(rows, rows);
    talloc_free(counts->pause);
    counts->pause = talloc_strdup(counts, pausing_words(rows, pause));
    series_set(metric_series(counts->paused), pause ? 1 : 0);
}

/* The worst of them. */
static void note_circuits(struct counts *counts, const struct rows *rows)
{
    int state = BREAKER_CLOSED;
    char *words = talloc_strdup(counts, "");
    for (int i = 0; i < rows_count(rows); i++) {
        struct circuit circuit = circuit_from_row(rows, i);
        words = talloc_asprintf_append(words, "%s%s “%s”", i ? " " : "",
                                       trouble_sentence(rows, &circuit), circuit.line);
        if (state != BREAKER_OPEN)
            state = circuit.probing ? BREAKER_HALF_OPEN : BREAKER_OPEN;
    }
    talloc_free(counts->aws);
    counts->aws = words;
    series_set(metric_series(counts->breakers, "aws"), state);
}

const char *counts_aws(const struct counts *counts)
{
    return counts->aws;
}

const char *counts_pause(const struct counts *counts)
{
    return counts->pause;
}

/* Rows of (label, label, count) into a gauge; second is NULL where there is one label. */
static void replace(struct metric *metric, const struct rows *rows, const char *first,
                    const char *second)
{
    int count = rows_count(rows);
    struct metric_row *lines = talloc_zero_array(rows, struct metric_row, (unsigned)count + 1);
    for (int i = 0; i < count; i++) {
        lines[i].labels[0] = rows_text(rows, i, first);
        lines[i].labels[1] = second ? rows_text(rows, i, second) : NULL;
        lines[i].value = rows_number(rows, i, "count", 0);
    }
    metric_replace(metric, lines, (size_t)count);
}

static bool was_observed(const struct counts *counts, int64_t job)
{
    for (size_t i = 0; i < talloc_array_length(counts->observed); i++)
        if (counts->observed[i] == job)
            return true;
    return false;
}

/* What a transaction wrote may become visible after a look at a later moment: so each look goes
   back a minute and knows what was counted. */
static void observe(struct counts *counts, const struct rows *rows)
{
    int count = rows_count(rows);
    int64_t *seen = talloc_array(counts, int64_t, (unsigned)count);
    for (int i = 0; i < count; i++) {
        seen[i] = rows_integer(rows, i, "id", 0);
        if (counts->observed && !was_observed(counts, seen[i]))
            series_observe(metric_series(counts->job_seconds, rows_text(rows, i, "kind")),
                           rows_number(rows, i, "seconds", 0));
    }
    talloc_free(counts->observed);
    counts->observed = seen;
}

static int64_t clock_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* Each environment and job that is alive is looked at for it. */
static bool count_alive(struct counts *counts, struct db *db, struct error *err)
{
    int64_t began = clock_ms();
    if (began < counts->alive_due_ms)
        return true;
    void *tmp = talloc_new(NULL);
    struct rows *environments = NULL, *jobs = NULL;
    db_ask(tmp, db, &environments,
           "SELECT state, team, count(*) AS count FROM environments WHERE ended_at IS NULL"
           " GROUP BY state, team",
           P0);
    db_ask(tmp, db, &jobs,
           "SELECT kind, state, count(*) AS count FROM jobs"
           " WHERE state IN ('queued', 'running') GROUP BY kind, state",
           P0);
    bool ok = db_flush(db, err);
    if (ok) {
        replace(counts->environments, environments, "state", "team");
        replace(counts->jobs, jobs, "kind", "state");
    }
    int64_t ended = clock_ms(), rest = (ended - began) * REST;
    counts->alive_due_ms = ended + (rest < OLDEST_MS ? rest : OLDEST_MS);
    talloc_free(tmp);
    return ok;
}

bool counts_read(struct counts *counts, struct db *db, struct error *err)
{
    if (!db_connect(db, err))
        return false;
    void *tmp = talloc_new(NULL);
    struct rows *ended = NULL, *pause = NULL, *circuits = NULL, *swept = NULL;
    db_ask(tmp, db, &ended,
           "SELECT id, kind, extract(epoch FROM finished_at - started_at) AS seconds FROM jobs"
           " WHERE id > (SELECT max(id) FROM jobs) - 500"
           " AND finished_at > now() - interval '1 minute' AND started_at IS NOT NULL",
           P0);
    pause_ask(tmp, db, &pause);
    circuit_ask(tmp, db, NULL, &circuits);
    sweep_last_ask(tmp, db, &swept);
    bool ok = db_flush(db, err);
    if (ok) {
        note_pause(counts, pause);
        note_circuits(counts, circuits);
        replace(counts->swept, swept, "kind", NULL);
        observe(counts, ended);
    }
    talloc_free(tmp);
    return ok && count_alive(counts, db, err);
}
