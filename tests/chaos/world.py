"""The company: 40 people in 5 teams, the bots, one PostgreSQL behind a wire, and the stand-ins."""

import os
import shutil
import signal
import sys
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "e2e")]

from built import built  # noqa: E402
from company import Company  # noqa: E402
from machines import Machine, MachineBot, forget_clocks, own_names  # noqa: E402
from pods import Pods  # noqa: E402
from postgres import Postgres  # noqa: E402
from wire import Wire, start_time  # noqa: E402

TEAMS = ("payments", "search", "data", "mobile", "platform")
QUOTA = {"environments": 6, "nodes": 14, "vcpus": 80, "gpus": 0, "monthly_usd": 9000}
OPERATORS = "C0OPS"
# Clusters that others have in the same account; the last ones have names that will be asked for.
FOREIGN = (("legacy-prod", "eu-central-1"), ("search-shop", "eu-west-1"))
TAKEN = "theirs"
# How many seconds clusters of each template are asked for. Extending the longest takes a vote, as more
# than so many nodes do.
LENGTHS = {"small": (30, 45, 60, 3600), "pair": (30, 45, 60)}
NODES_MOST = 3
NEEDED = {"small": 1, "pair": 2}  # approvals


def channel_of(team):
    return f"C0{team.upper()}"


def team_yaml(people):
    lines = []
    for team in TEAMS:
        members = [p.id for p in people if p.team == team]
        lines.append(f"""
  - name: {team}
    channel: {channel_of(team)}
    approvers_channel: C0PLAT
    members: [{', '.join(members)}]
    iam_role_arn: arn:aws:iam::111122223333:role/{team}
    quota: {{{', '.join(f'{k}: {v}' for k, v in QUOTA.items())}}}""")
    return "".join(lines) + "\n"


