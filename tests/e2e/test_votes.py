"""Votes: the card counts them, they can be taken back until the decision, and which of them count is
looked at anew whenever somebody votes."""

import os
import re
import shutil

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
    card = shows(c, "demo", "Waiting for one of @security and 1 more of @platform-approvers")
    assert actions(card) == ["approve", "deny", "changes", "ask"]
    assert vote(c, "U0APPR2", "demo", "approve") == (
        "Your approval of demo is counted. Still needed: one of @security. Until it is decided you"
        " can take it back with the button on the card, or `/env takeback demo`.")
    one = "1 of 2: <@U0APPR2> ✓, one of @security still needed"
    card = shows(c, "demo", one)
    assert actions(card) == ["approve", "deny", "changes", "ask", "takeback"]
    c.slack.wait_for(lambda: one in str(c.message("demo")[2]["blocks"]),
                     "the requester sees it too", 30)
    assert one in ask(c, "U0DEV", "show demo"), "also where the blocks are not shown"

    # Not voted, nothing to take back; typed and clicked.
    nothing = "You have not approved demo, so there is nothing to take back."
    assert vote(c, "U0APPR", "demo", "takeback") == nothing
    assert ask(c, "U0APPR", "takeback demo") == nothing
    again = ask(c, "U0APPR2", "approve demo")
    assert again.startswith("You have approved demo already; still needed: one of @security."), again
    assert "`/env takeback demo`" in again and standing(c, "demo") == ["U0APPR2"]

    assert vote(c, "U0APPR2", "demo", "takeback") == (
        "Your approval of demo is taken back. Needed now: one of @security and 1 more of"
        " @platform-approvers.")
    card = shows(c, "demo", "Waiting for one of @security and 1 more of @platform-approvers")
    assert actions(card) == ["approve", "deny", "changes", "ask"] and "✓" not in str(card)
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


GONE_STALE = ("demo is not what this card showed any more, so nothing was decided. Its card is shown"
              " anew: look at it there.")


def values_on(message):
    return set(re.findall(r"'value': '([^']+)'", str(message["blocks"])))


def change(c, what, name="demo"):
    c.database.query(f"UPDATE environments SET {what} WHERE name = %s RETURNING 1", name)


def looked(c, name):
    """The clock has looked whether anybody could approve it; it looks again minutes later."""
    c.slack.wait_for(lambda: c.database.one(
        "SELECT count(*) FROM looks l JOIN environments e ON e.id = l.environment"
        " WHERE e.name = %s", name), f"the clock looks at {name}", 30)


def test_a_vote_is_for_what_its_card_showed(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=2)
    c.serve()
    ask(c, "U0DEV", "create small demo --ttl 8h")
    vote(c, "U0APPR", "demo")
    id_ = c.environment_row("demo")["id"]
    channel, ts, old = c.message("demo", "card")
    looked(c, "demo")
    assert values_on(old) == {f"{id_}.1"}

    # Bigger than what was approved: nobody's earlier word counts for it, and they are told.
    change(c, "ttl_seconds = 3 * ttl_seconds")
    assert vote(c, "U0APPR2", "demo") == GONE_STALE
    card = shows(c, "demo", "Waiting for 2 of @platform-approvers")
    assert "1 day" in card["text"] and values_on(card) == {f"{id_}.2"}
    _, told = said_under(c, "demo", "card", "<@U0APPR>: your approval was for what it said before")
    assert "U0APPR2" not in told["text"]
    row = c.environment_row("demo")
    assert (row["state"], row["revision"]) == ("pending", 2)
    anew = events(c, "demo", "shown-anew")
    assert len(anew) == 1 and anew[0]["detail"]["before"] != anew[0]["detail"]["digest"]
    story = c.slack.type("U0DEV", "C0GEN", "audit demo")["shown"][0]["text"]
    assert "Votes that counted no more: " in story

    # Who still sees the old card decides nothing with it, and what they had said is not theirs now.
    for action in ("approve", "deny", "takeback", "ask"):
        said = answered(c, "U0APPR", lambda a=action: c.slack.click(
            "U0APPR", channel, ts, a, value=f"{id_}.1", forged=True))
        assert said == ("demo was changed since this card was shown, so nothing was decided. Look at"
                        " the new card."), said
    assert not c.slack.views("U0APPR")
    assert "nothing to take back" in ask(c, "U0APPR", "takeback demo")

    # On the new one everything is as ever, and the row says of what the word was.
    vote(c, "U0APPR", "demo")
    shows(c, "demo", "1 of 2: <@U0APPR> ✓")
    assert vote(c, "U0APPR2", "demo") == "You approved demo. It goes ahead."
    rows = c.database.query("SELECT revision, user_id, digest, rules_version FROM decisions"
                            " ORDER BY id")
    assert [(r["revision"], r["user_id"]) for r in rows] == [
        (1, "U0APPR"), (2, "U0APPR"), (2, "U0APPR2")]
    assert rows[0]["digest"] != rows[1]["digest"] == rows[2]["digest"] == anew[0]["detail"]["digest"]
    version = c.database.one("SELECT rules_version FROM audit WHERE event = 'approve'")
    assert {r["rules_version"] for r in rows} == {version} and version


