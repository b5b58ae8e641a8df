#include "lifecycle/deliver.h"

#include "base/log.h"
#include "base/retry.h"
#include "base/text.h"
#include "lifecycle/place.h"
#include "lifecycle/view.h"
#include "slack/blocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

enum {
    FLOOR_MS = 500,
    CAP_MS = 60000,
    STOPPED_FLOOR_MS = 5000,
    STOPPED_CAP_MS = 300000,
    LOOK_AFTER_MS = 1000, /* what was posted a moment ago is in the history by then */
    ELSEWHERE_TRIES = 4,  /* rounds over all places before it is parked */
    CARD_WAITS_MS = 300,  /* for its message, which it links to */
    CARD_WAITS_MOST_S = 3,
    CLOCKS_APART_S = 120, /* between PostgreSQL and Slack, at most */
};

/* One delivery: where it can go, in the order of preference. */
struct delivery {
    const void *ctx;
    struct sender *sender;
    const struct outbox_row *row;
    cJSON *values, *message;
    struct target {
        const char *channel, *thread_ts; /* a user id: a direct message, opened when needed */
    } targets[5];
    int target_count;
    struct verdict verdict; /* set where a step returns false */
};

static bool ended(struct delivery *d, enum outcome outcome, int64_t wait_ms, const char *why)
{
    d->verdict =
        (struct verdict){.outcome = outcome, .wait_ms = wait_ms, .why = talloc_strdup(d->ctx, why)};
    d->verdict.uncertain = d->row->uncertain;
    return false;
}

/* What follows from an answer that was no success. */
static bool failed(struct delivery *d, const char *method, const struct slack_answer *answer,
                   const char *why)
{
    /* Of those that stop: these concern one method, the others the whole token. */
    static const char *const rights[] = {"missing_scope",          "no_permission",
                                         "not_allowed_token_type", "method_deprecated",
                                         "deprecated_endpoint",    "plan_upgrade_required"};
    int attempts = d->row->attempts;
    ended(d, OUTCOME_LATER, retry_wait_ms(attempts, FLOOR_MS, CAP_MS), why);
    switch (answer->class) {
    case SLACK_LATER:
        if (answer->retry_after || strcmp(answer->error, "ratelimited") == 0) {
            int64_t held = (answer->retry_after ? answer->retry_after : 1) * 1000;
            pace_hold(d->sender->methods, method, held);
            d->verdict.wait_ms = held + retry_wait_ms(1, 10, 300);
        } else {
            d->verdict.down = true;
        }
        break;
    case SLACK_UNKNOWN:
        d->verdict.wait_ms += LOOK_AFTER_MS;
        d->verdict.uncertain = d->verdict.down = true;
        break;
    case SLACK_STOP:
        d->verdict.wait_ms = retry_wait_ms(attempts, STOPPED_FLOOR_MS, STOPPED_CAP_MS);
        d->verdict.down = true;
        for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
            if (strcmp(answer->error, rights[i]) == 0) {
                d->verdict.outcome = OUTCOME_PARKED;
                d->verdict.down = false;
            }
        }
        break;
    case SLACK_DESTINATION:
        if (attempts >= ELSEWHERE_TRIES)
            d->verdict.outcome = OUTCOME_PARKED;
        break;
    case SLACK_OURS:
    case SLACK_OK:
        d->verdict.outcome = OUTCOME_PARKED;
        break;
    }
    return false;
}

static bool lost(struct delivery *d, const struct error *err)
{
    return ended(d, OUTCOME_LOST, 0, err->text);
}

/* ---- where to ---- */

static void add_target(struct delivery *d, const char *channel, const char *thread_ts)
{
    if (!channel || !*channel || d->target_count == 5)
        return;
    for (int i = 0; i < d->target_count; i++)
        if (strcmp(d->targets[i].channel, channel) == 0 && !thread_ts && !d->targets[i].thread_ts)
            return;
    d->targets[d->target_count++] = (struct target){channel, thread_ts};
}

/* The design's order: the team's channel, a direct message, the operators. What only approvers can
   answer goes to no direct message; a copy goes to its own channel, for in the approvers' the first
   one stands. */
static void add_channels(struct delivery *d, const struct place *place)
{
    const struct config *config = d->sender->config;
    const struct config_team *team = config_team(config, json_string_or_empty(d->values, "team"));
    if (place->escalated)
        add_target(d, json_string(d->values, "escalate_channel"), NULL);
    else if (place->approvers && team)
        add_target(d, team->approvers_channel, NULL);
    if (team && !place->escalated)
        add_target(d, team->channel, NULL);
    if (!place->approvers)
        add_target(d, json_string(d->values, "owner"), NULL);
}

