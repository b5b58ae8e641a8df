/* envbot.yaml and the environment, as one struct. The design of every value stands in the table in
   config_settings.c: its path, its type, its default and its bounds. */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* A team's limits; -1: none given. */
struct config_quota {
    int64_t environments, nodes, vcpus, gpus, monthly_usd;
};

struct config_team {
    const char *name;
    const char *channel;           /* C…, may be "" */
    const char *approvers_channel; /* C…, may be "": the team's channel */
    const char *slack_group;       /* handle of the user group of its people, may be "" */
    const char *iam_role_arn;
    const char **members; /* NULL-terminated U… */
    struct config_quota quota;
};

/* All texts are never NULL ("" when not given) and live as long as the config. Times in seconds. */
struct config {
    const char *file; /* "" when there is none */
    struct {
        const char *app_token, *bot_token; /* secrets: never in a log */
        const char *api_url;               /* ends with a slash */
        const char *command;
        int64_t connections, handlers;
        bool fallback_blocks; /* section blocks in place of plan, table, chart */
        int64_t post_interval_ms, update_interval_ms; /* pace a channel / a message */
        int64_t ack_ms; /* so long Slack waits for an ack: others are asked for parts of it */
    } slack;
    struct {
        const char *url; /* a secret: it may hold a password */
    } database;
    struct {
        const char *region, *endpoint_url;
        int64_t breaker_jobs, breaker_wait; /* so many fail until it opens; until it is probed */
    } aws;
    struct {
        const char *from;
    } mail;
    struct {
        const char *topic_arn;
    } sns;
    struct {
        const char *path, *cfn_role_arn;
        int64_t create_timeout, delete_timeout, change_timeout;
    } eksctl;
    struct {
        const char *launcher;
        int64_t parallel, per_region, per_team, lease, heartbeat, deadline, phase, delete_tries,
            retry_after;
        struct {                                        /* with the launcher kubernetes */
            const char *kubeconfig, *context, *account; /* of the cluster that runs them */
            const char *namespace, *image, *service_account;
            int64_t keep;     /* a finished Job */
            int64_t patience; /* so long may one take to start before it is said */
        } kubernetes;
    } jobs;
    struct {
        int64_t every;
        bool delete_orphans;
    } sweep;
    struct {
        const char *source, *path, *user_name;
        bool allow_guests; /* whom the rules name, but never as one of everybody */
        int64_t
            copy_seconds; /* so old may be what Slack told of people, where it cannot tell now */
        const char *kubeconfig, *context, *account; /* of the cluster that keeps the rules */
    } rbac;
    struct {
        const char *code_key; /* a secret: seals those of one-time codes; "" for none */
    } approvals;
    const char *templates;
    struct {
        const char *channel;
    } operators;
    struct {
        const char *listen;
    } http;
    struct {
        int64_t default_ttl, max_ttl, request_lapses;
        int64_t warn_before[8]; /* 0-terminated, largest first */
    } limits;
    struct {
        const char *level;
    } log;
    struct config_team *teams;
    int team_count;
};

/* In a job: what it needs no secret of (Slack, codes) is not read, wherever it stands. */
extern bool config_of_job;

/* /etc/envbot/envbot.yaml */
extern const char config_usual_file[];

/* Reads path (NULL: $ENVBOT_CONFIG, else config_usual_file when it is there), then what the
   environment overrides. *out is owned by ctx. On false, *problems is a text of ctx with every
   problem on a line of its own: "file:line: what is wrong; what to do"; *out then has the usual
   value where a wrong one stands, and is NULL when the file cannot be read at all. */
bool config_read(const void *ctx, const char *path, struct config **out, char **problems);

/* Whether a cluster keeps the rules. */
bool config_rules_elsewhere(const struct config *config);

/* The team of that name, or NULL. */
const struct config_team *config_team(const struct config *config, const char *name);

#endif
