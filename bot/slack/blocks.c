#include "slack/blocks.h"

#include "base/text.h"

#include <string.h>
#include <talloc.h>

/* chat.update refuses text above 4,000; chat.postMessage comes out in pieces above 4,040. */
enum { TEXT_MOST = 3900, SECTION_MOST = 3000, FIELD_MOST = 2000, TASKS_MOST = 50 };

static const struct {
    const char *type; /* of the block or element whose `text` it is */
    size_t most;
} text_limits[] = {
    {"section", SECTION_MOST},
    {"header", 150},
    {"button", 75},
    {"context", SECTION_MOST},
};

/* Half an entity ("&am…") would be shown as it stands. */
static void drop_half_entity(char *cut)
{
    enum { ENTITY_MOST = 4 }; /* "&amp" */
    size_t end = strlen(cut) - strlen("…");
    for (size_t back = 1; back <= ENTITY_MOST && back <= end; back++) {
        if (cut[end - back] == ';')
            return;
        if (cut[end - back] == '&')
            strcpy(cut + end - back, "…");
    }
}

static void cut_member(cJSON *holder, const char *key, size_t most)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(holder, key);
    if (!cJSON_IsString(member) || text_characters(member->valuestring) <= most)
        return;
    char *cut = text_cut(NULL, member->valuestring, most);
    drop_half_entity(cut);
    json_set_string(holder, key, cut);
    talloc_free(cut);
}

static void cut_text_object(cJSON *object, size_t most)
{
    if (cJSON_IsObject(object))
        cut_member(object, "text", most);
}

static bool is_empty_text(const cJSON *object)
{
    const char *text = json_string(object, "text");
    return text && !*text;
}

static void drop_empty(cJSON *list)
{
    for (cJSON *each = list ? list->child : NULL, *next; each; each = next) {
        next = each->next;
        if (is_empty_text(each))
            cJSON_Delete(cJSON_DetachItemViaPointer(list, each));
    }
}

static void fit_elements(cJSON *block)
{
    cJSON *elements = cJSON_GetObjectItemCaseSensitive(block, "elements"), *each;
    if (strcmp(json_string_or_empty(block, "type"), "context") == 0)
        drop_empty(elements);
    cJSON_ArrayForEach (each, elements) {
        if (strcmp(json_string_or_empty(each, "type"), "button") == 0)
            cut_text_object(cJSON_GetObjectItemCaseSensitive(each, "text"), 75);
        else if (strcmp(json_string_or_empty(block, "type"), "context") == 0)
            cut_member(each, "text", FIELD_MOST);
    }
}

static void fit_tasks(cJSON *block)
{
    cJSON *tasks = cJSON_GetObjectItemCaseSensitive(block, "tasks"), *task;
    while (cJSON_GetArraySize(tasks) > TASKS_MOST)
        cJSON_DeleteItemFromArray(tasks, TASKS_MOST);
    cJSON_ArrayForEach (task, tasks)
        cut_member(task, "title", 150);
    if (cJSON_IsString(cJSON_GetObjectItemCaseSensitive(block, "title")))
        cut_member(block, "title", 150);
}

/* False when nothing is left of it. */
static bool fit_block(cJSON *block)
{
    const char *type = json_string_or_empty(block, "type");
    cJSON *text = cJSON_GetObjectItemCaseSensitive(block, "text"), *each;
    for (size_t i = 0; i < sizeof text_limits / sizeof *text_limits; i++)
        if (strcmp(text_limits[i].type, type) == 0)
            cut_text_object(text, text_limits[i].most);
    cJSON *fields = cJSON_GetObjectItemCaseSensitive(block, "fields");
    drop_empty(fields);
    cJSON_ArrayForEach (each, fields)
        cut_member(each, "text", FIELD_MOST);
    if (fields && !fields->child)
        cJSON_DeleteItemFromObjectCaseSensitive(block, "fields");
    fit_elements(block);
    if (strcmp(type, "plan") == 0)
        fit_tasks(block);
    bool no_text = !text || is_empty_text(text);
    if (strcmp(type, "header") == 0)
        return !no_text;
    if (strcmp(type, "section") == 0)
        return !no_text || cJSON_HasObjectItem(block, "fields");
    if (strcmp(type, "context") == 0 || strcmp(type, "actions") == 0)
        return cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(block, "elements")) > 0;
    return true;
}

