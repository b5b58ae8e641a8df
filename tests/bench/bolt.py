"""Slack's own framework beside us: one INSERT before its ack, a pool of ten connections. And
insert_bot, which does the same with our own ways to Slack and PostgreSQL."""

import os
import shutil
import statistics
import time

from world import BUILD, HERE, cpu_seconds, memory_mb

FOLDER = os.path.join(BUILD, "bench", "bolt")


def make_table(world):
    world.database.query("CREATE TABLE IF NOT EXISTS bolt_envelopes (key text PRIMARY KEY,"
                         " received_at timestamptz NOT NULL DEFAULT now(), reply jsonb)")


def start(world):
    """The program, not yet ready; None when it is not installed."""
    node = shutil.which("node")
    if not node or not os.path.isdir(os.path.join(FOLDER, "node_modules", "@slack", "bolt")):
        return None
    program = shutil.copy(os.path.join(HERE, "bolt", "app.js"), FOLDER)
    return world.start([node, program], "bolt", DATABASE_URL=world.database.url,
                       SLACK_API_URL=f"{world.generator.url}/api/")


def start_insert_bot(world):
    return world.start([os.path.join(BUILD, "bench", "insert_bot")], "insert_bot",
                       DATABASE_URL=world.database.url,
                       ENVBOT_SLACK_API_URL=f"{world.generator.url}/api/")


def run(world, process, in_flight, seconds):
    before = cpu_seconds(process.pid)
    result = world.generator.run("list", in_flight, seconds=seconds)
    used = cpu_seconds(process.pid) - before
    return {"acks_per_s": result["acks_per_s"], "p50_ms": result["p50_ms"],
            "p99_ms": result["p99_ms"], "cpu_per_10k": used * 1e4 / result["acks"]}


def measure_one(world, process, options, flights):
    first = world.generator.run("list", 1, count=1)
    time.sleep(1)
    rest = memory_mb(process.pid)
    world.generator.run("list", 16, count=2000)
    found = {}
    for in_flight in flights:
        rounds = [run(world, process, in_flight, options.seconds) for _ in range(options.rounds)]
        found[in_flight] = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
    load = memory_mb(process.pid)
    process.stop()
    return {"flights": found, "memory_at_rest": rest, "memory_under_load": load,
            "first_ack_ms": (first["first_acked_ns"] - process.started_ns) / 1e6}


def measure(world, options, flights):
    """Of both; Bolt is None when it is not installed."""
    make_table(world)
    found = {"insert_bot": measure_one(world, start_insert_bot(world), options, flights)}
    process = start(world)
    found["bolt"] = measure_one(world, process, options, flights) if process else None
    return found
