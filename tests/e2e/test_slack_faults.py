"""What Slack does wrong while a whole story runs: it is told later or elsewhere, in its order, and
nothing twice."""

import pytest

from told import assert_nothing_twice, posted, thread

STORY = ["requested", "approved", "ready", "deleting", "gone"]
METHODS = ["chat.postMessage", "chat.update"]

FAULTS = {
    "429 with Retry-After": dict(do="status", status=429, retry_after=1),
    "ratelimited": dict(do="error", error="ratelimited"),
    "500 without a word": dict(do="status", status=500),
    "503": dict(do="status", status=503),
    "internal_error": dict(do="error", error="internal_error"),
    "a reset": dict(do="reset"),
    "a lost answer": dict(do="lose"),
}


def world(company):
    # A question to eksctl is given a third of the lease.
    c = company(options={"jobs.lease": "30s"})
    c.eksctl.set_pace(create_seconds=0.2, delete_seconds=0.1)
    c.serve()
    return c


def story(c, fault=None, between=lambda: None):
    """request → approve → ready → delete; before each step two calls of each method go wrong."""
    def trouble():
        for method in METHODS if fault else ():
            c.slack.fault(method, count=2, **fault)

    trouble()
    assert c.slack.type("U0DEV", "C0GEN", "create small demo")["outcome"] == "acked"
    c.message("demo", "card", seconds=60)
    between()
    trouble()
    assert c.approve("demo")["outcome"] == "acked"
    c.wait_state("demo", "ready", seconds=60)
    c.settle(60)
    trouble()
    assert c.slack.type("U0DEV", "C0GEN", "delete demo")["outcome"] == "acked"
    c.wait_state("demo", "deleted", seconds=60)
    c.settle(60)


def told_story(c):
    return [template for _, template, _ in posted(c) if template in STORY]


@pytest.mark.parametrize("name", FAULTS)
def test_everything_is_told_once_and_in_order(company, name):
    c = world(company)
    c.serve()
    story(c, FAULTS[name])
    assert thread(c, "demo") == STORY
    assert sorted(t for _, t, _ in posted(c) if t in ("message", "card")) == ["card", "message"]
    assert_nothing_twice(c)
    assert {channel for _, _, channel in posted(c)} <= {"C0PAY", "C0PLAT"}
    _, _, card = c.message("demo", "card")
    assert "*Approved* by <@U0APPR>" in str(card["blocks"])
    _, _, message = c.message("demo")
    assert "is gone" in message["text"]
    assert [len(c.eksctl.calls(verb)) for verb in ("create", "delete")] == [1, 1]


def test_no_answer_at_all_is_waited_for(company):
    c = world(company)
    for method in METHODS:
        c.slack.fault(method, "hang")
    story(c)
    assert thread(c, "demo") == STORY
    assert_nothing_twice(c)


@pytest.mark.parametrize("error", ["channel_not_found", "is_archived", "not_in_channel",
                                   "restricted_action_read_only_channel"])
def test_a_channel_that_cannot_be_posted_to_is_replaced_by_a_direct_message(company, error):
    c = world(company)
    c.slack.channel("C0PAY", error=error)
    story(c)
    direct = c.message("demo")[0]
    assert direct.startswith("D")
    assert thread(c, "demo") == STORY
    assert_nothing_twice(c)


def test_a_channel_that_goes_away_in_the_middle_the_story_goes_on_elsewhere(company):
    c = world(company)
    story(c, between=lambda: (c.settle(), c.slack.channel("C0PAY", error="channel_not_found")))
    assert told_story(c) == STORY
    by_channel = {t: channel for _, t, channel in posted(c) if t in STORY}
    assert by_channel["requested"] == "C0PAY"
    assert all(by_channel[t].startswith("D") for t in STORY[1:])
    assert_nothing_twice(c)


def test_nowhere_at_all_is_kept_for_the_operators_and_the_rest_goes_on(company):
    c = world(company)
    c.slack.channel("C0PAY", error="is_archived")
    c.slack.fault("conversations.open", "error", error="user_disabled", count=1000)
    story(c)
    assert told_story(c) == STORY
    assert {channel for _, t, channel in posted(c) if t in STORY} == {"C0OPS"}
    assert_nothing_twice(c)


def test_when_slack_cannot_say_who_somebody_is_nothing_is_done_and_that_is_said(company):
    c = company()
    c.serve()
    c.slack.fault("users.info", "status", status=500, count=1)
    answer = c.slack.type("U0DEV", "C0GEN", "create small demo")
    assert answer["outcome"] == "acked" and "nothing was done" in answer["ack"]["text"]
    assert c.environment_row("demo") is None
    # What was refused stays so, also to a handler that had no connection to PostgreSQL yet.
    again = c.slack.redeliver(answer["envelope_id"])
    assert again["ack"]["text"] == answer["ack"]["text"] and c.environment_row("demo") is None
    assert "You asked for" in c.slack.type("U0DEV", "C0GEN", "create small demo")["ack"]["text"]


def test_a_form_that_slack_does_not_open_is_said(company):
    c = company()
    c.serve()
    c.slack.fault("views.open", "error", error="expired_trigger_id")
    answer = c.slack.type("U0DEV", "C0GEN", "create")
    assert answer["outcome"] == "acked"
    c.slack.wait_for(lambda: [m for m in c.slack.messages("C0GEN") if "did not open the form"
                              in m["text"] and m["ephemeral_for"] == "U0DEV"], "the words")
    assert c.form("U0DEV")
