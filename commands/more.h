/* More time or more nodes than may be had without another approval: a change request, which is
   voted on like a request (approvals/decide.h) while the environment stays as it is. */
#ifndef COMMANDS_MORE_H
#define COMMANDS_MORE_H

#include "approvals/matter.h"
#include "commands/call.h"

struct more {
    const char *kind; /* "extend" or "scale" */
    int64_t wanted;   /* seconds more, or so many nodes */
    const char *reason;
};

/* Whether it takes a vote: it goes beyond ttl.max or the bound of the parameter nodes, or nobody
   has approved the environment and somebody would have had to with so much. */
bool more_takes_vote(struct call *call, const struct environment *env, const struct more *more,
                     bool *out, struct error *err);

/* Outside of a transaction, where the environment is what words[0] or the value says: when it takes
   a vote, whether anybody could give it, which call->prepared says to more_ask(). */
bool more_prepare(struct call *call, const struct more *more, struct error *err);

/* Asks for it: the environment is locked, more_prepare() went before. use: with the team's row
   locked; for more nodes alone. */
bool more_ask(struct call *call, struct environment *env, const struct more *more,
              const struct team_use *use, struct error *err);

/* What is voted on, its environment locked after its team. ERROR_NOT_FOUND when that environment
   has no such change request. */
bool more_matter(struct call *call, int64_t environment, int64_t change, struct matter *out,
                 struct error *err);

/* Takes the open one back, if there is one: *done. Who asked for it may, who owns the environment,
   and who may delete it. The environment is locked. */
bool more_withdraw(struct call *call, const struct environment *env, bool *done, struct error *err);

#endif
