#include "aws/ses.h"

#include "base/json.h"

#include <talloc.h>

static const struct aws_service ses = {"email", "ses", "AWS_ENDPOINT_URL_SESV2"};

static cJSON *content(const char *text)
{
    cJSON *part = cJSON_CreateObject();
    json_set_string(part, "Data", text);
    json_set_string(part, "Charset", "UTF-8");
    return part;
}

static cJSON *name_and_value(const char *name, const char *value)
{
    cJSON *pair = cJSON_CreateObject(), *list = cJSON_CreateArray();
    json_set_string(pair, "Name", name);
    json_set_string(pair, "Value", value);
    cJSON_AddItemToArray(list, pair);
    return list;
}

bool ses_send(const void *ctx, struct aws *aws, const struct ses_mail *mail,
              const char **message_id, struct aws_answer *answer, struct error *err)
{
    cJSON *request = json_object(ctx), *to = cJSON_CreateObject(), *addresses = cJSON_CreateArray();
    cJSON *whole = cJSON_CreateObject(), *simple = cJSON_CreateObject();
    cJSON *body = cJSON_CreateObject();
    cJSON_AddItemToArray(addresses, cJSON_CreateString(mail->to));
    json_set(to, "ToAddresses", addresses);
    json_set_string(request, "FromEmailAddress", mail->from);
    json_set(request, "Destination", to);
    json_set(body, "Text", content(mail->text));
    if (*mail->html)
        json_set(body, "Html", content(mail->html));
    json_set(simple, "Subject", content(mail->subject));
    json_set(simple, "Body", body);
    json_set(simple, "Headers", name_and_value("X-Envbot-Id", mail->id));
    json_set(whole, "Simple", simple);
    json_set(request, "Content", whole);
    json_set(request, "EmailTags", name_and_value("envbot_id", mail->id));
    bool ok = aws_post(ctx, aws, &ses, "/v2/email/outbound-emails", "application/json",
                       json_text(ctx, request), answer, err);
    if (ok && message_id)
        *message_id = json_string_or_empty(json_parse(ctx, answer->body), "MessageId");
    return ok;
}
