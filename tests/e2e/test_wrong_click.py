"""Who may not, does not: each wrong click gets a private, true answer and leaves nothing behind."""

import os
import pathlib
import re
import shutil

import pytest

MANY_CLICKS = ["--relaxed-limits"]  # more decisions in a minute than Slack tells groups for
FULL_MEMBERS = "envbot works for full members of this workspace only, so nothing was done."


def no_approver(who="@platform-approvers", team="payments"):
    return (f"The rules do not name you as an approver of small environments in {team}, so nothing was"
            f" decided. That takes the verb `approve`. Ask {who}: the rules give it to them.")


NO_APPROVER = no_approver()


def in_form(words):
    """As a form's field says it, which is plain text."""
    return re.sub("`([^`]*)`", "“\\1”", words)


CANNOT_TELL = ("Slack cannot tell at the moment who you are, so nothing was done. Please try again"
               " in a minute.")
NOT_SHOWN = ("What this button belongs to does not exist, or the rules do not show it to you."
             " Nothing was done.")
NO_BUTTON = "This button is not one of envbot's. Nothing was done."


def ask(c, name, user="U0DEV", more=""):
    answer = c.slack.type(user, "C0GEN", f"create small {name} {more}")
    assert "You asked" in answer["shown"][0]["text"], answer["shown"]
    channel, ts, _ = c.message(name, "card")
    row = c.environment_row(name)
    return channel, ts, f"{row['id']}.{row['revision']}"


def click(c, user, card, action="approve", value=None, hears=None, **more):
    """Clicks as from a card that shows the button, and returns what is said to that person."""
    hears = hears or user
    before = len(c.slack.whispers(hears))
    channel, ts, own = card
    answer = c.slack.click(user, channel, ts, action, value=own if value is None else value,
                           forged=True, **more)
    assert answer["outcome"] == "acked"
    said = c.slack.wait_for(lambda: c.slack.whispers(hears)[before:], f"an answer to {hears}", 30)
    assert len(said) == 1, said
    return said[0]


def untouched(c, name, state="pending"):
    assert c.environment_row(name)["state"] == state
    assert c.database.one("SELECT count(*) FROM decisions") == 0
    assert c.database.one("SELECT count(*) FROM jobs") == 0
    assert c.database.one("SELECT count(*) FROM audit WHERE event NOT IN ('request', 'rules', 'refused')") == 0


def open_deny_form(c, card, user="U0APPR"):
    before = {v["view_id"] for v in c.slack.views(user)}
    channel, ts, value = card
    c.slack.click(user, channel, ts, "deny", value=value, forged=True)
    return c.slack.wait_for(
        lambda: next((v["view_id"] for v in c.slack.views(user) if v["view_id"] not in before),
                     None), "the form for the reason")


REASON = {"reason": {"reason": "use the shared cluster"}}


