#include "store/waits.h"

#include "base/text.h"

#include <talloc.h>

struct wait wait_from_row(const void *ctx, const struct rows *rows, int row)
{
    return (struct wait){.reminded = (int)rows_integer(rows, row, "reminded", 0),
                         .escalated_at = (time_t)rows_number(rows, row, "escalated_at", 0),
                         .paused_seconds = rows_integer(rows, row, "paused_seconds", 0),
                         .question = rows_json(ctx, rows, row, "question")};
}

#define SET                                                                                        \
    " SET question = $2::jsonb, paused_seconds = $3::bigint, reminded = $4::integer,"              \
    " escalated_at = to_timestamp($5::double precision),"                                          \
    " due_at = to_timestamp($6::double precision),"                                                \
    " remind_at = to_timestamp($7::double precision)"

static const char *moment(const void *ctx, time_t at)
{
    return at ? text_number(ctx, (int64_t)at) : NULL;
}

void wait_write_request(struct db *db, int64_t environment, const struct wait *wait,
                        const struct wait_times *times)
{
    void *tmp = talloc_new(NULL);
    db_send(db, "UPDATE environments" SET " WHERE id = $1::bigint",
            P(text_number(tmp, environment), wait->question ? json_text(tmp, wait->question) : NULL,
              text_number(tmp, wait->paused_seconds), text_number(tmp, wait->reminded),
              moment(tmp, wait->escalated_at), moment(tmp, times->due),
              moment(tmp, times->remind)));
    talloc_free(tmp);
}

void wait_write_change(struct db *db, int64_t change, const struct wait *wait,
                       const struct wait_times *times)
{
    void *tmp = talloc_new(NULL);
    db_send(db,
            "UPDATE change_requests" SET ", lapses_at = to_timestamp($8::double precision)"
            " WHERE id = $1::bigint",
            P(text_number(tmp, change), wait->question ? json_text(tmp, wait->question) : NULL,
              text_number(tmp, wait->paused_seconds), text_number(tmp, wait->reminded),
              moment(tmp, wait->escalated_at), moment(tmp, times->due), moment(tmp, times->remind),
              moment(tmp, times->lapses)));
    talloc_free(tmp);
}
