/* `/env create`: typed, or as a form. Everything that can be known before the transaction is
   checked in prepare; name and quota are checked under the team's lock. */
#include "commands/commands.h"

#include "approvals/policy.h"
#include "base/duration.h"
#include "base/id.h"
#include "base/text.h"
#include "base/tree.h"
#include "commands/quota_check.h"
#include "lifecycle/states.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <talloc.h>

/* The cluster's name is <team>-<name>; EKS takes 100 characters, CloudFormation's stack name
   (eksctl-<cluster>-nodegroup-…) 128. */
enum { MOST_NAME = 40 };

/* What is asked for, checked as far as it goes without the database. */
struct wish {
    const struct template *template;
    const char *team, *name, *region, *reason, *who;
    int64_t ttl;
    cJSON *given;  /* as typed: {"nodes": "3"} */
    cJSON *values; /* typed, with defaults */
    cJSON *cluster_config;
    struct template_resources resources;
    struct policy policy;
    bool dry_run, automatic;
};

static bool unknown(struct call *call, const char *what, const char *given,
                    const char *const *known, size_t count, struct error *err)
{
    const char *near = text_nearest(given, known, count);
    const char *shown = text_mrkdwn(call, text_cut(call, given, 60));
    if (near)
        return error_set(err, ERROR_USAGE, "There is no %s `%s`. Did you mean `%s`?", what, shown,
                         near);
    return error_set(err, ERROR_USAGE, "There is no %s `%s`. There is: %s.", what, shown,
                     text_list(call, known, count, "and"));
}

static bool find_template(struct call *call, const char *name, struct wish *wish, struct error *err)
{
    const struct template_set *set = call->app->templates;
    wish->template = template_find(set, name);
    if (wish->template)
        return true;
    const char **names = talloc_array(call, const char *, (unsigned)set->count + 1);
    for (int i = 0; i < set->count; i++)
        names[i] = set->items[i].name;
    return unknown(call, "template", name, names, (size_t)set->count, err);
}

/* The team that was named; else the person's own one; else the only one the rules let them ask in.
 */
static bool find_team(struct call *call, const char *given, struct wish *wish, struct error *err)
{
    const struct config *config = call->app->config;
    const char **names = talloc_array(call, const char *, (unsigned)config->team_count + 1);
    const char **allowed = talloc_array(call, const char *, (unsigned)config->team_count + 1);
    size_t count = 0, may = 0;
    for (int i = 0; i < config->team_count; i++) {
        names[count++] = config->teams[i].name;
        if (people_may(call->app->rules, call->person, "create", "environments",
                       config->teams[i].name, wish->template->name, NULL))
            allowed[may++] = config->teams[i].name;
    }
    if (given && *given) {
        const struct config_team *team = config_team(config, given);
        if (!team)
            return unknown(call, "team", given, names, count, err);
        wish->team = team->name;
        return true;
    }
    const char **own = people_teams(call, call->app->people, call->person);
    if (own[0] && !own[1]) {
        wish->team = own[0];
        return true;
    }
    if (!own[0] && may == 1) {
        wish->team = allowed[0];
        return true;
    }
    if (own[0] && own[1]) {
        size_t mine = 0;
        while (own[mine])
            mine++;
        return error_set(err, ERROR_USAGE, "You are in %s. Say for which team with `--team`.",
                         text_list(call, own, mine, "and"));
    }
    return error_set(err, ERROR_USAGE, "Say for which team with `--team`: %s.",
                     may ? text_list(call, allowed, may, "or")
                         : text_list(call, names, count, "or"));
}

