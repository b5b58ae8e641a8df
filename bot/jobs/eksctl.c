#include "jobs/eksctl.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <talloc.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static char **arguments_of(const void *ctx, const char *const *words)
{
    unsigned count = 0;
    while (words[count])
        count++;
    char **list = talloc_array(ctx, char *, count + 1);
    for (unsigned i = 0; i <= count; i++)
        list[i] = words[i] ? talloc_strdup(list, words[i]) : NULL;
    return list;
}

static char *minutes(const void *ctx, int64_t seconds)
{
    return seconds % 60 ? talloc_asprintf(ctx, "%llds", (long long)seconds)
                        : talloc_asprintf(ctx, "%lldm", (long long)seconds / 60);
}

char **eksctl_create(const void *ctx, const struct config *c)
{
    const char *words[] = {c->eksctl.path,
                           "create",
                           "cluster",
                           "-f",
                           "-",
                           "--timeout",
                           minutes(ctx, c->eksctl.create_timeout),
                           "--write-kubeconfig=false",
                           "-C",
                           "false",
                           "-v",
                           "3",
                           *c->eksctl.cfn_role_arn ? "--cfn-role-arn" : NULL,
                           c->eksctl.cfn_role_arn,
                           NULL};
    return arguments_of(ctx, words);
}

char **eksctl_delete(const void *ctx, const struct config *c, const char *cluster,
                     const char *region)
{
    const char *words[] = {c->eksctl.path,
                           "delete",
                           "cluster",
                           "--name",
                           cluster,
                           "--region",
                           region,
                           "--wait",
                           "--force",
                           "--disable-nodegroup-eviction",
                           "--timeout",
                           minutes(ctx, c->eksctl.delete_timeout),
                           "-C",
                           "false",
                           *c->eksctl.cfn_role_arn ? "--cfn-role-arn" : NULL,
                           c->eksctl.cfn_role_arn,
                           NULL};
    return arguments_of(ctx, words);
}

char **eksctl_get(const void *ctx, const struct config *c, const char *cluster, const char *region)
{
    const char *words[] = {c->eksctl.path, "get", "cluster", "--name", cluster, "--region",
                           region,         "-o",  "json",    "-C",     "false", NULL};
    return arguments_of(ctx, words);
}

char **eksctl_list(const void *ctx, const struct config *c, const char *region)
{
    const char *words[] = {c->eksctl.path, "get",  "cluster", "--region", region,
                           "-o",           "json", "-C",      "false",    NULL};
    return arguments_of(ctx, words);
}

char **eksctl_stacks(const void *ctx, const struct config *c, const char *cluster,
                     const char *region)
{
    const char *words[] = {
        c->eksctl.path, "utils", "describe-stacks", "--cluster", cluster, "--region", region, "-o",
        "json",         "-C",    "false",           NULL};
    return arguments_of(ctx, words);
}

char **eksctl_addons(const void *ctx, const struct config *c, const char *cluster,
                     const char *region)
{
    const char *words[] = {c->eksctl.path, "get", "addon", "--cluster", cluster, "--region",
                           region,         "-o",  "json",  "-C",        "false", NULL};
    return arguments_of(ctx, words);
}

char **eksctl_profiles(const void *ctx, const struct config *c, const char *cluster,
                       const char *region)
{
    const char *words[] = {c->eksctl.path, "get",      "fargateprofile", "--cluster",
                           cluster,        "--region", region,           "-o",
                           "json",         "-C",       "false",          NULL};
    return arguments_of(ctx, words);
}

char **eksctl_add(const void *ctx, const struct config *c, const char *what)
{
    bool groups = strcmp(what, "nodegroup") == 0; /* only these are stacks */
    const char *words[] = {c->eksctl.path,
                           "create",
                           what,
                           "-f",
                           "-",
                           "--timeout",
                           minutes(ctx, c->eksctl.create_timeout),
                           "-C",
                           "false",
                           "-v",
                           "3",
                           groups && *c->eksctl.cfn_role_arn ? "--cfn-role-arn" : NULL,
                           c->eksctl.cfn_role_arn,
                           NULL};
    return arguments_of(ctx, words);
}

char **eksctl_groups(const void *ctx, const struct config *c, const char *cluster,
                     const char *region)
{
    const char *words[] = {c->eksctl.path, "get", "nodegroup", "--cluster", cluster, "--region",
                           region,         "-o",  "json",      "-C",        "false", NULL};
    return arguments_of(ctx, words);
}

