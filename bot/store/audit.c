#include "store/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

const struct audit_actor AUDIT_ENVBOT = {.workspace = "", .id = "envbot", .name = "envbot"};

void audit_add(struct db *db, const struct audit_actor *actor, int64_t environment,
               const char *team, const char *event, const char *from_state, const char *to_state,
               const cJSON *detail)
{
    void *tmp = talloc_new(NULL);
    const char *id = environment ? talloc_asprintf(tmp, "%" PRId64, environment) : NULL;
    const char *who =
        *actor->workspace ? talloc_asprintf(tmp, "%s/%s", actor->workspace, actor->id) : actor->id;
    db_send(db,
            "INSERT INTO audit (environment, team, actor, actor_name, event, from_state, to_state,"
            " rule, envelope, detail)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, coalesce($10::jsonb, '{}'))",
            P(id, team, who, actor->name, event, from_state, to_state, actor->rule, actor->envelope,
              detail ? json_text(tmp, detail) : NULL));
    talloc_free(tmp);
}
