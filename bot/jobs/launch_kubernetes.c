#include "jobs/launch.h"

#include "base/breaker.h"
#include "base/http_client.h"
#include "base/kube.h"
#include "base/log.h"
#include "jobs/manifest.h"
#include "jobs/pods.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

/* A call of the API server may take so long. Who did not come back FORGET_S long waits for nothing
   any more. What is left of an earlier run has its pod's grace OVERDUE times to end, for the node
   is slow, too; what cannot be reached then ends by its own clock, before its lease does, and AWS's
   names are the fence. A Job that failed is made anew after FAILED_S, then twice as long. */
enum { CALL_MS = 5000, FORGET_S = 60, OVERDUE = 4, FAILED_S = 10, FAILED_MOST_S = 300 };
enum { PAGE = 500, PAGES_MOST = 20 };

/* A job that has not started yet. */
struct waiting {
    int64_t id, next;
    time_t since, seen;
    enum trouble_kind kind; /* what was in its way at the last look, and since when */
    time_t kind_since;
    time_t leaving_since; /* what is left of an earlier run; 0: nothing is */
    int ended;            /* so many Jobs of this claim came to nothing */
    time_t ended_since;
    struct waiting *after;
};

struct kubernetes {
    const struct config *config;
    cJSON *manifest;
    struct kube *kube;
    struct breaker *breaker;
    time_t overdue;      /* seconds after which nothing waits for an earlier run any more */
    time_t tidied;       /* when it was last looked for what nobody waits for */
    time_t not_before;   /* the server wants no calls until then */
    struct trouble last; /* that kept us from it, while the breaker is open or it wants patience */
    struct waiting *waiting;
};

static time_t monotonic(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec;
}

static void *begin(const void *ctx, const struct config *config, struct metrics *metrics,
                   struct error *err)
{
    struct kubernetes *k = talloc_zero(ctx, struct kubernetes);
    struct breaker_options cluster = {.name = "kubernetes-jobs", .failures = 2};
    k->config = config;
    k->manifest = manifest_read(k, config, err);
    k->kube = kube_new(k, &(struct kube_options){
                              config->jobs.kubernetes.kubeconfig, config->jobs.kubernetes.context,
                              config->jobs.kubernetes.account, "jobs.kubernetes"});
    if (k->manifest) {
        static const char grace[] = "spec.template.spec.terminationGracePeriodSeconds";
        k->overdue = OVERDUE * (time_t)json_integer(k->manifest, grace, 30);
        k->breaker = breaker_new(k, &cluster, metrics);
        return k;
    }
    talloc_free(k);
    return NULL;
}

static struct breaker *breaker_of(void *state)
{
    return ((struct kubernetes *)state)->breaker;
}

/* The note on a job, made at its first look; those that did not come back are forgotten. */
static struct waiting *note(struct kubernetes *k, const struct launch_job *job, time_t now)
{
    struct waiting *found = NULL;
    for (struct waiting **at = &k->waiting; *at;) {
        struct waiting *each = *at;
        if (each->id == job->id && each->next == job->next)
            found = each;
        else if (now - each->seen > FORGET_S) {
            *at = each->after;
            talloc_free(each);
            continue;
        }
        at = &each->after;
    }
    if (!found) {
        found = talloc_zero(k, struct waiting);
        *found = (struct waiting){job->id, job->next, .since = now, .after = k->waiting};
        k->waiting = found;
    }
    found->seen = now;
    return found;
}

/* ---- calls ---- */

/* What an answer other than the wanted one means. Nothing was done, or it shows at the next look.
 */
static void refuse(struct kubernetes *k, const struct kube_call *call, struct trouble *trouble)
{
    enum trouble_kind kind = call->class == KUBE_REFUSED ? TROUBLE_REFUSED
                             : call->class == KUBE_BUSY  ? TROUBLE_BUSY
                                                         : TROUBLE_AWAY;
    if (call->class == KUBE_OTHER && strcmp(call->method, "GET") != 0)
        kind = TROUBLE_INVALID;
    trouble_set(trouble, kind, "%s", call->err.text);
    if (call->class == KUBE_BUSY)
        k->not_before =
            monotonic() +
            (call->retry_after > 0 && call->retry_after < 300 ? (time_t)call->retry_after : 1);
}

/* Makes the calls; false (and trouble says why) unless each was answered as wanted. also: a status
   that is as good (404 of what is to be deleted); 0 for none. */
