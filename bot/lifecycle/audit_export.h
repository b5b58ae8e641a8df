/* The audit for an auditor: rows as JSON lines or CSV, written as they are read. */
#ifndef LIFECYCLE_AUDIT_EXPORT_H
#define LIFECYCLE_AUDIT_EXPORT_H

#include "store/audit_read.h"

#include <stdio.h>

/* jsonl: an object a line, in UTF-8; numbers are numbers, detail is an object, what is not there is
   null. csv: RFC 4180 with a header; what is not there is empty, detail is JSON. A field that a
   spreadsheet would take for a formula gets a ' before it. Both have these fields, in this order,
   and later versions add theirs at the end:
     number, id, at, team, environment, name, actor, actor_name, event, from_state, to_state, rule,
     rules_version, channel, message, envelope, detail, sealed_at, hash
   at and sealed_at are like 2026-11-25T05:34:34.250000Z, hash is 64 hex digits. */
enum audit_format { AUDIT_JSONL, AUDIT_CSV };
bool audit_export(struct db *db, const struct audit_filter *filter, enum audit_format format,
                  FILE *out, struct error *err);

#endif
