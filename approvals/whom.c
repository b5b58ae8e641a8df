#include "approvals/whom.h"

#include "base/text.h"

#include <string.h>
#include <talloc.h>

/* A subject of the rules as Slack shows it: "Group slack:managers" is @managers. */
static const char *subject_words(const void *ctx, const char *subject)
{
    static const char *const forms[][2] = {
        {"User slack:", "<@%s>"},
        {"Group slack:", "@%s"},
        {"User ", "%s"},
        {"Group team:", "the members of %s"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t length = strlen(forms[i][0]);
        const char *hole = strstr(forms[i][1], "%s");
        if (strncmp(subject, forms[i][0], length) == 0)
            return talloc_asprintf(ctx, "%.*s%s%s", (int)(hole - forms[i][1]), forms[i][1],
                                   text_mrkdwn(ctx, subject + length), hole + 2);
    }
    return text_mrkdwn(ctx, subject);
}

const char *whom_to_ask(const void *ctx, const struct rbac *rules, const char *verb,
                        const char *resource, const char *team, const char *template)
{
    enum { SHOWN_MOST = 4 };
    if (!rbac_can_name(rules))
        return talloc_asprintf(ctx,
                               "That takes the verb `%s`. The rules are kept by a cluster: whoever "
                               "runs envbot can bind a role with it.",
                               verb);
    const char **who = rbac_subjects(ctx, rules, team, verb, resource, template);
    const char *shown[SHOWN_MOST];
    size_t count = 0;
    for (; count < SHOWN_MOST && who[count]; count++)
        shown[count] = subject_words(ctx, who[count]);
    if (count == 0)
        return talloc_asprintf(ctx,
                               "That takes the verb `%s`, which the rules give to nobody: ask "
                               "whoever runs envbot for a role with it.",
                               verb);
    return talloc_asprintf(ctx, "That takes the verb `%s`. Ask %s: the rules give it to them.",
                           verb, text_list(ctx, shown, count, "and"));
}
