"""What is measured runs here: a durable PostgreSQL, the generator, and a bot for twenty teams."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
from postgres import Postgres  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
BUILD = BUILD if os.path.isabs(BUILD) else os.path.join(ROOT, BUILD)
TEAMS, PEOPLE, ENVIRONMENTS = 20, 10, 5  # environments: of each team, in a list
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """Of the process with all its threads so far."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mb(pid):
    """Resident, proportional (shared pages divided among those who share) and private memory."""
    sizes = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[-1] == "kB":
                sizes[words[0].rstrip(":")] = int(words[1]) / 1024
    return {"rss": sizes["Rss"], "pss": sizes["Pss"],
            "private": sizes["Private_Clean"] + sizes["Private_Dirty"]}


class Process:
    """A program of this bench, ended by its own process group."""

    def __init__(self, words, environment=None, log=None):
        self.started_ns = time.monotonic_ns()
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if not log else log,
            stderr=log or subprocess.DEVNULL, env=environment, start_new_session=True)
        self.pid = self.process.pid

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


# Nothing but this may empty the audit.
EMPTY = """
ALTER TABLE audit DISABLE TRIGGER audit_refuses;
ALTER TABLE audit_chain DISABLE TRIGGER audit_refuses;
TRUNCATE environments, outbox, envelopes, audit, audit_chain, audit_unsealed CASCADE;
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_refuses;
ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER audit_refuses"""


class Generator(Process):
    def __init__(self):
        super().__init__([os.path.join(BUILD, "bench", "load"), f"--teams={TEAMS}",
                          f"--people={PEOPLE}"])
        self.url = self.process.stdout.readline().decode().strip()

    def get(self, path, timeout=120, **arguments):
        query = "?" + urllib.parse.urlencode(arguments) if arguments else ""
        with urllib.request.urlopen(self.url + path + query, timeout=timeout) as answer:
            return json.load(answer)

    def run(self, kind, in_flight, **more):
        result = self.get("/control/run", kind=kind, inflight=in_flight, **more)
        if result["expected"] != result["acks"]:
            raise RuntimeError(f"not every {kind} got the answer it should: {result}")
        return result


def wait_for(look, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain until {what}")
        time.sleep(0.02)
    return found


class World:
    def __init__(self, **settings):
        """settings: of postgresql.conf"""
        self.directory = os.path.join(BUILD, "bench", "run")
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.postgres = Postgres(durable=True, **settings)
        self.postgres.start()
        self.database = self.postgres.make_database("envbot")
        self.generator = Generator()
        self.processes = [self.generator]
        self.config = os.path.join(self.directory, "envbot.yaml")
        os.makedirs(os.path.join(self.directory, "bin"))
        shutil.copy(os.path.join(BUILD, "bench", "eksctl"), os.path.join(self.directory, "bin"))
        self.write_rules()
        self.write_config()

    def write_rules(self):
        rules = os.path.join(self.directory, "rbac")
        os.makedirs(rules)
        for name in ("everybody.yaml", "roles.yaml"):
            shutil.copy(os.path.join(ROOT, "deploy", "rbac", name), rules)
        with open(os.path.join(ROOT, "deploy", "rbac", "team-payments.yaml"),
                  encoding="utf-8") as file:
            of_one_team = file.read()
        for team in range(101, 101 + TEAMS):
            with open(os.path.join(rules, f"team{team}.yaml"), "w", encoding="utf-8") as file:
                file.write(of_one_team.replace("payments", f"team{team}"))

    def write_config(self, **jobs):
        jobs = {"parallel": 1000, "per_region": 1000, "per_team": 1000, **jobs}
        lines = [f"slack: {{api_url: '{self.generator.url}/api/'}}",
                 f"database: {{url: '{self.database.url}'}}",
                 f"eksctl: {{path: {self.directory}/bin/eksctl}}",
                 f"jobs: {json.dumps(jobs)}",
                 f"rbac: {{path: {self.directory}/rbac}}",
                 f"templates: {ROOT}/templates", "http: {listen: '127.0.0.1:0'}", "teams:"]
        for team in range(101, 101 + TEAMS):
            members = ", ".join(f"U0T{team}M{person:02}" for person in range(1, PEOPLE + 1))
            lines.append(f"  - {{name: team{team}, channel: C0T{team}, approvers_channel: "
                         f"C0PLAT, members: [{members}]}}")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def environment(self, **more):
        kept = {k: v for k, v in os.environ.items()
                if not k.startswith(("AWS_", "SLACK_", "ENVBOT_", "DATABASE_"))}
        return {**kept, "SLACK_APP_TOKEN": "xapp-1-A0ENVBOT-1-bench", "AWS_REGION": "eu-central-1",
                "SLACK_BOT_TOKEN": "xoxb-1-bench", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
                "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true", **more}

    def start(self, words, name, **environment):
        with open(os.path.join(self.directory, f"{name}.log"), "ab") as log:
            process = Process(words, self.environment(**environment), log)
        self.processes.append(process)
        return process

    def serve(self, **environment):
        """A bot of its own log; it is ready when the first command is answered."""
        return self.start([os.path.join(BUILD, "envbot"), "serve", "--config", self.config],
                          "envbot", **environment)

    def clear(self):
        """Back to no environments, and the statistics of a table that was used."""
        while True:
            try:
                self.database.query(EMPTY)
                break
            except psycopg2.errors.DeadlockDetected:  # the bot is at work
                time.sleep(0.1)
        self.database.query("ANALYZE")
        self.database.query("CHECKPOINT")

    def place_environments(self):
        """What a list shows: a few of each team, asked for through the bot and made ready."""
        self.generator.run("create", 4, count=TEAMS * ENVIRONMENTS)
        self.database.query(
            "UPDATE environments SET state = 'ready', decided_at = now(), started_at = now(),"
            " ready_at = now(), due_at = NULL, expires_at = now() + interval '4 hours'")
        self.database.query("VACUUM ANALYZE")

    def stop(self):
        for process in reversed(self.processes):
            process.stop()
        self.postgres.remove()
