"""What happens while a request waits: it is reminded of, escalated, asked about, and lapses in time;
its clock stands still while a question is open, and nothing of it goes on once it is decided."""

import html
import os
import re
import shutil

import yaml

from test_hostile import check_message, reasons, seen
from test_life import actions, ask, in_thread, press

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def with_policy(company, tmp_path, options=None, rules=None, relaxed=False,
                **approval):
    """A company whose small clusters are approved like that."""
    folder = tmp_path / "templates"
    shutil.copytree(os.path.join(ROOT, "templates"), folder)
    path = folder / "environments" / "small.yaml"
    template = yaml.safe_load(path.read_text())
    template["approval"] = approval
    path.write_text(yaml.safe_dump(template, sort_keys=False))
    more = {"rules": rules} if rules else {}
    if relaxed:  # Slack takes more posts at a time than it really does
        more["slack_arguments"] = ["--relaxed-limits"]
    return company(templates=str(folder), options=options or {}, **more)


def waited(c, name, time):
    """So long ago it was asked for: everything that it waits for comes nearer by what is new."""
    c.database.query(
        "WITH gone AS (SELECT id, created_at - now() + %s::interval AS step FROM environments"
        "  WHERE name = %s ORDER BY id DESC LIMIT 1),"
        " asked AS (UPDATE questions q SET asked_at = asked_at - step FROM gone"
        "  WHERE q.environment = gone.id RETURNING 1)"
        " UPDATE environments e SET created_at = created_at - step, due_at = due_at - step,"
        "  remind_at = remind_at - step, escalated_at = escalated_at - step,"
        "  question = CASE WHEN question IS NOT NULL THEN jsonb_set(question, '{asked}',"
        "   to_jsonb(floor((question ->> 'asked')::numeric - extract(epoch FROM step)))) END"
        " FROM gone WHERE e.id = gone.id RETURNING 1", time, name)


def under(c, name, place):
    """What was said in the thread of that message."""
    channel, ts, _ = c.message(name, place)
    return [m["text"] for m in c.slack.thread(channel, ts)]


def said_under(c, name, place, words, seconds=30):
    channel, ts, _ = c.message(name, place)
    return channel, c.slack.wait_for(
        lambda: [m for m in c.slack.thread(channel, ts) if words in m["text"]],
        f"“{words}” is said under the {place} of {name}", seconds)[-1]


def card_becomes(c, name, place, holds, what):
    return c.slack.wait_for(lambda: holds(c.message(name, place)[2]) and c.message(name, place)[2],
                            f"the {place} of {name} {what}", 30)


def test_a_request_lapses_when_its_template_says_and_not_before(company, tmp_path):
    c = with_policy(company, tmp_path, lapse="3h", options={"limits.request_lapses": "1h"})
    c.serve()
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")
    waited(c, "demo", "2 hours 59 minutes")
    assert "_pending_" not in ask(c, "U0DEV", "show demo")  # a round trip, during which it may lapse
    assert c.environment_row("demo")["state"] == "pending"
    waited(c, "demo", "3 hours")
    c.wait_state("demo", "lapsed")
    _, told = in_thread(c, "demo", "nobody decided in time")
    assert "<@U0DEV>" in told["text"]


def test_a_request_lapses_when_the_configuration_says_where_the_template_does_not(
        company, tmp_path):
    c = with_policy(company, tmp_path, count=1, options={"limits.request_lapses": "2h"})
    c.serve()
    ask(c, "U0DEV", "create small demo")
    waited(c, "demo", "2 hours")
    c.wait_state("demo", "lapsed")


