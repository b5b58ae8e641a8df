#include "lifecycle/view.h"

#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/pausing.h"
#include "lifecycle/schedule.h"
#include "lifecycle/states.h"
#include "lifecycle/turn.h"
#include "lifecycle/waiting.h"
#include "store/circuits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

const char *view_command = "/env";

/* How a state reads in a sentence ("payments-demo is …") and looks in a list. */
static const struct {
    const char *state, *word, *emoji;
} state_words[] = {
    {"pending", "waits for approval", ":hourglass_flowing_sand:"},
    {"queued", "is approved and waits for its turn", ":inbox_tray:"},
    {"creating", "is being created", ":construction:"},
    {"ready", "is ready", ":large_green_circle:"},
    {"changing", "is being changed", ":wrench:"},
    {"asleep", "is asleep", ":zzz:"},
    {"deleting", "is being deleted", ":wastebasket:"},
    {"deleted", "is gone", ":white_circle:"},
    {"denied", "was denied", ":no_entry_sign:"},
    {"withdrawn", "was withdrawn", ":leftwards_arrow_with_hook:"},
    {"lapsed", "lapsed, nobody decided in time", ":white_circle:"},
    {"failed", "failed", ":red_circle:"},
};

static void add_state(cJSON *view, const struct environment *env)
{
    const char *word = "", *emoji = "";
    for (size_t i = 0; i < sizeof state_words / sizeof *state_words; i++) {
        if (strcmp(state_words[i].state, env->state) != 0)
            continue;
        word = state_words[i].word;
        emoji = state_words[i].emoji;
    }
    if (strcmp(env->state, "failed") == 0 && !env->ended_at)
        word = "failed and is being cleaned up";
    if (env->stuck) {
        word = "could not be deleted completely";
        emoji = ":warning:";
    }
    json_set_string(view, "state", env->state);
    json_set_string(view, "state_word", word);
    json_set_string(view, "state_emoji", emoji);
}

static void add_left_words(cJSON *view, const struct environment *env)
{
    bool left = env->expires_at > env->now && !env->ended_at;
    char *words = left ? duration_text(NULL, env->expires_at - env->now) : NULL;
    if (words)
        json_set_format(view, "left_words", "· %s left", words);
    else
        json_set_string(view, "left_words", "");
    talloc_free(words);
}

static void add_owner(cJSON *view, const struct environment *env)
{
    json_set_string(view, "owner", env->owner_id);
    json_set_string(view, "owner_name", env->owner_name);
    json_set_format(view, "mention", "<@%s>", env->owner_id);
}

cJSON *view_line(const struct environment *env, const char *title)
{
    cJSON *line = cJSON_CreateObject();
    json_set_format(line, "id", "%" PRId64, env->id);
    json_set_string(line, "team", env->team);
    json_set_string(line, "name", env->name);
    json_set_string(line, "cluster", env->cluster);
    json_set_string(line, "region", env->region);
    json_set_string(line, "template", env->template);
    json_set_string(line, "title", title);
    add_owner(line, env);
    add_state(line, env);
    add_left_words(line, env);
    return line;
}

static void add_flags(cJSON *view, const struct environment *env)
{
    /* is.ready and so on, for what a template says in one state only */
    cJSON *is = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof state_words / sizeof *state_words; i++)
        json_set_bool(is, state_words[i].state, strcmp(state_words[i].state, env->state) == 0);
    json_set(view, "is", is);
    json_set_string(view, "cause", env->cause ? env->cause : "");
    json_set_bool(view, "stuck", env->stuck);
}

/* Slack shows <!date^…> in the reader's own time zone; others read UTC
   (docs.slack.dev, formatting message text). */
