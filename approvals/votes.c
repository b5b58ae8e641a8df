#include "approvals/votes.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

static void count(const void *ctx, const struct matter *matter, struct votes *votes)
{
    struct policy_count sum = {0};
    votes->count = 0;
    for (int i = 0; i < votes->standing; i++) {
        if (votes->items[i].lost)
            continue;
        votes->count++;
        policy_add(&matter->policy, &sum, votes->items[i].person->groups);
    }
    votes->missing = policy_missing(&matter->policy, &sum);
    votes->needed = policy_missing_text(ctx, &matter->policy, &votes->missing);
}

/* Whether the person's word counts on the matter; else *why, to be said after their name. */
static bool is_valid(const struct matter *matter, const struct rbac *rules,
                     const struct person *person, struct rbac_reason *rule, const char **why)
{
    const struct environment *env = matter->env;
    if (person->guest || person->bot || person->deleted || person->stranger)
        *why = "is no full member of this workspace any more";
    else if (!people_may(rules, person, "approve", "environments", env->team, env->template, rule))
        *why = "is not named as an approver any more";
    else if (!matter->policy.self && matter_is_own(matter, person))
        *why = "is who asks for it";
    else
        return true;
    return false;
}

/* Judges the last one as if it was given now. */
static void judge(const void *ctx, const struct matter *matter, const struct rbac *rules,
                  struct voters *voters, struct votes *votes)
{
    struct vote *vote = &votes->items[votes->standing - 1];
    struct rbac_reason rule = {0};
    const char *why = "is not known yet";
    vote->person = voters ? voters_find(voters, vote->workspace, vote->user) : NULL;
    bool valid = vote->person && is_valid(matter, rules, vote->person, &rule, &why);
    for (int i = 0; valid && i < votes->standing - 1; i++) {
        const struct vote *other = &votes->items[i];
        valid = other->lost || !people_same(vote->person, other->person->workspace,
                                            other->person->id, other->person->mail);
        why = valid ? why : talloc_asprintf(ctx, "is the same person as <@%s>", other->user);
    }
    vote->rule = talloc_strdup(ctx, rule.text);
    vote->lost = valid ? NULL : talloc_asprintf(ctx, "<@%s> %s", vote->user, why);
}

bool votes_read(const void *ctx, struct db *db, const struct matter *matter,
                const struct rbac *rules, struct voters *voters, struct votes *out,
                struct error *err)
{
    void *tmp = talloc_new(NULL);
    *out = (struct votes){0};
    struct rows *rows =
        db_query(tmp, db, err,
                 "SELECT id, workspace, user_id, user_name, mail FROM decisions"
                 " WHERE environment = $1::bigint AND card = $2 AND revision = $3::integer"
                 " AND word = 'approve' AND taken_back_at IS NULL"
                 " AND (digest IS NULL OR digest = $4) ORDER BY id",
                 P(talloc_asprintf(tmp, "%" PRId64, matter->env->id), matter->card,
                   talloc_asprintf(tmp, "%d", matter->revision),
                   matter->presented ? matter->presented : matter->digest));
    for (int i = 0; rows && i < rows_count(rows); i++) {
        out->items = talloc_realloc(ctx, out->items, struct vote, (unsigned)i + 1);
        out->items[out->standing++] =
            (struct vote){.id = rows_integer(rows, i, "id", 0),
                          .workspace = rows_copy(ctx, rows, i, "workspace"),
                          .user = rows_copy(ctx, rows, i, "user_id"),
                          .name = rows_copy(ctx, rows, i, "user_name"),
                          .mail = rows_copy(ctx, rows, i, "mail")};
        judge(ctx, matter, rules, voters, out);
    }
    bool ok = rows != NULL;
    talloc_free(tmp);
    count(ctx, matter, out);
    return ok;
}

const struct vote *votes_of(const struct votes *votes, const struct person *person)
{
    const struct vote *lost = NULL;
    for (int i = 0; i < votes->standing; i++) {
        const struct vote *vote = &votes->items[i];
        if (!people_same(person, vote->workspace, vote->user, vote->mail))
            continue;
        if (!vote->lost)
            return vote;
        lost = vote;
    }
    return lost;
}

