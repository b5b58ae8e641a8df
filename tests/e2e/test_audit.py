"""The trail: what is written down, and that nobody can change it unseen."""

import csv
import datetime
import hashlib
import io
import json
import os
import subprocess

import psycopg2
import psycopg2.errors
import pytest

from built import built
from company import ROOT
from test_wrong_click import NO_APPROVER, ask, click

FIELDS = ["id", "at", "environment", "team", "name", "actor", "actor_name", "event", "from_state",
          "to_state", "rule", "rules_version", "envelope", "channel", "message", "detail"]
EXPORTED = ["number", "id", "at", "team", "environment", "name", "actor", "actor_name", "event",
            "from_state", "to_state", "rule", "rules_version", "channel", "message", "envelope",
            "detail", "sealed_at", "hash"]
MICROSECONDS = "(extract(epoch FROM {}) * 1000000)::bigint::text"


def rows(c, where="true"):
    return c.database.query(f"SELECT * FROM audit WHERE {where} ORDER BY id")


def sealed(c, seconds=20):
    """Waits until every row is in the chain."""
    c.slack.wait_for(lambda: c.database.one(
        "SELECT count(*) FROM audit a WHERE NOT EXISTS"
        " (SELECT FROM audit_chain WHERE audit = a.id)") == 0, "all rows are sealed", seconds)
    return c.database.one("SELECT count(*) FROM audit")


def record(number, previous, sealed_at, values):
    """A row as bot/store/audit_chain.h documents it, written without a look at the code."""
    parts = ["envbot audit 1", str(number), previous, sealed_at, *values]
    text = b""
    for part in parts:
        text += b"-," if part is None else b"%d:%s," % (len(part.encode()), part.encode())
    return text


def chain_of(c):
    """[(number, hash in hex as stored, as computed here)]"""
    columns = ", ".join("a.id::text, " + MICROSECONDS.format("a.at") + " AS at, a.environment::text"
                        if f == "id" else f"a.{f}::text" for f in FIELDS
                        if f not in ("at", "environment"))
    previous, found = "0" * 64, []
    for row in c.database.query(
            f"SELECT c.number, {MICROSECONDS.format('c.sealed_at')} AS sealed_at,"
            f" encode(c.hash, 'hex') AS hash, {columns} FROM audit_chain c"
            " LEFT JOIN audit a ON a.id = c.audit ORDER BY c.number"):
        values = [row[f] for f in FIELDS]
        previous = hashlib.sha256(record(row["number"], previous, row["sealed_at"],
                                         values)).hexdigest()
        found.append((row["number"], row["hash"], previous))
    return found


def verify(c, *more):
    done = c.run("audit", "--verify", *more)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def sound(c, *more):
    code, text = verify(c, *more)
    assert code == 0 and text.startswith("The audit is sound: "), text
    return text


def broken(c, *more):
    code, text = verify(c, *more)
    assert code == 1 and text.startswith("BROKEN  "), text
    return text[len("BROKEN  "):].strip()


def as_superuser(c, *statements):
    """What a superuser can do: take the triggers away, change things, and put them back."""
    guards = ["ALTER TABLE {} DISABLE TRIGGER ALL", "ALTER TABLE {} ENABLE TRIGGER ALL",
              "ALTER TABLE {} ENABLE ALWAYS TRIGGER audit_refuses"]
    for table in ("audit", "audit_chain"):
        c.database.query(guards[0].format(table))
    for statement in statements:
        c.database.query(statement)
    for table in ("audit", "audit_chain"):
        for guard in guards[1:]:
            c.database.query(guard.format(table))


def a_story(company, **more):
    """Requests, a refused click, a decision and a withdrawal: a handful of rows."""
    c = company(**more)
    c.serve()
    card = ask(c, "demo")
    click(c, "U0BYST", card)
    c.approve("demo")
    c.wait_state("demo", "ready", seconds=40)
    ask(c, "other")
    c.slack.type("U0DEV", "C0GEN", "withdraw other")
    return c


# ---- what is written ----

