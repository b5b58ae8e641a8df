#include "lifecycle/say.h"

#include "lifecycle/place.h"
#include "lifecycle/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

bool say_notifies = false;

static void notify(struct db *db, const char *kind)
{
    db_note(db,
            strcmp(kind, "mail") == 0 || strcmp(kind, "sns") == 0 ? DB_NOTE_MAIL : DB_NOTE_SLACK);
    if (say_notifies)
        db_send(db, "SELECT pg_notify('envbot_outbox', '')", P0);
}

/* The view of the environment with extra's members over it, as text. */
static char *frozen(const void *ctx, const struct environment *env, const cJSON *extra)
{
    cJSON *values = env ? view_of(ctx, env) : json_object(ctx);
    const cJSON *each;
    cJSON_ArrayForEach (each, extra)
        json_set(values, each->string, cJSON_Duplicate(each, true));
    return json_text(ctx, values);
}

/* A message and its thread are one conversation; the environment's own also has its private words.
 */
static char *conversation(const void *ctx, const struct environment *env, const char *name)
{
    if (strcmp(name, "operators") == 0)
        return talloc_strdup(ctx, name);
    struct place place = place_read(name);
    const char *prefix = place.approvers && *place.message ? place.message : "env";
    if (strcmp(name, "mail") == 0)
        prefix = name;
    return talloc_asprintf(ctx, "%s:%" PRId64, prefix, env->id);
}

/* A row of the outbox as its statement takes it. */
struct line {
    const char *kind, *conversation, *environment, *place, *name, *content;
};

/* At most LINES_MOST by one statement, which costs PostgreSQL half of what it takes for each. */
enum { LINES_MOST = 3 };
#define INSERT_LINES                                                                               \
    "INSERT INTO outbox (kind, conversation, environment, place, template, content) VALUES "
#define LINE_1 "($1, $2, $3::bigint, $4, $5, $6::jsonb)"
#define LINE_2 LINE_1 ", ($7, $8, $9::bigint, $10, $11, $12::jsonb)"
#define LINE_3 LINE_2 ", ($13, $14, $15::bigint, $16, $17, $18::jsonb)"

static void add_lines(struct db *db, const struct line *lines, size_t count)
{
    static const char *const inserts[] = {INSERT_LINES LINE_1, INSERT_LINES LINE_2,
                                          INSERT_LINES LINE_3};
    for (size_t n; count > 0; lines += n, count -= n) {
        const char *values[LINES_MOST * 6];
        n = count < LINES_MOST ? count : LINES_MOST;
        for (size_t i = 0; i < n; i++) {
            const struct line *line = &lines[i];
            const char *of_one[] = {line->kind,  line->conversation, line->environment,
                                    line->place, line->name,         line->content};
            memcpy(&values[i * 6], of_one, sizeof of_one);
            notify(db, line->kind);
        }
        db_send(db, inserts[n - 1], n * 6, values);
    }
}

static void add_row(struct db *db, const char *kind, const struct environment *env,
                    const char *place, const char *name, const char *content)
{
    void *tmp = talloc_new(NULL);
    struct line line = {kind,
                        conversation(tmp, env, place),
                        env ? talloc_asprintf(tmp, "%" PRId64, env->id) : NULL,
                        place,
                        name,
                        content};
    add_lines(db, &line, 1);
    talloc_free(tmp);
}

void say_all(struct db *db, const struct environment *env, const struct saying *sayings,
             size_t count, const cJSON *extra)
{
    void *tmp = talloc_new(NULL);
    struct line *lines = talloc_array(tmp, struct line, (unsigned)count);
    const char *id = env ? talloc_asprintf(tmp, "%" PRId64, env->id) : NULL, *values = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct saying *each = &sayings[i];
        bool redraw = !each->name;
        if (!redraw && !values)
            values = frozen(tmp, env, extra);
        lines[i] =
            (struct line){redraw ? "redraw" : "say",
                          conversation(tmp, env, each->place),
                          id,
                          each->place,
                          redraw ? talloc_strdup(tmp, place_read(each->place).kind) : each->name,
                          redraw ? "{}" : values};
    }
    add_lines(db, lines, count);
    talloc_free(tmp);
}

void say(struct db *db, const struct environment *env, const char *place, const char *name,
         const cJSON *extra)
{
    say_all(db, env, &(struct saying){place, name}, 1, extra);
}

void say_redraw(struct db *db, const struct environment *env, const char *place)
{
    say_all(db, env, &(struct saying){place, NULL}, 1, NULL);
}

void say_mail(struct db *db, const struct environment *env, const char *name, const cJSON *extra)
{
    void *tmp = talloc_new(NULL);
    if (env->owner_mail) {
        add_row(db, "mail", env, "mail", name, frozen(tmp, env, extra));
    } else {
        char id[32];
        snprintf(id, sizeof id, "%" PRId64, env->id);
        db_send(db,
                "INSERT INTO outbox (kind, conversation, environment, place, template, content)"
                " SELECT 'say', 'env:' || $1, $1::bigint, 'thread', 'mail-missing', $2::jsonb"
                " WHERE NOT EXISTS (SELECT FROM audit WHERE environment = $1::bigint"
                "  AND event = 'mail-missing')",
                P(id, frozen(tmp, env, extra)));
        db_send(db,
                "INSERT INTO audit (environment, team, name, actor, actor_name, event)"
                " SELECT $1::bigint, $2, $3, 'envbot', 'envbot', 'mail-missing'"
                " WHERE NOT EXISTS (SELECT FROM audit WHERE environment = $1::bigint"
                "  AND event = 'mail-missing')",
                P(id, env->team, env->name));
        notify(db, "say");
    }
    talloc_free(tmp);
}

void say_private(struct db *db, const struct environment *env, const char *user,
                 const char *channel, const char *name, const cJSON *values)
{
    void *tmp = talloc_new(NULL);
    cJSON *all = env ? view_of(tmp, env) : json_object(tmp);
    const cJSON *each;
    cJSON_ArrayForEach (each, values)
        json_set(all, each->string, cJSON_Duplicate(each, true));
    if (channel)
        json_set_string(all, "channel", channel);
    db_send(
        db,
        "INSERT INTO outbox (kind, conversation, environment, place, template, content,"
        " recipient, expires_at)"
        " VALUES ('private', 'user:' || $1, $2::bigint, 'person', $3, $4::jsonb, $1,"
        " now() + interval '10 minutes')",
        P(user, env ? talloc_asprintf(tmp, "%" PRId64, env->id) : NULL, name, json_text(tmp, all)));
    notify(db, "private");
    talloc_free(tmp);
}

void say_operators(struct db *db, const char *name, const cJSON *values)
{
    void *tmp = talloc_new(NULL);
    add_row(db, "say", NULL, "operators", name, frozen(tmp, NULL, values));
    talloc_free(tmp);
}

void say_upload(struct db *db, const char *recipient, const char *filename, const char *title,
                const char *content, const char *comment)
{
    void *tmp = talloc_new(NULL);
    cJSON *values = json_object(tmp);
    json_set_string(values, "filename", filename);
    json_set_string(values, "title", title);
    json_set_string(values, "content", content);
    json_set_string(values, "comment", comment);
    db_send(db,
            "INSERT INTO outbox (kind, conversation, place, content, recipient)"
            " VALUES ('upload', 'user:' || $1, 'person', $2::jsonb, $1)",
            P(recipient, json_text(tmp, values)));
    notify(db, "upload");
    talloc_free(tmp);
}
