/* kubernetes.io, "SubjectAccessReview v1 authorization.k8s.io". */
#include "approvals/review.h"

#include "base/log.h"
#include "base/text.h"
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>
#include <uthash.h>

/* More questions than this in one envelope are a mistake of ours. */
enum { QUESTIONS_MOST = 2000 };

struct asked {
    char *key; /* the review's spec, as JSON */
    bool answered, allowed;
    struct rbac_reason why;
    UT_hash_handle hh;
};

struct review {
    const struct rbac *rules;
    struct asked *questions; /* in the order in which they were noted */
    size_t open;
};

/* Everybody who may ask at all is one of the authenticated, as in the files. */
static cJSON *groups_of(const struct rbac_question *q)
{
    cJSON *list = cJSON_CreateArray();
    bool everybody = false;
    for (const char *const *group = q->groups; group && *group; group++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(*group));
        everybody = everybody || strcmp(*group, "system:authenticated") == 0;
    }
    if (!everybody && !q->named_only)
        cJSON_AddItemToArray(list, cJSON_CreateString("system:authenticated"));
    return list;
}

static cJSON *spec_of(const void *ctx, const struct rbac_question *q)
{
    const char *const parts[][2] = {{"namespace", q->namespace},     {"verb", q->verb},
                                    {"group", q->api_group},         {"resource", q->resource},
                                    {"subresource", q->subresource}, {"name", q->name}};
    cJSON *spec = json_object(ctx), *attributes = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (*parts[i][1])
            json_set_string(attributes, parts[i][0], parts[i][1]);
    json_set_string(spec, "user", q->user);
    json_set(spec, "groups", groups_of(q));
    json_set(spec, "resourceAttributes", attributes);
    return spec;
}

static bool answer(void *user, const struct rbac_question *question, struct rbac_reason *why)
{
    struct review *review = user;
    char *key = json_text(review, spec_of(review, question));
    struct asked *asked;
    HASH_FIND_STR(review->questions, key, asked);
    if (!asked) {
        asked = talloc_zero(review, struct asked);
        asked->key = key;
        snprintf(asked->why.text, sizeof asked->why.text, "the cluster was not asked yet");
        HASH_ADD_KEYPTR(hh, review->questions, asked->key, strlen(asked->key), asked);
        review->open++;
    }
    if (why)
        *why = asked->why;
    return asked->answered && asked->allowed;
}

static int free_review(struct review *review)
{
    HASH_CLEAR(hh, review->questions);
    return 0;
}

struct kube *review_cluster(const void *ctx, const struct config *config)
{
    return kube_new(ctx, &(struct kube_options){config->rbac.kubeconfig, config->rbac.context,
                                                config->rbac.account, "rbac"});
}

struct review *review_new(const void *ctx)
{
    struct review *review = talloc_zero(ctx, struct review);
    review->rules = rbac_asked(review, answer, review);
    talloc_set_destructor(review, free_review);
    return review;
}

const struct rbac *review_rules(const struct review *review)
{
    return review->rules;
}

size_t review_open(const struct review *review)
{
    return review->open;
}

/* ---- asking ---- */

static cJSON *body_of(const void *ctx, const char *spec)
{
    cJSON *body = json_object(ctx);
    json_set_string(body, "apiVersion", "authorization.k8s.io/v1");
    json_set_string(body, "kind", "SubjectAccessReview");
    json_set(body, "spec", cJSON_Parse(spec));
    return body;
}

/* Only a whole answer counts. "denied" is a word of other authorizers than RBAC. */
static bool take(const struct kube_call *call, struct asked *asked, struct error *err)
{
    const cJSON *allowed = json_at(call->answer, "status.allowed");
    if (strcmp(json_string_or_empty(call->answer, "kind"), "SubjectAccessReview") != 0 ||
        !cJSON_IsBool(allowed))
        return error_set(err, ERROR_UNAVAILABLE, "the answer is no SubjectAccessReview");
    const char *reason = json_string_or_empty(call->answer, "status.reason");
    const char *trouble = json_string_or_empty(call->answer, "status.evaluationError");
    asked->answered = true;
    asked->allowed = cJSON_IsTrue(allowed) && !json_true(call->answer, "status.denied");
    if (!*reason && *trouble)
        reason = trouble;
    if (!*reason)
        reason = asked->allowed ? "allowed by the cluster" : "the cluster's rules do not allow it";
    char *clean = text_clean(asked, reason);
    size_t length = strlen(clean);
    if (length >= sizeof asked->why.text)
        clean = text_cut(asked, clean, 120);
    snprintf(asked->why.text, sizeof asked->why.text, "%s", clean);
    return true;
}

