#include "base/text.h"
#include "lifecycle/change_request.h"
#include "lifecycle/deliver.h"
#include "lifecycle/view.h"

#include <string.h>
#include <talloc.h>

/* Words that are there in some cases only, for holes that say raw. */
static void compose(const void *ctx, cJSON *values)
{
    const char *who = json_string_or_empty(values, "who");
    const char *link = json_string_or_empty(values, "message_link");
    json_set_string(values, "who_words",
                    *who && json_true(values, "is.pending")
                        ? talloc_asprintf(ctx, "It can be approved by %s.", who)
                        : "It needs no approval.");
    const char *note = json_string_or_empty(values, "note");
    json_set_string(values, "note_words",
                    *note
                        ? talloc_asprintf(ctx, " <@%s>, %s", json_string_or_empty(values, "owner"),
                                          text_mrkdwn(ctx, note))
                        : "");
    json_set_string(
        values, "link_html",
        *link ? talloc_asprintf(ctx, "<a href=\"%s\">Its thread in Slack</a>", text_html(ctx, link))
              : "");
}

cJSON *deliver_values(const void *ctx, struct sender *sender, const struct outbox_row *row,
                      struct error *err)
{
    static const char *const sometimes[] = {"by",   "by_mention", "decision_reason", "who",
                                            "more", "words",      "error",           "note"};
    cJSON *values;
    bool redraw = strcmp(row->kind, "redraw") == 0;
    if (redraw)
        values = view_read(ctx, sender->db, row->environment, err);
    else
        values = json_own(ctx, cJSON_Duplicate(row->content, true));
    if (!values || (redraw && !change_request_view(ctx, sender->db, row->place, values, err)))
        return NULL;
    for (size_t i = 0; i < sizeof sometimes / sizeof *sometimes; i++)
        if (!cJSON_GetObjectItemCaseSensitive(values, sometimes[i]))
            json_set_string(values, sometimes[i], "");
    if (row->environment && !redraw) {
        struct message_place *place;
        if (!message_find(ctx, sender->db, row->environment, "message", &place, err))
            return NULL;
        json_set_string(values, "message_link", place && place->permalink ? place->permalink : "");
    }
    compose(ctx, values);
    return values;
}

bool deliver_complete(const void *ctx, struct sender *sender, const struct outbox_row *row,
                      cJSON *values)
{
    struct error err;
    cJSON *view = row->environment ? view_read(ctx, sender->db, row->environment, &err) : NULL;
    const cJSON *each;
    cJSON_ArrayForEach (each, view)
        if (!cJSON_GetObjectItemCaseSensitive(values, each->string))
            cJSON_AddItemToObject(values, each->string, cJSON_Duplicate(each, true));
    return view != NULL;
}
