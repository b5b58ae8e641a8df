#include "manual.h"

#include <stdio.h>
#include <string.h>

const struct manual manuals[] = {
    {"serve", "", "talk to Slack and run everything",
     "Brings the database's schema up to date, connects to Slack in Socket Mode, answers people,\n"
     "delivers what is to be said, starts jobs and keeps the time. Any number of processes may\n"
     "serve side by side on one database.\n"
     "\n"
     "SIGTERM or SIGINT finishes what is in hand and ends within ten seconds; jobs that run go "
     "on.\n"
     "The log is logfmt on stderr. The address http.listen has /healthz, /readyz and /metrics.\n",
     NULL, "  1  envbot cannot start, or Slack refuses it for good (the log says why)\n",
     "  envbot serve --config /etc/envbot/envbot.yaml\n"},
    {"job", "N", "run job number N; the launcher does this",
     "Claims the job, looks at what is in AWS, runs eksctl for what is missing, looks again, and\n"
     "records the end. Does nothing when another live process has the job.\n",
     NULL, "  1  the job was taken over by another process, or its end could not be recorded\n",
     "  envbot job 42\n"},
    {"sweep", "[--dry-run]", "compare AWS with what stands in the table, both ways",
     "Asks AWS for the clusters of every region that was ever used or that a template offers, and\n"
     "says which carry envbot's tags and belong to no environment (orphans), and which\n"
     "environments have no cluster (ghosts). `envbot serve` has it done by a job every hour\n"
     "(sweep.every) and tells the operators. Orphans that are older than a day are deleted where\n"
     "sweep.delete_orphans allows it, and never when a region could not be read. Needs the rights\n"
     "of a job.\n",
     "  --dry-run  find, delete nothing, and keep nothing of it\n",
     "  1  a region could not be read, or another sweep is under way\n",
     "  envbot sweep --dry-run\n"},
    {"migrate", "", "bring the database's schema up to date",
     "Applies the migrations that are missing, one process at a time. `envbot serve` does it, "
     "too.\n",
     NULL, NULL, "  ENVBOT_DATABASE_URL=postgresql://db.internal/envbot envbot migrate\n"},
    {"check", "", "find everything that is wrong before it matters",
     "Reads the configuration, the templates, the words and the access rules, asks PostgreSQL and\n"
     "Slack, looks for eksctl, and says of each what is wrong (with file and line where there is\n"
     "one) and what to do. It changes nothing.\n",
     NULL, "  0  all is well\n  1  something is wrong\n", "  envbot check --config envbot.yaml\n"},
    {"render", "TEMPLATE [KEY=VALUE…]", "print the ClusterConfig that a template becomes",
     "What is not given has the template's default. The cluster is called team-name, stands in "
     "the\n"
     "template's first region and has no team's role.\n",
     NULL, NULL,
     "  envbot render small\n"
     "  envbot render standard nodes=4 spot=yes | eksctl create cluster --dry-run -f -\n"},
    {"can", "USER VERB RESOURCE [--team T] [--template N] [--group G]…", "ask the access rules",
     "Says which binding, role and rule allow it, or what came nearest. Resources are "
     "environments,\n"
     "quotas, reports, audits and provisioning (environments/status: a sub-resource); without "
     "--team\n"
     "it is asked of all teams at once.\n",
     "  --team T      the team, which is a namespace in the rules\n"
     "  --template N  the template, which is a resource's name in the rules\n"
     "  --group G     a group of the user; may stand there several times\n",
     "  0  yes\n  1  no\n",
     "  envbot can slack:U0123 approve environments --team payments --group slack:approvers\n"},
    {"report", "[TEAM] [--month 2026-11] [--csv]", "a month's hours, cost and approvals",
     "The same numbers as the command `report` in Slack. Costs are estimates: the hours that\n"
     "environments ran in the month (UTC), times their hourly price at the time of the request.\n",
     "  --month M     the month, as 2026-11; the present one when not given\n"
     "  --csv         as CSV with a header, for a spreadsheet\n",
     NULL, "  envbot report payments --month 2026-11 --csv > payments.csv\n"},
    {"audit",
     "NAME [--team T] | --verify [--head N:HASH] | --format jsonl|csv [--since T] [--until T]…",
     "what happened, who decided it, and that nobody changed it since",
     "With a NAME it tells the story of each environment that ever had it, in sentences, also\n"
     "years after it is gone: who asked, who decided by which rule, what became of it. Times are\n"
     "UTC.\n"
     "\n"
     "--verify reads all rows in the order in which they were sealed, computes the chain of\n"
     "SHA-256 hashes anew, and names the first row that was changed, taken out, put in, put\n"
     "elsewhere or never sealed. It also says so when the triggers that refuse such changes are\n"
     "switched off. A chain whose end was cut off, or that was made anew as a whole, is still a\n"
     "chain: therefore envbot tells its head, a number and a hash, daily and at every stop, to "
     "the\n"
     "log and to the operators' channel. --head proves that the chain still holds one that was\n"
     "told. How a row is hashed stands in bot/store/audit_chain.h, byte for byte.\n"
     "\n"
     "--format writes the rows for an auditor, in the order of the chain: JSON lines, or CSV as "
     "in\n"
     "RFC 4180 with a header. The fields are number, id, at, team, environment, name, actor,\n"
     "actor_name, event, from_state, to_state, rule, rules_version, channel, message, envelope,\n"
     "detail, sealed_at and hash; later versions add theirs at the end. detail is JSON and "
     "depends\n"
     "on the event. In CSV a field that a spreadsheet would take for a formula has a ' before it;\n"
     "JSON lines have everything as it is.\n",
     "  --team T      of that team alone\n"
     "  --verify      prove the chain\n"
     "  --head N:HASH with --verify: a head that was told must be part of it\n"
     "  --format F    jsonl or csv; with a NAME: of that environment alone\n"
     "  --since T     with --format: from then on; 2026-11-25 (midnight, UTC) or\n"
     "                2026-11-25T08:00:00+01:00\n"
     "  --until T     with --format: before then\n",
     "  0  the audit is sound\n  1  it is broken; or there never was such an environment\n",
     "  envbot audit demo --team payments\n"
     "  envbot audit --verify --head 4211:9c0b…\n"
     "  envbot audit --format csv --since 2026-10-01 --until 2026-11-01 > october.csv\n"
     "  envbot audit --format jsonl | jq 'select(.event == \"refused\")'\n"},
    {"enrol", "USER [--remove]", "give an approver a secret for one-time codes",
     "Templates with approval.code let an approval count only together with a code from the\n"
     "approver's authenticator app: the answer to a stolen Slack session. USER is a Slack user id\n"
     "(a person's profile, More, Copy member ID); Slack is asked who that is, and guests, bots,\n"
     "deactivated people and those of other workspaces are refused.\n"
     "\n"
     "Shows a QR code and the secret, once, on this terminal: sit beside the person, or show it "
     "to\n"
     "them in a call. Enrolling somebody again makes a new secret and ends the old one, which "
     "also\n"
     "is what to do when a telephone was lost or codes are locked. Codes are those of RFC 6238\n"
     "(SHA-1, 6 digits, 30 seconds; one step early or late will do, and each counts once). Five\n"
     "wrong ones in a row lock a person's codes for fifteen minutes and tell the operators.\n"
     "\n"
     "Secrets lie in the database encrypted (AES-256-GCM) with a key of 32 bytes, as base64 or\n"
     "hexadecimal, from approvals.code_key_file or ENVBOT_APPROVALS_CODE_KEY. Who loses the key\n"
     "enrols everybody again. Enrolling and removing leave a row in the audit.\n",
     "  --remove      take the person's enrolment away\n",
     "  1  Slack does not know the person or they may decide nothing; with --remove, they were "
     "not\n"
     "     enrolled\n",
     "  openssl rand -base64 32 > /etc/envbot/code-key && chmod 600 /etc/envbot/code-key\n"
     "  envbot enrol U0123ABCD\n"
     "  envbot enrol --remove U0123ABCD\n"},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

static const char options[] = "  --config FILE the configuration\n"
                              "  --help        this page\n";

static const char files[] =
    "  /etc/envbot/envbot.yaml  the configuration, when neither --config nor ENVBOT_CONFIG says "
    "another\n"
    "  templates: FOLDER        environments/, slack/, mail/, kubernetes/, prices and words\n"
    "                           (/etc/envbot/templates)\n"
    "  rbac.path: FOLDER        the access rules, Kubernetes RBAC manifests (/etc/envbot/rbac)\n"
    "  rbac.kubeconfig: FILE    how to reach the cluster that keeps them (rbac.source: "
    "kubernetes)\n"
    "  jobs.kubernetes: …       the cluster that runs the jobs (jobs.launcher: kubernetes)\n";

static const char environment[] =
    "  ENVBOT_CONFIG            the configuration's path\n"
    "  ENVBOT_<PATH>            any value of it: ENVBOT_DATABASE_URL is database.url\n"
    "  SLACK_APP_TOKEN, SLACK_BOT_TOKEN, DATABASE_URL, AWS_…  as elsewhere\n"
    "Secrets come from the environment or from files, and never reach the log.\n";

static const char exits[] = "  0  done\n  1  no, or failed\n  2  used wrongly\n";

const struct manual *manual_find(const char *name)
{
    for (const struct manual *each = manuals; each->name; each++)
        if (strcmp(each->name, name) == 0)
            return each;
    return NULL;
}

void manual_print(const struct manual *page)
{
    printf("Usage: envbot %s%s%s [--config FILE]\n\n%s: %s.\n\n%s", page->name,
           *page->usage ? " " : "", page->usage, page->name, page->summary, page->text);
    printf("\nOptions:\n%s%s", page->options ? page->options : "", options);
    printf("\nFiles:\n%s\nEnvironment:\n%s", files, environment);
    printf("\nExit codes:\n%s", exits);
    if (page->exits)
        printf("of this command:\n%s", page->exits);
    printf("\nExamples:\n%s", page->examples);
}

void manual_print_all(void)
{
    printf("Usage: envbot COMMAND [--config FILE] …\n\n"
           "A Slack bot that hands out EKS clusters for a while.\n\nCommands:\n");
    for (const struct manual *each = manuals; each->name; each++)
        printf("  %-9s %s\n", each->name, each->summary);
    printf("\n`envbot COMMAND --help` tells more of each.\n\nOptions:\n%s"
           "  --version     which envbot this is\n"
           "\nFiles:\n%s\nEnvironment:\n%s\nExit codes:\n%s"
           "\nExamples:\n"
           "  envbot check     what is wrong with the configuration in /etc/envbot\n"
           "  envbot serve     run the bot\n",
           options, files, environment, exits);
}
