"""The demo's world in one folder: PostgreSQL, the workspace, AWS, eksctl, and envbot itself.

Data is kept between runs: the database, the messages, the mails, the clusters. One runner at a time
holds the folder's lock; the lock goes with the process, however that ends.
"""

import fcntl
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import processes

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TESTS = os.path.join(ROOT, "tests")
sys.path.append(os.path.join(TESTS, "e2e"))

from built import built  # noqa: E402
from company import load  # noqa: E402

LONGEST_SOCKET = 107  # bytes of sun_path without its end: unix(7)
SOCKET_NAME = "/.s.PGSQL.5432"
# A stand-in's answers, not secrets: they are the same on every machine.
TOKENS = {"SLACK_APP_TOKEN": "xapp-1-A0ENVBOT-1-test", "SLACK_BOT_TOKEN": "xoxb-1-test"}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_REGION": "eu-central-1",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_EC2_METADATA_DISABLED": "true"}


class Trouble(Exception):
    """What a person should read, and nothing more."""


class Part:
    """A program with a log of its own."""

    def __init__(self, name, log):
        self.name, self.log, self.process = name, log, None

    def start(self, arguments, environment):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT,
                env=environment, start_new_session=True)

    def until(self, ready, seconds=60):
        """What ready() gives when it gives something."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            if self.process.poll() is not None:
                raise Trouble(f"{self.name} ended while it started.\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise Trouble(f"{self.name} does not start.\n{self.last_lines()}")
            time.sleep(0.05)
        return found

    def last_lines(self):
        try:
            with open(self.log, errors="replace") as file:
                lines = file.read().splitlines()[-15:]
        except OSError:
            lines = []
        return "".join(f"  {line}\n" for line in [f"The end of {self.log}:", *lines])

    def stop(self, seconds=12):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class World:
    """pace: the seconds that a cluster takes. Everything else follows from it."""

    def __init__(self, folder, pace=60, port=0):
        self.folder, self.pace, self.port = os.path.abspath(folder), pace, port
        self.life = 4 * pace
        self.lock = None
        self.url = ""
        self.aws = Part("the stand-in AWS", self.path("aws.log"))
        self.slack = Part("the stand-in workspace", self.path("slack.log"))
        self.bot = Part("envbot", self.path("envbot.log"))
        self.postgres = Part("PostgreSQL", self.path("postgres.log"))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    @property
    def parts(self):
        return [self.bot, self.slack, self.aws, self.postgres]

    # -- the folder -----------------------------------------------------------------------------
    def take(self, to_clear=False):
        """The folder for this process alone, without what an earlier one may have left running."""
        os.makedirs(self.folder, exist_ok=True)
        owner, me = os.stat(self.folder).st_uid, os.getuid()
        if owner != me and not (to_clear and me == 0):
            raise Trouble(f"{self.folder} belongs to the user {pwd.getpwuid(owner).pw_name}, who "
                          "can use it, or clear it with `make demo-reset`.")
        try:
            lock = open(self.path("lock"), "a+")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Trouble(f"It runs already: {lock.read() or 'it is just starting'}. Ctrl-C in its "
                          "terminal ends it.")
        self.lock = lock
        self.note(f"process {os.getpid()}")
        processes.end_all(self.folder)

    def note(self, text):
        """What a second one says about this one."""
        self.lock.seek(0)
        self.lock.truncate()
        self.lock.write(text)
        self.lock.flush()

    def clear(self):
        """Forgets everything; the lock must be held."""
        shutil.rmtree(os.path.realpath(self.path("postgres")), ignore_errors=True)
        shutil.rmtree(self.folder)

    # -- PostgreSQL -----------------------------------------------------------------------------
    def database_folder(self):
        """Usually ours; elsewhere, behind a link, where PostgreSQL could not work with it: its
        user may not get into ours, or the path of its socket would be too long."""
        place = self.path("postgres")
        if os.path.isdir(place):
            return os.path.realpath(place)
        if os.path.islink(place):
            os.unlink(place)  # it led to what is gone
        long = len(os.fsencode(place + SOCKET_NAME)) > LONGEST_SOCKET
        if not long and (os.getuid() != 0 or self.reachable()):
            os.mkdir(place)
            return place
        elsewhere = tempfile.mkdtemp(prefix="envbot-demo-", dir="/var/tmp")
        os.symlink(elsewhere, place)
        print(f"The database is kept in {elsewhere}, as "
              + ("its socket's path would be too long here." if long else
                 "PostgreSQL does not run as root and its user cannot get in here."), flush=True)
        return elsewhere

    def reachable(self):
        return subprocess.run(["/usr/bin/test", "-x", self.folder], user="postgres",
                              group="postgres", extra_groups=[], cwd="/").returncode == 0

    def start_database(self):
        from postgres import Postgres  # only here: clearing must work without its library
        server = Postgres(self.database_folder(), durable=True)
        server.name, server.log = self.postgres.name, self.postgres.log
        server.last_lines = self.postgres.last_lines
        self.postgres = server
        self.forget_old_server(os.path.join(server.data, "postmaster.pid"))
        open(server.log, "wb").close()
        try:
            server.start()
        except (RuntimeError, subprocess.CalledProcessError):
            raise Trouble(f"PostgreSQL does not start.\n{server.last_lines()}")
        return self.database(server)

    @staticmethod
    def forget_old_server(file):
        """A postmaster.pid whose process is gone, or is another program by now."""
        try:
            with open(file) as lines:
                pid = int(lines.readline())
        except (OSError, ValueError):
            return
        if os.path.dirname(file).encode() in processes.read(pid, "cmdline"):
            raise Trouble(f"Another PostgreSQL (process {pid}) works in {os.path.dirname(file)}.")
        os.unlink(file)

    @staticmethod
    def database(server):
        import psycopg2
        try:
            server.make_database("envbot")
        except psycopg2.errors.DuplicateDatabase:
            pass
        return server.url("envbot")

    # -- the rest -------------------------------------------------------------------------------
    def start(self):
        """Everything, until the bot is ready. The lock must be held."""
        processes.adopt_orphans()
        self.make_folders()
        database = self.start_database()
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith(("AWS_", "SLACK_", "ENVBOT_", "DATABASE_URL", "PG"))}
        aws = self.start_stand_in(self.aws, "aws", environment, [])
        self.url = self.start_stand_in(
            self.slack, "slack", environment,
            ["--mails", f"{aws}/control/mails", "--port", str(self.free_port())])
        eksctl = load("eksctl").Eksctl(self.path("eksctl"))
        eksctl.set_pace(create_seconds=self.pace, delete_seconds=self.pace / 3)
        self.derive_templates()
        environment.update(
            TOKENS, **KEYS, DATABASE_URL=database, AWS_ENDPOINT_URL=aws,
            TMPDIR=self.path("tmp"), ENVBOT_SLACK_API_URL=f"{self.url}/api/", ENVBOT_EKSCTL_PATH=eksctl.program,
            ENVBOT_TEMPLATES=self.path("templates"), ENVBOT_HTTP_LISTEN="127.0.0.1:0",
            ENVBOT_LIMITS_WARN_BEFORE=f"{self.life // 2}s {self.life // 4}s")
        self.bot.start([built("envbot"), "serve", "--config", os.path.join(HERE, "envbot.yaml")],
                       environment)
        self.bot.until(self.bot_is_ready)
        self.note(f"{self.url}, process {os.getpid()}")

    def make_folders(self):
        # Inherited by all that is started, so that all of it can be found again.
        os.environ["DEMO_FOLDER"] = self.folder
        shutil.rmtree(self.path("tmp"), ignore_errors=True)
        os.makedirs(self.path("tmp"))

    def start_stand_in(self, part, name, environment, more):
        ready = self.path(f"{name}.ready")
        if os.path.exists(ready):
            os.unlink(ready)
        part.start(["/usr/bin/python3", os.path.join(TESTS, name, "serve.py"), "--ready-file",
                    ready, "--state", self.path(f"{name}.json"), *more], environment)
        part.until(lambda: os.path.exists(ready))
        with open(ready, encoding="utf-8") as file:
            return json.load(file)["url"]

    def free_port(self):
        """The preferred one, so that an open page finds us again; any other when it is busy."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
                return self.port
            except OSError:
                return 0

    def derive_templates(self):
        """envbot's own templates, with a shorter life to see the end of."""
        import yaml
        source, target = os.path.join(ROOT, "templates"), self.path("templates")
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(os.path.join(target, "environments"))
        for name in os.listdir(source):
            if name != "environments":
                os.symlink(os.path.join(source, name), os.path.join(target, name))
        for name in os.listdir(os.path.join(source, "environments")):
            with open(os.path.join(source, "environments", name), encoding="utf-8") as file:
                template = yaml.safe_load(file)
            template["ttl"]["default"] = f"{self.life}s"
            with open(os.path.join(target, "environments", name), "w", encoding="utf-8") as file:
                yaml.safe_dump(template, file, sort_keys=False, allow_unicode=True)

    def bot_is_ready(self):
        with open(self.bot.log, encoding="utf-8", errors="replace") as file:
            doors = [w[8:].strip('"') for w in file.read().split() if w.startswith("address=")]
        try:
            urllib.request.urlopen(f"http://{doors[0]}/readyz", timeout=5).close()
        except (IndexError, OSError):
            return False
        return True

    # -- the end --------------------------------------------------------------------------------
    def watch(self):
        """Returns when a part has ended, which none should."""
        while not (ended := processes.reap(self.parts)):
            time.sleep(0.25)
        code = ended[0].process.returncode
        how = f"with signal {-code}" if code < 0 else f"with exit code {code}"
        raise Trouble(f"{ended[0].name} has ended ({how}), so the demo ends too.\n"
                      + ended[0].last_lines())

    def end(self):
        """envbot first, so that it can finish what is in hand; its jobs; then what they need."""
        self.bot.stop()
        others = {p.process.pid for p in self.parts if p.process and p.process.poll() is None}
        processes.end_all(self.folder, but=others)
        for part in self.parts:
            part.stop()
        processes.end_all(self.folder)
