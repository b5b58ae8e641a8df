/* The review after the glass was broken: Seen and End it. */
#include "commands/commands.h"

#include "approvals/glass.h"

static bool review(struct call *call, enum glass_word word, struct error *err)
{
    struct environment *env;
    const char *words;
    if (!call_environment_by_value(call, ENVIRONMENT_LOCK, &env, err) ||
        !glass_review(call, call->db, call->rules, call->person, &call->actor, env, word, &words,
                      err))
        return false;
    answer(call, words);
    return true;
}

bool seen_click(struct call *call, struct error *err)
{
    return review(call, GLASS_SEEN, err);
}

bool end_click(struct call *call, struct error *err)
{
    return review(call, GLASS_END, err);
}
