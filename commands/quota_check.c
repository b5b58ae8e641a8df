#include "commands/quota_check.h"

#include "base/duration.h"
#include "base/text.h"

#include <talloc.h>

/* When the team's next place falls free for sure: the first of its environments to end, or of its
   requests to lapse. "" when nothing of it has an end yet. */
static const char *next_slot(struct call *call, const char *team, struct error *err)
{
    struct rows *rows =
        db_query(call, call->db, err,
                 "SELECT name, state = 'pending' AS asked,"
                 " extract(epoch FROM coalesce(expires_at, due_at) - now())::bigint AS left"
                 " FROM environments WHERE team = $1 AND ended_at IS NULL"
                 " AND CASE WHEN state = 'pending' THEN due_at ELSE expires_at END > now()"
                 " ORDER BY coalesce(expires_at, due_at) LIMIT 1",
                 P(team));
    if (!rows)
        return NULL;
    if (rows_count(rows) == 0)
        return "";
    return talloc_asprintf(call, " The next slot falls free when %s/%s %s, in %s%s.", team,
                           rows_text(rows, 0, "name"),
                           rows_true(rows, 0, "asked") ? "is denied or lapses" : "ends",
                           duration_text(call, rows_integer(rows, 0, "left", 0)),
                           rows_true(rows, 0, "asked") ? " at the latest" : "");
}

static bool over(struct call *call, const char *team, const char *what, struct error *err)
{
    const char *slot = next_slot(call, team, err);
    if (!slot)
        return false;
    return error_set(err, ERROR_CONFLICT,
                     "This is over the quota of %s: %s.%s Ask for less, or `%s "
                     "quota %s` shows what is in use.",
                     team, what, slot, call->app->config->slack.command, team);
}

bool quota_fits(struct call *call, const char *team, const struct team_use *use,
                const struct template_resources *wanted, struct error *err)
{
    const struct {
        const char *name;
        int use, limit, wanted;
    } counts[] = {
        {"environments", use->use.environments, use->limit.environments, 1},
        {"nodes", use->use.nodes, use->limit.nodes, wanted->nodes},
        {"vCPUs", use->use.vcpus, use->limit.vcpus, wanted->vcpus},
        {"GPUs", use->use.gpus, use->limit.gpus, wanted->gpus},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].limit >= 0 && counts[i].use + counts[i].wanted > counts[i].limit)
            return over(call, team,
                        talloc_asprintf(call, "it has %d of %d %s in use, and this takes %d more",
                                        counts[i].use, counts[i].limit, counts[i].name,
                                        counts[i].wanted),
                        err);
    if (use->limit.monthly_usd >= 0 &&
        use->use.monthly_usd + wanted->monthly_usd > use->limit.monthly_usd)
        return over(call, team,
                    talloc_asprintf(call,
                                    "it has $%s of $%s a month in use, and this takes $%s more",
                                    text_money(call, use->use.monthly_usd, false),
                                    text_money(call, use->limit.monthly_usd, false),
                                    text_money(call, wanted->monthly_usd, false)),
                    err);
    return true;
}

static char *line(const void *ctx, const struct quota *use, const struct quota *limit)
{
    char *text = talloc_asprintf(ctx, "%d", use->environments);
    if (limit->environments >= 0)
        text = talloc_asprintf_append(text, " of %d", limit->environments);
    text = talloc_asprintf_append(text, " environments, $%s",
                                  text_money(ctx, use->monthly_usd, false));
    if (limit->monthly_usd >= 0)
        text = talloc_asprintf_append(text, " of $%s", text_money(ctx, limit->monthly_usd, false));
    return talloc_strdup_append(text, " a month");
}

cJSON *quota_lines(const void *ctx, const struct team_use *use,
                   const struct template_resources *wanted)
{
    struct quota after = use->use;
    after.environments += 1;
    after.monthly_usd += wanted->monthly_usd;
    cJSON *lines = json_object(ctx);
    json_set_string(lines, "before", line(ctx, &use->use, &use->limit));
    json_set_string(lines, "after", line(ctx, &after, &use->limit));
    return lines;
}
