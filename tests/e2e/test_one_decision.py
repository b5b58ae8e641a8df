"""Whoever comes first decides, once; everybody else is told what happened and by whom."""

import itertools
import threading
import time

APPROVERS = {"U0APPR": "approver", "U0APPR2": "approver-2", "U0APPR3": "approver-3"}
BUSY = ("queued", "creating", "ready")


def at_once(acts):
    """Does everything at the same time; the answers in the order of the acts."""
    answers, ready = [None] * len(acts), threading.Barrier(len(acts))

    def run(number, act):
        ready.wait()
        answers[number] = act()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def two_bots(company):
    c = company()
    c.serve()
    c.serve()
    return c


def ask(c, *names):
    """Requests, and for each what its card's button says: (channel, ts, value)."""
    cards = {}
    for name in names:
        answer = c.slack.type("U0DEV", "C0GEN", f"create small {name}")
        assert answer["outcome"] == "acked" and "You asked" in answer["shown"][0]["text"]
    for name in names:
        channel, ts, _ = c.message(name, "card")
        row = c.environment_row(name)
        cards[name] = channel, ts, f"{row['id']}.{row['revision']}"
    return cards


def click(c, user, card, action="approve"):
    """As from a card that this person still sees with its buttons."""
    channel, ts, value = card
    return lambda: c.slack.click(user, channel, ts, action, value=value, forged=True)


def typed(c, user, words):
    return lambda: c.slack.type(user, "C0GEN", words)


def decisions(c, name):
    return c.database.query(
        "SELECT d.* FROM decisions d JOIN environments e ON e.id = d.environment"
        " WHERE e.name = %s", name)


def jobs(c, name):
    return c.database.query("SELECT j.* FROM jobs j JOIN environments e ON e.id = j.environment"
                            " WHERE e.name = %s", name)


def events(c, name, *wanted):
    rows = c.database.query("SELECT a.event FROM audit a JOIN environments e"
                            " ON e.id = a.environment WHERE e.name = %s ORDER BY a.id", name)
    return [row["event"] for row in rows if row["event"] in wanted]


def wait_whispers(c, users, count):
    def look():
        said = {user: c.slack.whispers(user) for user in users}
        return sum(map(len, said.values())) >= count and said
    said = c.slack.wait_for(look, f"{count} private answers", 30)
    assert sum(map(len, said.values())) == count, said
    return said


def test_twenty_clicks_are_one_decision_one_job_and_nineteen_polite_answers(company):
    c = two_bots(company)
    card = ask(c, "demo")["demo"]
    users = list(itertools.islice(itertools.cycle(APPROVERS), 20))

    answers = at_once([click(c, user, card) for user in users])

    assert {a["outcome"] for a in answers} == {"acked"}
    made = decisions(c, "demo")
    assert [d["word"] for d in made] == ["approve"]
    assert len(jobs(c, "demo")) == 1
    assert events(c, "demo", "approve", "deny", "vote") == ["approve"]
    winner = made[0]["user_id"]
    said = wait_whispers(c, APPROVERS, 20)
    assert said[winner].count("You approved demo. It goes ahead.") == 1
    for user in APPROVERS:
        for words in said[user]:
            if words == "You approved demo. It goes ahead.":
                assert user == winner
            elif user == winner:
                assert words.startswith("You have approved demo already, "), words
            else:
                assert words.startswith(f"demo was already approved by {APPROVERS[winner]}, "), \
                    words
                assert words.endswith(" ago, so nothing was changed."), words
    c.wait_state("demo", "ready", seconds=40)
    assert len(c.eksctl.calls("create")) == 1
    assert c.eksctl.clusters() == ["payments-demo"]