void votes_add(const void *ctx, const struct matter *matter, struct votes *votes,
               const struct person *person, const char *rule)
{
    votes->items = talloc_realloc(ctx, votes->items, struct vote, (unsigned)votes->standing + 1);
    votes->items[votes->standing++] = (struct vote){.workspace = person->workspace,
                                                    .user = person->id,
                                                    .name = person->name,
                                                    .mail = person->mail,
                                                    .person = person,
                                                    .rule = rule};
    count(ctx, matter, votes);
}

void votes_take_back(const void *ctx, struct db *db, const struct matter *matter,
                     struct votes *votes, const struct vote *vote)
{
    db_send(db,
            "UPDATE decisions SET word = 'taken-back', taken_back_at = now() WHERE id = $1::bigint",
            P(talloc_asprintf(ctx, "%" PRId64, vote->id)));
    int at = (int)(vote - votes->items);
    memmove(&votes->items[at], &votes->items[at + 1],
            (size_t)(votes->standing - at - 1) * sizeof *votes->items);
    votes->standing--;
    count(ctx, matter, votes);
}

char *votes_mentions(const void *ctx, const struct votes *votes)
{
    const char **list = talloc_zero_array(ctx, const char *, (unsigned)votes->standing + 1);
    for (int i = 0; i < votes->standing; i++)
        list[i] = talloc_asprintf(list, "<@%s>", votes->items[i].user);
    return text_list(ctx, list, (size_t)votes->standing, "and");
}

char *votes_lost(const void *ctx, const struct votes *votes)
{
    const char **list = talloc_zero_array(ctx, const char *, (unsigned)votes->standing + 1);
    size_t lost = 0;
    for (int i = 0; i < votes->standing; i++)
        if (votes->items[i].lost)
            list[lost++] = votes->items[i].lost;
    return lost ? talloc_asprintf(ctx, " Not counted any more: %s.",
                                  text_list(ctx, list, lost, "and"))
                : talloc_strdup(ctx, "");
}

/* "1 of 2: <@U0APPR> ✓, one of @security still needed" */
static char *counted(const void *ctx, const struct votes *votes)
{
    int all = votes->count + votes->missing.all;
    char *words = talloc_asprintf(ctx, "%d of %d:", votes->count, all);
    for (int i = 0, shown = 0; i < votes->standing; i++)
        if (!votes->items[i].lost)
            words = talloc_asprintf_append(words, "%s <@%s> ✓", shown++ ? "," : "",
                                           votes->items[i].user);
    if (votes->missing.all)
        words = talloc_asprintf_append(words, ", %s still needed", votes->needed);
    return words;
}

cJSON *votes_tally(const void *ctx, const cJSON *before, const struct votes *votes,
                   const cJSON *decision)
{
    cJSON *tally = json_object(ctx), *names = cJSON_CreateArray();
    const char *who = json_string(before, "who");
    if (!who) /* written by an older envbot */
        who = json_at(before, "votes.0") ? "" : json_string_or_empty(before, "needed");
    const char *needed = decision ? "" : votes ? votes->needed : who;
    int given = votes ? votes->count : 0, standing = votes ? votes->standing : 0;
    const char *words = "";
    if (given && (!decision || given + votes->missing.all > 1))
        words = counted(ctx, votes);
    else if (!decision)
        words = talloc_asprintf(ctx, "Waiting for %s", needed = *who ? who : needed);
    for (int i = 0; votes && i < standing; i++)
        if (!votes->items[i].lost)
            cJSON_AddItemToArray(names, cJSON_CreateString(votes->items[i].name));
    const cJSON *quota = json_at(before, "quota");
    json_set_string(tally, "who", who);
    json_set_string(tally, "changed", json_string_or_empty(before, "changed"));
    json_set_string(tally, "needed", needed);
    json_set_string(tally, "words", words);
    json_set_format(tally, "line", *words ? "%s." : "%s", words);
    json_set(tally, "votes", names);
    json_set_bool(tally, "any", standing > 0);
    json_set(tally, "quota", quota ? cJSON_Duplicate(quota, true) : cJSON_CreateNull());
    json_set(tally, "decision", decision ? cJSON_Duplicate(decision, true) : cJSON_CreateNull());
    return tally;
}

cJSON *votes_none(const void *ctx, const char *who, const cJSON *quota)
{
    cJSON *before = json_object(ctx);
    json_set_string(before, "who", who);
    if (quota)
        json_set(before, "quota", cJSON_Duplicate(quota, true));
    return votes_tally(ctx, before, NULL, NULL);
}
