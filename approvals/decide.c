#include "approvals/decide.h"

#include "approvals/votes.h"
#include "lifecycle/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

/* Whether it is still to be decided, and what the card showed is what it is. */
static bool is_open(const void *ctx, const struct approver *me, const struct matter *matter,
                    int revision, struct error *err)
{
    if (!matter->open) {
        matter->acts->tell_over(ctx, matter, me->person, err);
        return false;
    }
    if (revision && revision != matter->revision)
        return error_set(
            err, ERROR_CONFLICT,
            "%s was changed since this card was shown, so nothing was decided. Look at the "
            "new card.",
            matter->env->name);
    return true;
}

static bool may_approve(const struct approver *me, const struct matter *matter,
                        const struct person *person, struct rbac_reason *why)
{
    return people_may(me->rules, person, "approve", "environments", matter->env->team,
                      matter->env->template, why);
}

static bool not_an_approver(const struct matter *matter, struct error *err)
{
    return error_set(err, ERROR_DENIED,
                     "The rules do not name you as an approver of %s environments in %s, so "
                     "nothing was decided.",
                     matter->env->template, matter->env->team);
}

static bool allowed(const void *ctx, const struct approver *me, const struct matter *matter,
                    const struct decision *decision, struct rbac_reason *why, struct error *err)
{
    const struct environment *env = matter->env;
    const struct policy *policy = &matter->policy;
    const struct person *person = me->person;
    if (!is_open(ctx, me, matter, decision->revision, err))
        return false;
    if (!may_approve(me, matter, person, why))
        return not_an_approver(matter, err);
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

bool decision_allowed(const void *ctx, const struct approver *me, const struct matter *matter,
                      const struct decision *decision, struct error *err)
{
    struct rbac_reason why;
    return allowed(ctx, me, matter, decision, &why, err);
}

static void write_decision(const struct approver *me, const struct matter *matter,
                           const struct decision *decision, const char *rule)
{
    void *tmp = talloc_new(NULL);
    const struct person *person = me->person;
    cJSON *groups = json_array(tmp);
    for (int i = 0; person->groups[i]; i++)
        cJSON_AddItemToArray(groups, cJSON_CreateString(person->groups[i]));
    db_send(me->db,
            "INSERT INTO decisions (environment, card, revision, workspace, user_id, user_name,"
            " word, reason, rule, groups, mail)"
            " VALUES ($1::bigint, $2, $3::integer, $4, $5, $6, $7, $8, $9,"
            "  ARRAY(SELECT jsonb_array_elements_text($10::jsonb)), $11)",
            P(talloc_asprintf(tmp, "%" PRId64, matter->env->id), matter->card,
              talloc_asprintf(tmp, "%d", matter->revision), person->workspace, person->id,
              person->name, decision->word == DECISION_APPROVE ? "approve" : "deny",
              decision->reason, rule, json_text(tmp, groups), person->mail));
    talloc_free(tmp);
}

/* votes: with the deciding one; NULL for a deny, which needs no other. */
static bool take(const void *ctx, const struct approver *me, struct matter *matter,
                 const struct decision *decision, const struct votes *votes, const char **answer,
                 struct error *err)
{
    const struct person *person = me->person;
    cJSON *part = json_object(ctx), *extra = json_object(ctx);
    json_set_string(part, "word", votes ? "approved" : "denied");
    json_set_string(part, "by", person->name);
    json_set_format(part, "mention", "<@%s>", person->id);
    json_set_string(part, "reason", decision->reason);
    json_set_string(extra, "by", person->name);
    json_set_format(extra, "by_mention", "<@%s>", person->id);
    json_set_string(extra, "decision_reason", decision->reason);
    return matter->acts->take(ctx, me->db, matter, votes != NULL,
                              votes_tally(ctx, matter->tally, votes, part), me->actor, extra,
                              answer, err);
}

/* A change of the votes that does not decide. */
static void keep(const void *ctx, const struct approver *me, struct matter *matter,
                 const struct votes *votes, const char *event)
{
    const struct environment *env = matter->env;
    matter->acts->keep(me->db, matter, votes_tally(ctx, matter->tally, votes, NULL));
    audit_add(me->db, me->actor, env->id, env->team, event, env->state, env->state, matter->tally);
}

bool decide(const void *ctx, const struct approver *me, struct matter *matter,
            const struct decision *decision, const char **answer, struct error *err)
{
    struct rbac_reason why = {0};
    if (!allowed(ctx, me, matter, decision, &why, err))
        return false;
    me->actor->rule = talloc_strdup(ctx, why.text);
    struct votes votes;
    const char *name = matter->env->name;
    if (!votes_read(ctx, me->db, matter, &votes, err))
        return false;
    const struct vote *own = votes_of(&votes, me->person);
    if (decision->word == DECISION_DENY) {
        if (own) /* they think otherwise now */
            votes_take_back(ctx, me->db, matter, &votes, own);
        write_decision(me, matter, decision, why.text);
        return take(ctx, me, matter, decision, NULL, answer, err);
    }
    if (own)
        return error_set(err, ERROR_CONFLICT,
                         "You have approved %s already; still needed: %s. Until it is decided you "
                         "can take that back with the button on its card, or `%s takeback %s`.",
                         name, votes.needed, view_command, name);
    write_decision(me, matter, decision, why.text);
    votes_add(ctx, matter, &votes, me->person);
    if (votes.missing.all == 0)
        return take(ctx, me, matter, decision, &votes, answer, err);
    keep(ctx, me, matter, &votes, "vote");
    *answer = talloc_asprintf(ctx,
                              "Your approval of %s is counted. Still needed: %s. Until it is "
                              "decided you can take it back with the button on the card, or `%s "
                              "takeback %s`.",
                              name, votes.needed, view_command, name);
    return true;
}

bool decision_take_back(const void *ctx, const struct approver *me, struct matter *matter,
                        int revision, const char **answer, struct error *err)
{
    const char *name = matter->env->name;
    struct votes votes;
    if (!is_open(ctx, me, matter, revision, err)) {
        char *over = talloc_strdup(ctx, err->text);
        return matter->open ? false
                            : error_set(err, err->code,
                                        "%s After a decision no vote can be taken back.", over);
    }
    if (!votes_read(ctx, me->db, matter, &votes, err))
        return false;
    const struct vote *own = votes_of(&votes, me->person);
    if (!own && !may_approve(me, matter, me->person, NULL))
        return not_an_approver(matter, err);
    if (!own)
        return error_set(err, ERROR_CONFLICT,
                         "You have not approved %s, so there is nothing to take back.", name);
    votes_take_back(ctx, me->db, matter, &votes, own);
    keep(ctx, me, matter, &votes, "vote-taken-back");
    *answer = talloc_asprintf(ctx, "Your approval of %s is taken back. Needed now: %s.", name,
                              json_string_or_empty(matter->tally, "needed"));
    return true;
}
