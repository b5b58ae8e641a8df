"""A pass of the launcher costs what is about to start, not what waits and not what is done: with 10,000
jobs that wait and 50,000 that are done it reads about as much of the database as with 400 and 1,000. So
does a claim of the outbox, with 5,000 messages that wait as with 100."""

import pytest
from company import Company
from postgres import Postgres

# What must be among the statements that were counted, by a part of its text.
LOOKED_FOR = {
    "a launcher's pass": "SELECT id FROM (SELECT *, row_number()",
    "leases that ran out": "lease_until < now()",
    "a claim": "UPDATE jobs j SET state",
    "the place of one": "AS counted",
    "whose message to draw anew": "m.drawn_at <",
    "how long it usually takes": "percentile_disc",
}

# name, name, state, past, past, past, how many
ENVIRONMENTS = """
SET session_replication_role = replica;
INSERT INTO environments (team, name, cluster, region, owner_workspace, owner_id, owner_name, template,
 template_copy, parameters, state, ttl_seconds, started_at, ready_at, ended_at, nodes, vcpus, gpus,
 hourly_usd, monthly_usd)
SELECT CASE g %% 2 WHEN 0 THEN 'payments' ELSE 'search' END, %s || g, %s || g,
 CASE WHEN g %% 3 = 0 THEN 'eu-west-1' ELSE 'eu-central-1' END, 'T0ACME', 'U0DEV', 'developer', 'small',
 asked.template_copy, asked.parameters, %s, 3600, CASE WHEN %s THEN now() - interval '1 hour' END,
 CASE WHEN %s THEN now() - interval '40 minutes' END, CASE WHEN %s THEN now() END, 1, 2, 0, 0.1, 90
FROM generate_series(1, %s) g, environments asked WHERE asked.name = 'asked'"""
# state, name
JOBS = """
INSERT INTO jobs (environment, kind, state, region, team, started_at, finished_at)
SELECT id, 'create', %s, region, team, started_at, ended_at FROM environments
WHERE name LIKE %s || '%%'"""


@pytest.fixture(scope="module")
def server():
    one = Postgres(shared_preload_libraries="pg_stat_statements", shared_buffers="256MB",
                   max_wal_size="4GB", wal_level="minimal", max_wal_senders="0", autovacuum="off").start()
    yield one
    one.remove()


def fill(database, waiting, done):
    """No triggers: that each job's environment exists is known here."""
    for name, state, job, past, count in (("done-", "deleted", "done", True, done),
                                          ("waits-", "queued", "queued", False, waiting)):
        database.query(ENVIRONMENTS, name, name, state, past, past, past, count)
        database.query(JOBS, job, name)
    database.query("ANALYZE")


def pages_read(directory, server, waiting, done):
    """{what: pages touched by one call}, of a bot that has room for more jobs, but not of these teams."""
    directory.mkdir()
    c = Company(directory, server, f"queue_{waiting}", slack_arguments=["--relaxed-limits"],
                options={"jobs.parallel": 50, "jobs.per_region": 50, "jobs.per_team": 2})
    try:
        c.eksctl.set_pace(create_seconds=600)
        c.serve()
        c.slack.type("U0DEV", "C0GEN", "create small asked --nodes 3")
        c.database.query("INSERT INTO pauses (workspace, user_id, user_name, reason)"
                         " VALUES ('T0ACME', 'U0DEV2', 'developer-2', 'the queue is filled')")
        fill(c.database, waiting, done)
        c.database.query("CREATE EXTENSION pg_stat_statements")
        c.database.query("UPDATE pauses SET resumed_at = now()")
        c.slack.wait_for(lambda: c.database.one("SELECT count(*) FROM jobs WHERE state = 'running'") == 4,
                         "two jobs of each team run", 60)
        for number in range(7):  # after five times PostgreSQL may choose a plan for all values
            answer = c.slack.type("U0DEV", "C0GEN", f"show waits-{waiting - 1}", wait=20)["shown"][0]
            assert "before it in the queue" in answer["text"] or "It is number" in answer["text"], answer
        calls = "SELECT sum(calls) FROM pg_stat_statements WHERE query LIKE %s"
        for part in LOOKED_FOR.values():
            c.slack.wait_for(lambda: (c.database.one(calls, f"%{part}%") or 0) > 0, part, 60)
        assert not c.slack.violations()
        assert c.database.one("SELECT count(*) FROM jobs WHERE state = 'queued'") == waiting - 4
        return {what: c.database.one(
            "SELECT (sum(shared_blks_hit + shared_blks_read) / sum(calls))::float FROM pg_stat_statements"
            " WHERE query LIKE %s AND query NOT LIKE '%%pg_stat_statements%%'", f"%{part}%")
                for what, part in LOOKED_FOR.items()}
    finally:
        c.stop()


