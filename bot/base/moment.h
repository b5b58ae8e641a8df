/* Moments as people write them: "2026-12-01", "2026-12-01 18:00", "fri 18:00", "tomorrow 9:30",
   "18:00". What is read here knows no zone and no clock; lifecycle/moments.h makes a time of it. */
#ifndef BASE_MOMENT_H
#define BASE_MOMENT_H

#include "base/error.h"

#include <stddef.h>

struct moment {
    enum moment_kind {
        MOMENT_DATE,  /* of year, month and day */
        MOMENT_AHEAD, /* so many days from today: 0 today, 1 tomorrow */
        MOMENT_DAYS,  /* the next of these days of the week on which it is still to come */
    } kind;
    int year, month, day;
    int ahead;
    unsigned days; /* bit 0: Monday */
    int minutes;   /* after midnight; 0 where no time of day was given */
};

/* False, with a sentence: it is no moment, or no day of the calendar. */
bool moment_parse(const char *text, struct moment *out, struct error *err);

/* "20:00", "8:05" to minutes after midnight; -1: it is no time of day. */
int moment_minutes(const char *text);
/* "fri", "Friday" to 0 (Monday) … 6; -1: it is no day. */
int moment_weekday(const char *text, size_t length);

#endif
