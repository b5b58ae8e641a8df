"""Breaking the glass: who may starts at once, everybody concerned is told, and an approver says
afterwards whether it stays."""

import csv
import io
import shutil

from company import ROOT
from test_hostile import check_message
from test_life import actions, ask, in_thread, press
from test_wrong_click import MANY_CLICKS, click

WHY = "the shop is down & <!channel> waits for <https://evil.example|help>"
SHOWN = "the shop is down &amp; &lt;!channel&gt; waits for &lt;https://evil.example|help&gt;"


def broken(c, name="demo", user="U0DEV2", more=""):
    text = ask(c, user, f"create small {name} --break-glass {more} --reason '{WHY}'")
    assert text.startswith(f"You broke the glass: *payments/{name}* is on its way without an"), text
    return c.message(name, "review", 30)


def card_becomes(c, name, words):
    return c.slack.wait_for(
        lambda: words in str((m := c.message(name, "review")[2])["blocks"]) and m,
        f"the review of {name} says “{words}”", 30)


def events(c, name):
    return [row["event"] for row in c.database.query(
        "SELECT a.event FROM audit a JOIN environments e ON e.id = a.environment"
        " WHERE e.name = %s ORDER BY a.id", name)]


def test_who_breaks_the_glass_starts_at_once_and_all_are_told(company):
    c = company()
    c.serve()
    channel, ts, card = broken(c)
    assert channel == "C0PLAT" and actions(card) == ["seen", "end"]
    assert "<!here>" in str(card["blocks"])
    for shown in (str(card["blocks"]), card["text"]):
        for part in ("broke the glass", "payments/demo", "without an approval", SHOWN,
                     "Small cluster", "$"):
            assert part in shown, part
    card["blocks"][0]["text"]["text"] = card["blocks"][0]["text"]["text"].replace("<!here> ", "")
    check_message(card, "review")
    alarm = c.slack.wait_for(lambda: [m for m in c.slack.messages("C0OPS")
                                      if "broke the glass" in m["text"]], "the operators hear it", 30)
    assert len(alarm) == 1 and "<!here>" in alarm[0]["text"] and SHOWN in alarm[0]["text"]
    _, told = in_thread(c, "demo", "broke the glass")
    assert "<@U0DEV2>" in told["text"] and SHOWN in told["text"]
    message = c.message("demo")[2]
    for shown in (message["text"], str(message["blocks"])):
        assert "started by breaking the glass, and no approver has reviewed it yet" in shown
    c.wait_state("demo", "ready", seconds=60)
    assert c.database.one("SELECT count(*) FROM messages WHERE place = 'card'") == 0
    assert c.database.one("SELECT count(*) FROM decisions") == 0
    row = c.database.query("SELECT * FROM audit WHERE event = 'break-glass'")[0]
    assert row["actor"] == "T0ACME/U0DEV2" and "on-call" in row["rule"]
    assert row["detail"]["reason"] == WHY
    assert "no approver has reviewed it yet" in ask(c, "U0DEV", "show demo")


def test_seen_is_written_down_and_the_first_word_stands(company):
    c = company()
    c.serve()
    channel, ts, card = broken(c)
    press(c, "U0APPR", channel, card, "seen")
    card = card_becomes(c, "demo", "*Seen* by <@U0APPR> <!date^")
    assert actions(card) == [] and "<!here>" not in str(card["blocks"])
    row = c.environment_row("demo")
    assert row["review"]["word"] == "seen" and row["review"]["mention"] == "<@U0APPR>"
    where = (channel, ts, str(row["id"]))
    for user, action, words in [
        ("U0APPR", "end", "You have seen demo already, "),
        ("U0APPR2", "end", "demo was already seen by approver, "),
        ("U0APPR2", "seen", "demo was already seen by approver, "),
    ]:
        assert click(c, user, where, action).startswith(words)
    assert c.environment_row("demo")["review"] == row["review"]
    assert events(c, "demo").count("review-seen") == 1 and "delete" not in events(c, "demo")
    assert "approver has seen it" in ask(c, "U0DEV", "show demo")
    c.slack.wait_for(lambda: "approver has seen it" in c.message("demo")[2]["text"],
                     "its message says so", 30)


