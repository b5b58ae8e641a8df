"""A change request waits as a request does: it is reminded of, shown in a second channel, asked
about; when the rules leave nobody who could approve it, that is said; and whoever looks is told who
can still decide."""

import os
import shutil

from test_change_requests import card, change_waited, lives, requests, with_template
from test_life import actions, ask, in_thread, press
from test_waiting import card_becomes, open_form, reminders, said_under, under

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def wanted(company, tmp_path, kind="extend demo 3d", rules=None, approvers=1, **approval):
    """A company in which developer wants more of demo, which runs."""
    c = with_template(company, tmp_path, approval={"count": approvers, **approval},
                      more={"rules": rules} if rules else {})
    c.serve()
    ask(c, "U0DEV", "create small demo --ttl 2d")
    for user in ("U0APPR2", "U0APPR3")[:approvers]:
        ask(c, user, "approve demo")
    c.wait_state("demo", "ready", seconds=60)
    assert "can be approved by" in ask(c, "U0DEV", kind)
    card(c, "demo", actions)
    return c


def place(c, more=""):
    return f"change-{requests(c, 'demo')[-1]['id']}{more}"


def change_reminders(c):
    return [t for t in under(c, "demo", place(c)) if ":bell:" in t]


def test_a_change_is_reminded_of_by_whose_vote_is_wanted_until_it_is_decided(company, tmp_path):
    c = wanted(company, tmp_path, approvers=2, lapse="1d", remind=["1h", "4h", "12h"])
    c.serve()
    change_waited(c, "demo", "59 minutes")
    ask(c, "U0DEV", "show demo")
    assert change_reminders(c) == []
    change_waited(c, "demo", "61 minutes")
    _, first = said_under(c, "demo", place(c), ":bell:", 60)
    for words in ("<@U0APPR>, <@U0APPR2> and <@U0APPR3>: *more time* for *payments/demo*, asked for"
                  " by developer, still waits for 2 of", "It lapses <!date^"):
        assert words in first["text"], (words, first["text"])

    # Who has voted is asked no more.
    channel, _, shown = card(c, "demo")
    press(c, "U0APPR2", channel, shown, "approve")
    card(c, "demo", lambda m: "1 of 2: <@U0APPR2> ✓" in str(m["blocks"]))
    change_waited(c, "demo", "4 hours 10 minutes")
    second = c.slack.wait_for(lambda: change_reminders(c)[1:], "the second reminder", 60)
    assert len(second) == 1 and ":bell: <@U0APPR> and <@U0APPR3>: *more time*" in second[0], second
    assert "1 more approval" in second[0]
    # Nor is it said under the card of the request, which was decided long ago.
    assert reminders(c, "demo") == []

    # Decided: nobody is asked again.
    press(c, "U0APPR", channel, card(c, "demo")[2], "approve")
    c.slack.wait_for(lambda: requests(c, "demo")[0]["state"] == "approved", "it is approved", 60)
    c.database.query("UPDATE change_requests SET remind_at = now() - interval '1 hour' RETURNING 1")
    assert "can be approved by" in ask(c, "U0DEV", "scale demo 7")
    change_waited(c, "demo", "13 hours")
    said_under(c, "demo", place(c), ":bell:", 60)
    c.settle(60)
    # Three were overdue at once: one was said for all of them.
    assert len(change_reminders(c)) == 1 and requests(c, "demo")[1]["reminded"] == 3
    first_card = f"change-{requests(c, 'demo')[0]['id']}"
    assert len([t for t in under(c, "demo", first_card) if ":bell:" in t]) == 2


