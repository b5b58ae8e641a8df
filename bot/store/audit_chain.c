#include "store/audit_chain.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

const char *const audit_field_names[AUDIT_FIELDS] = {
    "id",         "at",      "environment", "team",     "name", "actor",
    "actor_name", "event",   "from_state",  "to_state", "rule", "rules_version",
    "envelope",   "channel", "message",     "detail"};

/* Any number that nobody else uses in this database. */
#define SEALER_LOCK "6583114403"

/* ---- the record and its hash ---- */

struct audit_hasher {
    EVP_MD *method;
    EVP_MD_CTX *state;
    char *bytes;
    size_t length, room;
};

static int free_hasher(struct audit_hasher *hasher)
{
    EVP_MD_CTX_free(hasher->state);
    EVP_MD_free(hasher->method);
    return 0;
}

struct audit_hasher *audit_hasher_new(const void *ctx)
{
    struct audit_hasher *hasher = talloc_zero(ctx, struct audit_hasher);
    hasher->method = EVP_MD_fetch(NULL, "SHA256", NULL);
    hasher->state = EVP_MD_CTX_new();
    assert(hasher->method && hasher->state);
    talloc_set_destructor(hasher, free_hasher);
    return hasher;
}

static void put_bytes(struct audit_hasher *hasher, const char *bytes, size_t length)
{
    if (hasher->length + length > hasher->room) {
        hasher->room = 2 * (hasher->length + length);
        hasher->bytes = talloc_realloc_size(hasher, hasher->bytes, hasher->room);
        assert(hasher->bytes);
    }
    memcpy(hasher->bytes + hasher->length, bytes, length);
    hasher->length += length;
}

struct audit_text audit_decimal(char digits[24], int64_t number)
{
    enum { END = 24 };
    size_t at = END;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0)
        digits[--at] = '-';
    return (struct audit_text){digits + at, END - at};
}

static void put(struct audit_hasher *hasher, struct audit_text value)
{
    if (!value.text) {
        put_bytes(hasher, "-,", 2);
        return;
    }
    char digits[24];
    struct audit_text length = audit_decimal(digits, (int64_t)value.length);
    put_bytes(hasher, length.text, length.length);
    put_bytes(hasher, ":", 1);
    put_bytes(hasher, value.text, value.length);
    put_bytes(hasher, ",", 1);
}

struct audit_text audit_record_bytes(struct audit_hasher *hasher, const struct audit_record *record,
                                     const unsigned char previous[AUDIT_HASH])
{
    static const char kind[] = "envbot audit 1";
    char digits[24], hex[AUDIT_HEX];
    hasher->length = 0;
    audit_hex(previous, hex);
    put(hasher, (struct audit_text){kind, sizeof kind - 1});
    put(hasher, audit_decimal(digits, record->number));
    put(hasher, (struct audit_text){hex, AUDIT_HEX - 1});
    put(hasher, audit_decimal(digits, record->sealed_at));
    for (int i = 0; i < AUDIT_FIELDS; i++)
        put(hasher, record->fields[i]);
    return (struct audit_text){hasher->bytes, hasher->length};
}

void audit_hash(struct audit_hasher *hasher, const struct audit_record *record,
                const unsigned char previous[AUDIT_HASH], unsigned char hash[AUDIT_HASH])
{
    struct audit_text bytes = audit_record_bytes(hasher, record, previous);
    int ok = EVP_DigestInit_ex2(hasher->state, hasher->method, NULL) &&
             EVP_DigestUpdate(hasher->state, bytes.text, bytes.length) &&
             EVP_DigestFinal_ex(hasher->state, hash, NULL);
    assert(ok);
    (void)ok;
}

