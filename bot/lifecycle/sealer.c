#include "lifecycle/sealer.h"

#include "base/bell.h"
#include "base/log.h"
#include "lifecycle/say.h"
#include "store/audit_chain.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <talloc.h>
#include <time.h>

/* A row is sealed within a second: a look twice in it costs less than a wake-up for each commit,
   and makes batches. */
enum { LOOK_MS = 400, AWAY_MS = 1000, STATEMENT_MS = 5000, DAY_LOOKS = 60000 / LOOK_MS };
/* Stopping waits so long for the outbox; SIGTERM promises an end within ten seconds. */
enum { DELIVERY_MS = 2000, DELIVERY_LOOK_MS = 20 };

struct sealer {
    struct db *db;
    struct bell *bell;
    atomic_bool stopping;
    bool says; /* there is a channel for operators; else the log alone has it */
    void (*after_commit)(void *user, unsigned notes);
    void *user;
    void *ctx; /* what the thread allocates hangs here: talloc is for one thread at a time */
    pthread_t thread;
};

static void rest(int64_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, (ms % 1000) * 1000000}, NULL);
}

/* ---- the head ---- */

/* Whether it is time: at an end when this head is not known yet, else once a day (UTC). */
static bool is_due(const void *ctx, struct db *db, const struct audit_head *head, bool ends,
                   bool *due, struct error *err)
{
    struct rows *rows = db_query(ctx, db, err,
                                 "SELECT number, told_at >= date_trunc('day', now()) AS today"
                                 " FROM audit_heads ORDER BY id DESC LIMIT 1",
                                 P0);
    if (!rows)
        return false;
    bool none = rows_count(rows) == 0;
    bool known = !none && rows_integer(rows, 0, "number", 0) == head->number;
    *due = head->number && (ends ? !known : none || !rows_true(rows, 0, "today"));
    return true;
}

static void say_head(const void *ctx, struct sealer *sealer, const struct audit_head *head)
{
    char *number = talloc_asprintf(ctx, "%" PRId64, head->number);
    db_send(sealer->db,
            "INSERT INTO audit_heads (number, hash) VALUES ($1::bigint, decode($2, 'hex'))",
            P(number, head->hash));
    if (!sealer->says)
        return;
    cJSON *values = json_object(ctx);
    json_set_string(values, "number", number);
    json_set_string(values, "hash", head->hash);
    say_operators(sealer->db, "audit-head", values);
}

/* Tells the head when it is due; *told: it was. At an end the log has it in any case. */
static bool tell_head(struct sealer *sealer, bool ends, bool *told, struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct audit_head head = {0};
    bool due = false;
    bool ok = db_begin(sealer->db, DB_READ_WRITE, err) &&
              audit_head_lock(ctx, sealer->db, &head, err) &&
              is_due(ctx, sealer->db, &head, ends, &due, err);
    if (ok && due)
        say_head(ctx, sealer, &head);
    ok = ok && db_commit(sealer->db, err);
    if (!ok)
        db_rollback(sealer->db);
    if (ok && (due || ends)) {
        char *number = talloc_asprintf(ctx, "%" PRId64, head.number);
        log_info("the head of the audit's chain", "number", number, "hash",
                 *head.hash ? head.hash : NULL);
    }
    *told = ok && due;
    if (*told)
        sealer->after_commit(sealer->user, DB_NOTE_SLACK);
    talloc_free(ctx);
    return ok;
}

/* Until the head stands in the operators' channel, or Slack takes too long: then the next start
   delivers it. */
static void wait_for_delivery(struct sealer *sealer)
{
    void *ctx = talloc_new(NULL);
    struct error err = {0};
    for (int64_t waited = 0; waited < DELIVERY_MS; waited += DELIVERY_LOOK_MS) {
        struct rows *rows = db_query(ctx, sealer->db, &err,
                                     "SELECT FROM outbox WHERE sent_at IS NULL AND NOT parked"
                                     " AND conversation = 'operators' AND template = 'audit-head'",
                                     P0);
        if (!rows || rows_count(rows) == 0)
            break;
        rest(DELIVERY_LOOK_MS);
    }
    talloc_free(ctx);
}

/* ---- the thread ---- */

static void finish(struct sealer *sealer)
{
    struct error err = {0};
    int sealed = 0;
    bool busy = false, told = false, ok = true;
    do
        ok = audit_seal(sealer->db, &sealed, &busy, &err);
    while (ok && sealed == AUDIT_BATCH);
    if (ok && tell_head(sealer, true, &told, &err)) {
        if (told)
            wait_for_delivery(sealer);
        return;
    }
    log_warn("the head of the audit's chain is not known", "error", err.text);
}

static void *run(void *user)
{
    struct sealer *sealer = user;
    bool well = true;
    for (unsigned look = 0; !atomic_load(&sealer->stopping); look++) {
        struct error err = {0};
        int sealed = 0;
        bool busy = false, told = false;
        bool ok = audit_seal(sealer->db, &sealed, &busy, &err) &&
                  (look % DAY_LOOKS != 0 || tell_head(sealer, false, &told, &err));
        if (!ok && well)
            log_warn("the audit is not sealed at the moment", "error", err.text);
        well = ok;
        if (sealed < AUDIT_BATCH)
            db_wait(sealer->db, sealer->bell->fd, ok ? LOOK_MS : AWAY_MS);
    }
    finish(sealer);
    return NULL;
}

struct sealer *sealer_start(const void *ctx, const struct config *config,
                            void (*after_commit)(void *user, unsigned notes), void *user)
{
    struct sealer *sealer = talloc_zero(ctx, struct sealer);
    sealer->ctx = talloc_named_const(NULL, 0, "sealer");
    sealer->db = db_new(sealer->ctx, config->database.url, "envbot sealer", STATEMENT_MS);
    sealer->bell = bell_new(sealer);
    sealer->says = *config->operators.channel != '\0';
    sealer->after_commit = after_commit;
    sealer->user = user;
    if (pthread_create(&sealer->thread, NULL, run, sealer) != 0)
        abort();
    return sealer;
}

void sealer_stop(struct sealer *sealer)
{
    if (!sealer)
        return;
    atomic_store(&sealer->stopping, true);
    bell_ring(sealer->bell);
    pthread_join(sealer->thread, NULL);
    TALLOC_FREE(sealer->ctx);
}
