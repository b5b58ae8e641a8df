#include "store/db_inside.h"

#include "base/log.h"
#include "store/rows.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <time.h>
#include <unistd.h>

static void forget_statements(struct db *db)
{
    struct prepared *each, *next;
    HASH_ITER (hh, db->statements, each, next) {
        HASH_DEL(db->statements, each);
        talloc_free(each);
    }
}

static void forget_owed(struct db *db)
{
    for (struct owed *each = db->owed, *next; each; each = next) {
        next = each->next;
        talloc_free(each);
    }
    db->owed = NULL;
    db->owed_end = &db->owed;
}

void db_disconnect(struct db *db)
{
    if (db->conn)
        PQfinish(db->conn);
    db->conn = NULL;
    db->in_transaction = false;
    db->queue_failed = false;
    forget_owed(db);
    forget_statements(db);
}

static int free_db(struct db *db)
{
    db_disconnect(db);
    return 0;
}

struct db *db_new(const void *ctx, const char *url, const char *name, int statement_timeout_ms)
{
    struct db *db = talloc_zero(ctx, struct db);
    db->url = talloc_strdup(db, url);
    db->name = talloc_strdup(db, name);
    db->statement_timeout_ms = statement_timeout_ms;
    db->owed_end = &db->owed;
    db->channels = talloc_zero_array(db, char *, 0);
    talloc_set_destructor(db, free_db);
    return db;
}

void db_plans(struct db *db, enum db_plans plans)
{
    db->plans = plans;
}

static void ignore_notice(void *unused, const PGresult *result)
{
    (void)unused;
    (void)result;
}

static bool listen_again(struct db *db, struct error *err)
{
    for (size_t i = 0; i < talloc_array_length(db->channels); i++) {
        void *tmp = talloc_new(NULL);
        char *name = PQescapeIdentifier(db->conn, db->channels[i], strlen(db->channels[i]));
        /* A statement's text must outlive the connection: it lives as long as db. */
        char *sql = talloc_asprintf(db, "LISTEN %s", name);
        PQfreemem(name);
        struct rows *rows = db_query(tmp, db, err, sql, P0);
        talloc_free(tmp);
        if (!rows)
            return false;
    }
    return true;
}

bool db_connect(struct db *db, struct error *err)
{
    if (db->conn && PQstatus(db->conn) == CONNECTION_OK)
        return true;
    static const char *const planning[] = {
        [DB_PLANS_BY_STATISTICS] = "",
        [DB_PLANS_BY_INDEX] = " -c enable_seqscan=off",
        [DB_PLANS_IN_ORDER] = " -c enable_seqscan=off -c enable_bitmapscan=off -c enable_sort=off",
    };
    db_disconnect(db);
    void *tmp = talloc_new(NULL);
    const char *options =
        talloc_asprintf(tmp,
                        "-c statement_timeout=%d -c idle_in_transaction_session_timeout=60000 "
                        "-c client_min_messages=warning -c TimeZone=UTC -c jit=off%s",
                        db->statement_timeout_ms, planning[db->plans]);
    const char *const keys[] = {"dbname",
                                "application_name",
                                "connect_timeout",
                                "keepalives_idle",
                                "keepalives_interval",
                                "keepalives_count",
                                "tcp_user_timeout",
                                "options",
                                "client_encoding",
                                NULL};
    const char *const values[] = {db->url, db->name, "3",     "15",   "5",
                                  "3",     "20000",  options, "UTF8", NULL};
    db->conn = PQconnectdbParams(keys, values, 1);
    talloc_free(tmp);
    if (!db->conn || PQstatus(db->conn) != CONNECTION_OK) {
        error_set(err, ERROR_UNAVAILABLE, "PostgreSQL cannot be reached: %s",
                  db->conn ? PQerrorMessage(db->conn) : "out of memory");
        size_t length = err ? strlen(err->text) : 0;
        if (length && err->text[length - 1] == '\n')
            err->text[length - 1] = '\0';
        db_disconnect(db);
        return false;
    }
    PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
    PQenterPipelineMode(db->conn);
    return listen_again(db, err);
}

bool db_connected(const struct db *db)
{
    return db->conn && PQstatus(db->conn) == CONNECTION_OK;
}

static void owe(struct db *db, const void *ctx, struct rows **slot, struct prepared *prepares)
{
    struct owed *owed = talloc_zero(db, struct owed);
    owed->ctx = ctx;
    owed->slot = slot;
    owed->prepares = prepares;
    *db->owed_end = owed;
    db->owed_end = &owed->next;
}

