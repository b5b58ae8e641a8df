/* In eksctl's place: notes when it began and hangs, so that a job costs nothing while the next
   click is measured. Where a program or link `real` lies beside it, it becomes that one instead.
   Where a file `answers` does, it says to questions that nothing is there, and hangs as one that
   creates.

   The note is a line "<CLOCK_MONOTONIC in ns> <arguments>" in the file `notes` beside it: a job
   gives its eksctl no environment variable that could say where. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void answer(char **words)
{
    if (words[1] && (strcmp(words[1], "get") == 0 || strcmp(words[1], "utils") == 0)) {
        fputs("Error: ResourceNotFoundException: No cluster found\n", stderr);
        exit(1);
    }
    puts("2026-11-25 02:39:04 [ℹ]  building cluster stack \"eksctl-some-cluster\"");
    puts("2026-11-25 02:39:04 [ℹ]  deploying stack \"eksctl-some-cluster\"");
    fflush(stdout);
}

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
    strcpy(name, "answers");
    if (access(beside, R_OK) == 0)
        answer(words);
    for (;;)
        pause();
}
