/* A frame from Slack: read or refused, and what a handler takes out of a click. */
#include "commands/call.h"

#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    void *ctx = talloc_new(NULL);
    struct envelope *envelope = NULL;
    struct error err = {0};
    if (envelope_read(ctx, (const char *)bytes, length, &envelope, &err)) {
        struct call *call = talloc_zero(ctx, struct call);
        call->envelope = envelope;
        call_revision(call);
        call_field(call, "reason");
    }
    talloc_free(ctx);
    return 0;
}
