#include "lifecycle/pausing.h"

#include "lifecycle/say.h"
#include "lifecycle/view.h"

#include <inttypes.h>
#include <talloc.h>

const char *pausing_words(const void *ctx, const struct pause *pause)
{
    if (!pause)
        return "";
    return talloc_asprintf(ctx, "Provisioning is paused by %s: “%s”. %s", pause->name,
                           pause->reason,
                           pause->everything ? "Nothing is lost; it starts when that is over."
                                             : "Nothing is lost; it starts when that is over, and "
                                               "deletions go on.");
}

cJSON *pausing_view(const struct pause *pause)
{
    cJSON *view = cJSON_CreateObject();
    json_set_string(view, "by", pause->name);
    json_set_format(view, "mention", "<@%s>", pause->user);
    json_set_string(view, "reason", pause->reason);
    json_set_bool(view, "everything", pause->everything);
    return view;
}

/* Whether there is a pause is seen by PostgreSQL: so nobody waits for an answer. Of one that nobody
   was told of yet, pausing_tell tells. */
void pausing_say(struct db *db, const struct environment *env, const char *kind)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "INSERT INTO outbox (kind, conversation, environment, place, template, content)"
            " SELECT 'say', 'env:' || $1, $1::bigint, 'thread', 'paused', $2::jsonb ||"
            "  jsonb_build_object('pause', jsonb_build_object('by', user_name,"
            "   'mention', '<@' || user_id || '>', 'reason', reason, 'everything', everything))"
            " FROM pauses WHERE resumed_at IS NULL AND told AND (everything OR $3 <> 'delete')",
            P(talloc_asprintf(tmp, "%" PRId64, env->id), json_text(tmp, view_of(tmp, env)), kind));
    talloc_free(tmp);
}

/* What is on its way, and what was drawn since the pause began, may show it or lack it. */
static bool redraw(void *ctx, struct db *db, const char *pause, int *told, struct error *err)
{
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT m.environment, m.place FROM environments e"
                                 " JOIN messages m ON m.environment = e.id"
                                 "  AND m.place IN ('message', 'card', 'card-escalated')"
                                 " WHERE e.ended_at IS NULL AND (e.state NOT IN ('ready', 'asleep')"
                                 "  OR m.drawn_at >= (SELECT paused_at FROM pauses WHERE id = $1))",
                                 P(pause));
    for (int i = 0; rows && i < rows_count(rows); i++) {
        struct environment env = {.id = rows_integer(rows, i, "environment", 0)};
        say_redraw(db, &env, rows_text(rows, i, "place"));
        ++*told;
    }
    return rows != NULL;
}

/* The environments with a job that this pause holds, or held. */
static struct rows *read_held(const void *ctx, struct db *db, const char *pause, struct error *err)
{
    return db_query(ctx, db, err,
                    "SELECT " ENVIRONMENT_COLUMNS ", j.kind FROM environments e"
                    " JOIN jobs j ON j.environment = e.id AND j.state = 'queued'"
                    " JOIN pauses p ON p.id = $1 AND (p.everything"
                    "  OR (j.kind <> 'delete' AND j.started_at IS NULL))"
                    " ORDER BY j.id",
                    P(pause));
}

static bool tell(void *ctx, struct db *db, const struct pause *pause, bool over, int *told,
                 struct error *err)
{
    const char *id = talloc_asprintf(ctx, "%" PRId64, pause->id);
    struct rows *rows = read_held(ctx, db, id, err);
    *told = rows ? rows_count(rows) : 0;
    cJSON *extra = json_object(ctx);
    json_set(extra, "pause", pausing_view(pause));
    for (int i = 0; i < *told; i++) {
        struct environment *env = environment_from_row(ctx, rows, i);
        say(db, env, "thread", over ? "resumed" : "paused", extra);
        talloc_free(env);
    }
    return rows && redraw(ctx, db, id, told, err);
}

/* Environments are locked before a pause, as everywhere: so it is marked last. */
bool pausing_tell(struct db *db, int *told, struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct pause *pause;
    bool over, ok = pause_find_untold(ctx, db, &pause, &over, err), mine = false;
    *told = 0;
    if (ok && pause) {
        ok = db_begin(db, DB_READ_WRITE, err) && tell(ctx, db, pause, over, told, err) &&
             pause_told(db, pause, over, &mine, err) && (!mine || db_commit(db, err));
        db_rollback(db);
    }
    *told = mine ? *told : 0;
    talloc_free(ctx);
    return ok;
}
