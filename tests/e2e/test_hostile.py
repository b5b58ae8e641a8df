"""Whatever is typed into whatever field: an answer each, and nothing that was not asked for."""

import html
import itertools
import re

from hostile_texts import SHORT, all_texts, says_something

TEXTS = all_texts()

# "{}" is the text. What makes each a mistake is the text alone.
COMMANDS = [
    "{}", "help {}", "whoami {}", "templates {}", "create {}", "create {} name", "create small {}",
    "create small ok {}", "create small ok --ttl {}", "create small ok --team {}",
    "create small ok --region {}", "create small ok --set {}", "create small ok --set nodes={}",
    "create small ok --set {}=1", "create small ok --nodes {}", "create small ok --instance {}",
    "create small ok --version={}", "create small ok --x{} 1", "list {}", "list --team {}",
    "list --state {}", "show {}", "show demo --team {}", "logs {}", "extend {} 1h", "extend demo {}",
    "delete {}", "withdraw {}", "retry {}", "approve {}", "deny {} no", "deny demo --team {} no",
    "quota {}", "quota set {} nodes=1", "quota set payments {}", "quota set payments nodes={}",
    "quota set payments {}=1", "report {}", "report --month {}", "report payments --month={} --csv",
]
# callback_id, private_metadata, what else is filled in, and the fields to try
DETAILS = "C0GEN small payments"
FORMS = [
    ("create", "C0GEN", {"template": "small", "team": "payments"}, ["template", "team"]),
    ("create", DETAILS, {"name": "ok"},
     ["name", "ttl", "region", "set-nodes", "set-instance", "set-version"]),
    ("extend", "C0GEN 1", {}, ["time"]),
]
ACTIONS = ["approve", "deny", "ask", "answer", "seen", "end", "extend", "delete", "withdraw",
           "retry", "logs"]

# What may stand between < and > in what Slack shows: people and channels that envbot itself names.
OWN_MARKS = re.compile(r"@U0(DEV2?|APPR\d?|MGR)|#C0PAY|!date\^\d+\^\{date_short_pretty\} at \{time\}"
                       r"\|[A-Z][a-z]{2} \d\d [A-Z][a-z]{2} \d\d:\d\d UTC"
                       r"|http://127\.0\.0\.1:\d+/archives/\w+/p\d+(\?[\w=&;.]+)?\|[A-Za-z ]+")
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
                    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]")


def texts_in(blocks):
    """Every text of blocks, with whether Slack reads marks in it."""
    if isinstance(blocks, list):
        for each in blocks:
            yield from texts_in(each)
    elif isinstance(blocks, dict):
        if isinstance(blocks.get("text"), str):
            yield blocks["text"], blocks.get("type") == "mrkdwn"
        for key, each in blocks.items():
            if key not in ("value", "block_id"):
                yield from texts_in(each)


def check_shown(text, context):
    """Nothing in it pings, links or misleads, except what envbot put there itself."""
    for mark in re.findall(r"<([^>]*)>?", text):
        assert OWN_MARKS.fullmatch(mark), (context, mark, text[:300])
    assert ">" not in re.sub(r"<[^>]*>|^> ?", "", text, flags=re.M), (context, text[:300])
    assert not UNSEEN.search(text), (context, text[:300])
    assert not re.search(r"&(?!amp;|lt;|gt;)", text), (context, text[:300])


def check_message(message, context):
    check_shown(message.get("text", ""), context)
    assert message.get("text"), (context, message)
    for text, marks in texts_in(message.get("blocks") or []):
        if marks:
            check_shown(text, context)


def submission(number, user, callback, metadata, values):
    return {"do": "envelope", "type": "interactive", "takes_payload": True, "wait": 20, "payload": {
        "type": "view_submission", "user": {"id": user, "team_id": "T0ACME"},
        "team": {"id": "T0ACME"}, "trigger_id": f"form.{number}", "view": {
            "id": f"V{number}", "callback_id": callback, "private_metadata": metadata, "state": {
                "values": {k: {"value" if k.startswith("set-") else k: {
                    "type": "plain_text_input", "value": v}} for k, v in values.items()}}}}}


def typed(user, text):
    return {"do": "command", "user": user, "channel": "C0GEN", "text": text, "wait": 20}


def everything_tried():
    """(pattern, text, act) for each text in each place."""
    for pattern in COMMANDS:
        user = "U0MGR" if pattern.startswith(("quota", "report")) else "U0DEV"
        for text in TEXTS:
            # A name or time that is left out is no mistake.
            if "create small" in pattern and not says_something(text):
                continue
            yield pattern, text, typed(user, pattern.replace("{}", text))
    numbers = itertools.count()
    for callback, metadata, right, fields in FORMS:
        for field, text in itertools.product(fields, TEXTS):
            if says_something(text):
                yield f"form {callback}: {field}", text, submission(
                    next(numbers), "U0DEV", callback, metadata, {**right, field: text})


def the_state_of_things(c):
    """That somebody was refused is written down, and is no change."""
    tables = {table: c.database.query(f"SELECT * FROM {table} ORDER BY 1")
              for table in ("environments", "teams", "jobs", "decisions")}
    return tables | {"audit": c.database.query(
        "SELECT * FROM audit WHERE event <> 'refused' ORDER BY 1")}


