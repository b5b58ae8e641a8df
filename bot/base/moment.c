#include "base/moment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { EVERY_DAY = 0x7f };

int moment_minutes(const char *text)
{
    int hours = 0, minutes = 0, used = 0;
    bool read = isdigit((unsigned char)*text) &&
                sscanf(text, "%2d:%2d%n", &hours, &minutes, &used) == 2 && !text[used];
    bool two = read && strlen(strchr(text, ':')) == 3 && isdigit((unsigned char)text[used - 2]);
    return two && hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}

int moment_weekday(const char *text, size_t length)
{
    static const char *const names[] = {"monday", "tuesday",  "wednesday", "thursday",
                                        "friday", "saturday", "sunday"};
    for (int i = 0; i < 7; i++)
        if ((length == 3 || length == strlen(names[i])) && strncasecmp(text, names[i], length) == 0)
            return i;
    return -1;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool is_date(const char *text, size_t length)
{
    static const char form[] = "dddd-dd-dd";
    for (size_t i = 0; length == 10 && form[i]; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    return length == 10;
}

/* The day that the word names; *bad: it is a date, and no day of the calendar. */
static bool read_day(const char *word, size_t length, struct moment *out, bool *bad)
{
    int weekday = moment_weekday(word, length);
    if (weekday >= 0) {
        out->kind = MOMENT_DAYS;
        out->days = 1u << weekday;
        return true;
    }
    bool today = length == 5 && strncasecmp(word, "today", 5) == 0;
    if (today || (length == 8 && strncasecmp(word, "tomorrow", 8) == 0)) {
        out->kind = MOMENT_AHEAD;
        out->ahead = today ? 0 : 1;
        return true;
    }
    if (!is_date(word, length))
        return false;
    out->kind = MOMENT_DATE;
    sscanf(word, "%4d-%2d-%2d", &out->year, &out->month, &out->day);
    *bad = out->year < 2000 || out->month < 1 || out->month > 12 || out->day < 1 ||
           out->day > days_in(out->year, out->month);
    return !*bad;
}

bool moment_parse(const char *text, struct moment *out, struct error *err)
{
    char word[32] = "", time[16] = "";
    int used = 0;
    bool bad = false;
    *out = (struct moment){.kind = MOMENT_DAYS, .days = EVERY_DAY};
    int words = sscanf(text, " %31s %15s %n", word, time, &used);
    if (words >= 1 && strlen(word) > 11 && word[10] == 'T') { /* ISO 8601 joins them by a T */
        snprintf(time, sizeof time, "%.15s", word + 11);
        bool more = words > 1;
        word[10] = '\0';
        words = more ? 0 : 2;
    } else if (words == 2 && text[used]) {
        words = 0; /* something follows */
    }
    bool ok = false;
    if (words == 1 && moment_minutes(word) >= 0) {
        out->minutes = moment_minutes(word);
        ok = true;
    } else if (words >= 1) {
        out->minutes = words == 2 ? moment_minutes(time) : 0;
        ok = read_day(word, strlen(word), out, &bad) && out->minutes >= 0;
    }
    if (bad)
        return error_set(err, ERROR_USAGE, "%.40s is no day of the calendar.", word);
    return ok || error_set(err, ERROR_USAGE,
                           "“%.80s” is not a moment; write it like fri 18:00, tomorrow 9:30 or "
                           "2026-12-01.",
                           text);
}
