"""SIGKILL at the worst moments, then a start: nothing is lost, nothing happens twice."""

import os
import signal
import threading

import pytest

from company import TEAMS
from gate import Gate
from told import assert_nothing_twice, posted, thread

WHOLE = ["requested", "approved", "ready"]


@pytest.fixture
def gated(company):
    """A company whose bots and jobs reach PostgreSQL through a gate."""
    c = company()
    gate = Gate.of(c, TEAMS)
    yield c, gate
    gate.close()


def meanwhile(run, *arguments, **more):
    """Runs it beside the test; join() gives what came of it."""
    found = []
    thread = threading.Thread(target=lambda: found.append(run(*arguments, **more)), daemon=True)
    thread.start()

    def join():
        thread.join(30)
        return found[0]
    return join


def ask(c, text="create small demo", wait=5.0):
    return c.slack.type("U0DEV", "C0GEN", text, wait=wait)


def ask_and_approve(c):
    assert ask(c)["outcome"] == "acked"
    assert c.approve("demo")["outcome"] == "acked"


def assert_whole(c, changes=("create cluster",), told=WHOLE):
    """One of each: message, card, decision, cluster, mail, and the story in its order."""
    c.wait_state("demo", "ready", seconds=60)
    c.settle(60)
    assert c.database.one("SELECT count(*) FROM environments") == 1
    assert c.database.one("SELECT count(*) FROM decisions") == 1
    assert c.database.one("SELECT count(*) FROM jobs") == 1
    assert [e[1:] for e in posted(c) if e[1] in ("message", "card")] \
        in ([("message", "C0PAY"), ("card", "C0PLAT")], [("card", "C0PLAT"), ("message", "C0PAY")])
    assert thread(c, "demo") == told
    assert_nothing_twice(c)
    assert [m["to"] for m in c.aws.mails()] == [["developer@example.com"]]
    assert c.eksctl.clusters() == ["payments-demo"]
    assert c.eksctl.changes("payments-demo") == list(changes)


# ---- after the commit, before the ack ----

def test_killed_after_the_commit_before_the_ack_of_a_command(gated):
    c, gate = gated
    bot = c.serve()
    held = gate.after("envbot handler", "COMMIT")
    answer = meanwhile(ask, c, wait=0.5)
    held.wait("the request is committed")
    bot.kill()
    gate.lift()
    assert answer()["outcome"] == "timeout"
    assert c.environment_row("demo")["state"] == "pending"

    bot.start().wait_ready()
    again = c.slack.redeliver(answer()["envelope_id"])
    assert again["outcome"] == "acked"
    assert "You asked for *payments/demo*" in again["ack"]["text"]
    assert again["ack"] == c.database.one("SELECT reply FROM envelopes")
    c.approve("demo")
    assert_whole(c)


def test_killed_after_the_commit_before_the_ack_of_a_click(gated):
    c, gate = gated
    bot = c.serve()
    ask(c)
    channel, ts, _ = c.message("demo", "card")
    c.settle()
    held = gate.after("envbot handler", "COMMIT")
    answer = meanwhile(c.slack.click, "U0APPR", channel, ts, "approve", wait=0.5)
    held.wait("the decision is committed")
    bot.kill()
    gate.lift()
    assert answer()["outcome"] == "timeout"

    bot.start().wait_ready()
    assert c.slack.redeliver(answer()["envelope_id"])["outcome"] == "acked"
    assert_whole(c)
    assert [e[1] for e in posted(c)].count("private") == 0  # nobody was told "already decided"
    private = c.database.query("SELECT content FROM outbox WHERE kind = 'private'")
    assert [row["content"]["words"] for row in private] == ["You approved demo. It goes ahead."]


def test_killed_after_the_commit_before_the_ack_of_a_form(gated):
    c, gate = gated
    bot = c.serve()
    form = c.form("U0DEV")
    c.settle()
    held = gate.after("envbot handler", "COMMIT")
    answer = meanwhile(c.slack.submit, "U0DEV", form, {"name": {"name": "demo"}}, wait=0.5)
    held.wait("the request is committed")
    bot.kill()
    gate.lift()
    assert answer()["outcome"] == "timeout"

    bot.start().wait_ready()
    again = c.slack.redeliver(answer()["envelope_id"])
    assert again["outcome"] == "acked" and not again["ack"]
    c.approve("demo")
    assert_whole(c)


