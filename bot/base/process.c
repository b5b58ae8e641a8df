#include "base/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>

/* Field 22 of /proc/PID/stat (proc(5)): clock ticks from boot to the process's start; 0 when there
   is no such process. The name in field 2 may hold anything, so it is counted from its last ')'. */
static unsigned long long start_time(long pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    char *rest = strrchr(text, ')');
    if (!rest)
        return 0;
    char *field = rest + 1, *save = NULL;
    field = strtok_r(field, " ", &save);
    for (int number = 3; field && number < 22; number++)
        field = strtok_r(NULL, " ", &save);
    return field ? strtoull(field, NULL, 10) : 0;
}

char *process_host(const void *ctx)
{
    char boot[64] = "unknown", space[64] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file) {
        if (!fgets(boot, sizeof boot, file))
            snprintf(boot, sizeof boot, "unknown");
        fclose(file);
    }
    ssize_t length = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[length > 0 ? length : 0] = '\0'; /* "pid:[4026531836]" */
    const char *number = strchr(space, '[');
    return talloc_asprintf(ctx, "%.*s-%.*s:", (int)strcspn(boot, "-\n"), boot,
                           number ? (int)strcspn(number + 1, "]") : 0, number ? number + 1 : "");
}

char *process_name(const void *ctx)
{
    char *host = process_host(ctx);
    char *name = talloc_asprintf(ctx, "%s%ld:%llu", host, (long)getpid(), start_time(getpid()));
    talloc_free(host);
    return name;
}

bool process_gone(const char *name)
{
    char *host = process_host(NULL);
    size_t length = strlen(host);
    bool ours = strncmp(name, host, length) == 0;
    talloc_free(host);
    long pid;
    unsigned long long started;
    if (!ours || sscanf(name + length, "%ld:%llu", &pid, &started) != 2 || !started)
        return false;
    return start_time(pid) != started;
}
