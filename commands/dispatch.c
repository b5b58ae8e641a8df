#include "commands/dispatch.h"

#include "approvals/people_watch.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "commands/refusal.h"
#include "commands/table.h"
#include "slack/blocks.h"

#include <string.h>
#include <talloc.h>
#include <time.h>

/* How a person is answered who is refused: a click's ack shows nothing, so the words go through the
   outbox; a modal shows them in its first field; a command's ack shows them itself. */
static void refuse(struct call *call, const char *words)
{
    switch (call->envelope->type) {
    case ENVELOPE_COMMAND:
        reply_text(call, "%s", words);
        break;
    case ENVELOPE_SUBMISSION:
        reply_form_refused(call, words);
        break;
    default:
        answer_privately(call, words);
        break;
    }
}

/* Of PostgreSQL's own troubles, not of Slack's or of the cluster's that keeps the rules. */
static bool of_database(const struct error *err)
{
    return strncmp(err->text, "PostgreSQL", 10) == 0 ||
           strncmp(err->text, "the connection to PostgreSQL", 28) == 0;
}

/* A sentence for the person. What is our fault gets a reference that the log has too. */
static const char *refusal(struct call *call, const struct error *err)
{
    if (err->code == ERROR_INTERNAL || err->code == ERROR_CONFIG) {
        const char *reference = id_reference(call);
        log_error("a handler failed", "reference", reference, "envelope",
                  call->envelope->envelope_id, "user", call->envelope->user, "error", err->text);
        return talloc_asprintf(call,
                               "Something went wrong on our side and nothing was done. If it "
                               "happens again, tell whoever runs envbot this reference: %s",
                               reference);
    }
    if (err->code == ERROR_UNAVAILABLE || err->code == ERROR_UNKNOWN) {
        log_warn("a handler could not be served", "envelope", call->envelope->envelope_id, "error",
                 err->text);
        if (err->code == ERROR_UNKNOWN || of_database(err))
            return "envbot cannot reach its database at the moment. Nothing was done. Please try "
                   "again in a minute.";
    }
    return err->text;
}

static const char *payload_text(struct call *call)
{
    if (!call->reply || !call->envelope->takes_payload)
        return NULL;
    return json_text(call, call->reply);
}

/* The envelope's row goes in last: when a second delivery got here first, its key is taken, all of
   this is rolled back, and the answer is the stored one. */
static bool finish(struct call *call, struct error *err)
{
    const char *reply = call->reply ? json_text(call, call->reply) : NULL;
    db_send(call->db, "INSERT INTO envelopes (key, reply) VALUES ($1, $2::jsonb)",
            P(call->envelope->key, reply));
    return call->wrote = db_commit(call->db, err);
}

/* 1: found (call->reply is the stored answer), 0: there is none, -1: cannot tell. */
static int stored_reply(struct call *call)
{
    struct error err;
    struct rows *rows = db_query(call, call->db, &err, "SELECT reply FROM envelopes WHERE key = $1",
                                 P(call->envelope->key));
    if (!rows)
        return -1;
    if (rows_count(rows) == 0)
        return 0;
    call->reply = rows_json(call, rows, 0, "reply");
    call->view = NULL;
    call->wrote = true; /* perhaps just now: the answer to our COMMIT may have been lost */
    return 1;
}

/* The words that cannot wait for the outbox, because the database is away: an ack of a click shows
   nothing. */
static void tell_directly(struct call *call, const char *words)
{
    call->view = NULL;
    if (call->envelope->type != ENVELOPE_ACTION) {
        refuse(call, words);
        return;
    }
    if (!*call->envelope->response_url)
        return;
    cJSON *message = json_object(call);
    json_set_string(message, "response_type", "ephemeral");
    json_set_bool(message, "replace_original", false);
    json_set_string(message, "text", words);
    struct slack_answer answer;
    struct error err;
    if (!slack_respond(call, call->tools->web, call->envelope->response_url, message, &answer,
                       &err))
        log_warn("a person could not be told what became of a click", "user", call->envelope->user,
                 "error", err.text);
}

/* A COMMIT was sent and its answer never heard, and now the database is away. */
static const char *answer_unknown(struct call *call)
{
    const char *list = call->app->config->slack.command;
    tell_directly(call, talloc_asprintf(call,
                                        "envbot lost its database in the middle of this and cannot "
                                        "tell whether it was done. Look with `%s list` in a minute "
                                        "before you try again.",
                                        list));
    return "failed";
}