def test_a_row_says_what_who_where_by_which_rule_and_which_values(company):
    c = a_story(company)
    channel, ts, _ = c.message("demo", "card")
    (row,) = rows(c, "event = 'approve'")
    assert (row["team"], row["name"], row["actor"], row["actor_name"]) == (
        "payments", "demo", "T0ACME/U0APPR", "approver")
    assert (row["channel"], row["message"]) == (channel, ts)
    assert row["from_state"] == "pending" and row["to_state"] == "queued"
    assert "approvers" in row["rule"]
    assert row["rules_version"] == rows(c, "event = 'rules'")[-1]["detail"]["version"]
    assert c.database.one("SELECT count(*) FROM envelopes") > 0 and row["envelope"]
    values = row["detail"]["values"]
    assert values["template"] == "small" and values["parameters"]["nodes"] == 2
    assert values["ttl_seconds"] > 0 and values["revision"] == 1
    (request,) = rows(c, "event = 'request' AND name = 'demo'")
    assert request["channel"] == "C0GEN" and request["message"] is None
    assert request["actor"] == "T0ACME/U0DEV" and request["detail"]["values"] == values


def test_a_refused_decision_is_written_down_once_with_who_and_why(company):
    c = company()
    c.serve()
    card = ask(c, "demo")
    answer = c.slack.click("U0BYST", card[0], card[1], "approve", forged=True, value=card[2])
    c.slack.wait_for(lambda: c.slack.whispers("U0BYST"), "an answer", 30)
    c.slack.redeliver(answer["envelope_id"])
    (row,) = rows(c, "event = 'refused'")
    assert row["actor"] == "T0ACME/U0BYST" and row["actor_name"] == "bystander"
    assert (row["team"], row["name"]) == ("payments", "demo")
    assert (row["channel"], row["message"]) == card[:2]
    assert row["envelope"] == answer["envelope_id"]
    assert row["rules_version"] and row["rule"] is None
    assert row["detail"] == {"asked": "approve", "by": "button", "said": card[2],
                             "code": "denied", "answer": NO_APPROVER}


def test_every_way_to_be_refused_a_decision_leaves_a_row(company):
    c = company(slack_arguments=["--relaxed-limits"])
    c.serve()
    card = ask(c, "demo")
    tries = 0

    def refused(**expected):
        nonlocal tries
        tries += 1
        found = rows(c, "event = 'refused'")
        assert len(found) == tries, found
        row = found[-1] | found[-1]["detail"]
        assert {k: row[k] for k in expected} == expected

    click(c, "U0GUEST", card)
    refused(actor="T0ACME/U0GUEST", name="demo", asked="approve", by="button")
    click(c, "U0DEV", card)
    refused(actor="T0ACME/U0DEV", answer=NO_APPROVER)
    click(c, "U0BYST", card, "deny")
    refused(actor="T0ACME/U0BYST", asked="deny")
    click(c, "U0APPR", card, value=card[2].split(".")[0] + ".77")
    refused(actor="T0ACME/U0APPR", code="conflict", name="demo")
    click(c, "U0APPR", card, value="999.1")
    refused(actor="T0ACME/U0APPR", code="not_found", environment=None, said="999.1")
    click(c, "U0APPR", card, value="'; DROP TABLE audit; --")
    refused(said="'; DROP TABLE audit; --", environment=None)
    c.slack.type("U0BYST", "C0GEN", "approve demo please")
    refused(asked="approve", by="typed", said="approve demo please", name="demo", channel="C0GEN")
    c.slack.type("U0BYST", "C0GEN", "delete demo")
    refused(asked="delete", code="denied")
    c.approve("demo")
    c.wait_state("demo", "ready", seconds=40)
    click(c, "U0APPR2", card)
    refused(actor="T0ACME/U0APPR2", code="conflict")
    # What is only read, or only mistyped, is no question that matters.
    c.slack.type("U0BYST", "C0GEN", "show nothing")
    c.slack.type("U0BYST", "C0GEN", "extend demo")
    assert len(rows(c, "event = 'refused'")) == tries


# ---- the chain ----

def test_rows_are_chained_as_documented(company):
    c = a_story(company)
    count = sealed(c)
    chain = chain_of(c)
    assert [number for number, _, _ in chain] == list(range(1, count + 1)) and count >= 7
    for number, stored, computed in chain:
        assert stored == computed, number
    text = sound(c)
    assert f"{count} rows" in text and f"head {count}:{chain[-1][1]}" in text


