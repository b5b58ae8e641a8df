/* Overlooks that a statement failed and commits: overlooked_failure URL. Says what the commit said.
 */
#include "store/db.h"

#include <stdio.h>
#include <talloc.h>

int main(int argc, char **argv)
{
    struct error err = {0};
    void *ctx = talloc_new(NULL);
    struct db *db = db_new(ctx, argc > 1 ? argv[1] : "", "driver", 5000);
    if (!db_begin(db, DB_READ_WRITE, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 2;
    }
    db_send(db, "INSERT INTO kept VALUES (1)", P0);
    db_query(ctx, db, NULL, "SELECT 1 / 0", P0);
    bool committed = db_commit(db, &err);
    printf("%s\n", committed ? "committed" : err.text);
    bool well = db_begin(db, DB_READ_WRITE, &err) &&
                db_query(ctx, db, &err, "INSERT INTO kept VALUES (2)", P0) && db_commit(db, &err);
    printf("%s\n", well ? "committed" : err.text);
    talloc_free(ctx);
    return 0;
}