def test_end_it_deletes_it_and_its_owner_is_told_who_did_and_why(company):
    c = company()
    c.serve()
    channel, _, card = broken(c)
    c.wait_state("demo", "ready", seconds=60)
    press(c, "U0APPR2", channel, card, "end")
    c.wait_state("demo", "deleted", seconds=60)
    _, told = in_thread(c, "demo", "<@U0APPR2> asked for its deletion")
    assert "<@U0DEV2>, it was started by breaking the glass, and the review said no" in told["text"]
    card = card_becomes(c, "demo", "*Ended* by <@U0APPR2>")
    assert actions(card) == []
    assert [e for e in events(c, "demo") if e in ("delete", "review-end")] == ["delete",
                                                                              "review-end"]
    row = c.database.query("SELECT * FROM audit WHERE event = 'review-end'")[0]
    assert row["actor"] == "T0ACME/U0APPR2" and "approvers" in row["rule"]


def test_what_is_being_created_can_be_ended_too(company):
    c = company()
    c.eksctl.set_pace(create_seconds=600)
    c.serve()
    channel, _, card = broken(c)
    press(c, "U0APPR", channel, card, "end")
    c.wait_state("demo", "deleting")
    card_becomes(c, "demo", "*Ended* by <@U0APPR>")


def test_what_is_over_can_only_be_seen(company):
    c = company()
    c.serve()
    channel, ts, card = broken(c)
    c.wait_state("demo", "ready", seconds=60)
    ask(c, "U0DEV2", "delete demo")
    c.wait_state("demo", "deleted", seconds=60)
    card = c.slack.wait_for(
        lambda: actions(m := c.message("demo", "review")[2]) == ["seen"] and m,
        "the button End it goes", 30)
    row = c.environment_row("demo")
    assert click(c, "U0APPR", (channel, ts, str(row["id"])), "end") == "demo is gone."
    assert c.environment_row("demo")["review"] is None
    press(c, "U0APPR", channel, card, "seen")
    card_becomes(c, "demo", "*Seen* by <@U0APPR>")


def test_only_approvers_review_it_and_not_who_started_it(company):
    c = company(slack_arguments=MANY_CLICKS)
    c.serve()
    channel, ts, card = broken(c)
    row = c.environment_row("demo")
    where = (channel, ts, str(row["id"]))
    nobody = ("The rules do not name you as an approver of small environments in payments, so"
              " nothing was done. That takes the verb `approve`. Ask @platform-approvers: the rules give"
              " it to them.")
    own = "Nobody reviews what they started themselves. Somebody else has to."
    c.slack.person("U0TWIN", name="twin", email="DEVELOPER-2@example.com")
    c.slack.group("platform-approvers", add=["U0DEV2", "U0TWIN", "U0GUEST"])
    for action in ("seen", "end"):
        assert click(c, "U0BYST", where, action) == nobody
        assert click(c, "U0DEV2", where, action) == own
        assert click(c, "U0TWIN", where, action) == own
        assert click(c, "U0GUEST", where, action).startswith("envbot works for full members")
        for value in ("", "x", "-1", "0", f"{row['id']}.x", "9" * 30):
            assert click(c, "U0APPR", where, action, value=value).startswith("This button is not")
        assert "does not exist" in click(c, "U0APPR", where, action, value="4711")
    # What was asked for as usual has no review.
    ask(c, "U0DEV", "create small usual")
    usual = c.environment_row("usual")["id"]
    for action in ("seen", "end"):
        assert click(c, "U0APPR", where, action, value=str(usual)).startswith(
            "Nobody broke the glass for usual")
    assert c.environment_row("usual")["state"] == "pending"
    assert c.environment_row("demo")["review"] is None and "delete" not in events(c, "demo")


