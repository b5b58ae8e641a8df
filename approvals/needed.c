#include "approvals/needed.h"

#include "approvals/decide.h"
#include "approvals/votes.h"
#include "base/log.h"
#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"
#include "lifecycle/waiting.h"
#include "store/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

enum {
    MENTIONS_MOST = 8,
    REST_S = 10,     /* an answer that does not come costs the clock seconds */
    PATIENCE_S = 300 /* with a reminder, while Slack cannot tell who is needed */
};

static int64_t monotonic_ms(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static int64_t monotonic_s(void)
{
    return monotonic_ms() / 1000;
}

/* Whether Slack may be asked; when it could not answer just now, not. */
static bool may_ask(const struct needed *needed)
{
    return monotonic_s() >= needed->rests_until;
}

static bool unanswered(struct needed *needed, const struct environment *env,
                       const struct error *why)
{
    needed->rests_until = monotonic_s() + REST_S;
    log_info("who could approve it is not known now", "env", env->cluster, "error", why->text);
    return false;
}

/* ---- what waits ---- */

static struct matter matter_of(const struct needed *needed, struct environment *env,
                               struct change_request *change)
{
    return change ? matter_change(env, change, &needed->change) : matter_request(env);
}

/* The one of a row {environment, change (NULL: the request)}; out->env NULL: it is over, or
   somebody else works on it. lock: in a transaction, its environment's row is locked. */
static bool read_matter(void *ctx, const struct needed *needed, const struct rows *rows, int row,
                        bool lock, struct matter *out, struct error *err)
{
    struct change_request *change = NULL;
    int64_t id = rows_integer(rows, row, "environment", 0),
            number = rows_integer(rows, row, "change", 0);
    *out = (struct matter){0};
    struct rows *found =
        db_query(ctx, needed->db, err,
                 lock ? "SELECT " ENVIRONMENT_COLUMNS " FROM environments e WHERE e.id = $1::bigint"
                        " FOR UPDATE SKIP LOCKED"
                      : "SELECT " ENVIRONMENT_COLUMNS " FROM environments e"
                        " WHERE e.id = $1::bigint",
                 P(text_number(ctx, id)));
    if (!found || rows_count(found) == 0)
        return found != NULL;
    struct environment *env = environment_from_row(ctx, found, 0);
    if (number && (!change_request_by_id(ctx, needed->db, number, &change, err) || !change))
        return !number || change;
    struct matter matter = matter_of(needed, env, change);
    if (matter.open)
        *out = matter;
    return true;
}

/* Who that is as the rules know them; where Slack cannot tell, by what a row says of them. */
static const struct person *person_of(const void *ctx, const struct needed *needed,
                                      const char *workspace, const char *id, const char *name,
                                      const char *mail)
{
    struct error err = {0};
    struct person *person;
    if (people_find(ctx, needed->people, needed->web, workspace, id, PEOPLE_RECENT, &person, &err))
        return person;
    person = talloc_zero(ctx, struct person);
    person->workspace = workspace;
    person->id = id;
    person->name = name;
    person->mail = mail;
    person->rbac_user = talloc_asprintf(person, "slack:%s", id);
    person->groups = talloc_zero_array(person, const char *, 1);
    return person;
}

static struct policy_question question_of(const void *ctx, const struct needed *needed,
                                          const struct matter *matter)
{
    const struct environment *env = matter->env;
    const struct change_request *change = matter->change;
    struct policy_question question = {.rules = needed->rules,
                                       .people = needed->people,
                                       .web = needed->web,
                                       .policy = &matter->policy,
                                       .team = env->team,
                                       .template = env->template};
    question.requesters[0] = person_of(ctx, needed, env->owner_workspace, env->owner_id,
                                       env->owner_name, env->owner_mail);
    if (change)
        question.requesters[1] =
            person_of(ctx, needed, change->workspace, change->user, change->name, change->mail);
    return question;
}

static bool is_among(const char *const *list, const char *id)
{
    for (; list && *list; list++)
        if (strcmp(*list, id) == 0)
            return true;
    return false;
}

/* ---- reminders ---- */

/* Who could give a vote, of which of the policy's groups they are, and who those are that have. */
struct candidates {
    struct voters *voters;
    const char **approvers;
    const char ***members; /* of each of policy.groups, in its order; NULL: cannot be told */
};

/* Asks who those are now whose votes stand. */
static bool find_voters(const void *ctx, const struct needed *needed, const struct matter *matter,
                        struct voters **out, struct error *err)
{
    struct votes votes;
    *out = voters_new(ctx);
    return votes_read(ctx, needed->db, matter, needed->rules, *out, &votes, err) &&
           voters_ask(*out, needed->people, needed->web, 0, err);
}

static bool find_candidates(const void *ctx, const struct needed *needed,
                            const struct matter *matter, struct candidates *out, struct error *err)
{
    const struct policy *policy = &matter->policy;
    const struct policy_question question = question_of(ctx, needed, matter);
    *out = (struct candidates){0};
    if (!find_voters(ctx, needed, matter, &out->voters, err) ||
        !policy_approvers(ctx, &question, &out->approvers, err))
        return false;
    int count = cJSON_GetArraySize(policy->groups), i = 0;
    const char ***members = talloc_zero_array(ctx, const char **, (unsigned)count + 1);
    const cJSON *group;
    cJSON_ArrayForEach (group, policy->groups)
        if (!people_of_group(ctx, needed->people, needed->web, group->string, &members[i++], err))
            return false;
    out->members = members;
    return true;
}

static bool has_voted(const struct votes *votes, const char *id)
{
    for (int i = 0; i < votes->standing; i++)
        if (strcmp(votes->items[i].user, id) == 0 && !votes->items[i].lost)
            return true;
    return false;
}

/* Whether this one's vote is wanted. When the groups' votes make up the number, only theirs are. */
static bool is_wanted(const struct candidates *all, const struct votes *votes, const char *id)
{
    if (has_voted(votes, id))
        return false;
    if (votes->missing.others)
        return true;
    for (int i = 0; i < POLICY_GROUPS_MOST && all->members && all->members[i]; i++)
        if (votes->missing.members[i] && is_among(all->members[i], id))
            return true;
    return false;
}

static const char *mention(const void *ctx, const char *id)
{
    return *id == 'U' || *id == 'W' ? talloc_asprintf(ctx, "<@%s>", id) : text_mrkdwn(ctx, id);
}

/* "<@U0A>, <@U0B> and 3 others: ", or "" when nobody is known by name. */
static const char *names_of(const void *ctx, const struct candidates *all,
                            const struct votes *votes)
{
    const char *shown[MENTIONS_MOST + 1];
    size_t count = 0, more = 0;
    for (const char **id = all->approvers; id && *id; id++) {
        if (!is_wanted(all, votes, *id))
            continue;
        if (count < MENTIONS_MOST)
            shown[count++] = mention(ctx, *id);
        else
            more++;
    }
    if (more)
        shown[count++] = text_count(ctx, (long)more, "other", "others");
    return count ? talloc_asprintf(ctx, "%s: ", text_list(ctx, shown, count, "and")) : "";
}

/* Whether it is somebody whose vote would count, as far as Slack tells. */
static bool can_vote(const void *ctx, const struct needed *needed, const struct matter *matter,
                     const char *id)
{
    const struct environment *env = matter->env;
    struct person *person;
    struct error err = {0};
    if (!people_find(ctx, needed->people, needed->web, env->owner_workspace, id, PEOPLE_RECENT,
                     &person, &err))
        return err.code == ERROR_UNAVAILABLE;
    return people_may(needed->rules, person, "approve", "environments", env->team, env->template,
                      NULL) &&
           (matter->policy.self || !matter_is_own(matter, person));
}

bool needed_names(const void *ctx, const struct needed *needed, const struct matter *matter,
                  const char **names, struct error *err)
{
    enum { NAMED_MOST = 10 };
    struct candidates all;
    struct votes votes;
    const char *shown[NAMED_MOST + 1];
    size_t count = 0, more = 0;
    int64_t until = monotonic_ms() + people_less_patience(needed->people);
    *names = "";
    if (!find_candidates(ctx, needed, matter, &all, err) ||
        !votes_read(ctx, needed->db, matter, needed->rules, all.voters, &votes, err))
        return false;
    for (const char **id = all.approvers; id && *id; id++) {
        bool asks = count < NAMED_MOST && (**id == 'U' || **id == 'W') && monotonic_ms() < until;
        if (has_voted(&votes, *id) || (asks && !can_vote(ctx, needed, matter, *id)))
            continue;
        if (count < NAMED_MOST)
            shown[count++] = mention(ctx, *id);
        else
            more++;
    }
    if (more)
        shown[count++] = text_count(ctx, (long)more, "other", "others");
    if (count)
        *names = text_list(ctx, shown, count, "and");
    return true;
}

/* The transaction of one reminder; nothing when another process gives it or it was decided. */
static bool remind(void *ctx, const struct needed *needed, const struct rows *rows, int row,
                   const struct candidates *all, bool *done, struct error *err)
{
    struct matter matter = {0};
    struct votes votes;
    const char *anew;
    *done = false;
    if (!db_begin(needed->db, DB_READ_WRITE, err))
        return false;
    bool read = read_matter(ctx, needed, rows, row, true, &matter, err);
    if (!read || !matter.env ||
        !decision_settle(ctx, needed->db, &AUDIT_ENVBOT, &matter, &anew, err) ||
        !votes_read(ctx, needed->db, &matter, needed->rules, all->voters, &votes, err)) {
        db_rollback(needed->db);
        return read && !matter.env;
    }
    if (all->voters &&
        voters_open(all->voters)) { /* one voted meanwhile: the next look knows them */
        db_rollback(needed->db);
        return true;
    }
    *done = waiting_remind(needed->db, matter.env, matter.change, names_of(ctx, all, &votes));
    if (!db_commit(needed->db, err))
        return false;
    if (*done)
        log_info("reminded", "env", matter.env->cluster);
    return true;
}

/* Better a reminder that names nobody than none; better one that names them than one at once. */
static bool remind_one(void *ctx, struct needed *needed, const struct rows *rows, int row,
                       bool *done, struct error *err)
{
    struct matter matter;
    struct candidates all = {0};
    struct error why = {0};
    *done = false;
    if (!read_matter(ctx, needed, rows, row, false, &matter, err))
        return false;
    if (!matter.env)
        return true;
    const struct waiting waiting = waiting_of(matter.env, matter.change);
    bool known = may_ask(needed) && (find_candidates(ctx, needed, &matter, &all, &why) ||
                                     unanswered(needed, matter.env, &why));
    time_t since = waiting.now - waiting_remind_at(&waiting, &lifecycle_rules);
    return (!known && since < PATIENCE_S) || remind(ctx, needed, rows, row, &all, done, err);
}

bool needed_remind(struct needed *needed, int *taken, struct error *err)
{
    void *ctx = talloc_new(NULL);
    *taken = 0;
    struct rows *rows = db_query(ctx, needed->db, err,
                                 "SELECT e.id AS environment, NULL::bigint AS change, e.remind_at"
                                 " FROM environments e"
                                 " WHERE e.state = 'pending' AND e.remind_at <= now()"
                                 " UNION ALL SELECT c.environment, c.id, c.remind_at"
                                 " FROM change_requests c"
                                 " WHERE c.state = 'pending' AND c.remind_at <= now()"
                                 " ORDER BY remind_at LIMIT 20",
                                 P0);
    bool ok = rows != NULL;
    for (int i = 0; ok && i < rows_count(rows); i++) {
        bool done;
        ok = remind_one(ctx, needed, rows, i, &done, err);
        *taken += done;
    }
    talloc_free(ctx);
    return ok;
}

/* ---- can anybody? ---- */

static void tell_gap(struct db *db, const struct matter *matter, const struct needed *needed,
                     const struct policy_gap *gap)
{
    const struct environment *env = matter->env;
    cJSON *extra = json_object(env);
    json_set_string(extra, "missing", gap->missing);
    json_set_string(extra, "remedy", gap->remedy);
    cJSON *detail = json_object(env);
    json_set_string(detail, "missing", gap->missing);
    json_set_string(detail, "rules", rbac_version(needed->rules));
    audit_add(db, &AUDIT_ENVBOT, env->id, env->team, "nobody-can-approve", env->state, env->state,
              detail);
    waiting_tell_requester(db, env, matter->change, "nobody", extra);
    say(db, env, "operators", "nobody-operators", waiting_values(env, env, matter->change, extra));
}

/* Notes the look, once the matter is found to wait still; *told: of this gap it is to be told now,
   which is noted too. An environment has one matter that waits, so a row of it says of which. */
static bool note_look(void *ctx, const struct needed *needed, const struct matter *matter, bool gap,
                      bool *told, struct error *err)
{
    struct rows *rows = db_query(
        ctx, needed->db, err,
        "WITH before AS (SELECT told FROM looks WHERE environment = $1::bigint AND card = $4),"
        " news AS (SELECT $3::boolean AND NOT EXISTS (SELECT FROM before"
        "  WHERE $2::text = ANY (told)) AS told)"
        "INSERT INTO looks (environment, rules, told, card) SELECT $1::bigint, $2::text,"
        "  CASE WHEN news.told THEN ARRAY[$2::text] ELSE '{}' END, $4 FROM news"
        " ON CONFLICT (environment) DO UPDATE SET looked_at = now(), rules = excluded.rules,"
        "  card = excluded.card, told = CASE WHEN looks.card = excluded.card"
        "   THEN looks.told || excluded.told ELSE excluded.told END"
        " RETURNING (SELECT told FROM news) AS told",
        P(text_number(ctx, matter->env->id), rbac_version(needed->rules), gap ? "t" : "f",
          matter->card));
    if (rows)
        *told = rows_true(rows, 0, "told");
    return rows != NULL;
}

/* The transaction of one look; nothing when another process is at it or it was decided. */
static bool write_look(void *ctx, const struct needed *needed, const struct rows *rows, int row,
                       struct voters *voters, const struct policy_gap *gap, bool *told,
                       struct error *err)
{
    struct matter matter = {0};
    const char *anew;
    if (!db_begin(needed->db, DB_READ_WRITE, err))
        return false;
    bool read = read_matter(ctx, needed, rows, row, true, &matter, err);
    if (!read || !matter.env ||
        !decision_settle(ctx, needed->db, &AUDIT_ENVBOT, &matter, &anew, err) ||
        (rbac_can_name(needed->rules) &&
         !decision_recount(ctx, needed->db, needed->rules, voters, &matter, err)) ||
        !note_look(ctx, needed, &matter, gap->missing != NULL, told, err)) {
        db_rollback(needed->db);
        return read && !matter.env;
    }
    if (*told)
        tell_gap(needed->db, &matter, needed, gap);
    if (!db_commit(needed->db, err))
        return false;
    if (*told)
        log_warn("nobody can approve what waits", "env", matter.env->cluster, "card", matter.card,
                 "missing", gap->missing);
    return true;
}

static bool check_one(void *ctx, struct needed *needed, const struct rows *rows, int row,
                      bool *told, struct error *err)
{
    struct matter matter;
    struct voters *voters;
    struct policy_gap gap;
    struct error why = {0};
    const char *who;
    *told = false;
    if (!read_matter(ctx, needed, rows, row, false, &matter, err))
        return false;
    if (!matter.env)
        return true;
    const struct policy_question question = question_of(ctx, needed, &matter);
    if (find_voters(ctx, needed, &matter, &voters, &why) &&
        policy_look_for_gap(ctx, &question, &who, &gap, &why))
        return write_look(ctx, needed, rows, row, voters, &gap, told, err);
    unanswered(needed, matter.env, &why);
    return true;
}

bool needed_check(struct needed *needed, int *taken, struct error *err)
{
    void *ctx = talloc_new(NULL);
    *taken = 0;
    struct rows *rows = db_query(
        ctx, needed->db, err,
        "SELECT w.environment, w.change FROM"
        " (SELECT id AS environment, NULL::bigint AS change, 'card' AS card FROM environments"
        "   WHERE state = 'pending'"
        "  UNION ALL SELECT environment, id, 'change-' || id FROM change_requests"
        "   WHERE state = 'pending') w"
        " LEFT JOIN looks l ON l.environment = w.environment AND l.card = w.card"
        " WHERE l.rules IS DISTINCT FROM $1 OR l.looked_at < now() - interval '3 minutes'"
        " ORDER BY l.looked_at NULLS FIRST LIMIT 20",
        P(rbac_version(needed->rules)));
    bool ok = rows != NULL;
    for (int i = 0; ok && may_ask(needed) && i < rows_count(rows); i++) {
        bool told;
        ok = check_one(ctx, needed, rows, i, &told, err);
        *taken += told;
    }
    talloc_free(ctx);
    return ok;
}
