#include "lifecycle/turn.h"

#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"
#include "lifecycle/trouble.h"

#include <math.h>
#include <string.h>
#include <talloc.h>

/* Fewer tell nothing of the next. */
enum { FEWEST = 3 };

char *turn_minutes(const void *ctx, double low, double high)
{
    long from = (long)floor(low / 60), to = (long)ceil(high / 60);
    if (to <= 1)
        return talloc_strdup(ctx, "a minute");
    if (from < 1)
        from = 1;
    return from == to ? text_count(ctx, to, "minute", "minutes")
                      : talloc_asprintf(ctx, "%ld to %ld minutes", from, to);
}

static char *usual_words(const void *ctx, const struct rows *took)
{
    if (!took || rows_integer(took, 0, "count", 0) < FEWEST)
        return talloc_strdup(ctx, "A new cluster takes 15 to 25 minutes.");
    return talloc_asprintf(
        ctx, "It usually takes %s.",
        turn_minutes(ctx, rows_number(took, 0, "low", 0), rows_number(took, 0, "high", 0)));
}

/* Whether it starts as soon as a launcher looks. */
static bool has_room(const struct queue_place *place)
{
    const struct job_bounds *bounds = &lifecycle_rules.bounds;
    return place->running + place->before < bounds->parallel &&
           place->region_runs < bounds->per_region && place->team_runs < bounds->per_team;
}

static char *turn_words(const void *ctx, const struct environment *env,
                        const struct queue_place *place)
{
    const struct job_bounds *bounds = &lifecycle_rules.bounds;
    int runs = place->running;
    const char *whose = "", *of = "";
    if (place->team_runs >= bounds->per_team) {
        runs = place->team_runs;
        whose = " for ";
        of = env->team;
    } else if (place->region_runs >= bounds->per_region) {
        runs = place->region_runs;
        whose = " in ";
        of = env->region;
    }
    if (place->held_up)
        return talloc_strdup(ctx, "Something keeps it from starting: the thread says what.");
    const char *jobs = text_count(ctx, runs, "job runs", "jobs run");
    if (place->before == 0)
        return talloc_asprintf(ctx, "It is the next one: %s%s%s, as many as may at once.", jobs,
                               whose, of);
    if (place->before < QUEUE_COUNTED)
        return talloc_asprintf(ctx, "It is number %d in the queue; %s%s%s at the moment.",
                               place->before + 1, jobs, whose, of);
    return talloc_asprintf(ctx, "%d jobs or more are before it in the queue.", QUEUE_COUNTED);
}

void turn_view_unasked(cJSON *view)
{
    json_set_bool(view, "starts_soon", false);
    json_set_string(view, "turn_words", "");
    json_set_string(view, "usual_words", "");
}

void turn_view(cJSON *view, const struct environment *env, const struct queue_place *place,
               const struct rows *took, const struct rows *trouble)
{
    void *tmp = talloc_new(NULL);
    bool new = strcmp(env->state, "queued") == 0;
    bool soon = place->waits && has_room(place) && !place->held_up;
    json_set_bool(view, "starts_soon", new &&soon);
    json_set_string(view, "turn_words", place->waits && !soon ? turn_words(tmp, env, place) : "");
    if (place->waits && trouble && rows_count(trouble)) {
        struct circuit circuit = circuit_from_row(trouble, 0);
        json_set_string(view, "turn_words", trouble_sentence(tmp, &circuit));
        json_set_bool(view, "starts_soon", false);
    }
    json_set_string(view, "usual_words",
                    new || strcmp(env->state, "creating") == 0 ? usual_words(tmp, took) : "");
    talloc_free(tmp);
}

bool turn_redraw(struct db *db, int *marked, struct error *err)
{
    void *ctx = talloc_new(NULL);
    *marked = 0;
    bool ok = db_begin(db, DB_READ_WRITE, err);
    struct rows *rows = ok ? queue_drawn_before(ctx, db, err) : NULL;
    for (int i = 0; rows && i < rows_count(rows); i++) {
        struct environment env = {.id = rows_integer(rows, i, "environment", 0)};
        say_redraw(db, &env, "message");
        ++*marked;
    }
    ok = rows && db_commit(db, err);
    if (!ok)
        db_rollback(db);
    talloc_free(ctx);
    return ok;
}