def test_an_escalated_card_stands_in_both_channels_and_both_stay_true(company, tmp_path):
    c = with_policy(company, tmp_path, count=2, lapse="12h",
                    escalate={"after": "4h", "channel": "C0GEN"})
    c.serve()
    c.serve()
    ask(c, "U0DEV", "create small demo --reason 'try it'")
    first = c.message("demo", "card")
    assert first[0] == "C0PLAT"
    waited(c, "demo", "4 hours")
    channel, ts, copy = c.message("demo", "card-escalated", 30)
    assert channel == "C0GEN" and actions(copy) == actions(first[2])
    assert c.environment_row("demo")["state"] == "pending"
    for place in ("message", "card"):
        said_under(c, "demo", place, "shown in <#C0GEN> now")
    c.settle()
    assert len([t for t in under(c, "demo", "card") if "shown in" in t]) == 1
    assert len([m for m in c.slack.messages("C0GEN") if "developer asks for" in m["text"]]) == 1

    # A vote on either shows on both; so does the decision.
    press(c, "U0APPR", channel, copy, "approve")
    for place in ("card", "card-escalated"):
        card_becomes(c, "demo", place, lambda m: "1 of 2: <@U0APPR> ✓" in str(m["blocks"]),
                     "counts the vote")
    assert c.environment_row("demo")["state"] == "pending"
    press(c, "U0APPR2", first[0], c.message("demo", "card")[2], "approve")
    c.wait_state("demo", "queued", "creating", "ready")
    for place in ("card", "card-escalated"):
        card = card_becomes(c, "demo", place, lambda m: not actions(m), "loses its buttons")
        assert "*Approved* by <@U0APPR2>" in str(card["blocks"])


def test_a_decision_before_the_escalation_leaves_one_card(company, tmp_path):
    c = with_policy(company, tmp_path, lapse="12h", escalate={"after": "4h", "channel": "C0GEN"})
    c.serve()
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")
    assert "is withdrawn" in ask(c, "U0DEV", "withdraw demo")
    waited(c, "demo", "5 hours")
    ask(c, "U0DEV", "create small next")  # what is due at the same time, and later
    waited(c, "next", "5 hours")
    c.message("next", "card-escalated", 30)
    c.settle()
    assert c.database.one("SELECT count(*) FROM messages WHERE place = 'card-escalated'") == 1


def test_a_lapsed_request_changes_both_cards(company, tmp_path):
    c = with_policy(company, tmp_path, lapse="12h", escalate={"after": "4h", "channel": "C0GEN"})
    c.serve()
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")
    waited(c, "demo", "4 hours")
    c.message("demo", "card-escalated", 30)
    waited(c, "demo", "12 hours")
    c.wait_state("demo", "lapsed")
    for place in ("card", "card-escalated"):
        card = card_becomes(c, "demo", place, lambda m: not actions(m), "loses its buttons")
        assert "lapsed" in str(card["blocks"])


def open_form(c, user, channel, message, action):
    press(c, user, channel, message, action)
    return c.slack.wait_for(lambda: c.slack.views(user), f"the form of {action} opens")[-1]


