/* A connection to PostgreSQL that belongs to one thread, and statements that travel together.

   Statements are prepared once a connection and sent through a libpq pipeline. db_send() and
   db_ask() only queue; db_query() and db_commit() send what is queued in one go and wait. So a
   handler that queues its writes and commits pays one round trip for all of them.

   Every value is a parameter, as text; NULL is SQL's null. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct rows;

/* Parameters of a statement: db_query(ctx, db, err, SQL, P(team, name)). Without any: P0. */
#define P(...)                                                                                     \
    (sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)), (const char *const[])     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define P0 0, NULL

/* A connection to url (a libpq connection string), not opened yet; name shows in
   pg_stat_activity. Freed with ctx, which closes it. statement_timeout_ms 0 = none. */
struct db *db_new(const void *ctx, const char *url, const char *name, int statement_timeout_ms);
/* A server that does not answer within so long is as one that is lost, whatever the reason (0, the
   default: it is waited for). For who has to do something else in time. */
void db_answer_within(struct db *db, int milliseconds);
/* PostgreSQL keeps a prepared statement's plan until it next gathers statistics of a table: one
   made while nothing waited reads, and sorts, all of a queue that has grown long since. For who
   asks of what is alive: through indexes alone; and who takes the first of a queue, in an index's
   order, without sorting. Said before the connection is opened. */
enum db_plans { DB_PLANS_BY_STATISTICS, DB_PLANS_BY_INDEX, DB_PLANS_IN_ORDER };
void db_plans(struct db *db, enum db_plans plans);
/* Opens the connection unless it is open; also after it broke. ERROR_UNAVAILABLE when it cannot. */
bool db_connect(struct db *db, struct error *err);
/* Whether the connection was in order when it was last used. */
bool db_connected(const struct db *db);

enum db_mode { DB_READ_WRITE, DB_READ_ONLY };
/* Begins a transaction (queued: no round trip). Opens the connection when needed. */
bool db_begin(struct db *db, enum db_mode mode, struct error *err);
/* Sends what is queued with COMMIT and waits. ERROR_UNKNOWN: the connection was lost after
   COMMIT was sent, so it may have happened; look before saying anything. On any other error
   nothing has happened. Either way the transaction is over. */
bool db_commit(struct db *db, struct error *err);
/* What a transaction leaves for other threads to do: who begins one forgets the last one's, who
   commits it looks whom to wake. */
enum db_note { DB_NOTE_SLACK = 1, DB_NOTE_MAIL = 2, DB_NOTE_JOBS = 4, DB_NOTE_ALL = 7 };
void db_note(struct db *db, enum db_note note);
unsigned db_noted(const struct db *db);
/* Whether one was begun and is not over. */
bool db_in_transaction(const struct db *db);
/* Ends the transaction; queued statements are thrown away. Safe to call at any time. */
void db_rollback(struct db *db);

/* Queues a statement; its failure shows at the next db_query() or db_commit(). The text of sql
   must stay where it is (a literal). Parameters are copied. */
void db_send(struct db *db, const char *sql, size_t count, const char *const *values);
/* Queues a statement whose rows are wanted: *slot is set (owned by ctx) by the next db_query(),
   db_flush() or db_commit(), and is NULL until then and after an error. */
void db_ask(const void *ctx, struct db *db, struct rows **slot, const char *sql, size_t count,
            const char *const *values);
/* Sends what is queued and waits for it. */
bool db_flush(struct db *db, struct error *err);
/* Queues, flushes, and returns the statement's rows, owned by ctx; NULL on error. Outside of a
   transaction the statement is one of its own. */
struct rows *db_query(const void *ctx, struct db *db, struct error *err, const char *sql,
                      size_t count, const char *const *values);
/* db_query() and db_commit() in one round trip: the last question of a READ ONLY transaction. */
struct rows *db_query_last(const void *ctx, struct db *db, struct error *err, const char *sql,
                           size_t count, const char *const *values);
/* Runs COPY (…) TO STDOUT and hands over its pieces as they come, so that the whole is never in
   memory: lines of text, or of a binary one whole rows (the first with the header before it). When
   piece returns false, with err set, nothing more is read, and the connection is closed. */
typedef bool db_copy_fn(void *user, const char *bytes, size_t length, struct error *err);
bool db_copy_out(struct db *db, const char *sql, db_copy_fn *piece, void *user, struct error *err);
/* Runs SQL text of several statements (a migration). */
bool db_run_script(struct db *db, const char *sql, struct error *err);

/* After an error: the five characters of SQLSTATE ("" when there was none), and the constraint
   that was violated ("" when none). Error codes: 23505 -> ERROR_CONFLICT; a lost or refused
   connection, 57P0x, 53300, 25006, and what is worth another try (40001, 40P01, 55P03, 57014)
   -> ERROR_UNAVAILABLE; all else -> ERROR_INTERNAL. */
const char *db_sqlstate(const struct db *db);
const char *db_constraint(const struct db *db);
/* The last error was a serialization failure, deadlock or lock timeout: run it all again. */
bool db_retryable(const struct db *db);

/* Notifications: LISTEN now and again after each reconnect. */
bool db_listen(struct db *db, const char *channel, struct error *err);
/* Who gets the payload of each notification, from within db_wait(). */
void db_on_notify(struct db *db, void (*heard)(void *user, const char *payload), void *user);
/* Waits until a notification comes, wake_fd (-1: none) is readable, or timeout_ms passed; false
   when the connection is broken. Never busy: with a broken connection it waits for the others. */
bool db_wait(struct db *db, int wake_fd, int timeout_ms);

/* Rows: columns by name; an unknown name is a programming error (assert). */
int rows_count(const struct rows *rows);
/* The command's affected rows (INSERT, UPDATE, DELETE). */
int rows_affected(const struct rows *rows);
/* NULL for SQL's null. The text lives as long as the rows. */
const char *rows_text(const struct rows *rows, int row, const char *column);
/* The same, copied: ctx. */
const char *rows_copy(const void *ctx, const struct rows *rows, int row, const char *column);
int64_t rows_integer(const struct rows *rows, int row, const char *column, int64_t if_null);
double rows_number(const struct rows *rows, int row, const char *column, double if_null);
bool rows_true(const struct rows *rows, int row, const char *column);
/* A json or jsonb column, parsed, owned by ctx; NULL for null. */
cJSON *rows_json(const void *ctx, const struct rows *rows, int row, const char *column);

#endif