def test_an_escalated_change_stands_in_both_channels_and_both_stay_true(company, tmp_path):
    c = wanted(company, tmp_path, approvers=2, lapse="12h",
               escalate={"after": "4h", "channel": "C0GEN"})
    c.serve()
    before = lives(c, "demo")
    first = card(c, "demo")
    change_waited(c, "demo", "4 hours")
    channel, ts, copy = c.message("demo", place(c, "-escalated"), 60)
    assert channel == "C0GEN" and actions(copy) == actions(first[2]) == ["approve", "deny", "ask"]
    for where in ("message", place(c)):
        said_under(c, "demo", where, "decided on *more time* for *payments/demo* yet, so it is shown"
                                     " in <#C0GEN>", 60)
    c.settle(60)
    assert len([t for t in under(c, "demo", place(c)) if "shown in" in t]) == 1
    assert len([m for m in c.slack.messages("C0GEN") if "asks for more time" in m["text"]]) == 1

    # A vote on either shows on both; so does taking it back, and the decision.
    press(c, "U0APPR", channel, copy, "approve")
    for where in (place(c), place(c, "-escalated")):
        card_becomes(c, "demo", where, lambda m: "1 of 2: <@U0APPR> ✓" in str(m["blocks"]),
                     "counts the vote")
    press(c, "U0APPR", first[0], c.message("demo", place(c))[2], "takeback")
    for where in (place(c), place(c, "-escalated")):
        card_becomes(c, "demo", where, lambda m: "takeback" not in actions(m), "counts none")
    assert lives(c, "demo") == before
    press(c, "U0APPR", channel, c.message("demo", place(c, "-escalated"))[2], "approve")
    press(c, "U0APPR2", first[0], c.message("demo", place(c))[2], "approve")
    c.slack.wait_for(lambda: requests(c, "demo")[0]["state"] == "approved", "two decide", 60)
    for where in (place(c), place(c, "-escalated")):
        shown = card_becomes(c, "demo", where, lambda m: not actions(m), "loses its buttons")
        assert "*Approved* by <@U0APPR2>" in str(shown["blocks"])
    assert lives(c, "demo") == before + 3 * 86400

    # One that lapses changes both, too; it was escalated once.
    assert "can be approved by" in ask(c, "U0DEV", "scale demo 7")
    card(c, "demo", actions)
    change_waited(c, "demo", "4 hours")
    c.message("demo", place(c, "-escalated"), 60)
    change_waited(c, "demo", "12 hours")
    c.slack.wait_for(lambda: requests(c, "demo")[1]["state"] == "lapsed", "it lapses", 60)
    for where in (place(c), place(c, "-escalated")):
        shown = card_becomes(c, "demo", where, lambda m: not actions(m), "loses its buttons")
        assert "It lapsed" in str(shown["blocks"])
    assert [r["event"] for r in c.database.query(
        "SELECT event FROM audit WHERE event LIKE '%%escalate%%'")] == ["escalate", "escalate"]


