#include "lifecycle/trouble.h"

#include "lifecycle/say.h"
#include "lifecycle/view.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

char *trouble_sentence(const void *ctx, const struct circuit *circuit)
{
    return *circuit->scope
               ? talloc_asprintf(ctx,
                                 "AWS throttles envbot in %s, so nothing more is begun there for "
                                 "the moment. It goes on by itself.",
                                 circuit->scope)
               : talloc_strdup(ctx, "AWS does not take envbot's credentials, so nothing more is "
                                    "begun for the moment. The operators know; it goes on by "
                                    "itself when that is mended.");
}

/* Whether there is one is seen by PostgreSQL: so nobody waits for an answer. Of one that nobody was
   told of yet, trouble_tell tells. */
void trouble_say(struct db *db, const struct environment *env)
{
    void *tmp = talloc_new(NULL);
    struct circuit all = {.scope = ""}, region = {.scope = env->region};
    db_send(db,
            "INSERT INTO outbox (kind, conversation, environment, place, template, content)"
            " SELECT 'say', 'env:' || $1, $1::bigint, 'thread', 'aws-waits', $2::jsonb ||"
            "  jsonb_build_object('words', CASE scope WHEN '' THEN $4 ELSE $5 END)"
            " FROM circuits WHERE opened_at IS NOT NULL AND told AND scope IN ('', $3)"
            " ORDER BY scope LIMIT 1",
            P(talloc_asprintf(tmp, "%" PRId64, env->id), json_text(tmp, view_of(tmp, env)),
              env->region, trouble_sentence(tmp, &all), trouble_sentence(tmp, &region)));
    talloc_free(tmp);
}

static void tell_operators(void *ctx, struct db *db, const struct circuit *circuit)
{
    cJSON *values = json_object(ctx);
    json_set_string(values, "words", trouble_sentence(ctx, circuit));
    json_set_string(values, "where", *circuit->scope ? circuit->scope : "all regions");
    json_set_string(values, "cause_line", circuit->line);
    say_operators(db, circuit->open ? "aws-trouble" : "aws-well", values);
}

static bool tell_waiting(void *ctx, struct db *db, const struct circuit *circuit, int *told,
                         struct error *err)
{
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT " ENVIRONMENT_COLUMNS " FROM environments e"
                                 " JOIN jobs j ON j.environment = e.id AND j.state = 'queued'"
                                 "  AND $1 IN ('', j.region) ORDER BY j.id",
                                 P(circuit->scope));
    for (int i = 0; rows && i < rows_count(rows); i++) {
        struct environment *env = environment_from_row(ctx, rows, i);
        cJSON *extra = json_object(env);
        json_set_string(extra, "words", trouble_sentence(env, circuit));
        say(db, env, "thread", circuit->open ? "aws-waits" : "aws-goes-on", extra);
        say_redraw(db, env, "message");
        ++*told;
        talloc_free(env);
    }
    return rows != NULL;
}

/* What a circuit that closed has begun by now shows that it waits still. */
static bool redraw_begun(void *ctx, struct db *db, const struct circuit *circuit, struct error *err)
{
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT environment FROM jobs"
                                 " WHERE state = 'running' AND $1 IN ('', region)",
                                 P(circuit->scope));
    for (int i = 0; rows && i < rows_count(rows); i++) {
        struct environment env = {.id = rows_integer(rows, i, "environment", 0)};
        say_redraw(db, &env, "message");
    }
    return rows != NULL;
}

bool trouble_tell(struct db *db, int *told, struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct rows *rows = NULL;
    *told = 0;
    circuit_ask_untold(ctx, db, &rows);
    bool ok = db_flush(db, err);
    for (int i = 0; ok && i < rows_count(rows); i++) {
        struct circuit circuit = circuit_from_row(rows, i);
        bool was = false;
        int more = 1;
        ok = db_begin(db, DB_READ_WRITE, err) && tell_waiting(ctx, db, &circuit, &more, err) &&
             redraw_begun(ctx, db, &circuit, err);
        if (ok)
            tell_operators(ctx, db, &circuit);
        ok = ok && circuit_told(db, &circuit, &was, err);
        if (ok && was)
            ok = db_commit(db, err);
        else
            db_rollback(db);
        *told += was ? more : 0;
    }
    talloc_free(ctx);
    return ok;
}
