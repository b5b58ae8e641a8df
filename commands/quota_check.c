#include "commands/quota_check.h"

#include "base/duration.h"
#include "base/text.h"

#include <talloc.h>

/* What a team's quota counts, in the order in which it is checked. */
enum counted { ENVIRONMENTS, NODES, VCPUS, GPUS, USD, COUNTED };
static const char *const names[COUNTED] = {"environments", "nodes", "vCPUs", "GPUs", "USD"};

struct amounts {
    double of[COUNTED];
};

static struct amounts amounts_of(const struct quota *quota)
{
    return (struct amounts){
        {quota->environments, quota->nodes, quota->vcpus, quota->gpus, quota->monthly_usd}};
}

/* When what is missing falls free for sure: environments end, requests lapse, and what is being
   deleted is gone soon, whenever it would have ended. "" when no end that is known frees enough. */
static const char *next_slot(struct call *call, const char *team, enum counted kind, double missing,
                             struct error *err)
{
    static const char *const columns[COUNTED] = {"environments", "nodes", "vcpus", "gpus",
                                                 "monthly_usd"};
    struct rows *rows =
        db_query(call, call->db, err,
                 "SELECT name, state = 'pending' AS asked, state = 'deleting' AS leaves,"
                 " 1 AS environments, nodes, vcpus, gpus,"
                 " monthly_usd, extract(epoch FROM coalesce(expires_at, due_at) - now())::bigint"
                 "  AS left"
                 " FROM environments WHERE team = $1 AND ended_at IS NULL"
                 " AND CASE state WHEN 'deleting' THEN NOT stuck WHEN 'pending' THEN due_at > now()"
                 "  ELSE expires_at > now() END"
                 " ORDER BY state = 'deleting' DESC, coalesce(expires_at, due_at)",
                 P(team));
    if (!rows)
        return NULL;
    for (int i = 0; i < rows_count(rows); i++) {
        missing -= rows_number(rows, i, columns[kind], 0);
        bool asked = rows_true(rows, i, "asked");
        if (missing > 0)
            continue;
        if (rows_true(rows, i, "leaves"))
            return talloc_asprintf(call, " The next slot falls free soon: %s/%s is being deleted.",
                                   team, rows_text(rows, i, "name"));
        return talloc_asprintf(call, " The next slot falls free when %s/%s %s, in %s%s.", team,
                               rows_text(rows, i, "name"), asked ? "is denied or lapses" : "ends",
                               duration_text(call, rows_integer(rows, i, "left", 0)),
                               asked ? " at the latest" : "");
    }
    return "";
}

/* "it has 2 of 5 nodes in use, and this takes 4 more" */
static const char *what_is_over(struct call *call, enum counted kind, double used, double limit,
                                double more)
{
    const char *dollar = kind == USD ? "$" : "";
    return talloc_asprintf(call, "it has %s%s of %s%s %s in use, and this takes %s%s more", dollar,
                           text_money(call, used, false), dollar, text_money(call, limit, false),
                           kind == USD ? "a month" : names[kind], dollar,
                           text_money(call, more, false));
}

static bool over(struct call *call, const char *team, enum counted kind, double used, double limit,
                 double more, struct error *err)
{
    const char *what = what_is_over(call, kind, used, limit, more);
    if (more > limit) /* no end of another makes room for it */
        return error_set(err, ERROR_CONFLICT,
                         "This is over the quota of %s: %s. That is more than its whole limit: ask "
                         "for less, or ask a manager for a higher one.",
                         team, what);
    const char *slot = next_slot(call, team, kind, used + more - limit, err);
    if (!slot)
        return false;
    return error_set(err, ERROR_CONFLICT,
                     "This is over the quota of %s: %s.%s Ask for less, or `%s quota %s` shows "
                     "what is in use.",
                     team, what, slot, call->app->config->slack.command, team);
}

static bool fits(struct call *call, const char *team, const struct team_use *use, int environments,
                 const struct template_resources *wanted, struct error *err)
{
    const struct amounts used = amounts_of(&use->use), limit = amounts_of(&use->limit);
    const struct amounts more = {
        {environments, wanted->nodes, wanted->vcpus, wanted->gpus, wanted->monthly_usd}};
    for (enum counted kind = 0; kind < COUNTED; kind++) {
        /* What takes nothing fits, also when the limit was lowered below the use. */
        if (limit.of[kind] < 0 || more.of[kind] <= 0 ||
            used.of[kind] + more.of[kind] <= limit.of[kind])
            continue;
        return over(call, team, kind, used.of[kind], limit.of[kind], more.of[kind], err);
    }
    return true;
}

bool quota_fits(struct call *call, const char *team, const struct team_use *use,
                const struct template_resources *wanted, struct error *err)
{
    return fits(call, team, use, 1, wanted, err);
}

bool quota_fits_more(struct call *call, const char *team, const struct team_use *use,
                     const struct template_resources *more, struct error *err)
{
    return fits(call, team, use, 0, more, err);
}

/* "2 of 5 environments, 4 of 20 nodes, 8 of 80 vCPUs, $450 of $5,000 a month": what has a limit,
   and GPUs where they are used. */
static char *line(const void *ctx, const struct quota *use, const struct quota *limit)
{
    const struct amounts used = amounts_of(use), most = amounts_of(limit);
    char *text = talloc_strdup(ctx, "");
    for (enum counted kind = 0; kind < COUNTED; kind++) {
        bool always = kind == ENVIRONMENTS || kind == USD;
        if (!always && (most.of[kind] < 0 || (kind == GPUS && used.of[kind] <= 0)))
            continue;
        const char *dollar = kind == USD ? "$" : "";
        text = talloc_asprintf_append(text, "%s%s%s", *text ? ", " : "", dollar,
                                      text_money(ctx, used.of[kind], false));
        if (most.of[kind] >= 0)
            text = talloc_asprintf_append(text, " of %s%s", dollar,
                                          text_money(ctx, most.of[kind], false));
        text = talloc_asprintf_append(text, " %s", kind == USD ? "a month" : names[kind]);
    }
    return text;
}

static cJSON *lines_of(const void *ctx, const struct team_use *use, int environments,
                       const struct template_resources *wanted)
{
    struct quota after = use->use;
    after.environments += environments;
    after.nodes += wanted->nodes;
    after.vcpus += wanted->vcpus;
    after.gpus += wanted->gpus;
    after.monthly_usd += wanted->monthly_usd;
    cJSON *lines = json_object(ctx);
    json_set_string(lines, "before", line(ctx, &use->use, &use->limit));
    json_set_string(lines, "after", line(ctx, &after, &use->limit));
    return lines;
}

cJSON *quota_lines(const void *ctx, const struct team_use *use,
                   const struct template_resources *wanted)
{
    return lines_of(ctx, use, 1, wanted);
}

cJSON *quota_lines_more(const void *ctx, const struct team_use *use,
                        const struct template_resources *more)
{
    return lines_of(ctx, use, 0, more);
}
