#include "approvals/amend.h"

#include "approvals/votes.h"
#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/waiting.h"

#include <string.h>
#include <talloc.h>

static const char *shown(const void *ctx, const cJSON *value)
{
    return cJSON_IsString(value) ? value->valuestring
           : cJSON_IsBool(value) ? (cJSON_IsTrue(value) ? "yes" : "no")
                                 : json_text(ctx, value);
}

static char *add(char *words, const char *title, const char *before, const char *after)
{
    return talloc_asprintf_append(words, "%s%s %s → %s", *words ? ", " : "", title, before, after);
}

static char *differences(const void *ctx, const struct environment *env, const struct template *t,
                         const struct amendment *a)
{
    char *words = talloc_strdup(ctx, "");
    const cJSON *each;
    cJSON_ArrayForEach (each, a->parameters) {
        const cJSON *before = cJSON_GetObjectItemCaseSensitive(env->parameters, each->string);
        const char *title =
            json_string(cJSON_GetObjectItemCaseSensitive(t->parameters, each->string), "title");
        if (!cJSON_Compare(before, each, true))
            words = add(words, title ? title : each->string, before ? shown(ctx, before) : "unset",
                        shown(ctx, each));
    }
    if (a->ttl_seconds != env->ttl_seconds)
        words = add(words, "How long", duration_text(ctx, env->ttl_seconds),
                    duration_text(ctx, a->ttl_seconds));
    return words;
}

static bool take_size(const void *ctx, const struct environment *env,
                      const struct template_set *set, const struct template *t,
                      struct amendment *out, struct error *err)
{
    struct template_target target = {
        env->cluster, env->region,
        template_tags(ctx, env->id, env->team, env->owner_id, env->template), ""};
    cJSON *config = template_render(ctx, t, out->parameters, &target, err);
    out->before = (struct template_resources){env->nodes, env->vcpus, env->gpus, env->hourly_usd,
                                              env->monthly_usd};
    return config && template_resources(set, config, env->region, &out->after, err);
}

bool amend_plan(const void *ctx, const struct environment *env, const struct template_set *set,
                const cJSON *given, int64_t ttl_seconds, struct amendment *out, struct error *err)
{
    struct template *t;
    *out = (struct amendment){.ttl_seconds = ttl_seconds};
    if (ttl_seconds > env->ttl_seconds)
        return error_set(err, ERROR_USAGE,
                         "That is more than the %s that were asked for. Whoever approves can give "
                         "less time, not more.",
                         duration_text(ctx, env->ttl_seconds));
    if (!template_from_json(ctx, env->template, env->template_copy, &t, err) ||
        !(out->parameters = template_values(ctx, t, given, err)) ||
        !take_size(ctx, env, set, t, out, err))
        return false;
    if (out->after.nodes > out->before.nodes)
        return error_set(err, ERROR_USAGE,
                         "That makes %s of the %d that were asked for. Whoever approves can give "
                         "fewer, not more.",
                         text_count(ctx, out->after.nodes, "node", "nodes"), out->before.nodes);
    out->words = differences(ctx, env, t, out);
    return true;
}

/* No larger than most; a missing one stays missing. */
static void lower(cJSON *object, const char *key, double most)
{
    if (json_number(object, key, most) > most)
        json_set_number(object, key, most);
}

/* Who makes it smaller means it: from then on its own copy of the template allows no more without
   another approval (commands/more.h). */
static void bind(struct environment *env, const struct amendment *a)
{
    cJSON *ttl = cJSON_GetObjectItemCaseSensitive(env->template_copy, "ttl");
    cJSON *nodes = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(env->template_copy, "parameters"), "nodes");
    int64_t before = json_integer(env->parameters, "nodes", 0);
    int64_t after = json_integer(a->parameters, "nodes", before);
    if (a->ttl_seconds < env->ttl_seconds && cJSON_IsObject(ttl)) {
        json_set_string(ttl, "default", duration_short(env, a->ttl_seconds));
        json_set_string(ttl, "max", duration_short(env, a->ttl_seconds));
    }
    if (after < before && cJSON_IsObject(nodes)) {
        json_set_number(nodes, "max", (double)after);
        lower(nodes, "default", (double)after);
    }
}

static void write_values(struct matter *matter, const struct amendment *a, const cJSON *quota,
                         struct db *db)
{
    struct environment *env = matter->env;
    bind(env, a);
    env->parameters = json_own(env, cJSON_Duplicate(a->parameters, true));
    env->ttl_seconds = a->ttl_seconds;
    env->nodes = a->after.nodes;
    env->vcpus = a->after.vcpus;
    env->gpus = a->after.gpus;
    env->hourly_usd = a->after.hourly_usd;
    env->monthly_usd = a->after.monthly_usd;
    environment_write_values(db, env);
    json_set(env->tally, "quota", cJSON_Duplicate(quota, true));
    matter->digest = matter_digest(env);
}

bool amend_make(const void *ctx, const struct approver *me, struct matter *matter,
                const struct amendment *amendment, const cJSON *quota, struct error *err)
{
    struct environment *env = matter->env;
    struct votes votes;
    if (!votes_read(ctx, me->db, matter, me->rules, me->voters, &votes, err))
        return false;
    const struct vote *own = votes_of(&votes, me->person);
    if (own) /* theirs is the one to come */
        votes_take_back(ctx, me->db, matter, &votes, own);
    const char *names = votes_mentions(ctx, &votes);
    cJSON *extra = json_object(ctx);
    json_set_string(extra, "changes", amendment->words);
    json_set_format(extra, "by_mention", "<@%s>", me->person->id);
    json_set_string(extra, "names", names);
    json_set_format(extra, "void_words",
                    *names ? " %s: your approval was for what it said before and counts no more. "
                             "Please look at it again."
                           : "%s",
                    names);
    json_set(extra, "before", cJSON_Duplicate(env->parameters, true));
    json_set_number(extra, "ttl_before", (double)env->ttl_seconds);
    write_values(matter, amendment, quota, me->db);
    json_set_format(env->tally, "changed", "<@%s> changed it: %s.", me->person->id,
                    text_mrkdwn(ctx, amendment->words));
    matter->acts->present(me->db, matter);
    json_set(extra, "after", cJSON_Duplicate(env->parameters, true));
    json_set_number(extra, "ttl_after", (double)env->ttl_seconds);
    json_set_number(extra, "revision", matter->revision);
    json_set_string(extra, "digest", matter->digest);
    audit_add(me->db, me->actor, env->id, env->team, "amend", env->state, env->state, extra);
    say(me->db, env, "thread", "changed", extra);
    waiting_tell_approvers(me->db, env, NULL, "changed-card", extra);
    return true;
}
