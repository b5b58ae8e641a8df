#include "approvals/people_copy.h"

#include <string.h>
#include <talloc.h>
#include <time.h>

int64_t copy_now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000 + 60000;
}

static int free_copy(struct copy *copy)
{
    struct known_user *each, *next;
    HASH_ITER (hh, copy->users, each, next) {
        HASH_DEL(copy->users, each);
        cJSON_Delete(each->user);
    }
    cJSON_Delete(copy->groups);
    pthread_mutex_destroy(&copy->lock);
    return 0;
}

struct copy *copy_new(const void *ctx)
{
    struct copy *copy = talloc_zero(ctx, struct copy);
    pthread_mutex_init(&copy->lock, NULL);
    talloc_set_destructor(copy, free_copy);
    return copy;
}

cJSON *copy_user(const void *ctx, struct copy *copy, const char *id, int64_t not_before)
{
    cJSON *found = NULL;
    struct known_user *user;
    pthread_mutex_lock(&copy->lock);
    HASH_FIND_STR(copy->users, id, user);
    if (user && user->user && user->asked_at >= not_before)
        found = json_own(ctx, cJSON_Duplicate(user->user, true));
    pthread_mutex_unlock(&copy->lock);
    return found;
}

/* The caller holds the lock. */
static struct known_user *user_of(struct copy *copy, const char *id)
{
    struct known_user *user;
    HASH_FIND_STR(copy->users, id, user);
    if (!user) {
        user = talloc_zero(copy, struct known_user);
        user->id = talloc_strdup(user, id);
        HASH_ADD_KEYPTR(hh, copy->users, user->id, strlen(user->id), user);
    }
    return user;
}

bool copy_keep_user(struct copy *copy, const char *id, const cJSON *answer, int64_t asked_at)
{
    pthread_mutex_lock(&copy->lock);
    struct known_user *user = user_of(copy, id);
    bool true_still = asked_at > user->changed_at;
    if (true_still && asked_at >= user->asked_at) {
        cJSON_Delete(user->user);
        user->user = cJSON_Duplicate(answer, true);
        user->asked_at = asked_at;
    }
    pthread_mutex_unlock(&copy->lock);
    return true_still;
}

bool copy_groups_whole(const struct copy *copy)
{
    return copy->groups_asked_at > copy->groups_changed_at;
}

cJSON *copy_groups(const void *ctx, struct copy *copy, int64_t not_before)
{
    cJSON *found = NULL;
    pthread_mutex_lock(&copy->lock);
    if (copy->groups && copy->groups_asked_at >= not_before && copy_groups_whole(copy))
        found = json_own(ctx, cJSON_Duplicate(copy->groups, true));
    pthread_mutex_unlock(&copy->lock);
    return found;
}

bool copy_keep_groups(struct copy *copy, const cJSON *groups, int64_t asked_at)
{
    pthread_mutex_lock(&copy->lock);
    bool true_still = asked_at > copy->groups_changed_at;
    if (true_still) {
        cJSON_Delete(copy->groups);
        copy->groups = cJSON_Duplicate(groups, true);
        copy->groups_asked_at = asked_at;
    }
    pthread_mutex_unlock(&copy->lock);
    return true_still;
}

void copy_groups_failed(struct copy *copy, int64_t asked_at)
{
    pthread_mutex_lock(&copy->lock);
    copy->groups_failed_at = asked_at;
    pthread_mutex_unlock(&copy->lock);
}

bool copy_groups_failed_since(struct copy *copy, int64_t since)
{
    pthread_mutex_lock(&copy->lock);
    bool failed = copy->groups_failed_at >= since;
    pthread_mutex_unlock(&copy->lock);
    return failed;
}

static bool is_listed(const cJSON *list, const char *id)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, list)
        if (cJSON_IsString(each) && strcmp(each->valuestring, id) == 0)
            return true;
    return false;
}

/* Leaves the members whom the event names (wanted), or those whom it does not. */
static void leave_members(cJSON *group, const cJSON *list, bool wanted)
{
    cJSON *users = cJSON_GetObjectItemCaseSensitive(group, "users");
    for (cJSON *each = users ? users->child : NULL, *next; each; each = next) {
        next = each->next;
        if (!cJSON_IsString(each) || is_listed(list, each->valuestring) != wanted)
            cJSON_Delete(cJSON_DetachItemViaPointer(users, each));
    }
}

/* Events may come late, twice or in another order: none of them puts anybody into a group. */
static void change_group(struct copy *copy, const char *id, const cJSON *change)
{
    const char *handle = json_string(change, "handle");
    const cJSON *members = json_at(change, "users"), *removed = json_at(change, "removed");
    for (cJSON *group = copy->groups ? copy->groups->child : NULL, *next; group; group = next) {
        next = group->next;
        if (strcmp(json_string_or_empty(group, "id"), id) != 0)
            continue;
        bool other = handle && strcmp(handle, json_string_or_empty(group, "handle")) != 0;
        if (json_true(change, "gone") || other) {
            cJSON_Delete(cJSON_DetachItemViaPointer(copy->groups, group));
            continue;
        }
        if (cJSON_IsArray(members))
            leave_members(group, members, true);
        if (cJSON_IsArray(removed))
            leave_members(group, removed, false);
    }
}

void copy_change(struct copy *copy, const cJSON *change)
{
    const char *id = json_string(change, "user"), *group = json_string(change, "group");
    pthread_mutex_lock(&copy->lock);
    if (id) {
        struct known_user *user = user_of(copy, id);
        cJSON_Delete(user->user);
        user->user = NULL;
        user->changed_at = copy_now();
    }
    if (group) {
        change_group(copy, group, change);
        copy->groups_changed_at = copy_now();
    }
    pthread_mutex_unlock(&copy->lock);
}

void copy_heard(struct copy *copy, bool heard)
{
    pthread_mutex_lock(&copy->lock);
    if (!heard)
        copy->heard_since = 0;
    else if (!copy->heard_since)
        copy->heard_since = copy_now();
    pthread_mutex_unlock(&copy->lock);
}

int64_t copy_serves_since(struct copy *copy, int64_t age_ms)
{
    pthread_mutex_lock(&copy->lock);
    int64_t since = copy->heard_since ? copy->heard_since : INT64_MAX;
    pthread_mutex_unlock(&copy->lock);
    int64_t oldest = copy_now() - age_ms;
    return oldest > since ? oldest : since;
}
