#include "lifecycle/clock.h"

#include "base/log.h"
#include "lifecycle/schedule.h"
#include "lifecycle/states.h"
#include "lifecycle/waiting.h"

#include <string.h>
#include <talloc.h>

enum event clock_event(const struct environment *env)
{
    const struct waiting waiting = waiting_of(env, NULL);
    if (strcmp(env->state, "pending") == 0)
        return waiting_step(&waiting, &lifecycle_rules) == WAITING_LAPSE ? EVENT_LAPSE
                                                                         : EVENT_COUNT;
    if (!state_runs(env->state))
        return EVENT_COUNT;
    if (env->expires_at <= env->now)
        return EVENT_EXPIRE;
    return lifecycle_warning_due(env, &lifecycle_rules) ? EVENT_WARN : EVENT_COUNT;
}

static void look_again_later(struct db *db, const struct environment *env)
{
    char id[32], due[32];
    snprintf(id, sizeof id, "%lld", (long long)env->id);
    time_t at = lifecycle_due(env, &lifecycle_rules);
    snprintf(due, sizeof due, "%lld", (long long)at);
    db_send(db, "UPDATE environments SET due_at = to_timestamp($2::double precision) WHERE id = $1",
            P(id, at ? due : NULL));
}

/* Its state stays what it is. */
static void wait_on(struct db *db, struct environment *env)
{
    const struct waiting waiting = waiting_of(env, NULL);
    bool pending = strcmp(env->state, "pending") == 0;
    if (pending && waiting_step(&waiting, &lifecycle_rules) == WAITING_ESCALATE) {
        waiting_escalate(db, env, NULL);
        log_info("due", "env", env->cluster, "event", "escalate");
    } else {
        look_again_later(db, env);
    }
}

/* One due environment that nobody else has locked; *found false when there is none. */
static bool take_one(void *ctx, struct db *db, const struct template_set *templates, bool *found,
                     struct error *err)
{
    *found = false;
    if (!db_begin(db, DB_READ_WRITE, err))
        return false;
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT " ENVIRONMENT_COLUMNS " FROM environments e"
                                 " WHERE e.ended_at IS NULL AND e.due_at <= now()"
                                 " ORDER BY e.due_at LIMIT 1 FOR UPDATE SKIP LOCKED",
                                 P0);
    if (!rows || rows_count(rows) == 0) {
        db_rollback(db);
        return rows != NULL;
    }
    *found = true;
    struct environment *env = environment_from_row(ctx, rows, 0);
    enum event event = clock_event(env);
    if (event == EVENT_COUNT && schedule_due(env)) {
        db_rollback(db); /* a turn locks its team first */
        log_info("due", "env", env->cluster, "event", "turn");
        return schedule_turn(db, templates, env->id, err);
    }
    if (event == EVENT_COUNT)
        wait_on(db, env);
    else if (!lifecycle_take(db, env, event, &AUDIT_ENVBOT, NULL, err)) {
        db_rollback(db);
        return false;
    }
    if (event != EVENT_COUNT)
        log_info("due", "env", env->cluster, "event", event_name(event));
    return db_commit(db, err);
}

bool clock_tick(struct db *db, const struct template_set *templates, int *taken, struct error *err)
{
    bool ok = true, found = true;
    for (*taken = 0; ok && found && *taken < 100;) {
        void *ctx = talloc_new(NULL);
        ok = take_one(ctx, db, templates, &found, err);
        *taken += ok && found;
        talloc_free(ctx);
    }
    return ok;
}

bool clock_sweep(struct db *db, struct error *err)
{
    void *ctx = talloc_new(NULL);
    bool ok = db_query(ctx, db, err,
                       "DELETE FROM envelopes WHERE key IN (SELECT key FROM envelopes"
                       " WHERE received_at < now() - interval '1 day' LIMIT 1000)",
                       P0) &&
              db_query(ctx, db, err,
                       "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox"
                       " WHERE sent_at < now() - interval '7 days' AND NOT parked LIMIT 1000)",
                       P0);
    talloc_free(ctx);
    return ok;
}
