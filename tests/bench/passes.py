"""What a look at the queue and a tick of the clock cost PostgreSQL, with long queues and a long past."""

import time

from world import World, cpu_seconds

LAUNCHER = ("SELECT id FROM (SELECT *, row_number()", "state = 'running' AND lease_until < now()",
            "AS due FROM sweeps")
CLOCK = ("e.due_at <= now()", "e.remind_at <= now()", "FROM pauses WHERE NOT told",
         "FROM circuits WHERE NOT told", "looked_at")
COUNTS = ("GROUP BY state, team", "GROUP BY kind, state", "(SELECT max(id) FROM jobs) - 500",
             "m.drawn_at <", "report->'findings'")

FILL = """
SET session_replication_role = replica;
INSERT INTO environments (team, name, cluster, region, owner_workspace, owner_id, owner_name, template,
 template_copy, parameters, state, ttl_seconds, started_at, ready_at, ended_at, nodes, vcpus, gpus,
 hourly_usd, monthly_usd)
SELECT 'team' || 101 + g %% 20, {name} || g, {name} || g,
 CASE WHEN g %% 3 = 0 THEN 'eu-west-1' ELSE 'eu-central-1' END, 'T0ACME', 'U0T101M01', 'somebody', 'small',
 '{{}}', '{{}}', {state}, 3600, {began}, {began}, {ended}, 1, 2, 0, 0.1, 90 FROM generate_series(1, %s) g;
INSERT INTO jobs (environment, kind, state, region, team, started_at, finished_at)
SELECT id, 'create', {job}, region, team, started_at, ended_at FROM environments WHERE name LIKE {name} || '%%'"""


def fill(database, queued, finished):
    """Jobs that wait, so many of each team at work as may be, and jobs that are done."""
    database.query(FILL.format(name="'done-'", state="'deleted'", job="'done'",
                               began="now() - interval '1 hour'", ended="now() - interval '10 min'"), finished)
    database.query(FILL.format(name="'waits-'", state="'queued'", job="'queued'", began="NULL::timestamptz",
                               ended="NULL::timestamptz"), queued + 40)
    database.query("UPDATE jobs SET state = 'running', started_at = now(), fence = 1,"
                   " lease_until = now() + interval '1 day' WHERE id IN (SELECT id FROM"
                   " (SELECT id, row_number() OVER (PARTITION BY team ORDER BY id) AS place FROM jobs"
                   "  WHERE state = 'queued') own WHERE place <= 2)")
    database.query("ANALYZE")


def statements(database):
    return database.query("SELECT query, calls, total_exec_time AS ms FROM pg_stat_statements"
                          " WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
                          " AND position('pg_stat_statements' IN query) = 0")


def spent_ms(database, parts):
    """On these statements together."""
    return sum(r["ms"] for r in statements(database) if any(part in r["query"] for part in parts))


def milliseconds(database, parts, calls_of):
    """Of these statements together, in one round."""
    return spent_ms(database, parts) / sum(r["calls"] for r in statements(database)
                                           if calls_of in r["query"])


def measure(seconds=60):
    world = World(shared_preload_libraries="pg_stat_statements", max_wal_size="4GB")
    found = []
    try:
        world.write_config(per_team=2)
        bot = world.serve()
        world.generator.run("list", 1, count=1)
        bot.stop()
        world.database.query("CREATE EXTENSION pg_stat_statements")
        for queued, finished in ((10, 0), (1000, 0), (100_000, 0), (100_000, 1_000_000)):
            world.clear()
            fill(world.database, queued, finished)
            bot = world.serve()
            world.generator.run("list", 1, count=1)
            time.sleep(10)  # until plans have settled
            world.database.query("SELECT pg_stat_statements_reset()")
            before = cpu_seconds(bot.pid)
            time.sleep(seconds)
            found.append({"queued": queued, "finished": finished,
                          "launcher_ms": milliseconds(world.database, LAUNCHER, LAUNCHER[0]),
                          "clock_ms": milliseconds(world.database, CLOCK, CLOCK[0]),
                          "counts_of_core": spent_ms(world.database, COUNTS) / seconds / 1000,
                          "bot_of_core": (cpu_seconds(bot.pid) - before) / seconds})
            bot.stop()
    finally:
        world.stop()
    return found