def test_any_difference_from_what_the_card_showed_makes_it_anew(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=2)
    c.serve()
    ask(c, "U0DEV", "create small demo --reason 'try it'")
    c.message("demo", "card")
    looked(c, "demo")
    revision = 1
    for what in (
            "owner_id = 'U0DEV2'", "owner_mail = 'developer-2@example.com'",
            "owner_workspace = 'T0OTHER'", "cluster = 'payments-demo2'", "region = 'eu-west-1'",
            "template = 'tiny'", "reason = 'try it now'", "ttl_seconds = ttl_seconds + 1",
            "parameters = '{\"nodes\": 5, \"instance\": \"t3.large\", \"version\": \"1.34\"}'",
            "template_copy = jsonb_set(template_copy::jsonb, '{approval,count}', '1')::json",
            "template_copy = jsonb_set(template_copy::jsonb, '{approval,self}', 'true')::json",
            "template_copy = jsonb_set(template_copy::jsonb, '{cluster,iam}', '{}')::json"):
        change(c, what)
        revision += 1
        assert ask(c, "U0APPR", "approve demo") == GONE_STALE, what
        assert c.environment_row("demo")["revision"] == revision, what
    # The same in another order is the same.
    change(c, "parameters = '{\"version\": \"1.34\", \"nodes\": 5, \"instance\": \"t3.large\"}',"
              " template_copy = template_copy::jsonb::json")
    assert ask(c, "U0APPR", "approve demo") == "You approved demo. It goes ahead."

    # Nobody need come for it: the clock looks, too.
    ask(c, "U0DEV", "create small later")
    c.message("later", "card")
    vote(c, "U0APPR3", "later")
    looked(c, "later")
    change(c, "ttl_seconds = 2 * ttl_seconds", "later")
    c.database.query("UPDATE looks SET looked_at = now() - interval '4 minutes' RETURNING 1")
    shows(c, "later", "Waiting for 2 of @platform-approvers")
    said_under(c, "later", "card", "<@U0APPR3>: your approval was for what it said before")

    # Of a version from before nobody knows what its card showed: what it says now is kept.
    ask(c, "U0DEV", "create small older")
    c.message("older", "card")
    looked(c, "older")
    change(c, "presented = NULL", "older")
    assert vote(c, "U0APPR", "older").startswith("Your approval of older is counted.")
    change(c, "reason = 'another'", "older")
    assert "so nothing was decided" in vote(c, "U0APPR2", "older")
    assert c.environment_row("older")["revision"] == 2


def test_a_card_counts_where_it_was_put_and_a_copy_of_it_nowhere(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=2)
    c.serve()
    for name in ("demo", "other"):
        ask(c, "U0DEV", f"create small {name}")
        c.message(name, "card")
    value = f"{c.environment_row('demo')['id']}.1"
    for place in (c.message("demo")[:2], c.message("other", "card")[:2]):
        for action in ("approve", "deny", "ask", "takeback"):
            said = answered(c, "U0APPR", lambda p=place, a=action: c.slack.click(
                "U0APPR", *p, a, value=value, forged=True))
            assert said == ("This is not the card of demo but a copy of it, so nothing was decided."
                            " The card itself stands in <#C0PLAT>."), (place, action, said)
    assert not c.slack.views("U0APPR") and standing(c, "demo") == []
    # Before the card is known to stand anywhere, no card does.
    c.database.query("UPDATE messages SET place = 'review' WHERE place = 'card' RETURNING 1")
    channel, ts, _ = c.message("demo", "review")
    said = answered(c, "U0APPR", lambda: c.slack.click("U0APPR", channel, ts, "approve", value=value,
                                                       forged=True))
    assert "only just being posted" in said and standing(c, "demo") == []
    c.database.query("UPDATE messages SET place = 'card' WHERE place = 'review' RETURNING 1")
    assert vote(c, "U0APPR", "demo").startswith("Your approval of demo is counted.")


