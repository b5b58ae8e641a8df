#include "base/id.h"

#include <stdlib.h>
#include <sys/random.h>
#include <talloc.h>

/* No 0 O 1 I L: 31 signs. */
static const char upper[] = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
static const char lower[] = "23456789abcdefghjkmnpqrstuvwxyz";

static char *draw(const void *ctx, const char *signs, unsigned count)
{
    unsigned char bytes[16];
    if (getrandom(bytes, count, 0) != (ssize_t)count)
        abort(); /* up to 256 bytes are always given once the system is up: getrandom(2) */
    char *text = talloc_array(ctx, char, count + 1);
    for (unsigned i = 0; i < count; i++)
        text[i] = signs[bytes[i] % 31];
    text[count] = '\0';
    return text;
}

char *id_reference(const void *ctx)
{
    return draw(ctx, upper, 6);
}

char *id_suffix(const void *ctx)
{
    return draw(ctx, lower, 4);
}
