/* When an environment sleeps and wakes by itself: `sleep: {at: "20:00", wake: "08:00", days:
   mon-fri, zone: Europe/Berlin}` in its template, or a schedule of its own. Zones and summer time
   are PostgreSQL's. */
#ifndef LIFECYCLE_SCHEDULE_H
#define LIFECYCLE_SCHEDULE_H

#include "lifecycle/template.h"
#include "store/environments.h"

struct schedule {
    int at, wake;     /* minutes after midnight; wake -1: it stays asleep until somebody wakes it */
    unsigned days;    /* bit 0: Monday */
    const char *zone; /* IANA's name; borrowed */
};

/* Reads it; ERROR_USAGE says what was not understood and how it is written. */
bool schedule_parse(const cJSON *json, struct schedule *out, struct error *err);
/* "sleeps mon-fri at 20:00 and wakes at 08:00, Europe/Berlin" */
char *schedule_words(const void *ctx, const struct schedule *schedule);
/* The one that it has now; false: none. */
bool schedule_of(const struct environment *env, struct schedule *out);

/* Queued: when it turns next from now, for the state that env has; due_at follows. */
void schedule_next(struct db *db, const struct environment *env);
/* Whether env turns now: to sleep or to wake. */
bool schedule_due(const struct environment *env);
/* Puts it to sleep or wakes it, in a transaction of its own that locks its team first. What does
   not fit (the quota, when it is to wake) is told, and it turns again at the next time. While
   provisioning is paused it waits, which is told once; a turn whose opposite has come meanwhile is
   past: it is left out, and told. */
bool schedule_turn(struct db *db, const struct template_set *set, int64_t id, struct error *err);

/* Whether PostgreSQL knows the zone; else ERROR_USAGE with the nearest that it knows. */
bool schedule_zone(const void *ctx, struct db *db, const char *zone, struct error *err);

/* A line in *problems (ctx) for each template that sleeps in a zone that is not known; nothing
   while there is no database. */
void schedule_check(const void *ctx, struct db *db, const struct template_set *set,
                    char **problems);

#endif
