/* Who works on a job: host, job process and eksctl, each with its start time, so that a process id
   that was given to another meanwhile is never taken for ours. */
#ifndef JOBS_OWNER_H
#define JOBS_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

/* "host:pid:start" of this process, with ":pid:start" of eksctl when child > 0; owned by ctx. */
char *owner_text(const void *ctx, pid_t child);

/* Ends what an earlier owner left on this host: its eksctl's process group and itself. Returns how
   many were ended. Another host's cannot be reached: AWS's own names are the fence then. */
int owner_end(const char *owner);

/* What names the private folder of that owner's job process, "PID-START"; NULL when it was on
   another host. */
char *owner_place(const void *ctx, const char *owner);

#endif
