/* `/env logs`: the lines that matter, and the whole as a file. */
#include "commands/commands.h"

#include "base/text.h"
#include "jobs/eksctl_log.h"
#include "lifecycle/say.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

/* Slack cuts texts at 3,000 characters; this many lines fit. */
enum { LAST_LINES = 20 };

/* What only says that it still waits, or nothing, is in the file. */
static bool matters(const char *line)
{
    struct eksctl_line read = eksctl_line_read(line);
    return *read.text && !strstr(read.text, "waiting for CloudFormation stack") &&
           read.level != EKSCTL_DEBUG;
}

static bool give(struct call *call, const struct environment *env, struct error *err)
{
    if (!call_may_or_owns(call, "logs", env, err))
        return false;
    char *id = talloc_asprintf(call, "%" PRId64, env->id);
    /* Of what failed people want to know why, not how it was cleaned up; unless that is stuck. */
    bool failed = strcmp(env->state, "failed") == 0 && !env->stuck;
    struct rows *rows = db_query(call, call->db, err,
                                 "SELECT l.line, j.id AS job, j.kind FROM job_log l"
                                 " JOIN jobs j ON j.id = l.job WHERE l.job ="
                                 " (SELECT max(id) FROM jobs WHERE environment = $1"
                                 "  AND started_at IS NOT NULL"
                                 "  AND (kind <> 'delete' OR $2::boolean))"
                                 " ORDER BY l.number",
                                 P(id, failed ? "f" : "t"));
    if (!rows)
        return false;
    int count = rows_count(rows);
    if (count == 0) {
        answer(call,
               talloc_asprintf(call, "%s has no log yet: no job of it has begun.", env->name));
        return true;
    }
    char *whole = talloc_strdup(call, ""), *tail = talloc_strdup(call, "");
    int begin = count;
    for (int lines = 0; begin > 0 && lines < LAST_LINES; begin--)
        lines += matters(rows_text(rows, begin - 1, "line"));
    for (int i = 0; i < count; i++) {
        const char *line = rows_text(rows, i, "line");
        whole = talloc_asprintf_append_buffer(whole, "%s\n", line);
        if (i >= begin && matters(line))
            tail = talloc_asprintf_append_buffer(tail, "%s\n", text_cut(call, line, 140));
    }
    const char *kind = rows_text(rows, 0, "kind");
    say_upload(call->db, call->person->id, talloc_asprintf(call, "%s-%s.log", env->cluster, kind),
               talloc_asprintf(call, "%s, %s", env->cluster, kind), whole,
               talloc_asprintf(call, "The whole log of %s (%s).", env->cluster, kind));
    answer(call,
           talloc_asprintf(call,
                           "The last lines of the %s of *%s* (the whole log comes as a direct "
                           "message):\n```%s```",
                           kind, env->name, text_cut(call, text_mrkdwn(call, tail), 2800)));
    return true;
}

bool logs_run(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment(call, ENVIRONMENT_READ, &env, err) && give(call, env, err);
}

bool logs_click(struct call *call, struct error *err)
{
    struct environment *env;
    return call_environment_by_value(call, ENVIRONMENT_READ, &env, err) && give(call, env, err);
}
