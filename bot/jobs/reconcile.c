#include "jobs/reconcile.h"

/* Each cell: what is done at first, and what once this run has done that and it has come to this
   again. Waiting has no second thought: deadlines bound it. */
struct cell {
    enum action first, then;
};

/* clang-format off */
static const struct cell cells[INTENT_COUNT][SEEN_COUNT] = {
    [INTENT_CREATE] = {
        [SEEN_NOTHING]     = {ACTION_CREATE,     ACTION_GIVE_UP},
        [SEEN_IN_PROGRESS] = {ACTION_WAIT,       ACTION_WAIT},
        [SEEN_COMPLETE]    = {ACTION_READY,      ACTION_READY},
        [SEEN_FAILED]      = {ACTION_CLEAN,      ACTION_GIVE_UP},
        [SEEN_ROLLED_BACK] = {ACTION_CLEAN,      ACTION_GIVE_UP},
        [SEEN_DELETING]    = {ACTION_WAIT,       ACTION_WAIT},
        [SEEN_NO_GROUPS]   = {ACTION_ADD_GROUPS, ACTION_GIVE_UP},
        [SEEN_NO_ADDONS]   = {ACTION_ADD_ADDONS, ACTION_GIVE_UP},
        [SEEN_NO_CLUSTER]  = {ACTION_CLEAN,      ACTION_GIVE_UP},
        [SEEN_OTHER]       = {ACTION_READY,      ACTION_READY}, /* a creation asks for no size */
        [SEEN_FOREIGN]     = {ACTION_LEAVE,      ACTION_LEAVE},
        [SEEN_UNKNOWN]     = {ACTION_WAIT,       ACTION_WAIT},
    },
    [INTENT_DELETE] = {
        [SEEN_NOTHING]     = {ACTION_GONE,       ACTION_GONE},
        [SEEN_IN_PROGRESS] = {ACTION_WAIT,       ACTION_WAIT},
        [SEEN_COMPLETE]    = {ACTION_DELETE,     ACTION_GIVE_UP},
        [SEEN_FAILED]      = {ACTION_DELETE,     ACTION_GIVE_UP},
        [SEEN_ROLLED_BACK] = {ACTION_DELETE,     ACTION_GIVE_UP},
        [SEEN_DELETING]    = {ACTION_WAIT,       ACTION_WAIT},
        [SEEN_NO_GROUPS]   = {ACTION_DELETE,     ACTION_GIVE_UP},
        [SEEN_NO_ADDONS]   = {ACTION_DELETE,     ACTION_GIVE_UP},
        [SEEN_NO_CLUSTER]  = {ACTION_DELETE,     ACTION_GIVE_UP},
        [SEEN_OTHER]       = {ACTION_DELETE,     ACTION_GIVE_UP},
        [SEEN_FOREIGN]     = {ACTION_LEAVE,      ACTION_LEAVE},
        [SEEN_UNKNOWN]     = {ACTION_WAIT,       ACTION_WAIT},
    },
    /* A change never creates and never deletes: where there is no cluster to be changed, that is
       told, and the environment stays until somebody deletes it. */
    [INTENT_CHANGE] = {
        [SEEN_NOTHING]     = {ACTION_MISS,       ACTION_MISS},
        [SEEN_IN_PROGRESS] = {ACTION_WAIT,       ACTION_WAIT},
        [SEEN_COMPLETE]    = {ACTION_READY,      ACTION_READY},
        [SEEN_FAILED]      = {ACTION_GIVE_UP,    ACTION_GIVE_UP},
        [SEEN_ROLLED_BACK] = {ACTION_MISS,       ACTION_MISS},
        [SEEN_DELETING]    = {ACTION_WAIT,       ACTION_WAIT},
        [SEEN_NO_GROUPS]   = {ACTION_MISS,       ACTION_MISS},
        [SEEN_NO_ADDONS]   = {ACTION_GIVE_UP,    ACTION_GIVE_UP}, /* a change does not ask for them */
        [SEEN_NO_CLUSTER]  = {ACTION_MISS,       ACTION_MISS},
        [SEEN_OTHER]       = {ACTION_CHANGE,     ACTION_GIVE_UP},
        [SEEN_FOREIGN]     = {ACTION_LEAVE,      ACTION_LEAVE},
        [SEEN_UNKNOWN]     = {ACTION_WAIT,       ACTION_WAIT},
    },
};
/* clang-format on */

enum action reconcile(enum intent intent, enum seen seen, bool tried)
{
    const struct cell *cell = &cells[intent][seen];
    return tried ? cell->then : cell->first;
}

const char *seen_words(enum seen seen)
{
    static const char *const words[SEEN_COUNT] = {
        [SEEN_NOTHING] = "nothing there",
        [SEEN_IN_PROGRESS] = "in progress",
        [SEEN_COMPLETE] = "complete",
        [SEEN_FAILED] = "failed",
        [SEEN_ROLLED_BACK] = "rolled back",
        [SEEN_DELETING] = "being deleted",
        [SEEN_NO_GROUPS] = "active, but node groups are missing",
        [SEEN_NO_ADDONS] = "active, but add-ons are missing",
        [SEEN_NO_CLUSTER] = "stacks without a cluster",
        [SEEN_OTHER] = "there, but not as it is to be",
        [SEEN_FOREIGN] = "not ours",
        [SEEN_UNKNOWN] = "cannot be told",
    };
    return words[seen];
}

const char *action_words(enum action action)
{
    static const char *const words[ACTION_COUNT] = {
        [ACTION_CREATE] = "create the cluster",
        [ACTION_ADD_GROUPS] = "create the missing node groups",
        [ACTION_ADD_ADDONS] = "install the missing add-ons",
        [ACTION_CLEAN] = "delete what is left of an earlier try, then create it",
        [ACTION_DELETE] = "delete it",
        [ACTION_CHANGE] = "change it",
        [ACTION_MISS] = "it cannot be changed",
        [ACTION_WAIT] = "wait and look again",
        [ACTION_READY] = "it is ready",
        [ACTION_GONE] = "it is gone",
        [ACTION_LEAVE] = "leave it alone",
        [ACTION_GIVE_UP] = "give up this try",
    };
    return words[action];
}
