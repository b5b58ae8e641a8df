#include "config.h"

#include "base/duration.h"
#include "base/seal.h"
#include "base/text.h"
#include "base/tree.h"
#include "config_settings.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <talloc.h>
#include <unistd.h>

bool config_of_job = false;

struct reading {
    struct config *config;
    const struct tree *tree; /* NULL without a file */
    char *problems;
};

static void problem(struct reading *r, const cJSON *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void problem(struct reading *r, const cJSON *node, const char *format, ...)
{
    int line = node && r->tree ? tree_line(r->tree, node) : 0;
    if (line)
        r->problems = talloc_asprintf_append(r->problems, "%s:%d: ", r->tree->file, line);
    va_list args;
    va_start(args, format);
    r->problems = talloc_vasprintf_append(r->problems, format, args);
    va_end(args);
    r->problems = talloc_strdup_append(r->problems, "\n");
}

static const char *variable_name(const void *ctx, const char *path)
{
    char *name = talloc_asprintf(ctx, "ENVBOT_%s", path);
    for (char *c = name; *c; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

/* http: and ws: would carry tokens in the clear: on this machine only. */
static bool url_is_safe(const char *url)
{
    if (strncmp(url, "https://", 8) == 0 || !*url)
        return true;
    if (strchr(url, '@')) /* "http://localhost:x@example.com" goes to example.com */
        return false;
    static const char *const loopbacks[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(loopbacks[i]);
        if (strncmp(url, loopbacks[i], length) == 0 && strchr(":/", url[length]))
            return true;
    }
    return false;
}

static bool is_choice(const char *choices, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strncmp(at, word, length) == 0 && (at[length] == '|' || !at[length]))
            return true;
    return false;
}

static void store_durations(struct reading *r, const struct setting *s, const char *text,
                            const cJSON *node, const char *where)
{
    int64_t *list = (int64_t *)((char *)r->config + s->offset);
    char *copy = talloc_strdup(NULL, text), *state = NULL;
    int count = 0;
    memset(list, 0, 8 * sizeof *list);
    for (char *word = strtok_r(copy, " ,", &state); word; word = strtok_r(NULL, " ,", &state)) {
        struct error err;
        int64_t seconds;
        if (!duration_parse(word, &seconds, &err)) {
            problem(r, node, "%s: %s", where, err.text);
        } else if (count == 7) {
            problem(r, node, "%s: seven at most", where);
        } else {
            int at = count++;
            for (; at > 0 && list[at - 1] < seconds; at--)
                list[at] = list[at - 1];
            list[at] = seconds;
        }
    }
    talloc_free(copy);
}

static void store_number(struct reading *r, const struct setting *s, const char *text,
                         const cJSON *node, const char *where)
{
    struct error err;
    int64_t value = 0;
    char *end;
    if (s->kind == DURATION && !duration_parse(text, &value, &err)) {
        problem(r, node, "%s: %s", where, err.text);
        return;
    }
    if (s->kind == INTEGER) {
        errno = 0;
        value = strtoll(text, &end, 10);
        if (!*text || *end || errno) {
            problem(r, node, "%s: “%s” is not a whole number", where, text);
            return;
        }
    }
    if (value < s->least || value > s->most) {
        char *least = s->kind == DURATION ? duration_short(NULL, s->least)
                                          : talloc_asprintf(NULL, "%lld", (long long)s->least);
        char *most = s->kind == DURATION ? duration_short(NULL, s->most)
                                         : talloc_asprintf(NULL, "%lld", (long long)s->most);
        problem(r, node, "%s: “%s” is out of bounds; it goes from %s to %s", where, text, least,
                most);
        talloc_free(least);
        talloc_free(most);
        return;
    }
    *(int64_t *)((char *)r->config + s->offset) = value;
}

static void store(struct reading *r, const struct setting *s, const char *text, const cJSON *node,
                  const char *where)
{
    char *member = (char *)r->config + s->offset;
    if (s->kind == DURATIONS) {
        store_durations(r, s, text, node, where);
    } else if (s->kind == INTEGER || s->kind == DURATION) {
        store_number(r, s, text, node, where);
    } else if (s->kind == BOOLEAN) {
        if (!is_choice("true|false", text))
            problem(r, node, "%s: “%s” is neither true nor false", where, text);
        *(bool *)member = strcmp(text, "true") == 0;
    } else if (s->kind == URL && !url_is_safe(text)) {
        problem(r, node, "%s: must begin with https:// (http:// only on this machine itself)",
                where);
    } else if (s->choices && !is_choice(s->choices, text)) {
        problem(r, node, "%s: “%s” is not one of %s", where, text, s->choices);
    } else {
        *(const char **)member = talloc_strdup(r->config, text);
    }
}

/* Editors end a file with a line's end, and what makes a secret of the file keeps it. */
static char *without_end(const void *ctx, const char *text)
{
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    return talloc_strndup(ctx, text, length);
}

static char *read_secret_file(struct reading *r, const char *path, const cJSON *node,
                              const char *where)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        problem(r, node, "%s: %s cannot be read: %s", where, path, strerror(errno));
        return NULL;
    }
    char text[4096];
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    return without_end(r->config, text);
}

