/* Time-based one-time codes, RFC 6238 with SHA-1 and steps of 30 seconds: what every authenticator
   app makes. */
#ifndef APPROVALS_TOTP_H
#define APPROVALS_TOTP_H

#include <stddef.h>
#include <stdint.h>

enum { TOTP_SECRET = 20 /* 160 bits, as RFC 4226 recommends */, TOTP_DIGITS = 6, TOTP_STEP = 30 };

/* The code of one step (seconds since 1970 / TOTP_STEP), with leading zeros; code takes digits + 1
   bytes, digits goes to 8. */
void totp_code(const uint8_t *secret, size_t length, int64_t step, int digits, char *code);

/* The step from one before to one after the present one whose code of TOTP_DIGITS this is; -1 when
   it is none of them. Takes as long whatever the code is. */
int64_t totp_find(const uint8_t *secret, size_t length, int64_t step, const char *code);

/* Base32 without padding (RFC 4648), as apps take it; talloc'ed on ctx. */
char *totp_base32(const void *ctx, const uint8_t *secret, size_t length);

/* otpauth://totp/ISSUER:ACCOUNT?secret=…, for a QR code; talloc'ed on ctx. */
char *totp_uri(const void *ctx, const char *issuer, const char *account, const uint8_t *secret,
               size_t length);

#endif
