#include "store/audit_verify.h"

#include "base/text.h"
#include "store/audit_read.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

struct proof {
    void *ctx;
    struct audit_hasher *hasher;
    const struct audit_head *noted;
    struct audit_verdict *verdict;
    unsigned char hash[AUDIT_HASH];
    int64_t number; /* the last one that is proved */
};

__attribute__((format(printf, 3, 4))) static bool broken(struct proof *proof, struct error *err,
                                                         const char *format, ...)
{
    struct audit_verdict *verdict = proof->verdict;
    verdict->sound = false;
    va_list args;
    va_start(args, format);
    char *words = talloc_vasprintf(proof->ctx, format, args);
    va_end(args);
    snprintf(verdict->broken, sizeof verdict->broken, "%s",
             text_cut(proof->ctx, text_clean(proof->ctx, words), 240));
    return error_set(err, ERROR_NONE, "%s", verdict->broken);
}

static const char *field(struct proof *proof, const struct audit_row *row, enum audit_field which)
{
    const struct audit_text *value = &row->record.fields[which];
    return value->text ? talloc_strndup(proof->ctx, value->text, value->length) : "";
}

/* "approve of payments/demo by approver, 2026-11-25 05:34:34 UTC" */
static const char *row_words(struct proof *proof, const struct audit_row *row)
{
    time_t at = (time_t)(row->at / 1000000);
    struct tm utc;
    char when[32];
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&at, &utc));
    const char *team = field(proof, row, AUDIT_TEAM), *name = field(proof, row, AUDIT_NAME);
    return talloc_asprintf(proof->ctx, "%s%s%s%s%s by %s, %s", field(proof, row, AUDIT_EVENT),
                           *team ? " of " : "", team, *name ? "/" : "", name,
                           field(proof, row, AUDIT_ACTOR_NAME), when);
}

static bool check_row(void *user, const struct audit_row *row, struct error *err)
{
    struct proof *proof = user;
    int64_t number = proof->number + 1;
    if (row->record.number != number)
        return broken(proof, err, "Number %" PRId64 " of the chain is missing.", number);
    if (!row->there)
        return broken(proof, err,
                      "Number %" PRId64 " of the chain: row %" PRId64 " of the audit is gone.",
                      number, row->sealed);
    audit_hash(proof->hasher, &row->record, proof->hash, proof->hash);
    if (memcmp(proof->hash, row->hash, AUDIT_HASH) != 0)
        return broken(proof, err,
                      "Number %" PRId64 " of the chain: row %" PRId64
                      " of the audit is not what was sealed there (%s).",
                      number, row->sealed, row_words(proof, row));
    proof->number = number;
    if (proof->noted && proof->noted->number == number) {
        char hex[AUDIT_HEX];
        audit_hex(proof->hash, hex);
        if (strcmp(hex, proof->noted->hash) != 0)
            return broken(proof, err,
                          "Number %" PRId64 " of the chain is not the head that was noted: it or "
                          "something before it was made anew.",
                          number);
    }
    if (number == 1)
        proof->verdict->first_at = row->at;
    proof->verdict->last_at = row->at;
    return true;
}

static bool check_tail(struct proof *proof)
{
    if (!proof->noted || proof->noted->number <= proof->number)
        return true;
    return broken(proof, NULL,
                  "The chain ends at number %" PRId64 ", before the head that was noted (%" PRId64
                  "): its end was cut off.",
                  proof->number, proof->noted->number);
}

/* What is not in the chain: it may wait for its turn, but not for long, and it must be known to. */
static bool check_unsealed(struct proof *proof, struct db *db, bool *sound, struct error *err)
{
    struct rows *rows =
        db_query(proof->ctx, db, err,
                 "SELECT count(*) AS open, min(a.id) FILTER (WHERE u.audit IS NULL) AS unknown,"
                 " min(a.id) FILTER (WHERE a.at < now() - interval '2 minutes') AS late,"
                 " (SELECT min(g.audit) FROM audit_unsealed g"
                 "  WHERE NOT EXISTS (SELECT FROM audit x WHERE x.id = g.audit)) AS gone"
                 " FROM audit a LEFT JOIN audit_unsealed u ON u.audit = a.id"
                 " WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.audit = a.id)",
                 P0);
    if (!rows)
        return false;
    int64_t unknown = rows_integer(rows, 0, "unknown", 0), late = rows_integer(rows, 0, "late", 0);
    int64_t gone = rows_integer(rows, 0, "gone", 0);
    proof->verdict->waiting = rows_integer(rows, 0, "open", 0);
    *sound = true;
    if (unknown)
        *sound = broken(proof, NULL, "Row %" PRId64 " of the audit was never sealed.", unknown);
    else if (gone)
        *sound = broken(proof, NULL, "Row %" PRId64 " of the audit is gone: it was not sealed yet.",
                        gone);
    else if (late)
        *sound = broken(proof, NULL,
                        "Row %" PRId64 " of the audit waits to be sealed for more than two "
                        "minutes. `envbot serve` does that: is it running?",
                        late);
    return true;
}

static bool check_guards(struct proof *proof, struct db *db, bool *sound, struct error *err)
{
    struct rows *rows =
        db_query(proof->ctx, db, err,
                 "SELECT count(*) AS on_guard FROM pg_trigger WHERE tgname = 'audit_refuses'"
                 " AND tgenabled = 'A' AND tgrelid IN ('audit'::regclass, 'audit_chain'::regclass)",
                 P0);
    if (!rows)
        return false;
    *sound = rows_integer(rows, 0, "on_guard", 0) == 2;
    if (!*sound)
        broken(proof, NULL,
               "The chain holds, but the triggers that refuse changes are switched off.");
    return true;
}

static bool prove(struct proof *proof, struct db *db, struct error *err)
{
    bool sound = true;
    proof->verdict->sound = true;
    if (!audit_read_chain(db, check_row, proof, err)) {
        if (proof->verdict->sound) /* it could not be read */
            return false;
        return true;
    }
    if (!check_tail(proof))
        return true;
    return check_unsealed(proof, db, &sound, err) &&
           (!sound || check_guards(proof, db, &sound, err));
}

bool audit_verify(struct db *db, const struct audit_head *noted, struct audit_verdict *verdict,
                  struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct proof proof = {
        .ctx = ctx, .hasher = audit_hasher_new(ctx), .noted = noted, .verdict = verdict};
    *verdict = (struct audit_verdict){0};
    bool ok = db_begin(db, DB_READ_ONLY, err);
    /* One moment for all questions. */
    db_send(db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", P0);
    ok = ok && prove(&proof, db, err);
    db_rollback(db);
    verdict->head.number = proof.number;
    audit_hex(proof.hash, verdict->head.hash);
    talloc_free(ctx);
    return ok;
}
