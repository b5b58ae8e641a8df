"""Everything a story needs: the workspace, AWS, eksctl, a database, and bots."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nursery
from built import built
from postgres import Database

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def load(folder, name="client"):
    """A module of a stand-in's folder under a name of its own (several are called client)."""
    path = os.path.join(ROOT, "tests", folder, name + ".py")
    spec = importlib.util.spec_from_file_location(f"{folder}_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(path))
    spec.loader.exec_module(module)
    sys.path.pop(0)
    return module


class Program:
    """A Python program that tells in a file when it is ready."""

    def __init__(self, arguments, ready, log):
        self.log_path = log
        self.process = nursery.start(arguments, log)
        deadline = time.monotonic() + 20
        while not os.path.exists(ready):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{arguments} did not start:\n{open(log).read()[-2000:]}")
            time.sleep(0.02)
        with open(ready, encoding="utf-8") as file:
            self.url = json.load(file)["url"]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


TEAMS = """
  - name: payments
    channel: C0PAY
    approvers_channel: C0PLAT
    members: [U0DEV, U0DEV2, U0BYST]
    iam_role_arn: arn:aws:iam::111122223333:role/payments
    quota: {environments: 5, nodes: 20, vcpus: 80, gpus: 2, monthly_usd: 5000}
  - name: search
    channel: C0SEARCH
    approvers_channel: C0PLAT
    members: [U0MGR]
    quota: {environments: 3, nodes: 10, vcpus: 40, gpus: 0, monthly_usd: 2000}
"""


class Company:
    """One test's world. Options of the configuration are given as dotted paths."""

    def __init__(self, directory, postgres, name, options=None, templates=None, rules=None,
                 teams=TEAMS, slack_arguments=(), migrated=True):
        self.directory = str(directory)
        self.postgres, self.database_name = postgres, name
        self.database = Database(postgres.url(name))
        self.bots = []
        self.aws = None
        self.programs = []
        aws_serve = os.path.join(ROOT, "tests", "aws", "serve.py")
        if os.path.exists(aws_serve):
            self.aws_program = self.start_program("aws", [aws_serve])
            self.aws = load("aws").Aws(self.aws_program.url)
        mails = ["--mails", f"{self.aws_program.url}/control/mails"] if self.aws else []
        serve = os.path.join(ROOT, "tests", "slack", "serve.py")
        self.slack_program = self.start_program("slack", [serve, *mails, *slack_arguments])
        self.slack = load("slack").Workspace(self.slack_program.url)
        self.eksctl = load("eksctl").Eksctl(os.path.join(self.directory, "eksctl"))
        self.templates = templates or os.path.join(ROOT, "templates")
        self.rules = rules or os.path.join(ROOT, "deploy", "rbac")
        self.config = os.path.join(self.directory, "envbot.yaml")
        self.options = options or {}
        self.write_config(teams, self.options)
        postgres.make_database(name, self.migrated() if migrated else "template1")

    def migrated(self):
        return self.postgres.migrated_by(lambda url: subprocess.run(
            [built("envbot"), "migrate", "--config", self.config], check=True,
            env={**self.environment(), "ENVBOT_DATABASE_URL": url}))

    def start_program(self, name, arguments):
        ready = os.path.join(self.directory, f"{name}.ready")
        program = Program([*arguments, "--ready-file", ready], ready,
                          os.path.join(self.directory, f"{name}.log"))
        self.programs.append(program)
        return program

    def write_config(self, teams, options):
        values = {
            "slack.api_url": f"{self.slack.url}/api/", "slack.post_interval_ms": 0, "slack.handlers": 4,
            "slack.update_interval_ms": 100, "slack.ack_ms": 20000, "database.url": self.database.url,
            "mail.from": "envbot@example.com", "eksctl.path": self.eksctl.program,
            "rbac.path": self.rules, "templates": self.templates, "operators.channel": "C0OPS",
            "http.listen": "127.0.0.1:0", "jobs.lease": "4s", "jobs.heartbeat": "1s",
            "jobs.retry_after": "1s", "limits.warn_before": "[1h, 5m]",
        }
        values.update(options)
        tree = {}
        for path, value in values.items():
            at = tree
            parts = path.split(".")
            for part in parts[:-1]:
                at = at.setdefault(part, {})
            at[parts[-1]] = value
        lines = []
        for key, value in tree.items():
            if isinstance(value, dict):
                lines.append(f"{key}:")
                lines += [f"  {k}: {v}" for k, v in value.items()]
            else:
                lines.append(f"{key}: {value}")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\nteams:" + teams)

    def environment(self):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("AWS_", "SLACK_", "ENVBOT_")) or k == "ENVBOT_BINARY"}
        env.update(SLACK_APP_TOKEN="xapp-1-A0ENVBOT-1-test", SLACK_BOT_TOKEN="xoxb-1-test",
                   AWS_ACCESS_KEY_ID="AKIDEXAMPLE", AWS_REGION="eu-central-1",
                   AWS_SECRET_ACCESS_KEY="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                   AWS_EC2_METADATA_DISABLED="true")
        env.setdefault("TMPDIR", self.directory)  # what killed jobs leave goes with the test's folder
        if self.aws:
            env["AWS_ENDPOINT_URL"] = self.aws.url
        return env

    def serve(self, wait=True):
        bot = Bot(self, len(self.bots))
        self.bots.append(bot)
        if wait:
            bot.wait_ready()
        return bot

    def run(self, *arguments, **more):
        """The command line, to its end."""
        return subprocess.run([built("envbot"), *arguments, "--config", self.config], text=True,
                              capture_output=True, env=self.environment(), timeout=60, **more)

    def environment_row(self, name):
        rows = self.database.query(
            "SELECT * FROM environments WHERE name = %s ORDER BY id DESC LIMIT 1", name)
        return rows[0] if rows else None

    def wait_state(self, name, *states, seconds=20):
        return self.slack.wait_for(
            lambda: (row := self.environment_row(name)) and row["state"] in states and row,
            f"{name} becomes {' or '.join(states)}; it is "
            f"{(self.environment_row(name) or {}).get('state')}", seconds)

    def message(self, name, place="message", seconds=15):
        """Where the environment's message or card stands: (channel, ts, message)."""
        def look():
            rows = self.database.query(
                "SELECT m.channel, m.ts FROM messages m JOIN environments e ON e.id = m.environment"
                " WHERE e.name = %s AND m.place = %s ORDER BY e.id DESC LIMIT 1", name, place)
            if not rows:
                return None
            for message in self.slack.messages(rows[0]["channel"]):
                if message["ts"] == rows[0]["ts"]:
                    return rows[0]["channel"], rows[0]["ts"], message
            return None
        return self.slack.wait_for(look, f"the {place} of {name} is posted", seconds)

    def approve(self, name, user="U0APPR"):
        channel, ts, _ = self.message(name, "card")
        return self.slack.click(user, channel, ts, "approve")

    def form(self, user, template="small"):
        """The id of the form that `create` opened for them, at its second page."""
        self.slack.type(user, "C0GEN", "create")
        view_id = self.slack.wait_for(lambda: self.slack.views(user), "a form opens")[-1]["view_id"]
        answer = self.slack.submit(user, view_id, {"template": {"template": template}})
        assert answer["response_action"] == "update", answer
        return view_id

    def thread_text(self, name):
        channel, ts, _ = self.message(name)
        return "\n".join(m["text"] for m in self.slack.thread(channel, ts))

    def settle(self, seconds=15):
        """Waits until everything that is to be said has been said."""
        self.slack.wait_for(
            lambda: self.database.one(
                "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND NOT parked") == 0,
            "the outbox is empty", seconds)

    def stop(self):
        for bot in self.bots:
            bot.stop()
        self.end_jobs()
        for program in self.programs:
            program.process.terminate()
        for program in self.programs:
            program.stop()
        self.database.close()
        if self.postgres.process:  # else the test has ended it
            self.postgres.drop_database(self.database_name)

    def end_jobs(self):
        """Ends the job processes of this test: they outlive the bots, as they should."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
                if self.directory.encode() in b" ".join(words):
                    os.kill(int(entry), signal.SIGKILL)
            except (OSError, ProcessLookupError):
                continue


class Bot:
    """An `envbot serve`."""

    def __init__(self, company, number):
        self.company = company
        self.log_path = os.path.join(company.directory, f"bot{number}.log")
        self.start()

    def start(self):
        self.log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen([built("envbot"), "serve", "--config", self.company.config],
                                        stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                        env=self.company.environment(), start_new_session=True)
        log.close()
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            file.seek(self.log_start)
            return file.read()

    def door(self):
        """The address of the HTTP door, from the log."""
        for line in self.log().splitlines():
            if "address=127.0.0.1:" in line:
                return "http://" + line.split("address=")[1].split()[0].strip('"')
        return None

    def get(self, path):
        """Status and text, or (0, "") when nobody answers."""
        door = self.door()
        if not door:
            return 0, ""
        try:
            with urllib.request.urlopen(door + path, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return 0, ""

    def wait_ready(self, seconds=20):
        deadline = time.monotonic() + seconds
        while self.get("/readyz")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the bot does not become ready:\n{self.log()[-3000:]}")
            time.sleep(0.02)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=12):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the bot did not stop in time")
        return self.process.returncode
