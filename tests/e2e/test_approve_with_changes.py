"""Approving with changes: who approves may make a request smaller, and everybody concerned is told."""

from test_codes import KEY, enrol, oathtool, wrong
from test_life import actions, ask, in_thread, press
from test_votes import answered, events, shows, standing, vote
from test_waiting import said_under, with_policy


def open_form(c, user, name, action="changes"):
    """(id, the view) of the form that the button opens for them."""
    before = {view["view_id"] for view in c.slack.views(user)}
    channel, _, card = c.message(name, "card")
    press(c, user, channel, card, action)
    view = c.slack.wait_for(lambda: next((v for v in c.slack.views(user)
                                          if v["view_id"] not in before), None), "a form opens", 30)
    return view["view_id"], view["view"]


def fill(ttl=None, code=None, **parameters):
    """What a person sends: the fields' action is "value", and those of the form's own their name."""
    values = {f"set-{name}": {"value": str(value)} for name, value in parameters.items()}
    for name, value in (("ttl", ttl), ("code", code)):
        if value is not None:
            values[name] = {name: value}
    return values


def send(c, user, form, values):
    answer = c.slack.submit(user, form, values, wait=20)
    assert answer["outcome"] == "acked", answer
    return answer["errors"] or None


def test_an_approver_lowers_what_was_asked_for_and_the_requester_is_told(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=1)
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 3 --ttl 8h")
    before = c.environment_row("demo")
    form, view = open_form(c, "U0APPR", "demo")
    blocks = {b["block_id"]: b for b in view["blocks"] if b["type"] == "input"}
    assert set(blocks) == {"ttl", "set-nodes", "set-instance", "set-version", "reason"}
    assert blocks["set-nodes"]["element"]["initial_value"] == "3"
    assert blocks["ttl"]["element"]["initial_value"] == "8h"
    assert blocks["set-instance"]["element"]["initial_option"]["value"] == "t3.large"

    # More than was asked for, more than the template allows, and what is nothing: at its field.
    for values, block, words in (
            (fill(ttl="9h"), "ttl", "more than the 8 h that were asked for"),
            (fill(ttl="soon"), "ttl", "not a length of time"),
            (fill(nodes=4), "set-nodes", "4 nodes of the 3 that were asked for"),
            (fill(nodes=9), "set-nodes", "5"), (fill(nodes="few"), "set-nodes", "few")):
        errors = send(c, "U0APPR", form, values)
        assert list(errors) == [block] and words in errors[block], errors
    assert c.environment_row("demo") == before and standing(c, "demo") == []

    # Somebody else's hands on that form decide nothing.
    errors = send(c, "U0APPR2", form, fill(nodes=1))
    assert "Somebody else opened this form, so nothing was decided" in str(errors), errors
    assert c.environment_row("demo") == before and standing(c, "demo") == []

    late, _ = open_form(c, "U0APPR3", "demo")
    said = answered(c, "U0APPR", lambda: send(c, "U0APPR", form, fill(nodes=2, ttl="4h")))
    changes = "Nodes 3 → 2, How long 8 h → 4 h"
    assert said == f"Changed: {changes}. <@U0DEV> is told. You approved demo. It goes ahead."
    row = c.environment_row("demo")
    assert row["parameters"]["nodes"] == row["nodes"] == 2 and row["ttl_seconds"] == 4 * 3600
    assert row["revision"] == 2 and row["state"] in ("queued", "creating", "ready")
    assert row["monthly_usd"] < before["monthly_usd"] and row["hourly_usd"] < before["hourly_usd"]
    _, told = in_thread(c, "demo", "approves it with changes")
    assert told["text"] == f":pencil2: <@U0DEV>, <@U0APPR> approves it with changes: {changes}."
    said_under(c, "demo", "card", f"approves *payments/demo* with changes: {changes}.")
    card = shows(c, "demo", f"<@U0APPR> changed it: {changes}.")
    assert "Nodes 2" in card["text"] and "1 of 5 environments, 2 of 20 nodes" in card["text"]
    assert actions(card) == []
    detail = events(c, "demo", "amend")[0]["detail"]
    assert (detail["before"]["nodes"], detail["after"]["nodes"]) == (3, 2)
    assert events(c, "demo", "approve")[0]["detail"]["values"]["parameters"]["nodes"] == 2
    story = c.slack.type("U0DEV", "C0GEN", "audit demo")["shown"][0]["text"]
    assert f"changed it to approve it: {changes}." in story, story
    assert "2 of 20` nodes" in ask(c, "U0MGR", "quota payments")
    c.wait_state("demo", "ready", seconds=60)
    assert c.environment_row("demo")["seen"]["nodes"] == 2

    # What was lowered is a bound: beyond it the approvers are asked again.
    for text in ("scale demo 3", "extend demo 1h"):
        assert "can be approved by" in ask(c, "U0DEV", text), text
        assert "taken back" in ask(c, "U0DEV", "withdraw demo")
    assert c.environment_row("demo")["nodes"] == 2

    # A form that is still open comes too late.
    errors = send(c, "U0APPR3", late, fill(nodes=1))
    assert "demo was already approved by approver, " in str(errors), errors
    assert c.environment_row("demo")["nodes"] == 2


