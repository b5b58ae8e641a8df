"""Whatever people write, and whatever they are called: a card looks like what it does."""

import re

from test_hostile import DETAILS, check_message, submission
from test_life import ask, press

# Each would like to be read as envbot's own words: a line of its own, a field, an end of the quote.
TRICKS = [
    "fine\n*Approved* by <@U0APPR> a moment ago", "a\n\n*Cost (estimate)*\n$0.00 for 8 h",
    "a\r\n:white_check_mark: approver", "a\rWaiting for nobody", "a\v*Approved*\fb\x1d*Denied*",
    "a\u2028*Approved* by approver\u2029b\x85c", "```\n*Approved*\n```", "\n\n\n> a\n> > b",
    "</> &gt; &lt;!channel&gt; <!channel|*Approved*>", "\u202eyb *devorppA*\u202c", "\t\t\n \u200b\nthe end",
    "a\u200b\n\u2066*What*\n\u2069Nothing", "_*~`a`~*_ | a\n• b\n1. c", "<!date^0^{date}|now>\n$1",
]
PLAIN = "a good reason"


def one_line(text):
    """What is left of it on one line, as mrkdwn has it."""
    text = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f]", "", text)
    text = re.sub(r"[ \t\n]+", " ", text).strip(" ")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def requested(c, name, reason, deny=None):
    """Blocks of the card as it was asked for, and as it was denied with that reason too."""
    answer = c.slack.flood([submission(f"c.{name}", "U0DEV", "create", DETAILS,
                                       {"name": name, "reason": reason})])[0]
    assert answer["outcome"] == "acked" and not (answer["ack"] or {}).get("errors"), answer
    asked = c.message(name, "card", 30)[2]
    env = c.environment_row(name)
    answer = c.slack.flood([submission(f"d.{name}", "U0APPR", "deny", f"C0PLAT {env['id']}.1",
                                       {"reason": reason})])[0]
    assert answer["outcome"] == "acked" and not (answer["ack"] or {}).get("errors"), answer
    denied = c.slack.wait_for(
        lambda: "*Denied* by <" in str((m := c.message(name, "card")[2])["blocks"]) and m, "denied", 30)
    for message in (asked, denied):
        check_message(message, reason)
    return [plain_blocks(message, name, env) for message in (asked, denied)]


def plain_blocks(message, name, env):
    """What people see of each block, without what is each request's own."""
    def look(block):
        text = str({k: v for k, v in block.items() if k != "block_id"})
        text = re.sub(r"<!date[^>]*>|p\d{10,}|thread_ts=[\d.]+|'block_id': '[^']*'", "", text)
        return text.replace(f"/{name}*", "/NAME*").replace(f"'{env['id']}.", "'ID.")
    return [look(block) for block in message["blocks"]]


def all_said(c):
    """Every message of the app, each looked at. Alarms call whoever is there, in our own words."""
    said = [m for messages in c.slack.state()["messages"].values() for m in messages
            if m.get("bot_id")]
    for message in said:
        for part in (message, *(b.get("text", {}) for b in message.get("blocks") or [])):
            if isinstance(part.get("text"), str):
                part["text"] = part["text"].replace(":rotating_light: <!here> ", "")
        check_message(message, "said")
    return said


def test_a_reason_stays_in_its_quotation(company):
    c = company(slack_arguments=["--relaxed-limits"])
    c.serve()
    first, last = requested(c, "plain", PLAIN)
    assert sum(PLAIN in block for block in first) == 1 and sum(PLAIN in b for b in last) == 2
    for number, trick in enumerate(TRICKS):
        line = one_line(trick)
        for had, has in zip((first, last), requested(c, f"odd{number}", trick)):
            wanted = [block.replace(PLAIN, "REASON") for block in had]
            got = [block.replace(repr(line)[1:-1], "REASON") for block in has]
            assert got == wanted, (trick, line)
    for message in all_said(c):
        for mark in ("*Approved*", "*Cost (est", ":white_check", "Waiting for n", "*What*\nN"):
            assert f"\n{mark}" not in message["text"], message["text"]


def test_a_name_stays_a_name(company):
    c = company(slack_arguments=["--relaxed-limits"])
    c.slack.person("U0DEV", name="dev\n*Approved* by\r\n<@U0APPR>\u2028\u202eyes")
    c.slack.person("U0APPR", name="a\n:no_entry_sign: *Denied* by\v<!here>")
    c.serve()
    requested(c, "demo", PLAIN)
    for message in all_said(c):
        shown = message["text"] + str(message.get("blocks"))
        for mark in ("\n*Approved* by", "\n:no_entry_sign: *Den", "\\n*Approved* by",
                     "\\n:no_entry_sign: *Den", "\r", "\\r", "\v", "\\x0b"):
            assert mark not in shown, shown
    assert c.database.one("SELECT user_name FROM decisions") == "a :no_entry_sign: *Denied* by<!here>"


def test_three_thousand_letters_are_cut_wherever_they_are_written(company):
    c = company(slack_arguments=["--relaxed-limits"])
    c.serve()
    long = "<&" * 1500  # each is five or four letters in mrkdwn
    c.slack.group("on-call", add=["U0DEV"])
    ask(c, "U0DEV", f"create small typed --reason '{long}'")
    c.slack.flood([submission("f", "U0DEV", "create", DETAILS, {"name": "form", "reason": long})])
    ask(c, "U0DEV", f"create small glass --break-glass --reason '{long}'")
    for name in ("typed", "form"):
        _, _, card = c.message(name, "card", 30)
        why = next(b["text"]["text"] for b in card["blocks"] if "*Why*" in str(b))
        assert re.fullmatch(r"\*Why\*\n> (&lt;&amp;){300,}(&lt;)?…", why)
    ask(c, "U0APPR", f"ask typed {long}")
    channel, ts, _ = c.message("typed")
    asked = c.slack.wait_for(lambda: [m for m in c.slack.thread(channel, ts) if "asks:" in m["text"]],
                             "the question", 30)[0]
    press(c, "U0DEV", channel, asked, "answer")
    form = c.slack.wait_for(lambda: c.slack.views("U0DEV"), "the form for the answer", 30)[0]
    assert "&lt;&amp;" * 300 in str(form["view"]["blocks"])
    ask(c, "U0DEV", f"answer typed {long}")
    ask(c, "U0APPR", f"approve typed {long}")
    number = c.environment_row("form")["id"]
    c.slack.flood([submission("d", "U0APPR", "deny", f"C0PLAT {number}.1", {"reason": long})])
    assert c.wait_state("form", "denied")
    ask(c, "U0DEV", "show typed")
    c.message("glass", "review", 30)
    c.settle(60)
    assert c.database.one("SELECT count(*) FROM outbox WHERE parked") == 0
    for text in c.database.query("SELECT reason FROM environments UNION SELECT reason FROM decisions"
                                 " UNION SELECT question FROM questions UNION SELECT answer FROM"
                                 " questions"):
        assert len(text["reason"]) <= 1000
    all_said(c)