/* unknown: an earlier attempt may have been committed. Then the envelope's row says so: whoever
   writes it first has decided, also when the lost transaction is still under way. */
static const char *answer_refusal(struct call *call, const struct error *why, bool reads,
                                  bool unknown)
{
    call->view = NULL;
    const char *words = refusal(call, why);
    bool away = why->code == ERROR_UNAVAILABLE && of_database(why) && !db_connected(call->db);
    struct error err = {0};
    if (reads && call->envelope->type == ENVELOPE_COMMAND) {
        refuse(call, words);
        return why->code == ERROR_INTERNAL ? "failed" : "refused";
    }
    if (!away && db_begin(call->db, DB_READ_WRITE, &err)) {
        refuse(call, words);
        refusal_note(call, why);
        if (finish(call, &err))
            return why->code == ERROR_INTERNAL ? "failed" : "refused";
        if (err.code == ERROR_CONFLICT && stored_reply(call) == 1)
            return "repeated";
        /* It may stand in the way of itself: of what an earlier delivery of it did. */
        unknown = unknown || why->code == ERROR_CONFLICT;
    }
    if (unknown)
        return answer_unknown(call);
    tell_directly(call, words);
    return "failed";
}

/* Whoever waits for a word on what may have happened waits a little longer for a true one: Slack
   gives an ack three seconds. */
static bool begin(struct call *call, enum db_mode mode, bool unknown, struct error *err)
{
    enum { TRIES = 15, PAUSE_MS = 100 };
    for (int i = 0; !db_begin(call->db, mode, err); i++) {
        if (!unknown || i == TRIES)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
    }
    return true;
}

/* Whether the handler asked what the cluster that keeps the rules, or Slack of an earlier voter,
   has not told yet: then nothing of what it did or said holds. */
static bool must_ask(const struct call *call)
{
    return voters_open(call->voters) || (call->review && review_open(call->review));
}

static int64_t now_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* Asks it, outside of any transaction, within what is left of the time that Slack gives an
   ack. What one answer leads to is asked in the next round. */
static bool ask_others(struct call *call, int round, struct error *err)
{
    enum { ROUNDS_MOST = 12, SPARE_MS = 400, LEAST_MS = 300 };
    int64_t most = call->app->config->slack.ack_ms,
            left = call->began_ms + most - SPARE_MS - now_ms();
    most = most * 2 / 3;
    left = left > most ? most : left < LEAST_MS ? LEAST_MS : left;
    call->errors = NULL;
    call->actor.rule = NULL;
    if (round >= ROUNDS_MOST)
        return error_set(err, ERROR_INTERNAL, "the questions to Slack and the cluster do not end");
    if (voters_open(call->voters) &&
        !voters_ask(call->voters, call->app->people, call->tools->web, call->began_people, err))
        return false;
    return !call->review || !review_open(call->review) ||
           review_ask(call->review, call->tools->kube, call->app->cluster, (long)left, err);
}

static bool prepare(struct call *call, const struct command *command, struct error *err)
{
    for (int round = 0;; round++) {
        bool ok = command->prepare(call, err);
        if (!must_ask(call))
            return ok;
        call->prepared = NULL;
        call->reply = call->view = NULL;
        if (!ask_others(call, round, err))
            return false;
    }
}

/* A lost connection is no reason to bother anybody when there is a new one: after a restart of
   PostgreSQL each handler finds its own broken. A second try is safe even when the first was
   committed, for the envelope's row can be written once. */
