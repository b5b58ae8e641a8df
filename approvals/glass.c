#include "approvals/glass.h"

#include "approvals/whom.h"
#include "base/duration.h"
#include "base/text.h"
#include "lifecycle/say.h"
#include "lifecycle/states.h"

#include <inttypes.h>
#include <string.h>
#include <talloc.h>

static const char *const words[] = {[GLASS_SEEN] = "seen", [GLASS_END] = "ended"};

/* What the one is told who comes too late. */
static bool already_said(const void *ctx, const struct environment *env,
                         const struct person *person, struct error *err)
{
    const char *word = json_string_or_empty(env->review, "word");
    const char *mention = json_string_or_empty(env->review, "mention");
    int64_t since = env->now - json_integer(env->review, "at", env->now);
    const char *ago =
        since < 5 ? "a moment ago" : talloc_asprintf(ctx, "%s ago", duration_text(ctx, since));
    if (strcmp(mention, talloc_asprintf(ctx, "<@%s>", person->id)) == 0)
        return error_set(err, ERROR_CONFLICT,
                         "You have %s %s already, %s. That stands; nothing more was done.", word,
                         env->name, ago);
    return error_set(err, ERROR_CONFLICT, "%s was already %s by %s, %s, so nothing was changed.",
                     env->name, word, text_mrkdwn(ctx, json_string_or_empty(env->review, "by")),
                     ago);
}

static bool allowed(const void *ctx, const struct rbac *rules, const struct person *person,
                    const struct environment *env, struct rbac_reason *why, struct error *err)
{
    if (!env->break_glass)
        return error_set(
            err, ERROR_CONFLICT,
            "Nobody broke the glass for %s, so there is nothing to review. Nothing was "
            "done.",
            env->name);
    if (!people_may(rules, person, "approve", "environments", env->team, env->template, why))
        return error_set(
            err, ERROR_DENIED,
            "The rules do not name you as an approver of %s environments in %s, so nothing was "
            "done. %s",
            env->template, env->team,
            whom_to_ask(ctx, rules, "approve", "environments", env->team, env->template));
    if (people_same(person, env->owner_workspace, env->owner_id, env->owner_mail))
        return error_set(err, ERROR_DENIED,
                         "Nobody reviews what they started themselves. Somebody else has to.");
    return !env->review || already_said(ctx, env, person, err);
}

static void write_review(const void *ctx, struct db *db, struct environment *env,
                         const struct person *person, const struct audit_actor *actor,
                         enum glass_word word)
{
    env->review = json_object(env);
    json_set_string(env->review, "word", words[word]);
    json_set_string(env->review, "by", person->name);
    json_set_format(env->review, "mention", "<@%s>", person->id);
    json_set_number(env->review, "at", (double)env->now);
    db_send(db, "UPDATE environments SET review = $2::jsonb WHERE id = $1",
            P(talloc_asprintf(ctx, "%" PRId64, env->id), json_text(ctx, env->review)));
    audit_add(db, actor, env->id, env->team, word == GLASS_END ? "review-end" : "review-seen",
              env->state, env->state, env->review);
}

bool glass_review(const void *ctx, struct db *db, const struct rbac *rules,
                  const struct person *person, struct audit_actor *actor, struct environment *env,
                  enum glass_word word, const char **answer, struct error *err)
{
    struct rbac_reason why = {0};
    if (!allowed(ctx, rules, person, env, &why, err))
        return false;
    actor->rule = talloc_strdup(ctx, why.text);
    cJSON *extra = json_object(ctx);
    json_set_string(extra, "by", person->name);
    json_set_format(extra, "by_mention", "<@%s>", person->id);
    if (word == GLASS_END)
        json_set_string(extra, "note",
                        "it was started by breaking the glass, and the review said no.");
    /* Its deletion is tried first: where that is not possible any more, nothing has been said. */
    if (word == GLASS_END && !lifecycle_take(db, env, EVENT_DELETE, actor, extra, err))
        return false;
    write_review(ctx, db, env, person, actor, word);
    say_redraw(db, env, "message");
    say_redraw(db, env, "review");
    *answer = talloc_asprintf(ctx,
                              word == GLASS_END
                                  ? "You ended %s. It is being deleted, and <@%s> is told."
                                  : "Noted: you have seen that %s was started without an "
                                    "approval, and it goes on. <@%s> sees that on its message.",
                              env->name, env->owner_id);
    return true;
}