def test_a_row_that_commits_late_is_sealed_after_those_that_came_before(company):
    c = company()
    c.serve()
    late = psycopg2.connect(c.database.url)
    with late.cursor() as cursor:
        cursor.execute("INSERT INTO audit (actor, actor_name, event) VALUES ('late', 'late', 'late')"
                       " RETURNING id")
        number = cursor.fetchone()[0]
    ask(c, "demo")
    c.slack.wait_for(lambda: c.database.one(
        "SELECT count(*) FROM audit_chain WHERE audit > %s", number), "later ids are sealed")
    assert c.database.one("SELECT count(*) FROM audit_chain WHERE audit = %s", number) == 0
    sound(c)
    late.commit()
    late.close()
    sealed(c)
    order = [r["audit"] for r in c.database.query("SELECT audit FROM audit_chain ORDER BY number")]
    assert order != sorted(order) and number in order
    sound(c)


def test_several_bots_make_one_chain(company):
    c = company()
    bots = [c.serve() for _ in range(3)]
    for n in range(4):
        c.database.query(
            "INSERT INTO audit (actor, actor_name, event) SELECT 'x', 'x', 'x'"
            " FROM generate_series(1, 2500)")
    bots[1].kill()
    sealed(c, 60)
    bots[0].stop()
    c.database.query("INSERT INTO audit (actor, actor_name, event) VALUES ('x', 'x', 'last')")
    assert sealed(c) >= 10001
    sound(c)


def test_sealing_reads_no_more_than_it_seals_however_much_waits(company):
    """As after an upgrade, or a week without a bot; a batch that read all of it would never end."""
    c = company()

    def fill():
        c.database.query("INSERT INTO audit (actor, actor_name, event) SELECT 'x', 'x', 'x'"
                         " FROM generate_series(1, 30000)")
    fill()
    c.serve()
    sealed(c, 120)
    c.bots[0].stop()
    fill()
    c.database.query("ANALYZE audit, audit_chain, audit_unsealed")
    read = ("SELECT sum(seq_tup_read)::int FROM pg_stat_user_tables"
            " WHERE relname IN ('audit', 'audit_chain', 'audit_unsealed')")
    c.database.query("SELECT pg_stat_force_next_flush()")  # what this test read itself counts before
    before = c.database.one(read)
    bot = c.bots[0].start().wait_ready()
    c.slack.wait_for(lambda: c.database.one("SELECT NOT EXISTS (SELECT FROM audit_unsealed)"),
                     "all rows are sealed", 120)
    bot.stop()  # its counts are told with its end
    assert c.database.one(read) - before < 30000
    sound(c)


def test_no_decision_waits_for_the_sealer(company):
    c = company()
    c.serve()
    held = psycopg2.connect(c.database.url)
    held.cursor().execute("SELECT pg_advisory_lock(6583114403)")  # as a sealer at work has it
    card = ask(c, "demo")
    click(c, "U0APPR", card)
    c.wait_state("demo", "ready", seconds=60)
    assert c.database.one("SELECT count(*) FROM audit_chain c JOIN audit a ON a.id = c.audit"
                          " WHERE a.event IN ('request', 'approve', 'ready')") == 0
    held.close()
    sealed(c)
    sound(c)


def test_what_an_earlier_version_wrote_is_sealed_too(company):
    """The migration puts what is there in the queue; so does whoever writes without a sealer."""
    c = company()
    assert c.run("migrate").returncode == 0
    c.database.query("INSERT INTO audit (actor, actor_name, event) VALUES ('x', 'x', 'x')")
    assert c.database.one("SELECT count(*) FROM audit_unsealed") == 1
    code, text = verify(c)
    assert code == 0 and "1 row is waiting to be sealed" in text, text
    c.serve()
    sealed(c)
    sound(c)


# ---- who changes it ----

EDITS = ["UPDATE audit SET actor_name = 'nobody'", "UPDATE audit SET detail = '{}' WHERE false",
         "DELETE FROM audit", "TRUNCATE audit", "TRUNCATE environments CASCADE",
         "UPDATE audit_chain SET hash = hash", "DELETE FROM audit_chain", "TRUNCATE audit_chain"]


