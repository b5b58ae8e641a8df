#include "base/seal.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

enum { NONCE = 12, TAG = 16 };

static bool from_hex(const char *text, uint8_t key[SEAL_KEY])
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    for (size_t i = 0; i < (size_t)SEAL_KEY * 2; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (!digit)
            return false;
        unsigned value = (unsigned)(digit - digits) % 16;
        key[i / 2] = (uint8_t)(i % 2 ? (unsigned)key[i / 2] << 4 | value : value);
    }
    return true;
}

static bool from_base64(const char *text, size_t length, uint8_t key[SEAL_KEY])
{
    /* 32 bytes are 43 characters and one of padding */
    enum { LETTERS = 43 };
    uint8_t padded[LETTERS + 1], bytes[SEAL_KEY + 1];
    if (length != LETTERS && (length != LETTERS + 1 || text[LETTERS] != '='))
        return false;
    memcpy(padded, text, LETTERS);
    padded[LETTERS] = '=';
    bool ok = !memchr(padded, '=', LETTERS) &&
              EVP_DecodeBlock(bytes, padded, LETTERS + 1) == SEAL_KEY + 1;
    if (ok)
        memcpy(key, bytes, SEAL_KEY);
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(padded, sizeof padded);
    return ok;
}

bool seal_key(const char *text, uint8_t key[SEAL_KEY])
{
    size_t length = strlen(text);
    return length == (size_t)SEAL_KEY * 2 ? from_hex(text, key) : from_base64(text, length, key);
}

bool seal(const uint8_t key[SEAL_KEY], const char *name, const uint8_t *text, size_t length,
          uint8_t *out)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int done = 0;
    size_t name_length = strlen(name);
    bool ok =
        cipher && length <= INT_MAX && name_length <= INT_MAX && RAND_bytes(out, NONCE) == 1 &&
        EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
        EVP_EncryptUpdate(cipher, NULL, &done, (const uint8_t *)name, (int)name_length) == 1 &&
        EVP_EncryptUpdate(cipher, out + NONCE, &done, text, (int)length) == 1 &&
        EVP_EncryptFinal_ex(cipher, out + NONCE + length, &done) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + length) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return ok;
}

bool unseal(const uint8_t key[SEAL_KEY], const char *name, const uint8_t *sealed, size_t length,
            uint8_t *out)
{
    if (length < SEAL_MORE || length > INT_MAX || strlen(name) > INT_MAX)
        return false;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    size_t inner = length - SEAL_MORE;
    uint8_t tag[TAG];
    memcpy(tag, sealed + NONCE + inner, TAG);
    int done = 0;
    bool ok =
        cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
        EVP_DecryptUpdate(cipher, NULL, &done, (const uint8_t *)name, (int)strlen(name)) == 1 &&
        EVP_DecryptUpdate(cipher, out, &done, sealed + NONCE, (int)inner) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
        EVP_DecryptFinal_ex(cipher, out + inner, &done) == 1;
    EVP_CIPHER_CTX_free(cipher);
    if (!ok)
        OPENSSL_cleanse(out, inner);
    return ok;
}
