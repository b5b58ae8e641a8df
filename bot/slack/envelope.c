#include "slack/envelope.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <talloc.h>

enum { ID_MOST = 100, KEY_MOST = 255 };

/* The value of four hex digits, or -1. */
static int hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Writes U+FFFD over \u0000 and over surrogates that have no partner. Outside of strings a
   backslash is no JSON anyway, so the scan need not know where strings begin. */
static void mend_escapes(char *text, size_t length)
{
    char *end = text + length;
    for (char *at = text; at < end && (at = memchr(at, '\\', (size_t)(end - at)));) {
        int unit = at + 1 < end && at[1] == 'u' ? hex4(at + 2, end) : -1;
        if (unit < 0) {
            at += 2;
            continue;
        }
        int next = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? hex4(at + 8, end) : -1;
        if (unit >= 0xD800 && unit < 0xDC00 && next >= 0xDC00 && next < 0xE000) {
            at += 12;
            continue;
        }
        if (unit == 0 || (unit >= 0xD800 && unit < 0xE000))
            memcpy(at + 2, "fffd", 4);
        at += 6;
    }
}

/* What can be sent back in an ack as it is. */
static bool is_envelope_id(const char *id)
{
    size_t length = 0;
    for (; id[length]; length++)
        if (id[length] <= ' ' || id[length] > '~' || id[length] == '"' || id[length] == '\\')
            return false;
    return length > 0 && length <= ID_MOST;
}

struct envelope_raw *envelope_frame(const void *ctx, const char *text, size_t length,
                                    struct error *err)
{
    struct envelope_raw *raw = talloc_zero(ctx, struct envelope_raw);
    if (!text_is_utf8(text, length) || memchr(text, '\0', length)) {
        error_set(err, ERROR_USAGE, "The frame is not UTF-8 text.");
        goto refuse;
    }
    if (memmem(text, length, "\\u", 2)) {
        char *copy = talloc_strndup(raw, text, length);
        mend_escapes(copy, length);
        raw->frame = json_parse_length(raw, copy, length);
        talloc_free(copy);
    } else {
        raw->frame = json_parse_length(raw, text, length);
    }
    if (!cJSON_IsObject(raw->frame)) {
        error_set(err, ERROR_USAGE, "The frame is not a JSON object.");
        goto refuse;
    }
    raw->type = json_string_or_empty(raw->frame, "type");
    raw->envelope_id = "";
    const cJSON *id = json_at(raw->frame, "envelope_id");
    if (id && !cJSON_IsNull(id)) {
        if (!cJSON_IsString(id) || !is_envelope_id(id->valuestring)) {
            error_set(err, ERROR_USAGE, "The envelope_id cannot be acked.");
            goto refuse;
        }
        raw->envelope_id = id->valuestring;
    }
    raw->takes_payload = json_true(raw->frame, "accepts_response_payload");
    return raw;
refuse:
    talloc_free(raw);
    return NULL;
}

/* One text of the struct and where it stands in the payload. Of several lines for the same text
   the first that is there and not empty counts. */
struct field {
    const char *path;
    size_t offset;
};
#define FIELD(path, member)                                                                        \
    {                                                                                              \
        path, offsetof(struct envelope, member)                                                    \
    }

static const struct field command_fields[] = {
    FIELD("user_id", user),
    FIELD("user_name", user_name),
    FIELD("team_id", workspace),
    FIELD("enterprise_id", enterprise),
    FIELD("channel_id", channel),
    FIELD("command", command),
    FIELD("text", text),
    FIELD("trigger_id", trigger_id),
    FIELD("response_url", response_url),
    {NULL, 0},
};

/* block_actions, view_submission, view_closed, shortcut, message_action, block_suggestion. team is
   null with org-wide installs, enterprise is null without Grid. */
static const struct field interactive_fields[] = {
    FIELD("user.id", user),
    FIELD("user.username", user_name),
    FIELD("user.name", user_name),
    FIELD("user.team_id", user_workspace),
    FIELD("team.id", workspace),
    FIELD("enterprise.id", enterprise),
    FIELD("team.enterprise_id", enterprise),
    FIELD("channel.id", channel),
    FIELD("container.channel_id", channel),
    FIELD("trigger_id", trigger_id),
    FIELD("response_url", response_url),
    FIELD("actions.0.action_id", action_id),
    FIELD("actions.0.block_id", block_id),
    FIELD("container.message_ts", message_ts),
    FIELD("message.ts", message_ts),
    FIELD("container.thread_ts", thread_ts),
    FIELD("message.thread_ts", thread_ts),
    FIELD("view.id", view_id),
    FIELD("container.view_id", view_id),
    FIELD("view.callback_id", callback_id),
    FIELD("callback_id", callback_id),
    FIELD("view.private_metadata", private_metadata),
    FIELD("view.hash", view_hash),
    {NULL, 0},
};

