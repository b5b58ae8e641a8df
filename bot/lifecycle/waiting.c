#include "lifecycle/waiting.h"

#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/change_request.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"
#include "lifecycle/view.h"

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

struct waiting waiting_of(const struct environment *env, const struct change_request *change)
{
    return (struct waiting){.template_copy = env->template_copy,
                            .wait = change ? &change->wait : &env->wait,
                            .since = change ? change->created_at : env->created_at,
                            .now = change ? change->now : env->now};
}

int64_t waiting_lapse(const struct waiting *waiting, const struct lifecycle_rules *rules)
{
    int64_t lapse = length(json_at(waiting->template_copy, "approval.lapse"));
    return lapse ? lapse : rules->request_lapses;
}

time_t waiting_moment(const struct waiting *waiting, const struct lifecycle_rules *rules,
                      int64_t seconds)
{
    time_t at = waiting->since + (time_t)(seconds + waiting->wait->paused_seconds);
    bool stands = waiting->wait->question && json_true(waiting->wait->question, "pauses");
    if (stands && at > (time_t)json_integer(waiting->wait->question, "asked", 0))
        at += (time_t)waiting_lapse(waiting, rules);
    return at;
}

time_t waiting_lapses_at(const struct waiting *waiting, const struct lifecycle_rules *rules)
{
    return waiting_moment(waiting, rules, waiting_lapse(waiting, rules));
}

time_t waiting_escalates_at(const struct waiting *waiting, const struct lifecycle_rules *rules)
{
    int64_t after = length(json_at(waiting->template_copy, "approval.escalate.after"));
    return after && !waiting->wait->escalated_at ? waiting_moment(waiting, rules, after) : 0;
}

