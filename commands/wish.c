#include "commands/wish.h"

#include "approvals/votes.h"
#include "base/duration.h"
#include "base/id.h"
#include "base/text.h"
#include "base/tree.h"
#include "commands/quota_check.h"
#include "lifecycle/moments.h"
#include "lifecycle/states.h"
#include "store/enrolments.h"
#include "store/pauses.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <talloc.h>

static bool possible_in(struct call *call, const char *team, const struct template *t)
{
    const struct template_set *set = call->app->templates;
    bool may = false;
    for (int i = 0; i < set->count && !may; i++)
        may = (!t || t == &set->items[i]) &&
              people_may(call->rules, call->person, "create", "environments", team,
                         set->items[i].name, NULL);
    return may;
}

bool wish_possible(struct call *call, const char *team, const struct template *t)
{
    const struct config *config = call->app->config;
    bool may = false;
    for (int i = 0; i < config->team_count && !may; i++)
        may = (!team || strcmp(team, config->teams[i].name) == 0) &&
              possible_in(call, config->teams[i].name, t);
    return may;
}

bool wish_template(struct call *call, const char *name, struct wish *wish, struct error *err)
{
    const struct template_set *set = call->app->templates;
    wish->template = template_find(set, name);
    if (wish->template)
        return true;
    const char **names = talloc_array(call, const char *, (unsigned)set->count + 1);
    for (int i = 0; i < set->count; i++)
        names[i] = set->items[i].name;
    return call_no_such(call, "template", name, names, (size_t)set->count, err);
}

/* What the rules must allow. Who may start it without anybody may ask for it, too. */
static const char *verb_of(const struct wish *wish)
{
    return wish->break_glass ? "breakglass" : "create";
}

/* The team that was named; else the person's own one; else the only one the rules let them ask in.
 */