void view_moment(cJSON *view, const char *key, time_t at, time_t now)
{
    if (!at) {
        json_set(view, key, cJSON_CreateNull());
        return;
    }
    struct tm utc;
    gmtime_r(&at, &utc);
    char text[48], slack[128];
    strftime(text, sizeof text, "%a %d %b %H:%M UTC", &utc);
    snprintf(slack, sizeof slack, "<!date^%" PRId64 "^{date_short_pretty} at {time}|%s>",
             (int64_t)at, text);
    cJSON *moment = cJSON_CreateObject();
    json_set_number(moment, "unix", (double)at);
    json_set_string(moment, "text", text);
    json_set_string(moment, "slack", slack);
    char *left = at > now ? duration_text(NULL, at - now) : NULL;
    json_set_string(moment, "left", left ? left : "");
    talloc_free(left);
    json_set(view, key, moment);
}

static void add_parameters(const void *ctx, cJSON *view, const struct environment *env)
{
    cJSON *list = cJSON_CreateArray();
    char *text = talloc_strdup(ctx, "");
    const cJSON *each;
    cJSON_ArrayForEach (each, env->parameters) {
        const cJSON *declared = cJSON_GetObjectItemCaseSensitive(
            json_at(env->template_copy, "parameters"), each->string);
        const char *title = json_string(declared, "title");
        char *value = cJSON_IsString(each) ? talloc_strdup(ctx, each->valuestring)
                      : cJSON_IsBool(each) ? talloc_strdup(ctx, cJSON_IsTrue(each) ? "yes" : "no")
                                           : json_text(ctx, each);
        cJSON *item = cJSON_CreateObject();
        json_set_string(item, "name", each->string);
        json_set_string(item, "title", title ? title : each->string);
        json_set_string(item, "value", value);
        cJSON_AddItemToArray(list, item);
        text = talloc_asprintf_append(text, "%s%s %s", *text ? " · " : "",
                                      title ? title : each->string, value);
    }
    json_set(view, "parameters", list);
    json_set_string(view, "parameters_text", text);
}

static void add_money(const void *ctx, cJSON *view, const struct environment *env)
{
    double whole = env->hourly_usd * (double)env->ttl_seconds / 3600;
    json_set_format(view, "hourly", "$%s", text_money(ctx, env->hourly_usd, true));
    json_set_format(view, "monthly", "$%s", text_money(ctx, env->monthly_usd, false));
    json_set_format(view, "cost_for_ttl", "$%s", text_money(ctx, whole, true));
}

static void add_cluster(cJSON *view, const struct environment *env)
{
    json_set_string(view, "version", json_string_or_empty(env->seen, "version"));
    json_set_string(view, "endpoint", json_string_or_empty(env->seen, "endpoint"));
    json_set_number(view, "seen_nodes", json_number(env->seen, "nodes", 0));
    const char *role = json_string_or_empty(env->seen, "role");
    json_set_format(view, "kubeconfig", "aws eks update-kubeconfig --region %s --name %s%s%s",
                    env->region, env->cluster, *role ? " --role-arn " : "", role);
}

/* The plan, each task with all its members, and whether it is shown: while something is being done,
   and where it stopped. */
static void add_plan(cJSON *view, const struct environment *env)
{
    static const char *const members[] = {"id", "title", "status", "details", "output"};
    bool shown =
        env->plan && (strcmp(env->state, "creating") == 0 || strcmp(env->state, "deleting") == 0 ||
                      strcmp(env->state, "changing") == 0 || strcmp(env->state, "failed") == 0);
    cJSON *plan = env->plan ? cJSON_Duplicate(env->plan, true) : cJSON_CreateNull(), *task;
    cJSON_ArrayForEach (task, cJSON_GetObjectItemCaseSensitive(plan, "tasks")) {
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            if (!cJSON_GetObjectItemCaseSensitive(task, members[i]))
                json_set_string(task, members[i], "");
    }
    json_set(view, "plan", plan);
    json_set_bool(view, "plan_shown", shown);
}

/* What is being done, since when, and what comes next. */
static void add_step(cJSON *view, const cJSON *task)
{
    const char *details = json_string_or_empty(task, "details");
    const char *next = json_string_or_empty(task->next, "title");
    json_set_format(view, "news", "Now: %s%s%s%s.%s%s%s", json_string_or_empty(task, "title"),
                    *details ? " (" : "", details, *details ? ")" : "", *next ? " Next: " : "",
                    next, *next ? "." : "");
}