static int by_length(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Those that come before the lapse, the first one first. */
static int reminders(const struct waiting *waiting, const struct lifecycle_rules *rules,
                     int64_t after[WAITING_REMINDERS_MOST])
{
    int count = 0;
    const cJSON *each;
    cJSON_ArrayForEach (each, json_at(waiting->template_copy, "approval.remind")) {
        int64_t seconds = length(each);
        if (seconds && seconds < waiting_lapse(waiting, rules) && count < WAITING_REMINDERS_MOST)
            after[count++] = seconds;
    }
    qsort(after, (size_t)count, sizeof *after, by_length);
    return count;
}

time_t waiting_remind_at(const struct waiting *waiting, const struct lifecycle_rules *rules)
{
    int64_t after[WAITING_REMINDERS_MOST];
    int count = reminders(waiting, rules, after);
    return waiting->wait->reminded < count
               ? waiting_moment(waiting, rules, after[waiting->wait->reminded])
               : 0;
}

int waiting_reminders_over(const struct waiting *waiting, const struct lifecycle_rules *rules)
{
    int64_t after[WAITING_REMINDERS_MOST];
    int count = reminders(waiting, rules, after), over = 0;
    while (over < count && waiting_moment(waiting, rules, after[over]) <= waiting->now)
        over++;
    return over;
}

time_t waiting_due(const struct waiting *waiting, const struct lifecycle_rules *rules)
{
    time_t lapses = waiting_lapses_at(waiting, rules),
           escalates = waiting_escalates_at(waiting, rules);
    return escalates && escalates < lapses ? escalates : lapses;
}

enum waiting_step waiting_step(const struct waiting *waiting, const struct lifecycle_rules *rules)
{
    time_t escalates = waiting_escalates_at(waiting, rules);
    if (waiting_lapses_at(waiting, rules) <= waiting->now)
        return WAITING_LAPSE;
    return escalates && escalates <= waiting->now ? WAITING_ESCALATE : WAITING_NOTHING;
}

/* ---- what is said of it ---- */

const char *waiting_card(const void *ctx, const struct change_request *change)
{
    return change ? change_request_place(ctx, change) : "card";
}

static struct wait *wait_of(struct environment *env, struct change_request *change)
{
    return change ? &change->wait : &env->wait;
}

static bool is_escalated(const struct environment *env, const struct change_request *change)
{
    return (change ? &change->wait : &env->wait)->escalated_at != 0;
}

void waiting_redraw(struct db *db, const struct environment *env,
                    const struct change_request *change)
{
    void *tmp = talloc_new(NULL);
    const char *card = waiting_card(tmp, change);
    say_redraw(db, env, card);
    if (is_escalated(env, change))
        say_redraw(db, env, talloc_asprintf(tmp, "%s-escalated", card));
    talloc_free(tmp);
}

cJSON *waiting_values(const void *ctx, const struct environment *env,
                      const struct change_request *change, const cJSON *extra)
{
    const struct waiting waiting = waiting_of(env, change);
    cJSON *values = json_object(ctx);
    if (change) {
        change_request_values(values, env->team, env->name, change);
        view_moment(values, "lapses", waiting_lapses_at(&waiting, &lifecycle_rules), waiting.now);
    }
    const cJSON *each;
    cJSON_ArrayForEach (each, extra)
        json_set(values, each->string, cJSON_Duplicate(each, true));
    return values;
}

void waiting_tell_requester(struct db *db, const struct environment *env,
                            const struct change_request *change, const char *name,
                            const cJSON *extra)
{
    void *tmp = talloc_new(NULL);
    say(db, env, "thread", name, waiting_values(tmp, env, change, extra));
    talloc_free(tmp);
}

void waiting_tell_approvers(struct db *db, const struct environment *env,
                            const struct change_request *change, const char *name,
                            const cJSON *extra)
{
    void *tmp = talloc_new(NULL);
    const char *card = waiting_card(tmp, change);
    const cJSON *values = waiting_values(tmp, env, change, extra);
    say(db, env, talloc_asprintf(tmp, "%s-thread", card), name, values);
    if (is_escalated(env, change))
        say(db, env, talloc_asprintf(tmp, "%s-escalated-thread", card), name, values);
    talloc_free(tmp);
}

/* ---- what happens to it ---- */

void waiting_write(struct db *db, struct environment *env, const struct change_request *change)
{
    const struct waiting waiting = waiting_of(env, change);
    const struct wait_times times = {.due = waiting_due(&waiting, &lifecycle_rules),
                                     .remind = waiting_remind_at(&waiting, &lifecycle_rules),
                                     .lapses = waiting_lapses_at(&waiting, &lifecycle_rules)};
    if (change) {
        wait_write_change(db, change->id, &change->wait, &times);
        return;
    }
    env->due_at = times.due;
    wait_write_request(db, env->id, &env->wait, &times);
}

void waiting_escalate(struct db *db, struct environment *env, struct change_request *change)
{
    waiting_tell_approvers(db, env, change, "escalated", NULL);
    wait_of(env, change)->escalated_at = waiting_of(env, change).now;
    waiting_write(db, env, change);
    audit_add(db, &AUDIT_ENVBOT, env->id, env->team, "escalate", env->state, env->state, NULL);
    waiting_tell_requester(db, env, change, "escalated", NULL);
    waiting_redraw(db, env, change);
}

bool waiting_remind(struct db *db, struct environment *env, struct change_request *change,
                    const char *mentions)
{
    const struct waiting waiting = waiting_of(env, change);
    struct wait *wait = wait_of(env, change);
    int over = waiting_reminders_over(&waiting, &lifecycle_rules);
    bool due = over > wait->reminded;
    wait->reminded = due ? over : wait->reminded;
    waiting_write(db, env, change);
    if (!due)
        return false;
    void *tmp = talloc_new(NULL);
    cJSON *extra = json_object(tmp);
    json_set_string(extra, "names", mentions);
    audit_add(db, &AUDIT_ENVBOT, env->id, env->team, "remind", env->state, env->state, extra);
    say(db, env, talloc_asprintf(tmp, "%s-thread", waiting_card(tmp, change)), "reminder",
        waiting_values(tmp, env, change, extra));
    talloc_free(tmp);
    return true;
}

/* ---- a question, and its answer ---- */

static bool insert_question(struct db *db, const struct environment *env,
                            const struct change_request *change, const struct audit_actor *actor,
                            const char *question, int64_t *id, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct rows *rows = db_query(
        tmp, db, err,
        "INSERT INTO questions (environment, card, revision, workspace, user_id, user_name,"
        " question) VALUES ($1::bigint, $2, $3::integer, $4, $5, $6, $7) RETURNING id",
        P(text_number(tmp, env->id), waiting_card(tmp, change),
          text_number(tmp, change ? change->revision : env->revision), actor->workspace, actor->id,
          actor->name, question));
    if (rows)
        *id = rows_integer(rows, 0, "id", 0);
    talloc_free(tmp);
    return rows != NULL;
}

static bool none_open(const struct wait *wait, struct error *err)
{
    if (!wait->question)
        return true;
    void *tmp = talloc_new(NULL);
    error_set(err, ERROR_CONFLICT,
              "%s has a question already that waits for its answer: “%s” Ask yours when that is "
              "answered.",
              text_mrkdwn(tmp, json_string_or_empty(wait->question, "by")),
              text_mrkdwn(tmp, text_cut(tmp, json_string_or_empty(wait->question, "text"), 200)));
    talloc_free(tmp);
    return false;
}

bool waiting_ask(struct db *db, struct environment *env, struct change_request *change,
                 const struct audit_actor *actor, const char *question, struct error *err)
{
    int64_t id;
    struct wait *wait = wait_of(env, change);
    if (!none_open(wait, err) || !insert_question(db, env, change, actor, question, &id, err))
        return false;
    wait->question = json_object(env);
    json_set_number(wait->question, "id", (double)id);
    json_set_string(wait->question, "by", actor->name);
    json_set_format(wait->question, "mention", "<@%s>", actor->id);
    json_set_string(wait->question, "text", question);
    json_set_number(wait->question, "asked", (double)waiting_of(env, change).now);
    json_set_bool(wait->question, "pauses", wait->paused_seconds == 0);
    waiting_write(db, env, change);
    cJSON *detail = json_object(env);
    json_set_string(detail, "question", question);
    audit_add(db, actor, env->id, env->team, "ask", env->state, env->state, detail);
    waiting_tell_approvers(db, env, change, "asked", NULL);
    waiting_tell_requester(db, env, change, "question", NULL);
    waiting_redraw(db, env, change);
    return true;
}

/* The question that is answered, for the messages that say so. */
static cJSON *answered(struct environment *env, const struct wait *wait,
                       const struct audit_actor *actor, const char *answer)
{
    cJSON *extra = json_object(env);
    cJSON *question = cJSON_Duplicate(wait->question, true);
    /* It was read in full already; the answer must find its place beside it. */
    json_set_string(question, "text",
                    text_cut(env, json_string_or_empty(wait->question, "text"), 200));
    json_set(extra, "question", question);
    json_set_string(extra, "answer", answer);
    json_set_format(extra, "by_mention", "<@%s>", actor->id);
    return extra;
}

void waiting_answer(struct db *db, struct environment *env, struct change_request *change,
                    const struct audit_actor *actor, const char *answer)
{
    const struct waiting waiting = waiting_of(env, change);
    struct wait *wait = wait_of(env, change);
    const cJSON *extra = answered(env, wait, actor, answer);
    db_send(db,
            "UPDATE questions SET answer = $2, answered_at = now() WHERE id = $1::bigint"
            " AND answered_at IS NULL",
            P(text_number(env, json_integer(wait->question, "id", 0)), answer));
    if (json_true(wait->question, "pauses")) {
        int64_t stood = waiting.now - (time_t)json_integer(wait->question, "asked", waiting.now);
        int64_t most = waiting_lapse(&waiting, &lifecycle_rules);
        wait->paused_seconds = stood < 1 ? 1 : stood > most ? most : stood;
    }
    wait->question = NULL;
    waiting_write(db, env, change);
    cJSON *detail = json_object(env);
    json_set_string(detail, "answer", answer);
    audit_add(db, actor, env->id, env->team, "answer", env->state, env->state, detail);
    waiting_tell_approvers(db, env, change, "answered", extra);
    waiting_tell_requester(db, env, change, "answered", extra);
    waiting_redraw(db, env, change);
}
