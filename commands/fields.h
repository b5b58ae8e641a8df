/* The fields of a form for a template's parameters: how they look, and what came back. */
#ifndef COMMANDS_FIELDS_H
#define COMMANDS_FIELDS_H

#include "commands/call.h"

/* Slack's limit of a select's options. */
enum { FIELD_MOST_OPTIONS = 100 };

/* Parts of forms; the caller's, to be put into one. */
cJSON *field_plain(struct call *call, const char *text);
cJSON *field_option(struct call *call, const char *value, const char *text);
cJSON *field_element(const char *type, const char *action);
void field_add_option(cJSON *select, cJSON *added, bool initial);

/* A field for each of the template's parameters, filled with values (NULL: with what is usual):
   [{block, title, hint, element}]; the caller's. */
cJSON *fields_of(struct call *call, const struct template *t, const cJSON *values);

/* What was put into a field; NULL when it was left empty. */
const char *field_typed(struct call *call, const char *block, const char *action);
/* Notes a refusal at its field unless ok; the form shows all of them at once. */
void field_refuse(struct call *call, const char *block, bool ok, const struct error *why);
/* The block of a parameter's field. */
const char *field_block(struct call *call, const char *parameter);
/* Puts what was typed into given, each parameter judged by itself, so that each mistake stands at
   its own field. */
void fields_read(struct call *call, const struct template *t, cJSON *given);

#endif