void blocks_fit(cJSON *message)
{
    cut_member(message, "text", TEXT_MOST);
    cJSON *blocks = cJSON_GetObjectItemCaseSensitive(message, "blocks");
    for (cJSON *each = blocks ? blocks->child : NULL, *next; each; each = next) {
        next = each->next;
        if (!fit_block(each))
            cJSON_Delete(cJSON_DetachItemViaPointer(blocks, each));
    }
    while (cJSON_GetArraySize(blocks) > 50)
        cJSON_DeleteItemFromArray(blocks, 50);
    if (blocks && !blocks->child)
        cJSON_DeleteItemFromObjectCaseSensitive(message, "blocks");
}

static cJSON *section(const char *words)
{
    cJSON *block = cJSON_CreateObject(), *text = cJSON_CreateObject();
    json_set_string(block, "type", "section");
    json_set_string(text, "type", "mrkdwn");
    char *cut = text_cut(NULL, words, SECTION_MOST);
    json_set_string(text, "text", cut);
    talloc_free(cut);
    json_set(block, "text", text);
    return block;
}

static const char *task_sign(const char *status)
{
    static const struct {
        const char *status, *sign;
    } signs[] = {{"complete", ":white_check_mark:"},
                 {"in_progress", ":hourglass_flowing_sand:"},
                 {"error", ":x:"}};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strcmp(signs[i].status, status) == 0)
            return signs[i].sign;
    return ":white_medium_small_square:";
}

static cJSON *plain_plan(const void *ctx, const cJSON *plan)
{
    char *words =
        talloc_asprintf(ctx, "*%s*", text_mrkdwn(ctx, json_string_or_empty(plan, "title")));
    const cJSON *task;
    cJSON_ArrayForEach (task, cJSON_GetObjectItemCaseSensitive(plan, "tasks"))
        words = talloc_asprintf_append(words, "\n%s %s",
                                       task_sign(json_string_or_empty(task, "status")),
                                       text_mrkdwn(ctx, json_string_or_empty(task, "title")));
    return section(words);
}

/* The words inside a cell, whatever kind it is. */
static void add_words(char **words, const cJSON *cell)
{
    const char *text = json_string(cell, "text");
    if (text)
        *words = talloc_strdup_append(*words, text);
    const cJSON *each;
    cJSON_ArrayForEach (each, cJSON_GetObjectItemCaseSensitive(cell, "elements"))
        add_words(words, each);
}

static cJSON *plain_table(const void *ctx, const cJSON *table)
{
    char *words = talloc_strdup(ctx, "");
    const cJSON *row, *cell;
    cJSON_ArrayForEach (row, cJSON_GetObjectItemCaseSensitive(table, "rows")) {
        cJSON_ArrayForEach (cell, row) {
            if (cell != row->child)
                words = talloc_strdup_append(words, " | ");
            add_words(&words, cell);
        }
        words = talloc_strdup_append(words, "\n");
    }
    return section(talloc_asprintf(ctx, "```%s```",
                                   text_mrkdwn(ctx, text_cut(ctx, words, SECTION_MOST - 100))));
}

cJSON *blocks_plain(const void *ctx, const cJSON *message)
{
    void *tmp = talloc_new(NULL);
    cJSON *copy = json_own(ctx, cJSON_Duplicate(message, true));
    cJSON *plain = cJSON_CreateArray();
    const cJSON *block;
    cJSON_ArrayForEach (block, cJSON_GetObjectItemCaseSensitive(message, "blocks")) {
        const char *type = json_string_or_empty(block, "type");
        if (strcmp(type, "plan") == 0)
            cJSON_AddItemToArray(plain, plain_plan(tmp, block));
        else if (strcmp(type, "table") == 0 || strcmp(type, "data_table") == 0)
            cJSON_AddItemToArray(plain, plain_table(tmp, block));
        else if (strcmp(type, "data_visualization") != 0) /* the table beside it says the same */
            cJSON_AddItemToArray(plain, cJSON_Duplicate(block, true));
    }
    if (plain->child)
        json_set(copy, "blocks", plain);
    else
        cJSON_Delete(plain);
    talloc_free(tmp);
    return copy;
}
