#include "approvals/decide.h"

#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

/* "3 min ago", and for what is fresher than a look at the screen "a moment ago". */
static const char *ago(const void *ctx, const struct environment *env, time_t at)
{
    int64_t since = at ? env->now - at : 0;
    return since < 5 ? "a moment ago" : talloc_asprintf(ctx, "%s ago", duration_text(ctx, since));
}

/* What the one is told who comes too late: what happened, by whom and when. */
static bool already_over(const void *ctx, const struct environment *env,
                         const struct person *person, struct error *err)
{
    const char *word = json_string(env->tally, "decision.word");
    const char *by = json_string(env->tally, "decision.by");
    const char *mention = json_string_or_empty(env->tally, "decision.mention");
    if (word && by && strcmp(mention, talloc_asprintf(ctx, "<@%s>", person->id)) == 0)
        return error_set(err, ERROR_CONFLICT,
                         "You have %s %s already, %s. That stands; nothing more was done.", word,
                         env->name, ago(ctx, env, env->decided_at));
    if (word && by)
        return error_set(err, ERROR_CONFLICT,
                         "%s was already %s by %s, %s, so nothing was changed.", env->name, word,
                         text_mrkdwn(ctx, by), ago(ctx, env, env->decided_at));
    if (strcmp(env->state, "withdrawn") == 0)
        return error_set(err, ERROR_CONFLICT,
                         "The request for %s was taken back %s, before anybody had decided, so "
                         "nothing was changed.",
                         env->name, ago(ctx, env, env->ended_at));
    if (strcmp(env->state, "lapsed") == 0)
        return error_set(err, ERROR_CONFLICT,
                         "The request for %s lapsed %s: nobody had decided in time. It has to be "
                         "asked for anew, so nothing was changed.",
                         env->name, ago(ctx, env, env->ended_at));
    return error_set(err, ERROR_CONFLICT, "%s needed no approval; it is %s. Nothing was changed.",
                     env->name, env->state);
}

static bool allowed(const void *ctx, const struct rbac *rules, const struct person *person,
                    const struct environment *env, const struct policy *policy,
                    const struct decision *decision, struct rbac_reason *why, struct error *err)
{
    if (strcmp(env->state, "pending") != 0)
        return already_over(ctx, env, person, err);
    if (decision->revision && decision->revision != env->revision)
        return error_set(
            err, ERROR_CONFLICT,
            "%s was changed since this card was shown, so nothing was decided. Look at the "
            "new card.",
            env->name);
    if (!people_may(rules, person, "approve", "environments", env->team, env->template, why))
        return error_set(err, ERROR_DENIED,
                         "The rules do not name you as an approver of %s environments in %s, so "
                         "nothing was decided.",
                         env->template, env->team);
    bool own = people_same(person, env->owner_workspace, env->owner_id, env->owner_mail);
    if (own && !policy->self && decision->word == DECISION_APPROVE)
        return error_set(err, ERROR_DENIED,
                         "Nobody approves their own request. Somebody else has to.");
    if (policy->code && decision->word == DECISION_APPROVE && !decision->proved)
        return error_set(err, ERROR_DENIED,
                         "Use the button Approve on the card of %s: this template asks for a "
                         "one-time code, and a command is no place for one. Nothing was decided.",
                         env->name);
    if (decision->word == DECISION_DENY && !*decision->reason)
        return error_set(err, ERROR_USAGE, "Say why: the requester gets to read it.");
    return true;
}

bool decision_allowed(const void *ctx, const struct rbac *rules, const struct person *person,
                      const struct environment *env, const struct decision *decision,
                      struct error *err)
{
    struct policy policy = policy_read(env->template_copy);
    struct rbac_reason why;
    return allowed(ctx, rules, person, env, &policy, decision, &why, err);
}

static void write_decision(struct db *db, const struct environment *env,
                           const struct person *person, const struct decision *decision,
                           const char *rule)
{
    void *tmp = talloc_new(NULL);
    cJSON *groups = json_array(tmp);
    for (int i = 0; person->groups[i]; i++)
        cJSON_AddItemToArray(groups, cJSON_CreateString(person->groups[i]));
    db_send(db,
            "INSERT INTO decisions (environment, revision, workspace, user_id, user_name, word,"
            " reason, rule, groups, mail)"
            " VALUES ($1::bigint, $2::integer, $3, $4, $5, $6, $7, $8,"
            "  ARRAY(SELECT jsonb_array_elements_text($9::jsonb)), $10)",
            P(talloc_asprintf(tmp, "%" PRId64, env->id), talloc_asprintf(tmp, "%d", env->revision),
              person->workspace, person->id, person->name,
              decision->word == DECISION_APPROVE ? "approve" : "deny", decision->reason, rule,
              json_text(tmp, groups), person->mail));
    talloc_free(tmp);
}