/* event.user_team and event.team name the actor's workspace or organisation in channels that are
   shared with others (bolt-python request/internals.py). */
static const struct field event_fields[] = {
    FIELD("team_id", workspace),
    FIELD("enterprise_id", enterprise),
    FIELD("event.user_team", user_workspace),
    FIELD("event.team", user_workspace),
    FIELD("event.channel", channel),
    FIELD("event.type", event_type),
    FIELD("type", event_type), /* app_rate_limited has no event */
    {NULL, 0},
};

static bool read_fields(struct envelope *out, const struct field *fields, struct error *err)
{
    for (; fields->path; fields++) {
        const char **text = (const char **)(void *)((char *)out + fields->offset);
        const cJSON *value = json_at(out->payload, fields->path);
        if (!value || cJSON_IsNull(value))
            continue;
        if (!cJSON_IsString(value))
            return error_set(err, ERROR_USAGE, "%s is not a text.", fields->path);
        if (!**text)
            *text = value->valuestring;
    }
    return true;
}

/* Slack's ids: a letter of `kinds`, then letters and digits. */
static bool is_id(const char *id, const char *kinds)
{
    size_t length = strlen(id);
    if (length < 2 || length > 32 || !strchr(kinds, id[0]))
        return false;
    return strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == length;
}

static bool check_ids(const struct envelope *out, struct error *err)
{
    const struct {
        const char *name, *id, *kinds;
    } ids[] = {
        {"user", out->user, "UW"},
        {"workspace", out->workspace, "TE"},
        {"user's workspace", out->user_workspace, "TE"},
        {"organisation", out->enterprise, "E"},
        {"channel", out->channel, "CDG"},
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (*ids[i].id && !is_id(ids[i].id, ids[i].kinds))
            return error_set(err, ERROR_USAGE, "The %s's id is none: %.40s", ids[i].name,
                             ids[i].id);
    return true;
}

/* What an element of Block Kit holds, whatever it is; NULL when nothing. */
static const char *element_value(const cJSON *element)
{
    static const char *const paths[] = {
        "value",         "selected_option.value", "selected_options.0.value",
        "selected_user", "selected_channel",      "selected_conversation",
        "selected_date", "selected_time",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const char *value = json_string(element, paths[i]);
        if (value && *value)
            return value;
    }
    return NULL;
}

static bool is_object_or_missing(const cJSON *value)
{
    return !value || cJSON_IsNull(value) || cJSON_IsObject(value);
}

static bool parse_command(struct envelope *out, struct error *err)
{
    out->type = ENVELOPE_COMMAND;
    if (!read_fields(out, command_fields, err))
        return false;
    if (!*out->user || !*out->command)
        return error_set(err, ERROR_USAGE, "A slash command without %s.",
                         *out->user ? "its name" : "a user");
    return true;
}

static bool parse_interactive(struct envelope *out, struct error *err)
{
    static const struct {
        const char *name;
        enum envelope_type type;
    } types[] = {
        {"block_actions", ENVELOPE_ACTION},
        {"view_submission", ENVELOPE_SUBMISSION},
        {"view_closed", ENVELOPE_CLOSED},
    };
    out->type = ENVELOPE_OTHER;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(out->type_name, types[i].name) == 0)
            out->type = types[i].type;
    if (out->type == ENVELOPE_OTHER)
        return true;
    if (!read_fields(out, interactive_fields, err))
        return false;
    if (!*out->user)
        return error_set(err, ERROR_USAGE, "A %s without a user.", out->type_name);
    const cJSON *state = json_at(out->payload, "view.state.values");
    out->state = state ? state : json_at(out->payload, "state.values");
    if (!is_object_or_missing(out->state))
        return error_set(err, ERROR_USAGE, "state.values is not an object.");
    if (out->type != ENVELOPE_ACTION) {
        if (!*out->view_id)
            return error_set(err, ERROR_USAGE, "A %s without a view.", out->type_name);
        return true;
    }
    if (!*out->action_id)
        return error_set(err, ERROR_USAGE, "A block_actions without an action.");
    const char *value = element_value(json_at(out->payload, "actions.0"));
    out->value = value ? value : "";
    out->ephemeral = json_true(out->payload, "container.is_ephemeral");
    return true;
}

