/* Secrets at rest: AES-256-GCM with a key of the configuration, and a name that belongs to what is
   sealed, so that nothing sealed for one can be put into another's place. */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL_KEY = 32, SEAL_MORE = 12 + 16 /* nonce before, tag behind */ };

/* 32 bytes as 64 hexadecimal digits or as base64 (44 characters, or 43 without the padding). False
   when text is neither. */
bool seal_key(const char *text, uint8_t key[SEAL_KEY]);

/* out takes length + SEAL_MORE bytes: a random nonce, the text, the tag. False only when OpenSSL
   has no randomness or no memory. */
bool seal(const uint8_t key[SEAL_KEY], const char *name, const uint8_t *text, size_t length,
          uint8_t *out);
/* The way back; out takes length - SEAL_MORE bytes. False when the key or the name is another or a
   bit was changed; then out holds nothing. */
bool unseal(const uint8_t key[SEAL_KEY], const char *name, const uint8_t *sealed, size_t length,
            uint8_t *out);

#endif
