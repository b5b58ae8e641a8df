"""What was sent once comes again, later, from somebody else, or with another value in it."""

import copy
import itertools
import shutil

from company import ROOT
from test_attacks import Town, names_in
from test_hostile import DETAILS
from test_rules_reload import becomes_another, rules, version  # noqa: F401 (rules is a fixture)
from test_wrong_click import (NO_APPROVER, NO_BUTTON, REASON, ask, click, in_form, no_approver,
                              open_deny_form)

TRIGGERS = itertools.count(1)
NOWHERE = ("What this button belongs to does not exist, or the rules do not show it to you."
           " Nothing was done.")


def say(c, user, text):
    return c.slack.type(user, "C0GEN", text, wait=20)["shown"][0]["text"]


def sent(c):
    """The payload of the last click."""
    return [e["payload"] for e in c.slack.call("/control/envelopes?payload=1")["envelopes"]
            if e["payload"].get("type") == "block_actions"][-1]


def again(c, payload, anew=True, user=None, value=None, **more):
    """Delivers it once more; what is said to who it is from, [] when nothing more is."""
    payload = copy.deepcopy(payload)
    if anew:
        payload["trigger_id"] = f"again.{next(TRIGGERS)}"
    if user:
        payload["user"].update(id=user, username=user.lower(), name=user.lower())
    if value is not None:
        payload["actions"][0]["value"] = value
    who = payload["user"]["id"]
    before = len(c.slack.whispers(who))
    answer = c.slack.envelope("interactive", payload, takes_payload=False, wait=20, **more)
    assert answer["outcome"] == "acked", answer
    if anew:
        c.slack.wait_for(lambda: len(c.slack.whispers(who)) > before, f"an answer to {who}", 30)
    else:
        c.settle()
    return c.slack.whispers(who)[before:]


def decided(c, count):
    assert c.database.one("SELECT count(*) FROM decisions") == count
    jobs = "SELECT count(*) FROM jobs WHERE kind = 'create'"
    return c.database.one(jobs)


def test_a_click_that_comes_again_decides_nothing_more(company):
    c = company(slack_arguments=["--relaxed-limits"])
    bot = c.serve()
    card = ask(c, "demo")
    assert click(c, "U0APPR", card) == "You approved demo. It goes ahead."
    click_sent, first = sent(c), c.slack.envelopes()["envelopes"][-1]["id"]
    c.settle()

    # the same envelope; another one with the same action; the same action pressed anew
    assert again(c, click_sent, anew=False, envelope_id=first) == []
    assert again(c, click_sent, anew=False) == []
    assert again(c, click_sent)[0].startswith("You have approved demo already")
    assert again(c, click_sent, user="U0APPR2")[0].startswith("demo was already approved by approver")
    assert again(c, click_sent, user="U0BYST")[0].startswith("demo was already approved by approver")
    denied = copy.deepcopy(click_sent)
    denied["actions"][0]["action_id"] = "deny"
    assert again(c, denied, user="U0APPR2")[0].startswith("demo was already approved by approver")
    assert decided(c, 1) == 1

    # when it is gone, and when somebody asks for that name again
    c.wait_state("demo", "ready", seconds=40)
    assert "being deleted" in say(c, "U0DEV", "delete demo")
    c.wait_state("demo", "deleted", seconds=40)
    ask(c, "demo")
    assert "demo" in again(c, click_sent, user="U0APPR2")[0]
    assert "withdrawn" in say(c, "U0DEV", "withdraw demo")
    ask(c, "demo")
    for user in ("U0APPR", "U0APPR2"):
        again(c, click_sent, user=user)
    assert c.environment_row("demo")["state"] == "pending"
    assert decided(c, 1) == 1
    assert "a handler failed" not in bot.log()


def test_a_form_counts_as_whose_hands_it_is_sent_by_and_only_in_time(company):
    c = company(slack_arguments=["--relaxed-limits"])
    c.serve()
    card = ask(c, "demo")
    form = open_deny_form(c, card)
    for user, words in (("U0BYST", NO_APPROVER), ("U0DEV", NO_APPROVER)):
        assert c.slack.submit(user, form, REASON)["errors"] == {"reason": in_form(words)}
    # another approver's word is another approver's
    assert not c.slack.submit("U0APPR2", form, REASON)["errors"]
    rows = c.database.query("SELECT user_id, word FROM decisions")
    assert rows == [{"user_id": "U0APPR2", "word": "deny"}]
    assert c.database.one("SELECT actor FROM audit WHERE event = 'deny'") == "T0ACME/U0APPR2"

    late, other = ask(c, "late"), ask(c, "other")
    form = open_deny_form(c, late)
    assert click(c, "U0APPR3", late) == "You approved late. It goes ahead."
    for user in ("U0APPR", "U0APPR2", "U0BYST"):
        said = c.slack.submit(user, form, REASON)["errors"]["reason"]
        assert said.startswith("late was already approved by approver-3, "), said
    # what the form is about is not what it says it is about
    number = other[2].split(".")[0]
    for about in (f"C0PLAT {number}", f"C0PLAT {number}.9", f"C0PLAT {number}.1.1", f"{other[2]}",
                  f"C0PLAT  {other[2]}", f"C0PLAT {other[2]} x", "C0PLAT 0.1", "C0PLAT -1.1", "x" * 3000):
        said = c.slack.submit("U0APPR", form, REASON, private_metadata=about)["errors"]
        assert list(said) == ["reason"] and said["reason"], (about, said)
    assert decided(c, 2) == 1
    assert c.environment_row("other")["state"] == "pending"