static bool find_targets(struct delivery *d)
{
    struct place place = place_read(d->row->place);
    if (strcmp(d->row->place, "person") == 0) {
        add_target(d, d->row->recipient, NULL);
        return true;
    }
    if (place.thread) {
        struct message_place *parent;
        struct error err = {0};
        if (!message_find(d->ctx, d->sender->db, d->row->environment, place.message, &parent, &err))
            return lost(d, &err);
        if (parent)
            add_target(d, parent->channel, parent->ts);
    }
    if (*place.message)
        add_channels(d, &place);
    add_target(d, d->sender->config->operators.channel, NULL);
    if (d->target_count == 0)
        return ended(d, OUTCOME_PARKED, 0, "no channel is set up for it (operators.channel)");
    return true;
}

static bool is_person(const char *channel)
{
    return *channel == 'U' || *channel == 'W';
}

/* A person's direct message channel. */
static bool open_target(struct delivery *d, struct target *target, struct slack_answer *answer,
                        struct error *err)
{
    if (!is_person(target->channel))
        return true;
    cJSON *ask = json_object(d->ctx);
    json_set_string(ask, "users", target->channel);
    if (!slack_call(d->ctx, d->sender->web, "conversations.open", ask, answer, err))
        return false;
    const char *channel = json_string(answer->body, "channel.id");
    if (channel)
        target->channel = channel;
    return true;
}

/* ---- what ---- */

static bool write_message(struct delivery *d)
{
    struct error err = {0};
    d->values = deliver_values(d->ctx, d->sender, d->row, &err);
    if (!d->values) /* what it is about may not exist; else the database is away */
        return err.code == ERROR_NOT_FOUND ? ended(d, OUTCOME_PARKED, 0, err.text) : lost(d, &err);
    d->message = wording_slack(d->ctx, d->sender->wording, d->row->template, d->values, &err);
    if (!d->message && deliver_complete(d->ctx, d->sender, d->row, d->values))
        d->message = wording_slack(d->ctx, d->sender->wording, d->row->template, d->values, &err);
    if (!d->message)
        return ended(d, OUTCOME_PARKED, 0, err.text);
    if (d->sender->config->slack.fallback_blocks)
        d->message = blocks_plain(d->ctx, d->message);
    blocks_fit(d->message);
    return true;
}

/* The outbox id goes with the message, twice: as metadata, and in a block_id for workspaces that
   ignore event types nobody registered. */
static void mark(struct delivery *d, cJSON *message)
{
    cJSON *metadata = cJSON_CreateObject(), *payload = cJSON_CreateObject();
    json_set_string(payload, "outbox", d->row->id_text);
    json_set_string(metadata, "event_type", "envbot_outbox");
    json_set(metadata, "event_payload", payload);
    json_set(message, "metadata", metadata);
    cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(message, "blocks"), 0);
    if (first && !cJSON_GetObjectItemCaseSensitive(first, "block_id"))
        json_set_format(first, "block_id", "outbox-%s", d->row->id_text);
}

static bool bad_blocks(const struct slack_answer *answer)
{
    return answer->class == SLACK_OURS && (strncmp(answer->error, "invalid_blocks", 14) == 0 ||
                                           strncmp(answer->error, "invalid_attachments", 19) == 0 ||
                                           strcmp(answer->error, "msg_blocks_too_long") == 0 ||
                                           strcmp(answer->error, "only_one_table_allowed") == 0);
}

/* Says the message with a method that takes {text, blocks}. Where Slack does not take the blocks it
   is said with plainer ones, then with none: its text says it all. */
static bool say_it(struct delivery *d, const char *method, const cJSON *address,
                   struct slack_answer *answer, struct error *err)
{
    for (int plainness = 0; plainness < 3; plainness++) {
        cJSON *message = plainness == 1 ? blocks_plain(d->ctx, d->message)
                                        : json_own(d->ctx, cJSON_Duplicate(d->message, true));
        if (plainness == 2)
            cJSON_DeleteItemFromObjectCaseSensitive(message, "blocks");
        const cJSON *each;
        cJSON_ArrayForEach (each, address)
            json_set(message, each->string, cJSON_Duplicate(each, true));
        if (strcmp(method, "chat.postMessage") == 0)
            mark(d, message);
        if (slack_call(d->ctx, d->sender->web, method, message, answer, err))
            return true;
        if (!bad_blocks(answer))
            return false;
        log_warn("Slack does not take these blocks; they are said more plainly", "template",
                 d->row->template, "outbox", d->row->id_text, "error", err->text);
    }
    return false;
}

