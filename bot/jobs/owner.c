#include "jobs/owner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#include <unistd.h>

/* Field 22 of /proc/PID/stat, proc(5): clock ticks after boot; 0 when there is no such process. */
static unsigned long long start_time(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

char *owner_text(const void *ctx, pid_t child)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    for (char *c = host; *c; c++)
        if (*c == ':')
            *c = '-';
    char *text = talloc_asprintf(ctx, "%s:%d:%llu", host, (int)getpid(), start_time(getpid()));
    if (child > 0)
        text = talloc_asprintf_append(text, ":%d:%llu", (int)child, start_time(child));
    return text;
}

static int end_one(int pid, unsigned long long start, bool group)
{
    if (pid <= 1 || pid == getpid() || start == 0 || start_time(pid) != start)
        return 0;
    return kill(group ? -pid : pid, SIGKILL) == 0;
}

struct holder {
    int pid, child;
    unsigned long long start, child_start;
};

/* How many of its parts there are: 5 with an eksctl; 0 when it is of another host. */
static int read_owner(const char *owner, struct holder *holder)
{
    char host[256] = "", of[256];
    *holder = (struct holder){0};
    gethostname(host, sizeof host - 1);
    for (char *c = host; *c; c++)
        if (*c == ':')
            *c = '-';
    int parts = sscanf(owner, "%255[^:]:%d:%llu:%d:%llu", of, &holder->pid, &holder->start,
                       &holder->child, &holder->child_start);
    return parts < 3 || strcmp(of, host) != 0 ? 0 : parts;
}

int owner_end(const char *owner)
{
    struct holder holder;
    int parts = read_owner(owner, &holder);
    if (!parts)
        return 0;
    int ended =
        end_one(holder.pid, holder.start, false); /* first, so that it starts nothing more */
    if (parts == 5)
        ended += end_one(holder.child, holder.child_start, true);
    return ended;
}

char *owner_place(const void *ctx, const char *owner)
{
    struct holder holder;
    return read_owner(owner, &holder) ? talloc_asprintf(ctx, "%d-%llu", holder.pid, holder.start)
                                      : NULL;
}