static bool find_name(struct call *call, const char *given, struct wish *wish, struct error *err)
{
    if (!given || !*given) {
        wish->name = talloc_asprintf(call, "%s-%s", wish->template->name, id_suffix(call));
        return true;
    }
    if (text_is_label(given, MOST_NAME)) {
        wish->name = given;
        return true;
    }
    char *better = talloc_strdup(call, "");
    for (const char *c = given; *c && strlen(better) < MOST_NAME; c++) {
        char lower = (char)tolower((unsigned char)*c);
        if (islower((unsigned char)lower) || (*better && isdigit((unsigned char)lower)))
            better = talloc_strndup_append(better, &lower, 1);
        else if (*better && strchr(" _-.", lower) && better[strlen(better) - 1] != '-')
            better = talloc_strdup_append(better, "-");
    }
    while (*better && better[strlen(better) - 1] == '-')
        better[strlen(better) - 1] = '\0';
    return error_set(err, ERROR_USAGE,
                     "`%s` cannot be a name: small letters, digits and -, beginning with a letter, "
                     "at most %d.%s%s%s",
                     text_mrkdwn(call, text_cut(call, given, 60)), MOST_NAME,
                     *better ? " For example `" : "", better, *better ? "`." : "");
}

static bool find_region(struct call *call, const char *given, struct wish *wish, struct error *err)
{
    const char **regions = wish->template->regions;
    size_t count = 0;
    while (regions[count])
        count++;
    wish->region = regions[0];
    if (!given || !*given)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(regions[i], given) == 0) {
            wish->region = regions[i];
            return true;
        }
    }
    const char *near = text_nearest(given, regions, count);
    return error_set(err, ERROR_USAGE, "%s is not offered in `%s`; it is in %s.%s%s%s",
                     wish->template->name, text_mrkdwn(call, text_cut(call, given, 60)),
                     text_list(call, regions, count, "and"), near ? " Did you mean `" : "",
                     near ? near : "", near ? "`?" : "");
}

static bool find_ttl(struct call *call, const char *given, struct wish *wish, struct error *err)
{
    const struct template *t = wish->template;
    wish->ttl = t->ttl_default;
    if (given && *given && !duration_parse(given, &wish->ttl, err)) {
        char *escaped = text_mrkdwn(call, text_cut(call, err->text, 300));
        return error_set(err, ERROR_USAGE, "%s", escaped);
    }
    if (wish->ttl > t->ttl_max)
        return error_set(err, ERROR_USAGE,
                         "%s is longer than %s allows: at most %s. It can be extended later, up to "
                         "%s in all.",
                         duration_text(call, wish->ttl), t->name, duration_text(call, t->ttl_max),
                         duration_text(call, t->ttl_ceiling));
    return true;
}

/* Who may ask, what it takes, and who could approve it. */
static bool judge(struct call *call, struct wish *wish, struct error *err)
{
    const struct template *t = wish->template;
    if (!call_may(call, "create", "environments", wish->team, t->name, err))
        return false;
    wish->values = template_values(call, t, wish->given, err);
    if (!wish->values)
        return false;
    struct template_target target = {
        .cluster = talloc_asprintf(call, "%s-%s", wish->team, wish->name),
        .region = wish->region,
        .tags = json_object(call),
        .role = config_team(call->app->config, wish->team)->iam_role_arn};
    wish->cluster_config = template_render(call, t, wish->values, &target, err);
    if (!wish->cluster_config || !template_resources(call->app->templates, wish->cluster_config,
                                                     wish->region, &wish->resources, err))
        return false;
    wish->policy = policy_read(t->source);
    wish->automatic = policy_automatic(&wish->policy, wish->values, wish->ttl);
    wish->who = "nobody has to: this needs no approval";
    return wish->automatic ||
           policy_anybody(call, call->app->rules, call->app->people, call->tools->web,
                          &wish->policy, call->person, wish->team, t->name, &wish->who, err);
}