def test_a_question_on_a_change_goes_to_who_wants_it_and_its_clock_stands_still(company, tmp_path):
    c = wanted(company, tmp_path, lapse="10h", remind=["6h"],
               escalate={"after": "7h", "channel": "C0GEN"})
    channel, _, shown = card(c, "demo")
    press(c, "U0BYST", channel, shown, "ask")
    refused = c.slack.wait_for(lambda: c.slack.whispers("U0BYST"), "the bystander is told", 60)
    assert "do not name you as an approver" in refused[0] and not c.slack.views("U0BYST")

    change_waited(c, "demo", "5 hours")
    form = open_form(c, "U0APPR", channel, shown, "ask")
    assert "*more time* for *payments/demo*" in str(form["view"]["blocks"])
    done = c.slack.submit("U0APPR", form["view_id"], {"question": {"question": "Why <3> days?"}},
                          wait=20)
    assert done["outcome"] == "acked" and not done["errors"]
    words = "Why &lt;3&gt; days?"
    thread, asked = said_under(c, "demo", "message", words)
    assert "<@U0DEV>" in asked["text"] and "*more time*" in asked["text"]
    assert actions(asked) == ["answer"]
    said_under(c, "demo", place(c), words)
    shown = card(c, "demo", lambda m: words in str(m["blocks"]))[2]
    assert words in shown["text"] and "ask" in actions(shown)
    assert "approver asks: “Why" in ask(c, "U0DEV", "show demo")
    assert "waits for its answer" in ask(c, "U0APPR2", "ask demo and why now?")
    assert "Only <@U0DEV> can answer" in ask(c, "U0MGR", "answer demo because")

    # Neither reminded of, nor escalated, nor lapsed while it is open.
    change_waited(c, "demo", "12 hours")
    ask(c, "U0DEV", "show demo")
    form = open_form(c, "U0DEV", thread, asked, "answer")
    assert words in str(form["view"]["blocks"])
    done = c.slack.submit("U0DEV", form["view_id"], {"answer": {"answer": "Two <tests> fail"}},
                          wait=20)
    assert done["outcome"] == "acked" and not done["errors"]
    row = requests(c, "demo")[0]
    assert row["state"] == "pending" and row["escalated_at"] is None and row["reminded"] == 0
    assert abs(row["paused_seconds"] - 7 * 3600) < 300
    for where in ("message", place(c)):
        told = said_under(c, "demo", where, "“Two &lt;tests&gt; fail”")[1]["text"]
        assert "<@U0DEV> answers" in told and words in told
    card(c, "demo", lambda m: words not in str(m["blocks"]))
    answered = c.database.query("SELECT card, answered_at FROM questions")
    assert [q["card"] for q in answered] == [place(c)] and answered[0]["answered_at"]

    # What was left of its time is left; a second question does not stop it again.
    change_waited(c, "demo", "13 hours 10 minutes")
    said_under(c, "demo", place(c), ":bell:", 60)
    said = ask(c, "U0APPR", "ask demo really?")
    assert "<@U0DEV> is asked" in said and "lapse" not in said
    press(c, "U0DEV", thread, asked, "answer")
    c.slack.wait_for(lambda: "answered already. Now <@U0APPR> asks: “really?”"
                     in (c.slack.whispers("U0DEV") or [""])[-1], "the old button answers nothing", 60)
    change_waited(c, "demo", "14 hours 10 minutes")
    c.message("demo", place(c, "-escalated"), 60)
    change_waited(c, "demo", "16 hours 50 minutes")
    ask(c, "U0DEV", "show demo")
    assert requests(c, "demo")[0]["state"] == "pending"
    change_waited(c, "demo", "17 hours 10 minutes")
    in_thread(c, "demo", "nobody decided in time on more time")
    assert "Nobody waits for an answer" in ask(c, "U0DEV", "answer demo too late") or \
        "waits for no decision" in ask(c, "U0DEV", "answer demo too late")


def test_an_unanswered_question_on_a_change_stops_it_at_most_as_long_again(company, tmp_path):
    c = wanted(company, tmp_path, lapse="10h")
    change_waited(c, "demo", "5 hours")
    assert "does not lapse any sooner" in ask(c, "U0APPR", "ask demo what for?")
    change_waited(c, "demo", "19 hours 50 minutes")
    ask(c, "U0DEV", "show demo")
    assert requests(c, "demo")[0]["state"] == "pending"
    change_waited(c, "demo", "20 hours 10 minutes")
    in_thread(c, "demo", "nobody decided in time on more time")


