"""A database with a long past: what years of use leave behind, made in seconds."""

import concurrent.futures

# What years leave: every environment that ever was, each with its job, decision, audit row and
# message, all of it over before this month began; and half as much of what envbot keeps for days
# only.
ROWS = {
    "environments": """
INSERT INTO environments (id, team, name, cluster, region, owner_workspace, owner_id, owner_name,
 template, template_copy, parameters, reason, state, ttl_seconds, created_at, decided_at,
 started_at, ready_at, expires_at, ended_at, nodes, vcpus, gpus, hourly_usd, monthly_usd)
OVERRIDING SYSTEM VALUE
SELECT g, CASE mod(g, 2) WHEN 0 THEN 'payments' ELSE 'search' END, 'old-' || mod(g, 5000),
 CASE mod(g, 2) WHEN 0 THEN 'payments' ELSE 'search' END || '-old-' || mod(g, 5000), 'eu-central-1',
 'T0ACME', 'U0DEV', 'developer', 'small', '{"title": "Small cluster"}', '{"nodes": 2}', 'try it',
 CASE WHEN mod(g, 10) < 7 THEN 'deleted' WHEN mod(g, 10) = 7 THEN 'denied' WHEN mod(g, 10) = 8 THEN 'lapsed'
  ELSE 'failed' END, 28800, at, at + '5 min',
 CASE WHEN mod(g, 10) NOT IN (7, 8) THEN at + interval '6 min' END,
 CASE WHEN mod(g, 10) < 7 THEN at + interval '20 min' END,
 CASE WHEN mod(g, 10) < 7 THEN at + interval '500 min' END, at + interval '510 min', 2, 4, 0, 0.3, 219
FROM (SELECT g, date_trunc('month', now()) - interval '1 day'
  - (({rows}::bigint - g) * interval '3 years' / {rows}) AS at
 FROM generate_series(1, {rows}) g) past""",
    "jobs": """
INSERT INTO jobs (id, environment, kind, state, region, created_at, not_before, started_at,
 finished_at, attempts, fence, result)
OVERRIDING SYSTEM VALUE
SELECT g, g, 'create', 'done', 'eu-central-1', at, at, at, at + interval '15 min', 1, 1,
 '{"phases": {"cluster": 600, "nodes": 240}}'
FROM (SELECT g, date_trunc('month', now()) - interval '1 day'
  - (({rows}::bigint - g) * interval '3 years' / {rows}) AS at
 FROM generate_series(1, {rows}) g) past""",
    "decisions": """
INSERT INTO decisions (id, environment, revision, workspace, user_id, user_name, word, rule,
 groups, decided_at)
OVERRIDING SYSTEM VALUE
SELECT g, g, 1, 'T0ACME', 'U0APPR', 'approver', CASE mod(g, 10) WHEN 7 THEN 'deny' ELSE 'approve' END,
 'RoleBinding payments/approvers', '{slack:platform-approvers}',
 date_trunc('month', now()) - interval '1 day'
  - (({rows}::bigint - g) * interval '3 years' / {rows}) + interval '5 min'
FROM generate_series(1, {rows}) g""",
    "audit": """
INSERT INTO audit (id, at, environment, team, actor, actor_name, event, from_state, to_state)
OVERRIDING SYSTEM VALUE
SELECT g, date_trunc('month', now()) - interval '1 day'
  - (({rows}::bigint - g) * interval '3 years' / {rows}), g, 'payments', 'T0ACME/U0DEV',
 'developer', 'gone', 'deleting', 'deleted' FROM generate_series(1, {rows}) g""",
    "outbox": """
INSERT INTO outbox (id, kind, conversation, environment, place, template, created_at, due_at,
 attempts, sent_at)
OVERRIDING SYSTEM VALUE
SELECT g, CASE mod(g, 4) WHEN 0 THEN 'mail' WHEN 1 THEN 'redraw' ELSE 'say' END, 'env:' || g, g,
 'thread', 'ready', at, at, 1, at
FROM (SELECT g, now() - interval '1 hour' - (({rows}::bigint - g) * interval '6 days' / {rows}) AS at
 FROM generate_series(1, {rows} / 2) g) past""",
    "messages": """
INSERT INTO messages (environment, place, channel, ts)
SELECT g, 'message', 'C0PAY', g || '.000100' FROM generate_series(1, {rows}) g""",
    "envelopes": """
INSERT INTO envelopes (key, received_at)
SELECT to_char(g, 'FM000000000000'), now() - interval '1 hour'
  - (({rows}::bigint - g) * interval '20 hours' / {rows})
FROM generate_series(1, {rows} / 2) g""",
}


def fill(database, rows):
    """Puts the past into a database that has its schema and nothing else, and gathers statistics.
    The schema's indexes stand again when this returns."""
    indexes = database.query(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made,"
        " indrelid::regclass::text AS of FROM pg_index"
        " WHERE indrelid::regclass::text = ANY (%s) AND NOT indisprimary AND NOT EXISTS"
        "  (SELECT FROM pg_constraint WHERE conindid = indexrelid)", list(ROWS))
    for index in indexes:
        database.query(f"DROP INDEX {index['name']}")
    for team in ("payments", "search"):
        database.query("INSERT INTO teams (name, environments) VALUES (%s, 20)", team)

    def load(table):
        # No triggers: that each row's environment exists is known here.
        database.query("SET session_replication_role = replica; SET maintenance_work_mem = '256MB';"
                       + ROWS[table].replace("{rows}", str(rows)))
        made = [index["made"] for index in indexes if index["of"] == table]
        identity = "" if table in ("messages", "envelopes") else \
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {rows});"
        database.query("SET maintenance_work_mem = '256MB';" + identity + ";".join(made))
        database.query(f"ANALYZE {table}")

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(load, ROWS))
    database.query("ANALYZE teams")