static const char *run(struct call *call, const struct command *command)
{
    struct error err = {0};
    cJSON *prepared_reply = call->reply, *prepared_view = call->view;
    bool unknown = false;
    for (int attempt = 1, rounds = 0;; attempt++) {
        call->reply = prepared_reply;
        call->view = prepared_view;
        if (!begin(call, command->reads ? DB_READ_ONLY : DB_READ_WRITE, unknown, &err))
            return answer_refusal(call, &err, command->reads, unknown);
        bool ok = command->run(call, &err);
        if (!ok)
            refusal_hide(call, &err);
        if (must_ask(call)) {
            db_rollback(call->db);
            if (!ask_others(call, rounds++, &err))
                return answer_refusal(call, &err, command->reads, unknown);
            attempt--;
            continue;
        }
        if (ok && !command->reads)
            ok = finish(call, &err);
        else if (ok && db_in_transaction(call->db)) /* it may have ended it with db_query_last */
            ok = db_commit(call->db, &err);
        if (ok)
            return "ok";
        bool lost = !db_connected(call->db);
        bool again = (lost || db_retryable(call->db)) && attempt < 3;
        bool repeated =
            err.code == ERROR_CONFLICT && strcmp(db_constraint(call->db), "envelopes_pkey") == 0;
        unknown = unknown || repeated || err.code == ERROR_UNKNOWN;
        db_rollback(call->db);
        if (repeated && stored_reply(call) == 1)
            return "repeated";
        /* Who expects a key to be taken has words for it; else the mistake is ours. */
        if (err.code == ERROR_CONFLICT && strncmp(err.text, "PostgreSQL", 10) == 0)
            err.code = ERROR_INTERNAL;
        if (!again)
            return answer_refusal(call, &err, command->reads, unknown);
    }
}

static const char *unknown_command(struct call *call, const char *word)
{
    const char *names[64];
    size_t count = 0;
    for (const struct command *each = commands; each->name && count < 64; each++)
        names[count++] = each->name;
    const char *near = text_nearest(word, names, count);
    const char *slash = call->app->config->slack.command;
    if (near)
        reply_text(call, "There is no `%s %s`. Did you mean `%s %s`?", slash,
                   text_mrkdwn(call, text_cut(call, word, 60)), slash, near);
    else
        reply_text(call, "There is no `%s %s`. `%s help` lists what there is.", slash,
                   text_mrkdwn(call, text_cut(call, word, 60)), slash);
    return "refused";
}

/* A button or a form that this envbot does not have: of another version, or of an old message. */
static bool unknown_click(struct call *call, struct error *err)
{
    bool action = call->envelope->type == ENVELOPE_ACTION;
    return error_set(err, ERROR_NOT_FOUND,
                     "This %s is not one of envbot's. Nothing was done. `%s help` lists what you "
                     "can do.",
                     action ? "button" : "form", call->app->config->slack.command);
}

