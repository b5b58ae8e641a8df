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

static void add_row(struct db *db, const char *kind, const struct environment *env,
                    const char *place, const char *name, const char *content)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "INSERT INTO outbox (kind, conversation, environment, place, template, content)"
            " VALUES ($1, $2, $3::bigint, $4, $5, $6::jsonb)",
            P(kind, conversation(tmp, env, place),
              env ? talloc_asprintf(tmp, "%" PRId64, env->id) : NULL, place, name, content));
    notify(db, kind);
    talloc_free(tmp);
}

void say(struct db *db, const struct environment *env, const char *place, const char *name,
         const cJSON *extra)
{
    void *tmp = talloc_new(NULL);
    add_row(db, "say", env, place, name, frozen(tmp, env, extra));
    talloc_free(tmp);
}

void say_redraw(struct db *db, const struct environment *env, const char *place)
{
    add_row(db, "redraw", env, place, place_read(place).kind, "{}");
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
