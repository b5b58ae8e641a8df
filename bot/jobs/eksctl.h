/* eksctl's command lines, what it may see of our environment, and running it. */
#ifndef JOBS_EKSCTL_H
#define JOBS_EKSCTL_H

#include "base/error.h"
#include "base/json.h"
#include "config.h"

#include <sys/types.h>

/* Argument vectors, NULL-terminated, owned by ctx; nothing goes through a shell. */
char **eksctl_create(const void *ctx, const struct config *config);
char **eksctl_delete(const void *ctx, const struct config *config, const char *cluster,
                     const char *region);
char **eksctl_get(const void *ctx, const struct config *config, const char *cluster,
                  const char *region);
/* All clusters of a region. Of all regions at once eksctl leaves out those that it cannot read, and
   ends with 0 (pkg/actions/cluster/get.go). */
char **eksctl_list(const void *ctx, const struct config *config, const char *region);
char **eksctl_stacks(const void *ctx, const struct config *config, const char *cluster,
                     const char *region);
char **eksctl_addons(const void *ctx, const struct config *config, const char *cluster,
                     const char *region);
char **eksctl_profiles(const void *ctx, const struct config *config, const char *cluster,
                       const char *region);
/* Adds what a ClusterConfig on stdin has and the cluster lacks: "nodegroup", "fargateprofile" (both
   leave what is there alone) or "addon". */
char **eksctl_add(const void *ctx, const struct config *config, const char *what);

/* All node groups of a cluster, as JSON. */
char **eksctl_groups(const void *ctx, const struct config *config, const char *cluster,
                     const char *region);
/* How many nodes a node group is to have. */
struct eksctl_size {
    int desired, least, most;
};
char **eksctl_scale(const void *ctx, const struct config *config, const char *cluster,
                    const char *region, const char *group, const struct eksctl_size *size);

/* The control plane (group NULL) or one node group to that version. */
char **eksctl_upgrade(const void *ctx, const struct config *config, const char *cluster,
                      const char *region, const char *group, const char *version);

/* What eksctl gets to see: PATH, AWS_*, proxies and certificates; HOME, KUBECONFIG and TMPDIR in
   a folder of its own; times in UTC. Never Slack's, the database's or our own settings. */
char **eksctl_environment(const void *ctx, const char *home);

/* A folder for the eksctl of the job process that place names (owner_place), which nobody else may
   read; removed with eksctl_remove_homes, also by who takes over. NULL with err. */
char *eksctl_make_home(const void *ctx, const char *place, struct error *err);
void eksctl_remove_homes(const char *place);

/* Whether its program is where the configuration says, or on the PATH. */
bool eksctl_is_there(const struct config *config);

struct eksctl_process {
    pid_t pid;  /* also its process group */
    int input;  /* write end of its stdin, -1 when closed */
    int output; /* its stdout (and stderr, when joined) */
    int errors; /* its stderr, -1 when joined */
};
/* Starts it in a process group of its own. joined: stderr goes where stdout goes. */
bool eksctl_start(char **arguments, char **environment, bool joined, struct eksctl_process *process,
                  struct error *err);

/* Whether it has ended; its id stays taken until it is waited for, so that its group can still be
   meant by it. */
bool eksctl_exited(pid_t pid);

/* How long a question may take, and what is done meanwhile: meanwhile(user) is called about twice a
   second; when it returns false the question is given up. */
struct eksctl_patience {
    int seconds;
    bool (*meanwhile)(void *user);
    void *user;
};
/* Runs a question (get, describe-stacks) to its end. *output (ctx) is its stdout, *errors its
   stderr; *status as of waitpid. */
bool eksctl_ask(const void *ctx, char **arguments, char **environment,
                const struct eksctl_patience *patience, char **output, char **errors, int *status,
                struct error *err);

#endif