def test_a_question_goes_to_the_owner_and_the_answer_comes_back(company, tmp_path):
    c = with_policy(company, tmp_path, lapse="12h", escalate={"after": "4h", "channel": "C0GEN"})
    c.serve()
    ask(c, "U0DEV", "create small demo")
    channel, _, card = c.message("demo", "card")
    assert "ask" in actions(card)
    waited(c, "demo", "4 hours")
    c.message("demo", "card-escalated", 30)

    # Who may not approve may not ask, neither by the button nor typed.
    press(c, "U0BYST", channel, card, "ask")
    refused = c.slack.wait_for(lambda: c.slack.whispers("U0BYST"), "the bystander is told", 30)
    assert "do not name you as an approver" in refused[0] and not c.slack.views("U0BYST")
    assert "do not name you" in ask(c, "U0BYST", "ask demo why?")
    assert "do not name you" in ask(c, "U0DEV", "ask demo why?")

    form = open_form(c, "U0APPR", channel, card, "ask")
    answer = c.slack.submit("U0APPR", form["view_id"],
                            {"question": {"question": "Why <two> & not one?\n*Approved*"}}, wait=20)
    assert answer["outcome"] == "acked" and not answer["errors"]
    words = "Why &lt;two&gt; &amp; not one? *Approved*"
    thread, asked = said_under(c, "demo", "message", words)
    assert "<@U0DEV>" in asked["text"] and "<@U0APPR>" in asked["text"]
    assert actions(asked) == ["answer"]
    for place in ("card", "card-escalated"):
        assert "<@U0APPR>" in said_under(c, "demo", place, words)[1]["text"]
        shown = card_becomes(c, "demo", place, lambda m: words in str(m["blocks"]),
                             "shows the question")
        assert words in shown["text"] and "ask" in actions(shown)
    whispered = c.slack.wait_for(lambda: c.slack.whispers("U0APPR"), "the approver is told", 30)
    assert "<@U0DEV> is asked" in whispered[-1]

    assert "approver asks: “Why" in ask(c, "U0DEV", "show demo")

    # One at a time; only the owner answers.
    assert "waits for its answer" in ask(c, "U0APPR2", "ask demo and why now?")
    assert "Only <@U0DEV> can answer" in ask(c, "U0MGR", "answer demo because")
    press(c, "U0APPR", thread, asked, "answer")
    c.slack.wait_for(lambda: "Only <@U0DEV>" in c.slack.whispers("U0APPR")[-1],
                     "the approver cannot answer", 30)
    form = open_form(c, "U0DEV", thread, asked, "answer")
    assert words in str(form["view"]["blocks"])
    answer = c.slack.submit("U0DEV", form["view_id"], {"answer": {"answer": "For <failover>"}},
                            wait=20)
    assert answer["outcome"] == "acked" and not answer["errors"]
    for place in ("message", "card", "card-escalated"):
        told = said_under(c, "demo", place, "“For &lt;failover&gt;”")[1]["text"]
        assert "<@U0APPR>" in told and "<@U0DEV> answers" in told and words in told
    for place in ("card", "card-escalated"):
        card_becomes(c, "demo", place, lambda m: words not in str(m["blocks"]),
                     "shows no question any more")
    row = c.database.query("SELECT * FROM questions")
    assert len(row) == 1 and row[0]["answer"] == "For <failover>" and row[0]["answered_at"]
    assert [r["event"] for r in c.database.query(
        "SELECT event FROM audit WHERE event IN ('ask', 'answer') ORDER BY id")] == ["ask", "answer"]

    # The old button answers no later question, and the form neither.
    assert "<@U0DEV> is asked" in ask(c, "U0APPR2", "ask demo and why now?")
    press(c, "U0DEV", thread, asked, "answer")
    c.slack.wait_for(lambda: "answered already. Now <@U0APPR2> asks: “and why now?”"
                     in c.slack.whispers("U0DEV")[-1], "the owner is told", 30)
    assert "passed on to <@U0APPR2>" in ask(c, "U0DEV", "answer demo a demo on Friday")
    assert "Nobody waits for an answer" in ask(c, "U0DEV", "answer demo a demo on Friday")
    said_under(c, "demo", "card", "a demo on Friday")


def test_the_clock_stands_still_for_one_question_and_not_for_ever(company, tmp_path):
    c = with_policy(company, tmp_path, lapse="10h", escalate={"after": "6h", "channel": "C0GEN"})
    c.serve()
    for name in ("one", "two"):
        ask(c, "U0DEV", f"create small {name}")
        waited(c, name, "5 hours")
        assert "does not lapse any sooner" in ask(c, "U0APPR", f"ask {name} what for?")
    # Open: neither escalated nor lapsed at its times …
    for name in ("one", "two"):
        waited(c, name, "12 hours")
    assert ask(c, "U0DEV", "answer two for a demo")
    assert c.environment_row("one")["state"] == c.environment_row("two")["state"] == "pending"
    assert c.environment_row("one")["escalated_at"] is None
    # … answered: what was left of its time is left (it stood from hour 5 to 12) …
    assert abs(c.environment_row("two")["paused_seconds"] - 7 * 3600) < 120
    waited(c, "two", "13 hours 10 minutes")
    c.message("two", "card-escalated", 30)
    # … a second question does not stop it again …
    said = ask(c, "U0APPR", "ask two really?")
    assert "is asked" in said and "lapse" not in said
    waited(c, "two", "16 hours 50 minutes")
    ask(c, "U0DEV", "show two")
    assert c.environment_row("two")["state"] == "pending"
    waited(c, "two", "17 hours 10 minutes")
    c.wait_state("two", "lapsed")
    # … and a question that nobody answers stops it at most as long again.
    waited(c, "one", "19 hours 50 minutes")
    ask(c, "U0DEV", "show one")
    assert c.environment_row("one")["state"] == "pending"
    waited(c, "one", "20 hours 10 minutes")
    c.wait_state("one", "lapsed")
    assert "waits for no decision any more" in ask(c, "U0DEV", "answer one too late")


