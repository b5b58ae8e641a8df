#include "store/environments.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

static time_t moment(const struct rows *rows, int row, const char *column)
{
    return (time_t)rows_number(rows, row, column, 0);
}

struct environment *environment_from_row(const void *ctx, const struct rows *rows, int row)
{
    struct environment *env = talloc_zero(ctx, struct environment);
    env->id = rows_integer(rows, row, "id", 0);
    env->team = rows_copy(env, rows, row, "team");
    env->name = rows_copy(env, rows, row, "name");
    env->cluster = rows_copy(env, rows, row, "cluster");
    env->region = rows_copy(env, rows, row, "region");
    env->owner_workspace = rows_copy(env, rows, row, "owner_workspace");
    env->owner_id = rows_copy(env, rows, row, "owner_id");
    env->owner_name = rows_copy(env, rows, row, "owner_name");
    env->owner_mail = rows_copy(env, rows, row, "owner_mail");
    env->owner_zone = rows_copy(env, rows, row, "owner_zone");
    env->template = rows_copy(env, rows, row, "template");
    env->template_copy = rows_json(env, rows, row, "template_copy");
    env->parameters = rows_json(env, rows, row, "parameters");
    env->reason = rows_copy(env, rows, row, "reason");
    env->revision = (int)rows_integer(rows, row, "revision", 1);
    env->presented = rows_copy(env, rows, row, "presented");
    env->tally = rows_json(env, rows, row, "tally");
    env->state = rows_copy(env, rows, row, "state");
    env->cause = rows_copy(env, rows, row, "cause");
    env->plan = rows_json(env, rows, row, "plan");
    env->seen = rows_json(env, rows, row, "seen");
    env->stuck = rows_true(rows, row, "stuck");
    env->ttl_seconds = rows_integer(rows, row, "ttl_seconds", 0);
    env->created_at = moment(rows, row, "created_at");
    env->decided_at = moment(rows, row, "decided_at");
    env->started_at = moment(rows, row, "started_at");
    env->ready_at = moment(rows, row, "ready_at");
    env->expires_at = moment(rows, row, "expires_at");
    env->ended_at = moment(rows, row, "ended_at");
    env->due_at = moment(rows, row, "due_at");
    env->warned_seconds = rows_integer(rows, row, "warned_seconds", 0);
    env->wait = wait_from_row(env, rows, row);
    env->break_glass = rows_true(rows, row, "break_glass");
    env->review = rows_json(env, rows, row, "review");
    env->nodes = (int)rows_integer(rows, row, "nodes", 0);
    env->vcpus = (int)rows_integer(rows, row, "vcpus", 0);
    env->gpus = (int)rows_integer(rows, row, "gpus", 0);
    env->hourly_usd = rows_number(rows, row, "hourly_usd", 0);
    env->monthly_usd = rows_number(rows, row, "monthly_usd", 0);
    env->change = rows_json(env, rows, row, "change");
    env->awake = rows_json(env, rows, row, "awake");
    env->schedule = rows_json(env, rows, row, "schedule");
    env->turn_at = moment(rows, row, "turn_at");
    env->until = moment(rows, row, "until");
    env->now = moment(rows, row, "now");
    return env;
}

bool environment_by_id(const void *ctx, struct db *db, int64_t id, enum environment_lock lock,
                       struct environment **out, struct error *err)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, id);
    struct rows *rows =
        lock == ENVIRONMENT_LOCK
            ? db_query(ctx, db, err,
                       "SELECT " ENVIRONMENT_COLUMNS " FROM environments e WHERE e.id = $1"
                       " FOR UPDATE",
                       P(text))
            : db_query(ctx, db, err,
                       "SELECT " ENVIRONMENT_COLUMNS " FROM environments e WHERE e.id = $1",
                       P(text));
    if (!rows)
        return false;
    *out = rows_count(rows) ? environment_from_row(ctx, rows, 0) : NULL;
    talloc_free(rows);
    return true;
}

