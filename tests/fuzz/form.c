/* A form's view, as whoever holds an app's socket could send it: its fields and what it is about.
 */
#include "base/text.h"
#include "commands/call.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char *const fields[] = {"template", "team",   "name",      "ttl",  "region",
                                         "reason",   "time",   "set-nodes", "code", "nodes",
                                         "question", "answer", ""};
    void *ctx = talloc_new(NULL);
    const char *frame = talloc_asprintf(
        ctx,
        "{\"type\":\"interactive\",\"envelope_id\":\"e-1\",\"payload\":{\"type\":"
        "\"view_submission\",\"team\":{\"id\":\"T1\"},\"user\":{\"id\":\"U1\",\"team_id\":\"T1\"},"
        "\"trigger_id\":\"1.2\",\"view\":%s}}",
        talloc_strndup(ctx, (const char *)bytes, length));
    struct envelope *envelope = NULL;
    struct error err = {0};
    if (envelope_read(ctx, frame, strlen(frame), &envelope, &err)) {
        struct call *call = talloc_zero(ctx, struct call);
        call->envelope = envelope;
        call_revision(call);
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            const char *value = call_field(call, fields[i]);
            if (value && !text_is_utf8(value, strlen(value)))
                abort();
        }
    }
    talloc_free(ctx);
    return 0;
}