/* One sentence for whoever cannot see the blocks: where it stands, and what that means for them. */
static void add_news(cJSON *view, const struct environment *env)
{
    const char *ends = json_string_or_empty(view, "expires.text");
    const cJSON *task;
    json_set_string(view, "news", "");
    add_left_words(view, env);
    if (strcmp(env->state, "ready") == 0)
        json_set_format(view, "news", "It ends %s.", ends);
    else if (strcmp(env->state, "asleep") == 0)
        json_set_format(view, "news", "No nodes run; %s wake %s brings them back. It ends %s.",
                        view_command, env->name, ends);
    else if (env->cause && *env->cause)
        json_set_string(view, "news", env->cause);
    else if (json_true(view, "plan_shown"))
        cJSON_ArrayForEach (task, json_at(view, "plan.tasks"))
            if (strcmp(json_string_or_empty(task, "status"), "in_progress") == 0)
                add_step(view, task);
}

/* Which buttons make sense. Whether a person may press them is asked when they do. */
static void add_buttons(cJSON *view, const struct environment *env)
{
    bool pending = strcmp(env->state, "pending") == 0, ready = state_runs(env->state);
    bool changing = strcmp(env->state, "changing") == 0;
    bool failed = strcmp(env->state, "failed") == 0;
    bool running = strcmp(env->state, "creating") == 0 || strcmp(env->state, "queued") == 0;
    cJSON *can = cJSON_CreateObject();
    json_set_bool(can, "approve", pending);
    json_set_bool(can, "withdraw", pending);
    json_set_bool(can, "extend", ready);
    json_set_bool(can, "delete", ready || running || env->stuck);
    json_set_bool(can, "retry", failed && env->ended_at);
    json_set_bool(can, "wake", strcmp(env->state, "asleep") == 0);
    json_set_bool(can, "logs",
                  failed || running || changing || strcmp(env->state, "deleting") == 0);
    json_set_bool(can, "any", pending || ready || failed || running || env->stuck);
    json_set(view, "can", can);
}

void view_decision(cJSON *decision, bool approved)
{
    json_set_string(decision, "title", approved ? "Approved" : "Denied");
    json_set_string(decision, "emoji", approved ? ":white_check_mark:" : ":no_entry_sign:");
}

void view_tally(cJSON *tally, bool over)
{
    if (!over || json_string(tally, "decision.word"))
        return;
    json_set_string(tally, "words", "");
    json_set_string(tally, "line", "");
}

/* What approvals wrote with the last vote, spread over the view. */
static void add_tally(cJSON *view, const struct environment *env)
{
    static const char *const parts[] = {"decision", "quota"};
    cJSON *tally = env->tally ? cJSON_Duplicate(env->tally, true) : cJSON_CreateNull();
    if (env->tally && !json_string(tally, "words")) { /* written by an older envbot */
        json_set_format(tally, "words", "Waiting for %s", json_string_or_empty(tally, "needed"));
        json_set_format(tally, "line", "%s.", json_string_or_empty(tally, "words"));
        json_set_bool(tally, "any", json_at(tally, "votes.0") != NULL);
    }
    if (env->tally && !json_string(tally, "changed"))
        json_set_string(tally, "changed", "");
    if (env->tally)
        view_tally(tally, strcmp(env->state, "pending") != 0);
    json_set(view, "tally", tally);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const cJSON *part = json_at(env->tally, parts[i]);
        json_set(view, parts[i], part ? cJSON_Duplicate(part, true) : cJSON_CreateNull());
    }
    /* "approved by approver on Wed 25 Nov 04:07 UTC", else the state */
    const char *word = json_string(env->tally, "decision.word");
    if (word)
        view_decision(cJSON_GetObjectItemCaseSensitive(view, "decision"),
                      strcmp(word, "denied") != 0);
    if (word)
        json_set_format(view, "outcome", "It was %s by %s on %s.", word,
                        json_string_or_empty(env->tally, "decision.by"),
                        json_string_or_empty(view, "decided.text"));
    else
        json_set_format(view, "outcome", "It %s.", json_string_or_empty(view, "state_word"));
}

