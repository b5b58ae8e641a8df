#include "audit.h"

#include "base/text.h"
#include "lifecycle/audit_export.h"
#include "lifecycle/story.h"
#include "store/audit_verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <time.h>

enum { DONE = 0, FAILED = 1, MISUSED = 2 };

struct wish {
    const char *name;
    bool verify;
    const char *team, *head, *format, *since, *until;
};

static int misuse(const char *format, const char *what)
{
    fprintf(stderr, "envbot: ");
    fprintf(stderr, format, what);
    fprintf(stderr, "\nTry `envbot audit --help`.\n");
    return MISUSED;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "envbot: %s\n", err->text);
    return FAILED;
}

static int read_words(const char *const *words, struct wish *wish)
{
    struct {
        const char *option;
        const char **value;
    } options[] = {{"--team", &wish->team},     {"--head", &wish->head},
                   {"--format", &wish->format}, {"--since", &wish->since},
                   {"--until", &wish->until},   {NULL, NULL}};
    for (; *words; words++) {
        int i = 0;
        while (options[i].option && strcmp(options[i].option, *words) != 0)
            i++;
        if (options[i].option && !words[1])
            return misuse("%s needs a value after it", *words);
        if (options[i].option)
            *options[i].value = *++words;
        else if (strcmp(*words, "--verify") == 0)
            wish->verify = true;
        else if (**words == '-' || wish->name)
            return misuse("%s was not expected here", *words);
        else
            wish->name = *words;
    }
    return DONE;
}

/* "2026-11-25", or "2026-11-25T05:34:34Z" with or without seconds, fractions and another offset: as
   RFC 3339 has it. PostgreSQL takes more, and would guess. */
static bool is_moment(const char *text)
{
    int year, month, day, hour = 0, minute = 0, second = 0, used = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || used != 10)
        return false;
    struct tm given = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day}, same = given;
    if (timegm(&same) == -1 || same.tm_mday != day || same.tm_mon != month - 1)
        return false;
    const char *rest = text + used;
    if (!*rest)
        return true;
    if ((*rest != 'T' && *rest != ' ') ||
        sscanf(rest + 1, "%2d:%2d%n", &hour, &minute, &used) != 2 || used != 5)
        return false;
    rest += 6;
    if (*rest == ':') {
        if (sscanf(rest, ":%2d%n", &second, &used) != 1 || used != 3)
            return false;
        rest += 3;
        if (*rest == '.')
            rest += 1 + strspn(rest + 1, "0123456789");
    }
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    if (strcmp(rest, "Z") == 0)
        return true;
    int offset_hour, offset_minute;
    return (*rest == '+' || *rest == '-') &&
           sscanf(rest + 1, "%2d:%2d%n", &offset_hour, &offset_minute, &used) == 2 && used == 5 &&
           !rest[6] && offset_hour < 15 && offset_minute < 60;
}

static bool read_head(const char *text, struct audit_head *head)
{
    char *end;
    unsigned char hash[AUDIT_HASH];
    head->number = strtoll(text, &end, 10);
    if (*text < '0' || *text > '9' || head->number < 1 || *end != ':' ||
        !audit_unhex(end + 1, hash))
        return false;
    audit_hex(hash, head->hash);
    return true;
}

static void print_day(const char *words, int64_t at)
{
    time_t seconds = (time_t)(at / 1000000);
    struct tm utc;
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d", gmtime_r(&seconds, &utc));
    printf("%s%s", words, text);
}

static int verify(void *ctx, struct db *db, const struct wish *wish)
{
    struct audit_head noted;
    struct audit_verdict verdict;
    struct error err = {0};
    if (wish->name || wish->format || wish->since || wish->until || wish->team)
        return misuse("--verify proves the whole chain; it takes --head alone%s", "");
    if (wish->head && !read_head(wish->head, &noted))
        return misuse("--head takes NUMBER:HASH as envbot told it, not %s", wish->head);
    if (!audit_verify(db, wish->head ? &noted : NULL, &verdict, &err))
        return fail(&err);
    if (!verdict.sound) {
        printf("BROKEN  %s\n", verdict.broken);
        return FAILED;
    }
    printf("The audit is sound: %s", text_count(ctx, (long)verdict.head.number, "row", "rows"));
    if (verdict.head.number) {
        print_day(" from ", verdict.first_at);
        print_day(" to ", verdict.last_at);
        printf(", head %" PRId64 ":%s", verdict.head.number, verdict.head.hash);
    }
    printf(".\n");
    if (verdict.waiting)
        printf("%s waiting to be sealed.\n",
               text_count(ctx, (long)verdict.waiting, "row is", "rows are"));
    return DONE;
}

static int export_rows(struct db *db, const struct wish *wish)
{
    struct audit_filter filter = {wish->since, wish->until, wish->team, wish->name};
    bool csv = strcmp(wish->format, "csv") == 0;
    struct error err = {0};
    if (!csv && strcmp(wish->format, "jsonl") != 0)
        return misuse("--format is jsonl or csv, not %s", wish->format);
    const char *wrong = wish->since && !is_moment(wish->since)   ? wish->since
                        : wish->until && !is_moment(wish->until) ? wish->until
                                                                 : NULL;
    if (wrong)
        return misuse("a moment is written like 2026-11-25 or 2026-11-25T08:00:00Z, not %s", wrong);
    return audit_export(db, &filter, csv ? AUDIT_CSV : AUDIT_JSONL, stdout, &err) ? DONE
                                                                                  : fail(&err);
}

static int tell(void *ctx, struct db *db, const struct wish *wish)
{
    struct error err = {0};
    cJSON *story = story_read(ctx, db, wish->team, wish->name, &err);
    if (!story)
        return fail(&err);
    if (!story->child) {
        fprintf(stderr, "envbot: there never was an environment %s%s%s.\n", wish->name,
                wish->team ? " of team " : "", wish->team ? wish->team : "");
        return FAILED;
    }
    fputs(story_text(ctx, story), stdout);
    return DONE;
}

int audit_main(const struct config *config, const char *const *words)
{
    struct wish wish = {0};
    int code = read_words(words, &wish);
    if (code != DONE)
        return code;
    if (!wish.verify && wish.head)
        return misuse("--head goes with --verify%s", "");
    if (!wish.verify && !wish.format && (wish.since || wish.until))
        return misuse("--since and --until go with --format%s", "");
    if (!wish.verify && !wish.format && !wish.name)
        return misuse("`envbot audit` takes a name, --format or --verify%s", "");
    void *ctx = talloc_new(NULL);
    struct db *db = db_new(ctx, config->database.url, "envbot audit", 0);
    code = wish.verify   ? verify(ctx, db, &wish)
           : wish.format ? export_rows(db, &wish)
                         : tell(ctx, db, &wish);
    talloc_free(ctx);
    return code;
}