static bool parse_event(struct envelope *out, struct error *err)
{
    out->type = ENVELOPE_EVENT;
    if (!read_fields(out, event_fields, err))
        return false;
    out->event = json_at(out->payload, "event");
    if (!is_object_or_missing(out->event))
        return error_set(err, ERROR_USAGE, "event is not an object.");
    /* A person's id, or (team_join, user_change) the person as an object. */
    const char *user = json_string(out->event, "user");
    out->user = user ? user : json_string_or_empty(out->event, "user.id");
    return true;
}

static struct envelope *empty(struct envelope_raw *raw)
{
    struct envelope *out = talloc_zero(raw, struct envelope);
    const char **texts[] = {
        &out->workspace,   &out->enterprise, &out->user_workspace,   &out->user,
        &out->user_name,   &out->channel,    &out->trigger_id,       &out->response_url,
        &out->command,     &out->text,       &out->action_id,        &out->value,
        &out->block_id,    &out->message_ts, &out->thread_ts,        &out->view_id,
        &out->callback_id, &out->view_hash,  &out->private_metadata, &out->event_type,
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = "";
    out->type = ENVELOPE_OTHER;
    out->type_name = raw->type;
    out->key = out->envelope_id = raw->envelope_id;
    out->takes_payload = raw->takes_payload;
    out->retry_attempt = (int)json_integer(raw->frame, "retry_attempt", 0);
    out->payload = json_at(raw->frame, "payload");
    return out;
}

/* A retry can carry a new envelope_id, so the inner ids come first. */
static bool choose_key(struct envelope *out, struct error *err)
{
    const char *event = json_string_or_empty(out->payload, "event_id");
    const char *trigger = json_string_or_empty(out->payload, "trigger_id");
    const char *key = *event ? event : *trigger ? trigger : out->envelope_id;
    if (strlen(key) > KEY_MOST)
        return error_set(err, ERROR_USAGE, "An id longer than %d bytes.", KEY_MOST);
    out->key = key;
    return true;
}

bool envelope_parse(struct envelope_raw *raw, struct envelope **envelope, struct error *err)
{
    struct envelope *out = *envelope = empty(raw);
    bool command = strcmp(raw->type, "slash_commands") == 0;
    bool interactive = strcmp(raw->type, "interactive") == 0;
    bool event = strcmp(raw->type, "events_api") == 0;
    if (!command && !interactive && !event)
        return true;
    if (!*raw->envelope_id)
        return error_set(err, ERROR_USAGE, "An envelope without an id.");
    if (!cJSON_IsObject(out->payload))
        return error_set(err, ERROR_USAGE, "An envelope without a payload.");
    if (interactive)
        out->type_name = json_string_or_empty(out->payload, "type");
    if (!choose_key(out, err))
        return false;
    if (command ? !parse_command(out, err)
        : event ? !parse_event(out, err)
                : !parse_interactive(out, err))
        return false;
    if (!check_ids(out, err))
        return false;
    if (!*out->user_workspace)
        out->user_workspace = out->workspace;
    return true;
}

bool envelope_read(const void *ctx, const char *text, size_t length, struct envelope **out,
                   struct error *err)
{
    *out = NULL;
    struct envelope_raw *raw = envelope_frame(ctx, text, length, err);
    if (!raw)
        return false;
    bool fine = envelope_parse(raw, out, err);
    if (!*raw->envelope_id) {
        *out = NULL;
        talloc_free(raw);
        return fine ? error_set(err, ERROR_USAGE, "A frame without an envelope_id.") : false;
    }
    return fine;
}

const char *envelope_input(const struct envelope *envelope, const char *block_id,
                           const char *action_id)
{
    /* Not by path: ids may hold dots. */
    const cJSON *block = cJSON_GetObjectItemCaseSensitive(envelope->state, block_id);
    return element_value(cJSON_GetObjectItemCaseSensitive(block, action_id));
}
