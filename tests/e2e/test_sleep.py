"""Asleep: no nodes, no quota and no cost for them; its time goes on; and back to the size from before."""

import re

from test_scale import ask, ready, said


def actions(message):
    return re.findall(r"'action_id': '(\w+)'", str(message["blocks"]))


def asleep(c, name, seconds=60):
    return c.wait_state(name, "asleep", seconds=seconds)


def start(company, nodes=2):
    c = company()
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    ask(c, "U0DEV", f"create small demo --nodes {nodes} --ttl 2h")
    if nodes > 1:
        c.approve("demo")
    ready(c, "demo")
    return c


def test_it_sleeps_and_wakes_at_its_size(company):
    c = start(company)
    before = c.environment_row("demo")
    assert "do not let you" in ask(c, "U0BYST", "sleep demo")
    assert "is up and running" in ask(c, "U0DEV", "wake demo")
    assert "goes to sleep" in ask(c, "U0DEV", "sleep demo")
    row = asleep(c, "demo")
    assert c.eksctl.sizes("payments-demo") == {"main": (0, 0, 1)}
    assert (row["nodes"], row["vcpus"]) == (0, 0) and 0 < row["monthly_usd"] < before["monthly_usd"]
    assert row["awake"]["nodes"] == 2 and row["expires_at"] == before["expires_at"]
    assert "0 of 20` nodes" in ask(c, "U0DEV", "quota payments")
    assert "is asleep: no nodes run" in said(c, "demo", "is asleep: no nodes run")
    assert "demo is asleep" in ask(c, "U0DEV", "list")
    assert "wake demo brings them back" in ask(c, "U0DEV", "show demo")
    assert "demo is asleep; wake it first" in ask(c, "U0DEV", "scale demo 3")
    assert "demo is asleep already" in ask(c, "U0DEV", "sleep demo")

    # Its time goes on: it is warned, it can have more.
    c.database.query("UPDATE environments SET expires_at = now() + interval '59 minutes 30 seconds',"
                     " ready_at = now() - interval '2 hours', due_at = now() RETURNING 1")
    said(c, "demo", "ends in 59 min")
    assert "has 1 h more" in ask(c, "U0DEV", "extend demo 1h")

    # What it takes when it wakes has to fit again; by the button as typed.
    c.database.query("UPDATE teams SET nodes = 1 WHERE name = 'payments' RETURNING 1")
    refused = ask(c, "U0DEV", "wake demo")
    assert "it has 0 of 1 nodes in use, and this takes 2 more" in refused, refused
    c.database.query("UPDATE teams SET nodes = 20 WHERE name = 'payments' RETURNING 1")
    channel, ts, message = c.slack.wait_for(
        lambda: (m := c.message("demo")) and "wake" in actions(m[2]) and m, "the button Wake")
    assert actions(message) == ["extend", "wake", "delete"]
    c.slack.click("U0BYST", channel, ts, "wake")
    c.slack.click("U0DEV", channel, ts, "wake")
    row = ready(c, "demo", 2)
    assert c.eksctl.sizes("payments-demo") == {"main": (2, 2, 2)}
    assert row["awake"] is None and row["monthly_usd"] == before["monthly_usd"]
    assert len(c.eksctl.calls("scale")) == 2
    story = said(c, "demo", "is awake: 2 nodes")
    order = [story.index(w) for w in ("puts it to sleep", "is asleep", "wakes it: 2 nodes", "is awake")]
    assert order == sorted(order)
    told = ask(c, "U0MGR", "audit demo")
    assert "put it to sleep" in told and "It was awake again, with 2 nodes" in told


def test_what_fails_leaves_it_as_it_was_seen_and_its_end_comes_all_the_same(company):
    c = start(company, nodes=1)
    reason = "AccessDeniedException: User is not authorized to perform: eks:UpdateNodegroupConfig"
    c.eksctl.add_fault("scale", "fail", reason=reason)
    ask(c, "U0DEV", "sleep demo")
    story = said(c, "demo", "did not succeed; it is ready")
    row = ready(c, "demo", 1)
    assert row["awake"] is None and "AWS does not let envbot do this" in story

    ask(c, "U0DEV", "sleep demo")
    asleep(c, "demo")
    c.eksctl.add_fault("scale", "fail", reason=reason)
    ask(c, "U0DEV", "wake demo")
    said(c, "demo", "did not succeed; it is asleep")
    row = asleep(c, "demo")
    assert row["nodes"] == 0 and row["awake"]["nodes"] == 1
    assert c.eksctl.sizes("payments-demo") == {"main": (0, 0, 1)}

    # Killed eksctl: what it began goes on, and is waited for.
    c.eksctl.set_pace(change_seconds=2)
    c.eksctl.add_fault("scale", "crash", phase="wait")
    ask(c, "U0DEV", "wake demo")
    assert ready(c, "demo", 1)["awake"] is None
    ask(c, "U0DEV", "sleep demo")
    asleep(c, "demo")
    c.database.query("UPDATE environments SET expires_at = now(), due_at = now() RETURNING 1")
    c.wait_state("demo", "deleted", seconds=60)
    assert c.eksctl.clusters() == []


def test_a_month_costs_what_each_hour_cost(company):
    c = start(company, nodes=1)
    c.database.query(
        "UPDATE environments SET started_at = '2026-03-01 00:00Z', ready_at = '2026-03-01 00:00Z',"
        " ended_at = '2026-03-01 12:00Z', state = 'deleted', due_at = NULL, hourly_usd = 2, rates ="
        " '[{\"until\": \"2026-03-01T05:00:00Z\", \"usd\": 1},"
        "   {\"until\": \"2026-03-01T10:00:00Z\", \"usd\": 0.1}]' RETURNING 1")
    lines = c.run("report", "payments", "--month", "2026-03", "--csv").stdout.splitlines()
    row = dict(zip(lines[0].split(","), lines[1].split(",")))
    assert (float(row["hours"]), float(row["estimated_usd"])) == (12, 5 + 0.5 + 4), row
    # And of a month it gets what lies in it.
    c.database.query("UPDATE environments SET started_at = '2026-02-28 22:00Z' RETURNING 1")
    lines = c.run("report", "payments", "--month", "2026-02", "--csv").stdout.splitlines()
    row = dict(zip(lines[0].split(","), lines[1].split(",")))
    assert (float(row["hours"]), float(row["estimated_usd"])) == (2, 2), row