/* A node's value as the text that the environment would give; NULL (and a problem) if it has the
   wrong shape. */
static const char *node_text(struct reading *r, const struct setting *s, const cJSON *node)
{
    if (cJSON_IsString(node))
        return node->valuestring;
    if (cJSON_IsNumber(node) || cJSON_IsBool(node))
        return json_text(r->config, node);
    if (s->kind == DURATIONS && cJSON_IsArray(node)) {
        char *text = talloc_strdup(r->config, "");
        const cJSON *each;
        cJSON_ArrayForEach (each, node)
            text = talloc_asprintf_append(text, "%s ", json_string_or_empty(each, ""));
        return text;
    }
    problem(r, node, "%s: a single value is wanted here", s->path);
    return NULL;
}

static void read_setting(struct reading *r, const struct setting *s)
{
    if (config_of_job && s->kind == SECRET && s->offset != offsetof(struct config, database)) {
        store(r, s, "", NULL, s->path);
        return;
    }
    const char *variable = variable_name(r->config, s->path);
    const char *text = getenv(variable), *where = variable;
    const cJSON *node = NULL;
    if (!text && s->alias) {
        text = getenv(s->alias);
        where = s->alias;
    }
    if (text && s->kind == SECRET)
        text = without_end(r->config, text);
    if (!text && r->tree) {
        where = s->path;
        node = json_at(r->tree->root, s->path);
        const cJSON *file = json_at(r->tree->root, talloc_asprintf(r->config, "%s_file", s->path));
        if (node && !cJSON_IsNull(node))
            text = node_text(r, s, node);
        else if (s->kind == SECRET && cJSON_IsString(file))
            text = read_secret_file(r, file->valuestring, node = file, s->path);
    }
    /* A wrong value leaves the usual one in its place, so that what else is wrong can be found. */
    store(r, s, s->otherwise, NULL, s->path);
    if (text)
        store(r, s, text, node, where);
}

/* ---- teams ---- */

static const char *team_text(struct reading *r, const cJSON *team, const char *key)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(team, key);
    if (node && !cJSON_IsString(node) && !cJSON_IsNull(node))
        problem(r, node, "%s: a text is wanted here", key);
    return talloc_strdup(r->config, json_string_or_empty(node, ""));
}

static int64_t team_limit(struct reading *r, const cJSON *quota, const char *key)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(quota, key);
    if (!node || cJSON_IsNull(node))
        return -1;
    if (!cJSON_IsNumber(node) || node->valuedouble < 0 || node->valuedouble > 1e9) {
        problem(r, node, "quota.%s: a number from 0 is wanted here", key);
        return -1;
    }
    return (int64_t)node->valuedouble;
}

/* What is not there is one, too: an empty one. */
static bool is_mapping(struct reading *r, const cJSON *node, const char *where)
{
    if (!node || cJSON_IsNull(node) || cJSON_IsObject(node))
        return true;
    problem(r, node, "%s: a mapping of settings is wanted here, like name: value", where);
    return false;
}

