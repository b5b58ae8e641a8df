"""Fifty approvers say yes and no to one request in the same instant, through three bots on one
database. ENVBOT_ROUNDS says how often; `make race` does it a hundred times."""

import os
import shutil

from company import ROOT

ROUNDS = int(os.environ.get("ENVBOT_ROUNDS", "6"))
CROWD = [f"U0CROWD{number:02d}" for number in range(50)]
TEAMS = """
  - name: payments
    channel: C0PAY
    approvers_channel: C0PLAT
    members: [U0DEV]
    quota: {environments: 1000}
"""
OPERATORS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: operators}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-operator}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0MGR"}]
"""


def crowd(company, tmp_path):
    rules = tmp_path / "rules"
    shutil.copytree(f"{ROOT}/deploy/rbac", rules)
    (rules / "operators.yaml").write_text(OPERATORS)
    c = company(teams=TEAMS, rules=str(rules), slack_arguments=["--relaxed-limits"])
    for user in CROWD:
        c.slack.person(user, name=user.lower(), events=False)
    c.slack.group("platform-approvers", add=CROWD)
    for _ in range(3):
        c.serve()
    # what is decided here is enough: no job needs to run for it
    assert "is paused" in c.slack.type("U0MGR", "C0GEN", "pause for the race", wait=20)["shown"][0][
        "text"]
    return c


def say_yes_and_no(c, name):
    """Half of them click, half of them deny with words: (user, answer) of these."""
    channel, ts, _ = c.message(name, "card", 30)
    env = c.environment_row(name)
    acts = [{"do": "click", "user": user, "channel": channel, "ts": ts, "action_id": "approve",
             "value": f"{env['id']}.{env['revision']}", "forged": True, "wait": 60}
            if number % 2 else
            {"do": "command", "user": user, "channel": "C0GEN", "text": f"deny {name} not now",
             "wait": 60} for number, user in enumerate(CROWD)]
    answers = c.slack.flood(acts, in_flight=len(acts))
    assert {a["outcome"] for a in answers} == {"acked"}
    return [(user, a["shown"][0]["text"]) for user, a in zip(CROWD, answers) if a["shown"]]


def one_decision(c, name, told):
    """It was decided once, by one person, and everybody who heard of it heard the same."""
    env = c.environment_row(name)
    made = c.database.query("SELECT * FROM decisions WHERE environment = %s", env["id"])
    assert len(made) == 1, made
    winner, denied = made[0]["user_id"], made[0]["word"] == "deny"
    assert env["state"] == ("denied" if denied else "queued")
    jobs = c.database.one("SELECT count(*) FROM jobs WHERE environment = %s", env["id"])
    assert jobs == (0 if denied else 1)
    events = [r["event"] for r in c.database.query(
        "SELECT event FROM audit WHERE environment = %s ORDER BY id", env["id"])]
    assert sorted(e for e in events if e != "refused") == sorted(
        ["request", "deny" if denied else "approve"])
    assert events.count("refused") == len(CROWD) - 1
    assert (winner in dict(told)) == denied
    for user, text in told:
        if user == winner:
            assert text == f"You denied {name}. The requester is told why."
        else:
            word = "denied" if denied else "approved"
            assert text.startswith(f"{name} was already {word} by {winner.lower()}, "), text
    return denied


def test_fifty_people_and_three_bots_make_one_decision_each_time(company, tmp_path):
    c = crowd(company, tmp_path)
    denied = 0
    for number in range(ROUNDS):
        name = f"r{number}"
        asked = c.slack.type("U0DEV", "C0GEN", f"create small {name}", wait=20)
        assert "You asked" in asked["shown"][0]["text"], asked
        denied += one_decision(c, name, say_yes_and_no(c, name))
    # each click was answered, once
    clicks = ROUNDS * len(CROWD) // 2

    def answers():
        said = [m for m in c.slack.messages("C0PLAT") if m.get("ephemeral_for")]
        return len(said) >= clicks and [(m["ephemeral_for"], m["text"]) for m in said]
    said = c.slack.wait_for(answers, f"{clicks} answers to clicks", 60 + 2 * ROUNDS)
    assert len(said) == clicks
    assert sum(text.startswith("You approved ") for _, text in said) == ROUNDS - denied
    for user in CROWD[1::2]:
        assert len([u for u, _ in said if u == user]) == ROUNDS
    assert not any("a handler failed" in bot.log() for bot in c.bots)
    assert c.run("audit", "--verify").returncode == 0
