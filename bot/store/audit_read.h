/* Reading the audit with its chain, a row at a time: for proofs and exports of millions. */
#ifndef STORE_AUDIT_READ_H
#define STORE_AUDIT_READ_H

#include "store/audit_chain.h"

/* One row; its texts live until the next one comes. */
struct audit_row {
    struct audit_record record;
    bool there;     /* false: the chain has it and the audit does not; record's fields are null */
    int64_t sealed; /* the id of the audit's row that the chain names here; 0: not sealed */
    unsigned char hash[AUDIT_HASH]; /* as stored */
    int64_t at;                     /* microseconds since 1970 */
    char digits[3][24];             /* what the fields of numbers point to */
};
typedef bool audit_row_fn(void *user, const struct audit_row *row, struct error *err);

/* All of the chain by its numbers, inside of a transaction. take returns false, with err set, to
   end it: then the connection is closed. */
bool audit_read_chain(struct db *db, audit_row_fn *take, void *user, struct error *err);

/* Each may be NULL. since and until are moments that PostgreSQL understands; until is not in it. */
struct audit_filter {
    const char *since, *until, *team, *name;
};
/* The audit's rows in the order of the chain, then those that are not sealed yet; inside of a
   transaction. */
bool audit_read(struct db *db, const struct audit_filter *filter, audit_row_fn *take, void *user,
                struct error *err);

#endif
