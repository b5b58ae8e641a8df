#include "enrol.h"

#include "approvals/code.h"
#include "store/migrate.h"

#include <openssl/crypto.h>
#include <pwd.h>
#include <qrencode.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>

enum { DONE = 0, FAILED = 1, MISUSED = 2, MARGIN = 4 /* ISO 18004: four modules of light */ };

static int fail(const struct error *err)
{
    fprintf(stderr, "envbot: %s\n", err->text);
    return FAILED;
}

static bool is_user_id(const char *word)
{
    size_t length = strlen(word);
    return (*word == 'U' || *word == 'W') && length > 2 && length < 32 &&
           strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == length;
}

static bool is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           code->data[y * code->width + x] & 1;
}

/* Two rows of modules a line. Light is what is drawn: terminals are dark more often than not, and
   where one is asked about its colours nothing is left to it. */
static void print_code(const QRcode *code)
{
    bool colours = isatty(STDOUT_FILENO) == 1;
    static const char *const halves[2][2] = {{"\u2588", "\u2580"}, {"\u2584", " "}};
    for (int y = -MARGIN; y < code->width + MARGIN; y += 2) {
        fputs(colours ? "  \033[97;40m" : "  ", stdout);
        for (int x = -MARGIN; x < code->width + MARGIN; x++)
            fputs(halves[is_dark(code, x, y)][is_dark(code, x, y + 1)], stdout);
        puts(colours ? "\033[0m" : "");
    }
}

/* In groups of four, as a person types it off. */
static void print_secret(const char *secret)
{
    for (size_t i = 0; secret[i]; i++)
        printf("%s%c", i && i % 4 == 0 ? " " : "", secret[i]);
    putchar('\n');
}

static bool show(const void *ctx, const char *issuer, const struct person *person,
                 const uint8_t secret[TOTP_SECRET])
{
    char *uri = totp_uri(ctx, issuer, person->name, secret, TOTP_SECRET);
    char *words = totp_base32(ctx, secret, TOTP_SECRET);
    QRcode *code = QRcode_encodeString8bit(uri, 0, QR_ECLEVEL_M);
    if (code) {
        printf("They scan this with an authenticator app. It is shown this once:\n\n");
        print_code(code);
        QRcode_free(code);
        printf("\nOr they type it there (by time, SHA-1, %d digits, %d seconds):\n\n  ",
               TOTP_DIGITS, TOTP_STEP);
    } else {
        printf("They type this into an authenticator app (by time, SHA-1, %d digits, %d "
               "seconds). It is shown this once:\n\n  ",
               TOTP_DIGITS, TOTP_STEP);
    }
    print_secret(words);
    printf("\nClear the terminal when they have it. Nobody else may see it.\n");
    OPENSSL_cleanse(uri, strlen(uri));
    OPENSSL_cleanse(words, strlen(words));
    return fflush(stdout) == 0;
}

/* Who sits at the terminal, as the machine knows them. */
static struct audit_actor operator(const void *ctx)
{
    struct passwd *entry = getpwuid(getuid());
    const char *name = entry ? talloc_strdup(ctx, entry->pw_name) : "operator";
    return (struct audit_actor){.workspace = "", .id = "operator", .name = name};
}

static bool full_member(const struct person *person, struct error *err)
{
    const char *why = person->stranger  ? "is not of this workspace"
                      : person->deleted ? "is deactivated"
                      : person->bot     ? "is a bot"
                      : person->guest   ? "is a guest"
                                        : NULL;
    return !why ||
           error_set(err, ERROR_DENIED, "%s (%s) %s, and decides nothing; nothing was changed.",
                     person->name, person->id, why);
}

/* Who of which workspace, as Slack tells it now. *issuer: what authenticator apps call it. */
static bool resolve(const void *ctx, const struct config *config, const char *user,
                    struct person **person, const char **issuer, struct error *err)
{
    struct slack_web *web = slack_web_new(ctx, config->slack.api_url, config->slack.bot_token);
    struct slack_answer answer;
    if (!slack_call(ctx, web, "auth.test", NULL, &answer, err))
        return error_prefix(err, "Slack's auth.test: ");
    const char *workspace = json_string_or_empty(answer.body, "team_id");
    *issuer = talloc_asprintf(ctx, "envbot %s", json_string_or_empty(answer.body, "team"));
    struct people *people =
        people_new(ctx, config, workspace, json_string_or_empty(answer.body, "enterprise_id"));
    if (people_find(ctx, people, web, workspace, user, PEOPLE_NOW, person, err))
        return true;
    if (err->code == ERROR_DENIED)
        return error_set(err, ERROR_NOT_FOUND, "Slack knows nobody called %s in this workspace",
                         user);
    return error_set(err, ERROR_UNAVAILABLE, "Slack cannot tell at the moment who %s is", user);
}

static int remove_from(struct db *db, const struct person *person, const struct audit_actor *actor)
{
    struct error err;
    bool was;
    if (!code_forget(db, person->workspace, person->id, person->name, actor, &was, &err) ||
        !db_commit(db, &err))
        return fail(&err);
    if (!was) {
        fprintf(stderr, "envbot: %s (%s) is not enrolled.\n", person->name, person->id);
        return FAILED;
    }
    printf("%s (%s) is not enrolled any more: their codes count no longer.\n", person->name,
           person->id);
    return DONE;
}

static int add_to(const void *ctx, struct db *db, const struct config *config,
                  const struct person *person, const char *issuer, const struct audit_actor *actor)
{
    struct error err;
    bool replaced;
    uint8_t secret[TOTP_SECRET];
    if (!full_member(person, &err) ||
        !code_enrol(db, config, person, actor, secret, &replaced, &err) || !db_commit(db, &err))
        return fail(&err);
    printf("%s (%s) is enrolled for one-time codes.%s\n", person->name, person->id,
           replaced ? " This takes the place of their earlier secret, whose codes count no longer."
                    : "");
    bool shown = show(ctx, issuer, person, secret);
    OPENSSL_cleanse(secret, sizeof secret);
    if (shown)
        return DONE;
    error_set(&err, ERROR_INTERNAL, "the secret could not be shown; enrol them again");
    return fail(&err);
}

int enrol(const struct config *config, const char *user, bool remove)
{
    void *ctx = talloc_new(NULL);
    struct error err;
    struct person *person = NULL;
    const char *issuer = "envbot";
    int code = MISUSED, applied;
    struct db *db = db_new(ctx, config->database.url, "envbot enrol", 30000);
    struct audit_actor actor = operator(ctx);
    if (!is_user_id(user))
        fprintf(stderr,
                "envbot: %s is not a Slack user id. It looks like U0123ABCD: in Slack, a person's "
                "profile, More, Copy member ID.\n",
                user);
    else if (!resolve(ctx, config, user, &person, &issuer, &err) || !migrate(db, &applied, &err) ||
             !db_begin(db, DB_READ_WRITE, &err))
        code = fail(&err);
    else if (remove)
        code = remove_from(db, person, &actor);
    else
        code = add_to(ctx, db, config, person, issuer, &actor);
    talloc_free(ctx);
    return code;
}
