"""The audit's chain: how fast rows are sealed, and how fast a million of them are proved, beside
psql copying the same rows to nowhere."""

import os
import statistics
import subprocess
import time

from world import BUILD, wait_for

# As long as rows really are: a third of them are decisions with their values and rule.
FILL = """
INSERT INTO audit (team, name, actor, actor_name, event, from_state, to_state, rule, rules_version,
 envelope, channel, message, detail)
SELECT 'team' || 100 + mod(g, 20), 'env-' || mod(g, 5000), 'T0ACME/U0T' || mod(g, 200), 'person ' || mod(g, 200),
 (ARRAY['approve', 'ready', 'gone'])[1 + mod(g, 3)], 'pending', 'queued',
 CASE WHEN mod(g, 3) = 0 THEN 'RoleBinding "team/approvers" of ClusterRole "envbot-approver" to Group'
  ' "slack:platform-approvers" (roles.yaml:24)' END, '0123456789ab', md5(g::text), 'C0PLAT', g || '.000100',
 CASE WHEN mod(g, 3) = 0 THEN '{"by": "person", "by_mention": "<@U0T1>", "values": {"template": "small",
  "region": "eu-central-1", "parameters": {"nodes": 2, "version": "1.34"}, "ttl_seconds": 28800,
  "monthly_usd": 219, "revision": 1, "reason": "try the new ingress"}}'::jsonb ELSE '{}' END
FROM generate_series(1, %s) g"""
COPY = ("\\copy (SELECT c.number, c.sealed_at, c.hash, c.audit, a.* FROM audit_chain c"
        " LEFT JOIN audit a ON a.id = c.audit ORDER BY c.number) TO '/dev/null' (FORMAT binary)")


def seconds_of(words, **more):
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)
    taken = time.monotonic() - began
    if done.returncode != 0:
        raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
    return taken


def measure(world, bot, rows, rounds):
    """bot seals; what it needs for it includes PostgreSQL's disk."""
    world.clear()
    world.database.query(FILL, rows)
    began = time.monotonic()
    before = world.database.one("SELECT count(*) FROM audit_unsealed")
    wait_for(lambda: world.database.one("SELECT count(*) FROM audit_unsealed") == 0,
             "all rows are sealed", 600)
    found = {"rows": rows, "sealed_per_s": before / (time.monotonic() - began)}
    world.database.query("VACUUM ANALYZE audit, audit_chain, audit_unsealed")
    envbot = [os.path.join(BUILD, "envbot"), "audit", "--verify", "--config", world.config]
    psql = [f"{world.postgres.binaries}/psql", "-X", "-q", "-d", world.database.url, "-c", COPY]
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(seconds_of(envbot, env=world.environment()))
        theirs.append(seconds_of(psql))
    found["verify_s"], found["copy_s"] = statistics.median(ours), statistics.median(theirs)
    found["of_copy"] = statistics.median(o / t for o, t in zip(ours, theirs))
    return found
