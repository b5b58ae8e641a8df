"""Whoever is on call can stop all provisioning: no new job starts, those that run finish, deletions go
on, and everybody whom it stops sees who did it and why."""

import json

WHY = "AWS has trouble & we <!channel> look into it"
SHOWN = "AWS has trouble &amp; we &lt;!channel&gt; look into it"
FREE = "--nodes 1 --ttl 1h"  # needs nobody's approval


def say(c, user, text):
    return c.slack.type(user, "C0GEN", text, wait=20)["shown"][0]["text"]


def pause(c, more=""):
    text = say(c, "U0DEV2", f"pause {WHY} {more}")
    assert text.startswith("Provisioning is paused: no new job starts"), text
    return text


def says(c, name, words):
    return c.slack.wait_for(lambda: words in c.thread_text(name), f"the thread of {name}: {words}", 30)


def drawn(c, name, words, place="message", there=True):
    return c.slack.wait_for(
        lambda: (words in json.dumps(c.message(name, place)[2])) == there,
        f"the {place} of {name} says: {words}" if there else f"… no longer: {words}", 30)


def jobs(c, name, kind):
    return c.database.query(
        "SELECT j.state, j.started_at FROM jobs j JOIN environments e ON e.id = j.environment"
        " WHERE e.name = %s AND j.kind = %s ORDER BY j.id DESC", name, kind)


def test_a_pause_stops_what_is_new_and_tells_who_and_why(company):
    c = company()
    c.serve()
    assert "on its way" in say(c, "U0DEV", f"create small old {FREE}")
    c.wait_state("old", "ready")
    c.eksctl.add_fault("create", "hang", match="payments-running")
    say(c, "U0DEV", f"create small running {FREE}")
    c.slack.wait_for(lambda: len(c.eksctl.calls("create")) == 2, "the second create runs")
    for name in ("asked", "undecided"):
        assert "It can be approved" in say(c, "U0DEV", f"create small {name} --nodes 2")
        c.message(name, "card")

    assert "Deletions go on" in pause(c)
    operators = c.slack.wait_for(lambda: [m["text"] for m in c.slack.messages("C0OPS")],
                                 "the operators hear it")
    assert "<@U0DEV2>" in operators[0] and SHOWN in operators[0]
    drawn(c, "undecided", SHOWN)
    drawn(c, "undecided", SHOWN, "card")
    # a serve that starts now keeps to it as well
    c.serve()
    # who asks is told, who waits is told, the approver is told
    text = say(c, "U0DEV", f"create small free {FREE}")
    assert "paused by developer-2" in text and SHOWN in text
    says(c, "free", SHOWN)
    drawn(c, "free", SHOWN)
    c.approve("asked")
    says(c, "asked", "<@U0DEV2> has paused provisioning")
    drawn(c, "asked", SHOWN, "card")
    for question in ("show free", "show asked", "list", "whoami"):
        answer = say(c, "U0DEV", question)
        assert "paused by developer-2" in answer and SHOWN in answer, question
    told = c.slack.wait_for(lambda: c.slack.whispers("U0APPR"),
                            "the approver is told")
    assert "paused by developer-2" in told[-1], told
    # what runs finishes; what is to be deleted is
    assert jobs(c, "running", "create")[0]["state"] == "running"
    say(c, "U0DEV", "delete old")
    c.wait_state("old", "deleted")
    for bot in c.bots:
        c.slack.wait_for(lambda: "envbot_paused 1" in bot.get("/metrics")[1], "the gauge is 1", 30)
        page = c.slack.wait_for(lambda: "reason" in (p := json.loads(bot.get("/readyz")[1]))["provisioning"]
                                and p, "/readyz says why", 30)
        assert page["ready"] and WHY in page["provisioning"]["reason"]
    # nothing new has begun meanwhile
    for name in ("free", "asked"):
        assert c.environment_row(name)["state"] == "queued"
        assert [j["started_at"] for j in jobs(c, name, "create")] == [None]

    assert "goes on" in say(c, "U0DEV2", "resume")
    c.wait_state("free", "ready", seconds=40)
    c.wait_state("asked", "ready", seconds=40)
    for name in ("asked", "free", "undecided"):
        drawn(c, name, SHOWN, there=False)
    for name in ("asked", "undecided"):
        drawn(c, name, SHOWN, "card", there=False)
    assert "paused" not in say(c, "U0DEV", "list")
    assert "not paused" in say(c, "U0DEV2", "resume")
    rows = c.database.query("SELECT event, actor, rule, detail FROM audit"
                            " WHERE event IN ('pause', 'resume') ORDER BY id")
    assert [(r["event"], r["actor"]) for r in rows] == [("pause", "T0ACME/U0DEV2"),
                                                        ("resume", "T0ACME/U0DEV2")]
    assert rows[0]["detail"]["reason"] == WHY and "envbot-operator" in rows[0]["rule"]


def test_a_pause_survives_a_restart(company):
    c = company()
    bot = c.serve()
    pause(c)
    say(c, "U0DEV", f"create small free {FREE}")
    says(c, "free", SHOWN)
    bot.kill()
    bot.start().wait_ready()
    c.slack.wait_for(lambda: "paused" in bot.get("/readyz")[1], "who looks at the door sees it", 60)
    assert SHOWN in say(c, "U0DEV", "show free")
    assert not c.eksctl.calls("create") and c.environment_row("free")["state"] == "queued"
    say(c, "U0DEV2", "resume")
    c.wait_state("free", "ready", seconds=60)


def test_pausing_everything_holds_deletions_and_begun_jobs_too(company):
    c = company(options={"jobs.parallel": 1})
    c.serve()
    say(c, "U0DEV", f"create small old {FREE}")
    c.wait_state("old", "ready")
    refused = say(c, "U0DEV", "pause I can")
    assert "do not let you pause provisioning" in refused and "@on-call" in refused
    assert "pause" not in say(c, "U0DEV", "help") and "`/env pause`" in say(c, "U0DEV2", "help")
    assert "Say why" in say(c, "U0DEV2", "pause --all")
    assert c.database.one("SELECT count(*) FROM pauses") == 0

    pause(c)
    assert "goes on to cost" in pause(c, "--all")  # the second stands in the first one's place
    assert c.database.one("SELECT count(*) FROM pauses WHERE resumed_at IS NULL") == 1
    say(c, "U0DEV", "delete old")
    says(c, "old", SHOWN)
    c.database.query("UPDATE jobs SET started_at = now() WHERE state = 'queued'")  # as one tried before
    for name in ("free", "last"):
        say(c, "U0DEV", f"create small {name} {FREE}")
        says(c, name, SHOWN)
    assert c.environment_row("old")["state"] == "deleting"
    assert not c.eksctl.calls("delete")
    c.eksctl.add_fault("create", "hang", match="payments-free")
    say(c, "U0DEV2", "resume")
    c.wait_state("old", "deleted")
    says(c, "last", "Provisioning goes on")  # it waits still, for its turn
    assert c.environment_row("last")["state"] == "queued"
