"""More time or size than the template allows without another approval is a request of its own: its
card shows before and after, people vote on it as on a request, and the environment meanwhile stays
as it was."""

import os
import shutil

import yaml

from test_life import actions, ask, in_thread, press
from test_wrong_click import MANY_CLICKS

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def with_template(company, tmp_path, more=None, **sections):
    folder = tmp_path / "templates"
    shutil.copytree(os.path.join(ROOT, "templates"), folder)
    path = folder / "environments" / "small.yaml"
    template = yaml.safe_load(path.read_text())
    template.update(sections)
    path.write_text(yaml.safe_dump(template, sort_keys=False))
    return company(templates=str(folder), **(more or {}))


def up(c, name, words=""):
    ask(c, "U0DEV", f"create small {name} {words}")
    c.approve(name)
    c.wait_state(name, "ready", seconds=60)


def requests(c, name):
    return c.database.query(
        "SELECT r.* FROM change_requests r JOIN environments e ON e.id = r.environment"
        " WHERE e.name = %s ORDER BY r.id", name)


def card(c, name, holds=lambda message: True):
    """The card of the environment's latest change request, when it is as wanted."""
    number = requests(c, name)[-1]["id"]
    return c.slack.wait_for(
        lambda: (found := c.message(name, f"change-{number}")) and holds(found[2]) and found,
        f"the card of the change of {name} is as wanted", 30)


def change_waited(c, name, time):
    """So long ago the open change was asked for: what it waits for comes nearer by what is new."""
    c.database.query(
        "WITH gone AS (SELECT r.id, r.created_at - now() + %s::interval AS step"
        "  FROM change_requests r JOIN environments e ON e.id = r.environment"
        "  WHERE e.name = %s AND r.state = 'pending')"
        " UPDATE change_requests r SET created_at = created_at - step, due_at = due_at - step,"
        "  lapses_at = lapses_at - step, remind_at = remind_at - step,"
        "  escalated_at = escalated_at - step, question = CASE WHEN question IS NOT NULL THEN"
        "   jsonb_set(question, '{asked}', to_jsonb(floor((question ->> 'asked')::numeric"
        "    - extract(epoch FROM step)))) END"
        " FROM gone WHERE r.id = gone.id RETURNING 1", time, name)


def lives(c, name):
    row = c.environment_row(name)
    return int((row["expires_at"] - row["ready_at"]).total_seconds())


def private(c, user, words):
    return c.slack.wait_for(
        lambda: [w for w in c.slack.whispers(user) if words in w],
        f"{user} is told “{words}”", 20)


