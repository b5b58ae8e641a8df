"""The past costs nothing: with hundreds of thousands of environments that were, what people and the
clock ask reads as much as with a thousand. Counted in pages of PostgreSQL, statement by statement.
ENVBOT_PAST=1000000 makes it a million: the indexes are as deep, the counts the same, it takes longer."""

import os

import past
import pytest
from company import Company
from postgres import Postgres

COMMANDS = [
    ("U0DEV", text) for text in (
        "list", "list --all", "list --mine", "list --team search", "list --state deleted",
        "list --mine --state denied", "show old-18", "show old-18 --team payments",
        "show no-such-thing", "logs old-18", "withdraw old-18", "delete old-18", "quota",
        "create small ahead --dry-run", "create small old-20")
] + [("U0APPR", "approve old-18"), ("U0MGR", "report"), ("U0MGR", "report payments"),
     ("U0MGR", "report --csv")]

# What must be among the statements that were counted, by a part of its text.
LOOKED_FOR = {
    "the clock's tick": "e.due_at <= now()", "the launcher's poll": "not_before <= now()",
    "the outbox's poll": "min(due_at) - now()", "a claim of the outbox": "WITH head AS",
    "the sweep of envelopes": "DELETE FROM envelopes", "the sweep of the outbox": "DELETE FROM outbox",
    "what runs in a month": "tstzrange", "a request": "INSERT INTO environments",
}


@pytest.fixture(scope="module")
def server():
    one = Postgres(large=True, shared_preload_libraries="pg_stat_statements", shared_buffers="256MB",
                   max_wal_size="4GB", wal_level="minimal", max_wal_senders="0", autovacuum="off",
                   **{"pg_stat_statements.max": "10000"}).start()
    yield one
    one.remove()


def live(c):
    """A day of the bot: everything that is typed, often enough for plans to settle, and one
    environment's whole life."""
    for number in range(7):  # after five times PostgreSQL may choose a plan for all values
        for user, text in COMMANDS:
            answer = c.slack.type(user, "C0GEN", text, wait=20)
            assert answer["outcome"] == "acked"
            assert "went wrong" not in answer["shown"][0]["text"]
    c.approve("old-20")
    c.wait_state("old-20", "ready", seconds=60)
    c.slack.type("U0DEV", "C0GEN", "extend old-20 1h")
    c.slack.type("U0DEV", "C0GEN", "delete old-20")
    c.wait_state("old-20", "deleted", seconds=60)
    c.settle(60)


def pages_read(directory, server, rows):
    """{statement: (calls, pages touched in one call)} of a bot's day with so long a past."""
    directory.mkdir()
    c = Company(directory, server, f"past_{rows}", slack_arguments=["--relaxed-limits"])
    try:
        assert c.run("migrate").returncode == 0
        past.fill(c.database, rows)
        c.database.query("CREATE EXTENSION pg_stat_statements")
        c.database.query("SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database"
                         " WHERE datname = current_database()")
        c.serve()
        live(c)
        ticks = ("SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE %s"
                 " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())")
        c.slack.wait_for(lambda: (c.database.one(ticks, "%e.due_at <= now()%") or 0) > 3,
                         "the clock ticks", 30)
        assert not c.slack.violations()
        return counted(c)
    finally:
        c.stop()


# What this test itself asks, as tests do.
OWN = ("SELECT m.channel, m.ts FROM messages m JOIN", "SELECT * FROM environments WHERE name =",
       "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND NOT parked", "SELECT sum(calls)",
       "SELECT pg_stat_statements_reset")


def counted(c):
    rows = c.database.query(
        "SELECT query, sum(calls)::float AS calls,"
        " sum(shared_blks_hit + shared_blks_read)::float AS pages FROM pg_stat_statements"
        " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        "  AND query ~ '^(SELECT|WITH|INSERT|UPDATE|DELETE|\\(SELECT)' GROUP BY query")
    return {row["query"]: (row["calls"], row["pages"] / row["calls"]) for row in rows
            if not row["query"].startswith(OWN)}


def test_a_long_past_costs_what_a_short_one_costs(tmp_path, server):
    few = pages_read(tmp_path / "few", server, 1000)
    many = pages_read(tmp_path / "many", server, int(os.environ.get("ENVBOT_PAST", "200000")))
    both = sorted(set(few) & set(many), key=lambda s: few[s][1] - many[s][1])
    for statement in both:
        print(f"{few[statement][1]:9.1f} {many[statement][1]:9.1f}"
              f" {' '.join(statement.split())[:120]}")
    for what, part in LOOKED_FOR.items():
        assert any(part in statement for statement in both), what
    grown = {s: (few[s], many[s]) for s in both
             # an index over so many has one or two levels more than one over a thousand
             if many[s][1] > 2 * few[s][1] + 16}
    assert not grown
