#include "store/outbox.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

bool outbox_claim(const void *ctx, struct db *db, const char *kinds, const char *claimer, int lease,
                  struct outbox_row **out, struct error *err)
{
    *out = NULL;
    void *tmp = talloc_new(NULL);
    /* OFFSET 0: looked up for each candidate until one is the first of its conversation, not joined
       with all that waits. */
    struct rows *rows = db_query(
        ctx, db, err,
        "WITH head AS ("
        " SELECT o.id, o.claimed_by FROM outbox o"
        " WHERE o.sent_at IS NULL AND NOT o.parked AND o.due_at <= now()"
        "  AND o.kind = ANY ($1::text[])"
        "  AND (o.claimed_until IS NULL OR o.claimed_until <= now())"
        "  AND NOT EXISTS (SELECT FROM outbox b"
        "   WHERE b.conversation = o.conversation AND b.id < o.id"
        "    AND b.sent_at IS NULL AND NOT b.parked"
        "    AND NOT (b.kind = 'redraw' AND o.kind <> 'redraw'"
        "     AND EXISTS (SELECT FROM messages m"
        "      WHERE m.environment = b.environment AND m.place = b.place)) OFFSET 0)"
        " ORDER BY o.due_at, o.id FOR UPDATE OF o SKIP LOCKED LIMIT 1)"
        "UPDATE outbox o SET claimed_by = $2, attempts = attempts + 1,"
        " claimed_until = now() + make_interval(secs => $3::double precision)"
        " WHERE o.id = (SELECT id FROM head)"
        " RETURNING o.id, o.kind, o.conversation, o.environment, o.place, o.template, o.content,"
        "  o.recipient, extract(epoch FROM o.created_at) AS created_at,"
        "  extract(epoch FROM now() - o.created_at) AS age,"
        "  coalesce(o.expires_at < now(), false) AS too_late, o.attempts,"
        "  (SELECT claimed_by IS NOT NULL FROM head) AS uncertain",
        P(kinds, claimer, text_number(tmp, lease)));
    talloc_free(tmp);
    if (!rows || !rows_count(rows))
        return rows != NULL;
    struct outbox_row *row = talloc_zero(ctx, struct outbox_row);
    row->id = rows_integer(rows, 0, "id", 0);
    row->id_text = rows_text(rows, 0, "id");
    row->kind = rows_text(rows, 0, "kind");
    row->conversation = rows_text(rows, 0, "conversation");
    row->environment = rows_integer(rows, 0, "environment", 0);
    row->place = rows_text(rows, 0, "place");
    row->template = rows_text(rows, 0, "template");
    row->content = rows_json(row, rows, 0, "content");
    row->recipient = rows_text(rows, 0, "recipient");
    row->created_at = (int64_t)rows_number(rows, 0, "created_at", 0);
    row->age = rows_number(rows, 0, "age", 0);
    row->too_late = rows_true(rows, 0, "too_late");
    row->attempts = (int)rows_integer(rows, 0, "attempts", 1);
    row->uncertain = rows_true(rows, 0, "uncertain");
    *out = row;
    return true;
}

void outbox_done(struct db *db, const struct outbox_row *row, const char *claimer, const char *note)
{
    db_send(db,
            "UPDATE outbox SET sent_at = now(), claimed_until = NULL, claimed_by = NULL,"
            " error = $3 WHERE id = $1 AND claimed_by = $2",
            P(row->id_text, claimer, note));
}

void outbox_later(struct db *db, const struct outbox_row *row, const char *claimer, int64_t wait_ms,
                  bool uncertain, bool counted, const char *why)
{
    void *tmp = talloc_new(NULL);
    char wait[32];
    snprintf(wait, sizeof wait, "%" PRId64 ".%03d", wait_ms / 1000, (int)(wait_ms % 1000));
    db_send(db,
            "UPDATE outbox SET claimed_until = NULL,"
            " due_at = now() + make_interval(secs => $3::double precision),"
            " claimed_by = CASE WHEN $4::boolean THEN claimed_by END,"
            " attempts = attempts - CASE WHEN $5::boolean THEN 0 ELSE 1 END,"
            " error = coalesce($6, error) WHERE id = $1 AND claimed_by = $2",
            P(row->id_text, claimer, wait, uncertain ? "t" : "f", counted ? "t" : "f", why));
    /* What stands behind it cannot go before it: it need not be looked at until then. */
    db_send(db,
            "UPDATE outbox SET due_at = now() + make_interval(secs => $3::double precision)"
            " WHERE conversation = $2 AND id > $1::bigint AND sent_at IS NULL AND NOT parked"
            "  AND due_at <= now() AND NOT ($4::text = 'redraw' AND EXISTS (SELECT FROM messages"
            "   WHERE environment = $5::bigint AND place = $6))",
            P(row->id_text, row->conversation, wait, row->kind, text_number(tmp, row->environment),
              row->place));
    talloc_free(tmp);
}

void outbox_park(struct db *db, const struct outbox_row *row, const char *claimer, const char *why)
{
    db_send(db,
            "UPDATE outbox SET parked = true, claimed_until = NULL, claimed_by = NULL, error = $3"
            " WHERE id = $1 AND claimed_by = $2",
            P(row->id_text, claimer, why));
}

void outbox_drawn(struct db *db, const struct outbox_row *row, int64_t upto)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "UPDATE outbox SET sent_at = now()"
            " WHERE conversation = $1 AND environment = $2::bigint AND place = $3"
            "  AND kind = 'redraw' AND id <= $4::bigint AND sent_at IS NULL AND NOT parked"
            "  AND claimed_by IS NULL",
            P(row->conversation, text_number(tmp, row->environment), row->place,
              text_number(tmp, upto)));
    talloc_free(tmp);
}