void audit_hex(const unsigned char hash[AUDIT_HASH], char hex[AUDIT_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < AUDIT_HASH; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    hex[AUDIT_HEX - 1] = '\0';
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool audit_unhex(const char *hex, unsigned char hash[AUDIT_HASH])
{
    for (size_t i = 0; i < AUDIT_HASH; i++) {
        int high = hex_digit(hex[2 * i]), low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);
        if (low < 0)
            return false;
        hash[i] = (unsigned char)(high << 4 | low);
    }
    return hex[AUDIT_HEX - 1] == '\0';
}

/* ---- sealing ---- */

void audit_by_index(struct db *db)
{
    db_send(db,
            "SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_sort',"
            " 'enable_hashjoin', 'enable_mergejoin', 'enable_seqscan', 'jit']) list (name)",
            P0);
}

/* The head, and what waits. What waits and is sealed already somebody put there who should not
   have: it is left for who verifies. */
static void ask_batch(const void *ctx, struct db *db, struct rows **head, struct rows **batch)
{
    char most[16];
    snprintf(most, sizeof most, "%d", AUDIT_BATCH);
    db_ask(ctx, db, head,
           "SELECT number, encode(hash, 'hex') AS hash,"
           " (extract(epoch FROM now()) * 1000000)::bigint AS now"
           " FROM (VALUES (1)) one LEFT JOIN"
           " (SELECT number, hash FROM audit_chain ORDER BY number DESC LIMIT 1) last ON true",
           P0);
    db_ask(ctx, db, batch,
           "SELECT a.id, (extract(epoch FROM a.at) * 1000000)::bigint AS at, a.environment, a.team,"
           " a.name, a.actor, a.actor_name, a.event, a.from_state, a.to_state, a.rule,"
           " a.rules_version, a.envelope, a.channel, a.message, a.detail"
           " FROM audit_unsealed u JOIN audit a ON a.id = u.audit"
           " WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit = u.audit)"
           " ORDER BY u.audit LIMIT $1::bigint",
           P(most));
}

static void read_record(const struct rows *rows, int row, struct audit_record *record)
{
    for (int i = 0; i < AUDIT_FIELDS; i++) {
        const char *text = rows_text(rows, row, audit_field_names[i]);
        record->fields[i] = (struct audit_text){text, text ? strlen(text) : 0};
    }
}

/* The lists are PostgreSQL's arrays as text: ids and hashes hold nothing that needs quotes. */
static void write_batch(void *ctx, struct db *db, const struct rows *head, const struct rows *batch)
{
    unsigned char hash[AUDIT_HASH] = {0};
    const char *last = rows_text(head, 0, "hash");
    if (last && !audit_unhex(last, hash))
        assert(!"the chain's hashes have 32 bytes");
    int64_t first = rows_integer(head, 0, "number", 0) + 1;
    struct audit_record record = {.number = first, .sealed_at = rows_integer(head, 0, "now", 0)};
    struct audit_hasher *hasher = audit_hasher_new(ctx);
    char *ids = talloc_strdup(ctx, "{"), *hashes = talloc_strdup(ctx, "{"), hex[AUDIT_HEX];
    for (int i = 0; i < rows_count(batch); i++, record.number++) {
        read_record(batch, i, &record);
        audit_hash(hasher, &record, hash, hash);
        audit_hex(hash, hex);
        const char *comma = i ? "," : "";
        ids = talloc_asprintf_append_buffer(ids, "%s%s", comma, record.fields[AUDIT_ID].text);
        hashes = talloc_asprintf_append_buffer(hashes, "%s%s", comma, hex);
    }
    ids = talloc_strdup_append_buffer(ids, "}");
    hashes = talloc_strdup_append_buffer(hashes, "}");
    db_send(db,
            "INSERT INTO audit_chain (number, audit, sealed_at, hash)"
            " SELECT $1::bigint + nr - 1, id, now(), decode(hex, 'hex')"
            " FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS list (id, hex, nr)",
            P(talloc_asprintf(ctx, "%" PRId64, first), ids, hashes));
    db_send(db, "DELETE FROM audit_unsealed WHERE audit = ANY ($1::bigint[])", P(ids));
}

static bool seal_batch(void *ctx, struct db *db, int *sealed, bool *busy, struct error *err)
{
    if (!db_begin(db, DB_READ_WRITE, err))
        return false;
    struct rows *lock =
        db_query(ctx, db, err, "SELECT pg_try_advisory_xact_lock(" SEALER_LOCK ") AS mine", P0);
    if (!lock)
        return false;
    *busy = !rows_true(lock, 0, "mine");
    if (*busy)
        return db_commit(db, err);
    /* Only now: what these statements see includes all that the last sealer committed. */
    struct rows *head, *batch;
    audit_by_index(db);
    ask_batch(ctx, db, &head, &batch);
    if (!db_flush(db, err))
        return false;
    int count = rows_count(batch);
    if (count)
        write_batch(ctx, db, head, batch);
    if (!db_commit(db, err))
        return false;
    *sealed = count;
    return true;
}

bool audit_seal(struct db *db, int *sealed, bool *busy, struct error *err)
{
    void *ctx = talloc_new(NULL);
    *sealed = 0;
    *busy = false;
    /* Mostly nothing waits: one question, no lock. */
    struct rows *rows =
        db_query(ctx, db, err, "SELECT EXISTS (SELECT FROM audit_unsealed) AS waits", P0);
    bool ok = rows != NULL;
    if (ok && rows_true(rows, 0, "waits"))
        ok = seal_batch(ctx, db, sealed, busy, err);
    if (!ok)
        db_rollback(db);
    talloc_free(ctx);
    return ok;
}

bool audit_head_lock(const void *ctx, struct db *db, struct audit_head *head, struct error *err)
{
    if (!db_query(ctx, db, err, "SELECT pg_advisory_xact_lock(" SEALER_LOCK ")", P0))
        return false;
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT number, encode(hash, 'hex') AS hash FROM audit_chain"
                                 " ORDER BY number DESC LIMIT 1",
                                 P0);
    if (!rows)
        return false;
    *head = (struct audit_head){0};
    if (rows_count(rows)) {
        head->number = rows_integer(rows, 0, "number", 0);
        snprintf(head->hash, sizeof head->hash, "%s", rows_text(rows, 0, "hash"));
    }
    return true;
}