bool wish_team(struct call *call, const char *given, struct wish *wish, struct error *err)
{
    const struct config *config = call->app->config;
    const char **names = talloc_array(call, const char *, (unsigned)config->team_count + 1);
    const char **allowed = talloc_array(call, const char *, (unsigned)config->team_count + 1);
    size_t count = 0, may = 0;
    for (int i = 0; i < config->team_count; i++) {
        names[count++] = config->teams[i].name;
        if (people_may(call->rules, call->person, verb_of(wish), "environments",
                       config->teams[i].name, wish->template->name, NULL))
            allowed[may++] = config->teams[i].name;
    }
    if (given && *given) {
        return call_team(call, given, &wish->team, err);
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

bool wish_name(struct call *call, const char *given, struct wish *wish, struct error *err)
{
    if (!given || !*given) {
        wish->name = talloc_asprintf(call, "%s-%s", wish->template->name, id_suffix(call));
        return true;
    }
    if (text_is_label(given, WISH_NAME_MOST)) {
        wish->name = given;
        return true;
    }
    char *better = talloc_strdup(call, "");
    for (const char *c = given; *c && strlen(better) < WISH_NAME_MOST; c++) {
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
                     text_mrkdwn(call, text_cut(call, given, 60)), WISH_NAME_MOST,
                     *better ? " For example `" : "", better, *better ? "`." : "");
}

bool wish_region(struct call *call, const char *given, struct wish *wish, struct error *err)
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

/* A length of time, or the moment of its end by the clock of who asks: then the length is what is
   left until that. */
static bool read_ttl(struct call *call, const char *given, struct wish *wish, struct error *err)
{
    struct error ignored;
    struct moment moment;
    time_t now;
    if (duration_parse(given, &wish->ttl, err))
        return true;
    if (!moment_parse(given, &moment, &ignored))
        return error_set(err, ERROR_USAGE, "%s Or write when it ends: 2026-12-01, \"fri 18:00\".",
                         text_mrkdwn(call, text_cut(call, err->text, 300)));
    if (!moment_time(call, call->db, &moment, call->person->zone, &wish->until, &now, err))
        return false;
    wish->ttl = (int64_t)(wish->until - now);
    return wish->ttl > 0 || error_set(err, ERROR_USAGE, "%s is over already.",
                                      text_mrkdwn(call, text_cut(call, given, 60)));
}

bool wish_ttl(struct call *call, const char *given, struct wish *wish, struct error *err)
{
    const struct template *t = wish->template;
    wish->ttl = t->ttl_default;
    if (given && *given && !read_ttl(call, given, wish, err))
        return false;
    if (wish->ttl > t->ttl_max)
        return error_set(err, ERROR_USAGE,
                         "%s is longer than %s allows: at most %s from when it is ready, "
                         "extensions included.",
                         duration_text(call, wish->ttl), t->name, duration_text(call, t->ttl_max));
    return true;
}

static bool no_right_to_break(const struct wish *wish, struct error *err)
{
    const char *why = talloc_strdup(wish, err->text);
    return error_set(err, err->code, "%s Without `--break-glass` you can ask for it as usual.",
                     why);
}

static struct policy_question question_of(struct call *call, const struct wish *wish)
{
    return (struct policy_question){.rules = call->rules,
                                    .people = call->app->people,
                                    .web = call->tools->web,
                                    .policy = &wish->policy,
                                    .requesters = {call->person},
                                    .team = wish->team,
                                    .template = wish->template->name};
}

/* Whose enrolment matters: those who could approve it, where the rules name each by id. */
static bool find_approvers(struct call *call, struct wish *wish, struct error *err)
{
    const char *team = wish->team, *name = wish->template->name;
    wish->approvers = NULL;
    if (!wish->policy.code || !rbac_can_name(call->rules))
        return true;
    const char **named = rbac_subjects(call, call->rules, team, "approve", "environments", name);
    for (; *named; named++)
        if (strcmp(*named, "Group system:authenticated") == 0)
            return true;
    const char **ids;
    const struct policy_question question = question_of(call, wish);
    if (!policy_approvers(call, &question, &ids, err))
        return false;
    for (const char **id = ids; *id; id++)
        if (strchr(*id, '@'))
            return true;
    wish->approvers = ids;
    return true;
}

/* What to do first where too few of the approvers could prove themselves; "" where they can. */
static bool not_enrolled(struct call *call, const struct wish *wish, const char **words,
                         struct error *err)
{
    int enrolled, needed = wish->policy.count;
    *words = "";
    if (!wish->approvers || wish->automatic || wish->break_glass)
        return true;
    if (!enrolment_count(call, call->db, call->person->workspace, wish->approvers, &enrolled, err))
        return false;
    if (enrolled >= needed)
        return true;
    *words =
        talloc_asprintf(call,
                        " Its approvers prove themselves with a one-time code, and %s enrolled "
                        "for that: ask whoever runs envbot for `envbot enrol`.",
                        enrolled == 0   ? "none of them is"
                        : enrolled == 1 ? "only one of them is"
                                        : "too few of them are");
    return true;
}

/* Who may ask, what it takes, and who could approve it. */
bool wish_judge(struct call *call, struct wish *wish, struct error *err)
{
    const struct template *t = wish->template;
    if (!call_may(call, verb_of(wish), "environments", wish->team, t->name, err))
        return wish->break_glass ? no_right_to_break(wish, err) : false;
    wish->values = template_values(call, t, wish->given, err);
    if (!wish->values)
        return false;
    struct template_target target = {
        .cluster = talloc_asprintf(call, "%s-%s", wish->team, wish->name),
        .region = wish->region,
        .tags = template_tags(call, 0, wish->team, call->person->id, t->name),
        .role = config_team(call->app->config, wish->team)->iam_role_arn};
    wish->cluster_config = template_render(call, t, wish->values, &target, err);
    if (!wish->cluster_config || !template_resources(call->app->templates, wish->cluster_config,
                                                     wish->region, &wish->resources, err))
        return false;
    wish->policy = policy_read(t->source);
    wish->automatic = policy_automatic(&wish->policy, wish->values, wish->ttl);
    wish->who = "";
    if (wish->automatic)
        wish->break_glass = false; /* nothing is in the way of it */
    if (wish->automatic || wish->break_glass)
        return true;
    const struct policy_question question = question_of(call, wish);
    if (!policy_anybody(call, &question, &wish->who, err) || !find_approvers(call, wish, err))
        return false;
    wish->who = policy_takes(call, &wish->policy, wish->who);
    return true;
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
    env->break_glass = wish->break_glass;
    env->ttl_seconds = wish->ttl;
    env->until = wish->until;
    env->nodes = wish->resources.nodes;
    env->vcpus = wish->resources.vcpus;
    env->gpus = wish->resources.gpus;
    env->hourly_usd = wish->resources.hourly_usd;
    env->monthly_usd = wish->resources.monthly_usd;
    return env;
}

static bool dry_run(struct call *call, const struct wish *wish, const struct team_use *use,
                    const char *first)
{
    cJSON *lines = quota_lines(call, use, &wish->resources);
    char *yaml = tree_yaml(call, wish->cluster_config);
    reply_text(call,
               "This is what `%s-%s` would be; nothing was asked for.\n"
               "*Cost* about $%s a month, $%s for %s (an estimate)\n"
               "*Quota of %s afterwards* %s\n*Approval* %s%s%s\n```%s```",
               wish->team, wish->name, text_money(call, wish->resources.monthly_usd, false),
               text_money(call, wish->resources.hourly_usd * (double)wish->ttl / 3600, true),
               duration_text(call, wish->ttl), wish->team, json_string_or_empty(lines, "after"),
               wish->automatic     ? "is not needed"
               : wish->break_glass ? "is not waited for: you would break the glass, and the "
                                     "approvers and the operators would be told"
                                   : "could come from ",
               wish->who, *first ? talloc_asprintf(call, ".%s", first) : "",
               text_mrkdwn(call, text_cut(call, yaml, 2500)));
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

bool wish_place(struct call *call, const struct wish *wish, struct error *err)
{
    struct rows *rows = NULL;
    struct rows *paused = NULL;
    team_use_ask(call, call->db, wish->team, !wish->dry_run, &rows);
    pause_ask(call, call->db, &paused);
    if (!db_flush(call->db, err))
        return false;
    if (rows_count(rows) == 0)
        return error_set(err, ERROR_INTERNAL, "team %s has no row", wish->team);
    struct team_use use = team_use_from_row(rows, 0);
    if (!quota_fits(call, wish->team, &use, &wish->resources, err))
        return false;
    const char *first;
    if (!not_enrolled(call, wish, &first, err))
        return false;
    if (wish->dry_run)
        return dry_run(call, wish, &use, first);
    struct environment *env = to_environment(call, wish);
    cJSON *lines = quota_lines(call, &use, &wish->resources);
    env->tally = votes_none(env, wish->who, lines);
    env->presented = matter_digest(env);
    cJSON *extra = json_object(call);
    json_set_string(extra, "who", wish->who);
    if (wish->break_glass)
        json_set_string(extra, "reason", wish->reason);
    struct error why;
    enum event event = wish->automatic     ? EVENT_REQUEST_FREE
                       : wish->break_glass ? EVENT_BREAK_GLASS
                                           : EVENT_REQUEST;
    if (!lifecycle_request(call->db, env, event, &call->actor, extra, &why)) {
        if (why.code == ERROR_CONFLICT)
            return name_taken(call, env, err);
        *err = why;
        return false;
    }
    const struct config_team *team = config_team(call->app->config, wish->team);
    const char *where = *team->channel
                            ? talloc_asprintf(call, " Follow it in <#%s>.", team->channel)
                            : " You will hear in a direct message.";
    where = talloc_strdup_append(talloc_strdup(call, where), call_pause_words(call, paused));
    if (wish->automatic)
        reply_text(call, "*%s/%s* needs no approval and is on its way.%s", wish->team, wish->name,
                   where);
    else if (wish->break_glass)
        reply_text(call,
                   "You broke the glass: *%s/%s* is on its way without an approval. The approvers "
                   "and the operators are told, with your reason.%s",
                   wish->team, wish->name, where);
    else
        reply_text(call, "You asked for *%s/%s* (%s, %s). It can be approved by %s.%s%s",
                   wish->team, wish->name, wish->template->name, duration_text(call, wish->ttl),
                   wish->who, first, where);
    return true;
}
