/* What Slack told of people and user groups, and when it was asked for it. Slack's events keep it
   true: what they say is taken away at once, and an answer that was asked for before one is not
   believed. People.c alone includes this. Every function but copy_new() is for any thread. */
#ifndef APPROVALS_PEOPLE_COPY_H
#define APPROVALS_PEOPLE_COPY_H

#include "base/json.h"

#include <pthread.h>
#include <uthash.h>

struct known_user {
    char *id;
    cJSON *user;        /* users.info's "user"; NULL: it changed since */
    int64_t asked_at;   /* when Slack was asked for it */
    int64_t changed_at; /* when it was last heard to be another */
    UT_hash_handle hh;
};

struct copy {
    pthread_mutex_t lock; /* over what is below; never held during a call */
    struct known_user *users;
    cJSON *groups; /* usergroups.list's "usergroups"; NULL: not read yet */
    int64_t groups_asked_at, groups_changed_at, groups_failed_at;
    int64_t heard_since; /* since when every change is heard of; 0: not at present */
};

struct copy *copy_new(const void *ctx);

/* Milliseconds of the monotonic clock, never 0. */
int64_t copy_now(void);

/* What is known (a copy of ctx) when Slack was asked for it since then; NULL otherwise. */
cJSON *copy_user(const void *ctx, struct copy *copy, const char *id, int64_t not_before);
cJSON *copy_groups(const void *ctx, struct copy *copy, int64_t not_before);

/* Whether nothing was taken away since they were asked for; the caller holds the lock. What is less
   than whole serves only where Slack cannot tell more, and copy_groups() does not give it. */
bool copy_groups_whole(const struct copy *copy);

/* Keeps an answer. False when an event came after it was asked for: it may be older than that. */
bool copy_keep_user(struct copy *copy, const char *id, const cJSON *user, int64_t asked_at);
bool copy_keep_groups(struct copy *copy, const cJSON *groups, int64_t asked_at);
void copy_groups_failed(struct copy *copy, int64_t asked_at);
bool copy_groups_failed_since(struct copy *copy, int64_t since);

/* A change as processes tell it each other (people_change_of): it only ever takes away. */
void copy_change(struct copy *copy, const cJSON *change);

/* Whether every change is heard of from now on; after a gap nothing from before it counts. */
void copy_heard(struct copy *copy, bool heard);
/* From when on what was asked for serves where Slack cannot tell, at most age_ms old. */
int64_t copy_serves_since(struct copy *copy, int64_t age_ms);

#endif