/* ---- posting ---- */

static bool turn(struct delivery *d, const char *method, const char *channel)
{
    int64_t wait = pace_take(d->sender->methods, method);
    if (wait == 0)
        wait = pace_take(d->sender->channels, channel);
    return wait == 0 || ended(d, OUTCOME_TURN, wait, NULL);
}

static bool posted(struct delivery *d, const char *channel, const char *ts)
{
    d->verdict = (struct verdict){.outcome = OUTCOME_SENT, .channel = channel, .ts = ts};
    return true;
}

/* Whether an earlier attempt arrived: then it is posted already. False when Slack could not be
   asked (the verdict says what next); where we may not look, it is posted again rather than lost.
 */
static bool look(struct delivery *d, bool *found)
{
    *found = false;
    for (int i = 0; i < d->target_count && !*found; i++) {
        struct target *target = &d->targets[i];
        struct slack_answer answer;
        struct error err = {0};
        const char *ts = NULL;
        bool ok =
            open_target(d, target, &answer, &err) &&
            slack_find(d->ctx, d->sender->web, target->channel, target->thread_ts,
                       d->row->created_at - CLOCKS_APART_S, d->row->id_text, &ts, &answer, &err);
        if (!ok && answer.class == SLACK_LATER)
            return failed(d, "conversations.history", &answer, err.text);
        if (!ok)
            log_warn("an uncertain post could not be looked up", "outbox", d->row->id_text,
                     "channel", target->channel, "error", err.text);
        if (ok && ts) {
            *found = posted(d, target->channel, ts);
            log_info("an uncertain post had arrived", "outbox", d->row->id_text, "channel",
                     target->channel);
        }
    }
    return true;
}

static bool post_to(struct delivery *d, struct target *target, struct slack_answer *answer,
                    struct error *err)
{
    if (!open_target(d, target, answer, err))
        return false;
    cJSON *address = json_object(d->ctx);
    json_set_string(address, "channel", target->channel);
    if (target->thread_ts)
        json_set_string(address, "thread_ts", target->thread_ts);
    json_set_bool(address, "unfurl_links", false);
    json_set_bool(address, "unfurl_media", false);
    if (!say_it(d, "chat.postMessage", address, answer, err))
        return false;
    const char *channel = json_string(answer->body, "channel");
    return posted(d, channel ? channel : target->channel, json_string(answer->body, "ts"));
}

static bool post(struct delivery *d)
{
    bool found = false;
    if (d->row->uncertain && (!look(d, &found) || found))
        return found;
    struct slack_answer answer = {0};
    struct error err = {0};
    for (int i = 0; i < d->target_count; i++) {
        if (!turn(d, "chat.postMessage", d->targets[i].channel))
            return false;
        if (post_to(d, &d->targets[i], &answer, &err))
            return true;
        if (answer.class != SLACK_DESTINATION)
            return failed(d, "chat.postMessage", &answer, err.text);
        if (i + 1 < d->target_count)
            log_warn("a channel cannot be posted to; another one is taken", "channel",
                     d->targets[i].channel, "outbox", d->row->id_text, "error", err.text);
    }
    return failed(d, "chat.postMessage", &answer, err.text);
}

/* ---- the kinds ---- */

static bool update(struct delivery *d, const struct message_place *stands)
{
    if (!turn(d, "chat.update", stands->ts))
        return false;
    cJSON *address = json_object(d->ctx);
    json_set_string(address, "channel", stands->channel);
    json_set_string(address, "ts", stands->ts);
    struct slack_answer answer;
    struct error err = {0};
    if (say_it(d, "chat.update", address, &answer, &err)) {
        d->verdict = (struct verdict){.outcome = OUTCOME_SENT};
        return true;
    }
    if (answer.class != SLACK_DESTINATION)
        return failed(d, "chat.update", &answer, err.text);
    log_warn("a message cannot be changed any more; it is posted anew", "outbox", d->row->id_text,
             "channel", stands->channel, "error", err.text);
    return find_targets(d) && post(d);
}

