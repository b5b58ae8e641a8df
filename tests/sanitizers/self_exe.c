/* Preloaded into what runs under valgrind, where /proc/self/exe is valgrind itself: a program that
   executes itself once more gets its own file (readlink(2) is answered as outside of valgrind). */
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int execve(const char *path, char *const arguments[], char *const environment[])
{
    char self[PATH_MAX];
    if (strcmp(path, "/proc/self/exe") == 0) {
        ssize_t length = readlink(path, self, sizeof self - 1);
        if (length > 0) {
            self[length] = '\0';
            path = self;
        }
    }
    return (int)syscall(SYS_execve, path, arguments, environment);
}
