#include "lifecycle/waiting.h"

#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

/* A length of time in the request's copy of its template; 0 where it says none. */
static int64_t length(const cJSON *node)
{
    int64_t seconds;
    return cJSON_IsString(node) && duration_parse(node->valuestring, &seconds, NULL) ? seconds : 0;
}

int64_t waiting_lapse(const struct environment *env, const struct lifecycle_rules *rules)
{
    int64_t lapse = length(json_at(env->template_copy, "approval.lapse"));
    return lapse ? lapse : rules->request_lapses;
}

time_t waiting_moment(const struct environment *env, const struct lifecycle_rules *rules,
                      int64_t seconds)
{
    time_t at = env->created_at + (time_t)(seconds + env->paused_seconds);
    bool stands = env->question && json_true(env->question, "pauses");
    if (stands && at > (time_t)json_integer(env->question, "asked", 0))
        at += (time_t)waiting_lapse(env, rules);
    return at;
}

time_t waiting_lapses_at(const struct environment *env, const struct lifecycle_rules *rules)
{
    return waiting_moment(env, rules, waiting_lapse(env, rules));
}

time_t waiting_escalates_at(const struct environment *env, const struct lifecycle_rules *rules)
{
    int64_t after = length(json_at(env->template_copy, "approval.escalate.after"));
    return after && !env->escalated_at ? waiting_moment(env, rules, after) : 0;
}