def test_more_time_than_the_template_gives_is_asked_for_and_voted_on(company):
    c = company()
    c.serve()
    up(c, "demo", "--ttl 2d")
    before = lives(c, "demo")
    answer = ask(c, "U0DEV", "extend demo 3d --reason 'the *load* test <runs> on'")
    assert "more than demo has without another approval" in answer
    assert "can be approved by" in answer and "stays as it is" in answer
    channel, ts, shown = card(c, "demo")
    assert channel == "C0PLAT" and actions(shown) == ["approve", "deny", "ask"]
    text = str(shown["blocks"])
    for part in ("*more time* for *payments/demo*", "<@U0DEV>", "*Now*", "*Then*", "3 days more",
                 "*load* test &lt;runs&gt; on"):
        assert part in text, part
    assert lives(c, "demo") == before
    in_thread(c, "demo", "asks for more time")
    assert "asked for more time for demo already" in ask(c, "U0DEV", "extend demo 2d")
    assert "has 4 h more" in ask(c, "U0DEV", "extend demo 4h"), "what takes no vote goes on"

    assert "has asked for more time. Waiting for @platform-approvers." in ask(
        c, "U0DEV", "show demo")

    # It ends later by now, so the card shows something else than what it would become.
    press(c, "U0APPR", channel, shown, "approve")
    # Who comes across that first has it shown anew: this click, or the clock.
    said = private(c, "U0APPR", "so nothing was decided")[0]
    assert "not what this card showed" in said or "changed since this card was shown" in said, said
    assert lives(c, "demo") == before + 4 * 3600
    value = f".2.{requests(c, 'demo')[0]['id']}'"
    channel, ts, shown = card(c, "demo", lambda m: value in str(m["blocks"]))

    press(c, "U0BYST", channel, shown, "approve")
    private(c, "U0BYST", "do not name you as an approver")
    assert lives(c, "demo") == before + 4 * 3600 and requests(c, "demo")[0]["state"] == "pending"

    number = requests(c, "demo")[0]["id"]
    press(c, "U0APPR", channel, shown, "approve")
    c.slack.wait_for(lambda: requests(c, "demo")[0]["state"] == "approved", "it is approved", 20)
    assert lives(c, "demo") == before + (3 * 24 + 4) * 3600
    in_thread(c, "demo", "gave it 3 days more")
    channel, ts, shown = card(c, "demo", lambda m: not actions(m))
    assert "*Approved* by <@U0APPR>" in str(shown["blocks"])
    c.slack.click("U0APPR2", channel, ts, "approve", value=f"{c.environment_row('demo')['id']}.2.{number}",
                  forged=True)
    private(c, "U0APPR2", "was already approved by approver")
    assert lives(c, "demo") == before + (3 * 24 + 4) * 3600

    # Nobody can give what is beyond the ceiling.
    assert "from when its creation began" in ask(c, "U0DEV", "extend demo 2w")
    story = c.run("audit", "demo").stdout
    assert "asked for more time" in story and "Allowed by" in story.split("asked for more time")[1]


def test_more_nodes_than_the_template_gives_are_voted_on_and_fit_the_quota(company):
    c = company()
    c.serve()
    up(c, "demo")
    assert "over the quota" in ask(c, "U0DEV", "scale demo 25")
    assert not requests(c, "demo")
    assert "can be approved by" in ask(c, "U0DEV", "scale demo 7 --reason more")
    channel, ts, shown = card(c, "demo")
    text = str(shown["blocks"])
    assert "2 nodes, about $" in text and "7 nodes, about $" in text
    assert "2 of 20 nodes" in text and "7 of 20 nodes" in text
    assert c.environment_row("demo")["state"] == "ready" and c.environment_row("demo")["nodes"] == 2
    assert "You approved more nodes" in ask(c, "U0APPR", "approve demo")
    c.slack.wait_for(lambda: (row := c.environment_row("demo"))["state"] == "ready"
                     and row["nodes"] == 7 and row["change"] is None, "it has seven nodes", 60)
    card(c, "demo", lambda m: "*Approved*" in str(m["blocks"]))

    # What was approved is a bound: smaller needs nobody, and back to it does.
    assert "from 7 to 6 nodes" in ask(c, "U0DEV", "scale demo 6")
    c.slack.wait_for(lambda: (row := c.environment_row("demo"))["state"] == "ready"
                     and row["nodes"] == 6, "it has six nodes", 60)
    assert "can be approved by" in ask(c, "U0DEV", "scale demo 8")
    channel, ts, shown = card(c, "demo", actions)
    assert "You denied more nodes" in ask(c, "U0APPR", "deny demo six are enough")
    in_thread(c, "demo", "denied more nodes: six are enough")
    shown = card(c, "demo", lambda m: not actions(m))[2]
    assert "*Denied* by <@U0APPR>" in str(shown["blocks"])
    assert c.environment_row("demo")["nodes"] == 6


