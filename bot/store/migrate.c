#include "store/migrate.h"

#include "base/log.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

/* Each file under migrations/ as bytes of the program, ended by a zero. */
#define MIGRATION(symbol, file)                                                                    \
    __asm__(".section .rodata\n"                                                                   \
            ".global migration_" #symbol "\n"                                                      \
            "migration_" #symbol ":\n"                                                             \
            ".incbin \"bot/store/migrations/" file "\"\n"                                          \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char migration_##symbol[]

MIGRATION(001, "001_start.sql");
MIGRATION(002, "002_outbox_sent.sql");
MIGRATION(003, "003_decisions_by_time.sql");
MIGRATION(004, "004_decisions_mail.sql");
MIGRATION(005, "005_places.sql");
MIGRATION(006, "006_waiting.sql");
MIGRATION(007, "007_break_glass.sql");
MIGRATION(008, "008_codes.sql");
MIGRATION(009, "009_audit.sql");
MIGRATION(010, "010_pauses.sql");
MIGRATION(011, "011_votes.sql");
MIGRATION(012, "012_launches.sql");
MIGRATION(013, "013_queue.sql");
MIGRATION(014, "014_presented.sql");
MIGRATION(015, "015_changes.sql");
MIGRATION(016, "016_rates.sql");
MIGRATION(017, "017_circuits.sql");
MIGRATION(018, "018_sweeps.sql");
MIGRATION(019, "019_schedule.sql");
MIGRATION(020, "020_change_requests.sql");
MIGRATION(021, "021_until.sql");
MIGRATION(022, "022_changes_wait.sql");

static const struct {
    int version;
    const char *name;
    const char *sql;
} migrations[] = {
    {1, "start", migration_001},
    {2, "outbox_sent", migration_002},
    {3, "decisions_by_time", migration_003},
    {4, "decisions_mail", migration_004},
    {5, "places", migration_005},
    {6, "waiting", migration_006},
    {7, "break_glass", migration_007},
    {8, "codes", migration_008},
    {9, "audit", migration_009},
    {10, "pauses", migration_010},
    {11, "votes", migration_011},
    {12, "launches", migration_012},
    {13, "queue", migration_013},
    {14, "presented", migration_014},
    {15, "changes", migration_015},
    {16, "rates", migration_016},
    {17, "circuits", migration_017},
    {18, "sweeps", migration_018},
    {19, "schedule", migration_019},
    {20, "change_requests", migration_020},
    {21, "until", migration_021},
    {22, "changes_wait", migration_022},
};

enum { MIGRATIONS = sizeof migrations / sizeof *migrations };

/* Any number that nobody else uses in this database. */
#define MIGRATION_LOCK "6583114402"

static void checksum(const char *sql, char hex[65])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)sql, strlen(sql), digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static bool apply(void *ctx, struct db *db, int index, struct error *err)
{
    char sum[65];
    checksum(migrations[index].sql, sum);
    const char *script = talloc_asprintf(
        ctx,
        "BEGIN; %s; INSERT INTO schema_migrations (version, name, checksum) "
        "VALUES (%d, '%s', '%s'); COMMIT;",
        migrations[index].sql, migrations[index].version, migrations[index].name, sum);
    if (!db_run_script(db, script, err)) {
        struct error ignored;
        bool refused = strcmp(db_sqlstate(db), "42501") == 0; /* insufficient_privilege */
        db_run_script(db, "ROLLBACK", &ignored);
        error_prefix(err, "migration %d (%s): ", migrations[index].version, migrations[index].name);
        return refused
                   ? error_prefix(err, "the schema is not up to date, and this role may not "
                                       "change it: run `envbot migrate` first, as the role that "
                                       "owns the tables: ")
                   : false;
    }
    log_info("migrated the database", "migration", migrations[index].name);
    return true;
}

/* Not CREATE TABLE IF NOT EXISTS: who may create no table may not say that either. */
static bool make_table(void *ctx, struct db *db, struct error *err)
{
    struct rows *rows =
        db_query(ctx, db, err, "SELECT to_regclass('schema_migrations') IS NOT NULL AS there", P0);
    if (!rows)
        return false;
    return rows_true(rows, 0, "there") ||
           db_run_script(db,
                         "CREATE TABLE schema_migrations ("
                         "version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
                         "applied_at timestamptz NOT NULL DEFAULT now())",
                         err);
}

static bool apply_missing(void *ctx, struct db *db, int *applied, struct error *err)
{
    if (!make_table(ctx, db, err))
        return false;
    struct rows *rows = db_query(
        ctx, db, err, "SELECT version, checksum FROM schema_migrations ORDER BY version", P0);
    if (!rows)
        return false;
    if (rows_count(rows) > MIGRATIONS)
        return error_set(err, ERROR_CONFIG,
                         "this database was migrated by a newer envbot (it has %d migrations, "
                         "this program knows %d): start that version or a later one",
                         rows_count(rows), MIGRATIONS);
    for (int i = 0; i < rows_count(rows); i++) {
        char sum[65];
        checksum(migrations[i].sql, sum);
        if (strcmp(sum, rows_text(rows, i, "checksum")) != 0)
            return error_set(err, ERROR_CONFIG,
                             "migration %d of this database is not the one this program has: "
                             "it belongs to another build of envbot",
                             i + 1);
    }
    for (int i = rows_count(rows); i < MIGRATIONS; i++) {
        if (!apply(ctx, db, i, err))
            return false;
        *applied += 1;
    }
    return true;
}

bool migrate(struct db *db, int *applied, struct error *err)
{
    int count = 0;
    void *ctx = talloc_new(NULL);
    bool ok = db_query(ctx, db, err, "SELECT pg_advisory_lock(" MIGRATION_LOCK ")", P0) != NULL;
    if (ok) {
        ok = apply_missing(ctx, db, &count, err);
        struct error ignored;
        db_query(ctx, db, &ignored, "SELECT pg_advisory_unlock(" MIGRATION_LOCK ")", P0);
    }
    talloc_free(ctx);
    if (applied)
        *applied = count;
    return ok;
}