def test_votes_for_other_values_do_not_count_for_the_changed_ones(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=2)
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 3")
    vote(c, "U0APPR", "demo")
    early, _ = open_form(c, "U0APPR3", "demo")
    form, _ = open_form(c, "U0APPR2", "demo")
    said = answered(c, "U0APPR2", lambda: send(c, "U0APPR2", form, fill(nodes=1)))
    assert said.startswith("Changed: Nodes 3 → 1. <@U0DEV> is told. Your approval of demo is counted."
                           " Still needed: 1 more approval."), said
    said_under(c, "demo", "card", "<@U0APPR>: your approval was for what it said before")
    card = shows(c, "demo", "1 of 2: <@U0APPR2> ✓, 1 more approval still needed")
    assert "Nodes 1" in card["text"] and "<@U0APPR2> changed it: Nodes 3 → 1." in card["text"]
    assert c.environment_row("demo")["state"] == "pending"
    # A form for what it was before is for nothing now.
    errors = send(c, "U0APPR3", early, fill(nodes=2))
    assert "demo was changed since this card was shown" in str(errors), errors
    assert c.environment_row("demo")["nodes"] == 1

    # Who changed it may change it again, and theirs stays one vote.
    form, _ = open_form(c, "U0APPR2", "demo")
    said = answered(c, "U0APPR2", lambda: send(c, "U0APPR2", form, fill(ttl="2h")))
    assert "Still needed: 1 more approval." in said, said
    shows(c, "demo", "<@U0APPR2> changed it: How long 8 h → 2 h.")
    # Without a change the form is a plain approval.
    form, _ = open_form(c, "U0APPR", "demo")
    said = answered(c, "U0APPR", lambda: send(c, "U0APPR", form, fill(nodes=1, ttl="2h")))
    assert said == "You approved demo. It goes ahead."
    assert c.environment_row("demo")["revision"] == 3
    assert len(events(c, "demo", "amend")) == 2
    assert c.database.query("SELECT user_id, revision FROM decisions WHERE word = 'approve'"
                            " AND revision = 3 ORDER BY id") == [
        {"user_id": "U0APPR2", "revision": 3}, {"user_id": "U0APPR", "revision": 3}]


def test_changes_stay_within_the_quota_and_take_the_code_where_one_is_wanted(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=1, code=True,
                    options={"approvals.code_key": KEY})
    secret = enrol(c)
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 3 --ttl 8h")
    limit = int(c.environment_row("demo")["monthly_usd"]) + 1
    ask(c, "U0MGR", f"quota set payments monthly_usd={limit}")
    # Who has no code gets no form.
    channel, _, card = c.message("demo", "card")
    said = answered(c, "U0APPR2", lambda: press(c, "U0APPR2", channel, card, "changes"))
    assert "enrol" in said and not c.slack.views("U0APPR2"), said

    form, view = open_form(c, "U0APPR", "demo")
    assert {"code", "ttl", "set-nodes"} <= {b.get("block_id") for b in view["blocks"]}
    code = oathtool(secret)
    # A dearer machine is more than the team may have; and the code is not used up by that.
    errors = send(c, "U0APPR", form, fill(instance="m6i.large", code=code))
    assert "over the quota of payments" in str(errors), errors
    errors = send(c, "U0APPR", form, fill(nodes=2, code=wrong(secret)[0]))
    assert list(errors) == ["code"] and "That code is not right" in errors["code"], errors
    row = c.environment_row("demo")
    assert row["state"] == "pending" and row["nodes"] == 3 and row["revision"] == 1
    # Less of everything fits, whatever the limit is by now.
    ask(c, "U0MGR", "quota set payments monthly_usd=1 environments=0")
    said = answered(c, "U0APPR", lambda: send(
        c, "U0APPR", form, fill(nodes=2, instance="t3.large", code=oathtool(secret))))
    assert said.startswith("Changed: Nodes 3 → 2. <@U0DEV> is told. You approved demo."), said
    assert events(c, "demo", "approve")[0]["detail"]["code"] is True
    assert c.environment_row("demo")["nodes"] == 2
