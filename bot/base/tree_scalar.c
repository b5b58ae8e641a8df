#include "base/tree_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool whole_number(const char *text, double *number)
{
    const char *digits = text + (*text == '-' || *text == '+');
    int base = 10;
    if (strncmp(digits, "0x", 2) == 0)
        base = 16;
    else if (strncmp(digits, "0o", 2) == 0)
        base = 8;
    if (base != 10 && digits != text)
        return false;
    const char *start = base == 10 ? digits : digits + 2;
    if (!*start || strspn(start, base == 16  ? "0123456789abcdefABCDEF"
                                 : base == 8 ? "01234567"
                                             : "0123456789") != strlen(start))
        return false;
    errno = 0;
    *number = base == 10 ? strtod(text, NULL) : (double)strtoull(start, NULL, base);
    return errno == 0;
}

static bool decimal_number(const char *text, double *number)
{
    const char *at = text + (*text == '-' || *text == '+');
    size_t before = strspn(at, "0123456789"), after = 0;
    at += before;
    if (*at == '.') {
        after = strspn(at + 1, "0123456789");
        at += 1 + after;
    }
    if (!before && !after)
        return false;
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '-' || at[1] == '+');
        size_t exponent = strspn(at, "0123456789");
        if (!exponent)
            return false;
        at += exponent;
    }
    if (*at)
        return false;
    *number = strtod(text, NULL);
    return isfinite(*number);
}

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

cJSON *tree_scalar(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    double number;
    if (one_of(text, nulls))
        return cJSON_CreateNull();
    if (one_of(text, trues))
        return cJSON_CreateTrue();
    if (one_of(text, falses))
        return cJSON_CreateFalse();
    if (whole_number(text, &number) || decimal_number(text, &number))
        return cJSON_CreateNumber(number);
    return cJSON_CreateString(text);
}