static int64_t now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static void note(struct breaker *breaker, enum kube_class class)
{
    if (breaker && class == KUBE_AWAY)
        breaker_failure(breaker);
    else if (breaker)
        breaker_success(breaker);
}

/* Asks the questions once; *again: the server is busy and said after how many seconds it is not. */
static bool ask_once(void *ctx, struct asked **questions, size_t count, struct kube *kube,
                     struct breaker *breaker, long patience_ms, int64_t *again, struct error *err)
{
    *again = 0;
    if (breaker && !breaker_allow(breaker, err))
        return false;
    struct kube_call *calls = talloc_zero_array(ctx, struct kube_call, (unsigned)count);
    for (size_t i = 0; i < count; i++)
        calls[i] = (struct kube_call){.method = "POST",
                                      .path = "/apis/authorization.k8s.io/v1/subjectaccessreviews",
                                      .body = body_of(ctx, questions[i]->key),
                                      .repeatable = true};
    if (!kube_send(ctx, kube, calls, count, patience_ms, err))
        return false;
    const struct kube_call *worst = &calls[0];
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        if (calls[i].class == KUBE_OK) {
            ok = take(&calls[i], questions[i], err) && ok;
            continue;
        }
        if (worst->class == KUBE_OK || calls[i].class == KUBE_AWAY)
            worst = &calls[i];
    }
    note(breaker, worst->class);
    if (worst->class == KUBE_OK)
        return ok;
    *err = worst->err;
    *again = worst->class == KUBE_BUSY ? (worst->retry_after ? worst->retry_after : 1) : 0;
    if (worst->status == 403)
        error_set(err, ERROR_UNAVAILABLE,
                  "%s; whoever envbot is there may not create subjectaccessreviews: bind the "
                  "ClusterRole system:auth-delegator to it",
                  worst->err.text);
    return false;
}

/* What has no answer yet; a busy server is asked again when there is time. */
static bool ask(void *ctx, struct asked *all, struct kube *kube, struct breaker *breaker,
                long patience_ms, struct error *err)
{
    int64_t until = now_ms() + patience_ms, again = 0;
    for (;;) {
        struct asked **questions = talloc_array(ctx, struct asked *, HASH_COUNT(all) + 1);
        size_t count = 0;
        for (struct asked *each = all; each; each = each->hh.next)
            if (!each->answered)
                questions[count++] = each;
        if (!count)
            return true;
        if (ask_once(ctx, questions, count, kube, breaker, (long)(until - now_ms()), &again, err))
            return true;
        if (!again || now_ms() + again * 1000 >= until)
            return false;
        nanosleep(&(struct timespec){.tv_sec = again}, NULL);
    }
}

bool review_ask(struct review *review, struct kube *kube, struct breaker *breaker, long patience_ms,
                struct error *err)
{
    struct error why = {0};
    void *tmp = talloc_new(NULL);
    bool ok = false;
    if (HASH_COUNT(review->questions) > QUESTIONS_MOST)
        error_set(&why, ERROR_INTERNAL, "too many questions in one envelope");
    else if (patience_ms <= 0)
        error_set(&why, ERROR_UNAVAILABLE, "there is no time left to ask");
    else
        ok = ask(tmp, review->questions, kube, breaker, patience_ms, &why);
    talloc_free(tmp);
    if (ok) {
        review->open = 0;
        return true;
    }
    log_warn("the cluster that keeps the rules cannot be asked", "error", why.text);
    return error_set(err, ERROR_UNAVAILABLE,
                     "The cluster that keeps the rules cannot be asked at the moment; nothing was "
                     "done. Please try again in a minute.");
}

bool review_one(const void *ctx, struct kube *kube, const struct rbac_question *question,
                long patience_ms, bool *allowed, struct rbac_reason *why, struct error *err)
{
    struct review *review = review_new(ctx);
    answer(review, question, why);
    bool ok = ask(review, review->questions, kube, NULL, patience_ms, err);
    *allowed = ok && answer(review, question, why);
    talloc_free(review);
    return ok;
}
