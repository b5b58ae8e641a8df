"""A connection to PostgreSQL that breaks in the middle: what people are told is true, and nothing
is done twice. A gate breaks it at a moment that is known."""

import threading

import pytest

from company import TEAMS
from gate import Gate
from told import assert_nothing_twice, posted, thread, whispers

CANNOT_TELL = "cannot tell whether it was done"
NOTHING_DONE = "Nothing was done"


@pytest.fixture
def gated(company):
    c = company()
    c.eksctl.set_pace(create_seconds=0.2, delete_seconds=0.1)
    gate = Gate.of(c, TEAMS)
    c.serve()
    yield c, gate
    gate.close()


class People:
    """What a person does beside the test; the acts are the three kinds of envelopes."""

    def __init__(self, c):
        self.c = c

    def prepare(self, act):
        """What must be there before the act: nothing, a card, a form."""
        if act == "click":
            self.c.slack.type("U0DEV", "C0GEN", "create small demo")
            self.card = self.c.message("demo", "card")
        if act == "form":
            self.form = self.c.form("U0DEV")
        self.c.settle()

    def do(self, act):
        slack = self.c.slack
        if act == "command":
            return slack.type("U0DEV", "C0GEN", "create small demo", wait=20)
        if act == "click":
            return slack.click("U0APPR", self.card[0], self.card[1], "approve", wait=20)
        return slack.submit("U0DEV", self.form, {"name": {"name": "demo"}}, wait=20)

    def begin(self, act):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.do(act)), daemon=True)
        thread.start()

        def join():
            thread.join(30)
            return answers[0]
        return join

    def heard(self, act, answer):
        """What the one who acted was shown, wherever it was."""
        if act == "command":
            return [answer["ack"]["text"]]
        if act == "form" and answer["errors"]:
            return list(answer["errors"].values())
        return whispers(self.c, "U0APPR" if act == "click" else "U0DEV")


DONE = {"command": "You asked for *payments/demo*", "click": "You approved demo",
        "form": "You asked for *payments/demo*"}
ACTS = list(DONE)


def assert_done_once(c, people, act, answer):
    assert answer["outcome"] == "acked"
    c.message("demo", "card")
    if act == "click":
        c.wait_state("demo", "ready")
    c.settle()
    heard = [text for text in people.heard(act, answer)]
    assert len(heard) == 1 and DONE[act] in heard[0], heard
    assert c.database.one("SELECT count(*) FROM environments") == 1
    assert c.database.one("SELECT count(*) FROM decisions") == (act == "click")
    assert thread(c, "demo")[:2] == ["requested", "approved"][:1 + (act == "click")]
    assert_nothing_twice(c)


@pytest.mark.parametrize("act", ACTS)
def test_lost_before_the_commit_it_is_done_on_another_connection(gated, act):
    c, gate = gated
    people = People(c)
    people.prepare(act)
    held = gate.before("envbot handler", "COMMIT")
    answer = people.begin(act)
    held.wait("all but the commit is done")
    gate.cut("envbot handler")
    gate.lift()
    assert_done_once(c, people, act, answer())


@pytest.mark.parametrize("act", ACTS)
def test_lost_after_the_commit_the_answer_is_the_one_that_was_committed(gated, act):
    c, gate = gated
    people = People(c)
    people.prepare(act)
    held = gate.after("envbot handler", "COMMIT")
    answer = people.begin(act)
    held.wait("it is committed")
    gate.cut("envbot handler")
    gate.lift()
    assert_done_once(c, people, act, answer())


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("act", ACTS)
def test_when_nobody_can_tell_that_is_what_is_said(gated, act, committed):
    c, gate = gated
    people = People(c)
    people.prepare(act)
    hold = gate.after if committed else gate.before
    held = hold("envbot handler", "COMMIT")
    answer = people.begin(act)
    held.wait("the commit")
    gate.cut(shut=True)
    gate.lift()
    answer = answer()
    assert answer["outcome"] == "acked"
    c.slack.wait_for(lambda: people.heard(act, answer), "an answer")
    heard = people.heard(act, answer)
    if committed:
        assert len(heard) == 1 and CANNOT_TELL in heard[0]
    else:  # the commit stood at the gate: envbot had sent it, as far as it knows
        assert len(heard) == 1 and (CANNOT_TELL in heard[0] or NOTHING_DONE in heard[0])
    gate.open()
    c.bots[0].wait_ready()
    done = c.database.one("SELECT count(*) FROM environments WHERE state <> 'pending'"
                          if act == "click" else "SELECT count(*) FROM environments")
    assert done == committed
    if not committed:  # and it can be done now
        people.do(act)
    c.message("demo", "card")
    c.settle()
    assert_nothing_twice(c)


