"""One-time codes: a stolen Slack session alone approves nothing."""

import base64
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.parse

import psycopg2
import pytest
from pyzbar import pyzbar

KEY = base64.b64encode(bytes(range(32))).decode()
HERE = os.path.dirname(os.path.abspath(__file__))


def with_codes(tmp_path, more=""):
    """The templates, where small asks its approvers for a code."""
    templates = tmp_path / "templates"
    shutil.copytree(os.path.join(HERE, "..", "..", "templates"), templates)
    path = templates / "environments" / "small.yaml"
    text = path.read_text()
    assert text.count("approval:\n") == 1
    path.write_text(text.replace("approval:\n", f"approval:\n  code: true\n{more}"))
    return str(templates)


@pytest.fixture
def guarded(company, tmp_path):
    """A company whose template small asks for codes, with a key and two approvers to enrol."""
    def make(**more):
        more.setdefault("slack_arguments", ["--relaxed-limits"])
        options = {"approvals.code_key": KEY, **more.pop("options", {})}
        return company(templates=with_codes(tmp_path), options=options, **more)
    return make


def enrol(c, user="U0APPR"):
    """Enrols on the terminal; the secret, as a person would type it off."""
    done = c.run("enrol", user)
    assert done.returncode == 0, done.stderr
    groups = re.search(r"^  ((?:[A-Z2-7]{4} ){7}[A-Z2-7]{4})$", done.stdout, re.M)
    assert groups, done.stdout
    return groups.group(1).replace(" ", "")


def oathtool(secret, steps=0):
    """The code of so many steps from now, from Debian's oathtool."""
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() + 30 * steps))
    return subprocess.run(["oathtool", "--totp", "--base32", f"--now={at}", secret], text=True,
                          check=True, capture_output=True).stdout.strip()


def wrong(secret, count=1):
    near = {oathtool(secret, steps) for steps in range(-4, 5)}
    return [code for code in map("{:06}".format, range(100)) if code not in near][:count]


def ask(c, name):
    answer = c.slack.type("U0DEV", "C0GEN", f"create small {name}")
    assert "You asked" in answer["shown"][0]["text"], answer["shown"]
    c.message(name, "card")


def click(c, name, user="U0APPR", action="approve"):
    """The id of the form that the click opens."""
    before = {view["view_id"] for view in c.slack.views(user)}
    channel, ts, _ = c.message(name, "card")
    c.slack.click(user, channel, ts, action)
    return c.slack.wait_for(
        lambda: next((v["view_id"] for v in c.slack.views(user) if v["view_id"] not in before),
                     None), "the form for the code", 30)


def send(c, form, code, user="U0APPR"):
    """What the form says at its code; None when it was taken."""
    answer = c.slack.submit(user, form, {"code": {"code": code}}, wait=15.0)
    assert answer["outcome"] == "acked", answer
    return (answer["errors"] or {}).get("code") if answer.get("errors") else None


def heard(c, user):
    return c.slack.whispers(user) + [m if isinstance(m, str) else m["text"]
                                     for m in c.slack.direct(user)]


def refused_click(c, name, user="U0APPR"):
    before = len(c.slack.whispers(user))
    channel, ts, _ = c.message(name, "card")
    c.slack.click(user, channel, ts, "approve")
    return c.slack.wait_for(lambda: c.slack.whispers(user)[before:], "an answer", 30)[0]


def row(c, user="U0APPR"):
    return c.database.query("SELECT * FROM enrolments WHERE user_id = %s", user)[0]


def undecided(c, name):
    assert c.environment_row(name)["state"] == "pending"
    assert c.database.one("SELECT count(*) FROM decisions") == 0


