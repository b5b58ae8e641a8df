#include "jobs/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <talloc.h>
#include <unistd.h>

extern char **environ;

struct local {
    const struct config *config;
    char **environment; /* of the job process */
};

/* The job process needs the database, the configuration and AWS, and no secret of anything else. */
static char **job_environment(const void *ctx)
{
    static const char *const kept_back[] = {"SLACK_", "ENVBOT_SLACK_", "ENVBOT_APPROVALS_"};
    unsigned count = 0;
    while (environ[count])
        count++;
    char **list = talloc_array(ctx, char *, count + 1);
    unsigned used = 0;
    for (unsigned i = 0; i < count; i++) {
        bool keep = true;
        for (size_t k = 0; k < sizeof kept_back / sizeof *kept_back; k++)
            keep = keep && strncmp(environ[i], kept_back[k], strlen(kept_back[k])) != 0;
        if (keep)
            list[used++] = talloc_strdup(list, environ[i]);
    }
    list[used] = NULL;
    return list;
}

static void *begin(const void *ctx, const struct config *config, struct metrics *metrics,
                   struct error *err)
{
    (void)metrics;
    (void)err;
    struct local *local = talloc_zero(ctx, struct local);
    local->config = config;
    local->environment = job_environment(local);
    return local;
}

/* Between fork and exec only what is safe after fork in a program with threads: signal-safety(7).
   Libraries open connections that an exec does not close (libcurl does): none of them is the job's,
   nor its eksctl's. */
static void become_job(char **arguments, char **environment)
{
    setsid();
    pid_t grandchild = fork();
    if (grandchild != 0)
        _exit(grandchild < 0);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    close_range(3, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve("/proc/self/exe", arguments, environment);
    _exit(127);
}

static bool start(void *state, const struct launch_job *wanted, struct trouble *trouble)
{
    struct local *local = state;
    char number[32];
    snprintf(number, sizeof number, "%" PRId64, wanted->id);
    char name[] = "envbot", job[] = "job", option[] = "--config";
    char *file = talloc_strdup(NULL, local->config->file);
    char *plain[] = {name, job, number, NULL};
    char *with_file[] = {name, job, number, option, file, NULL};
    char **arguments = *file ? with_file : plain;
    pid_t child = fork();
    if (child == 0)
        become_job(arguments, local->environment);
    int status = 0;
    bool ok = child > 0;
    while (ok && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok) {
        trouble_set(trouble, TROUBLE_HERE, "%s", strerror(errno));
        trouble->lasts = true;
    }
    talloc_free(file);
    return ok;
}

const struct launch launch_local = {"local", 5, 16, begin, start, NULL, NULL};