static void check_keys(struct reading *r, const cJSON *mapping, const char *place,
                       const char *const *known, size_t count)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, mapping) {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found = found || strcmp(known[i], each->string) == 0;
        if (found)
            continue;
        const char *near = text_nearest(each->string, known, count);
        problem(r, each, "%s%s is not a setting%s%s%s", place, each->string,
                near ? "; did you mean " : "; take it out", near ? near : "", near ? "?" : "");
    }
}

static void read_team(struct reading *r, const cJSON *node, struct config_team *team)
{
    static const char *const keys[] = {
        "name", "channel", "approvers_channel", "slack_group", "iam_role_arn", "members", "quota"};
    static const char *const limits[] = {"environments", "nodes", "vcpus", "gpus", "monthly_usd"};
    if (is_mapping(r, node, "teams"))
        check_keys(r, node, "teams: ", keys, sizeof keys / sizeof *keys);
    team->name = team_text(r, node, "name");
    team->channel = team_text(r, node, "channel");
    team->approvers_channel = team_text(r, node, "approvers_channel");
    team->slack_group = team_text(r, node, "slack_group");
    team->iam_role_arn = team_text(r, node, "iam_role_arn");
    /* arn:aws:iam::111122223333:role/NAME, the partition may differ (aws-cn, aws-us-gov) */
    if (*team->iam_role_arn &&
        (strncmp(team->iam_role_arn, "arn:aws", 7) != 0 || !strstr(team->iam_role_arn, ":role/")))
        problem(r, cJSON_GetObjectItemCaseSensitive(node, "iam_role_arn"),
                "teams: “%s” is not the ARN of a role; it looks like "
                "arn:aws:iam::111122223333:role/NAME",
                team->iam_role_arn);
    if (!text_is_label(team->name, 40))
        problem(r, node,
                "teams: “%s” is not a team's name: small letters, digits and -, at most 40",
                team->name);
    const cJSON *members = cJSON_GetObjectItemCaseSensitive(node, "members"), *each;
    team->members =
        talloc_zero_array(r->config, const char *, (unsigned)cJSON_GetArraySize(members) + 1);
    int count = 0;
    bool users = !members || cJSON_IsNull(members) || cJSON_IsArray(members);
    cJSON_ArrayForEach (each, members) {
        users = users && cJSON_IsString(each);
        if (cJSON_IsString(each))
            team->members[count++] = talloc_strdup(r->config, each->valuestring);
    }
    if (!users)
        problem(r, members, "members: a list of user ids is wanted here, like [U0123ABCD]");
    const cJSON *quota = cJSON_GetObjectItemCaseSensitive(node, "quota");
    if (is_mapping(r, quota, "quota"))
        check_keys(r, quota, "quota.", limits, sizeof limits / sizeof *limits);
    team->quota =
        (struct config_quota){team_limit(r, quota, "environments"), team_limit(r, quota, "nodes"),
                              team_limit(r, quota, "vcpus"), team_limit(r, quota, "gpus"),
                              team_limit(r, quota, "monthly_usd")};
}

static void read_teams(struct reading *r)
{
    const cJSON *list = r->tree ? cJSON_GetObjectItemCaseSensitive(r->tree->root, "teams") : NULL;
    if (list && !cJSON_IsArray(list)) {
        problem(r, list, "teams: a list is wanted here");
        return;
    }
    r->config->teams =
        talloc_zero_array(r->config, struct config_team, (unsigned)cJSON_GetArraySize(list));
    const cJSON *each;
    cJSON_ArrayForEach (each, list) {
        struct config_team *team = &r->config->teams[r->config->team_count];
        read_team(r, each, team);
        if (config_team(r->config, team->name))
            problem(r, each, "teams: %s stands here twice", team->name);
        r->config->team_count++;
    }
}

/* ---- unknown keys ---- */

