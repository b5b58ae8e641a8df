/* The words: Slack messages and mails as trees with holes, from templates/slack and templates/mail.
 */
#ifndef LIFECYCLE_WORDING_H
#define LIFECYCLE_WORDING_H

#include "base/error.h"
#include "base/json.h"

/* Immutable once read: threads share it. */
struct wording;

/* Reads DIR/slack/NAME.yaml and DIR/mail/NAME.yaml. On false, *problems (ctx) has a line
   "file:line: …" for each. */
bool wording_read(const void *ctx, const char *directory, struct wording **out, char **problems);

/* The message slack/NAME filled with values (escaped as mrkdwn), owned by ctx: {text, blocks?, …};
   "$max" limits of Slack are not checked here. */
cJSON *wording_slack(const void *ctx, const struct wording *wording, const char *name,
                     const cJSON *values, struct error *err);
/* The mail mail/NAME: {subject, text, html}; html is a tree of strings joined, escaped as HTML. */
cJSON *wording_mail(const void *ctx, const struct wording *wording, const char *name,
                    const cJSON *values, struct error *err);
bool wording_has(const struct wording *wording, const char *kind, const char *name);

#endif