static void queue(struct db *db, const void *ctx, struct rows **slot, const char *sql, size_t count,
                  const char *const *values)
{
    if (slot)
        *slot = NULL;
    if (db->queue_failed || !db_connected(db)) {
        db->queue_failed = true;
        return;
    }
    struct prepared *statement;
    HASH_FIND_PTR(db->statements, &sql, statement);
    if (!statement) {
        statement = talloc_zero(db, struct prepared);
        statement->sql = sql;
        snprintf(statement->name, sizeof statement->name, "s%u", db->next_statement++);
        if (!PQsendPrepare(db->conn, statement->name, sql, 0, NULL)) {
            talloc_free(statement);
            db->queue_failed = true;
            return;
        }
        HASH_ADD_PTR(db->statements, sql, statement);
        owe(db, NULL, NULL, statement);
    }
    if (!PQsendQueryPrepared(db->conn, statement->name, (int)count, values, NULL, NULL, 0)) {
        db->queue_failed = true;
        return;
    }
    owe(db, ctx, slot, NULL);
}

void db_send(struct db *db, const char *sql, size_t count, const char *const *values)
{
    queue(db, NULL, NULL, sql, count, values);
}

void db_ask(const void *ctx, struct db *db, struct rows **slot, const char *sql, size_t count,
            const char *const *values)
{
    queue(db, ctx, slot, sql, count, values);
}

bool db_retryable(const struct db *db)
{
    /* serialization_failure, deadlock_detected, lock_not_available */
    return strcmp(db->sqlstate, "40001") == 0 || strcmp(db->sqlstate, "40P01") == 0 ||
           strcmp(db->sqlstate, "55P03") == 0;
}

static enum error_code classify(const struct db *db)
{
    const char *state = db->sqlstate;
    if (strcmp(state, "23505") == 0) /* unique_violation */
        return ERROR_CONFLICT;
    /* Class 08: connection; 57P0x: the server goes down or comes up; 53300: too many
       connections; 25006: read only after a failover; 57014: statement timeout. */
    if (!*state || strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
        strcmp(state, "53300") == 0 || strcmp(state, "25006") == 0 || strcmp(state, "57014") == 0 ||
        db_retryable(db))
        return ERROR_UNAVAILABLE;
    return ERROR_INTERNAL;
}

void db_keep_first_error(struct db *db, const PGresult *result, struct error *err, bool *failed)
{
    if (*failed)
        return;
    *failed = true;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    snprintf(db->sqlstate, sizeof db->sqlstate, "%s", state ? state : "");
    snprintf(db->constraint, sizeof db->constraint, "%s", constraint ? constraint : "");
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    error_set(err, classify(db), "PostgreSQL: %s (%s)", message ? message : "connection lost",
              state ? state : "no answer");
}

/* Takes the answer to the oldest owed statement. */
static void take(struct db *db, PGresult *result, struct error *err, bool *failed)
{
    struct owed *owed = db->owed;
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (!ok && status != PGRES_PIPELINE_ABORTED)
        db_keep_first_error(db, result, err, failed);
    if (!owed) {
        PQclear(result);
        return;
    }
    if (owed->prepares && !ok) {
        HASH_DEL(db->statements, owed->prepares);
        talloc_free(owed->prepares);
    }
    if (ok && owed->slot) {
        *owed->slot = rows_new(owed->ctx, result);
    } else {
        PQclear(result);
    }
    db->owed = owed->next;
    if (!db->owed)
        db->owed_end = &db->owed;
    talloc_free(owed);
}

bool db_connection_lost(struct db *db, struct error *err)
{
    db->sqlstate[0] = '\0';
    db_disconnect(db);
    return error_set(err, ERROR_UNAVAILABLE, "the connection to PostgreSQL was lost");
}

bool db_flush(struct db *db, struct error *err)
{
    db->sqlstate[0] = db->constraint[0] = '\0';
    if (db->queue_failed || !db_connected(db))
        return db_connection_lost(db, err);
    if (!db->owed)
        return true;
    if (!PQpipelineSync(db->conn))
        return db_connection_lost(db, err);
    bool failed = false, synced = false;
    int silences = 0;
    while (!synced) {
        if (db->answer_within_ms && !db_await_answer(db))
            return db_connection_lost(db, err);
        PGresult *result = PQgetResult(db->conn);
        if (!result) {
            /* One NULL follows each statement's result. After a write that failed libpq gives
               nothing else, and calls the connection good (pqSendSome in 15's fe-misc.c). */
            if (PQstatus(db->conn) != CONNECTION_OK || ++silences > 2)
                return db_connection_lost(db, err);
            continue;
        }
        silences = 0;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            synced = true;
        } else {
            take(db, result, err, &failed);
        }
    }
    if (PQstatus(db->conn) != CONNECTION_OK)
        return db_connection_lost(db, err);
    db->spoilt = db->spoilt || failed;
    return !failed;
}

struct rows *db_query(const void *ctx, struct db *db, struct error *err, const char *sql,
                      size_t count, const char *const *values)
{
    if (!db->in_transaction && !db_connect(db, err))
        return NULL;
    struct rows *rows = NULL;
    queue(db, ctx, &rows, sql, count, values);
    if (!db_flush(db, err)) {
        talloc_free(rows);
        return NULL;
    }
    return rows;
}

struct rows *db_query_last(const void *ctx, struct db *db, struct error *err, const char *sql,
                           size_t count, const char *const *values)
{
    assert(db->reads);
    struct rows *rows = NULL;
    queue(db, ctx, &rows, sql, count, values);
    if (!db_commit(db, err)) {
        talloc_free(rows);
        return NULL;
    }
    return rows;
}