def test_who_may_not_decide_is_told_so_and_nothing_is_decided(company):
    # an answer of Slack from before the group was changed, when the next is slow, is none here
    c = company(options={"rbac.copy_seconds": 0}, slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    c.slack.channel("C0PLAT", members=c.slack.state()["channels"][2]["members"] + ["U0STRNGR"])
    # All of them are in the group that may approve: only who they are stands against it.
    c.slack.person("U0BOT", name="helper-bot", is_bot=True)
    c.slack.person("U0VAGUE", name="vague", absent=["is_restricted", "is_ultra_restricted"])
    c.slack.person("U0TWIN", name="twin", email="DEVELOPER@example.com")
    c.slack.person("U0PLUS", name="plus", email="developer+two@Example.com")  # the same mailbox
    others = ["U0GUEST", "U0GONE", "U0STRNGR", "U0BOT", "U0VAGUE", "U0TWIN", "U0PLUS", "U0DEV"]
    c.slack.group("platform-approvers", add=others)
    own = "Nobody approves their own request. Somebody else has to."
    for user, words in [
        ("U0DEV", own), ("U0TWIN", own), ("U0PLUS", own), ("U0BYST", NO_APPROVER), ("U0MGR", NO_APPROVER),
        ("U0GUEST", FULL_MEMBERS), ("U0GONE", FULL_MEMBERS), ("U0STRNGR", FULL_MEMBERS),
        ("U0BOT", FULL_MEMBERS), ("U0VAGUE", FULL_MEMBERS),
    ]:
        assert click(c, user, card) == words, user
        if words != own:  # who asked may say no to it: that takes it back
            assert click(c, user, card, "deny") == words, user
            assert c.slack.views(user) == []
        if user not in ("U0GONE", "U0STRNGR", "U0BOT"):
            answer = c.slack.type(user, "C0GEN", "approve demo")
            assert answer["shown"][0]["text"] == words
    untouched(c, "demo")

    # A person of another workspace with the id of one of ours; ours hears nothing of it.
    heard = len(c.slack.whispers("U0APPR"))
    for action in ("approve", "deny"):
        assert click(c, "U0APPR", card, action, user_team="T0OTHER",
                     hears="T0OTHER/U0APPR") == FULL_MEMBERS
    assert len(c.slack.whispers("U0APPR")) == heard
    untouched(c, "demo")

    assert click(c, "U0APPR", card) == "You approved demo. It goes ahead."
    assert click(c, "U0BYST", card).startswith("demo was already approved by approver, ")
    assert click(c, "U0APPR2", card, "deny").startswith("demo was already approved by approver, ")
    assert c.database.one("SELECT count(*) FROM decisions") == 1


def test_the_next_click_counts_with_the_group_of_now(company):
    c = company()
    c.serve()
    cards = {name: ask(c, name) for name in ("one", "two", "three")}
    assert click(c, "U0APPR", cards["one"]) == "You approved one. It goes ahead."
    c.slack.group("platform-approvers", remove=["U0APPR"], add=["U0BYST"])
    # a moment ago: nothing was waited for
    assert click(c, "U0APPR", cards["two"]) == NO_APPROVER
    assert click(c, "U0APPR", cards["two"], "deny") == NO_APPROVER
    assert click(c, "U0BYST", cards["two"]) == "You approved two. It goes ahead."
    # The form was opened while they still might: what counts is who sends it now.
    form = open_deny_form(c, cards["three"], "U0BYST")
    c.slack.group("platform-approvers", remove=["U0BYST"])
    answer = c.slack.submit("U0BYST", form, REASON)
    assert answer["errors"] == {"reason": in_form(NO_APPROVER)}
    c.slack.group("platform-approvers", add=["U0APPR"])
    assert click(c, "U0APPR", cards["three"]) == "You approved three. It goes ahead."


def test_two_accounts_with_one_mail_address_have_one_vote(company, tmp_path):
    templates = tmp_path / "templates"
    shutil.copytree(os.path.join(os.path.dirname(__file__), "..", "..", "templates"), templates)
    small = templates / "environments" / "small.yaml"
    small.write_text(small.read_text().replace("count: 1", "count: 2"))
    c = company(templates=str(templates))
    c.serve()
    card = ask(c, "demo")
    c.slack.person("U0TWIN", name="twin", email="APPROVER@example.com")
    c.slack.group("platform-approvers", add=["U0TWIN"])

    back = "with the button on {} card, or `/env takeback demo`."
    counted = ("Your approval of demo is counted. Still needed: 1 more approval. Until it is decided"
               " you can take it back " + back.format("the"))
    already = ("You have approved demo already; still needed: 1 more approval. Until it is decided"
               " you can take that back " + back.format("its"))
    assert click(c, "U0APPR", card) == counted
    for user in ("U0APPR", "U0TWIN"):
        assert click(c, user, card) == already, user
        assert c.slack.type(user, "C0GEN", "approve demo")["shown"][0]["text"] == already
    assert c.environment_row("demo")["state"] == "pending"
    assert c.database.one("SELECT count(*) FROM decisions") == 1

    # What a version before wrote says nothing of mail; the account still has one vote.
    c.database.query("UPDATE decisions SET mail = NULL")
    assert click(c, "U0APPR", card) == already
    assert click(c, "U0APPR2", card) == "You approved demo. It goes ahead."


def search_is_decided_by_nobody_else(tmp_path):
    """Rules with other approvers in the team search."""
    rules = tmp_path / "rules"
    shutil.copytree(os.path.join(os.path.dirname(__file__), "..", "..", "deploy", "rbac"), rules)
    path = rules / "team-search.yaml"
    path.write_text(path.read_text().replace("slack:platform-approvers", "slack:security"))
    return str(rules)


def test_a_forged_button_or_form_decides_nothing(company, tmp_path):
    c = company(rules=search_is_decided_by_nobody_else(tmp_path), slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    other = ask(c, "elsewhere", more="--team search")
    number = card[2].split(".")[0]
    form = open_deny_form(c, card)
    changed = ("demo was changed since this card was shown, so nothing was decided. Look at the"
               " new card.")
    forged = {
        other[2]: no_approver("@security", "search"), number + ".2": changed,
        number + ".2147483647": changed, "999999.1": NOT_SHOWN, "399999999999999999.1": NOT_SHOWN,
        number + ".1.1": NOT_SHOWN,  # no change of it waits
    }
    forged.update(dict.fromkeys(
        ["", number, number + ".", number + ".0", number + ".-1", number + ".x", "-1.1", "0.1",
         "demo", "1e3.1", f" {number}.1", f"+{number}.1", f"{number}.1 ", f"0x{number}.1",
         f"{number}.1.x", f"{number}.1.", f"{number}.1.1.1", "9" * 400 + ".1", number + "." + "9" * 400, "1;DROP TABLE jobs",
         "${id}", "%s%n", "\u0661.1"], NO_BUTTON))
    for value, words in forged.items():
        assert click(c, "U0APPR", card, value=value) == words, value
        assert click(c, "U0APPR", card, "deny", value=value) == words, value
        answer = c.slack.submit("U0APPR", form, REASON, private_metadata=f"C0PLAT {value}")
        assert answer["errors"] == {"reason": in_form(words)}, value
    for metadata in ("", "C0PLAT", card[2], "x" * 3000):
        answer = c.slack.submit("U0APPR", form, REASON, private_metadata=metadata)
        assert answer["errors"] == {"reason": NO_BUTTON}, metadata
    for action in ("scale", "approve ", "1;DROP TABLE jobs"):
        assert click(c, "U0APPR", card, action).startswith(NO_BUTTON), action
    # The right form in the wrong hands.
    for user, words in (("U0BYST", NO_APPROVER), ("U0GUEST", FULL_MEMBERS)):
        assert c.slack.submit(user, form, REASON)["errors"] == {"reason": in_form(words)}
    untouched(c, "demo")
    untouched(c, "elsewhere")

    # A reason that nobody can read is none.
    answer = c.slack.submit("U0APPR", form, {"reason": {"reason": "\u200b\u202e"}})
    assert answer["errors"] == {"reason": "Say why: the requester gets to read it."}
    untouched(c, "demo")
    # The form still does what it is for.
    assert not c.slack.submit("U0APPR", form, REASON)["errors"]
    assert c.wait_state("demo", "denied")
    for value in (card[2],):
        assert click(c, "U0APPR3", card, value=value).startswith(
            "demo was already denied by approver, ")


def each_team_sees_its_own(tmp_path):
    """Rules by which developer asks everywhere, and of search only @security sees and decides."""
    rules = pathlib.Path(search_is_decided_by_nobody_else(tmp_path))
    (rules / "everybody.yaml").unlink()
    path = rules / "team-search.yaml"
    path.write_text(path.read_text().replace("slack:managers", "slack:security"))
    (rules / "developer.yaml").write_text("""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: developer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-requester}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0DEV"}]
""")
    return str(rules)


@pytest.mark.parametrize("decided", [False, True])
def test_a_forged_number_tells_nothing_of_what_one_may_not_see(company, tmp_path, decided):
    c = company(rules=each_team_sees_its_own(tmp_path), slack_arguments=MANY_CLICKS)
    c.slack.group("security", add=["U0APPR3"])
    c.serve()
    card = ask(c, "demo")
    other = ask(c, "elsewhere", more="--team search")
    form = open_deny_form(c, card)
    if decided:
        assert click(c, "U0APPR3", other, "approve") == "You approved elsewhere. It goes ahead."
    # Whoever stands before its card in the channel sees it anyway.
    before = c.environment_row("elsewhere")
    assert "elsewhere" in click(c, "U0APPR", other) or not decided
    number = other[2].split(".")[0]
    for action in ("approve", "deny", "takeback", "changes", "ask", "answer", "seen", "end", "extend",
                   "delete", "withdraw", "retry", "wake", "logs"):
        for value in (number, other[2], number + ".7", number + ".1.1", "999999.1"):
            said = click(c, "U0APPR", card, action, value=value)
            assert said in (NOT_SHOWN, NO_BUTTON), (action, value, said)
    for value in (other[2], number + ".7", "999999.1"):
        answer = c.slack.submit("U0APPR", form, REASON, private_metadata=f"C0PLAT {value}")
        assert answer["errors"] == {"reason": NOT_SHOWN}, value
    after = c.environment_row("elsewhere")
    assert (before["state"] == "pending") == (after["state"] == "pending") != decided
    # Who may see it is told what became of it, wherever they click.
    if decided:
        assert click(c, "U0DEV", card, value=other[2]).startswith(
            "elsewhere was already approved by approver-3, ")


@pytest.mark.parametrize("method", ["usergroups.list", "users.info"])
def test_when_slack_cannot_tell_who_acts_nothing_is_decided(company, method):
    # however little Slack tells, what it told before is too old here
    c = company(options={"rbac.copy_seconds": 0, "slack.ack_ms": 3000}, slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    form = open_deny_form(c, card)
    for fault in ({"do": "status", "status": 429, "retry_after": 7},
                  {"do": "status", "status": 500}, {"do": "slow", "seconds": 30},
                  {"do": "lose"}, {"do": "error", "error": "internal_error"},
                  {"do": "error", "error": "missing_scope"}):
        c.slack.fault(method, count=1000, **fault)
        try:
            assert click(c, "U0APPR", card, wait=20) == CANNOT_TELL, fault
            answer = c.slack.submit("U0APPR", form, REASON, wait=20)
            assert answer["errors"] == {"reason": CANNOT_TELL}, fault
            answer = c.slack.type("U0APPR", "C0GEN", "approve demo", wait=20)
            assert answer["shown"][0]["text"] == CANNOT_TELL, fault
        finally:
            c.slack.no_faults()
        untouched(c, "demo")
    assert click(c, "U0APPR", card) == "You approved demo. It goes ahead."


def test_without_user_groups_the_rules_still_name_people(company, tmp_path):
    rules = tmp_path / "rules"
    shutil.copytree(os.path.join(os.path.dirname(__file__), "..", "..", "deploy", "rbac"), rules)
    (rules / "people.yaml").write_text("""
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: one-person, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-approver}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0APPR2"}]
""")
    c = company(rules=str(rules))
    # What Slack says on its free plan.
    c.slack.fault("usergroups.list", do="error", error="plan_upgrade_required", count=1000)
    c.serve()
    card = ask(c, "demo")
    assert click(c, "U0APPR", card) == no_approver("<@U0APPR2> and @platform-approvers")
    untouched(c, "demo")
    assert click(c, "U0APPR2", card) == "You approved demo. It goes ahead."


def test_what_is_somebody_elses_stays_as_it_is(company):
    c = company()
    c.serve()
    card = ask(c, "waiting")
    ask(c, "runs")
    c.approve("runs")
    c.wait_state("runs", "ready", seconds=40)
    c.settle()
    waiting, runs = c.environment_row("waiting"), c.environment_row("runs")
    before = c.database.query("SELECT id, state, cause, expires_at, due_at, ended_at"
                              " FROM environments ORDER BY id")
    logged = c.database.one("SELECT count(*) FROM audit WHERE event <> 'refused'")
    refused = ("The rules do not let you {} environments in payments, so nothing was done. That"
               " takes the verb `{}`. Ask {}: the rules give it to them.")
    managers, readers = "@managers", "@platform-approvers and @managers"
    for action, value, words in [
        ("withdraw", waiting["id"], refused.format("delete", "delete", managers)),
        ("delete", runs["id"], refused.format("delete", "delete", managers)),
        ("extend", runs["id"], refused.format("extend", "extend", managers)),
        ("logs", runs["id"], refused.format("read the logs of", "logs", readers)),
        ("retry", runs["id"], refused.format("change", "update", managers)),
    ]:
        assert click(c, "U0BYST", card, action, value=str(value)) == words, action
    for text, words in [
        ("withdraw waiting", refused.format("delete", "delete", managers)),
        ("delete runs", refused.format("delete", "delete", managers)),
        ("extend runs 1h", refused.format("extend", "extend", managers)),
        ("logs runs", refused.format("read the logs of", "logs", readers)),
        ("retry runs", refused.format("change", "update", managers)),
        ("approve waiting", NO_APPROVER), ("deny waiting no", NO_APPROVER),
    ]:
        answer = c.slack.type("U0BYST", "C0GEN", text)
        assert answer["shown"][0]["text"] == words, text
    limits = c.database.query("SELECT * FROM teams ORDER BY name")
    for user in ("U0DEV", "U0BYST", "U0APPR"):
        for text, words in [
            ("quota set payments environments=50",
             "The rules do not let you change quotas in payments, so nothing was done. That takes"
             " the verb `update`. Ask @managers: the rules give it to them."),
            ("report payments", "The rules do not let you see reports in payments, so nothing was"
                                " done. That takes the verb `get`. Ask @managers: the rules give"
                                " it to them."),
            ("report", "The rules do not let you read any team's report."),
            ("report --csv", "The rules do not let you read any team's report."),
        ]:
            answer = c.slack.type(user, "C0GEN", text)
            assert answer["shown"][0]["text"] == words, (user, text)
    assert c.slack.views("U0BYST") == []
    assert limits == c.database.query("SELECT * FROM teams ORDER BY name")
    assert before == c.database.query("SELECT id, state, cause, expires_at, due_at, ended_at"
                                      " FROM environments ORDER BY id")
    assert c.database.one("SELECT count(*) FROM audit WHERE event <> 'refused'") == logged
    # The owner's form in somebody else's hands.
    c.slack.click("U0DEV", card[0], card[1], "extend", value=str(runs["id"]), forged=True)
    form = c.slack.wait_for(lambda: c.slack.views("U0DEV"), "the form for more time")[0]["view_id"]
    answer = c.slack.submit("U0BYST", form, {"time": {"time": "1h"}})
    assert answer["errors"] == {"time": in_form(refused.format("extend", "extend", managers))}
    # And the owner may what the bystander may not.
    assert "The last lines" in c.slack.type("U0DEV", "C0GEN", "logs runs")["shown"][0]["text"]
    assert not c.slack.submit("U0DEV", form, {"time": {"time": "1h"}})["errors"]
    assert c.environment_row("runs")["expires_at"] > runs["expires_at"]
