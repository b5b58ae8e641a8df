"""Who somebody is when Slack cannot tell: what it told a moment ago serves as long as its events keep
it true; guests only where the rules name them; who only looks is shown what is known."""

import os
import shutil

import pytest
import yaml

from test_wrong_click import (CANNOT_TELL, FULL_MEMBERS, MANY_CLICKS, NO_APPROVER, ask, click, no_approver,
                              untouched)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
APPROVED = "You approved demo. It goes ahead."


def slack_is_away(c, *methods):
    for method in methods or ("usergroups.list", "users.info"):
        c.slack.fault(method, "status", status=429, retry_after=5, count=1000)


def known(c, user="U0APPR"):
    """Makes envbot ask Slack for that person: a decision that is refused."""
    assert "no environment" in c.slack.type(user, "C0GEN", "approve nothing")["shown"][0]["text"]


def heard(c, count):
    """So many events of Slack were taken by somebody."""
    c.slack.wait_for(
        lambda: sum(e["type"] == "events_api" and e["outcome"] == "acked"
                    for e in c.slack.envelopes()["envelopes"]) >= count, f"{count} events", 30)


def rules_with(tmp_path, name, text):
    folder = tmp_path / "rules"
    shutil.copytree(os.path.join(ROOT, "deploy", "rbac"), folder)
    (folder / name).write_text(text)
    return str(folder)


