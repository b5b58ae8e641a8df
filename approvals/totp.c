#include "approvals/totp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

/* RFC 4226, 5.3: four bytes from where the last half byte points to, without the sign. */
void totp_code(const uint8_t *secret, size_t length, int64_t step, int digits, char *code)
{
    uint8_t counter[8], mac[EVP_MAX_MD_SIZE] = {0};
    for (int i = 0; i < 8; i++)
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    HMAC(EVP_sha1(), secret, (int)length, counter, sizeof counter, mac, NULL);
    const uint8_t *at = mac + (mac[19] & 0x0f);
    uint32_t number = (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 |
                      (uint32_t)at[2] << 8 | (uint32_t)at[3];
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        code[i] = (char)('0' + number % 10);
    code[digits] = '\0';
    OPENSSL_cleanse(mac, sizeof mac);
}

int64_t totp_find(const uint8_t *secret, size_t length, int64_t step, const char *code)
{
    char given[TOTP_DIGITS + 1] = "", right[TOTP_DIGITS + 1];
    bool whole = strlen(code) == TOTP_DIGITS;
    if (whole)
        memcpy(given, code, sizeof given);
    int64_t found = -1;
    for (int64_t each = step - 1; each <= step + 1; each++) {
        totp_code(secret, length, each, TOTP_DIGITS, right);
        if (CRYPTO_memcmp(given, right, sizeof right) == 0)
            found = each;
    }
    return found;
}

char *totp_base32(const void *ctx, const uint8_t *secret, size_t length)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *text = talloc_zero_array(ctx, char, (unsigned)((length * 8 + 4) / 5 + 1));
    for (size_t i = 0; i * 5 < length * 8; i++) {
        size_t bit = i * 5, byte = bit / 8;
        unsigned two = (unsigned)secret[byte] << 8 | (byte + 1 < length ? secret[byte + 1] : 0U);
        text[i] = letters[two >> (11 - bit % 8) & 31];
    }
    return text;
}

static char *escaped(const void *ctx, const char *text)
{
    char *out = talloc_strdup(ctx, "");
    for (; *text; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || strchr("-._~", *text);
        out = plain ? talloc_strndup_append(out, text, 1)
                    : talloc_asprintf_append(out, "%%%02X", (unsigned)(uint8_t)*text);
    }
    return out;
}

char *totp_uri(const void *ctx, const char *issuer, const char *account, const uint8_t *secret,
               size_t length)
{
    return talloc_asprintf(ctx,
                           "otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=SHA1&digits=%d"
                           "&period=%d",
                           escaped(ctx, issuer), escaped(ctx, account),
                           totp_base32(ctx, secret, length), escaped(ctx, issuer), TOTP_DIGITS,
                           TOTP_STEP);
}