def test_whoever_looks_is_told_who_can_still_decide_a_change(company, tmp_path):
    c = wanted(company, tmp_path, approvers=2, kind="scale demo 7 --reason more")
    said = ask(c, "U0DEV", "show demo")
    assert "<@U0DEV> has asked for more nodes" in said
    shown = c.slack.type("U0DEV", "C0GEN", "show demo")["shown"][0]
    assert "Can still decide: <@U0APPR>, <@U0APPR2> and <@U0APPR3>" in str(shown["blocks"])
    channel, _, message = card(c, "demo")
    press(c, "U0APPR2", channel, message, "approve")
    card(c, "demo", lambda m: "1 of 2" in str(m["blocks"]))
    shown = c.slack.type("U0DEV", "C0GEN", "show demo")["shown"][0]
    assert "Can still decide: <@U0APPR> and <@U0APPR3>" in str(shown["blocks"])
    listed = c.slack.type("U0DEV", "C0GEN", "list")["shown"][0]
    assert "more nodes wait for approval" in str(listed["blocks"]), listed
    assert "more nodes wait for approval" in listed["text"]
    press(c, "U0APPR", channel, card(c, "demo")[2], "approve")
    c.slack.wait_for(lambda: requests(c, "demo")[0]["state"] == "approved", "it is approved", 60)
    assert "wait for approval" not in str(c.slack.type("U0DEV", "C0GEN", "list")["shown"][0])
    shown = c.slack.type("U0DEV", "C0GEN", "show demo")["shown"][0]
    assert "Can still decide" not in str(shown["blocks"])
    helped = ask(c, "U0APPR", "help ask")
    assert "more time or size" in helped, helped


def test_when_new_rules_leave_nobody_who_could_approve_a_change_it_is_said_once(company, tmp_path):
    rules = tmp_path / "rbac"
    shutil.copytree(os.path.join(ROOT, "deploy", "rbac"), rules)
    path = rules / "team-payments.yaml"
    binding = path.read_text()
    nobody = binding.replace("slack:platform-approvers", "slack:nobody-there")
    assert nobody != binding
    c = wanted(company, tmp_path, rules=str(rules), lapse="1d")

    def under_new_rules(text):
        version = c.slack.wait_for(lambda: c.database.one(
            "SELECT rules FROM looks WHERE card LIKE 'change-%%'"), "it is looked at", 60)
        path.write_text(text)
        c.slack.wait_for(lambda: c.database.one("SELECT rules FROM looks") != version,
                         "the change is looked at again", 60)
        c.settle(60)
        return c.thread_text("demo").count("nobody can approve")

    assert under_new_rules(nobody) == 1
    _, told = in_thread(c, "demo", "nobody can approve")
    for words in ("<@U0DEV>", "*more time* for *payments/demo*", "lapses <!date^",
                  "the rules name no one but the requester for `approve`"):
        assert words in told["text"], told["text"]
    told = [m["text"] for m in c.slack.messages("C0OPS") if "nobody can give" in m["text"]]
    assert len(told) == 1 and "*more time* for *payments/demo*" in told[0], told
    assert under_new_rules(binding) == 1
    assert under_new_rules(nobody + "# as before\n") == 2
    assert under_new_rules(nobody) == 2, "these are known already"
    assert under_new_rules(binding) == 2
    assert "You approved more time" in ask(c, "U0APPR", "approve demo")


def test_who_asks_for_it_and_who_owns_it_are_not_counted_as_who_could_approve(company, tmp_path):
    rules = tmp_path / "rbac"
    shutil.copytree(os.path.join(ROOT, "deploy", "rbac"), rules)
    path = rules / "team-payments.yaml"
    path.write_text(path.read_text().replace("slack:managers", "slack:platform-approvers"))
    c = with_template(company, tmp_path, approval={"count": 1}, more={"rules": str(rules)})
    c.slack.group("platform-approvers", add=["U0DEV"], remove=["U0APPR2", "U0APPR3"])
    c.serve()
    ask(c, "U0DEV", "create small demo --ttl 2d")
    ask(c, "U0APPR", "approve demo")
    c.wait_state("demo", "ready", seconds=60)
    # Two are in the group: whose it is, and who wants more for them.
    assert "Nobody could approve this" in ask(c, "U0APPR", "extend demo 3d")
    c.slack.group("platform-approvers", add=["U0APPR2"])
    c.bots[0].stop()
    c.bots[0].start().wait_ready()
    assert "can be approved by" in ask(c, "U0APPR", "extend demo 3d")
    card(c, "demo", actions)
    shown = c.slack.type("U0MGR", "C0GEN", "show demo")["shown"][0]
    assert "Can still decide: <@U0APPR2>'" in str(shown["blocks"]), shown