char **eksctl_scale(const void *ctx, const struct config *c, const char *cluster,
                    const char *region, const char *group, const struct eksctl_size *size)
{
    const char *words[] = {c->eksctl.path,
                           "scale",
                           "nodegroup",
                           "--cluster",
                           cluster,
                           "--region",
                           region,
                           "--name",
                           group,
                           "--nodes",
                           talloc_asprintf(ctx, "%d", size->desired),
                           "--nodes-min",
                           talloc_asprintf(ctx, "%d", size->least),
                           "--nodes-max",
                           talloc_asprintf(ctx, "%d", size->most),
                           "--wait",
                           "--timeout",
                           minutes(ctx, c->eksctl.change_timeout),
                           "-C",
                           "false",
                           NULL};
    return arguments_of(ctx, words);
}

char **eksctl_upgrade(const void *ctx, const struct config *c, const char *cluster,
                      const char *region, const char *group, const char *version)
{
    const char *timeout = minutes(ctx, c->eksctl.change_timeout);
    /* Without --approve it is only planned. */
    const char *plane[] = {c->eksctl.path, "upgrade", "cluster",   "--name", cluster,
                           "--region",     region,    "--version", version,  "--approve",
                           "--timeout",    timeout,   "-C",        "false",  NULL};
    const char *nodes[] = {
        c->eksctl.path, "upgrade", "nodegroup", "--cluster", cluster,
        "--region",     region,    "--name",    group,       "--kubernetes-version",
        version,        "--wait",  "--timeout", timeout,     "-C",
        "false",        NULL};
    return arguments_of(ctx, group ? nodes : plane);
}

/* Where AWS's profiles are: eksctl would look for them in a home that is not theirs. */
static void add_profile(char **list, unsigned *count, const char *variable, const char *file)
{
    const char *home = getenv("HOME");
    char *path = home ? talloc_asprintf(list, "%s/.aws/%s", home, file) : NULL;
    if (path && !getenv(variable) && access(path, R_OK) == 0)
        list[(*count)++] = talloc_asprintf(list, "%s=%s", variable, path);
}

