#include "jobs/manifest.h"

#include "base/tree.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

/* The cluster's own limit on a Job is a backstop behind jobs.deadline: a pod may wait for its node
   before it begins. */
enum { DEADLINE_BEHIND = 1800 };

char *manifest_name(const void *ctx, const struct launch_job *job, int ended)
{
    char *name = talloc_asprintf(ctx, "envbot-job-%" PRId64 "-%" PRId64, job->id, job->next);
    return ended ? talloc_asprintf_append(name, "-%d", ended + 1) : name;
}

/* A label's value, kubernetes.io "Labels and Selectors": at most 63 letters, digits, -, _ and ., a
   letter or digit at both ends. What is none is left out. */
static void add_label(cJSON *labels, const char *key, const char *value)
{
    bool fits = isalnum((unsigned char)*value);
    size_t length = 0;
    for (const char *c = value; *c; c++, length++)
        fits = fits && (isalnum((unsigned char)*c) || (strchr("-_.", *c) && c[1]));
    if (fits && length <= 63)
        json_set_string(labels, key, value);
}

static void label(cJSON *metadata, const struct launch_job *job)
{
    cJSON *labels = cJSON_GetObjectItemCaseSensitive(metadata, "labels");
    char number[32];
    if (!cJSON_IsObject(labels)) {
        json_set(metadata, "labels", cJSON_CreateObject());
        labels = cJSON_GetObjectItemCaseSensitive(metadata, "labels");
    }
    add_label(labels, "app.kubernetes.io/name", "envbot-job");
    add_label(labels, "app.kubernetes.io/managed-by", "envbot");
    snprintf(number, sizeof number, "%" PRId64, job->id);
    add_label(labels, MANIFEST_JOB_LABEL, number);
    snprintf(number, sizeof number, "%" PRId64, job->next);
    add_label(labels, MANIFEST_TRY_LABEL, number);
    add_label(labels, "envbot.dev/kind", job->kind);
    add_label(labels, MANIFEST_TEAM_LABEL, job->team);
    add_label(labels, MANIFEST_ENVIRONMENT_LABEL, job->name);
    add_label(labels, "envbot.dev/owner", job->owner);
}

/* A member that is a mapping, made where there is none. */
static cJSON *member(cJSON *of, const char *key)
{
    if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(of, key)))
        json_set(of, key, cJSON_CreateObject());
    return cJSON_GetObjectItemCaseSensitive(of, key);
}

static cJSON *values_of(const void *ctx, const struct config *config, const struct launch_job *job)
{
    cJSON *values = json_object(ctx);
    json_set_format(values, "job", "%" PRId64, job->id);
    json_set_format(values, "try", "%" PRId64, job->next);
    json_set_string(values, "kind", job->kind);
    json_set_string(values, "region", job->region);
    json_set_string(values, "team", job->team);
    json_set_string(values, "environment", job->name);
    json_set_string(values, "owner", job->owner);
    json_set_string(values, "namespace", config->jobs.kubernetes.namespace);
    json_set_string(values, "image", config->jobs.kubernetes.image);
    json_set_string(values, "service_account", config->jobs.kubernetes.service_account);
    json_set_number(values, "keep", (double)config->jobs.kubernetes.keep);
    json_set_number(values, "deadline", (double)(config->jobs.deadline + DEADLINE_BEHIND));
    return values;
}

cJSON *manifest_fill(const void *ctx, const cJSON *template, const struct config *config,
                     const struct launch_job *job, const char *name, struct error *err)
{
    void *tmp = talloc_new(NULL);
    cJSON *manifest = tree_fill(ctx, template, values_of(tmp, config, job), TREE_PLAIN, true, err);
    if (manifest) {
        cJSON *metadata = member(manifest, "metadata");
        json_set_string(metadata, "name", name);
        json_set_string(metadata, "namespace", config->jobs.kubernetes.namespace);
        label(metadata, job);
        label(member(member(member(manifest, "spec"), "template"), "metadata"), job);
    }
    talloc_free(tmp);
    return manifest;
}