def test_killed_before_the_commit_nothing_has_happened(gated):
    c, gate = gated
    bot = c.serve()
    held = gate.before("envbot handler", "COMMIT")
    answer = meanwhile(ask, c, wait=0.5)
    held.wait("all but the commit is done")
    bot.kill()
    gate.lift()
    answer()
    assert c.environment_row("demo") is None

    bot.start().wait_ready()
    again = c.slack.redeliver(answer()["envelope_id"])
    assert "You asked for *payments/demo*" in again["ack"]["text"]
    c.approve("demo")
    assert_whole(c)


# ---- after the ack, before the post; after the post, before its row is marked ----

def test_killed_after_the_ack_before_the_card_is_posted(gated):
    c, gate = gated
    bot = c.serve()
    c.settle()
    held = gate.after("envbot-outbox-slack", "UPDATE")  # claimed, and not known to be
    assert ask(c)["outcome"] == "acked"
    held.wait("something is to be posted")
    bot.kill()
    gate.lift()
    assert posted(c) == []

    bot.start().wait_ready()
    c.approve("demo")
    assert_whole(c)


@pytest.mark.parametrize("place", ["message", "card"])
def test_killed_after_the_post_before_its_row_is_marked(gated, place):
    c, gate = gated
    bot = c.serve()
    held = gate.before("envbot-outbox-slack", "INSERT INTO messages", place)
    assert ask(c)["outcome"] == "acked"
    held.wait(f"the {place} is posted and not marked")
    assert place in [e[1] for e in posted(c)]
    bot.kill()
    gate.lift()

    bot.start().wait_ready()
    c.approve("demo")
    assert_whole(c)


def test_killed_after_a_reply_is_posted_before_its_row_is_marked(gated):
    c, gate = gated
    bot = c.serve()
    ask(c)
    c.message("demo", "card")
    c.settle()
    channel, ts, _ = c.message("demo")
    c.slack.fault("chat.postMessage", "slow", seconds=0.3)
    c.approve("demo")
    held = gate.before("envbot-outbox-slack", "UPDATE outbox SET sent_at")
    c.slack.wait_for(lambda: len(c.slack.thread(channel, ts)) == 2, "the reply stands there")
    held.wait("it is to be marked")
    bot.kill()
    gate.lift()
    assert c.database.one("SELECT count(*) FROM outbox WHERE template = 'approved'"
                          " AND sent_at IS NULL") == 1

    bot.start().wait_ready()
    assert_whole(c)


def test_killed_while_slack_is_still_at_its_post(company):
    """Slack posts what it got although nobody waits for its answer any more: whoever takes over looks
    when that is over."""
    c = company()
    bot = c.serve()
    ask(c)
    c.message("demo", "card")
    c.settle()
    c.slack.fault("chat.postMessage", "slow", seconds=1.5, match={"channel": "C0PAY"})
    c.approve("demo")
    c.slack.wait_for(lambda: not c.slack.faults(), "Slack has it")
    bot.kill()
    bot.start().wait_ready()
    assert_whole(c)


# ---- after the approval, before the job ----

def test_killed_after_the_approval_before_the_job_starts(gated):
    c, gate = gated
    bot = c.serve()
    ask(c)
    c.message("demo", "card")
    held = gate.before("envbot launcher", "FROM jobs")
    held.wait("the launcher is about to look")
    c.approve("demo")
    bot.kill()
    gate.lift()
    assert c.environment_row("demo")["state"] == "queued"
    assert c.eksctl.calls() == []

    bot.start().wait_ready()
    assert_whole(c)


def test_killed_together_with_a_job_that_has_not_claimed_its_row(gated):
    c, gate = gated
    bot = c.serve()
    ask(c)
    held = gate.before("envbot job", "UPDATE jobs j SET state = 'running'")
    c.approve("demo")
    held.wait("the job is about to claim")
    bot.kill()
    for pid in processes(c, "job"):
        os.kill(pid, signal.SIGKILL)
    gate.lift()
    assert c.environment_row("demo")["state"] == "queued"

    bot.start().wait_ready()
    assert_whole(c)


# ---- in the middle of a create ----

def processes(c, verb):
    """The processes `envbot VERB` of this company."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode().split("\0")
        except OSError:
            continue
        if words[1:2] == [verb] and c.config in words:
            found.append(int(pid))
    return found


def job_pids(c):
    """The job's process and its eksctl."""
    owner = c.slack.wait_for(
        lambda: (found := (c.database.one("SELECT lease_owner FROM jobs WHERE state = 'running'") or "")
                 .split(":"))[3:] and found, "eksctl is written down", 60)
    return int(owner[1]), int(owner[3])


