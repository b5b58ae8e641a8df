/* The outbox's table: taking rows to deliver them, and saying what became of them. A row is written
   by lifecycle/say.h. */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include "store/db.h"

/* A claimed row. Owned by the ctx it was claimed into. */
struct outbox_row {
    int64_t id;
    const char *id_text;
    const char *kind, *conversation, *place, *template;
    int64_t environment; /* 0: of none */
    cJSON *content;
    const char *recipient; /* NULL where place says where to */
    int64_t created_at;    /* seconds since 1970 */
    double age;            /* seconds since it was written */
    bool too_late;         /* its expires_at has passed */
    int attempts;          /* this one included */
    bool uncertain;        /* an earlier attempt may have succeeded: look before repeating */
};

/* Takes the first row that is due, of one of the kinds ("{say,redraw}"), and the first of its
   conversation; a redraw that waits does not hold up what is said, once its message stands. Nobody
   else takes it for lease seconds. *out is NULL when there is none. A row whose earlier taker died
   or did not hear the answer comes with uncertain. */
bool outbox_claim(const void *ctx, struct db *db, const char *kinds, const char *claimer, int lease,
                  struct outbox_row **out, struct error *err);

/* What became of a claimed row; each queues one statement that does nothing when the row was taken
   by another meanwhile. note NULL: delivered; else why it was dropped. */
void outbox_done(struct db *db, const struct outbox_row *row, const char *claimer,
                 const char *note);
/* Again after wait_ms. uncertain: it may have happened. counted false: this was no attempt (it only
   had to wait for its turn). The conversation waits with it. */
void outbox_later(struct db *db, const struct outbox_row *row, const char *claimer, int64_t wait_ms,
                  bool uncertain, bool counted, const char *why);
/* It cannot be delivered: it stays for the operators, and what comes after it goes on. */
void outbox_park(struct db *db, const struct outbox_row *row, const char *claimer, const char *why);

/* All redraws of one message that were written up to `upto` are drawn. */
void outbox_drawn(struct db *db, const struct outbox_row *row, int64_t upto);
/* The newest redraw of row's message that waits now: what is read afterwards shows at least what it
   was written for. One that commits later with a smaller id is of another environment: those of one
   are written under its lock. */
bool outbox_newest(struct db *db, const struct outbox_row *row, int64_t *id, struct error *err);

/* How long until something of these kinds becomes due, at most `most`; -1 on error. */
int64_t outbox_wait_ms(struct db *db, const char *kinds, int64_t most, struct error *err);

/* Whether the row is still this taker's; locked then. */
bool outbox_held(struct db *db, const struct outbox_row *row, const char *claimer, bool *held,
                 struct error *err);
/* This taker's claims end at once, as uncertain. */
bool outbox_release(struct db *db, const char *claimer, struct error *err);
/* The claims of takers on this machine that are dead (gone says so) end `settle` seconds later, as
   uncertain: what they had asked of others may be under way until then. */
bool outbox_release_dead(struct db *db, const char *host_prefix, bool (*gone)(const char *claimer),
                         int settle, struct error *err);

/* Waiting rows a kind: columns kind, waiting, parked. */
struct rows *outbox_counts(const void *ctx, struct db *db, struct error *err);

/* ---- where messages stand ---- */

struct message_place {
    const char *channel, *ts, *permalink; /* permalink may be NULL */
    double drawn_ago;                     /* seconds since it was last drawn */
};

/* *out is NULL when it is not posted yet. place: "message", "card", … (lifecycle/place.h). */
bool message_find(const void *ctx, struct db *db, int64_t environment, const char *place,
                  struct message_place **out, struct error *err);
/* Queued: it stands there now. */
void message_stands(struct db *db, int64_t environment, const char *place, const char *channel,
                    const char *ts);
/* Queued: it was drawn anew. */
void message_drawn(struct db *db, int64_t environment, const char *place);
/* Queued: its address for people. */
void message_link(struct db *db, int64_t environment, const char *place, const char *permalink);

#endif
