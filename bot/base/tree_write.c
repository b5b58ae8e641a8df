#include "base/tree.h"
#include "base/tree_scalar.h"

#include <string.h>
#include <talloc.h>
#include <yaml.h>

struct writing {
    yaml_emitter_t emitter;
    char *text;
    bool ok;
};

static int append(void *data, unsigned char *buffer, size_t size)
{
    struct writing *w = data;
    w->text = talloc_strndup_append_buffer(w->text, (const char *)buffer, size);
    return w->text != NULL;
}

static void emit(struct writing *w, yaml_event_t *event)
{
    w->ok = w->ok && yaml_emitter_emit(&w->emitter, event);
}

/* A string that would be read back as something else must be quoted. */
static yaml_scalar_style_t style_for(const char *text)
{
    cJSON *read_back = tree_scalar(text);
    bool string = cJSON_IsString(read_back);
    cJSON_Delete(read_back);
    /* Others read YAML 1.1, where these are booleans. */
    static const char *const old[] = {"y",  "n",  "yes", "no",  "on", "off", "Y",   "N", "Yes",
                                      "No", "On", "Off", "YES", "NO", "ON",  "OFF", NULL};
    for (const char *const *word = old; *word; word++)
        string = string && strcmp(text, *word) != 0;
    return string && strncmp(text, "0o", 2) != 0 && !strchr(text, ':')
               ? YAML_ANY_SCALAR_STYLE
               : YAML_DOUBLE_QUOTED_SCALAR_STYLE;
}

static void emit_scalar(struct writing *w, const char *text, yaml_scalar_style_t style)
{
    yaml_event_t event;
    yaml_scalar_event_initialize(&event, NULL, NULL, (const unsigned char *)text, (int)strlen(text),
                                 1, 1, style);
    emit(w, &event);
}

static void emit_value(struct writing *w, const cJSON *value)
{
    yaml_event_t event;
    const cJSON *each;
    if (cJSON_IsArray(value)) {
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_SEQUENCE_STYLE);
        emit(w, &event);
        cJSON_ArrayForEach (each, value)
            emit_value(w, each);
        yaml_sequence_end_event_initialize(&event);
        emit(w, &event);
    } else if (cJSON_IsObject(value)) {
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_ANY_MAPPING_STYLE);
        emit(w, &event);
        cJSON_ArrayForEach (each, value) {
            emit_scalar(w, each->string, style_for(each->string));
            emit_value(w, each);
        }
        yaml_mapping_end_event_initialize(&event);
        emit(w, &event);
    } else if (cJSON_IsString(value)) {
        emit_scalar(w, value->valuestring, style_for(value->valuestring));
    } else {
        char *text = json_text(NULL, value);
        emit_scalar(w, text, YAML_PLAIN_SCALAR_STYLE);
        talloc_free(text);
    }
}

char *tree_yaml(const void *ctx, const cJSON *root)
{
    struct writing w = {.text = talloc_strdup(ctx, ""), .ok = true};
    if (!yaml_emitter_initialize(&w.emitter))
        return NULL;
    yaml_emitter_set_output(&w.emitter, append, &w);
    yaml_emitter_set_unicode(&w.emitter, 1);
    yaml_emitter_set_width(&w.emitter, -1);
    yaml_event_t event;
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&w, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(&w, &event);
    emit_value(&w, root);
    yaml_document_end_event_initialize(&event, 1);
    emit(&w, &event);
    yaml_stream_end_event_initialize(&event);
    emit(&w, &event);
    yaml_emitter_delete(&w.emitter);
    return w.ok ? w.text : NULL;
}
