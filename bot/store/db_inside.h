/* A connection's inside, for the files of db alone. Nobody else includes this. */
#ifndef STORE_DB_INSIDE_H
#define STORE_DB_INSIDE_H

#include "store/db.h"

#include <libpq-fe.h>
#include <uthash.h>

/* A statement that this connection has prepared; the key is the literal's address. */
struct prepared {
    const char *sql;
    char name[16];
    UT_hash_handle hh;
};

/* What the server owes us an answer for, in order. */
struct owed {
    struct owed *next;
    struct rows **slot; /* NULL: only whether it worked */
    const void *ctx;
    struct prepared *prepares; /* this answer is to its preparation */
};

struct db {
    char *url;
    char *name;
    int statement_timeout_ms;
    int answer_within_ms; /* 0: as long as it takes */
    enum db_plans plans;
    PGconn *conn;
    struct prepared *statements;
    unsigned next_statement;
    struct owed *owed, **owed_end;
    bool in_transaction, reads; /* reads: a READ ONLY one */
    bool spoilt;                /* a statement of this transaction failed */
    bool queue_failed;          /* a statement could not even be queued */
    unsigned notes;
    char sqlstate[6];
    char constraint[64];
    char **channels; /* LISTEN again after a reconnect */
    void (*heard)(void *user, const char *payload);
    void *heard_user;
};

/* Closes the connection and forgets what was owed and prepared on it. */
void db_disconnect(struct db *db);
/* Waits for the next result; false: it did not come in time. */
bool db_await_answer(struct db *db);
/* Closes the connection and says in err that it was lost: ERROR_UNAVAILABLE. Always false. */
bool db_connection_lost(struct db *db, struct error *err);
/* Of several errors the first one counts: does nothing when *failed; else sets it, err from the
   result, and what db_sqlstate and db_constraint tell. */
void db_keep_first_error(struct db *db, const PGresult *result, struct error *err, bool *failed);

#endif
