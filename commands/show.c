#include "commands/commands.h"

#include "lifecycle/view.h"

#include <inttypes.h>
#include <talloc.h>

bool show_run(struct call *call, struct error *err)
{
    struct environment *env;
    if (!call_environment(call, ENVIRONMENT_READ, &env, err) ||
        !call_may_or_owns(call, "get", env, err))
        return false;
    cJSON *view = view_read(call, call->db, env->id, err);
    return view && reply_template(call, "reply-show", view, err);
}
