#include "store/enrolments.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

bool enrolment_find(const void *ctx, struct db *db, const char *workspace, const char *user,
                    bool lock, struct enrolment **out, struct error *err)
{
    static const char look[] =
        "SELECT encode(secret, 'hex') AS secret, last_step, failures,"
        " ceil(extract(epoch FROM locked_until - clock_timestamp()))::bigint AS locked_left,"
        " floor(extract(epoch FROM clock_timestamp()))::bigint AS now"
        " FROM enrolments WHERE workspace = $1 AND user_id = $2";
    static const char look_and_lock[] =
        "SELECT encode(secret, 'hex') AS secret, last_step, failures,"
        " ceil(extract(epoch FROM locked_until - clock_timestamp()))::bigint AS locked_left,"
        " floor(extract(epoch FROM clock_timestamp()))::bigint AS now"
        " FROM enrolments WHERE workspace = $1 AND user_id = $2 FOR UPDATE";
    struct rows *rows = db_query(ctx, db, err, lock ? look_and_lock : look, P(workspace, user));
    *out = NULL;
    if (!rows || rows_count(rows) == 0)
        return rows != NULL;
    struct enrolment *enrolment = talloc_zero(ctx, struct enrolment);
    const char *hex = rows_text(rows, 0, "secret");
    uint8_t *bytes = talloc_zero_size(enrolment, strlen(hex) / 2 + 1);
    if (OPENSSL_hexstr2buf_ex(bytes, strlen(hex) / 2 + 1, &enrolment->length, hex, '\0') != 1)
        enrolment->length = 0;
    enrolment->secret = bytes;
    enrolment->last_step = rows_integer(rows, 0, "last_step", 0);
    enrolment->failures = (int)rows_integer(rows, 0, "failures", 0);
    int64_t left = rows_integer(rows, 0, "locked_left", 0);
    enrolment->locked_left = left > 0 ? left : 0;
    enrolment->now = rows_integer(rows, 0, "now", 0);
    *out = enrolment;
    return true;
}

bool enrolment_put(struct db *db, const char *workspace, const char *user, const uint8_t *secret,
                   size_t length, bool *replaced, struct error *err)
{
    void *tmp = talloc_new(NULL);
    char *hex = talloc_strdup(tmp, "\\x");
    for (size_t i = 0; i < length; i++)
        hex = talloc_asprintf_append(hex, "%02x", secret[i]);
    struct rows *rows =
        db_query(tmp, db, err,
                 "INSERT INTO enrolments (workspace, user_id, secret) VALUES ($1, $2, $3::bytea)"
                 " ON CONFLICT (workspace, user_id) DO UPDATE SET secret = EXCLUDED.secret,"
                 "  enrolled_at = now(), last_step = 0, failures = 0, locked_until = NULL"
                 " RETURNING (xmax <> 0) AS replaced", /* 0 in a row that is new */
                 P(workspace, user, hex));
    if (rows)
        *replaced = rows_true(rows, 0, "replaced");
    talloc_free(tmp);
    return rows != NULL;
}

bool enrolment_remove(struct db *db, const char *workspace, const char *user, bool *was,
                      struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(tmp, db, err,
                                 "DELETE FROM enrolments WHERE workspace = $1 AND user_id = $2"
                                 " RETURNING user_id",
                                 P(workspace, user));
    if (rows)
        *was = rows_count(rows) > 0;
    talloc_free(tmp);
    return rows != NULL;
}

void enrolment_right(struct db *db, const char *workspace, const char *user, int64_t step)
{
    char number[32];
    snprintf(number, sizeof number, "%" PRId64, step);
    db_send(db,
            "UPDATE enrolments SET last_step = $3::bigint, failures = 0, locked_until = NULL"
            " WHERE workspace = $1 AND user_id = $2",
            P(workspace, user, number));
}

void enrolment_wrong(struct db *db, const char *workspace, const char *user, int64_t lock_seconds)
{
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%" PRId64, lock_seconds);
    db_send(db,
            "UPDATE enrolments SET failures = failures + 1,"
            " locked_until = CASE WHEN $3::bigint > 0"
            "  THEN clock_timestamp() + $3::bigint * interval '1 second' END"
            " WHERE workspace = $1 AND user_id = $2",
            P(workspace, user, seconds));
}

bool enrolment_count(const void *ctx, struct db *db, const char *workspace, const char **users,
                     int *count, struct error *err)
{
    cJSON *list = json_array(ctx);
    for (; *users; users++)
        cJSON_AddItemToArray(list, cJSON_CreateString(*users));
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT count(*) AS enrolled FROM enrolments WHERE workspace = $1"
                                 " AND user_id IN (SELECT jsonb_array_elements_text($2::jsonb))",
                                 P(workspace, json_text(ctx, list)));
    *count = rows ? (int)rows_integer(rows, 0, "enrolled", 0) : 0;
    return rows != NULL;
}