def test_an_approval_counts_with_a_right_code_only(guarded):
    c = guarded()
    secret = enrol(c)
    c.serve()
    ask(c, "demo")
    form = click(c, "demo")
    undecided(c, "demo")
    said = send(c, form, wrong(secret)[0])
    assert said == ("That code is not right, so nothing was decided. Take the one that your app"
                    " shows now; 4 tries left.")
    undecided(c, "demo")
    # The decision was refused, and the try counts all the same; so does no other thing.
    assert row(c)["failures"] == 1
    audit = c.database.query("SELECT * FROM audit WHERE event = 'code-wrong'")
    assert [(a["actor"], a["detail"]) for a in audit] == [
        ("T0ACME/U0APPR", {"failures": 1, "locks": False})]
    for text in ("12345", "1234567", "abcdef", "١٢٣٤٥٦"):
        assert send(c, form, text) == "A code has 6 digits. Nothing was decided.", text
    assert row(c)["failures"] == 1

    code = oathtool(secret)
    assert send(c, form, f"{code[:3]} {code[3:]}") is None
    c.wait_state("demo", "queued", "creating", "ready")
    assert row(c)["failures"] == 0
    assert c.database.one("SELECT count(*) FROM decisions WHERE word = 'approve'") == 1
    assert c.database.one("SELECT detail ->> 'code' FROM audit WHERE event = 'approve'") == "true"
    assert "You approved demo. It goes ahead." in c.slack.wait_for(
        lambda: c.slack.whispers("U0APPR"), "an answer")


def test_codes_of_a_step_early_or_late_count_each_once(guarded):
    c = guarded()
    secret = enrol(c)
    c.serve()
    for name in ("one", "two", "three"):
        ask(c, name)
    code = oathtool(secret)
    assert send(c, click(c, "one"), code) is None
    c.wait_state("one", "queued", "creating", "ready")
    form = click(c, "two")
    used = ("That code was used already, and each counts once. Wait for the next one; nothing was"
            " decided.")
    assert send(c, form, code) == used
    assert c.environment_row("two")["state"] == "pending"
    assert row(c)["failures"] == 0
    # The telephone's clock is a step ahead.
    ahead = oathtool(secret, 1)
    assert send(c, form, ahead) is None
    c.wait_state("two", "queued", "creating", "ready")
    # What was current before that one counts no more.
    form = click(c, "three")
    for late in (code, ahead):
        assert send(c, form, late) == used
    assert send(c, form, oathtool(secret, 4)).startswith("That code is not right")
    assert c.environment_row("three")["state"] == "pending"