void view_question(cJSON *view, const cJSON *question)
{
    json_set_format(view, "question_words", question ? "%s asks: “%s”" : "%s%s",
                    json_string_or_empty(question, "by"), json_string_or_empty(question, "text"));
    json_set(view, "question", question ? cJSON_Duplicate(question, true) : cJSON_CreateNull());
}

/* What goes on while nobody has decided. */
static void add_waiting(cJSON *view, const struct environment *env)
{
    const struct waiting waiting = waiting_of(env, NULL);
    bool pending = strcmp(env->state, "pending") == 0;
    view_moment(view, "lapses", pending ? waiting_lapses_at(&waiting, &lifecycle_rules) : 0,
                env->now);
    view_question(view, pending ? env->wait.question : NULL);
    json_set_format(view, "subject", "*%s/%s*", env->team, env->name);
    json_set_string(view, "asker_name", env->owner_name);
    json_set_format(view, "asker_mention", "<@%s>", env->owner_id);
    json_set_string(view, "escalate_channel",
                    json_string_or_empty(env->template_copy, "approval.escalate.channel"));
}

/* When it sleeps by itself, and when it turns next. */
static void add_schedule(const void *ctx, cJSON *view, const struct environment *env)
{
    struct schedule schedule;
    bool has = schedule_of(env, &schedule) && !env->ended_at;
    json_set_format(view, "schedule_words", has ? "It %s." : "%s",
                    has ? schedule_words(ctx, &schedule) : "");
    view_moment(view, "turn", has ? env->turn_at : 0, env->now);
}

/* What there is to know of an environment that was started without its approval. */
static void add_glass(cJSON *view, const struct environment *env)
{
    const char *by = json_string_or_empty(env->review, "by");
    bool ended = strcmp(json_string_or_empty(env->review, "word"), "ended") == 0;
    bool open = env->break_glass && !env->review;
    json_set_bool(view, "break_glass", env->break_glass);
    json_set(view, "review", cJSON_CreateNull());
    if (env->review) {
        cJSON *review = cJSON_Duplicate(env->review, true);
        json_set_string(review, "title", ended ? "Ended" : "Seen");
        view_moment(review, "when", (time_t)json_integer(env->review, "at", 0), env->now);
        json_set(view, "review", review);
    }
    if (env->review)
        json_set_format(view, "glass_words", "It was started by breaking the glass; %s has %s it.",
                        by, ended ? "ended" : "seen");
    else
        json_set_string(view, "glass_words",
                        open ? "It was started by breaking the glass, and no approver has "
                               "reviewed it yet."
                             : "");
    cJSON *can = cJSON_GetObjectItemCaseSensitive(view, "can");
    json_set_bool(can, "review", open);
    json_set_bool(can, "end", open && json_true(can, "delete"));
}

/* How much more time to suggest: about half of what it has, in a round number. */
static char *extension_of(const void *ctx, int64_t ttl)
{
    static const int64_t units[] = {86400, 3600, 60, 1};
    int64_t half = ttl > 1 ? ttl / 2 : 1;
    size_t i = 0;
    while (half < 2 * units[i] && units[i] > 1)
        i++;
    return duration_short(ctx, half - half % units[i]);
}

