#include "lifecycle/moments.h"

#include <talloc.h>

bool moment_time(const void *ctx, struct db *db, const struct moment *moment, const char *zone,
                 time_t *out, time_t *now, struct error *err)
{
    void *tmp = talloc_new(ctx);
    const char *date =
        moment->kind == MOMENT_DATE
            ? talloc_asprintf(tmp, "%04d-%02d-%02d", moment->year, moment->month, moment->day)
            : NULL;
    const char *ahead =
        moment->kind == MOMENT_AHEAD ? talloc_asprintf(tmp, "%d", moment->ahead) : NULL;
    struct rows *rows =
        db_query(tmp, db, err,
                 "SELECT extract(epoch FROM coalesce("
                 " ($2::date + make_interval(mins => $1::integer)) AT TIME ZONE z.name,"
                 " (date_trunc('day', now() AT TIME ZONE z.name)"
                 "  + make_interval(days => $3::integer, mins => $1::integer)) AT TIME ZONE z.name,"
                 " next_turn($1::integer, $4::integer, z.name, now())))::bigint AS at,"
                 " extract(epoch FROM now())::bigint AS now"
                 " FROM pg_timezone_names z WHERE z.name = coalesce($5, 'UTC')",
                 P(talloc_asprintf(tmp, "%d", moment->minutes), date, ahead,
                   talloc_asprintf(tmp, "%u", moment->days), zone));
    bool ok = rows != NULL;
    if (ok && rows_count(rows) == 0)
        ok = error_set(err, ERROR_USAGE,
                       "Your time zone (%.40s) is not known here; say how long, like 8h.", zone);
    if (ok) {
        *out = (time_t)rows_integer(rows, 0, "at", 0);
        *now = (time_t)rows_integer(rows, 0, "now", 0);
    }
    talloc_free(tmp);
    return ok;
}
