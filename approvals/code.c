#include "approvals/code.h"

#include "base/duration.h"
#include "base/log.h"
#include "base/seal.h"
#include "base/text.h"
#include "lifecycle/say.h"
#include "store/enrolments.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <talloc.h>

/* What a sealed secret belongs to. */
static const char *name_of(const void *ctx, const char *workspace, const char *user)
{
    return talloc_asprintf(ctx, "%s/%s", workspace, user);
}

static bool has_key(const struct config *config, uint8_t key[SEAL_KEY], struct error *err)
{
    return seal_key(config->approvals.code_key, key) ||
           error_set(err, ERROR_DENIED,
                     "This template asks for a one-time code, but envbot has no key for them. Tell "
                     "whoever runs envbot to set approvals.code_key_file. Nothing was decided.");
}

static bool possible(const void *ctx, const struct enrolment *enrolment,
                     const struct person *person, struct error *err)
{
    if (!enrolment)
        return error_set(err, ERROR_DENIED,
                         "This template asks for a one-time code, and you are not enrolled for "
                         "them. Ask whoever runs envbot to do it (envbot enrol %s). Nothing was "
                         "decided.",
                         person->id);
    if (enrolment->locked_left)
        return error_set(err, ERROR_DENIED,
                         "Your codes are locked for another %s, after %d wrong ones. Nothing was "
                         "decided.",
                         duration_text(ctx, (enrolment->locked_left + 59) / 60 * 60), CODE_TRIES);
    return true;
}

bool code_possible(const void *ctx, struct db *db, const struct config *config,
                   const struct person *person, struct error *err)
{
    uint8_t key[SEAL_KEY];
    struct enrolment *enrolment;
    bool ok = has_key(config, key, err);
    OPENSSL_cleanse(key, sizeof key);
    return ok && enrolment_find(ctx, db, person->workspace, person->id, false, &enrolment, err) &&
           possible(ctx, enrolment, person, err);
}

/* People write them "123 456". False when it is not six digits. */
static bool read_code(const char *text, char code[TOTP_DIGITS + 1])
{
    int count = 0;
    for (; *text; text++) {
        if (*text == ' ')
            continue;
        if (*text < '0' || *text > '9' || count == TOTP_DIGITS)
            return false;
        code[count++] = *text;
    }
    code[count] = '\0';
    return count == TOTP_DIGITS;
}

/* The step that the code belongs to, -1 for none; false when the secret does not open. */
static bool find_step(const void *ctx, const struct config *config,
                      const struct enrolment *enrolment, const struct person *person,
                      const char *code, int64_t *step, struct error *err)
{
    uint8_t key[SEAL_KEY], secret[TOTP_SECRET];
    if (!has_key(config, key, err))
        return false;
    bool ok = enrolment->length == TOTP_SECRET + SEAL_MORE &&
              unseal(key, name_of(ctx, person->workspace, person->id), enrolment->secret,
                     enrolment->length, secret);
    if (ok)
        *step = totp_find(secret, sizeof secret, enrolment->now / TOTP_STEP, code);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(secret, sizeof secret);
    if (ok)
        return true;
    log_error("an enrolment for one-time codes does not open with approvals.code_key", "user",
              person->id);
    return error_set(
        err, ERROR_DENIED,
        "envbot cannot read your enrolment for one-time codes: its key was changed. Ask "
        "whoever runs envbot to enrol you again (envbot enrol %s). Nothing was decided.",
        person->id);
}

/* Who stole the session sees the form; a direct message stays where the person finds it. */
static void tell_of_lock(const void *ctx, struct db *db, const struct environment *env,
                         const struct person *person)
{
    cJSON *values = json_object(ctx);
    json_set_string(values, "by", person->name);
    json_set_format(values, "by_mention", "<@%s>", person->id);
    json_set_string(values, "name", env->name);
    json_set_string(values, "team", env->team);
    json_set_string(values, "more", duration_text(ctx, CODE_LOCK));
    json_set_number(values, "count", CODE_TRIES);
    say_operators(db, "code-locked", values);
    json_set_format(values, "words",
                    "Somebody who is signed in to Slack as you gave %d wrong one-time codes to "
                    "approve *%s/%s*. Codes of yours are locked for %s. If that was not you, tell "
                    "whoever runs envbot now, and sign out of all your Slack sessions.",
                    CODE_TRIES, env->team, env->name, duration_text(ctx, CODE_LOCK));
    say_private(db, NULL, person->id, NULL, "private", values);
}

