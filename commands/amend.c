#include "commands/amend.h"

#include "base/duration.h"
#include "commands/fields.h"
#include "commands/quota_check.h"

#include <string.h>
#include <talloc.h>

bool amend_asked(const struct call *call)
{
    return call->envelope->state &&
           cJSON_GetObjectItemCaseSensitive(call->envelope->state, "ttl") != NULL;
}

bool amend_fields(struct call *call, const struct environment *env, cJSON *values,
                  struct error *err)
{
    struct template *t;
    if (!template_from_json(call, env->template, env->template_copy, &t, err))
        return false;
    json_set_string(values, "ttl_usual", duration_short(call, env->ttl_seconds));
    json_set(values, "fields", fields_of(call, t, env->parameters));
    return true;
}

bool amend_lock(struct call *call, struct team_use *use, struct error *err)
{
    struct environment *env;
    struct rows *rows = NULL;
    if (!call_environment_by_card(call, ENVIRONMENT_READ, &env, err))
        return false;
    team_use_ask(call, call->db, env->team, true, &rows);
    if (!db_flush(call->db, err))
        return false;
    *use = team_use_from_row(rows, 0);
    return true;
}

static bool read_fields(struct call *call, const struct environment *env, cJSON *given,
                        int64_t *ttl, struct error *err)
{
    struct template *t;
    struct error why;
    if (!template_from_json(call, env->template, env->template_copy, &t, err))
        return false;
    const char *typed = field_typed(call, "ttl", "ttl");
    *ttl = env->ttl_seconds;
    field_refuse(call, "ttl", !typed || duration_parse(typed, ttl, &why), &why);
    fields_read(call, t, given);
    return !call->errors || error_set(err, ERROR_USAGE, "%s", call->errors->child->valuestring);
}

/* The field whose value is another than what was asked for. */
static const char *changed_field(struct call *call, const struct environment *env,
                                 const cJSON *given, int64_t ttl)
{
    const cJSON *each;
    if (ttl > env->ttl_seconds)
        return "ttl";
    cJSON_ArrayForEach (each, env->parameters) {
        const cJSON *now = cJSON_GetObjectItemCaseSensitive(given, each->string);
        const char *before = cJSON_IsString(each) ? each->valuestring : json_text(call, each);
        if (cJSON_IsString(now) && strcmp(now->valuestring, before) != 0)
            return field_block(call, each->string);
    }
    return "ttl";
}

/* The team's use without this request, which holds its part of it already. */
static struct team_use without(const struct team_use *use, const struct template_resources *held)
{
    struct team_use rest = *use;
    rest.use.environments -= 1;
    rest.use.nodes -= held->nodes;
    rest.use.vcpus -= held->vcpus;
    rest.use.gpus -= held->gpus;
    rest.use.monthly_usd -= held->monthly_usd;
    return rest;
}

bool amend_read(struct call *call, const struct environment *env, const struct team_use *use,
                struct amendment *out, cJSON **quota, struct error *err)
{
    int64_t ttl;
    cJSON *given = json_own(call, cJSON_Duplicate(env->parameters, true));
    struct error why;
    call->errors = NULL;
    if (!read_fields(call, env, given, &ttl, err))
        return false;
    if (!amend_plan(call, env, call->app->templates, given, ttl, out, &why)) {
        field_refuse(call, changed_field(call, env, given, ttl), false, &why);
        *err = why;
        return false;
    }
    const struct template_resources *a = &out->after, *b = &out->before;
    struct template_resources more = {
        a->nodes > b->nodes ? a->nodes - b->nodes : 0,
        a->vcpus > b->vcpus ? a->vcpus - b->vcpus : 0, a->gpus > b->gpus ? a->gpus - b->gpus : 0, 0,
        a->monthly_usd > b->monthly_usd ? a->monthly_usd - b->monthly_usd : 0};
    struct team_use rest = without(use, b);
    *quota = quota_lines(call, &rest, a);
    return quota_fits_more(call, env->team, use, &more, err);
}