def test_who_may_not_break_the_glass_is_told_what_it_takes(company, tmp_path):
    c = company()
    c.serve()
    refused = ("The rules do not let you break the glass for environments in payments, so nothing"
               " was done. That takes the verb `breakglass`. Ask @on-call: the rules give it to them."
               " Without `--break-glass` you can ask for it as usual.")
    for user in ("U0DEV", "U0APPR"):
        more = "--team payments --reason why"
        assert ask(c, user, f"create small demo --break-glass {more}") == refused
        assert ask(c, user, f"create small demo --break-glass --dry-run {more}") == refused
    text = ask(c, "U0DEV2", "create small demo --break-glass --team search --reason why")
    assert "the verb `breakglass`, which the rules give to nobody" in text
    for reason in ("", "--reason ''", "--reason '  \u200b '"):
        assert "add --reason" in ask(c, "U0DEV2", f"create small demo --break-glass {reason}")
    assert c.database.one("SELECT count(*) FROM environments") == 0
    assert c.database.one("SELECT count(*) FROM outbox") == 0


def test_the_right_is_for_the_templates_that_it_names(company, tmp_path):
    rules = tmp_path / "rules"
    shutil.copytree(f"{ROOT}/deploy/rbac", rules)
    path = rules / "roles.yaml"
    path.write_text(path.read_text().replace(
        "    verbs: [breakglass]\n", "    verbs: [breakglass]\n    resourceNames: [small]\n"))
    c = company(rules=str(rules))
    c.serve()
    assert "break the glass for environments" in ask(
        c, "U0DEV2", "create standard other --break-glass --reason why")
    broken(c)
    assert c.database.one("SELECT count(*) FROM environments") == 1


def test_a_dry_run_breaks_nothing_and_the_quota_holds(company):
    c = company()
    c.serve()
    text = ask(c, "U0DEV2", "create small demo --break-glass --dry-run --reason why")
    assert "nothing was asked for" in text and "you would break the glass" in text
    assert c.database.one("SELECT count(*) FROM outbox") == 0
    ask(c, "U0MGR", "quota set payments nodes=1")
    text = ask(c, "U0DEV2", "create small demo --break-glass --reason why")
    assert text.startswith("This is over the quota of payments")
    # Where nothing is in the way the glass stays whole.
    text = ask(c, "U0DEV2", "create small tiny --nodes 1 --ttl 1h --break-glass --reason why")
    assert text.startswith("*payments/tiny* needs no approval")
    assert c.database.one("SELECT count(*) FROM environments WHERE break_glass") == 0
    assert c.database.one("SELECT count(*) FROM environments") == 1


def test_the_report_lists_what_was_started_by_breaking_the_glass(company):
    c = company()
    c.serve()
    channel, _, card = broken(c, "one")
    press(c, "U0APPR", channel, card, "seen")
    card_becomes(c, "one", "*Seen*")
    ask(c, "U0DEV2", "create small two --break-glass --reason '=1+1, \"quoted\" ```'")
    ask(c, "U0DEV", "create small usual")
    message = c.slack.type("U0MGR", "C0GEN", "report", wait=20)["shown"][0]
    check_message(message, "report")
    blocks = str(message["blocks"])
    for part in (f"*payments/one* · developer-2 · seen by approver\\n> {SHOWN}",
                 "*payments/two* · developer-2 · not reviewed"):
        assert part in blocks, part
    for part in (f"payments/one, developer-2: {SHOWN} (seen by approver)",
                 "payments/two, developer-2: =1+1, \"quoted\" ''' (not reviewed)"):
        assert part in message["text"], part
    assert "usual" not in message["text"]
    printed = c.run("report").stdout
    assert f"payments/one, developer-2: {WHY} (seen by approver)\n" in printed
    rows = list(csv.DictReader(io.StringIO(c.run("report", "--csv").stdout, newline="")))
    assert rows[0]["broke_glass"] == (
        f"one, developer-2: {WHY} (seen by approver);"
        " two, developer-2: =1+1, \"quoted\" ``` (not reviewed)")
    assert rows[1]["broke_glass"] == ""
