#include "jobs/launch_check.h"

#include "base/kube.h"
#include "jobs/manifest.h"
#include "jobs/troubles.h"

#include <string.h>
#include <talloc.h>

enum { PATIENCE_MS = 10000 };

/* What deploy/kubernetes/jobs.yaml gives. */
static const struct {
    const char *verb, *group, *resource;
} rights[] = {{"create", "batch", "jobs"}, {"get", "batch", "jobs"}, {"list", "batch", "jobs"},
              {"delete", "batch", "jobs"}, {"get", "", "pods"},      {"list", "", "pods"}};
enum { RIGHTS = sizeof rights / sizeof *rights };

static cJSON *question(void *ctx, const struct config *config, size_t right)
{
    cJSON *review = json_object(ctx), *spec = cJSON_CreateObject(), *of = cJSON_CreateObject();
    json_set_string(review, "apiVersion", "authorization.k8s.io/v1");
    json_set_string(review, "kind", "SelfSubjectAccessReview");
    json_set_string(of, "namespace", config->jobs.kubernetes.namespace);
    json_set_string(of, "verb", rights[right].verb);
    json_set_string(of, "group", rights[right].group);
    json_set_string(of, "resource", rights[right].resource);
    json_set(spec, "resourceAttributes", of);
    json_set(review, "spec", spec);
    return review;
}

/* A line for each right that is missing. */
static char *check_rights(void *ctx, const struct config *config, struct kube *kube)
{
    struct error err = {0};
    struct kube_call calls[RIGHTS] = {0};
    for (size_t i = 0; i < RIGHTS; i++)
        calls[i] =
            (struct kube_call){.method = "POST",
                               .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                               .body = question(ctx, config, i),
                               .repeatable = true};
    if (!kube_send(ctx, kube, calls, RIGHTS, PATIENCE_MS, &err))
        return talloc_strdup(ctx, err.text);
    char *problems = talloc_strdup(ctx, "");
    for (size_t i = 0; i < RIGHTS; i++) {
        if (calls[i].class != KUBE_OK)
            return talloc_strdup(ctx, calls[i].err.text);
        if (!json_true(calls[i].answer, "status.allowed"))
            problems = talloc_asprintf_append(
                problems,
                "envbot may not %s %s in the namespace %s: see deploy/kubernetes/jobs.yaml\n",
                rights[i].verb, rights[i].resource, config->jobs.kubernetes.namespace);
    }
    return problems;
}

/* What the API server says of a Job that it does not make. */
static char *check_manifest(void *ctx, const struct config *config, struct kube *kube,
                            const cJSON *template)
{
    struct error err = {0};
    static const struct launch_job example = {.id = 1,
                                              .next = 1,
                                              .kind = "create",
                                              .region = "eu-central-1",
                                              .team = "team",
                                              .name = "name",
                                              .owner = "U0123ABCD"};
    struct kube_call try = {
        .method = "POST",
        .path = talloc_asprintf(ctx,
                                "/apis/batch/v1/namespaces/%s/jobs?dryRun=All&"
                                "fieldValidation=Strict",
                                config->jobs.kubernetes.namespace),
        .body = manifest_fill(ctx, template, config, &example, "envbot-check", &err),
        .repeatable = true};
    if (!try.body || !kube_send(ctx, kube, &try, 1, PATIENCE_MS, &err))
        return talloc_strdup(ctx, err.text);
    return talloc_strdup(ctx, try.class == KUBE_OK ? "" : try.err.text);
}

char *launch_check(const void *ctx, const struct config *config, const char **part)
{
    struct error err = {0};
    void *tmp = talloc_new(ctx);
    bool worded = troubles_read(tmp, config->templates, &err) != NULL;
    if (!worded || strcmp(config->jobs.launcher, "kubernetes") != 0) {
        *part = worded ? "jobs, on this host" : "jobs";
        talloc_free(tmp);
        return talloc_strdup(ctx, worded ? "" : err.text);
    }
    const cJSON *template = manifest_read(tmp, config, &err);
    struct kube *kube =
        kube_new(tmp, &(struct kube_options){config->jobs.kubernetes.kubeconfig,
                                             config->jobs.kubernetes.context,
                                             config->jobs.kubernetes.account, "jobs.kubernetes"});
    char *problems = check_rights(tmp, config, kube);
    if (!template)
        problems = talloc_asprintf_append(problems, "%s\n", err.text);
    else if (!*problems)
        problems = check_manifest(tmp, config, kube, template);
    *part = talloc_asprintf(ctx, "jobs, in the namespace %s of the cluster %s",
                            config->jobs.kubernetes.namespace,
                            *kube_server(kube) ? kube_server(kube) : "(not known)");
    problems = talloc_strdup(ctx, problems);
    talloc_free(tmp);
    return problems;
}