def test_a_hostile_question_and_its_answer_are_shown_as_written_and_ping_nobody(company, tmp_path):
    c = with_policy(company, tmp_path, relaxed=True, lapse="10h")
    c.serve()
    c.slack.person("U0APPR", name="<!channel> *A*")
    ask(c, "U0DEV", "create small demo")
    channel, _, card = c.message("demo", "card")
    for text in reasons():
        def shows(message, text=text):
            return seen(text) in seen(html.unescape(str(message.get("text"))))
        form = open_form(c, "U0APPR", channel, card, "ask")
        done = c.slack.submit("U0APPR", form["view_id"], {"question": {"question": text}}, wait=20)
        assert done["outcome"] == "acked" and not done["errors"], done
        check_message(card_becomes(c, "demo", "card", shows, "shows the question"), text)
        thread, asked = said_under(c, "demo", "message", "Answer here with the button")
        assert shows(asked), asked["text"]
        form = open_form(c, "U0DEV", thread, asked, "answer")
        done = c.slack.submit("U0DEV", form["view_id"], {"answer": {"answer": text}}, wait=20)
        assert done["outcome"] == "acked" and not done["errors"], done
        for place in ("message", "card"):
            c.slack.wait_for(lambda p=place: any(
                shows({"text": words.split("answers:")[1]}) for words in under(c, "demo", p)
                if "answers:" in words), f"the answer under the {place}", 30)
    c.settle(30)
    for messages in c.slack.state()["messages"].values():
        for message in messages:
            if message.get("bot_id"):
                check_message(message, "said")
    assert "a handler failed" not in c.bots[0].log()


def test_a_long_question_is_cut_and_said_so(company, tmp_path):
    c = with_policy(company, tmp_path, lapse="10h")
    c.serve()
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")
    assert "cut to 1,000 letters" in ask(c, "U0APPR", "ask demo " + "&<" * 1500)
    said_under(c, "demo", "card", "&amp;&lt;" * 50)
    assert len(c.database.one("SELECT question FROM questions")) == 1000
    assert "cut to 1,000 letters" in ask(c, "U0DEV", "answer demo " + ">" * 3000)
    said_under(c, "demo", "card", "&gt;" * 50)
    c.settle()
    assert c.database.one("SELECT count(*) FROM outbox WHERE parked") == 0
    assert "Say what you want to know" in ask(c, "U0APPR", "ask demo")
    assert "Nobody waits for an answer" in ask(c, "U0DEV", "answer demo")
    assert re.search("help|`/env ask demo", ask(c, "U0APPR", "ask demo"))


def reminders(c, name):
    return [t for t in under(c, name, "card") if ":bell:" in t]


def test_reminders_come_once_each_and_name_who_is_still_needed(company, tmp_path):
    c = with_policy(company, tmp_path, count=2, lapse="1d", remind=["1h", "4h", "12h"])
    bots = [c.serve(), c.serve()]
    ask(c, "U0DEV", "create small demo")
    channel, _, card = c.message("demo", "card")
    waited(c, "demo", "59 minutes")
    ask(c, "U0DEV", "show demo")
    assert reminders(c, "demo") == []
    waited(c, "demo", "61 minutes")
    _, first = said_under(c, "demo", "card", ":bell:")
    for words in ("<@U0APPR>, <@U0APPR2> and <@U0APPR3>: *payments/demo*, asked for by developer",
                  "still waits for 2 of @platform-approvers", "It lapses <!date^"):
        assert words in first["text"], (words, first["text"])

    # Who has voted is asked no more; a restart asks nobody again.
    press(c, "U0APPR2", channel, card, "approve")
    c.slack.wait_for(lambda: c.slack.whispers("U0APPR2"), "the vote is counted", 30)
    for bot in bots:
        bot.stop()
    bots[0].start().wait_ready()
    waited(c, "demo", "4 hours 10 minutes")
    second = c.slack.wait_for(lambda: reminders(c, "demo")[1:], "the second reminder", 30)
    assert len(second) == 1
    assert "<@U0APPR> and <@U0APPR3>: *payments/demo*" in second[0], second
    assert "1 more approval" in second[0]
    bots[1].start().wait_ready()

    # Decided: nobody is asked again.
    press(c, "U0APPR", channel, card, "approve")
    c.wait_state("demo", "queued", "creating", "ready")
    ask(c, "U0DEV", "create small next")
    c.message("next", "card")
    waited(c, "demo", "13 hours")
    waited(c, "next", "13 hours")
    said_under(c, "next", "card", ":bell:")
    c.settle(30)
    assert len(reminders(c, "demo")) == 2
    # Three were overdue at once: one was said for all of them.
    assert len(reminders(c, "next")) == 1
    assert c.environment_row("next")["reminded"] == 3
    assert c.environment_row("next")["remind_at"] is None


