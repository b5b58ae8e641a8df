/* Messages made to fit: Block Kit's limits (docs.slack.dev, Block Kit reference), and plain blocks
   for workspaces that do not know the newer ones. */
#ifndef SLACK_BLOCKS_H
#define SLACK_BLOCKS_H

#include "base/json.h"

/* Cuts the texts of a message {text, blocks}, or of a view's blocks, that are longer than Slack
   takes, with "…" at their ends, and leaves out blocks and fields whose text is empty, which Slack
   refuses. */
void blocks_fit(cJSON *message);

/* A copy, owned by ctx, with sections in place of plan, table and chart. */
cJSON *blocks_plain(const void *ctx, const cJSON *message);

#endif
