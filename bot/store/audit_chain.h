/* The chain over the audit's rows, by which it shows when one was changed, taken out, put in or put
   elsewhere.

   A row is sealed shortly after its commit, by one sealer at a time; it gets the next number, from
   1 on without gaps. Its hash is SHA-256 over its record, which holds the hash before it:

     the record is these values in this order, each written as the decimal number of its bytes, ":",
     its bytes in UTF-8, and ","; or as "-," for SQL's null:
       "envbot audit 1"
       number         decimal
       previous hash  64 lower-case hex digits; all "0" before number 1
       sealed_at      microseconds since 1970-01-01 00:00 UTC, decimal
       id, at, environment, team, name, actor, actor_name, event, from_state, to_state, rule,
       rules_version, envelope, channel, message, detail
                      the columns of the row: id and environment decimal, at like sealed_at, detail
   as PostgreSQL writes jsonb as text, the others as they are

   So a record begins 14:envbot audit 1,1:1,64:0000… The hash of the last row, the head, stands for
   all rows before it: who has noted it finds out when the end was cut off, or all of it made anew.
 */
#ifndef STORE_AUDIT_CHAIN_H
#define STORE_AUDIT_CHAIN_H

#include "store/db.h"

enum { AUDIT_HASH = 32, AUDIT_HEX = 2 * AUDIT_HASH + 1 };

enum audit_field {
    AUDIT_ID,
    AUDIT_AT,
    AUDIT_ENVIRONMENT,
    AUDIT_TEAM,
    AUDIT_NAME,
    AUDIT_ACTOR,
    AUDIT_ACTOR_NAME,
    AUDIT_EVENT,
    AUDIT_FROM_STATE,
    AUDIT_TO_STATE,
    AUDIT_RULE,
    AUDIT_RULES_VERSION,
    AUDIT_ENVELOPE,
    AUDIT_CHANNEL,
    AUDIT_MESSAGE,
    AUDIT_DETAIL,
    AUDIT_FIELDS
};
/* The columns' names, as in the list above. */
extern const char *const audit_field_names[AUDIT_FIELDS];

/* text NULL: null. It need not end with a zero. */
struct audit_text {
    const char *text;
    size_t length;
};

struct audit_record {
    int64_t number;    /* 0: not sealed */
    int64_t sealed_at; /* microseconds since 1970 */
    struct audit_text fields[AUDIT_FIELDS];
};

/* Decimal digits, at the end of digits: without the cost of printf, for millions of them. */
struct audit_text audit_decimal(char digits[24], int64_t number);

/* What computes hashes one after the other; for one thread. */
struct audit_hasher;
struct audit_hasher *audit_hasher_new(const void *ctx);
void audit_hash(struct audit_hasher *hasher, const struct audit_record *record,
                const unsigned char previous[AUDIT_HASH], unsigned char hash[AUDIT_HASH]);
/* The record's bytes, as they are hashed; valid until the hasher is used again. */
struct audit_text audit_record_bytes(struct audit_hasher *hasher, const struct audit_record *record,
                                     const unsigned char previous[AUDIT_HASH]);

void audit_hex(const unsigned char hash[AUDIT_HASH], char hex[AUDIT_HEX]);
/* False when it is not 64 hex digits. */
bool audit_unhex(const char *hex, unsigned char hash[AUDIT_HASH]);

/* The last row of the chain; number 0: there is none yet. */
struct audit_head {
    int64_t number;
    char hash[AUDIT_HEX];
};

/* Until the transaction ends, its questions go row by row along the indexes: sorting and joining
   millions for the first thousand is what PostgreSQL would choose by its statistics. */
void audit_by_index(struct db *db);

/* Seals at most AUDIT_BATCH rows that wait for it, in a transaction of its own. *sealed: how many;
   0 when none wait, or when another sealer is at it (then *busy). */
enum { AUDIT_BATCH = 1000 };
bool audit_seal(struct db *db, int *sealed, bool *busy, struct error *err);

/* Inside the caller's transaction: waits until nobody else seals, and keeps others from it until
   the end of the transaction; reads the head. */
bool audit_head_lock(const void *ctx, struct db *db, struct audit_head *head, struct error *err);

#endif