def test_only_those_whose_vote_is_wanted_are_reminded(company, tmp_path):
    c = with_policy(company, tmp_path, count=2, groups={"slack:security": 1}, remind=["1h", "4h"])
    c.slack.group("security", add=["U0APPR3", "U0MGR"])  # who may not approve is not asked either
    c.serve()
    ask(c, "U0DEV", "create small demo")
    channel, _, card = c.message("demo", "card")
    press(c, "U0APPR", channel, card, "approve")
    c.slack.wait_for(lambda: c.slack.whispers("U0APPR"), "the vote is counted", 30)
    waited(c, "demo", "61 minutes")
    _, first = said_under(c, "demo", "card", ":bell:")
    assert re.match(r":bell: <@U0APPR3>: \*payments/demo\*", first["text"]), first["text"]


def test_a_reminder_waits_while_a_question_is_open(company, tmp_path):
    c = with_policy(company, tmp_path, lapse="10h", remind=["2h"])
    c.serve()
    ask(c, "U0DEV", "create small demo")
    waited(c, "demo", "1 hour")
    ask(c, "U0APPR", "ask demo what for?")
    waited(c, "demo", "5 hours")
    ask(c, "U0DEV", "create small other")
    waited(c, "other", "3 hours")
    said_under(c, "other", "card", ":bell:")
    assert reminders(c, "demo") == []
    ask(c, "U0DEV", "answer demo a demo")
    waited(c, "demo", "6 hours 10 minutes")
    said_under(c, "demo", "card", ":bell:")


def test_a_reminder_comes_in_time_when_slack_cannot_tell_who_is_needed(company, tmp_path):
    c = with_policy(company, tmp_path, remind=["1h"])
    bot = c.serve()
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")
    bot.stop()
    c.slack.fault("usergroups.list", "error", error="internal_error", count=1000)
    waited(c, "demo", "2 hours")
    bot.start().wait_ready()
    _, told = said_under(c, "demo", "card", ":bell:")
    assert told["text"].startswith(":bell: *payments/demo*, asked for by developer, still waits for ")


def test_a_reminder_waits_a_little_for_slack_to_tell_who_is_needed(company, tmp_path):
    c = with_policy(company, tmp_path, remind=["1h"])
    bot = c.serve()
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")
    bot.stop()
    c.slack.fault("usergroups.list", "error", error="internal_error", count=1)
    waited(c, "demo", "61 minutes")
    bot.start().wait_ready()
    _, told = said_under(c, "demo", "card", ":bell:", 40)
    assert "<@U0APPR>, <@U0APPR2> and <@U0APPR3>: " in told["text"]


def look_again(c):
    c.database.query("UPDATE looks SET looked_at = now() - interval '1 hour' RETURNING 1")