bool db_begin(struct db *db, enum db_mode mode, struct error *err)
{
    if (db->in_transaction)
        db_rollback(db);
    if (!db_connect(db, err))
        return false;
    db->in_transaction = true;
    db->spoilt = false;
    db->reads = mode == DB_READ_ONLY;
    db->notes = 0;
    if (db->reads)
        db_send(db, "BEGIN READ ONLY", P0);
    else
        db_send(db, "BEGIN", P0);
    return true;
}

void db_note(struct db *db, enum db_note note)
{
    db->notes |= note;
}

unsigned db_noted(const struct db *db)
{
    return db->notes;
}

bool db_in_transaction(const struct db *db)
{
    return db->in_transaction;
}

bool db_commit(struct db *db, struct error *err)
{
    assert(db->in_transaction);
    if (db->spoilt) { /* PostgreSQL would answer COMMIT with success, and roll back */
        db_rollback(db);
        return error_set(err, ERROR_INTERNAL, "a statement had failed before the commit");
    }
    bool sent = !db->queue_failed && db_connected(db); /* as far as anybody can tell */
    db_send(db, "COMMIT", P0);
    bool done = db_flush(db, err);
    if (done) {
        db->in_transaction = false;
        return true;
    }
    if (sent && !db_connected(db) && !db->reads)
        return error_set(err, ERROR_UNKNOWN,
                         "the connection to PostgreSQL was lost while it committed");
    struct error why = err ? *err : (struct error){0};
    char sqlstate[6], constraint[64];
    memcpy(sqlstate, db->sqlstate, sizeof sqlstate);
    memcpy(constraint, db->constraint, sizeof constraint);
    db_rollback(db);
    memcpy(db->sqlstate, sqlstate, sizeof sqlstate);
    memcpy(db->constraint, constraint, sizeof constraint);
    if (err)
        *err = why;
    return false;
}

void db_rollback(struct db *db)
{
    if (!db->in_transaction)
        return;
    char sqlstate[6], constraint[64];
    memcpy(sqlstate, db->sqlstate, sizeof sqlstate);
    memcpy(constraint, db->constraint, sizeof constraint);
    db->in_transaction = false;
    if (db_connected(db) && !db->queue_failed) {
        struct error ignored = {0}; /* what was queued may fail: that is why we roll back */
        db_flush(db, &ignored);
    }
    if (db_connected(db) && !db->queue_failed) {
        struct error err = {0};
        db_send(db, "ROLLBACK", P0);
        if (!db_flush(db, &err)) {
            log_warn("a transaction could not be rolled back; reconnecting", "error", err.text);
            db_disconnect(db);
        }
    } else {
        db_disconnect(db);
    }
    memcpy(db->sqlstate, sqlstate, sizeof sqlstate);
    memcpy(db->constraint, constraint, sizeof constraint);
}

bool db_run_script(struct db *db, const char *sql, struct error *err)
{
    if (!db_connect(db, err) || !db_flush(db, err))
        return false;
    PQexitPipelineMode(db->conn);
    PGresult *result = PQexec(db->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    bool failed = false;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        db_keep_first_error(db, result, err, &failed);
    PQclear(result);
    if (PQstatus(db->conn) == CONNECTION_OK)
        PQenterPipelineMode(db->conn);
    return !failed;
}

const char *db_sqlstate(const struct db *db)
{
    return db->sqlstate;
}

const char *db_constraint(const struct db *db)
{
    return db->constraint;
}

bool db_listen(struct db *db, const char *channel, struct error *err)
{
    size_t count = talloc_array_length(db->channels);
    db->channels = talloc_realloc(db, db->channels, char *, (unsigned)count + 1);
    db->channels[count] = talloc_strdup(db->channels, channel);
    if (!db_connected(db))
        return db_connect(db, err);
    return listen_again(db, err);
}

static bool take_notifications(struct db *db)
{
    bool any = false;
    for (PGnotify *each; (each = PQnotifies(db->conn)); PQfreemem(each), any = true)
        if (db->heard)
            db->heard(db->heard_user, each->extra);
    return any;
}

void db_on_notify(struct db *db, void (*heard)(void *user, const char *payload), void *user)
{
    db->heard = heard;
    db->heard_user = user;
}

bool db_wait(struct db *db, int wake_fd, int timeout_ms)
{
    bool connected = db_connected(db);
    if (connected && take_notifications(db))
        return true;
    struct pollfd fds[2] = {{.fd = wake_fd, .events = POLLIN},
                            {.fd = connected ? PQsocket(db->conn) : -1, .events = POLLIN}};
    poll(fds, 2, timeout_ms);
    if (connected && fds[1].revents) {
        if (!PQconsumeInput(db->conn) || PQstatus(db->conn) != CONNECTION_OK) {
            db_disconnect(db);
            return false;
        }
        take_notifications(db);
    }
    return connected;
}