@pytest.mark.parametrize("replica", [False, True])
def test_the_database_refuses_to_change_or_delete(company, replica):
    c = company()
    c.serve()
    ask(c, "demo")
    sealed(c)
    before = rows(c), c.database.query("SELECT * FROM audit_chain ORDER BY number")
    if replica:
        c.database.query("SET session_replication_role = replica")
    for edit in EDITS:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="never changed"):
            c.database.query(edit)
    assert before == (rows(c), c.database.query("SELECT * FROM audit_chain ORDER BY number"))


FORGERIES = {
    "a changed field": (["UPDATE audit SET actor_name = 'manager' WHERE id = {id}"],
                        "Number {n} of the chain: row {id} of the audit is not what was sealed there"),
    "another value": (["UPDATE audit SET detail = detail || '{{\"values\": 1}}' WHERE id = {id}"],
                      "Number {n} of the chain: row {id} of the audit is not what was sealed there"),
    "another time": (["UPDATE audit SET at = at + interval '1 microsecond' WHERE id = {id}"],
                     "Number {n} of the chain: row {id} of the audit is not what was sealed there"),
    "nothing for null": (["UPDATE audit SET message = '' WHERE id = {id} AND message IS NULL"],
                         "Number {n} of the chain: row {id} of the audit is not what was sealed there"),
    "a deleted row": (["DELETE FROM audit WHERE id = {id}"],
                      "Number {n} of the chain: row {id} of the audit is gone"),
    "a deleted row and its seal": (
        ["DELETE FROM audit WHERE id = {id}", "DELETE FROM audit_chain WHERE audit = {id}"],
        "Number {n} of the chain is missing"),
    "a gap that was closed": (
        ["DELETE FROM audit WHERE id = {id}", "DELETE FROM audit_chain WHERE audit = {id}",
         "UPDATE audit_chain SET number = -number WHERE number > {n}",
         "UPDATE audit_chain SET number = -number - 1 WHERE number < 0"],
        "Number {n} of the chain: row {next} of the audit is not what was sealed there"),
    "two rows with each other's seals": (
        ["UPDATE audit_chain SET audit = -audit WHERE number IN ({n}, {n} + 1)",
         "UPDATE audit_chain SET audit = CASE number WHEN {n} THEN {next} ELSE {id} END"
         " WHERE audit < 0"],
        "Number {n} of the chain: row {next} of the audit is not what was sealed there"),
    "two rows with each other's words": (
        ["UPDATE audit a SET event = b.event, detail = b.detail, at = b.at FROM audit b"
         " WHERE (a.id, b.id) IN (({id}, {next}), ({next}, {id}))"],
        "Number {n} of the chain: row {id} of the audit is not what was sealed there"),
    "an inserted row": (
        ["UPDATE audit_chain SET number = -number WHERE number >= {n}",
         "UPDATE audit_chain SET number = -number + 1 WHERE number < 0",
         "INSERT INTO audit (id, actor, actor_name, event) OVERRIDING SYSTEM VALUE"
         " VALUES (900, 'T0ACME/U0APPR', 'approver', 'approve')",
         "INSERT INTO audit_chain SELECT {n}, 900, now(), hash FROM audit_chain WHERE number = {n} + 1"],
        "Number {n} of the chain: row 900 of the audit is not what was sealed there"),
    "a row that was never sealed": (
        ["INSERT INTO audit (id, actor, actor_name, event) OVERRIDING SYSTEM VALUE"
         " VALUES (900, 'T0ACME/U0APPR', 'approver', 'approve')"],
        "Row 900 of the audit was never sealed"),
    "a cut off begin": (
        ["DELETE FROM audit_chain WHERE number <= {n}"], "Number 1 of the chain is missing"),
    "another hash": (["UPDATE audit_chain SET hash = sha256('x') WHERE number = {n}"],
                     "Number {n} of the chain: row {id} of the audit is not what was sealed there"),
    "another time of sealing": (
        ["UPDATE audit_chain SET sealed_at = sealed_at - interval '1 day' WHERE number = {n}"],
        "Number {n} of the chain: row {id} of the audit is not what was sealed there"),
}