static bool known_path(const char *path, bool *leads_on)
{
    size_t length = strlen(path);
    *leads_on = false;
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct setting *s = &config_settings[i];
        size_t whole = strlen(s->path);
        if (strcmp(s->path, path) == 0)
            return true;
        if (s->kind == SECRET && length == whole + 5 && strncmp(path, s->path, whole) == 0 &&
            strcmp(path + whole, "_file") == 0)
            return true;
        if (strncmp(s->path, path, length) == 0 && s->path[length] == '.')
            *leads_on = true;
    }
    return *leads_on || strcmp(path, "teams") == 0;
}

static void find_unknown(struct reading *r, const cJSON *mapping, const char *prefix)
{
    const cJSON *each;
    cJSON_ArrayForEach (each, mapping) {
        char *path = talloc_asprintf(r->config, "%s%s", prefix, each->string);
        bool leads_on;
        if (!known_path(path, &leads_on)) {
            const char **names =
                talloc_array(path, const char *, (unsigned)config_setting_count + 1);
            names[0] = "teams";
            for (size_t i = 0; i < config_setting_count; i++)
                names[i + 1] = config_settings[i].path;
            const char *near = text_nearest(path, names, config_setting_count + 1);
            problem(r, each, "%s is not a setting%s%s%s", path,
                    near ? "; did you mean " : "; take it out", near ? near : "", near ? "?" : "");
        } else if (leads_on && is_mapping(r, each, path)) {
            find_unknown(r, each, talloc_asprintf(r->config, "%s.", path));
        }
    }
}

static void check_together(struct reading *r)
{
    const struct config *c = r->config;
    if (c->jobs.heartbeat * 2 > c->jobs.lease)
        problem(r, NULL,
                "jobs.heartbeat: must be at most half of jobs.lease, or a single late "
                "heartbeat loses the job");
    if (strcmp(c->jobs.launcher, "kubernetes") == 0 && !*c->jobs.kubernetes.image)
        problem(r, NULL, "jobs.kubernetes.image: which image the jobs run is not said");
    if (strncmp(c->slack.command, "/", 1) != 0)
        problem(r, NULL, "slack.command: begins with a slash, like /env");
    uint8_t key[SEAL_KEY];
    if (*c->approvals.code_key && !seal_key(c->approvals.code_key, key))
        problem(r, NULL,
                "approvals.code_key: 32 bytes are wanted, as base64 or hexadecimal; `openssl rand "
                "-base64 32` makes them");
    OPENSSL_cleanse(key, sizeof key);
    size_t length = strlen(c->slack.api_url);
    if (length && c->slack.api_url[length - 1] != '/')
        r->config->slack.api_url = talloc_asprintf(r->config, "%s/", c->slack.api_url);
}

const char config_usual_file[] = "/etc/envbot/envbot.yaml";

bool config_read(const void *ctx, const char *path, struct config **out, char **problems)
{
    struct config *config = talloc_zero(ctx, struct config);
    struct reading r = {.config = config, .problems = talloc_strdup(ctx, "")};
    if (!path)
        path = getenv("ENVBOT_CONFIG");
    if (!path && access(config_usual_file, F_OK) == 0)
        path = config_usual_file;
    config->file = path ? talloc_strdup(config, path) : "";
    struct tree *trees = NULL;
    int count = 0;
    struct error err;
    if (path && !tree_read_file(config, path, &trees, &count, &err)) {
        *problems = talloc_asprintf_append(r.problems, "%s\n", err.text);
        return false;
    }
    if (count > 0 && cJSON_IsObject(trees[0].root))
        r.tree = &trees[0];
    else if (count > 0)
        problem(&r, NULL, "%s: a mapping of settings is wanted", path);
    for (size_t i = 0; i < config_setting_count; i++)
        read_setting(&r, &config_settings[i]);
    read_teams(&r);
    if (r.tree)
        find_unknown(&r, r.tree->root, "");
    if (!*r.problems)
        check_together(&r);
    *out = config;
    *problems = r.problems;
    return !*r.problems;
}

bool config_rules_elsewhere(const struct config *config)
{
    return strcmp(config->rbac.source, "kubernetes") == 0;
}

const struct config_team *config_team(const struct config *config, const char *name)
{
    for (int i = 0; i < config->team_count; i++)
        if (strcmp(config->teams[i].name, name) == 0)
            return &config->teams[i];
    return NULL;
}
