#include "config_settings.h"

#include "config.h"

/* Where a pod finds its service account. */
#define POD_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

const struct setting config_settings[] = {
#define AT(member) offsetof(struct config, member)
    {"slack.app_token", SECRET, AT(slack.app_token), "", 0, 0, NULL, "SLACK_APP_TOKEN"},
    {"slack.bot_token", SECRET, AT(slack.bot_token), "", 0, 0, NULL, "SLACK_BOT_TOKEN"},
    {"slack.api_url", URL, AT(slack.api_url), "https://slack.com/api/", 0, 0, NULL, NULL},
    {"slack.command", TEXT, AT(slack.command), "/env", 0, 0, NULL, NULL},
    {"slack.connections", INTEGER, AT(slack.connections), "2", 1, 9, NULL, NULL},
    {"slack.handlers", INTEGER, AT(slack.handlers), "8", 1, 64, NULL, NULL},
    {"slack.fallback_blocks", BOOLEAN, AT(slack.fallback_blocks), "false", 0, 0, NULL, NULL},
    /* Slack: about one message a second a channel; at most one update per 3 s a message. */
    {"slack.post_interval_ms", INTEGER, AT(slack.post_interval_ms), "1000", 0, 60000, NULL, NULL},
    {"slack.update_interval_ms", INTEGER, AT(slack.update_interval_ms), "3000", 0, 60000, NULL,
     NULL},
    {"slack.ack_ms", INTEGER, AT(slack.ack_ms), "3000", 1000, 60000, NULL, NULL},
    {"database.url", SECRET, AT(database.url), "postgresql:///envbot", 0, 0, NULL, "DATABASE_URL"},
    {"aws.region", TEXT, AT(aws.region), "eu-central-1", 0, 0, NULL, "AWS_REGION"},
    {"aws.endpoint_url", URL, AT(aws.endpoint_url), "", 0, 0, NULL, "AWS_ENDPOINT_URL"},
    {"aws.breaker_jobs", INTEGER, AT(aws.breaker_jobs), "3", 1, 1000, NULL, NULL},
    {"aws.breaker_wait", DURATION, AT(aws.breaker_wait), "1m", 1, 3600, NULL, NULL},
    {"mail.from", TEXT, AT(mail.from), "", 0, 0, NULL, NULL},
    {"sns.topic_arn", TEXT, AT(sns.topic_arn), "", 0, 0, NULL, NULL},
    {"eksctl.path", TEXT, AT(eksctl.path), "eksctl", 0, 0, NULL, NULL},
    {"eksctl.cfn_role_arn", TEXT, AT(eksctl.cfn_role_arn), "", 0, 0, NULL, NULL},
    {"eksctl.create_timeout", DURATION, AT(eksctl.create_timeout), "40m", 1, 86400, NULL, NULL},
    {"eksctl.delete_timeout", DURATION, AT(eksctl.delete_timeout), "60m", 1, 86400, NULL, NULL},
    {"eksctl.change_timeout", DURATION, AT(eksctl.change_timeout), "65m", 1, 86400, NULL, NULL},
    {"jobs.launcher", TEXT, AT(jobs.launcher), "local", 0, 0, "local|kubernetes", NULL},
    {"jobs.parallel", INTEGER, AT(jobs.parallel), "4", 1, 1000, NULL, NULL},
    {"jobs.per_region", INTEGER, AT(jobs.per_region), "4", 1, 1000, NULL, NULL},
    /* A team alone never takes the last place of the four. */
    {"jobs.per_team", INTEGER, AT(jobs.per_team), "3", 1, 1000, NULL, NULL},
    {"jobs.lease", DURATION, AT(jobs.lease), "45s", 2, 3600, NULL, NULL},
    {"jobs.heartbeat", DURATION, AT(jobs.heartbeat), "10s", 1, 1200, NULL, NULL},
    /* eksctl's time-outs bound its waits one by one; this bounds the whole. */
    {"jobs.deadline", DURATION, AT(jobs.deadline), "2h", 5, 86400, NULL, NULL},
    {"jobs.phase", DURATION, AT(jobs.phase), "70m", 1, 86400, NULL, NULL},
    {"jobs.delete_tries", INTEGER, AT(jobs.delete_tries), "5", 1, 100, NULL, NULL},
    {"jobs.retry_after", DURATION, AT(jobs.retry_after), "1m", 1, 86400, NULL, NULL},
    {"jobs.kubernetes.kubeconfig", TEXT, AT(jobs.kubernetes.kubeconfig), "", 0, 0, NULL,
     "KUBECONFIG"},
    {"jobs.kubernetes.context", TEXT, AT(jobs.kubernetes.context), "", 0, 0, NULL, NULL},
    {"jobs.kubernetes.account", TEXT, AT(jobs.kubernetes.account), POD_ACCOUNT, 0, 0, NULL, NULL},
    {"jobs.kubernetes.namespace", TEXT, AT(jobs.kubernetes.namespace), "envbot", 0, 0, NULL, NULL},
    {"jobs.kubernetes.image", TEXT, AT(jobs.kubernetes.image), "", 0, 0, NULL, NULL},
    {"jobs.kubernetes.service_account", TEXT, AT(jobs.kubernetes.service_account), "envbot-job", 0,
     0, NULL, NULL},
    {"jobs.kubernetes.keep", DURATION, AT(jobs.kubernetes.keep), "1h", 0, 31622400, NULL, NULL},
    {"jobs.kubernetes.patience", DURATION, AT(jobs.kubernetes.patience), "30s", 1, 3600, NULL,
     NULL},
    {"sweep.every", DURATION, AT(sweep.every), "1h", 1, 31622400, NULL, NULL},
    {"sweep.delete_orphans", BOOLEAN, AT(sweep.delete_orphans), "false", 0, 0, NULL, NULL},
    {"rbac.source", TEXT, AT(rbac.source), "files", 0, 0, "files|kubernetes", NULL},
    {"rbac.kubeconfig", TEXT, AT(rbac.kubeconfig), "", 0, 0, NULL, "KUBECONFIG"},
    {"rbac.context", TEXT, AT(rbac.context), "", 0, 0, NULL, NULL},
    {"rbac.account", TEXT, AT(rbac.account), POD_ACCOUNT, 0, 0, NULL, NULL},
    {"rbac.path", TEXT, AT(rbac.path), "/etc/envbot/rbac", 0, 0, NULL, NULL},
    {"rbac.allow_guests", BOOLEAN, AT(rbac.allow_guests), "false", 0, 0, NULL, NULL},
    {"rbac.copy_seconds", INTEGER, AT(rbac.copy_seconds), "60", 0, 60, NULL, NULL},
    {"rbac.user_name", TEXT, AT(rbac.user_name), "slack", 0, 0, "slack|email", NULL},
    {"approvals.code_key", SECRET, AT(approvals.code_key), "", 0, 0, NULL, NULL},
    {"templates", TEXT, AT(templates), "/etc/envbot/templates", 0, 0, NULL, NULL},
    {"operators.channel", TEXT, AT(operators.channel), "", 0, 0, NULL, NULL},
    {"http.listen", TEXT, AT(http.listen), "127.0.0.1:8080", 0, 0, NULL, NULL},
    {"limits.default_ttl", DURATION, AT(limits.default_ttl), "8h", 1, 31622400, NULL, NULL},
    {"limits.max_ttl", DURATION, AT(limits.max_ttl), "7d", 1, 31622400, NULL, NULL},
    {"limits.request_lapses", DURATION, AT(limits.request_lapses), "24h", 1, 31622400, NULL, NULL},
    {"limits.warn_before", DURATIONS, AT(limits.warn_before), "24h 1h", 0, 0, NULL, NULL},
    {"log.level", TEXT, AT(log.level), "info", 0, 0, "error|warn|info|debug", NULL},
#undef AT
};
const size_t config_setting_count = sizeof config_settings / sizeof *config_settings;
