#include "lifecycle/audit_export.h"

#include <inttypes.h>
#include <errno.h>
#include <string.h>
#include <time.h>

/* What is exported besides the audit's own columns. */
enum { NUMBER = AUDIT_FIELDS, SEALED_AT, HASH };

static const int columns[] = {
    NUMBER,
    AUDIT_ID,
    AUDIT_AT,
    AUDIT_TEAM,
    AUDIT_ENVIRONMENT,
    AUDIT_NAME,
    AUDIT_ACTOR,
    AUDIT_ACTOR_NAME,
    AUDIT_EVENT,
    AUDIT_FROM_STATE,
    AUDIT_TO_STATE,
    AUDIT_RULE,
    AUDIT_RULES_VERSION,
    AUDIT_CHANNEL,
    AUDIT_MESSAGE,
    AUDIT_ENVELOPE,
    AUDIT_DETAIL,
    SEALED_AT,
    HASH,
};
enum { COLUMNS = sizeof columns / sizeof *columns };

struct export
{
    enum audit_format format;
    FILE *out;
    char number[24], at[32], sealed_at[32], hash[AUDIT_HEX];
};

static const char *column_name(int column)
{
    return column == NUMBER      ? "number"
           : column == SEALED_AT ? "sealed_at"
           : column == HASH      ? "hash"
                                 : audit_field_names[column];
}

static struct audit_text moment(char text[32], int64_t at)
{
    time_t seconds = (time_t)(at / 1000000);
    struct tm utc;
    size_t length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
    snprintf(text + length, 32 - length, ".%06" PRId64 "Z", at % 1000000);
    return (struct audit_text){text, strlen(text)};
}

static struct audit_text value_of(struct export *export, const struct audit_row *row, int column)
{
    static const struct audit_text none = {0};
    bool sealed = row->record.number != 0;
    switch (column) {
    case NUMBER:
        return sealed ? audit_decimal(export->number, row->record.number) : none;
    case SEALED_AT:
        return sealed ? moment(export->sealed_at, row->record.sealed_at) : none;
    case HASH:
        audit_hex(row->hash, export->hash);
        return sealed ? (struct audit_text){export->hash, AUDIT_HEX - 1} : none;
    case AUDIT_AT:
        return moment(export->at, row->at);
    default:
        return row->record.fields[column];
    }
}

static void json_text_out(FILE *out, struct audit_text value)
{
    putc('"', out);
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", c);
        else
            putc(c, out);
    }
    putc('"', out);
}

static void json_value(FILE *out, int column, struct audit_text value)
{
    bool as_it_is = column == NUMBER || column == AUDIT_ID || column == AUDIT_ENVIRONMENT ||
                    column == AUDIT_DETAIL;
    if (!value.text)
        fputs("null", out);
    else if (as_it_is)
        fwrite(value.text, 1, value.length, out);
    else
        json_text_out(out, value);
}

/* https://owasp.org/www-community/attacks/CSV_Injection, with the wide forms of = + - @ */
static bool is_formula(struct audit_text value)
{
    static const char *const wide[] = {"\uff1d", "\uff0b", "\uff0d", "\uff20"};
    if (!value.length)
        return false;
    if (memchr("=+-@\t\r\n", value.text[0], 7))
        return true;
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (value.length >= 3 && memcmp(value.text, wide[i], 3) == 0)
            return true;
    return false;
}

static void csv_value(FILE *out, struct audit_text value)
{
    if (!value.text)
        return;
    bool formula = is_formula(value), quotes = formula;
    for (size_t i = 0; i < value.length && !quotes; i++)
        quotes = strchr(",\"\r\n", value.text[i]) != NULL;
    if (!quotes) {
        fwrite(value.text, 1, value.length, out);
        return;
    }
    fputs(formula ? "\"'" : "\"", out);
    for (size_t i = 0; i < value.length; i++) {
        if (value.text[i] == '"')
            putc('"', out);
        putc(value.text[i], out);
    }
    putc('"', out);
}

static bool write_row(void *user, const struct audit_row *row, struct error *err)
{
    struct export *export = user;
    bool json = export->format == AUDIT_JSONL;
    for (int i = 0; i < COLUMNS; i++) {
        struct audit_text value = value_of(export, row, columns[i]);
        if (json) {
            fprintf(export->out, "%s\"%s\": ", i ? ", " : "{", column_name(columns[i]));
            json_value(export->out, columns[i], value);
        } else {
            fputs(i ? "," : "", export->out);
            csv_value(export->out, value);
        }
    }
    fputs(json ? "}\n" : "\r\n", export->out);
    return !ferror(export->out) ||
           error_set(err, ERROR_UNAVAILABLE, "the export could not be written: %s",
                     strerror(errno));
}

bool audit_export(struct db *db, const struct audit_filter *filter, enum audit_format format,
                  FILE *out, struct error *err)
{
    struct export export = {.format = format, .out = out};
    if (!db_begin(db, DB_READ_ONLY, err))
        return false;
    for (int i = 0; format == AUDIT_CSV && i < COLUMNS; i++)
        fprintf(out, "%s%s", i ? "," : "", column_name(columns[i]));
    fputs(format == AUDIT_CSV ? "\r\n" : "", out);
    bool ok = audit_read(db, filter, write_row, &export, err);
    db_rollback(db);
    if (ok && fflush(out) != 0)
        return error_set(err, ERROR_UNAVAILABLE, "the export could not be written: %s",
                         strerror(errno));
    return ok;
}
