#include "approvals/decide.h"

#include "approvals/votes.h"
#include "approvals/whom.h"
#include "base/log.h"
#include "lifecycle/view.h"
#include "lifecycle/waiting.h"

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
    if ((revision && revision != matter->revision) || matter_is_stale(matter))
        return error_set(
            err, ERROR_CONFLICT,
            "%s was changed since this card was shown, so nothing was decided. Look at the "
            "new card.",
            matter->env->name);
    return true;
}

/* A copy of a card in another channel has its buttons, and they would work. */
static bool on_its_card(const void *ctx, const struct approver *me, const struct matter *matter,
                        struct error *err)
{
    if (!me->clicked)
        return true;
    const char *id = talloc_asprintf(ctx, "%" PRId64, matter->env->id);
    struct rows *rows = db_query(ctx, me->db, err,
                                 "SELECT channel, channel = $3 AND ts = $4 AS this FROM messages"
                                 " WHERE environment = $1::bigint"
                                 " AND place IN ($2, $2 || '-escalated') ORDER BY this DESC, place",
                                 P(id, matter->card, me->actor->channel, me->actor->message));
    if (!rows)
        return false;
    if (rows_count(rows) == 0)
        return error_set(err, ERROR_CONFLICT,
                         "The card of %s is only just being posted, so nothing was decided. Please "
                         "click again in a moment.",
                         matter->env->name);
    return rows_true(rows, 0, "this") ||
           error_set(
               err, ERROR_CONFLICT,
               "This is not the card of %s but a copy of it, so nothing was decided. The card "
               "itself stands in <#%s>.",
               matter->env->name, rows_text(rows, 0, "channel"));
}

static bool may_approve(const struct approver *me, const struct matter *matter,
                        const struct person *person, struct rbac_reason *why)
{
    return people_may(me->rules, person, "approve", "environments", matter->env->team,
                      matter->env->template, why);
}

static bool not_an_approver(const void *ctx, const struct approver *me, const struct matter *matter,
                            struct error *err)
{
    const struct environment *env = matter->env;
    return error_set(
        err, ERROR_DENIED,
        "The rules do not name you as an approver of %s environments in %s, so nothing was "
        "decided. %s",
        env->template, env->team,
        whom_to_ask(ctx, me->rules, "approve", "environments", env->team, env->template));
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
        return not_an_approver(ctx, me, matter, err);
    if (matter_is_own(matter, person) && !policy->self && decision->word == DECISION_APPROVE)
        return error_set(err, ERROR_DENIED,
                         "Nobody approves their own request. Somebody else has to.");
    if (!on_its_card(ctx, me, matter, err))
        return false;
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
            " word, reason, rule, groups, mail, digest, rules_version)"
            " VALUES ($1::bigint, $2, $3::integer, $4, $5, $6, $7, $8, $9,"
            "  ARRAY(SELECT jsonb_array_elements_text($10::jsonb)), $11, $12, $13)",
            P(talloc_asprintf(tmp, "%" PRId64, matter->env->id), matter->card,
              talloc_asprintf(tmp, "%d", matter->revision), person->workspace, person->id,
              person->name, decision->word == DECISION_APPROVE ? "approve" : "deny",
              decision->reason, rule, json_text(tmp, groups), person->mail, matter->digest,
              me->actor->rules_version));
    talloc_free(tmp);
}

/* What the audit says of a word besides who gave it. */
static void add_detail(cJSON *detail, const struct matter *matter, const struct votes *votes,
                       const struct decision *decision)
{
    json_set_number(detail, "revision", matter->revision);
    json_set_string(detail, "digest", matter->digest);
    if (decision)
        json_set_bool(detail, "code", matter->policy.code && decision->proved);
    cJSON *voters = cJSON_CreateArray();
    for (int i = 0; votes && i < votes->standing; i++) {
        const struct vote *vote = &votes->items[i];
        cJSON *each = cJSON_CreateObject();
        json_set_format(each, "user", "%s/%s", vote->workspace, vote->user);
        json_set_string(each, vote->lost ? "lost" : "rule", vote->lost ? vote->lost : vote->rule);
        cJSON_AddItemToArray(voters, each);
    }
    json_set(detail, "voters", voters);
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
    add_detail(extra, matter, votes, decision);
    return matter->acts->take(ctx, me->db, matter, votes != NULL,
                              votes_tally(ctx, matter->tally, votes, part), me->actor, extra,
                              answer, err);
}

/* A change of the votes that does not decide. decision NULL: one was taken back. */
static void keep(const void *ctx, const struct approver *me, struct matter *matter,
                 const struct votes *votes, const struct decision *decision)
{
    const struct environment *env = matter->env;
    cJSON *tally = votes_tally(ctx, matter->tally, votes, NULL);
    matter->acts->keep(me->db, matter, tally);
    cJSON *detail = json_own(ctx, cJSON_Duplicate(tally, true));
    add_detail(detail, matter, votes, decision);
    audit_add(me->db, me->actor, env->id, env->team, decision ? "vote" : "vote-taken-back",
              env->state, env->state, detail);
}