@pytest.fixture
def forged(company):
    """A sealed chain of ten rows, whose bots have stopped; in the fourth something is forged."""
    c = company()
    c.run("migrate")
    bot = c.serve()
    c.database.query("INSERT INTO audit (actor, actor_name, event, detail) SELECT 'T0ACME/U0DEV',"
                     " 'developer', 'event ' || g, jsonb_build_object('n', g)"
                     " FROM generate_series(1, 9) g")
    sealed(c)
    bot.stop()
    return c


@pytest.mark.parametrize("what", FORGERIES)
def test_what_a_superuser_forges_is_found(forged, what):
    c = forged
    sound(c)
    statements, words = FORGERIES[what]
    (one, two) = [r["audit"] for r in c.database.query(
        "SELECT audit FROM audit_chain WHERE number IN (4, 5) ORDER BY number")]
    holes = {"n": 4, "id": one, "next": two}
    as_superuser(c, *[s.format(**holes) for s in statements])
    text = broken(c)
    assert text.startswith(words.format(**holes)), text


def test_switched_off_triggers_are_found(forged):
    forged.database.query("ALTER TABLE audit DISABLE TRIGGER audit_refuses")
    assert "triggers that refuse changes are switched off" in broken(forged)


def heads(c, log):
    """(number, hash) of each head in a log."""
    return [(int(line.split("number=")[1].split()[0]), line.split("hash=")[1].split()[0])
            for line in log.splitlines() if "head of the audit's chain" in line]


def test_a_cut_off_end_and_a_chain_made_anew_show_by_a_head_that_was_told(forged):
    c = forged
    count = c.database.one("SELECT count(*) FROM audit_chain")
    ((number, told),) = heads(c, c.bots[0].log())
    assert number == count and told == chain_of(c)[-1][2]
    head = f"{number}:{told}"
    sound(c, "--head", head)
    sound(c, "--head", f"4:{chain_of(c)[3][1]}")
    as_superuser(c, "DELETE FROM audit WHERE id IN (SELECT audit FROM audit_chain WHERE number > 7)",
                 "DELETE FROM audit_chain WHERE number > 7")
    assert "7 rows" in sound(c)  # by itself it is a chain
    assert broken(c, "--head", head) == (
        f"The chain ends at number 7, before the head that was noted ({number}): its end was cut off.")
    # All of it anew, from the sixth row on.
    as_superuser(c, "UPDATE audit SET actor_name = 'manager' WHERE id ="
                    " (SELECT audit FROM audit_chain WHERE number = 6)")
    seventh = chain_of(c)[6][1]
    for at, _, computed in chain_of(c)[5:]:
        as_superuser(c, f"UPDATE audit_chain SET hash = decode('{computed}', 'hex')"
                        f" WHERE number = {at}")
    sound(c)
    assert "is not the head that was noted" in broken(c, "--head", f"7:{seventh}")


def test_the_head_goes_to_the_log_and_the_operators_at_a_stop_and_daily(company):
    c = a_story(company)
    count = sealed(c)
    bot = c.bots[0]

    def told():
        return [m["text"] for m in c.slack.messages("C0OPS") if "audit's chain" in m["text"]]

    assert told() == [] and heads(c, bot.log()) == []  # the first day is not over
    bot.stop()
    (head,) = [h for n, h, _ in chain_of(c) if n == count]
    assert heads(c, bot.log()) == [(count, head)]
    (text,) = told()  # before the end: nothing is left to another start
    assert f"`envbot audit --verify --head {count}:{head}`" in text
    sound(c, "--head", f"{count}:{head}")
    # The same head is not told twice, and the log has it all the same.
    bot.start().wait_ready().stop()
    assert heads(c, bot.log()) == [(count, head)] and len(told()) == 1
    # A new day.
    c.database.query("UPDATE audit_heads SET told_at = told_at - interval '1 day'")
    bot.start().wait_ready()
    c.slack.wait_for(lambda: len(told()) == 2, "the head of a new day", 30)
    assert heads(c, bot.log())[0] == (count, head)


# ---- the role ----

