"""The same envelope twice: the same answer, one effect. On one connection and on two, at once and
later, with Slack's second delivery under the same and under a new envelope_id; by one bot and by
two on one database."""

import pytest

from told import assert_nothing_twice, posted, thread, whispers

AT_ONCE = ["same", "other"]           # the connection of the second delivery
LATER = ["same", "other", "new-id"]   # of redeliver()


def count(c, table, where="true"):
    return c.database.one(f"SELECT count(*) FROM {table} WHERE {where}")


def world(company, bots):
    c = company()
    c.eksctl.set_pace(create_seconds=0.2, delete_seconds=0.1)
    for _ in range(bots):
        c.serve()
    return c


def assert_same(given, what=2):
    """Every delivery was acked, with the same payload."""
    assert given["outcome"] == "acked"
    assert len(given["acks"]) >= what
    assert all(ack == given["acks"][0] for ack in given["acks"]), given["acks"]


def open_form(c, user):
    return c.slack.wait_for(lambda: c.slack.views(user), "the form")[0]["view_id"]


def ready(c, name="demo"):
    answer = c.slack.type("U0DEV", "C0GEN", f"create small {name} --nodes 1 --ttl 1h")
    assert "on its way" in answer["ack"]["text"]
    c.wait_state(name, "ready")
    c.settle()


@pytest.mark.parametrize("bots", [1, 2])
@pytest.mark.parametrize("on", AT_ONCE)
def test_at_once(company, on, bots):
    c = world(company, bots)

    # a command
    given = c.slack.type("U0DEV", "C0GEN", "create small demo", twice=on)
    assert_same(given)
    assert "You asked for *payments/demo*" in given["ack"]["text"]
    assert count(c, "environments") == 1
    c.message("demo", "card")

    # a command that is refused
    assert_same(c.slack.type("U0DEV", "C0GEN", "create small demo", twice=on))
    # a command that only reads
    assert_same(c.slack.type("U0DEV", "C0GEN", "show demo", twice=on))

    # a click
    channel, ts, _ = c.message("demo", "card")
    assert_same(c.slack.click("U0APPR", channel, ts, "approve", twice=on))
    c.wait_state("demo", "ready")
    c.settle()
    assert count(c, "decisions") == 1 and count(c, "jobs") == 1
    assert whispers(c, "U0APPR") == ["You approved demo. It goes ahead."]
    assert thread(c, "demo") == ["requested", "approved", "ready"]

    # a click that opens a form, and the form
    before = c.environment_row("demo")["expires_at"]
    channel, ts, _ = c.message("demo")
    assert_same(c.slack.click("U0DEV", channel, ts, "extend", twice=on))
    view = open_form(c, "U0DEV")
    assert_same(c.slack.submit("U0DEV", view, {"time": {"time": "3h"}}, twice=on))
    c.settle()
    assert (c.environment_row("demo")["expires_at"] - before).total_seconds() == 3 * 3600
    assert thread(c, "demo").count("extended") == 1

    # a command that opens a form, and the form's two pages
    assert_same(c.slack.type("U0DEV", "C0GEN", "create", twice=on))
    view = open_form(c, "U0DEV")
    first = c.slack.submit("U0DEV", view, {"template": {"template": "small"}}, twice=on)
    assert_same(first)
    assert first["response_action"] == "update"
    assert_same(c.slack.submit("U0DEV", view, {"name": {"name": "other"}}, twice=on))
    assert c.slack.views("U0DEV") == []
    c.message("other", "card")
    c.settle()
    assert count(c, "environments") == 2
    assert len([w for w in whispers(c, "U0DEV") if "You asked for *payments/other*" in w]) == 1

    assert_same(c.slack.type("U0DEV", "C0GEN", "delete demo", twice=on))
    c.wait_state("demo", "deleted")
    c.settle()
    assert [len(c.eksctl.calls(verb)) for verb in ("create", "delete")] == [1, 1]
    assert thread(c, "demo").count("deleting") == 1
    assert len(c.slack.calls("views.open")) == 2
    assert [e[1] for e in posted(c)].count("message") == 2
    assert_nothing_twice(c)


@pytest.mark.parametrize("bots", [1, 2])
@pytest.mark.parametrize("on", LATER)
def test_later_when_the_world_has_moved_on(company, on, bots):
    c = world(company, bots)
    asked = c.slack.type("U0DEV", "C0GEN", "create small demo")
    channel, ts, _ = c.message("demo", "card")
    approved = c.slack.click("U0APPR", channel, ts, "approve")
    c.wait_state("demo", "ready")
    extended = c.slack.type("U0DEV", "C0GEN", "extend demo 2h")
    deleted = c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted")
    refused = c.slack.type("U0DEV", "C0GEN", "delete demo")
    formed = c.slack.submit("U0DEV", c.form("U0DEV"), {"name": {"name": "form"}})
    c.message("form", "card")
    c.slack.type("U0DEV", "C0GEN", "withdraw form")
    ready(c)  # another demo: nothing of what is delivered again is about it
    before = {table: count(c, table)
              for table in ("environments", "decisions", "jobs", "outbox", "audit", "envelopes")}
    seen, calls = posted(c), len(c.eksctl.calls())

    for first in (asked, approved, extended, deleted, refused, formed):
        again = c.slack.redeliver(first["envelope_id"], on)
        assert again["outcome"] == "acked"
        assert again["ack"] == first["ack"]
    assert before == {table: count(c, table) for table in before}
    c.settle()
    assert posted(c) == seen and len(c.eksctl.calls()) == calls
    assert c.environment_row("demo")["state"] == "ready"
