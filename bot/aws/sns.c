#include "aws/sns.h"

#include "base/http_client.h"

#include <string.h>
#include <talloc.h>

static const struct aws_service sns = {"sns", "sns", "AWS_ENDPOINT_URL_SNS"};

/* SNS takes ASCII only, no line breaks, fewer than 100 characters. */
static char *ascii_subject(const void *ctx, const char *subject)
{
    char *out = talloc_strndup(ctx, subject, 99);
    char *to = out;
    for (const char *from = out; *from; from++)
        if (*from >= ' ' && *from < 0x7F)
            *to++ = *from;
    *to = '\0';
    return out;
}

bool sns_publish(const void *ctx, struct aws *aws, const char *topic_arn, const char *subject,
                 const char *message, const char *id, struct aws_answer *answer, struct error *err)
{
    char *body = talloc_asprintf(ctx, "Action=Publish&Version=2010-03-31&TopicArn=%s&Message=%s",
                                 http_escape(ctx, topic_arn), http_escape(ctx, message));
    const char *line = ascii_subject(ctx, subject);
    if (*line)
        body = talloc_asprintf_append(body, "&Subject=%s", http_escape(ctx, line));
    size_t length = strlen(topic_arn);
    if (length > 5 && strcmp(topic_arn + length - 5, ".fifo") == 0)
        body = talloc_asprintf_append(body, "&MessageGroupId=envbot&MessageDeduplicationId=%s",
                                      http_escape(ctx, id));
    return aws_post(ctx, aws, &sns, "/", "application/x-www-form-urlencoded; charset=utf-8", body,
                    answer, err);
}
