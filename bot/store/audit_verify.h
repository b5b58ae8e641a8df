/* The proof that the audit is what it was when it was sealed. */
#ifndef STORE_AUDIT_VERIFY_H
#define STORE_AUDIT_VERIFY_H

#include "store/audit_chain.h"

struct audit_verdict {
    bool sound;
    char broken[1000];         /* when not: what is wrong first, one or more sentences */
    struct audit_head head;    /* of what is proved */
    int64_t first_at, last_at; /* microseconds since 1970; 0: there are no rows */
    int64_t waiting;           /* rows that wait to be sealed, which is sound for two minutes */
};

/* Computes the chain anew over all rows. noted (may be NULL) is a head that somebody kept: it must
   be part of the chain. False only when it could not be found out. */
bool audit_verify(struct db *db, const struct audit_head *noted, struct audit_verdict *verdict,
                  struct error *err);

#endif