def test_every_hostile_text_in_every_place_is_answered_and_does_nothing(company):
    c = company(slack_arguments=["--relaxed-limits"])
    bot = c.serve()
    assert "You asked" in c.slack.type("U0DEV", "C0GEN", "create small demo")["shown"][0]["text"]
    c.settle()
    before = the_state_of_things(c)
    assert len(TEXTS) > 200
    tried = list(everything_tried())

    for start in range(0, len(tried), 500):
        part = tried[start:start + 500]
        answers = c.slack.flood([act for _, _, act in part])
        for (place, text, _), answer in zip(part, answers):
            context = (place, text[:80])
            assert answer["outcome"] == "acked", context
            if place.startswith("form"):
                assert answer["ack"], context
                assert answer["ack"]["response_action"] == "errors", (context, answer)
                words = list(answer["ack"]["errors"].values())
                assert words and all(words), context
            elif not answer["shown"]:
                # `create` with nothing that can be seen opens the form
                assert place == "create {}" and not says_something(text), context
                continue
            else:
                assert len(answer["shown"][0]["text"]) <= 4000, context
                check_message(answer["shown"][0], context)
                words = [answer["shown"][0]["text"]]
            for each in words:
                assert "went wrong on our side" not in each, context
                assert "its database" not in each, context
                assert not UNSEEN.search(each), context
    assert before == the_state_of_things(c)
    assert bot.process.poll() is None and "a handler failed" not in bot.log()


def test_every_hostile_value_of_a_button_is_answered_and_does_nothing(company):
    c = company(slack_arguments=["--relaxed-limits"])
    bot = c.serve()
    c.slack.type("U0DEV", "C0GEN", "create small demo")
    channel, ts, _ = c.message("demo", "card")
    c.settle()
    before = the_state_of_things(c)
    heard = len(c.slack.whispers("U0APPR"))
    acts = [{"do": "click", "user": "U0APPR", "channel": channel, "ts": ts, "action_id": action,
             "forged": True, "wait": 20, "value": text}
            for text, action in zip(TEXTS, itertools.cycle(ACTIONS))
            if not re.fullmatch(r"\d{1,17}(\.\d+)?", text)]  # which is what such a value is
    assert {a["outcome"] for a in c.slack.flood(acts)} == {"acked"}
    said = c.slack.wait_for(
        lambda: len(w := c.slack.whispers("U0APPR")[heard:]) >= len(acts) and w, "all answers", 60)
    assert set(said) == {"This button is not one of envbot's. Nothing was done."}
    assert len(said) == len(acts)
    assert before == the_state_of_things(c)
    assert bot.process.poll() is None and "a handler failed" not in bot.log()


def seen(text):
    """What is left of a text for a reader's eyes."""
    text = re.sub("[\ud800-\udfff\x00]", "\ufffd", text)
    text = re.sub(UNSEEN.pattern, "", text)
    return re.sub(r"\s+", " ", text).strip()


def reasons():
    """All short texts, some hundred characters at a time, as a form lets one write them."""
    chunk = ""
    for text in [t for t in SHORT if says_something(t)]:
        if len(chunk) + len(text) > 200:
            yield chunk
            chunk = ""
        chunk += text[:300] + " ; "
    yield chunk


def test_what_people_wrote_is_shown_as_they_wrote_it_and_pings_nobody(company):
    c = company(slack_arguments=["--relaxed-limits"], teams="""
  - name: payments
    channel: C0PAY
    approvers_channel: C0PLAT
    members: [U0DEV]
    quota: {environments: 1000}
""")
    c.serve()
    c.slack.person("U0DEV", real_name="<!channel> *D* <@U0MGR>", name="<!here> \u202edev & co")
    c.slack.person("U0APPR", name="<https://evil.example|approver>")
    asked = {f"r{number}": text for number, text in enumerate(reasons())}
    assert len(asked) > 10

    acts = [submission(f"create.{name}", "U0DEV", "create", DETAILS, {"name": name, "reason": text})
            for name, text in asked.items()]
    assert {a["ack"] is None or not a["ack"].get("response_action")
            for a in c.slack.flood(acts)} == {True}
    ids = {r["name"]: r["id"] for r in c.database.query("SELECT id, name FROM environments")}
    assert set(ids) == set(asked)
    c.settle(60)
    for name, text in asked.items():
        _, _, card = c.message(name, "card")
        shown = " ".join(html.unescape(t) for t, _ in texts_in(card["blocks"]))
        assert seen(text) in seen(shown), (text, shown)

    acts = [submission(f"deny.{name}", "U0APPR", "deny", f"C0PLAT {ids[name]}.1", {"reason": text})
            for name, text in asked.items()]
    assert {(a["ack"] or {}).get("response_action") for a in c.slack.flood(acts)} == {None}
    assert {r["state"] for r in c.database.query("SELECT state FROM environments")} == {"denied"}
    c.settle(60)
    for name, text in asked.items():
        assert seen(text) in seen(html.unescape(c.thread_text(name)))
        answer = c.slack.type("U0DEV", "C0GEN", f"show {name}")["shown"][0]
        check_message(answer, f"show {name}")
    # A name that was chosen to mislead, in a sentence about a decision.
    answer = c.slack.type("U0APPR2", "C0GEN", "approve r0")["shown"][0]["text"]
    assert "denied by &lt;https://evil.example|approver&gt;, " in answer
    for channel, messages in c.slack.state()["messages"].items():
        for message in messages:
            if message.get("bot_id"):
                check_message(message, channel)