static int by_length(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Those that come before the lapse, the first one first. */
static int reminders(const struct environment *env, const struct lifecycle_rules *rules,
                     int64_t after[WAITING_REMINDERS_MOST])
{
    int count = 0;
    const cJSON *each;
    cJSON_ArrayForEach (each, json_at(env->template_copy, "approval.remind")) {
        int64_t seconds = length(each);
        if (seconds && seconds < waiting_lapse(env, rules) && count < WAITING_REMINDERS_MOST)
            after[count++] = seconds;
    }
    qsort(after, (size_t)count, sizeof *after, by_length);
    return count;
}

time_t waiting_remind_at(const struct environment *env, const struct lifecycle_rules *rules)
{
    int64_t after[WAITING_REMINDERS_MOST];
    int count = reminders(env, rules, after);
    return env->reminded < count ? waiting_moment(env, rules, after[env->reminded]) : 0;
}

int waiting_reminders_over(const struct environment *env, const struct lifecycle_rules *rules)
{
    int64_t after[WAITING_REMINDERS_MOST];
    int count = reminders(env, rules, after), over = 0;
    while (over < count && waiting_moment(env, rules, after[over]) <= env->now)
        over++;
    return over;
}

time_t waiting_due(const struct environment *env, const struct lifecycle_rules *rules)
{
    time_t lapses = waiting_lapses_at(env, rules), escalates = waiting_escalates_at(env, rules);
    return escalates && escalates < lapses ? escalates : lapses;
}

void waiting_tell_approvers(struct db *db, const struct environment *env, const char *name,
                            const cJSON *extra)
{
    say(db, env, "card-thread", name, extra);
    if (env->escalated_at)
        say(db, env, "card-escalated-thread", name, extra);
}

bool waiting_escalate(struct db *db, struct environment *env, struct error *err)
{
    if (!lifecycle_take(db, env, EVENT_ESCALATE, &AUDIT_ENVBOT, NULL, err))
        return false;
    say(db, env, "card-thread", "escalated", NULL);
    return true;
}

/* What the row says of its waiting. */
static void write_waiting(struct db *db, struct environment *env)
{
    void *tmp = talloc_new(NULL);
    time_t remind = waiting_remind_at(env, &lifecycle_rules);
    env->due_at = waiting_due(env, &lifecycle_rules);
    db_send(db,
            "UPDATE environments SET question = $2::jsonb, paused_seconds = $3::bigint,"
            " reminded = $4::integer, due_at = to_timestamp($5::double precision),"
            " remind_at = to_timestamp($6::double precision) WHERE id = $1",
            P(talloc_asprintf(tmp, "%" PRId64, env->id),
              env->question ? json_text(tmp, env->question) : NULL,
              talloc_asprintf(tmp, "%" PRId64, env->paused_seconds),
              talloc_asprintf(tmp, "%d", env->reminded),
              talloc_asprintf(tmp, "%" PRId64, (int64_t)env->due_at),
              remind ? talloc_asprintf(tmp, "%" PRId64, (int64_t)remind) : NULL));
    talloc_free(tmp);
}

bool waiting_remind(struct db *db, struct environment *env, const char *mentions)
{
    int over = waiting_reminders_over(env, &lifecycle_rules);
    bool due = over > env->reminded;
    env->reminded = due ? over : env->reminded;
    write_waiting(db, env);
    if (!due)
        return false;
    cJSON *extra = json_object(env);
    json_set_string(extra, "names", mentions);
    audit_add(db, &AUDIT_ENVBOT, env->id, env->team, "remind", env->state, env->state, extra);
    say(db, env, "card-thread", "reminder", extra);
    return true;
}

static bool insert_question(struct db *db, struct environment *env, const struct audit_actor *actor,
                            const char *question, int64_t *id, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(
        tmp, db, err,
        "INSERT INTO questions (environment, revision, workspace, user_id, user_name, question)"
        " VALUES ($1::bigint, $2::integer, $3, $4, $5, $6) RETURNING id",
        P(talloc_asprintf(tmp, "%" PRId64, env->id), talloc_asprintf(tmp, "%d", env->revision),
          actor->workspace, actor->id, actor->name, question));
    if (rows)
        *id = rows_integer(rows, 0, "id", 0);
    talloc_free(tmp);
    return rows != NULL;
}

bool waiting_ask(struct db *db, struct environment *env, const struct audit_actor *actor,
                 const char *question, struct error *err)
{
    int64_t id;
    if (env->question)
        return error_set(
            err, ERROR_CONFLICT,
            "%s has a question already that waits for its answer: “%s” Ask yours when that is "
            "answered.",
            text_mrkdwn(env, json_string_or_empty(env->question, "by")),
            text_mrkdwn(env, text_cut(env, json_string_or_empty(env->question, "text"), 200)));
    if (!insert_question(db, env, actor, question, &id, err))
        return false;
    env->question = json_object(env);
    json_set_number(env->question, "id", (double)id);
    json_set_string(env->question, "by", actor->name);
    json_set_format(env->question, "mention", "<@%s>", actor->id);
    json_set_string(env->question, "text", question);
    json_set_number(env->question, "asked", (double)env->now);
    json_set_bool(env->question, "pauses", env->paused_seconds == 0);
    write_waiting(db, env);
    cJSON *detail = json_object(env);
    json_set_string(detail, "question", question);
    audit_add(db, actor, env->id, env->team, "ask", env->state, env->state, detail);
    waiting_tell_approvers(db, env, "asked", NULL);
    say(db, env, "thread", "question", NULL);
    say_redraw(db, env, "card");
    return true;
}

void waiting_answer(struct db *db, struct environment *env, const struct audit_actor *actor,
                    const char *answer)
{
    cJSON *extra = json_object(env);
    cJSON *question = cJSON_Duplicate(env->question, true);
    /* It was read in full already; the answer must find its place beside it. */
    json_set_string(question, "text",
                    text_cut(env, json_string_or_empty(env->question, "text"), 200));
    json_set(extra, "question", question);
    json_set_string(extra, "answer", answer);
    json_set_format(extra, "by_mention", "<@%s>", actor->id);
    db_send(db,
            "UPDATE questions SET answer = $2, answered_at = now() WHERE id = $1::bigint"
            " AND answered_at IS NULL",
            P(talloc_asprintf(env, "%" PRId64, json_integer(env->question, "id", 0)), answer));
    if (json_true(env->question, "pauses")) {
        int64_t stood = env->now - (time_t)json_integer(env->question, "asked", env->now);
        int64_t most = waiting_lapse(env, &lifecycle_rules);
        env->paused_seconds = stood < 1 ? 1 : stood > most ? most : stood;
    }
    env->question = NULL;
    write_waiting(db, env);
    cJSON *detail = json_object(env);
    json_set_string(detail, "answer", answer);
    audit_add(db, actor, env->id, env->team, "answer", env->state, env->state, detail);
    waiting_tell_approvers(db, env, "answered", extra);
    say(db, env, "thread", "answered", extra);
    say_redraw(db, env, "card");
}
