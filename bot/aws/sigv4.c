#include "aws/sigv4.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <talloc.h>

enum { DIGEST = 32 };

static char *hex(const void *ctx, const unsigned char *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    char *text = talloc_size(ctx, length * 2 + 1);
    for (size_t i = 0; i < length; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[2 * length] = '\0';
    return text;
}

static char *sha256(const void *ctx, const char *bytes, size_t length)
{
    unsigned char digest[DIGEST];
    unsigned size = sizeof digest;
    EVP_Digest(bytes, length, digest, &size, EVP_sha256(), NULL);
    return hex(ctx, digest, sizeof digest);
}

static void hmac(const unsigned char *key, size_t key_length, const char *text,
                 unsigned char out[DIGEST])
{
    unsigned size = DIGEST;
    HMAC(EVP_sha256(), key, (int)key_length, (const unsigned char *)text, strlen(text), out, &size);
}

/* Percent-encodes what RFC 3986 does not call unreserved, but the characters of `keep`. */
static char *encode(const void *ctx, const char *text, size_t length, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = talloc_size(ctx, length * 3 + 1), *to = out;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x80 && isalnum(c)) || (c && strchr("-._~", c)) || (c && strchr(keep, c))) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    *to = '\0';
    return out;
}

/* A part of a query in the one form that AWS signs: decoded, then encoded. */
static char *canonical_part(const void *ctx, const char *text, size_t length)
{
    char *decoded = talloc_size(ctx, length + 1);
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char code[3] = {0};
        if (text[i] == '%' && i + 2 < length && isxdigit((unsigned char)text[i + 1]) &&
            isxdigit((unsigned char)text[i + 2])) {
            code[0] = text[i + 1];
            code[1] = text[i + 2];
            decoded[used++] = (char)strtol(code, NULL, 16);
            i += 2;
        } else {
            decoded[used++] = text[i];
        }
    }
    return encode(ctx, decoded, used, "");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *canonical_query(const void *ctx, const char *query)
{
    char *text = talloc_strdup(ctx, "");
    if (!query || !*query)
        return text;
    size_t count = 1, used = 0;
    for (const char *c = query; *c; c++)
        count += *c == '&';
    /* "name\1value": sorted by name, then by value, since \1 comes before all that is left. */
    const char **pairs = talloc_array(ctx, const char *, (unsigned)count);
    for (const char *each = query; used < count;) {
        size_t length = strcspn(each, "&"), name = strcspn(each, "=&");
        bool has_value = name < length;
        pairs[used++] = talloc_asprintf(
            ctx, "%s\1%s", canonical_part(ctx, each, name),
            has_value ? canonical_part(ctx, each + name + 1, length - name - 1) : "");
        each += length + (each[length] == '&');
    }
    qsort(pairs, count, sizeof *pairs, by_text);
    for (size_t i = 0; i < count; i++) {
        const char *value = strchr(pairs[i], '\1');
        text = talloc_asprintf_append(text, "%s%.*s=%s", i ? "&" : "", (int)(value - pairs[i]),
                                      pairs[i], value + 1);
    }
    return text;
}

/* "name:value" in small letters, blanks at the ends gone and in the middle made one. */
static char *canonical_header(const void *ctx, const char *header)
{
    size_t name = strcspn(header, ":");
    char *out = talloc_size(ctx, strlen(header) + 2);
    for (size_t i = 0; i < name; i++)
        out[i] = (char)tolower((unsigned char)header[i]);
    out[name] = ':';
    size_t used = name + 1;
    for (const char *c = header + name + (header[name] == ':'); *c; c++) {
        if (!isspace((unsigned char)*c)) {
            if (isspace((unsigned char)c[-1]) && used > name + 1)
                out[used++] = ' ';
            out[used++] = *c;
        }
    }
    out[used] = '\0';
    return out;
}

static int by_name(const void *a, const void *b)
{
    const char *one = *(const char *const *)a, *two = *(const char *const *)b;
    size_t first = strcspn(one, ":"), second = strcspn(two, ":");
    int order = strncmp(one, two, first < second ? first : second);
    return order ? order : (first > second) - (first < second);
}