def test_a_lesser_role_serves_and_cannot_change_the_audit(company):
    c = company()
    assert c.run("migrate").returncode == 0
    limit_to_bot(c)
    bot = c.serve()
    card = ask(c, "demo")
    click(c, "U0BYST", card)
    c.approve("demo")
    c.wait_state("demo", "ready", seconds=40)
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted", seconds=40)
    sealed(c)
    sound(c)
    role = psycopg2.connect(c.bot_url)
    role.autocommit = True
    for edit in [*EDITS, "INSERT INTO audit (at, actor, actor_name, event) VALUES"
                         " ('2020-01-01', 'x', 'x', 'x')", "DROP TABLE audit",
                 "ALTER TABLE audit DISABLE TRIGGER ALL", "DROP TRIGGER audit_refuses ON audit",
                 "SET session_replication_role = replica", "CREATE TABLE x ()",
                 "UPDATE audit_heads SET number = 1", "DELETE FROM schema_migrations"]:
        with role.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(edit)
    role.close()
    bot.stop()
    assert "level=error" not in bot.log()


def test_a_lesser_role_says_when_migrations_are_missing(company):
    c = company()
    assert c.run("migrate").returncode == 0
    limit_to_bot(c)
    c.database.query("DELETE FROM schema_migrations WHERE version ="
                     " (SELECT max(version) FROM schema_migrations)")
    done = c.run("serve")
    assert done.returncode == 1
    assert "envbot migrate" in done.stderr and "the role that owns" in done.stderr


def limit_to_bot(c):
    """As deploy/README.md says: the owner has migrated, the bot is a role of its own."""
    name = "bot_" + c.database.url.split("?")[0].rsplit("/", 1)[1]
    c.database.query(f"CREATE ROLE {name} LOGIN")
    done = subprocess.run(
        [f"{c.postgres.binaries}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"bot={name}", "-d",
         c.database.url, "-f", os.path.join(ROOT, "deploy", "database-role.sql")],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    host = c.database.url.split("@")[1]
    c.bot_url = f"postgresql://{name}@{host}"
    with open(c.config, encoding="utf-8") as file:
        text = file.read()
    with open(c.config, "w", encoding="utf-8") as file:
        file.write(text.replace(c.database.url, c.bot_url))


# ---- what it tells ----

def test_the_story_of_an_environment_is_told_after_it_is_gone(company):
    c = a_story(company)
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted", seconds=40)
    ask(c, "demo", more="--reason \"once more\"")
    done = c.run("audit", "demo", "--team", "payments")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("\n\n")
    lines = [line.split("  ", 2)[2] for line in first.splitlines()[1:]]
    assert first.splitlines()[0].startswith("payments/demo, number 1: of developer, asked for on 20")
    assert first.splitlines()[0].endswith("now deleted")
    assert lines[0].startswith("developer asked for it: small in eu-central-1, nodes 2")
    assert lines[1] == f"bystander was refused (approve): {NO_APPROVER}"
    assert lines[2].startswith("approver approved it, and that decided: small in eu-central-1, nodes 2")
    assert "Allowed by RoleBinding" in lines[2]
    assert lines[3] == "Creating it began." and lines[4].startswith("It was ready, until 20")
    assert lines[-2] == "developer had it deleted." and lines[-1] == "Nothing of it was left."
    assert "Reason: “once more”" in second and "now pending" in second
    never = c.run("audit", "dmo")
    assert never.returncode == 1 and "there never was an environment dmo" in never.stderr


def test_a_story_is_told_years_after_its_team_is_gone_too(company):
    """Three years on: the name was used again, the first team is in the configuration no more."""
    c = a_story(company)
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted", seconds=40)
    number = c.environment_row("demo")["id"]
    sealed(c)
    c.bots[0].stop()
    ago = "interval '3 years'"
    moments = [r["column_name"] for r in c.database.query(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'environments'"
        " AND data_type = 'timestamp with time zone'")]
    moved = ", ".join(f"{m} = {m} - {ago}" for m in moments)
    c.database.query(f"UPDATE environments SET {moved} WHERE id = {number} RETURNING 1")
    as_superuser(c, f"UPDATE audit SET at = at - {ago}", f"UPDATE audit_chain SET sealed_at ="
                                                         f" sealed_at - {ago}")
    for at, _, computed in chain_of(c):
        as_superuser(c, f"UPDATE audit_chain SET hash = decode('{computed}', 'hex')"
                        f" WHERE number = {at}")
    c.database.query(f"UPDATE envelopes SET received_at = received_at - {ago} RETURNING 1")
    year = c.database.one(f"SELECT extract(year FROM now() - {ago})::int")
    c.write_config("""
  - name: search
    channel: C0SEARCH
    approvers_channel: C0PLAT
    members: [U0MGR]
""", {})
    c.serve()
    ask(c, "demo", "U0MGR", more="--team search")
    sealed(c)
    sound(c)
    done = c.run("audit", "demo", "--team", "payments")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"payments/demo, number {number}: of developer, asked for on {year}-")
    for words in ("developer asked for it: small", "approver approved it, and that decided",
                  "It was ready", "developer had it deleted.", "Nothing of it was left."):
        assert words in done.stdout, done.stdout
    assert f"  {year}-" in done.stdout and "search/demo" not in done.stdout
    both = c.run("audit", "demo").stdout
    assert "payments/demo, number" in both and "search/demo, number" in both
    for text in ("audit demo --team payments", "audit payments/demo", "audit demo"):
        told = c.slack.type("U0MGR", "C0GEN", text, wait=20)["shown"][0]["text"]
        assert f"payments/demo, number {number}: of developer" in told, (text, told)
    lines = [json.loads(line) for line in c.run("audit", "--format", "jsonl", "--until",
                                                f"{year + 1}-12-01").stdout.splitlines()]
    assert {line["name"] for line in lines} == {"demo", "other", None}