/* The living one, or else the latest of the past; two rows are enough to see an ambiguity. */
static struct rows *find_by_name(const void *ctx, struct db *db, const char *team, const char *name,
                                 const struct onlooker *who, struct error *err)
{
    if (team)
        return db_query(ctx, db, err,
                        "SELECT id FROM environments"
                        " WHERE team = $1 AND name = $2 ORDER BY id DESC LIMIT 1",
                        P(team, name));
    return db_query(ctx, db, err,
                    "SELECT l.id, l.team, l.ended_at IS NULL AS living,"
                    " l.team <> ALL ($2::text[]) OR (l.owner_workspace = $3 AND l.owner_id = $4) "
                    "AS shown FROM teams t"
                    " CROSS JOIN LATERAL (SELECT * FROM environments e WHERE e.team = t.name"
                    "  AND e.name = $1 ORDER BY e.id DESC LIMIT 1) l"
                    " ORDER BY (l.ended_at IS NULL) DESC, shown DESC, l.id DESC LIMIT 2",
                    P(name, who->hidden_teams, who->workspace, who->id));
}

/* Two living ones of the name, of which neither is the likelier one to be meant. */
static bool ambiguous(const struct rows *rows, const char *name, struct error *err)
{
    if (rows_count(rows) < 2 || !rows_true(rows, 1, "living") ||
        rows_true(rows, 0, "shown") != rows_true(rows, 1, "shown"))
        return false;
    if (rows_true(rows, 0, "shown"))
        error_set(err, ERROR_CONFLICT,
                  "There is a %s in %s and one in %s. Say which with `--team`.", name,
                  rows_text(rows, 0, "team"), rows_text(rows, 1, "team"));
    else
        error_set(err, ERROR_CONFLICT, "Several teams have a %s. Say which with `--team`.", name);
    return true;
}

bool environment_by_name(const void *ctx, struct db *db, const char *team, const char *name,
                         const struct onlooker *who, enum environment_lock lock,
                         struct environment **out, struct error *err)
{
    *out = NULL;
    struct rows *rows = find_by_name(ctx, db, team, name, who, err);
    if (!rows || ambiguous(rows, name, err))
        return false;
    int64_t id = rows_count(rows) ? rows_integer(rows, 0, "id", 0) : 0;
    talloc_free(rows);
    return id ? environment_by_id(ctx, db, id, lock, out, err) : true;
}

#define SUM_OF_THE_LIVING                                                                          \
    "SELECT t.environments AS max_environments, t.nodes AS max_nodes, t.vcpus AS max_vcpus,"       \
    " t.gpus AS max_gpus, t.monthly_usd AS max_monthly_usd,"                                       \
    " count(e.id) AS environments, coalesce(sum(e.nodes), 0) AS nodes,"                            \
    " coalesce(sum(e.vcpus), 0) AS vcpus, coalesce(sum(e.gpus), 0) AS gpus,"                       \
    " coalesce(sum(e.monthly_usd), 0) AS monthly_usd"                                              \
    " FROM teams t LEFT JOIN environments e ON e.team = t.name AND e.ended_at IS NULL"             \
    " WHERE t.name = $1 GROUP BY t.name"

void team_use_ask(const void *ctx, struct db *db, const char *team, bool lock, struct rows **rows)
{
    /* Two statements on purpose: a statement sees what was committed before it began, so the sum
       must begin after the lock was granted. */
    if (lock)
        db_send(db, "SELECT FROM teams WHERE name = $1 FOR UPDATE", P(team));
    db_ask(ctx, db, rows, SUM_OF_THE_LIVING, P(team));
}

struct team_use team_use_from_row(const struct rows *rows, int row)
{
    struct team_use use = {0};
    use.limit.environments = (int)rows_integer(rows, row, "max_environments", -1);
    use.limit.nodes = (int)rows_integer(rows, row, "max_nodes", -1);
    use.limit.vcpus = (int)rows_integer(rows, row, "max_vcpus", -1);
    use.limit.gpus = (int)rows_integer(rows, row, "max_gpus", -1);
    use.limit.monthly_usd = rows_number(rows, row, "max_monthly_usd", -1);
    use.use.environments = (int)rows_integer(rows, row, "environments", 0);
    use.use.nodes = (int)rows_integer(rows, row, "nodes", 0);
    use.use.vcpus = (int)rows_integer(rows, row, "vcpus", 0);
    use.use.gpus = (int)rows_integer(rows, row, "gpus", 0);
    use.use.monthly_usd = rows_number(rows, row, "monthly_usd", 0);
    return use;
}

