/* The environments' table: reading rows and adding them. A state changes only through
   lifecycle/states.h. */
#ifndef STORE_ENVIRONMENTS_H
#define STORE_ENVIRONMENTS_H

#include "store/waits.h"

#include <time.h>

/* One environment as its row says. Owned by the ctx it was read into, with all its texts.
   Times are seconds since 1970, 0 where the row has none. */
struct environment {
    int64_t id;
    const char *team, *name, *cluster, *region;
    const char *owner_workspace, *owner_id, *owner_name;
    const char *owner_mail; /* NULL: nobody knows an address */
    const char *owner_zone; /* IANA time zone, NULL when unknown */
    const char *template;
    cJSON *template_copy; /* NULL unless read with it */
    cJSON *parameters;
    const char *reason;
    int revision;
    const char *presented; /* the digest of what the cards of this revision show; NULL: not known */
    cJSON *tally;          /* NULL: nothing voted yet */
    const char *state, *cause;
    cJSON *plan, *seen;
    bool stuck;
    int64_t ttl_seconds;
    time_t created_at, decided_at, started_at, ready_at, expires_at, ended_at, due_at;
    int64_t warned_seconds; /* 0: no warning yet */
    struct wait wait;       /* for its decision */
    bool break_glass;       /* started without the approval that it needed */
    cJSON *review; /* what an approver said of that: {word: "seen" or "ended", by, mention, at},
                      else NULL */
    int nodes, vcpus, gpus;
    double hourly_usd, monthly_usd;
    time_t until;    /* the moment that was asked for as the end; 0: a length of time was */
    cJSON *change;   /* the change under way (lifecycle/change.h), else NULL */
    cJSON *schedule; /* its own, in place of its template's (lifecycle/schedule.h); else NULL */
    time_t turn_at;  /* when it sleeps (ready) or wakes (asleep) next by it; 0: never */
    cJSON *awake;    /* while it sleeps: what it takes when it is awake, else NULL */
    time_t now;      /* PostgreSQL's clock when the row was read */
};

enum environment_lock { ENVIRONMENT_READ, ENVIRONMENT_LOCK };

/* By id; *out is NULL when there is none. With ENVIRONMENT_LOCK the row is locked FOR UPDATE (the
   team's row first where the caller needs it: the order of locks is team, environment, job). */
bool environment_by_id(const void *ctx, struct db *db, int64_t id, enum environment_lock lock,
                       struct environment **out, struct error *err);
/* Who asks for a name, so that nothing is told of what they may not see. */
struct onlooker {
    const char *workspace, *id; /* what they own they see */
    const char *hidden_teams;   /* "{payments,search}": of these they see nothing else */
};

/* By name in a team (team NULL: in any team): the living one, else the latest of the past; of
   several living ones rather the one that who sees. When a name without team fits living ones of
   several teams still, *out is NULL and err says so with ERROR_CONFLICT; otherwise true with *out
   NULL when there is none. */
bool environment_by_name(const void *ctx, struct db *db, const char *team, const char *name,
                         const struct onlooker *who, enum environment_lock lock,
                         struct environment **out, struct error *err);
/* Rows of a statement that selects ENVIRONMENT_COLUMNS. */
#define ENVIRONMENT_COLUMNS                                                                        \
    "e.id, e.team, e.name, e.cluster, e.region, e.owner_workspace, e.owner_id, e.owner_name, "     \
    "e.owner_mail, e.owner_zone, e.template, e.parameters, e.reason, e.revision, e.presented, "    \
    "e.tally, "                                                                                    \
    "e.state, e.cause, e.plan, e.seen, e.stuck, e.ttl_seconds, "                                   \
    "extract(epoch FROM e.created_at) AS created_at, "                                             \
    "extract(epoch FROM e.decided_at) AS decided_at, "                                             \
    "extract(epoch FROM e.started_at) AS started_at, "                                             \
    "extract(epoch FROM e.ready_at) AS ready_at, "                                                 \
    "extract(epoch FROM e.expires_at) AS expires_at, "                                             \
    "extract(epoch FROM e.ended_at) AS ended_at, extract(epoch FROM e.due_at) AS due_at, "         \
    "e.warned_seconds, " WAIT_COLUMNS(                                                             \
        "e") ", e.break_glass, e.review, e.nodes, e.vcpus, e.gpus, "                               \
             "e.hourly_usd, e.monthly_usd, e.change, e.awake, e.schedule, "                        \
             "extract(epoch FROM e.turn_at) AS turn_at, extract(epoch FROM e.until) AS until, "    \
             "extract(epoch FROM now()) AS now, e.template_copy"
struct environment *environment_from_row(const void *ctx, const struct rows *rows, int row);

/* What a team holds and may hold. Limits are -1 where there is none. */
struct quota {
    int environments, nodes, vcpus, gpus;
    double monthly_usd;
};
struct team_use {
    struct quota limit, use;
};
/* Locks the team's row (so that requests of one team queue) and sums its living environments.
   Queued with db_ask: read *rows with team_use_from_row after the next flush (row 0; no row: the
   team does not exist). */
void team_use_ask(const void *ctx, struct db *db, const char *team, bool lock, struct rows **rows);
struct team_use team_use_from_row(const struct rows *rows, int row);

/* Adds a request ('pending', or 'queued': then it is decided; as env's state says). The clock looks
   at it due_after seconds later and reminds of it remind_after seconds later, 0: never. id, times
   and `now` are the database's and set on env. ERROR_CONFLICT when the cluster's name is taken by a
   living one. */
bool environment_insert(struct db *db, struct environment *env, int64_t due_after,
                        int64_t remind_after, struct error *err);

/* Queued: the row's parameters, time, copy of the template and what it reserves are env's. */
void environment_write_values(struct db *db, const struct environment *env);

#endif
