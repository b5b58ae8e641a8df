"""A team's quota holds whoever asks at the same time, and what has ended gives its part back."""

import re

import psycopg2

from test_one_decision import at_once

PEOPLE = [f"U0CROWD{number:02d}" for number in range(50)]
LIMITS = "{{environments: {environments}, nodes: {nodes}, vcpus: {vcpus}, gpus: {gpus}," \
         " monthly_usd: {monthly_usd}}}"


def crowd(company, people=PEOPLE, bots=2, options=None, **limits):
    """Fifty people of one team, whose limits are generous where they are not given."""
    every = {"environments": 1000, "nodes": 10000, "vcpus": 100000, "gpus": 100,
             "monthly_usd": 10000000, **limits}
    teams = f"""
  - name: payments
    channel: C0PAY
    approvers_channel: C0PLAT
    members: [{", ".join(people)}]
    quota: {LIMITS.format(**every)}
"""
    c = company(teams=teams, slack_arguments=["--relaxed-limits"], options=options)
    for user in people:
        c.slack.person(user, name=user.lower())
    for _ in range(bots):
        c.serve()
    return c


def create(c, user, name, template="small", more=""):
    return lambda: c.slack.type(user, "C0GEN", f"create {template} {name} {more}", wait=20)


def use(c, what="count(*)"):
    return float(c.database.one(f"SELECT coalesce({what}, 0) FROM environments"
                                " WHERE team = 'payments' AND ended_at IS NULL"))


def ask_all(c, more=""):
    """All fifty at once: (accepted, refused) answers."""
    answers = at_once([create(c, user, f"e{number}", more=more)
                       for number, user in enumerate(PEOPLE)])
    assert {a["outcome"] for a in answers} == {"acked"}
    texts = [a["shown"][0]["text"] for a in answers]
    accepted = [t for t in texts if t.startswith("You asked for *payments/e")]
    refused = [t for t in texts if t.startswith("This is over the quota of payments: ")]
    assert len(accepted) + len(refused) == len(PEOPLE), texts
    return accepted, refused


def test_of_fifty_who_ask_at_once_ten_get_a_place(company):
    c = crowd(company, environments=10)
    accepted, refused = ask_all(c)
    assert (len(accepted), len(refused)) == (10, 40)
    assert use(c) == 10
    for text in refused:
        assert re.fullmatch(
            r"This is over the quota of payments: it has 10 of 10 environments in use, and this"
            r" takes 1 more\. The next slot falls free when payments/e\d+ is denied or lapses, in"
            r" (1 day|\d+ h( \d+ min)?) at the latest\. Ask for less, or `/env quota payments` shows what"
            r" is in use\.", text), text
    # Everybody's message is posted, and nobody else's.
    c.settle(60)
    assert c.database.one("SELECT count(*) FROM messages WHERE place = 'card'") == 10
    # What ends with a cluster says so.
    c.database.query("UPDATE environments SET state = 'ready', ready_at = now(),"
                     " expires_at = now() + interval '3 hours 10 minutes 30 seconds',"
                     " due_at = now() + interval '2 hours' WHERE id ="
                     " (SELECT min(id) FROM environments)")
    name = c.database.one("SELECT name FROM environments ORDER BY id LIMIT 1")
    text = create(c, "U0DEV", "late", more="--team payments")()["shown"][0]["text"]
    assert f"The next slot falls free when payments/{name} ends, in 3 h 10 min." in text
    # What is being deleted does not wait for the end it had; one that is stuck may take any time.
    for stuck, words in ((False, f" The next slot falls free soon: payments/{name} is being deleted."),
                         (True, " The next slot falls free when payments/e")):
        c.database.query("UPDATE environments SET state = 'deleting', stuck = %s WHERE name = %s",
                         stuck, name)
        text = create(c, "U0DEV", "late", more="--team payments")()["shown"][0]["text"]
        assert words in text and f"{name} ends" not in text, text


def test_nodes_processors_and_money_are_bounded_alike(company):
    # a small environment has 2 nodes of 2 vCPUs each
    c = crowd(company, nodes=20)
    dollars = float(re.search(r"about \$([\d,]+) a month", c.slack.type(
        "U0CROWD00", "C0GEN", "create small what --dry-run")["shown"][0]["text"])
        .group(1).replace(",", ""))
    for limit, what, places, words in [
        ("nodes=20 vcpus=none", "sum(nodes)", 10, "it has 20 of 20 nodes in use"),
        ("nodes=none vcpus=27", "sum(vcpus)", 6, "it has 24 of 27 vCPUs in use"),
        (f"vcpus=none monthly_usd={int(dollars * 7.5)}", "sum(monthly_usd)", 7, " a month in use"),
        ("monthly_usd=none environments=0", "count(*)", 0, "it has 0 of 0 environments"),
    ]:
        answer = c.slack.type("U0MGR", "C0GEN", f"quota set payments {limit}")
        assert "The quota" in answer["shown"][0]["text"], answer
        accepted, refused = ask_all(c)
        assert len(accepted) == places, limit
        assert all(words in text for text in refused), refused[0]
        for text in accepted:
            name = re.search(r"payments/(e\d+)", text).group(1)
            user = PEOPLE[int(name[1:])]
            answer = c.slack.type(user, "C0GEN", f"withdraw {name}")
            assert answer["shown"][0]["text"] == f"The request for *{name}* is withdrawn."
        assert use(c, what) == 0
    assert use(c) == 0


def fits(c, name):
    text = create(c, "U0DEV", name, more="--team payments")()["shown"][0]["text"]
    assert "You asked" in text or "over the quota" in text, text
    return "You asked" in text