def lost(c, name, event):
    """Of the last such row of the audit: whose votes counted by which rule, and whose did not."""
    voters = events(c, name, event)[-1]["detail"]["voters"]
    return {v["user"].split("/")[1]: v.get("rule") or v["lost"] for v in voters}


def test_a_vote_counts_while_whoever_gave_it_still_may(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=2)
    three = tmp_path / "templates" / "environments" / "three.yaml"
    three.write_text((three.parent / "small.yaml").read_text().replace("count: 2", "count: 3"))
    c.serve()
    not_named = "<@U0APPR> is not named as an approver any more"
    ask(c, "U0DEV", "create small demo")
    vote(c, "U0APPR", "demo")
    c.slack.group("platform-approvers", remove=["U0APPR"])
    # It would have been the second one; the group of a moment ago makes no majority.
    said = vote(c, "U0APPR2", "demo")
    assert said.startswith("Your approval of demo is counted. Not counted any more: " + not_named
                           + ". Still needed: 1 more approval."), said
    shows(c, "demo", "1 of 2: <@U0APPR2> ✓, 1 more approval still needed")
    assert lost(c, "demo", "vote")["U0APPR"] == not_named
    assert events(c, "demo", "vote")[-1]["detail"]["code"] is False
    assert "RoleBinding" in lost(c, "demo", "vote")["U0APPR2"]
    assert c.environment_row("demo")["state"] == "pending"
    # Back in it, their vote is as good as ever, and saying so again decides.
    c.slack.group("platform-approvers", add=["U0APPR"])
    assert vote(c, "U0APPR", "demo") == "You approved demo. It goes ahead."
    assert set(standing(c, "demo")) == {"U0APPR", "U0APPR2"}
    rules = lost(c, "demo", "approve")
    assert "RoleBinding" in rules["U0APPR"] and "RoleBinding" in rules["U0APPR2"]
    shows(c, "demo", "2 of 2: <@U0APPR2> ✓, <@U0APPR> ✓")

    # Who was deactivated, who turns out to be the requester, and who turns out to be one who voted.
    for name, user, fields, why in (
            ("gone", "U0A", {"deleted": True}, "is no full member of this workspace any more"),
            ("guest", "U0B", {"is_restricted": True}, "is no full member of this workspace any more"),
            ("self", "U0C", {"email": "DEVELOPER@example.com"}, "is who asks for it"),
            ("twin", "U0D", {"email": "APPROVER@example.com"}, "is the same person as <@U0APPR>")):
        c.slack.person(user, name=user.lower(), email=f"{user}@example.com")
        c.slack.group("platform-approvers", add=[user])
        ask(c, "U0DEV", f"create {'three' if name == 'twin' else 'small'} {name}")
        c.message(name, "card")
        if name == "twin":
            vote(c, "U0APPR", name)
        vote(c, user, name)
        c.slack.person(user, **fields)
        said = vote(c, "U0APPR2", name)
        assert f"Not counted any more: <@{user}> {why}. Still needed: 1 more approval." in said, said
        assert lost(c, name, "vote")[user] == f"<@{user}> {why}"
        assert vote(c, "U0APPR3", name) == f"You approved {name}. It goes ahead."
        assert lost(c, name, "approve")[user] == f"<@{user}> {why}"
        ask(c, "U0DEV", f"delete {name}")


def test_whose_old_account_lost_its_vote_votes_once_with_the_new_one(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, count=2)
    c.serve()
    ask(c, "U0DEV", "create small demo")
    vote(c, "U0APPR", "demo")
    c.slack.person("U0NEW", name="new", email="Approver@example.com")
    c.slack.group("platform-approvers", add=["U0NEW"])
    assert vote(c, "U0NEW", "demo").startswith("You have approved demo already; still needed: 1")
    c.slack.person("U0APPR", deleted=True)
    assert vote(c, "U0NEW", "demo").startswith("Your approval of demo is counted.")
    assert vote(c, "U0NEW", "demo").startswith("You have approved demo already; still needed: 1")
    assert standing(c, "demo") == ["U0NEW"]
    # The old account comes back: it is the same person's.
    c.slack.person("U0APPR", deleted=False)
    assert vote(c, "U0APPR", "demo").startswith("You have approved demo already; still needed: 1")
    assert c.environment_row("demo")["state"] == "pending"
    assert vote(c, "U0APPR2", "demo") == "You approved demo. It goes ahead."