bool decision_settle(const void *ctx, struct db *db, const struct audit_actor *actor,
                     struct matter *matter, const char **words, struct error *err)
{
    const struct environment *env = matter->env;
    bool stale = matter_is_stale(matter);
    *words = NULL;
    if (!matter->open || (matter->presented && !stale))
        return true;
    struct votes votes;
    if (!votes_read(ctx, db, matter, NULL, NULL, &votes, err))
        return false;
    cJSON *detail = json_object(ctx);
    json_set_string(detail, "before", matter->presented);
    matter->acts->present(db, matter);
    if (!stale)
        return true;
    add_detail(detail, matter, NULL, NULL);
    const char *names = votes_mentions(ctx, &votes);
    json_set_string(detail, "names", names);
    audit_add(db, actor, env->id, env->team, "shown-anew", env->state, env->state, detail);
    if (votes.standing)
        waiting_tell_approvers(db, env, matter->change, "votes-void", detail);
    log_warn("a request is not what its cards showed; they are shown anew", "env", env->cluster);
    *words =
        talloc_asprintf(ctx,
                        "%s is not what this card showed any more, so nothing was decided. Its "
                        "card is shown anew: look at it there.",
                        env->name);
    return true;
}

bool decision_recount(const void *ctx, struct db *db, const struct rbac *rules,
                      struct voters *voters, struct matter *matter, struct error *err)
{
    const struct environment *env = matter->env;
    struct votes votes;
    if (!matter->open)
        return true;
    if (!votes_read(ctx, db, matter, rules, voters, &votes, err))
        return false;
    const char *before = json_string_or_empty(matter->tally, "words");
    cJSON *tally = votes_tally(ctx, matter->tally, &votes, NULL);
    if (!votes.standing || voters_open(voters) ||
        strcmp(before, json_string_or_empty(tally, "words")) == 0)
        return true;
    matter->acts->keep(db, matter, tally);
    cJSON *detail = json_own(ctx, cJSON_Duplicate(tally, true));
    add_detail(detail, matter, &votes, NULL);
    json_set_string(detail, "lost", votes_lost(ctx, &votes));
    audit_add(db, &AUDIT_ENVBOT, env->id, env->team, "votes-recounted", env->state, env->state,
              detail);
    return true;
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
    if (!votes_read(ctx, me->db, matter, me->rules, me->voters, &votes, err))
        return false;
    const struct vote *own = votes_of(&votes, me->person);
    if (decision->word == DECISION_DENY) {
        if (own) /* they think otherwise now */
            votes_take_back(ctx, me->db, matter, &votes, own);
        write_decision(me, matter, decision, why.text);
        return take(ctx, me, matter, decision, NULL, answer, err);
    }
    if (own && !own->lost && votes.missing.all)
        return error_set(err, ERROR_CONFLICT,
                         "You have approved %s already; still needed: %s. Until it is decided you "
                         "can take that back with the button on its card, or `%s takeback %s`.",
                         name, votes.needed, view_command, name);
    if (own) /* lost with another account of theirs; or it is enough now, as somebody may approve
                again who could not for a while */
        votes_take_back(ctx, me->db, matter, &votes, own);
    write_decision(me, matter, decision, why.text);
    votes_add(ctx, matter, &votes, me->person, me->actor->rule);
    if (votes.missing.all == 0)
        return take(ctx, me, matter, decision, &votes, answer, err);
    keep(ctx, me, matter, &votes, decision);
    *answer = talloc_asprintf(ctx,
                              "Your approval of %s is counted.%s Still needed: %s. Until it is "
                              "decided you can take it back with the button on the card, or `%s "
                              "takeback %s`.",
                              name, votes_lost(ctx, &votes), votes.needed, view_command, name);
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
    if (!votes_read(ctx, me->db, matter, me->rules, me->voters, &votes, err))
        return false;
    const struct vote *own = votes_of(&votes, me->person);
    if (!own && !may_approve(me, matter, me->person, NULL))
        return not_an_approver(ctx, me, matter, err);
    if (!on_its_card(ctx, me, matter, err))
        return false;
    if (!own)
        return error_set(err, ERROR_CONFLICT,
                         "You have not approved %s, so there is nothing to take back.", name);
    votes_take_back(ctx, me->db, matter, &votes, own);
    keep(ctx, me, matter, &votes, NULL);
    *answer = talloc_asprintf(ctx, "Your approval of %s is taken back. Needed now: %s.", name,
                              json_string_or_empty(matter->tally, "needed"));
    return true;
}
