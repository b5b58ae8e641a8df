#include "store/audit_read.h"

#include <string.h>
#include <talloc.h>

#define COLUMNS                                                                                    \
    "c.number, c.sealed_at, c.hash, c.audit, a.id, a.at, a.environment, a.team, a.name, a.actor,"  \
    " a.actor_name, a.event, a.from_state, a.to_state, a.rule, a.rules_version, a.envelope,"       \
    " a.channel, a.message, a.detail"
enum { FIRST_FIELD = 4, COLUMN_COUNT = FIRST_FIELD + AUDIT_FIELDS };

/* PostgreSQL counts from 2000-01-01, in microseconds. */
static const int64_t epoch_2000 = INT64_C(946684800000000);

/* https://www.postgresql.org/docs/15/sql-copy.html, "Binary Format" */
static const char signature[] = "PGCOPY\n\377\r\n";
enum { SIGNATURE = 11, HEADER = SIGNATURE + 8 };

struct reading {
    audit_row_fn *take;
    void *user;
    struct audit_row row;
    bool begun;
};

struct bytes {
    const unsigned char *at, *end;
};

/* Big-endian, 2, 4 or 8 bytes; false when there are fewer. */
static bool read_number(struct bytes *bytes, int size, int64_t *number)
{
    if (bytes->end - bytes->at < size)
        return false;
    uint64_t value = *bytes->at & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | *bytes->at++;
    *number = (int64_t)value;
    return true;
}

static bool read_value(struct bytes *bytes, struct audit_text *value)
{
    int64_t length;
    *value = (struct audit_text){0};
    if (!read_number(bytes, 4, &length))
        return false;
    if (length < 0)
        return true;
    if (bytes->end - bytes->at < length)
        return false;
    *value = (struct audit_text){(const char *)bytes->at, (size_t)length};
    bytes->at += length;
    return true;
}

/* 0 for null. */
static int64_t whole(const struct audit_text *value)
{
    int64_t number = 0;
    struct bytes bytes = {(const unsigned char *)value->text,
                          (const unsigned char *)value->text + value->length};
    return value->text && read_number(&bytes, 8, &number) ? number : 0;
}

static int64_t moment(const struct audit_text *value)
{
    return value->text ? whole(value) + epoch_2000 : 0;
}

static struct audit_text digits_of(char digits[24], const struct audit_text *value, int64_t number)
{
    return value->text ? audit_decimal(digits, number) : (struct audit_text){0};
}

static void fill_row(struct audit_row *row, const struct audit_text *values)
{
    const struct audit_text *fields = values + FIRST_FIELD;
    row->record.number = whole(&values[0]);
    row->record.sealed_at = moment(&values[1]);
    memset(row->hash, 0, AUDIT_HASH);
    if (values[2].text && values[2].length == AUDIT_HASH)
        memcpy(row->hash, values[2].text, AUDIT_HASH);
    row->sealed = whole(&values[3]);
    row->there = fields[AUDIT_ID].text != NULL;
    row->at = moment(&fields[AUDIT_AT]);
    struct audit_text *out = row->record.fields;
    memcpy(out, fields, sizeof row->record.fields);
    out[AUDIT_ID] = digits_of(row->digits[0], &fields[AUDIT_ID], whole(&fields[AUDIT_ID]));
    out[AUDIT_AT] = digits_of(row->digits[1], &fields[AUDIT_AT], row->at);
    out[AUDIT_ENVIRONMENT] =
        digits_of(row->digits[2], &fields[AUDIT_ENVIRONMENT], whole(&fields[AUDIT_ENVIRONMENT]));
    if (out[AUDIT_DETAIL]
            .length) { /* jsonb's binary form is its text after one byte, the version */
        out[AUDIT_DETAIL].text++;
        out[AUDIT_DETAIL].length--;
    }
}

static bool take_piece(void *user, const char *piece, size_t length, struct error *err)
{
    struct reading *reading = user;
    struct bytes bytes = {(const unsigned char *)piece, (const unsigned char *)piece + length};
    if (!reading->begun) {
        reading->begun = true;
        if (length < HEADER || memcmp(piece, signature, SIGNATURE) != 0)
            return error_set(err, ERROR_INTERNAL, "PostgreSQL's COPY does not begin as it should");
        bytes.at += HEADER;
    }
    while (bytes.at < bytes.end) {
        struct audit_text values[COLUMN_COUNT];
        int64_t count;
        bool ok = read_number(&bytes, 2, &count);
        if (ok && count == -1) /* the end */
            return true;
        ok = ok && count == COLUMN_COUNT;
        for (int i = 0; ok && i < COLUMN_COUNT; i++)
            ok = read_value(&bytes, &values[i]);
        if (!ok)
            return error_set(err, ERROR_INTERNAL, "PostgreSQL's COPY is not what was asked for");
        fill_row(&reading->row, values);
        if (!reading->take(reading->user, &reading->row, err))
            return false;
    }
    return true;
}

bool audit_read_chain(struct db *db, audit_row_fn *take, void *user, struct error *err)
{
    struct reading reading = {.take = take, .user = user};
    /* Row by row along the chain: no sort of millions on the disk, and the first row comes at once.
       For this question alone. */
    audit_by_index(db);
    bool ok = db_copy_out(db,
                          "COPY (SELECT " COLUMNS " FROM audit_chain c"
                          " LEFT JOIN audit a ON a.id = c.audit ORDER BY c.number)"
                          " TO STDOUT (FORMAT binary)",
                          take_piece, &reading, err);
    if (ok)
        db_send(db,
                "SELECT set_config(name, 'on', true) FROM unnest(ARRAY['enable_sort',"
                " 'enable_hashjoin', 'enable_mergejoin', 'enable_seqscan']) list (name)",
                P0);
    return ok;
}

bool audit_read(struct db *db, const struct audit_filter *filter, audit_row_fn *take, void *user,
                struct error *err)
{
    struct reading reading = {.take = take, .user = user};
    /* COPY takes no parameters; settings of the transaction carry them. */
    db_send(db,
            "SELECT set_config('envbot.since', coalesce($1, ''), true),"
            " set_config('envbot.until', coalesce($2, ''), true),"
            " set_config('envbot.team', coalesce($3, ''), true),"
            " set_config('envbot.name', coalesce($4, ''), true)",
            P(filter->since, filter->until, filter->team, filter->name));
    return db_copy_out(
        db,
        "COPY (SELECT " COLUMNS " FROM audit a LEFT JOIN audit_chain c ON c.audit = a.id"
        " WHERE a.at >= coalesce(nullif(current_setting('envbot.since'), '')::timestamptz,"
        "  '-infinity')"
        " AND a.at < coalesce(nullif(current_setting('envbot.until'), '')::timestamptz, 'infinity')"
        " AND (current_setting('envbot.team') = '' OR a.team = current_setting('envbot.team'))"
        " AND (current_setting('envbot.name') = '' OR a.name = current_setting('envbot.name'))"
        " ORDER BY c.number, a.id) TO STDOUT (FORMAT binary)",
        take_piece, &reading, err);
}