def forged_values(own, other):
    return ["", "0", "-1", "01x", "9" * 17, "9" * 18, "9" * 19, "9" * 2000, f"{own}.0", f"{own}.-1",
            f"{own}.2147483648", f"{own}.{'9' * 400}", f"{own}.", f".{own}", f" {own}", f"{own} ",
            f"+{own}", f"{own},1", f"{own}.1.1", f"{own}e1", f"0x{own}", f"{own}\n", f"{own};--",
            f"{own}' OR '1'='1", "NULL", "${button}", other]


def test_forged_values_and_forms_do_nothing(company, tmp_path):
    town = Town(company, tmp_path)
    c = town.c
    assert "You asked" in say(c, "U0MGR", "create small theirs --team search --reason x")
    c.message("theirs", "card", 30)
    c.settle()
    theirs = c.environment_row("theirs")["id"]
    before, users = town.everything(), ("U0DEV", "U0APPR")
    heard = {user: len(c.slack.whispers(user)) for user in users}
    acts = []
    for user, (action, value) in itertools.product(users, dict(town.clicks()).items()):
        own = value.split(".")[0]
        for forged in forged_values(own, f"{theirs}.1" if "." in value else str(theirs)):
            acts.append({"do": "click", "user": user, **town.card, "action_id": action,
                         "value": forged, "forged": True, "wait": 30})
    answers = c.slack.flood(acts)
    assert {a["outcome"] for a in answers} == {"acked"}
    for user in users:
        count = sum(act["user"] == user for act in acts)
        said = c.slack.wait_for(
            lambda: len(w := c.slack.whispers(user)[heard[user]:]) >= count and w,
            f"{count} answers to {user}", 90)
        assert len(said) == count
        for words in set(said):
            # the other team's: the rules; anything else is nobody's
            assert words in (NO_BUTTON, NOWHERE) or "in search" in words or "Only <@U0MGR>" in words \
                or "Nobody broke the glass for theirs" in words, words

    forms = [town.form("U0DEV", "", "create", about, filled) for about, filled in [
        ("C0GEN nosuch payments", {"name": "x"}), ("C0GEN small nosuch", {"name": "x"}),
        ("C0GEN small search", {"name": "x"}), ("", {"name": "x"}), ("x" * 3000, {"name": "x"}),
        ("C0GEN  payments", {"name": "x"}), ("C0GEN ../small payments", {"name": "x"}),
        (DETAILS, {"name": "x", "set-nodes": "6"}), (DETAILS, {"name": "x", "ttl": "30d"}),
        (DETAILS, {"name": "x", "region": "moon"}), (DETAILS, {"name": "x", "set-version": "0"})]]
    for user, (callback, _, filled) in itertools.product(users, town.forms()):
        for value in forged_values(town.id["waits"], f"{theirs}.1"):
            if callback != "create":
                forms.append(town.form(user, "", callback, f"C0PLAT {value}", filled))
    for form, answer in zip(forms, c.slack.flood([dict(form, wait=30) for form in forms])):
        view = form["payload"]["view"]
        context = (view["callback_id"], view["private_metadata"][:80], answer)
        assert answer["outcome"] == "acked", context
        assert (answer["ack"] or {}).get("response_action") == "errors", context
    c.settle(60)
    after = town.everything()
    for table, rows in after.items():
        changed = [row for row in rows if row not in before[table]]
        assert not changed and len(rows) == len(before[table]), (table, changed)
    assert town.bot.process.poll() is None and "a handler failed" not in town.bot.log()
    assert {form["payload"]["view"]["callback_id"] for form in forms} == names_in("submissions")


def test_rules_that_change_in_the_middle_count_at_once(company, rules):  # noqa: F811
    approvers = (rules / "team-payments.yaml").read_text()
    c = company(rules=str(rules), slack_arguments=["--relaxed-limits"])
    bot = c.serve()
    card, other = ask(c, "demo"), ask(c, "other")
    form = open_deny_form(c, card)
    before = version(bot)
    (rules / "team-payments.yaml").write_text(
        approvers.replace("slack:platform-approvers", "slack:security"))
    after = becomes_another(c, bot, before)
    # the card and the form were shown while they might
    assert click(c, "U0APPR", card) == no_approver("@security")
    assert c.slack.submit("U0APPR", form, REASON)["errors"] == {"reason": in_form(no_approver("@security"))}
    assert say(c, "U0APPR", "approve demo") == no_approver("@security")
    assert decided(c, 0) == 0
    # who is in the other group may now, with the same card
    assert click(c, "U0APPR3", card) == "You approved demo. It goes ahead."
    row = c.database.query("SELECT rule, rules_version FROM audit WHERE event = 'approve'")[0]
    assert "slack:security" in row["rule"] and row["rules_version"] == after
    shutil.copy(f"{ROOT}/deploy/rbac/team-payments.yaml", rules / "team-payments.yaml")
    assert becomes_another(c, bot, after) == before
    assert click(c, "U0APPR", other) == "You approved other. It goes ahead."
