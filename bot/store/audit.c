#include "store/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

const struct audit_actor AUDIT_ENVBOT = {.workspace = "", .id = "envbot", .name = "envbot"};

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

void audit_add(struct db *db, const struct audit_actor *actor, int64_t environment,
               const char *team, const char *event, const char *from_state, const char *to_state,
               const cJSON *detail)
{
    void *tmp = talloc_new(NULL);
    const char *id = environment ? talloc_asprintf(tmp, "%" PRId64, environment) : NULL;
    const char *who =
        *actor->workspace ? talloc_asprintf(tmp, "%s/%s", actor->workspace, actor->id) : actor->id;
    db_send(db,
            "INSERT INTO audit (environment, team, name, actor, actor_name, event, from_state,"
            " to_state, rule, rules_version, envelope, channel, message, detail)"
            " SELECT e.id, coalesce($2, e.team), e.name, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
            " coalesce($13::jsonb, '{}')"
            " FROM (VALUES ($1::bigint)) given (id) LEFT JOIN environments e ON e.id = given.id",
            P(id, or_null(team), who, actor->name, event, from_state, to_state, actor->rule,
              actor->rules_version, actor->envelope, or_null(actor->channel),
              or_null(actor->message), detail ? json_text(tmp, detail) : NULL));
    talloc_free(tmp);
}