def stands_creating(c, phase="control-plane"):
    """Serves, and has a creation stand once that phase's stack is begun: the bot and what holds it."""
    held = c.eksctl.hold("create", phase=phase)
    bot = c.serve()
    ask_and_approve(c)
    held.wait(f"eksctl is at the {phase}")
    return bot, held


def test_killed_in_the_middle_of_a_create_the_job_goes_on(company):
    c = company()
    bot, held = stands_creating(c)
    bot.kill()
    bot.start().wait_ready()
    held.lift()
    assert_whole(c)


def test_a_cluster_becomes_ready_while_no_bot_runs(company):
    c = company()
    bot, held = stands_creating(c)
    bot.kill()
    held.lift()
    c.wait_state("demo", "ready", seconds=60)
    assert thread(c, "demo") == WHOLE[:-1]
    bot.start().wait_ready()
    assert_whole(c)


# CloudFormation finishes by itself what was begun; what eksctl had still to do is done then.
CREATE, REST = "create cluster", ["create addon", "create nodegroup"]


@pytest.mark.parametrize("who,phase,changes", [
    ("job", "control-plane", [CREATE, *REST]), ("job and eksctl", "nodegroup", [CREATE]),
    ("everything", "control-plane", [CREATE, *REST])])
def test_a_killed_job_is_taken_up_again(company, who, phase, changes):
    c = company()
    bot, _ = stands_creating(c, phase)
    job, eksctl = job_pids(c)
    if who == "everything":
        bot.kill()
    os.kill(job, signal.SIGKILL)
    if who != "job":
        os.kill(eksctl, signal.SIGKILL)
    if who == "everything":
        bot.start().wait_ready()
    assert_whole(c, changes)
    assert c.database.one("SELECT attempts FROM jobs") == 2


def test_what_a_killed_eksctl_had_still_to_do_is_done(company):
    c = company()
    stands_creating(c)
    os.kill(job_pids(c)[1], signal.SIGKILL)
    assert_whole(c, [CREATE, *REST])
    assert c.database.one("SELECT attempts FROM jobs") == 1


# ---- two bots ----

def test_of_two_bots_the_one_that_is_killed_is_not_missed(company):
    c = company()
    bots = [c.serve(), c.serve()]
    held = c.eksctl.hold("create", phase="control-plane")
    ask(c)
    bots[0].kill()
    c.approve("demo")
    held.wait("eksctl is at work")
    bots[0].start().wait_ready()
    bots[1].kill()
    held.lift()
    assert_whole(c)
    assert_nothing_twice(c)
    assert bots[0].stop() == 0


# ---- SIGTERM ----

def test_a_stop_in_the_midst_of_traffic_acks_all_that_was_committed(company):
    c = company()
    bot = c.serve()
    c.database.query("UPDATE teams SET environments = NULL, nodes = NULL, vcpus = NULL,"
                     " monthly_usd = NULL")
    answers, over = {}, threading.Event()

    def person(number):
        for i in range(1000):
            if over.is_set():
                return
            name = f"d{number}x{i}"
            answers[name] = c.slack.type("U0DEV", "C0GEN", f"create small {name}", wait=8)

    people = [threading.Thread(target=person, args=(n,)) for n in range(8)]
    for one in people:
        one.start()
    c.slack.wait_for(lambda: len(answers) > 40, "traffic", 30)
    bot.process.send_signal(signal.SIGTERM)
    assert bot.process.wait(10) == 0
    over.set()
    for one in people:
        one.join(30)
    rows = {row["name"] for row in c.database.query("SELECT name FROM environments")}
    acked = {name for name, answer in answers.items() if answer["outcome"] == "acked"}
    assert rows == acked
    assert all("You asked for" in answers[name]["ack"]["text"] for name in acked)


def test_a_stop_does_not_wait_for_a_slack_that_does_not_answer(company):
    c = company()
    bot = c.serve()
    c.slack.fault("chat.postMessage", "slow", seconds=5)
    c.slack.fault("chat.getPermalink", "hang", count=10)
    ask(c)
    c.slack.wait_for(lambda: c.database.one("SELECT count(claimed_by) FROM outbox"), "a post")
    bot.process.send_signal(signal.SIGTERM)
    assert bot.process.wait(10) == 0
    c.slack.no_faults()
    bot.start().wait_ready()
    c.approve("demo")
    assert_whole(c)