/* The votes on this revision, the caller's included when it is new. */
static bool count_votes(const void *ctx, struct db *db, const struct environment *env,
                        const struct person *person, const struct policy *policy,
                        struct votes *votes, bool *voted_before, struct error *err)
{
    char id[32], revision[16];
    snprintf(id, sizeof id, "%" PRId64, env->id);
    snprintf(revision, sizeof revision, "%d", env->revision);
    struct rows *rows =
        db_query(ctx, db, err,
                 "SELECT workspace, user_id, user_name, mail, to_json(groups) AS groups"
                 " FROM decisions WHERE environment = $1 AND revision = $2"
                 " AND word = 'approve' ORDER BY id",
                 P(id, revision));
    if (!rows)
        return false;
    int count = rows_count(rows);
    *voted_before = false;
    votes->groups = json_object(ctx);
    votes->names = talloc_zero_array(ctx, char *, (unsigned)count + 2);
    for (int i = 0; i <= count; i++) {
        cJSON *groups = NULL;
        const char *name = person->name;
        if (i < count) {
            *voted_before = *voted_before ||
                            people_same(person, rows_text(rows, i, "workspace"),
                                        rows_text(rows, i, "user_id"), rows_text(rows, i, "mail"));
            groups = rows_json(ctx, rows, i, "groups");
            name = rows_text(rows, i, "user_name");
        } else {
            if (*voted_before)
                break;
            groups = json_array(ctx);
            for (int k = 0; person->groups[k]; k++)
                cJSON_AddItemToArray(groups, cJSON_CreateString(person->groups[k]));
        }
        votes->names[votes->approvals++] = talloc_strdup(ctx, name);
        const cJSON *each;
        cJSON_ArrayForEach (each, groups)
            if (policy->groups &&
                cJSON_GetObjectItemCaseSensitive(policy->groups, each->valuestring))
                json_set_number(
                    votes->groups, each->valuestring,
                    json_number(cJSON_GetObjectItemCaseSensitive(votes->groups, each->valuestring),
                                "", 0) +
                        1);
    }
    return true;
}

static cJSON *decision_part(const void *ctx, const struct person *person,
                            const struct decision *decision)
{
    cJSON *part = json_object(ctx);
    json_set_string(part, "word", decision->word == DECISION_APPROVE ? "approved" : "denied");
    json_set_string(part, "by", person->name);
    json_set_format(part, "mention", "<@%s>", person->id);
    json_set_string(part, "reason", decision->reason);
    return part;
}

static bool take(const void *ctx, struct db *db, struct environment *env, struct audit_actor *actor,
                 const struct person *person, const struct decision *decision, const char *needed,
                 char **names, const char **answer, struct error *err)
{
    cJSON *part = decision_part(ctx, person, decision);
    env->tally = policy_tally(env, needed, names, json_at(env->tally, "quota"), part);
    cJSON *extra = json_object(ctx);
    json_set_string(extra, "by", person->name);
    json_set_format(extra, "by_mention", "<@%s>", person->id);
    json_set_string(extra, "decision_reason", decision->reason);
    bool approve = decision->word == DECISION_APPROVE;
    if (!approve)
        env->cause = talloc_strdup(env, decision->reason);
    *answer = talloc_asprintf(ctx,
                              approve ? "You approved %s. It goes ahead."
                                      : "You denied %s. The requester is told why.",
                              env->name);
    return lifecycle_take(db, env, approve ? EVENT_APPROVE : EVENT_DENY, actor, extra, err);
}

/* A vote that does not decide yet: the card counts it. */
static void keep_vote(const void *ctx, struct db *db, struct environment *env,
                      const struct audit_actor *actor, const char *needed, char **names)
{
    env->tally = policy_tally(env, needed, names, json_at(env->tally, "quota"), NULL);
    char id[32];
    snprintf(id, sizeof id, "%" PRId64, env->id);
    db_send(db, "UPDATE environments SET tally = $2::jsonb WHERE id = $1",
            P(id, json_text(ctx, env->tally)));
    audit_add(db, actor, env->id, env->team, "vote", env->state, env->state, env->tally);
    say_redraw(db, env, "card");
}

bool decide(const void *ctx, struct db *db, const struct rbac *rules, const struct person *person,
            struct audit_actor *actor, struct environment *env, const struct decision *decision,
            const char **answer, struct error *err)
{
    struct policy policy = policy_read(env->template_copy);
    struct rbac_reason why = {0};
    if (!allowed(ctx, rules, person, env, &policy, decision, &why, err))
        return false;
    actor->rule = talloc_strdup(ctx, why.text);
    if (decision->word == DECISION_DENY) {
        write_decision(db, env, person, decision, why.text);
        return take(ctx, db, env, actor, person, decision, "", NULL, answer, err);
    }
    struct votes votes = {0};
    bool voted_before;
    if (!count_votes(ctx, db, env, person, &policy, &votes, &voted_before, err))
        return false;
    const char *needed;
    bool met = policy_met(ctx, &policy, &votes, &needed);
    if (voted_before)
        return error_set(err, ERROR_CONFLICT, "You have approved %s already; still needed: %s.",
                         env->name, needed);
    write_decision(db, env, person, decision, why.text);
    if (met)
        return take(ctx, db, env, actor, person, decision, needed, votes.names, answer, err);
    keep_vote(ctx, db, env, actor, needed, votes.names);
    *answer = talloc_asprintf(ctx, "Your approval of %s is counted. Still needed: %s.", env->name,
                              needed);
    return true;
}
