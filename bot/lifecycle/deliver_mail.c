#include "lifecycle/deliver.h"

#include "aws/ses.h"
#include "aws/sns.h"
#include "base/retry.h"

#include <string.h>
#include <talloc.h>

/* SES gives no Retry-After and advises to wait up to ten minutes. */
enum { FLOOR_MS = 1000, CAP_MS = 600000, STOPPED_TRIES = 8 };

static struct verdict verdict_of(const struct outbox_row *row, const struct aws_answer *answer,
                                 const char *why)
{
    struct verdict verdict = {.outcome = OUTCOME_LATER, .why = why};
    verdict.wait_ms = answer->retry_after ? answer->retry_after * 1000
                                          : retry_wait_ms(row->attempts, FLOOR_MS, CAP_MS);
    switch (answer->class) {
    case AWS_OK:
        verdict.outcome = OUTCOME_SENT;
        break;
    case AWS_LATER:
        verdict.down = strcmp(answer->error, "no answer") == 0;
        break;
    case AWS_UNKNOWN: /* SES has nothing to look it up by: it is sent again */
        verdict.uncertain = verdict.down = true;
        break;
    case AWS_STOP:
        verdict.down = true;
        if (row->attempts >= STOPPED_TRIES)
            verdict.outcome = OUTCOME_PARKED;
        break;
    case AWS_NEVER:
        verdict.outcome = OUTCOME_PARKED;
        break;
    }
    return verdict;
}

static struct verdict deliver_sns(const void *ctx, struct sender *sender,
                                  const struct outbox_row *row)
{
    if (!*sender->config->sns.topic_arn)
        return (struct verdict){.outcome = OUTCOME_DROPPED, .why = "sns.topic_arn is not set"};
    struct aws_answer answer;
    struct error err = {0};
    bool ok =
        sns_publish(ctx, sender->aws, sender->config->sns.topic_arn,
                    json_string_or_empty(row->content, "subject"),
                    json_string_or_empty(row->content, "message"), row->id_text, &answer, &err);
    return verdict_of(row, &answer, ok ? NULL : talloc_strdup(ctx, err.text));
}

struct verdict deliver_mail(const void *ctx, struct sender *sender, const struct outbox_row *row)
{
    if (strcmp(row->kind, "sns") == 0)
        return deliver_sns(ctx, sender, row);
    struct error err = {0};
    if (!*sender->config->mail.from)
        return (struct verdict){.outcome = OUTCOME_DROPPED, .why = "mail.from is not set"};
    cJSON *values = deliver_values(ctx, sender, row, &err);
    if (!values)
        return (struct verdict){.outcome = OUTCOME_LOST, .why = talloc_strdup(ctx, err.text)};
    const char *to = row->recipient ? row->recipient : json_string_or_empty(values, "owner_mail");
    if (!*to)
        return (struct verdict){.outcome = OUTCOME_DROPPED, .why = "nobody knows an address"};
    cJSON *words = wording_mail(ctx, sender->wording, row->template, values, &err);
    if (!words && deliver_complete(ctx, sender, row, values))
        words = wording_mail(ctx, sender->wording, row->template, values, &err);
    if (!words)
        return (struct verdict){.outcome = OUTCOME_PARKED, .why = talloc_strdup(ctx, err.text)};
    struct ses_mail mail = {.from = sender->config->mail.from,
                            .to = to,
                            .subject = json_string_or_empty(words, "subject"),
                            .text = json_string_or_empty(words, "text"),
                            .html = json_string_or_empty(words, "html"),
                            .id = row->id_text};
    struct aws_answer answer;
    bool ok = ses_send(ctx, sender->aws, &mail, NULL, &answer, &err);
    return verdict_of(row, &answer, ok ? NULL : talloc_strdup(ctx, err.text));
}