def test_what_needed_nobody_gets_no_more_nodes_without_a_vote(company):
    c = company()
    c.serve()
    assert "needs no approval" in ask(c, "U0DEV", "create small tiny --nodes 1 --ttl 1h")
    c.wait_state("tiny", "ready", seconds=60)
    assert "has 2 h more" in ask(c, "U0DEV", "extend tiny 2h"), "time is free up to ttl.max"
    assert "can be approved by" in ask(c, "U0DEV", "scale tiny 3")
    assert "taken back" in ask(c, "U0DEV", "withdraw tiny")
    assert "can be approved by" in ask(c, "U0DEV", "scale tiny 2")
    assert [r["state"] for r in requests(c, "tiny")] == ["withdrawn", "pending"]
    number = requests(c, "tiny")[0]["id"]
    c.slack.wait_for(lambda: "It was taken back." in str(
        c.message("tiny", f"change-{number}")[2]["blocks"]), "the first card says so", 20)

    # It goes with its environment, and with its time.
    ask(c, "U0DEV", "delete tiny")
    c.slack.wait_for(lambda: requests(c, "tiny")[1]["state"] == "over", "it is over", 20)
    assert "does not run any more" in str(card(c, "tiny", lambda m: not actions(m))[2]["blocks"])
    up(c, "late")
    ask(c, "U0DEV", "extend late 4d")
    card(c, "late", actions)
    change_waited(c, "late", "24 hours")
    in_thread(c, "late", "nobody decided in time on more time")
    shown = card(c, "late", lambda m: not actions(m))[2]
    assert "It lapsed" in str(shown["blocks"])
    assert "was already approved" in ask(c, "U0APPR2", "approve late"), "the request is meant again"


def test_who_asked_for_more_and_whose_it_is_take_it_back_and_nobody_else(company):
    c = company(slack_arguments=MANY_CLICKS)
    c.serve()
    c.slack.group("managers", add=["U0APPR3"])
    up(c, "demo")
    for user in ("U0APPR3", "U0DEV"):
        assert "can be approved by" in ask(c, "U0APPR3", "extend demo 4d")
        for other in ("U0DEV2", "U0APPR"):
            assert "do not let you delete" in ask(c, other, "withdraw demo")
        c.slack.group("managers", remove=["U0APPR3"])
        assert "is taken back" in ask(c, user, "withdraw demo")
        c.slack.group("managers", add=["U0APPR3"])


def test_votes_on_a_change_are_counted_taken_back_and_bound_as_those_on_a_request(
        company, tmp_path):
    c = with_template(company, tmp_path, approval={"count": 2})
    c.serve()
    ask(c, "U0APPR3", "create small demo --team payments --ttl 3d")
    ask(c, "U0APPR", "approve demo")
    ask(c, "U0APPR2", "approve demo")
    c.wait_state("demo", "ready", seconds=60)
    before = lives(c, "demo")
    ask(c, "U0APPR3", "extend demo 1d")
    channel, ts, shown = card(c, "demo")
    press(c, "U0APPR3", channel, shown, "approve")
    private(c, "U0APPR3", "Nobody approves their own request")
    press(c, "U0APPR", channel, shown, "approve")
    shown = card(c, "demo", lambda m: "1 of 2: <@U0APPR> ✓" in str(m["blocks"]))[2]
    assert actions(shown) == ["approve", "deny", "ask", "takeback"]
    press(c, "U0APPR", channel, shown, "takeback")
    shown = card(c, "demo", lambda m: "takeback" not in actions(m))[2]
    number = requests(c, "demo")[0]["id"]
    for value in (f"1.9.{number}", "1.1.99", f"7.1.{number}", f"1.1.{number}.1", f"1..{number}"):
        answer = c.slack.click("U0APPR", channel, ts, "approve", value=value, forged=True, wait=20)
        assert answer["outcome"] == "acked"
    assert lives(c, "demo") == before and requests(c, "demo")[0]["state"] == "pending"
    press(c, "U0APPR2", channel, shown, "approve")
    press(c, "U0APPR", channel, shown, "approve")
    c.slack.wait_for(lambda: requests(c, "demo")[0]["state"] == "approved", "two decide", 20)
    assert lives(c, "demo") == before + 86400