static const char *seconds(const void *ctx, int64_t count)
{
    return count ? talloc_asprintf(ctx, "%" PRId64, count) : NULL;
}

bool environment_insert(struct db *db, struct environment *env, int64_t due_after,
                        int64_t remind_after, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(
        tmp, db, err,
        "INSERT INTO environments (team, name, cluster, region, owner_workspace, owner_id,"
        " owner_name, owner_mail, owner_zone, template, template_copy, parameters, reason, state,"
        " ttl_seconds, nodes, vcpus, gpus, hourly_usd, monthly_usd, tally, decided_at, due_at,"
        " remind_at, break_glass, presented, until)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::json, $12::json, $13, $14,"
        " $15::bigint, $16::integer, $17::integer, $18::integer, $19::numeric, $20::numeric,"
        " $21::jsonb, CASE WHEN $14 = 'queued' THEN now() END,"
        " now() + make_interval(secs => $22::double precision),"
        " now() + make_interval(secs => $23::double precision), $24::boolean, $25,"
        " to_timestamp($26::double precision))"
        " ON CONFLICT (cluster) WHERE ended_at IS NULL DO NOTHING"
        " RETURNING id, extract(epoch FROM created_at) AS created_at,"
        "  extract(epoch FROM due_at) AS due_at",
        P(env->team, env->name, env->cluster, env->region, env->owner_workspace, env->owner_id,
          env->owner_name, env->owner_mail, env->owner_zone, env->template,
          json_text(tmp, env->template_copy), json_text(tmp, env->parameters), env->reason,
          env->state, talloc_asprintf(tmp, "%" PRId64, env->ttl_seconds),
          talloc_asprintf(tmp, "%d", env->nodes), talloc_asprintf(tmp, "%d", env->vcpus),
          talloc_asprintf(tmp, "%d", env->gpus), talloc_asprintf(tmp, "%.4f", env->hourly_usd),
          talloc_asprintf(tmp, "%.2f", env->monthly_usd),
          env->tally ? json_text(tmp, env->tally) : NULL, seconds(tmp, due_after),
          seconds(tmp, remind_after), env->break_glass ? "t" : "f", env->presented,
          seconds(tmp, env->until)));
    bool ok = rows != NULL;
    if (ok && rows_count(rows) == 0)
        ok = error_set(err, ERROR_CONFLICT, "The name %s is taken.", env->cluster);
    if (ok) {
        env->id = rows_integer(rows, 0, "id", 0);
        env->created_at = env->now = moment(rows, 0, "created_at");
        env->due_at = moment(rows, 0, "due_at");
    }
    talloc_free(tmp);
    return ok;
}

void environment_write_values(struct db *db, const struct environment *env)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "UPDATE environments SET parameters = $2::json, ttl_seconds = $3::bigint,"
            " nodes = $4::integer, vcpus = $5::integer, gpus = $6::integer,"
            " hourly_usd = $7::numeric, monthly_usd = $8::numeric, template_copy = $9::json"
            " WHERE id = $1::bigint",
            P(talloc_asprintf(tmp, "%" PRId64, env->id), json_text(tmp, env->parameters),
              talloc_asprintf(tmp, "%" PRId64, env->ttl_seconds),
              talloc_asprintf(tmp, "%d", env->nodes), talloc_asprintf(tmp, "%d", env->vcpus),
              talloc_asprintf(tmp, "%d", env->gpus), talloc_asprintf(tmp, "%.4f", env->hourly_usd),
              talloc_asprintf(tmp, "%.2f", env->monthly_usd), json_text(tmp, env->template_copy)));
    talloc_free(tmp);
}