cJSON *view_of(const void *ctx, const struct environment *env)
{
    void *tmp = talloc_new(NULL);
    cJSON *view = json_object(ctx);
    json_set_format(view, "id", "%" PRId64, env->id);
    json_set_number(view, "revision", env->revision);
    json_set_format(view, "button", "%" PRId64 ".%d", env->id, env->revision);
    json_set_string(view, "team", env->team);
    json_set_string(view, "name", env->name);
    json_set_string(view, "cluster", env->cluster);
    json_set_string(view, "region", env->region);
    json_set_string(view, "template", env->template);
    const char *title = json_string(env->template_copy, "title");
    json_set_string(view, "title", title ? title : env->template);
    json_set_string(view, "reason", env->reason);
    json_set_format(view, "reason_words", *env->reason ? " Why: %s" : "%s", env->reason);
    add_owner(view, env);
    json_set_string(view, "owner_mail", env->owner_mail ? env->owner_mail : "");
    json_set_number(view, "nodes", env->nodes);
    json_set_string(view, "nodes_text",
                    env->nodes ? text_count(tmp, env->nodes, "node", "nodes")
                               : "as many nodes as its pods need");
    json_set_number(view, "vcpus", env->vcpus);
    json_set_number(view, "gpus", env->gpus);
    json_set_string(view, "ttl", duration_text(tmp, env->ttl_seconds));
    json_set_string(view, "extension", extension_of(tmp, env->ttl_seconds));
    json_set_string(view, "command", view_command);
    json_set_string(view, "message_link", "");
    json_set(view, "pause", cJSON_CreateNull());
    json_set_string(view, "pause_words", "");
    turn_view_unasked(view);
    add_state(view, env);
    add_flags(view, env);
    add_parameters(tmp, view, env);
    add_money(tmp, view, env);
    view_moment(view, "created", env->created_at, env->now);
    view_moment(view, "decided", env->decided_at, env->now);
    view_moment(view, "ready", env->ready_at, env->now);
    view_moment(view, "expires", env->expires_at, env->now);
    view_moment(view, "ended", env->ended_at, env->now);
    add_cluster(view, env);
    add_plan(view, env);
    add_buttons(view, env);
    add_glass(view, env);
    add_schedule(tmp, view, env);
    add_tally(view, env);
    add_waiting(view, env);
    add_news(view, env);
    talloc_free(tmp);
    return view;
}

static void add_pause(void *ctx, cJSON *view, const struct rows *rows, time_t now)
{
    struct pause *pause = pause_from_row(ctx, rows);
    if (!pause)
        return;
    cJSON *part = pausing_view(pause);
    view_moment(part, "since", pause->since, now);
    json_set(view, "pause", part);
    json_set_string(view, "pause_words", pausing_words(ctx, pause));
    json_set_bool(view, "starts_soon", false);
    json_set_string(view, "turn_words", "");
}

/* What the row does not say: where its message stands, and what its job waits for. */
static bool add_rest(void *ctx, struct db *db, const struct environment *env, cJSON *view,
                     struct error *err)
{
    static const char *const with_jobs[] = {"queued", "creating", "changing", "deleting", "failed"};
    struct rows *link = NULL, *pause = NULL, *place = NULL, *took = NULL, *trouble = NULL;
    const char *id = talloc_asprintf(ctx, "%" PRId64, env->id);
    bool jobs = false;
    for (size_t i = 0; i < sizeof with_jobs / sizeof *with_jobs; i++)
        jobs = jobs || (!env->ended_at && strcmp(env->state, with_jobs[i]) == 0);
    db_ask(ctx, db, &link,
           "SELECT permalink FROM messages WHERE environment = $1 AND place = 'message'", P(id));
    pause_ask_for(ctx, db, id, &pause);
    if (jobs) {
        queue_place_ask(ctx, db, id, &place);
        queue_took_ask(ctx, db, env->template, &took);
        circuit_ask(ctx, db, env->region, &trouble);
    }
    if (!db_flush(db, err))
        return false;
    const char *url = rows_count(link) ? rows_text(link, 0, "permalink") : NULL;
    json_set_string(view, "message_link", url ? url : "");
    if (jobs) {
        struct queue_place turn = queue_place_from_row(place);
        turn_view(view, env, &turn, took, trouble);
    }
    add_pause(ctx, view, pause, env->now);
    return true;
}

cJSON *view_read(const void *ctx, struct db *db, int64_t environment, struct error *err)
{
    void *tmp = talloc_new(NULL);
    struct environment *env = NULL;
    cJSON *view = NULL;
    if (environment_by_id(tmp, db, environment, ENVIRONMENT_READ, &env, err)) {
        if (!env)
            error_set(err, ERROR_NOT_FOUND, "There is no environment %" PRId64 ".", environment);
        else
            view = view_of(ctx, env);
    }
    if (view && !add_rest(tmp, db, env, view, err))
        view = NULL;
    talloc_free(tmp);
    return view;
}