def test_a_story_is_for_owners_and_who_may_read_audits(company):
    c = a_story(company)

    def told(user, text="audit demo"):
        return c.slack.type(user, "C0GEN", text)["shown"][0]["text"]

    for user in ("U0DEV", "U0MGR"):
        assert "approver approved it, and that decided" in told(user), user
        assert "It was ready" in told(user)
    for user in ("U0BYST", "U0APPR"):
        assert told(user).startswith("The rules do not let you see audits in payments"), user
    assert "There never was an environment `dmo`" in told("U0DEV", "audit dmo")
    assert "no team `paymnts`" in told("U0DEV", "audit demo --team paymnts")
    assert "approver approved it" in told("U0MGR", "audit payments/demo")


def test_a_long_story_comes_as_a_file(company):
    c = a_story(company)
    number = c.environment_row("demo")["id"]
    c.database.query("INSERT INTO audit (environment, team, name, actor, actor_name, event, detail)"
                     " SELECT %s, 'payments', 'demo', 'T0ACME/U0APPR', 'approver', 'ask',"
                     " jsonb_build_object('question', 'why <@U0DEV> ' || g) FROM generate_series(1, 99) g",
                     number)
    answer = c.slack.type("U0DEV", "C0GEN", "audit demo")["shown"][0]["text"]
    assert "approver asked: “why &lt;@U0DEV&gt; 99”" in answer and "comes as a direct message" in answer
    files = c.slack.wait_for(lambda: [f for m in c.slack.direct("U0DEV")
                                      for f in m.get("files", [])], "the file arrives", 30)
    assert files[0]["name"] == "payments-demo-audit.txt"
    assert "approver asked: “why <@U0DEV> 1”" in files[0]["content"]
    assert "developer asked for it" in files[0]["content"]


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "=cmd|' /C calc'!A0", "a,b", 'a"b', "a\nb",
           "a\r\nb", "'", "\x1b[31mred", "\x7f", "\u202eabc", "é 漢字 🎈", "\\", "\\u0000", "</script>",
           "-", "null", ""]