def test_every_end_gives_the_place_back_once(company):
    """A quota of one: after each way to end the next request fits, and not a moment before."""
    c = crowd(company, people=["U0DEV"], bots=1, environments=1,
              options={"limits.warn_before": "[1h]"})

    def say(user, text):
        return c.slack.type(user, "C0GEN", text)["shown"][0]["text"]

    def full(state):
        assert c.environment_row(now)["state"] in state
        assert not fits(c, "more")
        assert use(c) == 1

    now = "withdrawn"
    assert fits(c, now)
    full(("pending",))
    assert "is withdrawn" in say("U0DEV", f"withdraw {now}")
    assert "was withdrawn" in say("U0DEV", f"withdraw {now}")  # once more gives nothing back

    now = "denied"
    assert fits(c, now)
    full(("pending",))
    assert "You denied" in say("U0APPR", f"deny {now} no")

    now = "lapsed"
    assert fits(c, now)
    full(("pending",))
    c.database.query("UPDATE environments SET created_at = now() - interval '1 day',"
                     " due_at = now() WHERE ended_at IS NULL")
    c.wait_state(now, "lapsed")

    now = "gone"
    assert fits(c, now)
    assert "You approved" in say("U0APPR", f"approve {now}")
    full(("queued", "creating", "ready"))
    c.wait_state(now, "ready", seconds=40)
    full(("ready",))
    held = c.eksctl.hold("delete")
    assert "is being deleted" in say("U0DEV", f"delete {now}")
    full(("deleting",))
    held.lift()
    c.wait_state(now, "deleted", seconds=40)

    now = "failed"
    c.eksctl.add_fault("create", "fail", phase="nodegroup",
                       reason="You've reached your quota for maximum Fleet Requests")
    held = c.eksctl.hold("delete")
    assert fits(c, now)
    assert "You approved" in say("U0APPR", f"approve {now}")
    c.wait_state(now, "failed", seconds=40)
    full(("failed",))  # what was begun still costs
    held.lift()
    c.slack.wait_for(lambda: c.environment_row(now)["ended_at"], "it is cleaned up", 40)
    assert use(c) == 0
    # Trying it again takes the place again, and a second one does not fit beside it.
    c.eksctl.set_pace(faults=[])
    last = "stays"
    assert fits(c, last)
    assert "over the quota" in say("U0DEV", f"retry {now}")
    assert "is withdrawn" in say("U0DEV", f"withdraw {last}")
    assert "is tried again" in say("U0DEV", f"retry {now}")
    full(("queued", "creating", "ready"))


def test_those_who_retry_and_ask_at_once_share_what_is_left(company):
    c = crowd(company, environments=10)
    # Twenty that failed and were cleaned up, five places: retries and requests race for them.
    for number in range(20):
        create(c, PEOPLE[number], f"f{number}")()
        c.database.query("UPDATE environments SET state = 'failed', ended_at = now(), due_at = NULL"
                         " WHERE name = %s", f"f{number}")
    for number in range(5):
        create(c, PEOPLE[number], f"held{number}")()
    assert use(c) == 5
    c.slack.type("U0MGR", "C0GEN", "quota set payments nodes=20")
    acts = [lambda n=n: c.slack.type(PEOPLE[n], "C0GEN", f"retry f{n}", wait=20)
            for n in range(20)]
    acts += [create(c, PEOPLE[n], f"new{n}") for n in range(20, 40)]
    texts = [a["shown"][0]["text"] for a in at_once(acts)]
    won = [t for t in texts if "is tried again" in t or "You asked for" in t]
    assert len(won) == 5, texts
    assert all("over the quota" in t for t in texts if t not in won)
    assert (use(c), use(c, "sum(nodes)")) == (10, 20)


def test_who_retries_while_another_takes_the_clusters_name_is_told_kindly(company):
    c = crowd(company, people=["U0DEV"], bots=1)
    for name in ("demo", "other"):
        create(c, "U0DEV", name)()
    c.database.query("UPDATE environments SET state = 'failed', ended_at = now(), due_at = NULL"
                     " WHERE name = 'demo'")
    c.settle()
    first = psycopg2.connect(c.database.url)
    with first.cursor() as cursor:
        # what another team's request does that was a moment earlier
        cursor.execute("UPDATE environments SET cluster = 'payments-demo' WHERE name = 'other'")

    def commit():
        c.slack.wait_for(lambda: c.database.one(
            "SELECT count(*) FROM pg_locks WHERE NOT granted"), "the retry waits for the name", 30)
        first.commit()

    answer, _ = at_once([lambda: c.slack.type("U0DEV", "C0GEN", "retry demo", wait=40), commit])
    first.close()
    assert answer["shown"][0]["text"] == \
        "The name demo is in use again by now. Ask anew with another name."
    assert c.environment_row("demo")["state"] == "failed" and use(c) == 1
    assert c.database.one("SELECT count(*) FROM jobs") == 0


def test_a_taken_key_that_nobody_expects_is_not_shown_to_people(company):
    c = crowd(company, people=["U0DEV"], bots=1)
    for name in ("one", "two"):
        create(c, "U0DEV", name)()
    c.database.query("CREATE UNIQUE INDEX unexpected ON audit (event) WHERE event = 'withdraw'")

    def withdraw(name):
        return c.slack.type("U0DEV", "C0GEN", f"withdraw {name}")["shown"][0]["text"]

    assert withdraw("one") == "The request for *one* is withdrawn."
    text = withdraw("two")
    reference = re.fullmatch(r"Something went wrong on our side and nothing was done\. If it happens"
                             r" again, tell whoever runs envbot this reference: (\S+)", text)
    assert reference, text
    log = c.bots[0].log()
    assert any(reference[1] in line and "duplicate key" in line for line in log.splitlines())
    assert c.environment_row("two")["state"] == "pending"