@pytest.mark.parametrize("moment", ["claimed", "posted", "marked"])
def test_a_post_is_made_once_when_the_connection_breaks(gated, moment):
    c, gate = gated
    held = {"claimed": lambda: gate.after("envbot-outbox-slack", "UPDATE"),
            "posted": lambda: gate.before("envbot-outbox-slack", "INSERT INTO messages"),
            "marked": lambda: gate.after("envbot-outbox-slack", "COMMIT")}[moment]()
    c.slack.type("U0DEV", "C0GEN", "create small demo")
    held.wait(moment)
    gate.cut("envbot-outbox", shut=True)
    gate.lift()
    gate.open()
    c.message("demo")
    c.message("demo", "card")
    c.settle()
    assert sorted(e[1] for e in posted(c)) == ["card", "message", "requested"]
    assert thread(c, "demo") == ["requested"]
    assert_nothing_twice(c)


def test_a_mail_is_sent_once_when_the_connection_breaks(gated):
    c, gate = gated
    held = gate.before("envbot-outbox-mail", "UPDATE outbox SET sent_at")
    c.slack.type("U0DEV", "C0GEN", "create small demo --nodes 1 --ttl 1h")
    held.wait("the mail is sent")
    gate.cut("envbot-outbox", shut=True)
    gate.lift()
    gate.open()
    c.settle()
    assert [m["to"] for m in c.aws.mails()] == [["developer@example.com"]]


def test_a_database_that_is_away_is_said_everywhere(gated):
    c, gate = gated
    people = People(c)
    people.prepare("click")
    people.prepare("form")
    gate.cut(shut=True)
    for act in ACTS:
        answer = people.do(act)
        assert answer["outcome"] == "acked"
        c.slack.wait_for(lambda: people.heard(act, answer), f"an answer to the {act}")
        assert all(NOTHING_DONE in text for text in people.heard(act, answer))
    status, text = c.slack.wait_for(
        lambda: (r := c.bots[0].get("/readyz"))[0] == 503 and r, "/readyz says so")
    assert '"database":{"ready":false' in text
    assert c.bots[0].get("/healthz")[0] == 200
    gate.open()
    c.bots[0].wait_ready()
    assert c.database.query("SELECT name, state FROM environments") == [
        {"name": "demo", "state": "pending"}]
    people.do("click")
    c.wait_state("demo", "ready")


def test_jobs_are_started_after_the_launcher_lost_its_connection(gated):
    c, gate = gated
    gate.cut("envbot launcher", shut=True)
    held = gate.before("envbot launcher", "FROM jobs")
    gate.open()
    held.wait("the launcher asks again, on a new connection")
    gate.lift()
    people = People(c)
    people.prepare("click")
    people.do("click")
    c.wait_state("demo", "ready", seconds=60)


def test_who_stands_in_their_own_way_is_told_that_it_cannot_be_told(gated):
    """What comes again finds its name taken, by what it did itself at first, and cannot look that up."""
    c, gate = gated
    answer = c.slack.type("U0DEV", "C0GEN", "create small demo")
    c.settle()
    held = gate.before("envbot handler", "INSERT INTO envelopes")
    found = []
    again = threading.Thread(target=lambda: found.append(c.slack.redeliver(answer["envelope_id"])))
    again.start()
    held.wait("the refusal is about to be kept")
    gate.cut("envbot handler", shut=True)
    gate.lift()
    again.join(30)
    gate.open()
    assert CANNOT_TELL in found[0]["ack"]["text"], found
