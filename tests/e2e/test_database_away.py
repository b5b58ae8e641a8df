"""PostgreSQL goes away under traffic and comes back: nobody was told anything untrue, and the bots
come back by themselves. It is an instance of its own, with its disk writes honest."""

import signal
import threading
import time

import pytest

from postgres import Postgres
from told import assert_nothing_twice, thread

NOTHING_DONE, CANNOT_TELL = "Nothing was done", "cannot tell whether it was done"


@pytest.fixture(scope="module")
def durable():
    server = Postgres(durable=True).start()
    yield server
    server.remove()


class Traffic:
    """People of one team who ask for clusters and click on cards, and what each was told."""

    def __init__(self, c, people=4):
        self.c, self.over, self.asked, self.clicked = c, threading.Event(), {}, {}
        c.database.query("UPDATE teams SET environments = NULL, nodes = NULL, vcpus = NULL,"
                         " monthly_usd = NULL")
        self.threads = [threading.Thread(target=self.ask, args=(n,)) for n in range(people)]
        for one in self.threads:
            one.start()

    def ask(self, number):
        for i in range(10000):
            if self.over.is_set():
                return
            name = f"p{number}x{i}"
            answer = self.c.slack.type("U0DEV", "C0GEN", f"create small {name}", wait=20)
            assert answer["outcome"] == "acked", answer
            self.asked[name] = answer["ack"]["text"]
            time.sleep(0.2)

    def some(self, seconds=30):
        """Waits until every person was answered again."""
        before = len(self.asked)
        self.c.slack.wait_for(lambda: len(self.asked) > before + 2 * len(self.threads),
                              "traffic", seconds)

    def end(self):
        self.over.set()
        for one in self.threads:
            one.join(40)
        assert not any(one.is_alive() for one in self.threads)
        return self

    def assert_true(self):
        """What was said to be done is there, what was said not to be done is not."""
        there = {row["name"] for row in self.c.database.query("SELECT name FROM environments")}
        done = {name for name, text in self.asked.items() if "You asked for" in text}
        unknown = {name for name, text in self.asked.items() if CANNOT_TELL in text}
        refused = {name for name, text in self.asked.items() if NOTHING_DONE in text}
        assert done | unknown | refused == set(self.asked)
        assert done <= there
        assert not there & refused
        assert there - {"job"} <= done | unknown
        return done, refused


def world(company, durable, **options):
    # More is said here in a minute than Slack takes; its pace is another test's.
    c = company(server=durable, options=options, slack_arguments=["--relaxed-limits"])
    c.serve()
    c.serve()
    return c


def job_in_the_middle(c, seconds):
    c.eksctl.set_pace(create_seconds=seconds)
    answer = c.slack.type("U0DEV", "C0GEN", "create small job --nodes 1 --ttl 1h")
    assert "on its way" in answer["ack"]["text"]
    c.slack.wait_for(lambda: c.eksctl.stacks(), "the create is under way", 30)


def assert_job(c, creates):
    c.wait_state("job", "ready", seconds=60)
    assert c.eksctl.clusters() == ["payments-job"]
    assert len(c.eksctl.calls("create")) in creates
    c.settle(60)
    assert thread(c, "job") == ["requested", "ready"]
    assert [m["subject"] for m in c.aws.mails()].count("Your cluster payments/job is ready") == 1


def assert_back(c, pids):
    for bot in c.bots:
        bot.wait_ready(40)
    assert [bot.process.pid for bot in c.bots] == pids
    answer = c.slack.type("U0DEV", "C0GEN", "list", wait=20)
    assert answer["outcome"] == "acked" and NOTHING_DONE not in str(answer["ack"])


def test_stopped_for_ten_seconds(company, durable):
    c = world(company, durable)
    pids = [bot.process.pid for bot in c.bots]
    c.slack.type("U0DEV", "C0GEN", "create small card")
    channel, ts, _ = c.message("card", "card")
    form = c.form("U0DEV2")
    job_in_the_middle(c, 4)
    traffic = Traffic(c)
    traffic.asked["card"] = "You asked for"
    traffic.some()
    durable.stop(signal.SIGINT)
    stopped = time.monotonic()

    traffic.some()
    click = c.slack.click("U0APPR", channel, ts, "approve", wait=20)
    submit = c.slack.submit("U0DEV2", form, {"name": {"name": "form"}}, wait=20)
    assert (click["outcome"], submit["outcome"]) == ("acked", "acked")
    assert NOTHING_DONE in str(submit["errors"])
    told = [m["text"] for m in c.slack.messages("C0PLAT") if m.get("ephemeral_for") == "U0APPR"]
    assert len(told) == 1 and NOTHING_DONE in told[0]
    for bot in c.bots:
        c.slack.wait_for(lambda: bot.get("/readyz")[0] == 503, "/readyz says so")
        assert '"database":{"ready":false' in bot.get("/readyz")[1]
        assert bot.get("/healthz")[0] == 200
    time.sleep(max(0, stopped + 10 - time.monotonic()))

    durable.start()
    assert_back(c, pids)
    traffic.some()
    done, refused = traffic.end().assert_true()
    assert refused and len(done) > 10
    assert c.environment_row("card")["state"] == "pending" and c.environment_row("form") is None
    c.approve("card")
    # Its lease is shorter than this: the job ended eksctl, and another took up what was there.
    assert_job(c, (1, 2))
    c.wait_state("card", "ready", seconds=60)
    c.settle(60)
    assert_nothing_twice(c)
    # Each that is there has a message and a card, also where nobody could tell; the job needed no card.
    assert c.database.one("SELECT count(*) FROM messages") == 2 * c.database.one(
        "SELECT count(*) FROM environments") - 1


def test_crashed_and_recovered_while_a_job_runs_on(company, durable):
    c = world(company, durable, **{"jobs.lease": "30s"})
    pids = [bot.process.pid for bot in c.bots]
    job_in_the_middle(c, 4)
    traffic = Traffic(c)
    traffic.some()
    durable.stop(signal.SIGQUIT)
    traffic.some()
    durable.start()
    assert_back(c, pids)
    traffic.some()
    traffic.end().assert_true()
    assert_job(c, (1,))
    assert_nothing_twice(c)


def test_every_connection_is_ended_again_and_again(company, durable):
    c = world(company, durable)
    pids = [bot.process.pid for bot in c.bots]
    job_in_the_middle(c, 2)
    traffic = Traffic(c)
    for _ in range(6):
        traffic.some()
        c.database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                         " WHERE datname = current_database() AND pid <> pg_backend_pid()")
    assert_back(c, pids)
    done, refused = traffic.end().assert_true()
    assert not refused  # the database was there: each was served on another connection
    assert_job(c, (1,))
    assert_nothing_twice(c)