/* --nodes 3 is --set nodes=3; other options of create are its own. */
static bool take_parameters(struct call *call, struct wish *wish, struct error *err)
{
    static const char *const own[] = {"ttl", "team", "region", "set", "reason", "dry-run"};
    enum { OWN = sizeof own / sizeof *own };
    const char *known[OWN + 64];
    size_t count = OWN;
    memcpy(known, own, sizeof own);
    const cJSON *each;
    cJSON_ArrayForEach(each, wish->template->parameters) if (count < OWN + 64) known[count++] =
        each->string;
    wish->given = json_object(call);
    for (int i = 0; i < call->words->option_count; i++) {
        const struct word_option *option = &call->words->options[i];
        if (strcmp(option->name, "set") == 0) {
            const char *equals = strchr(option->value, '=');
            if (!equals)
                return error_set(err, ERROR_USAGE, "--set takes key=value, not `%s`.",
                                 text_mrkdwn(call, text_cut(call, option->value, 60)));
            json_set_string(wish->given,
                            talloc_strndup(call, option->value, (size_t)(equals - option->value)),
                            equals + 1);
            continue;
        }
        bool is_own = false;
        for (size_t k = 0; k < OWN; k++)
            is_own = is_own || strcmp(own[k], option->name) == 0;
        if (is_own)
            continue;
        if (!cJSON_GetObjectItemCaseSensitive(wish->template->parameters, option->name))
            return unknown(call, "option", talloc_asprintf(call, "%s", option->name), known, count,
                           err);
        json_set_string(wish->given, option->name, option->value);
    }
    return true;
}

static cJSON *form(struct call *call, struct error *err)
{
    cJSON *values = json_object(call), *templates = cJSON_CreateArray(),
          *teams = cJSON_CreateArray();
    const struct template_set *set = call->app->templates;
    for (int i = 0; i < set->count; i++) {
        cJSON *item = cJSON_CreateObject();
        json_set_string(item, "name", set->items[i].name);
        json_set_string(
            item, "title",
            text_cut(call, talloc_asprintf(call, "%s: %s", set->items[i].name, set->items[i].title),
                     75));
        cJSON_AddItemToArray(templates, item);
    }
    const char **own = people_teams(call, call->app->people, call->person);
    for (int i = 0; i < call->app->config->team_count; i++)
        if (people_may(call->app->rules, call->person, "create", "environments",
                       call->app->config->teams[i].name, "", NULL) ||
            (own[0] && strcmp(own[0], call->app->config->teams[i].name) == 0))
            cJSON_AddItemToArray(teams, cJSON_CreateString(call->app->config->teams[i].name));
    if (!teams->child) {
        cJSON_Delete(teams);
        cJSON_Delete(templates);
        error_set(err, ERROR_DENIED,
                  "The rules do not let you ask for a cluster in any team. Ask your platform team "
                  "for a role with the verb `create` on `environments`.");
        return NULL;
    }
    json_set_string(values, "first_team", own[0] ? own[0] : teams->child->valuestring);
    json_set_string(values, "first_template", set->count ? set->items[0].name : "");
    json_set_string(values, "first_title", json_string_or_empty(templates->child, "title"));
    json_set_string(values, "channel", call->envelope->channel);
    json_set(values, "templates", templates);
    json_set(values, "teams", teams);
    return wording_slack(call, call->app->wording, "form-create", values, err);
}

