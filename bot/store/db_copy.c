#include "store/db_inside.h"

static bool copy_pieces(struct db *db, db_copy_fn *piece, void *user, struct error *err)
{
    char *bytes;
    int length;
    while ((length = PQgetCopyData(db->conn, &bytes, 0)) > 0) {
        bool taken = piece(user, bytes, (size_t)length, err);
        PQfreemem(bytes);
        if (!taken) {
            db_disconnect(db);
            return false;
        }
    }
    bool failed = false;
    for (PGresult *result; (result = PQgetResult(db->conn)); PQclear(result))
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            db_keep_first_error(db, result, err, &failed);
    return !failed;
}

bool db_copy_out(struct db *db, const char *sql, db_copy_fn *piece, void *user, struct error *err)
{
    if (!db_connect(db, err) || !db_flush(db, err))
        return false;
    PQexitPipelineMode(db->conn);
    PGresult *result = PQexec(db->conn, sql);
    bool failed = false, begun = PQresultStatus(result) == PGRES_COPY_OUT;
    if (!begun)
        db_keep_first_error(db, result, err, &failed);
    PQclear(result);
    bool ok = begun && copy_pieces(db, piece, user, err);
    if (!db->conn) /* piece wanted no more */
        return false;
    if (!db_connected(db))
        return db_connection_lost(db, err);
    db->spoilt = db->spoilt || !ok;
    PQenterPipelineMode(db->conn);
    return ok;
}
