#include "store/rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

struct rows {
    PGresult *result;
};

static int free_rows(struct rows *rows)
{
    PQclear(rows->result);
    return 0;
}

struct rows *rows_new(const void *ctx, PGresult *result)
{
    struct rows *rows = talloc(ctx, struct rows);
    rows->result = result;
    talloc_set_destructor(rows, free_rows);
    return rows;
}

int rows_count(const struct rows *rows)
{
    return PQntuples(rows->result);
}

int rows_affected(const struct rows *rows)
{
    return atoi(PQcmdTuples(rows->result));
}

/* Not PQfnumber, which copies and folds the name each time. */
static int column_number(const struct rows *rows, const char *column)
{
    int number = PQnfields(rows->result) - 1;
    while (number >= 0 && strcmp(PQfname(rows->result, number), column) != 0)
        number--;
    assert(number >= 0 && "the statement has no such column");
    return number;
}

const char *rows_text(const struct rows *rows, int row, const char *column)
{
    int number = column_number(rows, column);
    return PQgetisnull(rows->result, row, number) ? NULL : PQgetvalue(rows->result, row, number);
}

const char *rows_copy(const void *ctx, const struct rows *rows, int row, const char *column)
{
    const char *text = rows_text(rows, row, column);
    return text ? talloc_strdup(ctx, text) : NULL;
}

int64_t rows_integer(const struct rows *rows, int row, const char *column, int64_t if_null)
{
    const char *text = rows_text(rows, row, column);
    return text ? strtoll(text, NULL, 10) : if_null;
}

double rows_number(const struct rows *rows, int row, const char *column, double if_null)
{
    const char *text = rows_text(rows, row, column);
    return text ? strtod(text, NULL) : if_null;
}

bool rows_true(const struct rows *rows, int row, const char *column)
{
    const char *text = rows_text(rows, row, column);
    return text && *text == 't';
}

cJSON *rows_json(const void *ctx, const struct rows *rows, int row, const char *column)
{
    const char *text = rows_text(rows, row, column);
    return text ? json_parse(ctx, text) : NULL;
}