def test_of_two_clicks_with_one_code_one_counts(guarded):
    c = guarded()
    secret = enrol(c)
    c.serve()
    c.serve()
    names = ("left", "right")
    for name in names:
        ask(c, name)
    forms, said = {name: click(c, name) for name in names}, {}
    code = oathtool(secret)
    threads = [threading.Thread(target=lambda n=name: said.update({n: send(c, forms[n], code)}))
               for name in names]
    # Held here, so that both have come as far as they can before either may go on.
    holder = psycopg2.connect(c.database.url)
    holder.cursor().execute("SELECT FROM enrolments FOR UPDATE")
    for thread in threads:
        thread.start()
    c.slack.wait_for(lambda: c.database.one(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'") == 2, "both wait for the enrolment")
    holder.rollback()
    holder.close()
    for thread in threads:
        thread.join()
    assert sorted(words is None for words in said.values()) == [False, True], said
    assert "used already" in "".join(filter(None, said.values()))
    for name, words in said.items():
        if words is None:
            c.wait_state(name, "queued", "creating", "ready")
        else:
            assert c.environment_row(name)["state"] == "pending"
    assert row(c)["failures"] == 0
    assert c.database.one("SELECT count(*) FROM decisions") == 1


def test_five_wrong_codes_lock_for_a_quarter_of_an_hour_and_tell(guarded):
    c = guarded()
    secret, other = enrol(c), enrol(c, "U0APPR2")
    c.serve()
    c.serve()
    ask(c, "demo")
    # All at once, so that nobody guesses between two looks at the count.
    forms = [click(c, "demo") for _ in range(8)]
    said, ready = [None] * 8, threading.Barrier(8)

    def run(which, code):
        ready.wait()
        said[which] = send(c, forms[which], code)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(wrong(secret, 8))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kinds = sorted(re.sub(r"\d+ tr.*|another .*", "", words) for words in said)
    assert sum(words.startswith("That code is not right, so") for words in kinds) == 4, said
    assert sum(words.startswith("That code is not right either. Your codes are locked for 15 min")
               for words in said) == 1, said
    assert sum(words.startswith("Your codes are locked for another") for words in said) == 3, said
    assert row(c)["failures"] == 5
    left = c.database.one("SELECT extract(epoch FROM locked_until - now()) FROM enrolments"
                          " WHERE user_id = 'U0APPR'")
    assert 800 < left <= 900

    operators = c.slack.wait_for(lambda: [m["text"] for m in c.slack.messages("C0OPS")
                                          if "one-time codes" in m["text"]], "the operators")
    assert operators == [":warning: <@U0APPR> gave 5 wrong one-time codes to approve"
                         " *payments/demo*. Their codes are locked for 15 min. If it was not them,"
                         " their Slack session is in other hands."]
    c.slack.wait_for(lambda: [w for w in heard(c, "U0APPR") if "If that was not you" in w],
                     "a direct message to the person")

    # A right code does not count now, nor does another form open; others go on.
    locked = "Your codes are locked for another 15 min, after 5 wrong ones. Nothing was decided."
    assert send(c, forms[0], oathtool(secret)) == locked
    assert refused_click(c, "demo") == locked
    undecided(c, "demo")
    assert row(c)["last_step"] == 0

    # The lock is over: the clock that counts is the database's.
    c.database.query("UPDATE enrolments SET locked_until = now() - interval '1 second'"
                     " WHERE user_id = 'U0APPR'")
    assert send(c, forms[1], wrong(secret)[0]).endswith("4 tries left.")
    assert send(c, forms[1], oathtool(secret)) is None
    c.wait_state("demo", "queued", "creating", "ready")
    assert (row(c)["failures"], row(c)["locked_until"]) == (0, None)
    ask(c, "second")
    assert send(c, click(c, "second", "U0APPR2"), oathtool(other), "U0APPR2") is None


def test_a_code_is_not_typed_and_a_deny_needs_none(guarded):
    c = guarded()
    secret = enrol(c)
    c.serve()
    ask(c, "demo")
    use_the_button = ("Use the button Approve on the card of demo: this template asks for a"
                      " one-time code, and a command is no place for one. Nothing was decided.")
    for text in ("approve demo", "approve demo " + oathtool(secret)):
        assert c.slack.type("U0APPR", "C0GEN", text)["shown"][0]["text"] == use_the_button
    undecided(c, "demo")
    # Who is not enrolled is told whom to ask; who may not approve learns nothing of codes.
    assert refused_click(c, "demo", "U0APPR2") == (
        "This template asks for a one-time code, and you are not enrolled for them. Ask whoever"
        " runs envbot to do it (envbot enrol U0APPR2). Nothing was decided.")
    assert "do not name you as an approver" in refused_click(c, "demo", "U0BYST")
    # The form in other hands: their own enrolment is asked for, and theirs alone.
    form = click(c, "demo")
    assert "you are not enrolled" in send(c, form, oathtool(secret), "U0APPR2")
    undecided(c, "demo")
    assert row(c)["failures"] == 0

    form = click(c, "demo", "U0APPR2", "deny")
    c.slack.submit("U0APPR2", form, {"reason": {"reason": "use the shared one"}})
    c.wait_state("demo", "denied")
    # What is decided is told without spending a code.
    form = c.slack.views("U0APPR")[-1]["view_id"]
    answer = c.slack.submit("U0APPR", form, {"code": {"code": oathtool(secret)}})
    assert "already denied" in answer["errors"]["code"]
    assert row(c)["last_step"] == 0


def test_a_second_delivery_of_a_wrong_code_is_counted_once(guarded):
    c = guarded()
    secret = enrol(c)
    c.serve()
    ask(c, "demo")
    form = click(c, "demo")
    answer = c.slack.submit("U0APPR", form, {"code": {"code": wrong(secret)[0]}})
    again = c.slack.redeliver(answer["envelope_id"])
    assert again["outcome"] == "acked"
    assert again["ack"] == {"response_action": "errors", "errors": answer["errors"]}, again
    assert row(c)["failures"] == 1


def test_secrets_lie_sealed_and_belong_to_one_person(guarded):
    c = guarded(options={"log.level": "debug"})
    secret, other = enrol(c), enrol(c, "U0APPR2")
    bot = c.serve()
    plain = base64.b32decode(secret)
    stored = bytes(row(c)["secret"])
    assert len(stored) == 12 + 20 + 16
    assert plain not in stored and secret.encode() not in stored
    # What is another's opens for nobody else, whatever their own secret was.
    c.database.query("UPDATE enrolments SET secret = (SELECT secret FROM enrolments"
                     " WHERE user_id = 'U0APPR2') WHERE user_id = 'U0APPR'")
    ask(c, "demo")
    form = click(c, "demo")
    cannot = ("envbot cannot read your enrolment for one-time codes: its key was changed. Ask"
              " whoever runs envbot to enrol you again (envbot enrol U0APPR). Nothing was decided.")
    assert send(c, form, oathtool(other)) == cannot
    assert send(c, form, oathtool(secret)) == cannot
    undecided(c, "demo")
    code = oathtool(other)
    assert send(c, click(c, "demo", "U0APPR2"), code, "U0APPR2") is None
    c.wait_state("demo", "queued", "creating", "ready")
    c.settle()
    everything = bot.log() + str(c.database.query("SELECT * FROM audit")) + str(
        c.database.query("SELECT * FROM outbox")) + str(
        c.database.query("SELECT * FROM envelopes")) + str(c.database.query("SELECT * FROM decisions"))
    for hidden in (secret, other, KEY, f'"{code}"', f"={code} "):
        assert hidden not in everything, hidden


def scan(text):
    """What is in the QR code that stands in the text, as a camera sees it."""
    lines = [line[2:] for line in text.splitlines() if line.startswith("  ") and
             set(line) <= set(" █▀▄") and "█" in line]
    size, scale = len(lines[0]), 6
    pixels = bytearray()
    for line in lines:
        assert len(line) == size
        for half in ("█▀", "█▄"):
            stripe = b"".join((b"\xff" if each in half else b"\x00") * scale for each in line)
            pixels += stripe * scale
    found = pyzbar.decode((bytes(pixels), size * scale, len(lines) * 2 * scale))
    assert len(found) == 1, text
    return found[0].data.decode()


def test_the_terminal_shows_a_code_to_scan_once(guarded):
    c = guarded()
    assert c.run("migrate").returncode == 0
    done = c.run("enrol", "U0APPR")
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.startswith("approver (U0APPR) is enrolled for one-time codes.\n")
    scanned = urllib.parse.urlsplit(scan(done.stdout))
    assert (scanned.scheme, scanned.netloc) == ("otpauth", "totp")
    assert urllib.parse.unquote(scanned.path) == "/envbot Acme:approver"
    asked = dict(urllib.parse.parse_qsl(scanned.query))
    secret = asked.pop("secret")
    assert asked == {"issuer": "envbot Acme", "algorithm": "SHA1", "digits": "6", "period": "30"}
    assert len(base64.b32decode(secret)) == 20
    assert " ".join(re.findall("....", secret)) in done.stdout

    again = c.run("enrol", "U0APPR")
    assert again.stdout.splitlines()[0].endswith(
        "This takes the place of their earlier secret, whose codes count no longer.")
    assert secret not in scan(again.stdout)
    assert c.database.one("SELECT count(*) FROM enrolments") == 1
    assert c.run("enrol", "--remove", "U0APPR").returncode == 0
    assert c.database.one("SELECT count(*) FROM enrolments") == 0
    gone = c.run("enrol", "--remove", "U0APPR")
    assert (gone.returncode, gone.stderr) == (1, "envbot: approver (U0APPR) is not enrolled.\n")
    audit = c.database.query("SELECT * FROM audit ORDER BY id")
    assert [(a["actor"], a["event"], a["detail"]) for a in audit] == [
        ("operator", "enrol", {"user": "T0ACME/U0APPR", "name": "approver", "replaced": False}),
        ("operator", "enrol", {"user": "T0ACME/U0APPR", "name": "approver", "replaced": True}),
        ("operator", "enrolment-removed", {"user": "T0ACME/U0APPR", "name": "approver"})]
    assert secret not in str(audit)


def test_an_earlier_secret_counts_no_longer(guarded):
    c = guarded()
    first = enrol(c)
    c.serve()
    ask(c, "demo")
    form = click(c, "demo")
    second = enrol(c)
    assert send(c, form, oathtool(first)).startswith("That code is not right")
    c.run("enrol", "--remove", "U0APPR")
    assert "you are not enrolled" in send(c, form, oathtool(second))
    undecided(c, "demo")


def test_who_may_decide_nothing_is_not_enrolled(guarded):
    c = guarded()
    c.slack.person("U0BOT", name="helper-bot", is_bot=True)
    for user, why in (("U0GUEST", "is a guest"), ("U0GONE", "is deactivated"),
                      ("U0STRNGR", "is not of this workspace"), ("U0BOT", "is a bot"),
                      ("U0NOBODY", "Slack knows nobody called U0NOBODY in this workspace")):
        done = c.run("enrol", user)
        assert done.returncode == 1 and why in done.stderr and not done.stdout, done
    for words in (["enrol"], ["enrol", "approver"], ["enrol", "@U0APPR"],
                  ["enrol", "U0APPR", "U0APPR2"], ["enrol", "U0APPR", "--forget"]):
        assert c.run(*words).returncode == 2, words
    assert c.database.one("SELECT to_regclass('enrolments')") is None or \
        c.database.one("SELECT count(*) FROM enrolments") == 0
    c.slack.fault("users.info", do="error", error="internal_error", count=100)
    done = c.run("enrol", "U0APPR")
    assert done.returncode == 1 and "cannot tell at the moment who U0APPR is" in done.stderr


def test_without_a_key_it_is_said_what_to_do(company, tmp_path):
    c = company(templates=with_codes(tmp_path), slack_arguments=["--relaxed-limits"])
    checked = c.run("check")
    assert checked.returncode == 1
    assert "WRONG   one-time codes" in checked.stdout
    assert "the template small asks for one-time codes" in checked.stdout
    assert "approvals.code_key_file" in checked.stdout
    done = c.run("enrol", "U0APPR")
    assert done.returncode == 1 and "approvals.code_key_file" in done.stderr
    c.serve()
    ask(c, "demo")
    assert "has no key for them" in refused_click(c, "demo")
    undecided(c, "demo")

    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    c.write_config("\n  - {name: payments}\n", {"approvals.code_key_file": str(key)})
    assert "ok      one-time codes" in c.run("check").stdout
    assert c.run("enrol", "U0APPR").returncode == 0
    key.write_text("too short\n")
    bad = c.run("enrol", "U0APPR")
    assert bad.returncode == 1 and "approvals.code_key: 32 bytes are wanted" in bad.stderr
    assert "too short" not in bad.stderr


def test_who_asks_is_told_when_no_approver_could_prove_themselves(guarded):
    c = guarded()
    c.serve()

    def asked(text):
        return c.slack.type("U0DEV", "C0GEN", f"create small {text}")["shown"][0]["text"]
    missing = "Its approvers prove themselves with a one-time code, and none of them is enrolled"
    for text in ("one", "two --dry-run"):
        assert missing in asked(text)
    enrol(c, "U0MGR")  # who is no approver
    assert missing in asked("three --dry-run")
    enrol(c)
    assert "one-time code" not in asked("four") + asked("five --dry-run")
    assert "one-time code" not in asked("six --nodes 1 --ttl 1h")  # it needs nobody