def test_votes_are_counted_again_with_the_groups_and_rules_of_now(company, tmp_path):
    rules = tmp_path / "rules"
    shutil.copytree(os.path.join(os.path.dirname(__file__), "..", "..", "deploy", "rbac"), rules)
    binding = rules / "helper.yaml"
    binding.write_text("""
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: helper, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-approver}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0BYST"}]
""")
    c = with_policy(company, tmp_path, relaxed=True, count=2, groups={"slack:security": 1},
                    rules=str(rules))
    c.serve()
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")
    looked(c, "demo")
    vote(c, "U0APPR3", "demo")
    shows(c, "demo", "1 of 2: <@U0APPR3> ✓, 1 more approval still needed")
    # Of security no more, and an approver still: it counts as anybody's.
    c.slack.group("security", remove=["U0APPR3"], add=["U0SECUR"])
    said = vote(c, "U0BYST", "demo")
    assert said.startswith("Your approval of demo is counted. Still needed: one of @security."), said
    first = c.database.one("SELECT rules_version FROM decisions WHERE user_id = 'U0BYST'")

    # A rule goes: the clock counts again, says so on the card, and the next vote decides nothing.
    binding.unlink()
    c.slack.wait_for(lambda: c.database.one("SELECT count(DISTINCT rules) FROM looks") == 1
                     and c.database.one("SELECT rules FROM looks") != first,
                     "the clock has looked under the new rules", 60)
    shows(c, "demo", "1 of 2: <@U0APPR3> ✓, one of @security still needed")
    assert lost(c, "demo", "votes-recounted")["U0BYST"] == (
        "<@U0BYST> is not named as an approver any more")
    assert "approver any more" in c.slack.type("U0DEV", "C0GEN", "audit demo")["shown"][0]["text"]
    # Whose word does not count any more may take it back all the same, and is not asked to.
    assert ask(c, "U0BYST", "takeback demo").startswith("Your approval of demo is taken back.")
    assert ask(c, "U0BYST", "takeback demo").startswith("The rules do not name you as an approver")
    c.slack.group("security", add=["U0APPR2"])
    assert vote(c, "U0APPR2", "demo") == "You approved demo. It goes ahead."
    row = c.database.query("SELECT rule, rules_version FROM decisions WHERE user_id = 'U0APPR2'")[0]
    assert row["rules_version"] != first and "RoleBinding \"payments/" in row["rule"], row


def test_without_knowing_who_voted_nothing_is_decided(company, tmp_path):
    # what Slack told before is too old here
    c = with_policy(company, tmp_path, relaxed=True, count=2,
                    options={"rbac.copy_seconds": 0, "slack.ack_ms": 3000})
    c.serve()
    ask(c, "U0DEV", "create small demo")
    vote(c, "U0APPR", "demo")
    cannot = ("Slack cannot tell at the moment whether those who approved it before still may, so"
              " nothing was decided. Please try again in a minute.")
    for fault in ({"do": "status", "status": 429, "retry_after": 7}, {"do": "slow", "seconds": 30},
                  {"do": "error", "error": "internal_error"}):
        c.slack.fault("users.info", match={"user": "U0APPR"}, count=1000, **fault)
        channel, _, card = c.message("demo", "card")
        said = answered(c, "U0APPR2", lambda: c.slack.click(
            "U0APPR2", channel, card["ts"], "approve", wait=3.0))  # its ack comes in time
        c.slack.no_faults()
        assert said == cannot, (fault, said)
        assert standing(c, "demo") == ["U0APPR"]
    # Whom Slack does not know any more has no vote.
    c.slack.fault("users.info", match={"user": "U0APPR"}, do="error", error="user_not_found")
    assert "<@U0APPR> is no full member of this workspace any more" in vote(c, "U0APPR2", "demo")
    assert vote(c, "U0APPR3", "demo") == "You approved demo. It goes ahead."
