"""The bot and the workspace that plays Slack, while connections come and go: nobody's command is
lost, whatever Slack does to the connections."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "slack"))
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from built import built  # noqa: E402
from client import Workspace  # noqa: E402
from company import Program  # noqa: E402
from test_outbox import wait_for  # noqa: E402

ENVBOT = built("envbot")
TOKENS = {"SLACK_APP_TOKEN": "xapp-1-A0ENVBOT-1-test", "SLACK_BOT_TOKEN": "xoxb-1-test"}


class Stage:
    """The stand-in workspace, a database, and `envbot serve` between them."""

    def __init__(self, postgres, folder):
        self.folder = folder
        self.database = "c_" + "".join(c if c.isalnum() else "_" for c in folder.name)[-40:].lower()
        self.dsn = postgres.url(self.database)
        ready = str(folder / "slack.json")
        self.slack = Program([str(ROOT / "tests" / "slack" / "serve.py"), "--ready-file", ready], ready,
                             str(folder / "slack.log"))
        self.url = self.slack.url
        self.workspace = Workspace(self.url)
        (folder / "envbot.yaml").write_text(
            "teams: [{name: payments, channel: C0PAY, approvers_channel: C0PLAT}]\n"
            "operators: {channel: C0OPS}\nmail: {from: envbot@example.com}\n"
            "aws: {region: eu-central-1}\n")
        self.log_path = folder / "envbot.log"
        self.bot = None
        postgres.make_database(self.database, postgres.migrated_by(lambda url: subprocess.run(
            [ENVBOT, "migrate"], check=True, env={**self.environment(), "DATABASE_URL": url})))

    def environment(self):
        return {"PATH": os.environ["PATH"], **TOKENS, "DATABASE_URL": self.dsn,
                "ENVBOT_CONFIG": str(self.folder / "envbot.yaml"),
                "ENVBOT_TEMPLATES": str(ROOT / "templates"),
                "ENVBOT_RBAC_PATH": str(ROOT / "deploy" / "rbac"),
                "ENVBOT_SLACK_API_URL": self.url + "/api/", "ENVBOT_HTTP_LISTEN": "127.0.0.1:0",
                "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "SECRET"}

    def start(self, **settings):
        environment = {**self.environment(), **settings}
        with open(self.log_path, "a") as log:
            self.bot = subprocess.Popen([ENVBOT, "serve"], env=environment, stderr=log, stdout=log)
        return self

    def log(self):
        return self.log_path.read_text(errors="replace")

    def ready(self, count=2):
        def look():
            assert self.bot.poll() is None, self.log()
            return len([c for c in self.workspace.connections() if c["hello"]]) >= count
        wait_for(look, f"{count} connections")
        return self.workspace

    def connections(self, do, **more):
        return self.workspace.call("/control/connections", {"do": do, **more})

    def http(self, path):
        found = wait_for(lambda: [line for line in self.log().splitlines()
                                  if "listening for HTTP" in line], "the HTTP door")
        address = found[-1].split("address=")[1].split()[0]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://{address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self):
        bot, self.bot = self.bot, None
        if bot.poll() is None:
            bot.send_signal(signal.SIGTERM)
        return bot.wait(10)  # what SIGTERM promises

    def close(self):
        code = self.stop() if self.bot else None
        self.slack.stop()
        return code


@pytest.fixture
def stage(postgres, tmp_path):
    stage = Stage(postgres, tmp_path)
    try:
        yield stage
    finally:
        code = stage.close()
        postgres.drop_database(stage.database)
    assert code in (None, 0), stage.log()
    assert "Sanitizer" not in stage.log()


class Stream:
    """People who type all the time; keeps how each was answered."""

    def __init__(self, workspace, people=4, text="help"):
        self.workspace, self.text, self.outcomes, self.over = workspace, text, [], False
        self.threads = [threading.Thread(target=self.type) for _ in range(people)]
        for thread in self.threads:
            thread.start()

    def type(self):
        while not self.over:
            answer = self.workspace.type("U0DEV", "C0PAY", self.text)
            self.outcomes.append((answer["outcome"], json.dumps(answer["ack"])))
            time.sleep(0.01)

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        return self.outcomes


class Steady:
    """An envelope every so many seconds, however long the answers take."""

    def __init__(self, workspace, every, count):
        self.workspace, self.every, self.count = workspace, every, count
        self.numbers, self.lock, self.outcomes = iter(range(count)), threading.Lock(), []
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.type) for _ in range(24)]
        for thread in self.threads:
            thread.start()

    def type(self):
        while True:
            with self.lock:
                number = next(self.numbers, None)
            if number is None:
                return
            time.sleep(max(0, self.began + number * self.every - time.monotonic()))
            answer = self.workspace.type("U0DEV", "C0PAY", "help" if number % 2 else "list")
            self.outcomes.append(answer["outcome"])

    def end(self):
        for thread in self.threads:
            thread.join()
        return self.outcomes


def test_refreshes_every_two_seconds_under_a_steady_stream_lose_nothing(stage):
    workspace = stage.start().ready()
    before = {c["number"] for c in workspace.connections()}
    stage.connections("refresh_every", seconds=2)
    outcomes = Steady(workspace, every=0.02, count=650).end()
    stage.connections("refresh_every", seconds=0)
    after = {c["number"] for c in workspace.connections()}
    assert max(after) >= max(before) + 5 and not before & after  # a refresh every two seconds
    assert outcomes == ["acked"] * 650
    counted = workspace.envelopes()
    assert counted["unreachable"] == 0
    assert len(counted["envelopes"]) == 650
    assert all(e["outcome"] == "acked" and len(e["acks"]) == 1 for e in counted["envelopes"])


@pytest.mark.parametrize("do", ["garbage", "binary", "huge", "fragment"])
def test_bad_frames_harm_nobody(stage, do):
    workspace = stage.start().ready()
    before = [c["number"] for c in workspace.connections()]
    stage.connections(do, which="all")
    for _ in range(5):
        assert workspace.type("U0DEV", "C0PAY", "help")["outcome"] == "acked"
    assert [c["number"] for c in workspace.connections()] == before


@pytest.mark.parametrize("do", ["drop", "disconnect", "warning", "too_many"])
def test_after_all_connections_are_gone_it_comes_back_by_itself(stage, do):
    workspace = stage.start().ready()
    before = {c["number"] for c in workspace.connections()}
    stage.connections(do, which="all", grace=0.2)
    wait_for(lambda: len([c for c in workspace.connections()
                          if c["hello"] and c["number"] not in before]) == 2,
             "new connections", 20)
    assert workspace.type("U0DEV", "C0PAY", "help")["outcome"] == "acked"
    assert stage.http("/readyz")[0] == 200


def test_socket_mode_switched_off_is_said_and_not_hammered(stage):
    workspace = stage.start().ready()
    stage.connections("link_disabled", which="all", grace=0.1)
    wait_for(lambda: not workspace.connections(), "the end of both")
    status, body = wait_for(lambda: (r := stage.http("/readyz"))[0] == 503 and r, "unready")
    assert "switched off" in json.loads(body)["slack"]["reason"]
    assert workspace.type("U0DEV", "C0PAY", "help")["outcome"] == "dispatch_failed"
    assert len(workspace.calls("apps.connections.open")) == 2
    assert "level=error msg=\"Socket Mode is switched off" in stage.log()


def test_a_wrong_app_token_is_said_and_ends_the_program(stage):
    stage.start(SLACK_APP_TOKEN="xapp-1-wrong")
    assert stage.bot.wait(15) == 1
    stage.bot = None
    assert "invalid_auth" in stage.log() and "app-level token" in stage.log()
    assert "xapp-1-wrong" not in stage.log()


def test_slack_away_at_the_start_of_a_connection_is_waited_for(stage):
    stage.workspace.call("/control/fault", {"method": "apps.connections.open", "do": "status",
                                            "status": 503, "count": 2})
    workspace = stage.start().ready()
    assert workspace.type("U0DEV", "C0PAY", "help")["outcome"] == "acked"


def test_a_stop_under_load_acks_what_it_took_and_ends_well(stage):
    workspace = stage.start().ready()
    stream = Stream(workspace, people=8)
    wait_for(lambda: len(stream.outcomes) > 50, "a stream")
    assert stage.stop() == 0
    with contextlib.suppress(urllib.error.URLError):
        stream.end()
    assert "found no connection to go to" not in stage.log()
    assert "never acked" not in stage.log()