def test_what_slack_told_a_moment_ago_serves_when_it_limits_and_nothing_else_does(company):
    c = company(slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    known(c)
    slack_is_away(c)
    assert click(c, "U0APPR2", card, wait=3.0) == CANNOT_TELL  # of whom nothing is known
    untouched(c, "demo")
    assert click(c, "U0APPR", card, wait=3.0) == APPROVED
    c.wait_state("demo", "queued", "creating", "ready")


def test_a_decision_is_taken_with_the_groups_of_now_though_no_event_came(company):
    c = company(slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    for user in ("U0APPR", "U0BYST"):
        known(c, user)
    c.slack.group("platform-approvers", remove=["U0APPR"], add=["U0BYST"], events=False)
    assert click(c, "U0APPR", card) == NO_APPROVER
    untouched(c, "demo")
    assert click(c, "U0BYST", card) == APPROVED


def test_what_slack_told_too_long_ago_serves_nobody(company):
    c = company(options={"rbac.copy_seconds": 3}, slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    known(c)
    slack_is_away(c)
    c.slack.wait_for(lambda: c.slack.type("U0APPR", "C0GEN", "approve nothing", wait=10)["shown"][0][
        "text"] == CANNOT_TELL, "it is too old", 60)
    assert click(c, "U0APPR", card, wait=10) == CANNOT_TELL
    untouched(c, "demo")


def test_who_clicks_at_the_same_time_shares_one_question_about_groups(company):
    c = company(options={"slack.handlers": 16}, slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    people = [f"U0MANY{n}" for n in range(40)]
    for user in people:
        c.slack.person(user, name=user.lower(), events=False)
    before = len(c.slack.calls("usergroups.list"))
    c.slack.fault("usergroups.list", "slow", seconds=0.3, count=1000)
    answers = c.slack.flood([{"do": "command", "user": user, "channel": "C0GEN", "wait": 30,
                              "text": "approve demo"} for user in people], in_flight=len(people))
    assert {a["shown"][0]["text"] for a in answers} == {NO_APPROVER}
    # Each was told of the groups of now; without sharing that is a question each.
    assert 0 < len(c.slack.calls("usergroups.list")) - before < len(people) / 2
    untouched(c, "demo")
    assert click(c, "U0APPR", card) == APPROVED


@pytest.mark.parametrize("method", ["usergroups.list", "users.info"])
def test_no_transaction_is_open_while_slack_is_asked(company, method):
    c = company(options={"rbac.copy_seconds": 0}, slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    c.settle()
    words = len(c.slack.whispers("U0APPR"))
    c.slack.fault(method, "hold")
    c.slack.click("U0APPR", *card[:2], "approve", wait=False)
    c.slack.wait_for(lambda: not c.slack.faults(), "Slack is asked", 30)
    # PostgreSQL may still be at the end of what came before. One that is open ends when the handler
    # has waited long enough for Slack, and then the answer is another.
    c.slack.wait_for(lambda: c.database.query(
        "SELECT state, query FROM pg_stat_activity WHERE application_name = 'envbot handler'"
        " AND datname = current_database() AND state <> 'idle'") == [], "no transaction is open", 30)
    c.slack.no_faults()
    c.slack.wait_for(lambda: c.slack.whispers("U0APPR")[words:] == [APPROVED], "an answer", 30)


def test_who_left_the_group_decides_nothing_whichever_process_heard_of_it(company):
    c = company(slack_arguments=MANY_CLICKS)
    bots = [c.serve(), c.serve()]
    card = ask(c, "demo")
    for _ in range(12):  # both processes come to know them
        known(c)
    slack_is_away(c)
    c.slack.group("platform-approvers", remove=["U0APPR"])
    heard(c, 2)
    for _ in range(8):  # whichever process it comes to
        said = click(c, "U0APPR", card, wait=3.0)
        assert said in (NO_APPROVER, CANNOT_TELL), said
    untouched(c, "demo")
    assert all(bot.process.poll() is None for bot in bots)


def test_who_was_deactivated_meanwhile_decides_nothing(company):
    c = company(slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    known(c)
    slack_is_away(c)
    c.slack.person("U0APPR", deleted=True)
    heard(c, 1)
    assert click(c, "U0APPR", card, wait=3.0) == CANNOT_TELL
    untouched(c, "demo")


@pytest.mark.parametrize("change", [{"date_delete": 1}, {"handle": "other"},
                                    {"users": ["U0APPR2"]}])
def test_a_group_that_was_disabled_or_called_otherwise_lets_nobody_decide(company, change):
    c = company(slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    known(c)
    slack_is_away(c)
    group = {"id": "S0PLAT", "handle": "platform-approvers", "date_delete": 0,
             "users": ["U0APPR", "U0APPR2", "U0APPR3"], **change}
    c.slack.event({"type": "subteam_updated", "subteam": group})
    assert click(c, "U0APPR", card, wait=3.0) == NO_APPROVER
    untouched(c, "demo")


def test_events_that_say_nothing_of_people_are_taken_and_change_nothing(company):
    c = company(slack_arguments=MANY_CLICKS)
    c.serve()
    card = ask(c, "demo")
    known(c)
    slack_is_away(c)
    for event in ({"type": "app_home_opened", "user": "U0APPR"}, {"type": "subteam_updated"},
                  {"type": "user_change", "user": {"id": "U0APPR2"}},
                  {"type": "subteam_members_changed", "subteam_id": "S0PLAT",
                   "removed_users": ["U0APPR2"], "added_users": ["U0BYST"]},
                  {"type": "user_change", "user": {"id": 12}}, {"type": "user_change"}):
        assert c.slack.event(event)["outcome"] == "acked"
    assert click(c, "U0BYST", card, wait=3.0) == CANNOT_TELL  # an event puts nobody into a group
    assert click(c, "U0APPR", card, wait=3.0) == APPROVED


GUESTS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: guests, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-approver}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0GUEST"}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0GONE"}
"""


def test_guests_whom_only_the_rules_name_decide_nothing(company, tmp_path):
    c = company(rules=rules_with(tmp_path, "guests.yaml", GUESTS))
    c.serve()
    assert click(c, "U0GUEST", ask(c, "demo")) == FULL_MEMBERS
    untouched(c, "demo")


def test_guests_whom_the_configuration_lets_in_may_what_the_rules_name_them_for(company, tmp_path):
    c = company(rules=rules_with(tmp_path, "guests.yaml", GUESTS),
                options={"rbac.allow_guests": "true"})
    c.slack.person("U0GUEST2", name="guest-2", is_ultra_restricted=True, is_restricted=True)
    c.slack.person("U0INVITED", name="invited", is_restricted=True, is_invited_user=True)
    c.serve()
    card = ask(c, "demo")
    # everybody may ask for environments, and guests are not among everybody
    for who in ("U0GUEST", "U0GUEST2"):
        shown = c.slack.type(who, "C0GEN", "create small other --team payments")["shown"][0]["text"]
        assert "do not let you" in shown, shown
    named = "<@U0GUEST>, <@U0GONE> and @platform-approvers"
    assert click(c, "U0GUEST2", card) == no_approver(named)
    for who in ("U0GONE", "U0INVITED"):
        assert click(c, who, card) == FULL_MEMBERS
    untouched(c, "demo")
    assert click(c, "U0GUEST", card) == APPROVED


def test_who_only_looks_is_shown_what_is_known_without_groups(company):
    c = company(options={"rbac.copy_seconds": 0}, slack_arguments=MANY_CLICKS)
    c.serve()
    ask(c, "demo")
    slack_is_away(c, "usergroups.list")

    def look(user, words):
        return c.slack.type(user, "C0GEN", words, wait=3.0)["shown"][0]["text"]

    assert "demo" in look("U0DEV", "list --all")
    assert "`/env create`" in look("U0DEV", "help")
    assert "small" in look("U0DEV", "templates")
    assert "demo" in look("U0DEV", "show demo")
    assert "`/env approve`" not in look("U0APPR", "help")  # a missing group only takes away
    said = look("U0MGR", "whoami")
    assert "cannot tell" in said and "slack:managers" not in said, said
    # whoever wants more than to look has to wait
    assert look("U0DEV", "withdraw demo") == CANNOT_TELL
    assert c.environment_row("demo")["state"] == "pending"


BY_MAIL = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: by-mail, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-approver}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: approver@example.com}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0APPR2"}
"""


def test_a_mail_address_is_a_name_only_as_the_profile_gives_it_and_confirmed(company, tmp_path):
    rules = rules_with(tmp_path, "mail.yaml", BY_MAIL)
    for text in ("payments", "search"):
        os.unlink(os.path.join(rules, f"team-{text}.yaml"))
    c = company(rules=rules, options={"rbac.user_name": "email"}, slack_arguments=MANY_CLICKS)
    c.slack.person("U0FAKE", name="approver@example.com", email=None)
    c.slack.person("U0TYPED", name="typed", email="approver@example.com",
                   is_email_confirmed=False)
    c.serve()
    card = ask(c, "demo")
    for user in ("U0FAKE", "U0TYPED", "U0APPR2", "U0BYST"):
        assert click(c, user, card) == no_approver("approver@example.com and <@U0APPR2>"), user
    untouched(c, "demo")
    assert click(c, "U0APPR", card) == APPROVED


def shown(c, user, words):
    """The text of everything in the answer."""
    message = c.slack.type(user, "C0GEN", words)["shown"][0]
    return message["text"] + "\n" + yaml.safe_dump(message.get("blocks", []), width=10000)


def test_show_names_who_can_still_decide(company, tmp_path):
    rules = rules_with(tmp_path, "guests.yaml", GUESTS + "- {kind: User, name: 'slack:U0DEV'}\n"
                       "- {kind: User, name: 'slack:U0TWIN'}\n")
    templates = tmp_path / "templates"
    shutil.copytree(os.path.join(ROOT, "templates"), templates)
    path = templates / "environments" / "small.yaml"
    template = yaml.safe_load(path.read_text())
    template["approval"] = {"count": 2}
    path.write_text(yaml.safe_dump(template, sort_keys=False))
    c = company(rules=rules, templates=str(templates), slack_arguments=MANY_CLICKS)
    c.slack.person("U0TWIN", name="twin", email="developer@example.com")
    c.serve()
    card = ask(c, "demo")
    said = shown(c, "U0DEV", "show demo")
    assert "Can still decide: <@U0APPR>, <@U0APPR2> and <@U0APPR3>" in said, said
    assert "is counted" in click(c, "U0APPR2", card)
    assert shown(c, "U0MGR", "show demo").count("Can still decide: <@U0APPR> and <@U0APPR3>") == 2, \
        "in the text and in the blocks"
    click(c, "U0APPR", card)
    c.wait_state("demo", "creating", "ready")
    assert "Can still decide" not in shown(c, "U0DEV", "show demo")


def test_show_says_how_many_more_can_decide(company, tmp_path):
    c = company(slack_arguments=MANY_CLICKS)
    for i in range(10):
        c.slack.person(f"U0MORE{i}", name=f"more-{i}")
    c.slack.group("platform-approvers", add=[f"U0MORE{i}" for i in range(10)])
    c.serve()
    ask(c, "demo")
    said = shown(c, "U0DEV", "show demo")
    assert "<@U0MORE6> and 3 others" in said and "<@U0MORE7>" not in said, said


def test_whoami_tells_names_groups_teams_and_what_one_may_where(company, tmp_path):
    rules = rules_with(tmp_path, "some.yaml", """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: small-only, namespace: search}
rules:
- {apiGroups: [envbot.dev], resources: [environments], resourceNames: [small, gpu], verbs: [approve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: small-only, namespace: search}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: small-only}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "slack:security"}]
""")
    c = company(rules=rules)
    c.serve()

    def lines(user):
        return c.slack.type(user, "C0GEN", "whoami")["shown"][0]["text"].splitlines()

    assert lines("U0APPR3") == [
        "You are *approver-3*, `U0APPR3` of the workspace `T0ACME`; for the rules you are"
        " `slack:U0APPR3`.",
        "Mail: approver-3@example.com",
        "Groups: `slack:platform-approvers` and `slack:security`",
        "Teams: none",
        "*payments*: you may look, ask for clusters, approve them and see the quota",
        "*search*: you may look, ask for clusters, approve them and see the quota",
    ]
    os.unlink(os.path.join(rules, "team-search.yaml"))
    wanted = ("*search*: you may look, ask for clusters, approve them (only small, gpu) and see the"
              " quota")
    c.slack.wait_for(lambda: lines("U0APPR3")[-1] == wanted, "the rules changed", 30)
    assert lines("U0DEV")[2:4] == ["Groups: `team:payments`", "Teams: `payments`"]


def test_in_an_organisation_a_person_is_of_their_own_workspaces_only(company):
    c = company(slack_arguments=[*MANY_CLICKS, "--enterprise", "E0ACME"])
    c.serve()
    cards = [ask(c, name) for name in ("one", "two")]
    grid = {"id": "U0APPR", "enterprise_id": "E0ACME", "enterprise_name": "Acme",
            "is_admin": False, "is_owner": False, "teams": ["T0ACME", "T0SISTER"]}
    c.slack.person("U0APPR", enterprise_user=grid)
    # Their id in a workspace that is none of theirs is somebody else of a shared channel.
    for action in ("approve", "deny"):
        assert click(c, "U0APPR", cards[0], action, user_team="T0OTHER",
                     hears="T0OTHER/U0APPR") == FULL_MEMBERS
    for told in ({**grid, "teams": []}, {k: v for k, v in grid.items() if k != "teams"}):
        c.slack.person("U0APPR", enterprise_user=told)
        assert click(c, "U0APPR", cards[0], user_team="T0SISTER",
                     hears="T0SISTER/U0APPR") == FULL_MEMBERS
    untouched(c, "one")
    c.slack.person("U0APPR", enterprise_user=grid)
    assert click(c, "U0APPR", cards[0], user_team="T0SISTER") == "You approved one. It goes ahead."
    assert click(c, "U0APPR", cards[1]) == "You approved two. It goes ahead."
    # one person, wherever they clicked
    assert c.database.query("SELECT DISTINCT workspace, user_id FROM decisions") == [
        {"workspace": "T0ACME", "user_id": "U0APPR"}]