bool create_prepare(struct call *call, struct error *err)
{
    const char *name = words_item(call->words, 0);
    if (!name && call->words->option_count == 0) {
        call->view = form(call, err);
        return call->view != NULL;
    }
    if (!name)
        return error_set(
            err, ERROR_USAGE,
            "Say which template: `%s create TEMPLATE NAME`. `%s templates` lists them.",
            call->app->config->slack.command, call->app->config->slack.command);
    if (words_item(call->words, 2))
        return error_set(err, ERROR_USAGE,
                         "Understood template `%s` and name `%s`, but not `%s`. Options begin with "
                         "--, a reason goes in quotes: --reason \"…\".",
                         text_mrkdwn(call, text_cut(call, name, 60)),
                         text_mrkdwn(call, text_cut(call, words_item(call->words, 1), 60)),
                         text_mrkdwn(call, text_cut(call, words_item(call->words, 2), 60)));
    struct wish *wish = talloc_zero(call, struct wish);
    const char *reason = words_option(call->words, "reason");
    wish->dry_run = words_option(call->words, "dry-run") != NULL;
    wish->reason = text_cut(call, reason ? reason : "", 1000);
    call->prepared = wish;
    return find_template(call, name, wish, err) && take_parameters(call, wish, err) &&
           find_team(call, words_option(call->words, "team"), wish, err) &&
           find_name(call, words_item(call->words, 1), wish, err) &&
           find_region(call, words_option(call->words, "region"), wish, err) &&
           find_ttl(call, words_option(call->words, "ttl"), wish, err) && judge(call, wish, err);
}

static struct environment *to_environment(struct call *call, const struct wish *wish)
{
    struct environment *env = talloc_zero(call, struct environment);
    const struct person *me = call->person;
    env->team = wish->team;
    env->name = wish->name;
    env->cluster = talloc_asprintf(env, "%s-%s", wish->team, wish->name);
    env->region = wish->region;
    env->owner_workspace = me->workspace;
    env->owner_id = me->id;
    env->owner_name = me->name;
    env->owner_mail = me->mail;
    env->owner_zone = me->zone;
    env->template = wish->template->name;
    env->template_copy = json_own(env, cJSON_Duplicate(wish->template->source, true));
    env->parameters = wish->values;
    env->reason = wish->reason;
    env->revision = 1;
    env->state = wish->automatic ? "queued" : "pending";
    env->ttl_seconds = wish->ttl;
    env->nodes = wish->resources.nodes;
    env->vcpus = wish->resources.vcpus;
    env->gpus = wish->resources.gpus;
    env->hourly_usd = wish->resources.hourly_usd;
    env->monthly_usd = wish->resources.monthly_usd;
    return env;
}

static bool dry_run(struct call *call, const struct wish *wish, const struct team_use *use)
{
    cJSON *lines = quota_lines(call, use, &wish->resources);
    char *yaml = tree_yaml(call, wish->cluster_config);
    reply_text(call,
               "This is what `%s-%s` would be; nothing was asked for.\n"
               "*Cost* about $%s a month, $%s for %s (an estimate)\n"
               "*Quota of %s afterwards* %s\n*Who could approve* %s\n```%s```",
               wish->team, wish->name, text_money(call, wish->resources.monthly_usd, false),
               text_money(call, wish->resources.hourly_usd * (double)wish->ttl / 3600, true),
               duration_text(call, wish->ttl), wish->team, json_string_or_empty(lines, "after"),
               wish->who, text_mrkdwn(call, text_cut(call, yaml, 2500)));
    return true;
}

/* The name's present holder, so that the refusal can say who and until when. */
static bool name_taken(struct call *call, const struct environment *env, struct error *err)
{
    struct rows *rows = db_query(call, call->db, err,
                                 "SELECT team, name, owner_name, state FROM environments"
                                 " WHERE cluster = $1 AND ended_at IS NULL",
                                 P(env->cluster));
    if (!rows)
        return false;
    if (rows_count(rows) == 0)
        return error_set(err, ERROR_CONFLICT, "The name %s is taken. Choose another.", env->name);
    return error_set(
        err, ERROR_CONFLICT, "The name %s is taken: %s/%s of %s is %s. Choose another name.",
        env->name, rows_text(rows, 0, "team"), rows_text(rows, 0, "name"),
        text_mrkdwn(call, rows_text(rows, 0, "owner_name")), rows_text(rows, 0, "state"));
}

