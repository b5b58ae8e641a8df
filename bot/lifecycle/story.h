/* What happened to an environment, in sentences, from the audit: also years after it is gone. */
#ifndef LIFECYCLE_STORY_H
#define LIFECYCLE_STORY_H

#include "store/db.h"

/* All environments that ever had the name (team NULL: in any team), the oldest first, as an array
   of {team, name, template, owner_workspace, owner_id, title, lines: [{at, text}]}, owned by ctx;
   empty when there never was one. Texts are plain: one line each, without what nobody sees. at is
   in UTC. Not more than a hundred of them, the latest. NULL on error. */
cJSON *story_read(const void *ctx, struct db *db, const char *team, const char *name,
                  struct error *err);

/* One row as a sentence: {event, actor_name, from_state, to_state, rule, detail}. */
char *story_sentence(const void *ctx, const cJSON *row);

/* A story as lines of text. */
char *story_text(const void *ctx, const cJSON *story);

#endif