/* ---- what must hold of it, whatever else stands there ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* A secret by its name; a file's name is none. */
static bool holds_secret(const char *variable)
{
    static const char *const usual[] = {"DATABASE_URL", "SECRET", "TOKEN", "PASSWORD", "_KEY"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strstr(variable, usual[i]) && !ends_with(variable, "_FILE"))
            return true;
    return false;
}

static bool check_variable(const cJSON *variable, struct error *err)
{
    const char *name = json_string_or_empty(variable, "name");
    if (strncmp(name, "SLACK_", 6) == 0 || strncmp(name, "ENVBOT_SLACK_", 13) == 0)
        return error_set(err, ERROR_CONFIG, "%s: a job gets nothing of Slack; take it out", name);
    if (holds_secret(name) && cJSON_GetObjectItemCaseSensitive(variable, "value"))
        return error_set(err, ERROR_CONFIG,
                         "%s: a secret does not stand in a manifest; name the Secret that holds it "
                         "(valueFrom: {secretKeyRef: {name: …, key: …}})",
                         name);
    return true;
}

/* Whether `envbot job 17` is among a container's words. */
static bool runs_job(const cJSON *container, const char *number)
{
    static const char *const lists[] = {"command", "args"};
    bool after_job = false;
    for (int i = 0; i < 2; i++) {
        const cJSON *word;
        cJSON_ArrayForEach (word, cJSON_GetObjectItemCaseSensitive(container, lists[i])) {
            const char *text = cJSON_IsString(word) ? word->valuestring : "";
            if (after_job && strcmp(text, number) == 0)
                return true;
            after_job = strcmp(text, "job") == 0;
        }
    }
    return false;
}

static bool check(const cJSON *manifest, struct error *err)
{
    const cJSON *pod = json_at(manifest, "spec.template.spec"), *container, *variable;
    if (strcmp(json_string_or_empty(manifest, "apiVersion"), "batch/v1") != 0 ||
        strcmp(json_string_or_empty(manifest, "kind"), "Job") != 0)
        return error_set(err, ERROR_CONFIG, "it is no Job of batch/v1");
    if (json_number(manifest, "spec.backoffLimit", -1) > 0 ||
        !json_at(manifest, "spec.backoffLimit"))
        return error_set(err, ERROR_CONFIG,
                         "spec.backoffLimit: 0 is wanted; trying again is envbot's");
    if (strcmp(json_string_or_empty(pod, "restartPolicy"), "Never") != 0)
        return error_set(err, ERROR_CONFIG,
                         "restartPolicy: Never is wanted; trying again is envbot's");
    bool runs = false;
    cJSON_ArrayForEach (container, cJSON_GetObjectItemCaseSensitive(pod, "containers")) {
        runs = runs || runs_job(container, "17");
        cJSON_ArrayForEach (variable, cJSON_GetObjectItemCaseSensitive(container, "env"))
            if (!check_variable(variable, err))
                return false;
    }
    return runs ||
           error_set(err, ERROR_CONFIG, "no container runs `envbot job ${job}` (command or args)");
}

cJSON *manifest_read(const void *ctx, const struct config *config, struct error *err)
{
    void *tmp = talloc_new(NULL);
    char *path = talloc_asprintf(tmp, "%s/kubernetes/job.yaml", config->templates);
    const struct launch_job example = {.id = 17,
                                       .next = 1,
                                       .kind = "create",
                                       .region = "eu-central-1",
                                       .team = "team",
                                       .name = "name",
                                       .owner = "U0123ABCD"};
    struct tree *trees;
    int count = 0;
    cJSON *template = NULL;
    if (!tree_read_file(tmp, path, &trees, &count, err)) {
        err->code = ERROR_CONFIG;
    } else if (count != 1 || !cJSON_IsObject(trees[0].root)) {
        error_set(err, ERROR_CONFIG, "%s: one mapping is wanted there", path);
    } else {
        const cJSON *filled = manifest_fill(tmp, trees[0].root, config, &example, "name", err);
        if (filled && check(filled, err))
            template = json_own(ctx, cJSON_Duplicate(trees[0].root, true));
        else
            error_prefix(err, "%s: ", path);
    }
    talloc_free(tmp);
    return template;
}
