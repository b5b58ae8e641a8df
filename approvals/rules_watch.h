/* Keeps the rules up to date: reads them again when their files change, and tells the operators
   what is wrong with them, once, however many processes serve. */
#ifndef APPROVALS_RULES_WATCH_H
#define APPROVALS_RULES_WATCH_H

#include "approvals/rules.h"
#include "base/metrics.h"
#include "store/db.h"

/* What came of the last look at the files. */
struct rules_look {
    char *version;  /* of what stands in the files now; "" when they cannot be read at all */
    char *serving;  /* of the rules that hold */
    char *problems; /* a line each; "" when all is well */
};

/* Writes an audit row when this look differs from the last one that anybody wrote, and tells the
   operators of it when something is wrong or has just become right. In a transaction of its own. */
bool rules_tell(struct db *db, const struct rules_look *look, struct error *err);

struct rules_watch_options {
    const char *path, *database_url;
    struct rules *rules;
    const struct rules_look *first; /* what was found at the start, and told already */
    struct metrics *metrics;
    void (*after_commit)(void *user, unsigned notes); /* something is in the outbox */
    void *user;
};

/* Starts the thread; NULL when the system has none left. */
struct rules_watch *rules_watch_start(const struct rules_watch_options *options);
void rules_watch_stop(struct rules_watch *watch); /* NULL: nothing */

#endif
