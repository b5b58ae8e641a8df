"""The clocks are moved. The bot's own decides nothing; PostgreSQL's is the only one, and where that
jumps, nothing counts twice and nothing falls over."""

import os
import shutil
import time

import pytest

from built import sanitized
from company import ROOT
from postgres import Postgres
from test_codes import KEY, click, enrol, oathtool, send
from test_one_decision import at_once

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
APPROVERS = ["U0APPR", "U0APPR2", "U0APPR3"]
TEAMS = """
  - name: payments
    channel: C0PAY
    approvers_channel: C0PLAT
    members: [U0DEV]
    quota: {environments: 100}
"""


class Clock:
    """A clock that runs beside the true one; for processes that start with its environment."""

    def __init__(self, path):
        assert os.path.exists(LIBRARY), "libfaketime is missing; `make deps-test` installs it"
        self.path = str(path)
        self.set("+0")
        self.environment = {
            "LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
            # the wall clock alone, also for condition variables (glibc needs no help there any more)
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0", "FAKETIME_DISABLE_SHM": "1"}

    def set(self, offset):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(offset + "\n")
        os.chmod(self.path + ".new", 0o644)
        os.rename(self.path + ".new", self.path)


def templates(tmp_path):
    """small, and the same with codes."""
    folder = tmp_path / "templates"
    shutil.copytree(f"{ROOT}/templates", folder)
    text = (folder / "environments" / "small.yaml").read_text()
    (folder / "environments" / "coded.yaml").write_text(
        text.replace("approval:\n", "approval:\n  code: true\n"))
    return str(folder)


def say(c, user, text):
    answer = c.slack.type(user, "C0GEN", text, wait=20)
    assert answer["outcome"] == "acked", answer
    return answer["shown"][0]["text"]


def sealed(c):
    """The audit's chain is whole."""
    c.slack.wait_for(lambda: c.database.one("SELECT count(*) FROM audit_unsealed") == 0,
                     "all is sealed", 30)
    done = c.run("audit", "--verify")
    assert done.returncode == 0, done


def the_clock_looks(c, name):
    """The clock has gone round: what is due by PostgreSQL's time has lapsed."""
    assert "You asked" in say(c, "U0DEV", f"create small {name}")
    c.message(name, "card", 30)
    c.database.query("UPDATE environments SET due_at = now(), created_at = now() - interval '2 days'"
                     " WHERE name = %s", name)
    assert c.wait_state(name, "lapsed", seconds=40)


def test_the_bots_own_clock_decides_nothing(company, tmp_path, monkeypatch):
    if sanitized():
        pytest.skip("libfaketime does not work with a sanitizer; make test has run this")
    clock = Clock(tmp_path / "clock")
    c = company(templates=templates(tmp_path), slack_arguments=["--relaxed-limits"], teams=TEAMS,
                options={"approvals.code_key": KEY, "jobs.parallel": "1", "rbac.copy_seconds": "0"})
    secrets = {user: enrol(c, user) for user in APPROVERS}
    with monkeypatch.context() as before_the_start:
        for name, value in clock.environment.items():
            before_the_start.setenv(name, value)
        bot = c.serve()
    assert "You asked" in say(c, "U0DEV", "create small waits")
    assert "on its way" in say(c, "U0DEV", "create small runs --nodes 1 --ttl 1h")
    c.wait_state("runs", "ready", seconds=40)
    for number, offset in enumerate(("+40d", "-40d")):
        clock.set(offset)
        the_clock_looks(c, f"due{number}")
        user, name = APPROVERS[number], f"coded{number}"
        say(c, "U0DEV", f"create coded {name}")
        form = click(c, name, user)
        shifted = oathtool(secrets[user], int(offset[:-1]) * 2880)
        assert shifted == (code := oathtool(secrets[user])) or send(c, form, shifted, user)
        assert send(c, form, code, user) is None
        assert c.wait_state(name, "queued", "creating", "ready", seconds=30)
        say(c, "U0DEV", f"create coded {name}-again")
        again = send(c, click(c, f"{name}-again", user), code, user)
        assert again.startswith("That code was used already"), again
        assert "withdrawn" in say(c, "U0DEV", f"withdraw {name}-again")

        # Those who decide at once wait for one answer of Slack, as long as they mean to.
        say(c, "U0DEV", f"create small crowd{number}")
        channel, ts, _ = c.message(f"crowd{number}", "card", 30)
        c.slack.fault("usergroups.list", "slow", seconds=0.4, count=3)
        answers = at_once([lambda u=u: say(c, u, f"approve crowd{number}") for u in APPROVERS])
        assert sum(a.startswith("You approved") for a in answers) == 1, answers
        assert sum("was already approved by" in a for a in answers) == 2, answers
        month = time.strftime("%Y-%m", time.gmtime())
        report = c.slack.type("U0MGR", "C0GEN", "report", wait=20)["shown"][0]
        assert month in str(report) or month != time.strftime("%Y-%m", time.gmtime()), report
        assert c.environment_row("waits")["state"] == "pending"
        assert c.environment_row("runs")["state"] == "ready"
    clock.set("+0")
    c.settle(60)
    assert bot.process.poll() is None and "a handler failed" not in bot.log()
    sealed(c)


@pytest.fixture
def moved(tmp_path):
    """A PostgreSQL of its own, and its clock."""
    server = Postgres()
    clock = Clock(os.path.join(server.directory, "clock"))
    server.environment = clock.environment
    server.start()
    yield server, clock
    server.remove()


def test_where_the_databases_clock_jumps_nothing_counts_twice(company, tmp_path, moved):
    server, clock = moved
    c = company(server=server, templates=templates(tmp_path), slack_arguments=["--relaxed-limits"],
                teams=TEAMS,
                options={"approvals.code_key": KEY, "jobs.deadline": "1d"})
    secret = enrol(c)
    bots = [c.serve(), c.serve()]
    start = c.database.one("SELECT clock_timestamp()")
    say(c, "U0DEV", "create small waits")
    for name in ("first", "second", "third"):
        say(c, "U0DEV", f"create coded {name}")
    code = oathtool(secret)
    assert send(c, click(c, "first"), code) is None
    assert c.wait_state("first", "ready", seconds=60)
    c.settle(60)  # what is due later waits for that moment, also when it comes an hour later

    # An hour back: what was used stays used, what is older counts no more, and work goes on.
    clock.set("-1h")
    assert c.database.one("SELECT clock_timestamp() < %s", start)
    form = click(c, "second")
    for used in (code, oathtool(secret, -120), oathtool(secret, -121)):
        assert send(c, form, used) is not None
    assert c.environment_row("second")["state"] == "pending"
    assert "on its way" in say(c, "U0DEV", "create small back --nodes 1 --ttl 1h")
    assert c.wait_state("back", "ready", seconds=60)

    # Two hours on, in the middle of a job: its lease is over at once, whoever goes on with it.
    held = c.eksctl.hold("create")
    assert "on its way" in say(c, "U0DEV", "create small ahead --nodes 1 --ttl 1h")
    held.wait("eksctl runs")
    clock.set("+1h")
    held.lift()
    assert c.wait_state("ahead", "ready", "deleting", "deleted", seconds=90)
    assert c.eksctl.clusters().count("payments-ahead") <= 1
    assert c.environment_row("waits")["state"] == "pending"
    assert send(c, click(c, "third"), oathtool(secret, 120)) is None

    # A day on: now it is time, once.
    clock.set("+25h")
    assert c.wait_state("waits", "lapsed", seconds=60)
    clock.set("-1h")
    assert say(c, "U0APPR2", "approve waits").startswith("The request for waits lapsed ")
    assert say(c, "U0DEV", "list --all")
    assert [r["event"] for r in c.database.query(
        "SELECT a.event FROM audit a JOIN environments e ON e.id = a.environment"
        " WHERE e.name = 'waits' AND a.event <> 'refused'")] == ["request", "lapse"]
    assert c.database.one("SELECT count(*) FROM decisions") == 2
    for bot in bots:
        assert bot.process.poll() is None and "a handler failed" not in bot.log(), bot.log()[-3000:]
    clock.set("+25h")
    c.settle(60)
    sealed(c)