static bool redraw(struct delivery *d)
{
    struct message_place *stands, *message = NULL;
    struct error err = {0};
    int64_t newest = 0;
    if (!message_find(d->ctx, d->sender->db, d->row->environment, d->row->place, &stands, &err) ||
        !outbox_newest(d->sender->db, d->row, &newest, &err))
        return lost(d, &err);
    int64_t since = stands ? (int64_t)(stands->drawn_ago * 1000) : 0;
    int64_t interval = d->sender->config->slack.update_interval_ms;
    if (stands && since < interval)
        return ended(d, OUTCOME_TURN, interval - since, NULL);
    if (!stands && strcmp(d->row->place, "message") != 0 && d->row->age < CARD_WAITS_MOST_S) {
        if (!message_find(d->ctx, d->sender->db, d->row->environment, "message", &message, &err))
            return lost(d, &err);
        if (!message || !message->permalink)
            return ended(d, OUTCOME_TURN, CARD_WAITS_MS, NULL);
    }
    if (!write_message(d))
        return false;
    bool done = stands ? update(d, stands) : find_targets(d) && post(d);
    if (done)
        d->verdict.drawn_upto = newest;
    return done;
}

/* To the one who clicked, wherever they are from: Slack knows whose the address is. */
static bool respond(struct delivery *d, const char *url)
{
    cJSON *message = json_object(d->ctx);
    json_set_string(message, "response_type", "ephemeral");
    json_set_bool(message, "replace_original", false);
    json_set_string(message, "text", json_string_or_empty(d->message, "text"));
    struct slack_answer answer;
    struct error err = {0};
    if (slack_respond(d->ctx, d->sender->web, url, message, &answer, &err)) {
        d->verdict = (struct verdict){.outcome = OUTCOME_SENT};
        return true;
    }
    if (answer.class == SLACK_DESTINATION)
        return ended(d, OUTCOME_DROPPED, 0, "its response_url is used up");
    return failed(d, "response_url", &answer, err.text);
}

static bool whisper(struct delivery *d)
{
    if (d->row->too_late)
        return ended(d, OUTCOME_DROPPED, 0, "it came too late to matter");
    const char *url = json_string_or_empty(d->row->content, "response_url");
    const char *channel = json_string_or_empty(d->row->content, "channel");
    if (!write_message(d))
        return false;
    /* An ephemeral message cannot be looked up: it is repeated once. */
    if (d->row->uncertain && d->row->attempts > 2 && (*channel || *url))
        return ended(d, OUTCOME_DROPPED, 0, "its answer was lost twice");
    if (*url)
        return respond(d, url);
    struct slack_answer answer = {.class = SLACK_DESTINATION};
    struct error err = {0};
    if (*channel && !is_person(channel)) {
        cJSON *address = json_object(d->ctx);
        json_set_string(address, "channel", channel);
        json_set_string(address, "user", d->row->recipient);
        int64_t wait = pace_take(d->sender->methods, "chat.postEphemeral");
        if (wait)
            return ended(d, OUTCOME_TURN, wait, NULL);
        if (say_it(d, "chat.postEphemeral", address, &answer, &err)) {
            d->verdict = (struct verdict){.outcome = OUTCOME_SENT};
            return true;
        }
    }
    if (answer.class != SLACK_DESTINATION)
        return failed(d, "chat.postEphemeral", &answer, err.text);
    return find_targets(d) && post(d);
}

static bool upload(struct delivery *d)
{
    struct target target = {d->row->recipient, NULL};
    const cJSON *file = d->row->content;
    struct slack_answer answer;
    struct error err = {0};
    if (!turn(d, "files.completeUploadExternal", target.channel))
        return false;
    if (!open_target(d, &target, &answer, &err))
        return failed(d, "conversations.open", &answer, err.text);
    if (!slack_upload(d->ctx, d->sender->web, target.channel,
                      json_string_or_empty(file, "filename"), json_string_or_empty(file, "title"),
                      json_string_or_empty(file, "content"), json_string_or_empty(file, "comment"),
                      &answer, &err))
        return failed(d, "files.completeUploadExternal", &answer, err.text);
    d->verdict = (struct verdict){.outcome = OUTCOME_SENT};
    return true;
}

static bool speak(struct delivery *d)
{
    return write_message(d) && find_targets(d) && post(d);
}

struct verdict deliver_slack(const void *ctx, struct sender *sender, const struct outbox_row *row)
{
    static const struct {
        const char *kind;
        bool (*deliver)(struct delivery *);
    } kinds[] = {{"redraw", redraw}, {"say", speak}, {"private", whisper}, {"upload", upload}};
    struct delivery d = {.ctx = ctx, .sender = sender, .row = row};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].kind, row->kind) == 0) {
            kinds[i].deliver(&d);
            return d.verdict;
        }
    }
    return (struct verdict){.outcome = OUTCOME_PARKED, .why = "nobody delivers this kind"};
}
