#include "approvals/matter.h"

#include "approvals/votes.h"
#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"
#include "lifecycle/waiting.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

/* "3 min ago", and for what is fresher than a look at the screen "a moment ago". */
static const char *ago(const void *ctx, const struct environment *env, time_t at)
{
    int64_t since = at ? env->now - at : 0;
    return since < 5 ? "a moment ago" : talloc_asprintf(ctx, "%s ago", duration_text(ctx, since));
}

static void tell_over(const void *ctx, const struct matter *matter, const struct person *person,
                      struct error *err)
{
    const struct environment *env = matter->env;
    const char *word = json_string(env->tally, "decision.word");
    const char *by = json_string(env->tally, "decision.by");
    const char *mention = json_string_or_empty(env->tally, "decision.mention");
    if (word && by && strcmp(mention, talloc_asprintf(ctx, "<@%s>", person->id)) == 0)
        error_set(err, ERROR_CONFLICT,
                  "You have %s %s already, %s. That stands; nothing more was done.", word,
                  env->name, ago(ctx, env, env->decided_at));
    else if (word && by)
        error_set(err, ERROR_CONFLICT, "%s was already %s by %s, %s, so nothing was changed.",
                  env->name, word, text_mrkdwn(ctx, by), ago(ctx, env, env->decided_at));
    else if (strcmp(env->state, "withdrawn") == 0)
        error_set(err, ERROR_CONFLICT,
                  "The request for %s was taken back %s, before anybody had decided, so "
                  "nothing was changed.",
                  env->name, ago(ctx, env, env->ended_at));
    else if (strcmp(env->state, "lapsed") == 0)
        error_set(err, ERROR_CONFLICT,
                  "The request for %s lapsed %s: nobody had decided in time. It has to be "
                  "asked for anew, so nothing was changed.",
                  env->name, ago(ctx, env, env->ended_at));
    else
        error_set(err, ERROR_CONFLICT, "%s needed no approval; it is %s. Nothing was changed.",
                  env->name, env->state);
}

const char *matter_hash(const void *ctx, const cJSON *all)
{
    char *text = json_sorted_text(ctx, all);
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text, strlen(text), hash);
    talloc_free(text);
    char *hex = talloc_size(ctx, 2 * sizeof hash + 1);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    return hex;
}

const char *matter_digest(const struct environment *env)
{
    cJSON *all = json_object(env);
    json_set_string(all, "owner_workspace", env->owner_workspace);
    json_set_string(all, "owner", env->owner_id);
    json_set_string(all, "owner_name", env->owner_name);
    json_set_string(all, "owner_mail", env->owner_mail);
    json_set_string(all, "team", env->team);
    json_set_string(all, "name", env->name);
    json_set_string(all, "cluster", env->cluster);
    json_set_string(all, "region", env->region);
    json_set_string(all, "template", env->template);
    json_set_number(all, "ttl_seconds", (double)env->ttl_seconds);
    json_set_string(all, "reason", env->reason);
    json_set(all, "parameters", cJSON_Duplicate(env->parameters, true));
    json_set(all, "template_copy", cJSON_Duplicate(env->template_copy, true));
    return matter_hash(env, all);
}

bool matter_is_own(const struct matter *matter, const struct person *person)
{
    const struct environment *env = matter->env;
    const struct change_request *change = matter->change;
    return people_same(person, env->owner_workspace, env->owner_id, env->owner_mail) ||
           (change && people_same(person, change->workspace, change->user, change->mail));
}

bool matter_is_stale(const struct matter *matter)
{
    return matter->presented && strcmp(matter->presented, matter->digest) != 0;
}

static void present(struct db *db, struct matter *matter)
{
    struct environment *env = matter->env;
    bool known = matter->presented != NULL;
    matter->presented = env->presented = matter->digest;
    if (known) {
        matter->revision = ++env->revision;
        env->tally = votes_tally(env, env->tally, NULL, NULL);
        matter->tally = env->tally;
        say_redraw(db, env, "message");
        waiting_redraw(db, env, NULL);
    }
    db_send(db,
            "UPDATE environments SET presented = $2, revision = $3::integer, tally = $4::jsonb"
            " WHERE id = $1::bigint",
            P(talloc_asprintf(env, "%" PRId64, env->id), env->presented,
              talloc_asprintf(env, "%d", env->revision),
              env->tally ? json_text(env, env->tally) : NULL));
}

static void keep(struct db *db, struct matter *matter, const cJSON *tally)
{
    struct environment *env = matter->env;
    matter->tally = env->tally = json_own(env, cJSON_Duplicate(tally, true));
    db_send(db, "UPDATE environments SET tally = $2::jsonb WHERE id = $1",
            P(talloc_asprintf(env, "%" PRId64, env->id), json_text(env, env->tally)));
    say_redraw(db, env, "message");
    waiting_redraw(db, env, NULL);
}

static bool take(const void *ctx, struct db *db, struct matter *matter, bool approved,
                 const cJSON *tally, const struct audit_actor *actor, const cJSON *extra,
                 const char **answer, struct error *err)
{
    struct environment *env = matter->env;
    matter->tally = env->tally = json_own(env, cJSON_Duplicate(tally, true));
    if (!approved)
        env->cause = talloc_strdup(env, json_string_or_empty(extra, "decision_reason"));
    *answer = talloc_asprintf(ctx,
                              approved ? "You approved %s. It goes ahead."
                                       : "You denied %s. The requester is told why.",
                              env->name);
    return lifecycle_take(db, env, approved ? EVENT_APPROVE : EVENT_DENY, actor, extra, err);
}

struct matter matter_request(struct environment *env)
{
    static const struct matter_acts acts = {tell_over, present, keep, take};
    return (struct matter){.env = env,
                           .card = "card",
                           .revision = env->revision,
                           .digest = matter_digest(env),
                           .presented = env->presented,
                           .policy = policy_read(env->template_copy),
                           .open = strcmp(env->state, "pending") == 0,
                           .tally = env->tally,
                           .acts = &acts};
}
