#include "approvals/rules.h"

#include "approvals/rbac_rules.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <talloc.h>

struct rules {
    const char *path;
    pthread_mutex_t lock; /* over the pointer and everybody's count; held for an instant */
    struct rbac *now;
};

static int free_rules(struct rules *rules)
{
    talloc_free(rules->now);
    pthread_mutex_destroy(&rules->lock);
    return 0;
}

static struct rules *rules_of(const void *ctx, struct rbac *first, const char *path)
{
    struct rules *rules = talloc_zero(ctx, struct rules);
    rules->path = talloc_strdup(rules, path);
    rules->now = first;
    first->holders = 1;
    pthread_mutex_init(&rules->lock, NULL);
    talloc_set_destructor(rules, free_rules);
    return rules;
}

static bool no(void *user, const struct rbac_question *question, struct rbac_reason *why)
{
    (void)user;
    (void)question;
    if (why)
        snprintf(why->text, sizeof why->text, "the cluster was not asked");
    return false;
}

struct rules *rules_elsewhere(const void *ctx)
{
    return rules_of(ctx, rbac_asked(NULL, no, NULL), "");
}

bool rules_new(const void *ctx, const char *path, struct rules **out, char **problems,
               struct error *err)
{
    struct rbac *first;
    if (!rbac_read(NULL, path, &first, problems, err))
        return false;
    talloc_steal(ctx, *problems);
    *out = rules_of(ctx, first, path);
    return true;
}

const struct rbac *rules_hold(struct rules *rules)
{
    pthread_mutex_lock(&rules->lock);
    struct rbac *held = rules->now;
    held->holders++;
    pthread_mutex_unlock(&rules->lock);
    return held;
}

void rules_let_go(struct rules *rules, const struct rbac *held)
{
    struct rbac *mine = (struct rbac *)(uintptr_t)held; /* the count is ours to change */
    pthread_mutex_lock(&rules->lock);
    bool last = --mine->holders == 0;
    pthread_mutex_unlock(&rules->lock);
    if (last)
        talloc_free(mine);
}

void rules_replace(struct rules *rules, struct rbac *next)
{
    next->holders = 1;
    pthread_mutex_lock(&rules->lock);
    struct rbac *before = rules->now;
    rules->now = next;
    pthread_mutex_unlock(&rules->lock);
    rules_let_go(rules, before);
}
