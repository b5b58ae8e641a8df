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

/* Whether there is a pause is seen by PostgreSQL: so nobody waits for an answer. */
void pausing_say(struct db *db, const struct environment *env, const char *kind)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "INSERT INTO outbox (kind, conversation, environment, place, template, content)"
            " SELECT 'say', 'env:' || $1, $1::bigint, 'thread', 'paused', $2::jsonb ||"
            "  jsonb_build_object('pause', jsonb_build_object('by', user_name,"
            "   'mention', '<@' || user_id || '>', 'reason', reason, 'everything', everything))"
            " FROM pauses WHERE resumed_at IS NULL AND (everything OR $3 <> 'delete')",
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

static bool tell(void *ctx, struct db *db, const char *pause, bool over, int *told,
                 struct error *err)
{
    struct rows *rows = read_held(ctx, db, pause, err);
    *told = rows ? rows_count(rows) : 0;
    for (int i = 0; i < *told; i++) {
        struct environment *env = environment_from_row(ctx, rows, i);
        if (over)
            say(db, env, "thread", "resumed", NULL);
        else
            pausing_say(db, env, rows_text(rows, i, "kind"));
        talloc_free(env);
    }
    return rows && redraw(ctx, db, pause, told, err);
}

bool pausing_tell(struct db *db, int *told, struct error *err)
{
    void *ctx = talloc_new(NULL);
    *told = 0;
    bool ok = db_begin(db, DB_READ_WRITE, err);
    struct rows *rows =
        ok ? db_query(ctx, db, err,
                      "UPDATE pauses SET told = true WHERE id = (SELECT id FROM pauses"
                      "  WHERE NOT told ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)"
                      " RETURNING id, resumed_at IS NOT NULL AS over",
                      P0)
           : NULL;
    ok = rows && (rows_count(rows) == 0 ||
                  tell(ctx, db, rows_text(rows, 0, "id"), rows_true(rows, 0, "over"), told, err));
    if (ok && rows_count(rows))
        ok = db_commit(db, err);
    else
        db_rollback(db);
    talloc_free(ctx);
    return ok;
}