def test_a_long_queue_and_a_long_past_cost_nothing(tmp_path, server):
    few = pages_read(tmp_path / "few", server, 400, 1000)
    many = pages_read(tmp_path / "many", server, 10_000, 50_000)
    for what in LOOKED_FOR:
        print(f"{few[what]:9.1f} {many[what]:9.1f} {what}")
    # of each line no more is read than may run at once (50); an index over many has a level more
    assert not {what: (few[what], many[what]) for what in LOOKED_FOR if many[what] > 2 * few[what] + 16}


def pages_of_a_claim(directory, server, waiting):
    """Of a bot whose plans were made while next to nothing waited, and whose statistics say so."""
    directory.mkdir()
    c = Company(directory, server, f"outbox_{waiting}", slack_arguments=["--relaxed-limits"])
    try:
        c.serve()
        c.database.query("VACUUM ANALYZE")  # of the empty tables
        for number in range(12):  # after five times PostgreSQL may choose a plan for all values
            c.slack.type("U0DEV", "C0GEN", f"create small asked{number}", wait=20)
        c.slack.wait_for(lambda: c.database.one("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 0,
                         "all was said", 60)
        c.database.query("CREATE EXTENSION pg_stat_statements")
        c.database.query("INSERT INTO outbox (kind, conversation, environment, place, template, content)"
                         " SELECT kind, 'waits:' || g, environment, place, template, content"
                         " FROM generate_series(1, %s) g,"
                         "  (SELECT * FROM outbox WHERE template = 'requested' LIMIT 1) said", waiting)
        c.database.query("NOTIFY envbot_outbox")
        claims = " FROM pg_stat_statements WHERE query LIKE 'WITH head AS (%%'"
        c.slack.wait_for(lambda: (c.database.one("SELECT sum(calls)" + claims) or 0) > 20, "claims", 120)
        return c.database.one("SELECT (sum(shared_blks_hit + shared_blks_read) / sum(calls))::float" + claims)
    finally:
        c.stop()


def test_a_long_outbox_costs_a_claim_nothing(tmp_path, server):
    few = pages_of_a_claim(tmp_path / "few", server, 100)
    many = pages_of_a_claim(tmp_path / "many", server, 5000)
    print(f"{few:9.1f} {many:9.1f} a claim of the outbox")
    assert many < 2 * few + 16


def test_what_a_request_says_is_one_statement(tmp_path, server):
    c = Company(tmp_path, server, "one_statement", slack_arguments=["--relaxed-limits"])
    try:
        c.serve()
        c.database.query("CREATE EXTENSION pg_stat_statements")
        c.slack.type("U0DEV", "C0GEN", "create small asked --nodes 3", wait=20)
        said = [(row["calls"], row["rows"]) for row in c.database.query(
            "SELECT calls, rows FROM pg_stat_statements WHERE query LIKE 'INSERT INTO outbox%%'"
            " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())")]
        assert said == [(1, 3)], said  # the message, its first reply, the card
    finally:
        c.stop()