def test_approve_and_deny_at_once_are_one_of_the_two(company):
    c = two_bots(company)
    names = ["one", "two", "three", "four"]
    cards = ask(c, *names)
    acts = []
    for name in names:
        channel, ts, value = cards[name]
        c.slack.click("U0APPR3", channel, ts, "deny", value=value)
    forms = {}

    def open_forms():
        for held in c.slack.views("U0APPR3"):
            for name in names:
                if held["view"]["private_metadata"].endswith(" " + cards[name][2]):
                    forms[name] = held["view_id"]
        return len(forms) == len(names)
    c.slack.wait_for(open_forms, "the forms for the reasons")

    for name in names:
        acts += [
            click(c, "U0APPR", cards[name]),
            typed(c, "U0APPR2", f"approve {name}"),
            typed(c, "U0APPR2", f"deny {name} use the shared one"),
            lambda form=forms[name]: c.slack.submit(
                "U0APPR3", form, {"reason": {"reason": "use the shared one"}}),
        ]
    answers = at_once(acts)

    assert {a["outcome"] for a in answers} == {"acked"}
    for number, name in enumerate(names):
        made, state = decisions(c, name), c.environment_row(name)["state"]
        assert len(made) == 1, made
        denied = made[0]["word"] == "deny"
        assert state == "denied" if denied else state in BUSY
        assert len(jobs(c, name)) == (0 if denied else 1)
        assert len(events(c, name, "approve", "deny")) == 1
        _, approve_typed, deny_typed, form = answers[4 * number:4 * number + 4]
        told = [approve_typed["shown"][0]["text"], deny_typed["shown"][0]["text"]]
        if form["response_action"] == "errors":
            told += form["errors"].values()
        word, winner = ("denied" if denied else "approved"), made[0]["user_id"]
        for words in told:
            assert (words.startswith(f"You {word} {name}.")
                    or words.startswith(f"You have {word} {name} already")
                    or words.startswith(f"{name} was already {word} by {APPROVERS[winner]}, ")), \
                words
    c.settle()
    for name in names:  # the clicks were answered too: one each, with the same outcome
        mine = [w for w in c.slack.whispers("U0APPR") if f" {name}" in w or w.startswith(name)]
        assert len(mine) == 1, mine


def test_approve_and_withdraw_at_once_are_one_of_the_two(company):
    c = two_bots(company)
    names = ["one", "two", "three", "four", "five"]
    cards = ask(c, *names)
    acts = []
    for name in names:
        acts += [click(c, "U0APPR", cards[name]), typed(c, "U0DEV", f"withdraw {name}")]
    answers = at_once(acts)

    for number, name in enumerate(names):
        approved = c.environment_row(name)["state"] in BUSY
        assert c.environment_row(name)["state"] in (*BUSY, "withdrawn")
        assert len(decisions(c, name)) == len(jobs(c, name)) == (1 if approved else 0)
        told = answers[2 * number + 1]["shown"][0]["text"]
        assert ("is approved already. `/env delete" in told) == approved, told
        assert (f"The request for *{name}* is withdrawn." == told) != approved, told
        approver = c.slack.wait_for(
            lambda: [w for w in c.slack.whispers("U0APPR") if f" {name}" in w], "an answer", 30)
        if approved:
            assert approver == [f"You approved {name}. It goes ahead."]
        else:
            assert approver[0].startswith(f"The request for {name} was taken back "), approver
            assert "nothing was changed" in approver[0]


def test_approve_and_lapse_at_once_are_one_of_the_two(company):
    c = two_bots(company)
    names = ["one", "two", "three", "four", "five"]
    cards = ask(c, *names)
    c.settle()
    c.database.query(
        "UPDATE environments SET created_at = now() - interval '24 hours' + interval '2 seconds',"
        " due_at = now() + interval '2 seconds'")
    left = "SELECT extract(epoch FROM due_at - clock_timestamp())::float FROM environments LIMIT 1"
    acts = []
    for number, name in enumerate(names):
        def act(name=name, user=list(APPROVERS)[number % 3], after=number * 0.3 - 0.2):
            # from a little before the moment until the clock has surely struck
            time.sleep(max(0, c.database.one(left) + after))
            return click(c, user, cards[name])()
        acts.append(act)
    answers = at_once(acts)

    assert {a["outcome"] for a in answers} == {"acked"}
    said = wait_whispers(c, APPROVERS, len(names))
    for number, name in enumerate(names):
        state = c.wait_state(name, "lapsed", *BUSY)["state"]
        approved = state != "lapsed"
        assert len(decisions(c, name)) == len(jobs(c, name)) == (1 if approved else 0)
        assert events(c, name, "approve", "lapse") == ["approve" if approved else "lapse"]
        mine = [w for w in said[list(APPROVERS)[number % 3]] if f" {name}" in w]
        assert len(mine) == 1
        if not approved:
            assert mine[0].startswith(f"The request for {name} lapsed "), mine
            assert "nobody had decided in time" in mine[0]