static bool place(struct call *call, const struct wish *wish, struct error *err)
{
    struct rows *rows = NULL;
    team_use_ask(call, call->db, wish->team, !wish->dry_run, &rows);
    if (!db_flush(call->db, err))
        return false;
    if (rows_count(rows) == 0)
        return error_set(err, ERROR_INTERNAL, "team %s has no row", wish->team);
    struct team_use use = team_use_from_row(rows, 0);
    if (!quota_fits(call, wish->team, &use, &wish->resources, err))
        return false;
    if (wish->dry_run)
        return dry_run(call, wish, &use);
    struct environment *env = to_environment(call, wish);
    cJSON *lines = quota_lines(call, &use, &wish->resources);
    env->tally = policy_tally(env, wish->automatic ? "" : wish->who, NULL, lines, NULL);
    struct error why;
    if (!environment_insert(call->db, env, &why)) {
        if (why.code == ERROR_CONFLICT)
            return name_taken(call, env, err);
        *err = why;
        return false;
    }
    cJSON *extra = json_object(call);
    json_set_string(extra, "who", wish->who);
    if (!lifecycle_take(call->db, env, wish->automatic ? EVENT_REQUEST_FREE : EVENT_REQUEST,
                        &call->actor, extra, err))
        return false;
    const struct config_team *team = config_team(call->app->config, wish->team);
    const char *where = *team->channel
                            ? talloc_asprintf(call, " Follow it in <#%s>.", team->channel)
                            : " You will hear in a direct message.";
    if (wish->automatic)
        reply_text(call, "*%s/%s* needs no approval and is on its way.%s", wish->team, wish->name,
                   where);
    else
        reply_text(call, "You asked for *%s/%s* (%s, %s). It can be approved by %s.%s", wish->team,
                   wish->name, wish->template->name, duration_text(call, wish->ttl), wish->who,
                   where);
    return true;
}

bool create_run(struct call *call, struct error *err)
{
    return call->prepared ? place(call, call->prepared, err) : true;
}

/* ---- the form ---- */

/* "key=value" lines of the settings field. */
static bool take_settings(struct call *call, struct wish *wish, const char *text, struct error *err)
{
    wish->given = json_object(call);
    char *copy = talloc_strdup(call, text ? text : ""), *state = NULL;
    for (char *line = strtok_r(copy, "\n,", &state); line; line = strtok_r(NULL, "\n,", &state)) {
        while (*line == ' ')
            line++;
        if (!*line)
            continue;
        char *equals = strchr(line, '=');
        if (!equals)
            return error_set(err, ERROR_USAGE, "Settings are key=value lines, not “%s”.",
                             text_cut(call, line, 60));
        *equals = '\0';
        json_set_string(wish->given, line, equals + 1);
    }
    return true;
}

bool create_submit_prepare(struct call *call, struct error *err)
{
    const struct envelope *e = call->envelope;
    const char *template = envelope_input(e, "template", "template");
    struct wish *wish = talloc_zero(call, struct wish);
    const char *reason = envelope_input(e, "reason", "reason");
    wish->reason = text_cut(call, text_clean(call, reason ? reason : ""), 1000);
    call->prepared = wish;
    const char *settings = envelope_input(e, "settings", "settings");
    if (settings)
        settings = text_clean(call, settings);
    return find_template(call, template ? template : "", wish, err) &&
           take_settings(call, wish, settings, err) &&
           find_team(call, envelope_input(e, "team", "team"), wish, err) &&
           find_name(call, envelope_input(e, "name", "name"), wish, err) &&
           find_region(call, envelope_input(e, "region", "region"), wish, err) &&
           find_ttl(call, envelope_input(e, "ttl", "ttl"), wish, err) && judge(call, wish, err);
}

bool create_submit(struct call *call, struct error *err)
{
    const struct wish *wish = call->prepared;
    if (!place(call, wish, err))
        return false;
    /* The form closes with an empty ack; the words that a typed command gets come privately. */
    answer_privately(call, json_string_or_empty(call->reply, "text"));
    call->reply = NULL;
    return true;
}