/* Finds what is meant, and reads the words after it. NULL: already answered. */
static const struct command *find(struct call *call, struct error *err)
{
    const struct envelope *e = call->envelope;
    if (e->type == ENVELOPE_ACTION || e->type == ENVELOPE_SUBMISSION) {
        bool action = e->type == ENVELOPE_ACTION;
        static const struct command unknown = {.name = "unknown", .run = unknown_click};
        const struct command *known =
            command_find(action ? actions : submissions, action ? e->action_id : e->callback_id);
        return known ? known : &unknown;
    }
    struct words *first;
    if (!words_read(call, e->text, NULL, &first, &(struct error){0}))
        first = NULL;
    const char *name = first && words_item(first, 0) ? first->items[0] : "help";
    if (!first) {
        char *clean = text_clean(call, e->text);
        name = talloc_strndup(call, clean, strcspn(clean, " "));
    }
    char *lower = talloc_strdup(call, name);
    for (char *c = lower; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    const struct command *command = command_find(commands, lower);
    if (!command) {
        unknown_command(call, name);
        return NULL;
    }
    struct words *words;
    bool read = words_read(call, e->text,
                           command->all_switches ? command->all_switches(call) : command->switches,
                           &words, err);
    if (words->count > 0) { /* the command's own name */
        words->items++;
        words->count--;
    }
    call->words = words;
    struct error unknown; /* tells more than that its value is missing */
    if (!call_words(call, command, &unknown))
        *err = unknown;
    else if (read)
        return command;
    else /* it quotes what was typed */
        error_set(err, err->code, "%s", text_mrkdwn(call, err->text));
    reply_text(call, "%s", err->text);
    return NULL;
}

/* What Slack tells of people and groups. Doing it twice does no harm, so no row is left. */
static const char *take_event(struct call *call)
{
    struct error err = {0};
    const char *change = people_change_of(call, call->envelope->event_type, call->envelope->event);
    if (!change || people_tell(call->app->people, call->db, change, &err))
        return "ok";
    log_warn("other processes could not be told of a change of people", "envelope",
             call->envelope->envelope_id, "error", err.text);
    return "failed";
}

static enum people_freshness freshness_of(const struct command *command)
{
    return command->decides ? PEOPLE_NOW : command->reads ? PEOPLE_LOOK : PEOPLE_RECENT;
}

static const char *handle(struct call *call)
{
    struct error err = {0};
    const struct envelope *e = call->envelope;
    if (e->type == ENVELOPE_EVENT)
        return take_event(call);
    if (e->type == ENVELOPE_OTHER || e->type == ENVELOPE_CLOSED)
        return "ok";
    const struct command *command = call->command = find(call, &err);
    if (!command)
        return "refused";
    struct person *person;
    if (!people_find(call, call->app->people, call->tools->web, e->user_workspace, e->user,
                     freshness_of(command), &person, &err))
        return answer_refusal(call, &err, command->reads, false);
    call->person = person;
    call->actor = (struct audit_actor){.workspace = person->workspace,
                                       .id = person->id,
                                       .name = person->name,
                                       .rules_version = rbac_version(call->rules),
                                       .envelope = e->envelope_id,
                                       .channel = call_channel(call),
                                       .message = e->message_ts};
    if (person->stranger || person->bot || person->deleted || person->guest) {
        error_set(&err, ERROR_DENIED,
                  "envbot works for full members of this workspace only, so nothing was done.");
        return answer_refusal(call, &err, command->reads, false);
    }
    if (command->prepare && !prepare(call, command, &err))
        return answer_refusal(call, &err, command->reads, false);
    if (!command->run)
        return "ok";
    return run(call, command);
}

static void ring(const struct call *call)
{
    if (call->app->after_commit)
        call->app->after_commit(call->app->after_commit_user, db_noted(call->db));
}

static void open_view(struct call *call)
{
    cJSON *arguments = json_object(call);
    blocks_fit(call->view);
    json_set_string(arguments, "trigger_id", call->envelope->trigger_id);
    json_set(arguments, "view", cJSON_Duplicate(call->view, true));
    struct slack_answer answer;
    struct error err;
    if (slack_call(call, call->tools->web, "views.open", arguments, &answer, &err))
        return;
    log_warn("a form could not be opened", "user", call->envelope->user, "error", err.text);
    if (!db_begin(call->db, DB_READ_WRITE, &err))
        return;
    answer_privately(call, "Slack did not open the form. Nothing was done. Please try again.");
    if (db_commit(call->db, &err))
        ring(call);
}

/* Metrics' labels must be few and known. */
static const char *type_label(const struct envelope *envelope)
{
    static const char *const labels[] = {
        [ENVELOPE_COMMAND] = "slash_commands",     [ENVELOPE_ACTION] = "block_actions",
        [ENVELOPE_SUBMISSION] = "view_submission", [ENVELOPE_CLOSED] = "view_closed",
        [ENVELOPE_EVENT] = "events_api",           [ENVELOPE_OTHER] = "other",
    };
    return labels[envelope->type];
}

const char *dispatch(const struct tools *tools, struct envelope_raw *raw, ack_fn *ack, void *user,
                     const char **type)
{
    struct call *call = talloc_zero(tools->memory, struct call);
    talloc_steal(call, raw);
    call->tools = tools;
    call->app = tools->app;
    call->db = tools->db;
    call->began_ms = raw->received_ns / 1000000;
    const struct rbac *held = rules_hold(call->app->rules);
    call->began_people = people_now();
    call->voters = voters_new(call);
    call->review = call->app->cluster ? review_new(call) : NULL;
    call->rules = call->review ? review_rules(call->review) : held;
    struct error err = {0};
    struct envelope *envelope = NULL;
    const char *result = "malformed";
    bool readable = envelope_parse(raw, &envelope, &err);
    call->envelope = envelope;
    *type = type_label(envelope);
    if (!readable) {
        log_warn("an envelope could not be read", "envelope", raw->envelope_id, "error", err.text);
        ack(user, raw, NULL);
    } else {
        result = handle(call);
        ack(user, raw, payload_text(call));
        if (call->wrote)
            ring(call);
        if (call->view && strcmp(result, "ok") == 0)
            open_view(call);
        log_info("envelope", "type", envelope->type_name, "envelope", envelope->envelope_id, "user",
                 envelope->user, "result", result);
    }
    rules_let_go(call->app->rules, held);
    talloc_free(call);
    return result;
}
