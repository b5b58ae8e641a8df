/* Access rules: whatever stands in a manifest is read or told, and a no with its reason is the
   same no as without. */
#include "approvals/rbac.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <talloc.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void ask(const struct rbac *rules, const struct rbac_question *question)
{
    struct rbac_reason why;
    if (rbac_allows(rules, question, &why) != rbac_allows(rules, question, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static int file = -1;
    static char path[32];
    if (file < 0) {
        file = memfd_create("rules.yaml", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (ftruncate(file, 0) != 0 || pwrite(file, bytes, length, 0) != (ssize_t)length)
        abort();
    void *ctx = talloc_new(NULL);
    struct rbac *rules = NULL;
    char *problems = NULL;
    struct error err = {0};
    if (rbac_read(ctx, path, &rules, &problems, &err)) {
        const char *groups[] = {"slack:platform-approvers", "slack:managers", NULL};
        const char *names[] = {"", "small"};
        for (int i = 0; i < 4; i++)
            ask(rules,
                &(struct rbac_question){"slack:U1", groups, i / 2 ? "payments" : "", "approve",
                                        "envbot.dev", "environments", "", names[i % 2]});
        rbac_subjects(ctx, rules, "payments", "approve", "environments", "small");
    }
    talloc_free(ctx);
    return 0;
}