bool outbox_newest(struct db *db, const struct outbox_row *row, int64_t *id, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows =
        db_query(tmp, db, err,
                 "SELECT max(id) AS id FROM outbox WHERE conversation = $1"
                 " AND environment = $2::bigint AND place = $3"
                 " AND kind = 'redraw' AND sent_at IS NULL AND NOT parked",
                 P(row->conversation, text_number(tmp, row->environment), row->place));
    if (rows)
        *id = rows_integer(rows, 0, "id", row->id);
    talloc_free(tmp);
    return rows != NULL;
}

int64_t outbox_wait_ms(struct db *db, const char *kinds, int64_t most, struct error *err)
{
    void *tmp = talloc_new(NULL);
    /* What is due already waits for its conversation's head, whose delivery rings again. */
    struct rows *rows =
        db_query(tmp, db, err,
                 "SELECT extract(epoch FROM min(due_at) - now()) * 1000 AS wait FROM outbox"
                 " WHERE sent_at IS NULL AND NOT parked AND due_at > now()"
                 "  AND kind = ANY ($1::text[])",
                 P(kinds));
    double wait = rows ? rows_number(rows, 0, "wait", (double)most) : -1;
    talloc_free(tmp);
    return wait > (double)most ? most : (int64_t)wait + (wait >= 0);
}

bool outbox_held(struct db *db, const struct outbox_row *row, const char *claimer, bool *held,
                 struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows =
        db_query(tmp, db, err, "SELECT FROM outbox WHERE id = $1 AND claimed_by = $2 FOR UPDATE",
                 P(row->id_text, claimer));
    if (rows)
        *held = rows_count(rows) == 1;
    talloc_free(tmp);
    return rows != NULL;
}

bool outbox_release(struct db *db, const char *claimer, struct error *err)
{
    void *tmp = talloc_new(NULL);
    bool ok = db_query(tmp, db, err,
                       "UPDATE outbox SET claimed_until = now()"
                       " WHERE claimed_by = $1 AND sent_at IS NULL AND NOT parked",
                       P(claimer)) != NULL;
    talloc_free(tmp);
    return ok;
}

bool outbox_release_dead(struct db *db, const char *host_prefix, bool (*gone)(const char *claimer),
                         int settle, struct error *err)
{
    void *tmp = talloc_new(NULL);
    const char *seconds = text_number(tmp, settle);
    struct rows *rows =
        db_query(tmp, db, err,
                 "SELECT DISTINCT claimed_by FROM outbox"
                 " WHERE sent_at IS NULL AND NOT parked AND starts_with(claimed_by, $1)"
                 "  AND claimed_until > now() + make_interval(secs =>"
                 "   $2::double precision)",
                 P(host_prefix, seconds));
    bool ok = rows != NULL;
    for (int i = 0; ok && i < rows_count(rows); i++) {
        const char *claimer = rows_text(rows, i, "claimed_by");
        if (gone(claimer))
            ok = db_query(tmp, db, err,
                          "UPDATE outbox SET claimed_until = least(claimed_until,"
                          "  now() + make_interval(secs => $2::double precision))"
                          " WHERE claimed_by = $1 AND sent_at IS NULL AND NOT parked",
                          P(claimer, seconds)) != NULL;
    }
    talloc_free(tmp);
    return ok;
}

struct rows *outbox_counts(const void *ctx, struct db *db, struct error *err)
{
    return db_query(
        ctx, db, err,
        "SELECT k.kind, coalesce(w.number, 0) AS waiting, coalesce(p.number, 0) AS parked"
        " FROM unnest('{say,redraw,private,upload,mail,sns}'::text[]) AS k(kind)"
        " LEFT JOIN (SELECT kind, count(*) AS number FROM outbox"
        "  WHERE sent_at IS NULL AND NOT parked GROUP BY kind) w USING (kind)"
        " LEFT JOIN (SELECT kind, count(*) AS number FROM outbox"
        "  WHERE parked GROUP BY kind) p USING (kind)",
        P0);
}

bool message_find(const void *ctx, struct db *db, int64_t environment, const char *place,
                  struct message_place **out, struct error *err)
{
    *out = NULL;
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, environment);
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT channel, ts, permalink,"
                                 " extract(epoch FROM now() - drawn_at) AS drawn_ago FROM messages"
                                 " WHERE environment = $1 AND place = $2",
                                 P(id, place));
    if (!rows || !rows_count(rows))
        return rows != NULL;
    struct message_place *found = talloc_zero(ctx, struct message_place);
    found->channel = rows_text(rows, 0, "channel");
    found->ts = rows_text(rows, 0, "ts");
    found->permalink = rows_text(rows, 0, "permalink");
    found->drawn_ago = rows_number(rows, 0, "drawn_ago", 0);
    *out = found;
    return true;
}

void message_stands(struct db *db, int64_t environment, const char *place, const char *channel,
                    const char *ts)
{
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, environment);
    db_send(db,
            "INSERT INTO messages (environment, place, channel, ts) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (environment, place) DO UPDATE SET channel = $3, ts = $4,"
            "  permalink = NULL, drawn_at = now()",
            P(id, place, channel, ts));
}

void message_drawn(struct db *db, int64_t environment, const char *place)
{
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, environment);
    db_send(db, "UPDATE messages SET drawn_at = now() WHERE environment = $1 AND place = $2",
            P(id, place));
}

void message_link(struct db *db, int64_t environment, const char *place, const char *permalink)
{
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, environment);
    db_send(db, "UPDATE messages SET permalink = $3 WHERE environment = $1 AND place = $2",
            P(id, place, permalink));
}