RULES = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: approvers, namespace: {team}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-approver}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "slack:platform-approvers"}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: managers, namespace: {team}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-manager}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "slack:managers"}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: on-call, namespace: {team}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-breakglass}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "slack:on-call"}}]
"""


class World:
    """Everything that runs. pace: how many seconds AWS takes for a cluster, here."""

    def __init__(self, folder, people, bots, pace, launcher="local"):
        os.makedirs(folder, exist_ok=True)
        # A copy: who builds meanwhile does not change what is played.
        os.environ["ENVBOT_BINARY"] = shutil.copy(built("envbot"), os.path.join(folder, "envbot"))
        self.folder, self.people, self.pace = folder, people, pace
        # Processes are killed, the machine is not: what is committed must be written, it need not be
        # on a disk.
        self.postgres = Postgres(synchronous_commit="on", wal_writer_delay="10ms")
        self.company, self.wire, self.pods, self.bots = None, None, None, []
        self.down = set()  # bots that are not to be started yet
        try:
            self.begin(bots, launcher)
        except BaseException:
            self.stop()
            raise

    def begin(self, bots, launcher):
        folder, people, pace = self.folder, self.people, self.pace
        self.postgres.start()
        self.wire = Wire(self.postgres.directory)
        self.company = Company(folder, self.postgres, "chaos", templates=self.own_templates(),
                               rules=self.own_rules(), slack_arguments=("--relaxed-limits",))
        self.slack, self.aws = self.company.slack, self.company.aws
        self.eksctl, self.database = self.company.eksctl, self.company.database
        self.pods = Pods(folder) if launcher == "kubernetes" else None
        url = self.database.url.replace(self.postgres.directory, self.wire.directory)
        self.company.write_config(team_yaml(people), {
            "database.url": url,
            "slack.update_interval_ms": 300, "jobs.phase": "20s", "jobs.parallel": 6, "jobs.per_region": 4,
            "jobs.lease": "4s", "jobs.heartbeat": "1s", "jobs.retry_after": "1s",
            "limits.warn_before": "[12s]", **(self.pods.options() if self.pods else {})})
        if self.pods:
            self.pods.move_in(self.company.config, url)
        self.eksctl.set_pace(create_seconds=pace, delete_seconds=pace / 2)
        self.move_in()
        with open(os.path.join(HERE, "watch.sql"), encoding="utf-8") as file:
            self.database.query(file.read())
        names = own_names()
        self.machines = [Machine(n, folder, names) for n in range(bots)]
        self.bots = [MachineBot(self.company, machine) for machine in self.machines]

    def keep_alive(self):
        """As systemd does: a bot that ended is started again."""
        for bot in self.bots:
            if bot.process.poll() is not None and bot not in self.down:
                bot.start()

    def wait_ready(self, seconds=90):
        deadline = time.monotonic() + seconds
        while not all(bot.get("/readyz")[0] == 200 for bot in self.bots):
            assert time.monotonic() < deadline, "a bot does not become ready"
            self.keep_alive()
            time.sleep(0.3)

    def own_templates(self):
        """The real ones with shorter times, and one that two have to approve."""
        folder = os.path.join(self.folder, "templates")
        shutil.copytree(os.path.join(ROOT, "templates"), folder)
        environments = os.path.join(folder, "environments")
        with open(os.path.join(environments, "small.yaml"), encoding="utf-8") as file:
            small = yaml.safe_load(file)
        small["parameters"]["nodes"]["max"] = NODES_MOST
        pair = dict(small, title="For two to approve", order=6)
        lapse = {"lapse": "15s"}
        for template, name, approves in ((small, "small", {**small["approval"], **lapse}),
                                         (pair, "pair", {"count": NEEDED["pair"], **lapse})):
            template["approval"] = approves
            template["ttl"] = {"default": "45s", "max": f"{max(LENGTHS[name])}s", "ceiling": "14d"}
            with open(os.path.join(environments, f"{name}.yaml"), "w", encoding="utf-8") as file:
                yaml.safe_dump(template, file, sort_keys=False)
        return folder

    def own_rules(self):
        folder = os.path.join(self.folder, "rules")
        os.makedirs(folder)
        for name in ("everybody.yaml", "operators.yaml", "roles.yaml"):
            shutil.copy(os.path.join(ROOT, "deploy", "rbac", name), folder)
        with open(os.path.join(folder, "teams.yaml"), "w", encoding="utf-8") as file:
            file.write("---\n".join(RULES.format(team=team) for team in TEAMS))
        return folder

    def move_in(self):
        """The people, the channels, and the clusters of others."""
        for one in self.people:
            self.slack.person(one.id, name=one.name, events=False)
        for handle, role in (("platform-approvers", "approver"), ("managers", "manager"),
                             ("on-call", "on-call")):
            self.slack.group(handle, add=[p.id for p in self.people if p.role == role])
        for team in TEAMS:
            self.slack.channel(channel_of(team), name=f"team-{team}")
        for name, region in FOREIGN + tuple((f"{t}-{TAKEN}", "eu-central-1") for t in TEAMS):
            self.eksctl.place_foreign(name, region, {"owner": "somebody else"})

    # -- processes -------------------------------------------------------------------------------
    def processes(self):
        """{"job": […], "eksctl": […]} of this world: (pid, start time)."""
        found, mark = {"job": [], "eksctl": []}, self.folder.encode()
        for pid in sorted(map(int, filter(str.isdigit, os.listdir("/proc")))):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if not any(word.startswith(mark) for word in words):
                continue
            if words[1:2] == [b"job"]:
                found["job"].append((pid, start_time(pid)))
            elif any(word.endswith(b"/eksctl/bin/eksctl") for word in words):
                found["eksctl"].append((pid, start_time(pid)))
        return found

    @staticmethod
    def signal(process, number):
        """Whether it was there to get it."""
        pid, began = process
        if not began or start_time(pid) != began:
            return False
        try:
            os.kill(pid, number)
            return True
        except ProcessLookupError:
            return False

    def ask(self, sql, *values):
        """Rows, straight from PostgreSQL; None while it is away."""
        try:
            return self.database.query(sql, *values)
        except Exception as error:  # psycopg2's, of a server that is being stopped
            if type(error).__module__.startswith("psycopg2"):
                return None
            raise

    def stop(self):
        for process in [p for kind in self.processes().values() for p in kind]:
            self.signal(process, signal.SIGKILL)
        for bot in self.bots:
            if bot.process.poll() is None:
                bot.process.send_signal(signal.SIGCONT)
                bot.kill()
        if self.pods:
            self.pods.stop()
        if self.company:
            self.company.stop()
        if self.wire:
            self.wire.close()
        forget_clocks()
        self.postgres.remove()
