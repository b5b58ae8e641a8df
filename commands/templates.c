#include "commands/commands.h"

#include "base/duration.h"
#include "base/text.h"
#include "commands/wish.h"

#include <talloc.h>

static char *parameters_line(struct call *call, const struct template *t)
{
    char *text = talloc_strdup(call, "");
    const cJSON *each;
    cJSON_ArrayForEach (each, t->parameters) {
        const cJSON *normal = json_at(each, "default");
        text = talloc_asprintf_append(
            text, "%s`--%s%s%s`", *text ? " " : "", each->string, normal ? " " : "",
            !normal                  ? ""
            : cJSON_IsBool(normal)   ? (cJSON_IsTrue(normal) ? "yes" : "no")
            : cJSON_IsString(normal) ? text_mrkdwn(call, normal->valuestring)
                                     : json_text(call, normal));
    }
    return text;
}

bool templates_run(struct call *call, struct error *err)
{
    (void)err;
    const struct template_set *set = call->app->templates;
    char *text = talloc_strdup(call, "");
    for (int i = 0; i < set->count; i++) {
        const struct template *t = &set->items[i];
        if (!wish_possible(call, NULL, t))
            continue;
        text = talloc_asprintf_append(
            text, "*%s*  %s. %s\n      for %s, at most %s; in %s; %s\n", t->name,
            text_mrkdwn(call, t->title), text_mrkdwn(call, t->description),
            duration_text(call, t->ttl_default), duration_text(call, t->ttl_max),
            text_list(call, t->regions, talloc_array_length(t->regions) - 1, "or"),
            parameters_line(call, t));
    }
    const char *slash = call->app->config->slack.command;
    if (*text)
        reply_text(call, "%sAsk with `%s create TEMPLATE NAME`, or `%s create` for a form.", text,
                   slash, slash);
    else
        reply_text(call,
                   "The rules do not let you ask for any cluster yet. Ask your platform team for "
                   "a role with the verb `create` on `environments`.");
    return true;
}