static char **canonical_headers(const void *ctx, const char *const *headers, size_t *count)
{
    *count = 0;
    while (headers[*count])
        (*count)++;
    char **sorted = talloc_array(ctx, char *, (unsigned)*count + 1);
    for (size_t i = 0; i < *count; i++)
        sorted[i] = canonical_header(sorted, headers[i]);
    qsort(sorted, *count, sizeof *sorted, by_name);
    return sorted;
}

static char *signed_names(const void *ctx, const char *const *headers)
{
    size_t count;
    char **sorted = canonical_headers(ctx, headers, &count);
    char *names = talloc_strdup(ctx, "");
    for (size_t i = 0; i < count; i++)
        names = talloc_asprintf_append(names, "%s%.*s", i ? ";" : "", (int)strcspn(sorted[i], ":"),
                                       sorted[i]);
    talloc_free(sorted);
    return names;
}

char *sigv4_canonical(const void *ctx, const struct sigv4_request *request)
{
    void *tmp = talloc_new(NULL);
    size_t count;
    char **sorted = canonical_headers(tmp, request->headers, &count);
    char *lines = talloc_strdup(tmp, "");
    for (size_t i = 0; i < count; i++)
        lines = talloc_asprintf_append(lines, "%s\n", sorted[i]);
    char *text = talloc_asprintf(
        ctx, "%s\n%s\n%s\n%s\n%s\n%s", request->method,
        encode(tmp, request->path, strlen(request->path), "/"),
        canonical_query(tmp, request->query), lines, signed_names(tmp, request->headers),
        sha256(tmp, request->body ? request->body : "", request->body_length));
    talloc_free(tmp);
    return text;
}

static void day_and_moment(time_t at, char day[16], char moment[32])
{
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(day, 16, "%Y%m%d", &utc);
    strftime(moment, 32, "%Y%m%dT%H%M%SZ", &utc);
}

void sigv4_key(const struct sigv4_scope *scope, unsigned char key[32])
{
    char day[16], moment[32];
    day_and_moment(scope->at, day, moment);
    char *secret = talloc_asprintf(NULL, "AWS4%s", scope->keys->secret);
    hmac((const unsigned char *)secret, strlen(secret), day, key);
    talloc_free(secret);
    hmac(key, DIGEST, scope->region, key);
    hmac(key, DIGEST, scope->service, key);
    hmac(key, DIGEST, "aws4_request", key);
}

const char **sigv4_sign(const void *ctx, const struct sigv4_scope *scope,
                        const struct sigv4_request *request)
{
    size_t count = 0;
    while (request->headers[count])
        count++;
    char day[16], moment[32];
    day_and_moment(scope->at, day, moment);
    const char **headers = talloc_zero_array(ctx, const char *, (unsigned)count + 4);
    memcpy(headers, request->headers, count * sizeof *headers);
    headers[count++] = talloc_asprintf(headers, "X-Amz-Date: %s", moment);
    if (scope->keys->token)
        headers[count++] = talloc_asprintf(headers, "X-Amz-Security-Token: %s", scope->keys->token);

    void *tmp = talloc_new(NULL);
    struct sigv4_request whole = *request;
    whole.headers = headers;
    char *canonical = sigv4_canonical(tmp, &whole);
    char *place = talloc_asprintf(tmp, "%s/%s/%s/aws4_request", day, scope->region, scope->service);
    char *to_sign = talloc_asprintf(tmp, "AWS4-HMAC-SHA256\n%s\n%s\n%s", moment, place,
                                    sha256(tmp, canonical, strlen(canonical)));
    unsigned char key[DIGEST], signature[DIGEST];
    sigv4_key(scope, key);
    hmac(key, DIGEST, to_sign, signature);
    headers[count] = talloc_asprintf(
        headers, "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
        scope->keys->id, place, signed_names(tmp, headers), hex(tmp, signature, DIGEST));
    talloc_free(tmp);
    return headers;
}