static bool call(void *ctx, struct kubernetes *k, struct kube_call *calls, size_t count, long also,
                 struct trouble *trouble)
{
    struct error err = {0};
    if (!kube_send(ctx, k->kube, calls, count, CALL_MS, &err)) {
        trouble_set(trouble, TROUBLE_REFUSED, "%s", err.text);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        if (calls[i].class != KUBE_OK && (!also || calls[i].status != also)) {
            refuse(k, &calls[i], trouble);
            return false;
        }
    return true;
}

static const char *jobs_path(void *ctx, const struct kubernetes *k, const char *rest)
{
    return talloc_asprintf(ctx, "/apis/batch/v1/namespaces/%s/jobs%s",
                           k->config->jobs.kubernetes.namespace, rest);
}

/* What the cluster has of this job. */
static bool look(void *ctx, struct kubernetes *k, const struct launch_job *job, struct pods *pods,
                 struct trouble *trouble)
{
    const char *chosen =
        talloc_asprintf(ctx, "?labelSelector=%s%%3D%" PRId64, "envbot.dev%2Fjob", job->id);
    struct kube_call calls[2] = {
        {.method = "GET", .path = jobs_path(ctx, k, chosen), .repeatable = true},
        {.method = "GET",
         .path = talloc_asprintf(ctx, "/api/v1/namespaces/%s/pods%s",
                                 k->config->jobs.kubernetes.namespace, chosen),
         .repeatable = true}};
    if (!call(ctx, k, calls, 2, 0, trouble))
        return false;
    const cJSON *found[2];
    for (int i = 0; i < 2; i++) {
        found[i] = cJSON_GetObjectItemCaseSensitive(calls[i].answer, "items");
        if (!cJSON_IsArray(found[i])) {
            trouble_set(trouble, TROUBLE_AWAY, "%s answered no list", kube_server(k->kube));
            return false;
        }
    }
    *pods = pods_read(found[0], found[1], job);
    return true;
}

/* Its pods first, and it is gone when they are. */
static bool end_job(void *ctx, struct kubernetes *k, const cJSON *old, struct trouble *trouble)
{
    const char *name = json_string_or_empty(old, "metadata.name");
    cJSON *options = json_object(ctx), *same = cJSON_CreateObject();
    json_set_string(options, "kind", "DeleteOptions");
    json_set_string(options, "apiVersion", "v1");
    json_set_string(options, "propagationPolicy", "Foreground");
    json_set_string(same, "uid", json_string_or_empty(old, "metadata.uid"));
    json_set(options, "preconditions", same);
    struct kube_call delete = {.method = "DELETE",
                               .path = jobs_path(ctx, k, talloc_asprintf(ctx, "/%s", name)),
                               .body = options,
                               .repeatable = true};
    log_info("ending a Job and its pod", "name", name);
    return call(ctx, k, &delete, 1, 404, trouble);
}

static bool create(void *ctx, struct kubernetes *k, const struct launch_job *job, int ended,
                   struct trouble *trouble)
{
    struct error err = {0};
    const char *name = manifest_name(ctx, job, ended);
    cJSON *manifest = manifest_fill(ctx, k->manifest, k->config, job, name, &err);
    if (!manifest) {
        trouble_set(trouble, TROUBLE_INVALID, "%s", err.text);
        return false;
    }
    struct kube_call create = {
        .method = "POST", .path = jobs_path(ctx, k, "?fieldValidation=Strict"), .body = manifest};
    if (!call(ctx, k, &create, 1, 409, trouble))
        return false;
    if (create.status == 409) { /* somebody else has just made it: the next look shows it */
        trouble_set(trouble, TROUBLE_INVALID, "%s is there, without its labels", name);
        return false;
    }
    log_info("made a Job", "name", name);
    return true;
}

/* ---- one look at one job ---- */

/* True while something of an earlier run may still act, and is not overdue. */
static bool leaves(void *ctx, struct kubernetes *k, struct waiting *w, const struct pods *pods,
                   struct trouble *trouble)
{
    if (!pods->earlier) {
        w->leaving_since = 0;
        return false;
    }
    if (!w->leaving_since)
        w->leaving_since = w->seen;
    for (int i = 0; i < pods->to_end_count; i++)
        if (!end_job(ctx, k, pods->to_end[i], trouble))
            return true;
    trouble_set(trouble, TROUBLE_OLD_POD, "%s", pods->earlier);
    return w->seen - w->leaving_since < k->overdue;
}

/* Whether it is too early to make another Job after those that came to nothing. */
static bool cools(struct waiting *w, const struct pods *pods, struct trouble *trouble)
{
    if (pods->ended > w->ended) {
        w->ended = pods->ended;
        w->ended_since = w->seen;
    }
    if (!pods->ended || !*pods->failure)
        return false;
    trouble_set(trouble, TROUBLE_CRASHED, "%s", pods->failure);
    int64_t wait = FAILED_S;
    for (int i = 1; i < pods->ended && wait < FAILED_MOST_S; i++)
        wait *= 2;
    return w->seen - w->ended_since < (wait < FAILED_MOST_S ? wait : FAILED_MOST_S);
}

static bool advance(void *ctx, struct kubernetes *k, const struct launch_job *job,
                    struct waiting *w, struct trouble *trouble)
{
    struct pods pods;
    if (!look(ctx, k, job, &pods, trouble) || leaves(ctx, k, w, &pods, trouble))
        return false;
    if (pods.current) {
        if (pods.trouble.kind)
            *trouble = pods.trouble;
        return false;
    }
    return !cools(w, &pods, trouble) && create(ctx, k, job, pods.ended, trouble);
}

/* What lasts is said; what only passes (a pod that is just coming up) is not. Between two pods that
   end at once there is one that has not ended yet. */
static void time_passes(const struct kubernetes *k, struct waiting *w, struct trouble *trouble)
{
    if (trouble->kind != w->kind)
        w->kind_since = w->seen;
    w->kind = trouble->kind;
    time_t since = trouble->kind == TROUBLE_CRASHED ? w->since : w->kind_since;
    trouble->lasts = w->seen - since >= k->config->jobs.kubernetes.patience;
}

static bool start(void *state, const struct launch_job *job, struct trouble *trouble)
{
    struct kubernetes *k = state;
    struct waiting *w = note(k, job, monotonic());
    struct error err = {0};
    bool started = false;
    if (w->seen < k->not_before || !breaker_allow(k->breaker, &err)) {
        *trouble = k->last;
    } else {
        void *ctx = talloc_new(NULL);
        started = advance(ctx, k, job, w, trouble);
        if (trouble->kind == TROUBLE_AWAY)
            breaker_failure(k->breaker);
        else
            breaker_success(k->breaker);
        k->last = *trouble;
        talloc_free(ctx);
    }
    time_passes(k, w, trouble);
    return started;
}

/* ---- what nobody waits for ---- */

/* Adds to jobs those that have not ended, from all pages. False when the list cannot be read now; a
   page may be too old to be gone on from (410): the next time begins anew. */
static bool list_live(void *ctx, struct kubernetes *k, cJSON *jobs, char **ids)
{
    const char *token = "";
    for (int page = 0; token && page < PAGES_MOST; page++) {
        struct trouble trouble = {0};
        const cJSON *each;
        char *query = talloc_asprintf(
            ctx, "?labelSelector=app.kubernetes.io%%2Fmanaged-by%%3Denvbot&limit=%d%s%s", PAGE,
            *token ? "&continue=" : "", http_escape(ctx, token));
        struct kube_call list = {
            .method = "GET", .path = jobs_path(ctx, k, query), .repeatable = true};
        if (!call(ctx, k, &list, 1, 0, &trouble))
            return false;
        cJSON_ArrayForEach (each, cJSON_GetObjectItemCaseSensitive(list.answer, "items")) {
            int64_t id = pods_live_job(each);
            if (!id)
                continue;
            cJSON_AddItemToArray(jobs, cJSON_Duplicate(each, true));
            *ids = talloc_asprintf_append(*ids, "%s%" PRId64, **ids ? "," : "", id);
        }
        token = json_string(list.answer, "metadata.continue");
        token = token && *token ? token : NULL;
    }
    return true;
}

/* A Job whose row is over and which has not ended waits for nothing: its pod cannot start, and
   would find nothing to do. That its labels name the row's environment, too, spares what another
   envbot made. */
static void tidy(void *state, struct db *db)
{
    struct kubernetes *k = state;
    time_t now = monotonic();
    if (now - k->tidied < k->config->jobs.kubernetes.patience || now < k->not_before ||
        breaker_state(k->breaker) != BREAKER_CLOSED)
        return;
    k->tidied = now;
    void *ctx = talloc_new(NULL);
    cJSON *live = json_array(ctx);
    char *ids = talloc_strdup(ctx, "");
    struct error err = {0};
    struct rows *over = NULL;
    if (list_live(ctx, k, live, &ids) && *ids)
        over = launches_over(ctx, db, talloc_asprintf(ctx, "{%s}", ids),
                             k->config->jobs.kubernetes.patience, &err);
    for (int i = 0; over && i < rows_count(over); i++) {
        struct trouble trouble = {0};
        const cJSON *each;
        cJSON_ArrayForEach (each, live)
            if (pods_live_job(each) == rows_integer(over, i, "id", 0) &&
                pods_is_for(each, rows_text(over, i, "team"), rows_text(over, i, "name")))
                end_job(ctx, k, each, &trouble);
    }
    talloc_free(ctx);
}

const struct launch launch_kubernetes = {"kubernetes", 2, INT_MAX, begin, start, tidy, breaker_of};