static const char *count_wrong(const void *ctx, struct db *db, const struct enrolment *enrolment,
                               const struct environment *env, const struct person *person,
                               const struct audit_actor *actor)
{
    int failures = enrolment->failures + 1, left = CODE_TRIES - failures % CODE_TRIES;
    bool locks = left == CODE_TRIES;
    enrolment_wrong(db, person->workspace, person->id, locks ? CODE_LOCK : 0);
    cJSON *detail = json_object(ctx);
    json_set_number(detail, "failures", failures);
    json_set_bool(detail, "locks", locks);
    audit_add(db, actor, env->id, env->team, "code-wrong", env->state, env->state, detail);
    if (!locks)
        return talloc_asprintf(ctx,
                               "That code is not right, so nothing was decided. Take the one that "
                               "your app shows now; %s left.",
                               text_count(ctx, left, "try", "tries"));
    log_warn("one-time codes of a person are locked", "user", person->id, "workspace",
             person->workspace);
    tell_of_lock(ctx, db, env, person);
    return talloc_asprintf(ctx,
                           "That code is not right either. Your codes are locked for %s, and the "
                           "operators are told. Nothing was decided.",
                           duration_text(ctx, CODE_LOCK));
}

bool code_check(const void *ctx, struct db *db, const struct config *config,
                const struct environment *env, const struct person *person,
                const struct audit_actor *actor, const char *code, bool *right, const char **words,
                struct error *err)
{
    char digits[TOTP_DIGITS + 1];
    struct enrolment *enrolment;
    int64_t step = -1;
    *right = false;
    if (!enrolment_find(ctx, db, person->workspace, person->id, true, &enrolment, err) ||
        !possible(ctx, enrolment, person, err))
        return false;
    if (!read_code(code, digits))
        return error_set(err, ERROR_USAGE, "A code has %d digits. Nothing was decided.",
                         TOTP_DIGITS);
    if (!find_step(ctx, config, enrolment, person, digits, &step, err))
        return false;
    if (step < 0) {
        *words = count_wrong(ctx, db, enrolment, env, person, actor);
        return true;
    }
    if (step <= enrolment->last_step)
        return error_set(err, ERROR_CONFLICT,
                         "That code was used already, and each counts once. Wait for the next one; "
                         "nothing was decided.");
    enrolment_right(db, person->workspace, person->id, step);
    *right = true;
    return true;
}

bool code_enrol(struct db *db, const struct config *config, const struct person *person,
                const struct audit_actor *actor, uint8_t secret[TOTP_SECRET], bool *replaced,
                struct error *err)
{
    uint8_t key[SEAL_KEY], sealed[TOTP_SECRET + SEAL_MORE];
    if (!seal_key(config->approvals.code_key, key))
        return error_set(
            err, ERROR_CONFIG,
            "there is no key to keep secrets with: put one into a file (openssl rand "
            "-base64 32) and set approvals.code_key_file, or ENVBOT_APPROVALS_CODE_KEY");
    void *tmp = talloc_new(NULL);
    bool ok = RAND_bytes(secret, TOTP_SECRET) == 1 &&
              seal(key, name_of(tmp, person->workspace, person->id), secret, TOTP_SECRET, sealed);
    OPENSSL_cleanse(key, sizeof key);
    if (!ok)
        error_set(err, ERROR_INTERNAL, "OpenSSL could not make a secret");
    ok = ok &&
         enrolment_put(db, person->workspace, person->id, sealed, sizeof sealed, replaced, err);
    if (ok) {
        cJSON *detail = json_object(tmp);
        json_set_format(detail, "user", "%s/%s", person->workspace, person->id);
        json_set_string(detail, "name", person->name);
        json_set_bool(detail, "replaced", *replaced);
        audit_add(db, actor, 0, NULL, "enrol", NULL, NULL, detail);
    }
    talloc_free(tmp);
    return ok;
}

bool code_forget(struct db *db, const char *workspace, const char *user, const char *name,
                 const struct audit_actor *actor, bool *was, struct error *err)
{
    if (!enrolment_remove(db, workspace, user, was, err))
        return false;
    void *tmp = talloc_new(NULL);
    cJSON *detail = json_object(tmp);
    json_set_format(detail, "user", "%s/%s", workspace, user);
    json_set_string(detail, "name", name);
    if (*was)
        audit_add(db, actor, 0, NULL, "enrolment-removed", NULL, NULL, detail);
    talloc_free(tmp);
    return true;
}