char **eksctl_environment(const void *ctx, const char *home)
{
    static const char *const passed[] = {
        "PATH=",       "AWS_",         "HTTP_PROXY=", "HTTPS_PROXY=",   "NO_PROXY=",
        "http_proxy=", "https_proxy=", "no_proxy=",   "SSL_CERT_FILE=", "SSL_CERT_DIR="};
    unsigned count = 0;
    char **list = talloc_array(ctx, char *, 64);
    for (char **each = environ; *each && count < 54; each++)
        for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
            if (strncmp(*each, passed[i], strlen(passed[i])) == 0)
                list[count++] = talloc_strdup(list, *each);
    add_profile(list, &count, "AWS_CONFIG_FILE", "config");
    add_profile(list, &count, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
    list[count++] = talloc_asprintf(list, "HOME=%s", home);
    list[count++] = talloc_asprintf(list, "KUBECONFIG=%s/kubeconfig", home);
    list[count++] = talloc_asprintf(list, "TMPDIR=%s", home); /* nothing else may be writable */
    list[count++] = talloc_strdup(list, "TZ=UTC"); /* its stamps are local time without a zone */
    list[count++] = talloc_strdup(list, "LC_ALL=C.UTF-8");
    list[count++] = talloc_strdup(list, "NO_COLOR=1");
    list[count] = NULL;
    return list;
}

static char *home_path(const void *ctx, const char *place, const char *end)
{
    const char *base = getenv("TMPDIR");
    return talloc_asprintf(ctx, "%s/envbot-job-%s.%s", base && *base ? base : "/tmp", place, end);
}

char *eksctl_make_home(const void *ctx, const char *place, struct error *err)
{
    char *path = home_path(ctx, place, "XXXXXX");
    if (mkdtemp(path))
        return path;
    error_set(err, ERROR_INTERNAL, "%s cannot be made: %s", path, strerror(errno));
    return NULL;
}

static int remove_entry(const char *path, const struct stat *unused, int type, struct FTW *where)
{
    (void)unused;
    (void)type;
    (void)where;
    return remove(path);
}

/* Whether it is one that we made: whose folder it is may change what stands where in it at any
   moment, and the path of what is to be removed lead elsewhere. */
static bool is_home(const char *path)
{
    struct stat it;
    return lstat(path, &it) == 0 && S_ISDIR(it.st_mode) && it.st_uid == geteuid() &&
           (it.st_mode & 077) == 0;
}

void eksctl_remove_homes(const char *place)
{
    char *pattern = home_path(NULL, place, "??????");
    glob_t found;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (is_home(found.gl_pathv[i]))
                nftw(found.gl_pathv[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        globfree(&found);
    }
    talloc_free(pattern);
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

bool eksctl_start(char **arguments, char **environment, bool joined, struct eksctl_process *process,
                  struct error *err)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, errors[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || (!joined && pipe2(errors, O_CLOEXEC))) {
        close_pair(in);
        close_pair(out);
        return error_set(err, ERROR_INTERNAL, "no pipe: %s", strerror(errno));
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, joined ? out[1] : errors[1], 2);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failed =
        posix_spawnp(&process->pid, arguments[0], &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(in[0]);
    close(out[1]);
    if (!joined)
        close(errors[1]);
    if (failed) {
        close(in[1]);
        close(out[0]);
        if (!joined)
            close(errors[0]);
        return error_set(err, ERROR_CONFIG, "%s cannot be started: %s", arguments[0],
                         strerror(failed));
    }
    process->input = in[1];
    process->output = out[0];
    process->errors = joined ? -1 : errors[0];
    return true;
}

/* How many bytes of an answer are kept. */
enum { MOST_ANSWER = 8 << 20 };

static void drain(int *fd, char **into)
{
    char buffer[8192];
    ssize_t got = read(*fd, buffer, sizeof buffer);
    if (got > 0 && talloc_get_size(*into) < MOST_ANSWER)
        *into = talloc_strndup_append_buffer(*into, buffer, (size_t)got);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
        close(*fd);
        *fd = -1;
    }
}

/* What it says for a moment; true while there may be more. */
static bool listen_to(struct eksctl_process *process, char **output, char **errors, bool exited)
{
    struct pollfd fds[2] = {{process->output, POLLIN, 0}, {process->errors, POLLIN, 0}};
    int heard = poll(fds, 2, exited ? 0 : 250);
    if (fds[0].revents)
        drain(&process->output, output);
    if (fds[1].revents)
        drain(&process->errors, errors);
    return heard > 0;
}

bool eksctl_exited(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static int64_t monotonic(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec;
}

bool eksctl_ask(const void *ctx, char **arguments, char **environment,
                const struct eksctl_patience *patience, char **output, char **errors, int *status,
                struct error *err)
{
    struct eksctl_process process;
    if (!eksctl_start(arguments, environment, false, &process, err))
        return false;
    close(process.input);
    *output = talloc_strdup(ctx, "");
    *errors = talloc_strdup(ctx, "");
    int64_t end = monotonic() + patience->seconds;
    bool late = false, given_up = false, exited = false;
    /* A child of its own may hold its pipes: when it has ended, only what is there is read. */
    while (listen_to(&process, output, errors, exited) || !exited) {
        exited = exited || eksctl_exited(process.pid);
        if (exited || late || given_up)
            continue;
        given_up = patience->meanwhile && !patience->meanwhile(patience->user);
        late = monotonic() >= end;
        if (late || given_up)
            kill(-process.pid, SIGKILL);
    }
    for (int i = 0; i < 2; i++)
        if (*(i ? &process.errors : &process.output) >= 0)
            close(i ? process.errors : process.output);
    kill(-process.pid, SIGKILL); /* what it left behind as well */
    while (waitpid(process.pid, status, 0) < 0 && errno == EINTR)
        ;
    if (late || given_up)
        return error_set(err, ERROR_UNAVAILABLE, "eksctl %s %s did not answer within %d s",
                         arguments[1], arguments[2], patience->seconds);
    return true;
}

bool eksctl_is_there(const struct config *config)
{
    if (strchr(config->eksctl.path, '/'))
        return access(config->eksctl.path, X_OK) == 0;
    char *path = talloc_strdup(NULL, getenv("PATH") ? getenv("PATH") : ""), *state = NULL;
    bool found = false;
    for (char *folder = strtok_r(path, ":", &state); folder && !found;
         folder = strtok_r(NULL, ":", &state)) {
        char *file = talloc_asprintf(path, "%s/%s", folder, config->eksctl.path);
        found = access(file, X_OK) == 0;
    }
    talloc_free(path);
    return found;
}
