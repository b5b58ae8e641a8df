/* In eksctl's place: notes when it began and hangs, so that a job costs nothing while the next
   click is measured. Where a program or link `real` lies beside it, it becomes that one instead.

   The note is a line "<CLOCK_MONOTONIC in ns> <arguments>" in the file `notes` beside it: a job
   gives its eksctl no environment variable that could say where. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char beside[512];
    ssize_t length = readlink("/proc/self/exe", beside, sizeof beside - 8);
    if (length < 0)
        return 1;
    beside[length] = '\0';
    char *name = strrchr(beside, '/') + 1;
    strcpy(name, "notes");
    char line[512];
    int used = snprintf(line, sizeof line, "%lld",
                        (long long)now.tv_sec * 1000000000 + (long long)now.tv_nsec);
    for (int i = 1; i < count && used < 400; i++)
        used += snprintf(line + used, sizeof line - (size_t)used, " %.60s", words[i]);
    line[used++] = '\n';
    int file = open(beside, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || write(file, line, (size_t)used) != used)
        return 1;
    strcpy(name, "real");
    if (access(beside, X_OK) == 0) {
        execv(beside, words);
        return 127;
    }
    for (;;)
        pause();
}