def test_exports_hold_everything_whatever_it_holds(company):
    c = company()
    c.run("migrate")
    c.serve()
    for text in HOSTILE:
        c.database.query(
            "INSERT INTO audit (team, actor, actor_name, event, rule, detail) VALUES"
            " ('payments', 'T0ACME/U0DEV', %s, 'x', %s, %s::jsonb)", text, text, json.dumps({"t": text}))
    sealed(c)
    done = c.run("audit", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.split("\n") if line]
    stored = c.database.query("SELECT a.*, c.number, c.sealed_at, encode(c.hash, 'hex') AS hash"
                              " FROM audit a JOIN audit_chain c ON c.audit = a.id ORDER BY c.number")
    assert len(lines) == len(stored) >= len(HOSTILE)
    for line, row in zip(lines, stored):
        assert list(line) == EXPORTED
        for field in EXPORTED:
            if field in ("at", "sealed_at"):
                assert datetime.datetime.fromisoformat(line[field].replace("Z", "+00:00")) == row[field]
            else:
                assert line[field] == row[field], field
    # subprocess in text mode would turn \r\n into \n
    raw = subprocess.run([built("envbot"), "audit", "--format", "csv", "--config", c.config],
                         capture_output=True, env=c.environment(), timeout=60, check=True).stdout
    table = list(csv.reader(io.StringIO(raw.decode(), newline=""), strict=True))
    assert table[0] == EXPORTED and len(table) == len(stored) + 1
    assert raw.endswith(b"\r\n")
    for cells, row in zip(table[1:], stored):
        line = dict(zip(EXPORTED, cells))
        for field in ("actor_name", "rule", "event", "actor"):
            text = row[field] or ""
            prefix = "'" if text[:1] in tuple("=+-@\t\r\n＝") and text else ""
            assert line[field] == prefix + text, (text, line[field])
        assert json.loads(line["detail"]) == row["detail"] and line["environment"] == ""
        assert line["number"] == str(row["number"]) and line["hash"] == row["hash"]


def test_exports_are_of_a_time_a_team_and_a_name(company):
    c = company()
    c.run("migrate")
    for day, team, name in [("2026-10-31 23:59:59.999999", "payments", "old"),
                            ("2026-11-01 00:00:00", "payments", "demo"),
                            ("2026-11-15 12:00:00", "search", "demo"),
                            ("2026-11-30 23:00:00", "payments", "demo"),
                            ("2026-12-01 00:00:00", "payments", "new")]:
        c.database.query("INSERT INTO audit (at, team, name, actor, actor_name, event)"
                         " VALUES (%s, %s, %s, 'x', 'x', 'x')", day + "+00", team, name)

    def days(*arguments):
        done = c.run("audit", *arguments, "--format", "jsonl")
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["at"][5:10] for line in done.stdout.splitlines()]

    assert days() == ["10-31", "11-01", "11-15", "11-30", "12-01"]
    assert days("--since", "2026-11-01", "--until", "2026-12-01") == ["11-01", "11-15", "11-30"]
    assert days("--since", "2026-11-30T23:00:00Z") == ["11-30", "12-01"]
    assert days("--until", "2026-12-01T01:00:00+02:00") == ["10-31", "11-01", "11-15"]
    assert days("--team", "search") == ["11-15"]
    assert days("demo", "--team", "payments") == ["11-01", "11-30"]
    assert days("--team", "nobody' OR true --") == []


@pytest.mark.parametrize("words,said", [
    ([], "takes a name, --format or --verify"),
    (["demo", "other"], "other was not expected here"),
    (["--verify", "demo"], "it takes --head alone"),
    (["--verify", "--head", "12"], "--head takes NUMBER:HASH"),
    (["--verify", "--head", "0:" + "0" * 64], "--head takes NUMBER:HASH"),
    (["--verify", "--head", "1:" + "0" * 63], "--head takes NUMBER:HASH"),
    (["--head", "1:" + "0" * 64], "--head goes with --verify"),
    (["--format", "xml"], "--format is jsonl or csv, not xml"),
    (["--format", "csv", "--since", "yesterday"], "a moment is written like"),
    (["--format", "csv", "--since", "2026-02-30"], "a moment is written like"),
    (["--format", "csv", "--until", "2026-02-03T25:00Z"], "a moment is written like"),
    (["--format", "csv", "--until", "2026-02-03T05:00"], "a moment is written like"),
    (["demo", "--since", "2026-02-03"], "go with --format"),
    (["--format"], "--format needs a value after it"),
])
def test_what_is_written_wrongly_is_said(company, words, said):
    c = company()
    done = c.run("audit", *words)
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert not done.stdout
