#include "lifecycle/times.h"

#include "base/duration.h"
#include "lifecycle/states.h"
#include "lifecycle/waiting.h"

#include <string.h>

int64_t lifecycle_warning_due(const struct environment *env, const struct lifecycle_rules *rules)
{
    int64_t left = env->expires_at - env->now, due = 0;
    for (const int64_t *before = rules->warn_before; *before; before++) {
        /* A warning that would come before the environment has lived is no warning. */
        bool meant = env->expires_at - env->ready_at > *before;
        bool given = env->warned_seconds && env->warned_seconds <= *before;
        if (meant && !given && left <= *before && (!due || *before < due))
            due = *before;
    }
    return due;
}

/* Its schedule's turn counts while it stands still, ready or asleep. */
static time_t with_turn(const struct environment *env, time_t at)
{
    bool turns = env->turn_at && strcmp(env->state, "changing") != 0;
    return turns && env->turn_at < at ? env->turn_at : at;
}

static time_t next_warning_or_end(const struct environment *env,
                                  const struct lifecycle_rules *rules)
{
    time_t next = env->expires_at;
    for (const int64_t *before = rules->warn_before; *before; before++) {
        bool meant = env->expires_at - env->ready_at > *before;
        bool given = env->warned_seconds && env->warned_seconds <= *before;
        time_t at = env->expires_at - (time_t)*before;
        if (meant && !given && at < next)
            next = at;
    }
    return next;
}

time_t lifecycle_due(const struct environment *env, const struct lifecycle_rules *rules)
{
    if (env->ended_at)
        return 0;
    if (state_runs(env->state))
        return with_turn(env, next_warning_or_end(env, rules));
    const struct waiting waiting = waiting_of(env, NULL);
    return strcmp(env->state, "pending") == 0 ? waiting_due(&waiting, rules) : 0;
}

int64_t lifecycle_warning_known(const struct environment *env, const struct lifecycle_rules *rules)
{
    int64_t left = env->expires_at - env->now, known = 0;
    for (const int64_t *before = rules->warn_before; *before; before++)
        if (*before >= left && (!known || *before < known))
            known = *before;
    return known;
}

time_t lifecycle_ceiling(const struct environment *env)
{
    int64_t ceiling;
    const char *text = json_string(env->template_copy, "ttl.ceiling");
    if (!env->started_at || !text || !duration_parse(text, &ceiling, NULL))
        return 0;
    return env->started_at + (time_t)ceiling;
}
