#include "lifecycle/change_request.h"

#include "lifecycle/place.h"
#include "lifecycle/states.h"
#include "lifecycle/view.h"
#include "lifecycle/waiting.h"
#include "store/audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

char *change_request_place(const void *ctx, const struct change_request *request)
{
    return talloc_asprintf(ctx, "change-%" PRId64, request->id);
}

const char *change_request_words(const struct change_request *request)
{
    return strcmp(request->kind, "extend") == 0 ? "more time" : "more nodes";
}

const char *change_request_waits(const char *kind)
{
    if (!kind)
        return "";
    return strcmp(kind, "extend") == 0 ? "more time waits for approval"
                                       : "more nodes wait for approval";
}

/* What the card says once it is over without a decision. */
static const char *outcome_of(const struct change_request *request)
{
    static const char *const outcomes[][2] = {
        {"withdrawn", ":leftwards_arrow_with_hook: It was taken back."},
        {"lapsed", ":white_circle: It lapsed: nobody decided in time."},
        {"over",
         ":white_circle: The environment does not run any more, so there is nothing to decide."},
    };
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        if (strcmp(outcomes[i][0], request->state) == 0)
            return outcomes[i][1];
    return "";
}

static cJSON *request_json(const struct change_request *request)
{
    cJSON *json = cJSON_CreateObject();
    json_set_string(json, "words", change_request_words(request));
    json_set_string(json, "before", request->before);
    json_set_string(json, "after", request->after);
    json_set_string(json, "reason", request->reason);
    json_set_string(json, "by", request->name);
    json_set_format(json, "mention", "<@%s>", request->user);
    json_set_string(json, "state", request->state);
    json_set_string(json, "over", outcome_of(request));
    return json;
}

void change_request_end(struct db *db, const struct environment *env,
                        struct change_request *request, const char *state, const char *name,
                        const cJSON *extra)
{
    request->state = state;
    change_request_write(db, request);
    waiting_redraw(db, env, request);
    if (name)
        waiting_tell_requester(db, env, request, name, extra);
}

void change_request_values(cJSON *view, const char *team, const char *name,
                           const struct change_request *request)
{
    json_set(view, "request", request_json(request));
    bool pending = strcmp(request->state, "pending") == 0;
    cJSON *tally = cJSON_Duplicate(request->tally, true);
    view_tally(tally, !pending);
    json_set(view, "tally", tally);
    view_moment(view, "lapses", pending ? request->lapses_at : 0, request->now);
    json_set_format(view, "subject", "*%s* for *%s/%s*", change_request_words(request), team, name);
    json_set_string(view, "asker_name", request->name);
    json_set_format(view, "asker_mention", "<@%s>", request->user);
    view_question(view, pending ? request->wait.question : NULL);
}

static void add_decision(cJSON *view, const struct change_request *request)
{
    const cJSON *decision = json_at(request->tally, "decision");
    bool decided = json_string(decision, "word") != NULL;
    json_set(view, "decision", decided ? cJSON_Duplicate(decision, true) : cJSON_CreateNull());
    json_set_string(view, "outcome", outcome_of(request));
    view_moment(view, "decided", decided ? request->decided_at : 0, request->now);
    if (!decided)
        return;
    bool denied = strcmp(request->state, "denied") == 0;
    view_decision(cJSON_GetObjectItemCaseSensitive(view, "decision"), !denied);
    json_set_format(view, "outcome", "It was %s by %s on %s.", denied ? "denied" : "approved",
                    json_string_or_empty(decision, "by"),
                    json_string_or_empty(view, "decided.text"));
}

bool change_request_view(const void *ctx, struct db *db, const char *place, cJSON *view,
                         struct error *err)
{
    struct place read = place_read(place);
    if (strcmp(read.kind, "change") != 0 || read.thread)
        return true;
    struct change_request *request;
    if (!change_request_by_id(ctx, db, strtoll(place + strlen("change-"), NULL, 10), &request, err))
        return false;
    if (!request)
        return error_set(err, ERROR_NOT_FOUND, "There is no change request at %s.", place);
    const cJSON *quota = json_at(request->tally, "quota");
    change_request_values(view, json_string_or_empty(view, "team"),
                          json_string_or_empty(view, "name"), request);
    json_set(view, "quota", quota ? cJSON_Duplicate(quota, true) : cJSON_CreateNull());
    json_set_format(view, "button", "%" PRId64 ".%d.%" PRId64, request->environment,
                    request->revision, request->id);
    json_set_bool(cJSON_GetObjectItemCaseSensitive(view, "can"), "approve",
                  strcmp(request->state, "pending") == 0);
    add_decision(view, request);
    return true;
}

static void take_step(struct db *db, struct environment *env, struct change_request *request)
{
    const struct waiting waiting = waiting_of(env, request);
    enum waiting_step step = waiting_step(&waiting, &lifecycle_rules);
    bool runs = env->expires_at && !env->ended_at && strcmp(env->state, "deleting") != 0;
    if (runs && step == WAITING_NOTHING) {
        waiting_write(db, env, request); /* it moved, or an older envbot asked for it */
    } else if (runs && step == WAITING_ESCALATE) {
        waiting_escalate(db, env, request);
    } else {
        change_request_end(db, env, request, runs ? "lapsed" : "over",
                           runs ? "change-lapsed" : NULL, NULL);
        audit_add(db, &AUDIT_ENVBOT, env->id, env->team, "change-lapsed", env->state, env->state,
                  NULL);
    }
}

bool change_request_tick(struct db *db, bool *found, struct error *err)
{
    void *ctx = talloc_new(NULL);
    struct change_request *request = NULL;
    struct environment *env = NULL;
    *found = false;
    bool ok = db_begin(db, DB_READ_WRITE, err) && change_request_due(ctx, db, &request, err);
    if (ok && request)
        ok = environment_by_id(ctx, db, request->environment, ENVIRONMENT_LOCK, &env, err) &&
             change_request_by_id(ctx, db, request->id, &request, err);
    if (ok && env && strcmp(request->state, "pending") == 0) {
        take_step(db, env, request);
        *found = true;
    }
    ok = ok && db_commit(db, err);
    if (!ok)
        db_rollback(db);
    talloc_free(ctx);
    return ok;
}