def test_when_nobody_can_approve_any_more_it_is_said_once(company, tmp_path):
    c = with_policy(company, tmp_path, count=2, lapse="1d")
    bots = [c.serve(), c.serve()]
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")
    for bot in bots:  # what Slack said of groups is known for a minute
        bot.stop()
    c.slack.group("platform-approvers", remove=["U0APPR2", "U0APPR3"])
    look_again(c)
    for bot in bots:
        bot.start().wait_ready()
    _, told = in_thread(c, "demo", "nobody can approve")
    for words in ("<@U0DEV>", "it needs 2 approvals", "name only 1 who could give one in payments",
                  "lapses <!date^"):
        assert words in told["text"], told["text"]
    c.slack.wait_for(lambda: [m for m in c.slack.messages("C0OPS") if "bind the role to more people"
                              in m["text"]], "the operators are told", 30)
    look_again(c)
    c.slack.wait_for(lambda: c.database.one(
        "SELECT looked_at > now() - interval '1 minute' FROM looks"), "it is looked again",
        30)
    c.settle(30)
    assert c.thread_text("demo").count("nobody can approve") == 1
    assert len([m for m in c.slack.messages("C0OPS") if "nobody can give" in m["text"]]) == 1
    assert c.environment_row("demo")["state"] == "pending"


def test_what_is_automatic_needs_nobody_and_everything_else_the_whole_policy(company, tmp_path):
    c = with_policy(company, tmp_path, count=2, groups={"slack:security": 1}, lapse="1d",
                    remind=["1h"], escalate={"after": "4h", "channel": "C0GEN"},
                    automatic=[{"nodes": {"max": 1}, "ttl": {"max": "2h"}},
                               {"instance": "m6i.large", "ttl": {"max": "1h"}}])
    c.serve()
    for name, wish in (("one", "--nodes 1 --ttl 2h"),
                       ("two", "--nodes 2 --ttl 1h --instance m6i.large")):
        assert "needs no approval" in ask(c, "U0DEV", f"create small {name} {wish}")
        c.wait_state(name, "ready", seconds=60)
    for name, wish in (("three", "--nodes 2 --ttl 2h"), ("four", "--nodes 1 --ttl 3h"),
                       ("five", "--nodes 3 --ttl 1h")):
        assert "You asked for" in ask(c, "U0DEV", f"create small {name} {wish}")
        waited(c, name, "5 hours")
        c.message(name, "card-escalated", 30)
        said_under(c, name, "card", ":bell:")
    waited(c, "one", "5 hours")
    waited(c, "two", "5 hours")
    c.settle(30)
    assert c.database.one("SELECT count(*) FROM messages m JOIN environments e"
                          " ON e.id = m.environment WHERE m.place LIKE 'card%%'"
                          " AND e.name IN ('one', 'two')") == 0
    assert {c.environment_row(n)["state"] for n in ("three", "four", "five")} == {"pending"}


def test_new_rules_under_which_nobody_can_approve_are_told_of_once_each(company, tmp_path):
    rules = tmp_path / "rbac"
    shutil.copytree(os.path.join(ROOT, "deploy", "rbac"), rules)
    binding = (rules / "team-payments.yaml").read_text()
    c = with_policy(company, tmp_path, rules=str(rules), lapse="1d")
    bot = c.serve()
    ask(c, "U0DEV", "create small demo")
    c.message("demo", "card")

    def under_new_rules(text):
        bot.stop()
        version = c.database.one("SELECT rules FROM looks")
        (rules / "team-payments.yaml").write_text(text)
        bot.start().wait_ready()
        c.slack.wait_for(lambda: c.database.one("SELECT rules FROM looks") != version,
                         "the request is looked at again", 30)
        c.settle(30)
        return c.thread_text("demo").count("nobody can approve")

    nobody = binding.replace("slack:platform-approvers", "slack:nobody-there")
    assert nobody != binding
    assert under_new_rules(nobody) == 1
    _, told = in_thread(c, "demo", "nobody can approve")
    assert "the rules name no one but the requester for `approve`" in told["text"]
    assert under_new_rules(binding) == 1
    assert under_new_rules(nobody + "# as before\n") == 2
    assert under_new_rules(nobody) == 2  # these are known already
    assert len([m for m in c.slack.messages("C0OPS") if "nobody can give" in m["text"]]) == 2
    # Mended, it can be approved.
    under_new_rules(binding)
    c.approve("demo")
    c.wait_state("demo", "queued", "creating", "ready")
