"""Votes: the card counts them, they can be taken back until the decision, and which of them count is
looked at anew whenever somebody votes."""

from test_life import actions, ask, in_thread, press
from test_waiting import card_becomes, said_under, waited, with_policy


def answered(c, user, act):
    """What is said to that person alone after the act."""
    before = len(c.slack.whispers(user))
    act()
    said = c.slack.wait_for(lambda: c.slack.whispers(user)[before:], f"an answer to {user}", 30)
    assert len(said) == 1, said
    return said[0]


def vote(c, user, name, action="approve", place="card"):
    channel, _, card = c.message(name, place)
    return answered(c, user, lambda: press(c, user, channel, card, action))


def shows(c, name, words, place="card", seconds=30):
    """The card once it says that, in its blocks and in its text."""
    return c.slack.wait_for(
        lambda: (m := c.message(name, place)[2]) and words in str(m["blocks"])
        and words in m["text"] and m, f"the {place} of {name} says “{words}”", seconds)


def standing(c, name):
    return [row["user_id"] for row in c.database.query(
        "SELECT d.user_id FROM decisions d JOIN environments e ON e.id = d.environment"
        " WHERE e.name = %s AND d.word = 'approve' AND d.taken_back_at IS NULL ORDER BY d.id", name)]


def events(c, name, *wanted):
    return [row for row in c.database.query(
        "SELECT a.* FROM audit a JOIN environments e ON e.id = a.environment"
        " WHERE e.name = %s ORDER BY a.id", name) if row["event"] in wanted]


def test_the_card_counts_and_a_vote_can_be_taken_back_until_the_decision(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=2, groups={"slack:security": 1},
                    remind=["1h"])
    c.serve()
    ask(c, "U0DEV", "create small demo")
    card = shows(c, "demo", "Waiting for 2 of @platform-approvers")
    assert actions(card) == ["approve", "deny", "ask"]
    assert vote(c, "U0APPR2", "demo", "approve") == (
        "Your approval of demo is counted. Still needed: one of @security. Until it is decided you"
        " can take it back with the button on the card, or `/env takeback demo`.")
    one = "1 of 2: <@U0APPR2> ✓, one of @security still needed"
    card = shows(c, "demo", one)
    assert actions(card) == ["approve", "deny", "ask", "takeback"]
    c.slack.wait_for(lambda: one in str(c.message("demo")[2]["blocks"]),
                     "the requester sees it too", 30)
    assert one in str(c.slack.type("U0DEV", "C0GEN", "show demo")["shown"])

    # Not voted, nothing to take back; typed and clicked.
    nothing = "You have not approved demo, so there is nothing to take back."
    assert vote(c, "U0APPR", "demo", "takeback") == nothing
    assert ask(c, "U0APPR", "takeback demo") == nothing
    again = ask(c, "U0APPR2", "approve demo")
    assert again.startswith("You have approved demo already; still needed: one of @security."), again
    assert "`/env takeback demo`" in again and standing(c, "demo") == ["U0APPR2"]

    assert vote(c, "U0APPR2", "demo", "takeback") == (
        "Your approval of demo is taken back. Needed now: 2 of @platform-approvers.")
    card = shows(c, "demo", "Waiting for 2 of @platform-approvers")
    assert actions(card) == ["approve", "deny", "ask"] and "✓" not in str(card)
    assert standing(c, "demo") == [] and c.environment_row("demo")["state"] == "pending"
    assert ask(c, "U0APPR2", "takeback demo") == nothing

    # Given again, by button; taken back, typed; and who took it back is asked again.
    vote(c, "U0APPR2", "demo")
    assert ask(c, "U0APPR2", "takeback demo").startswith("Your approval of demo is taken back.")
    vote(c, "U0APPR", "demo")
    waited(c, "demo", "61 minutes")
    _, reminder = said_under(c, "demo", "card", ":bell:")
    assert reminder["text"].startswith(":bell: <@U0APPR3>: "), reminder["text"]
    assert "still waits for one of @security" in reminder["text"]
    vote(c, "U0APPR2", "demo")  # enough people, and none of security
    shows(c, "demo", "2 of 3: <@U0APPR> ✓, <@U0APPR2> ✓, one of @security still needed")
    assert ask(c, "U0APPR", "takeback demo").startswith("Your approval of demo is taken back.")
    assert vote(c, "U0APPR3", "demo") == "You approved demo. It goes ahead."
    card = shows(c, "demo", "2 of 2: <@U0APPR2> ✓, <@U0APPR3> ✓")
    assert actions(card) == [] and "*Approved* by <@U0APPR3>" in str(card["blocks"])

    # After the decision nothing can be taken back, by whoever voted, and it is said.
    for user, words in (("U0APPR2", "demo was already approved by approver-3, "),
                        ("U0APPR3", "You have approved demo already, "),
                        ("U0APPR", "demo was already approved by approver-3, ")):
        said = ask(c, user, "takeback demo")
        assert said.startswith(words), said
        assert said.endswith("After a decision no vote can be taken back."), said
    assert standing(c, "demo") == ["U0APPR2", "U0APPR3"]
    assert len(c.database.query("SELECT * FROM jobs")) == 1
    assert [e["actor"] for e in events(c, "demo", "vote-taken-back")] == [
        "T0ACME/U0APPR2", "T0ACME/U0APPR2", "T0ACME/U0APPR"]
    story = c.slack.type("U0DEV", "C0GEN", "audit demo")["shown"][0]["text"]
    assert "took their vote back. Still needed: " in story, story


def test_one_deny_ends_it_whatever_was_voted_before_and_says_why(company, tmp_path):
    c = with_policy(company, tmp_path, count=3)
    c.serve()
    ask(c, "U0DEV", "create small demo")
    vote(c, "U0APPR", "demo")
    vote(c, "U0APPR2", "demo")
    shows(c, "demo", "2 of 3: <@U0APPR> ✓, <@U0APPR2> ✓, 1 more approval still needed")
    assert ask(c, "U0APPR", "deny demo two are enough") == (
        "You denied demo. The requester is told why.")
    card = card_becomes(c, "demo", "card", lambda m: not actions(m), "loses its buttons")
    assert "*Denied* by <@U0APPR>" in str(card["blocks"]) and "two are enough" in str(card["blocks"])
    _, told = in_thread(c, "demo", "denied it")
    assert "<@U0DEV>" in told["text"] and "two are enough" in told["text"]
    said = ask(c, "U0APPR2", "takeback demo")
    assert said.startswith("demo was already denied by approver, "), said
    assert said.endswith("After a decision no vote can be taken back.")
    assert ask(c, "U0APPR2", "approve demo").startswith("demo was already denied by approver, ")
    assert c.database.one("SELECT count(*) FROM jobs") == 0
