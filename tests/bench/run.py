#!/usr/bin/python3
"""`make bench`: measures envbot beside pgbench and Bolt, prints a table, writes build/bench.json.

README.md says what each number means. Nothing here passes or fails; numbers are for people."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import audit
import bolt
import crowd
import jobs
import passes
from statements import capture, pgbench, to_script
from world import BUILD, World, cpu_seconds, memory_mb

FLIGHTS = (1, 16, 64)


def echo_rate(world, seconds):
    """How fast the generator is against a bot that does nothing: what it could measure at most."""
    echo = world.start([os.path.join(BUILD, "drivers", "echo_bot")], "echo",
                       ENVBOT_SLACK_API_URL=f"{world.generator.url}/api/")
    world.generator.run("list", 1, count=1)
    found = {n: world.generator.run("list", n, seconds=seconds) for n in FLIGHTS}
    echo.stop()
    return found


def first_ack_ms(world, rounds):
    """From the start of `envbot serve` to the first ack, the schema being there."""
    taken = []
    for _ in range(rounds):
        bot = world.serve()
        result = world.generator.run("list", 1, count=1)
        taken.append((result["first_acked_ns"] - bot.started_ns) / 1e6)
        bot.stop()
    return statistics.median(taken)


def commands(world, bot, kind, in_flight, limits):
    """One measurement of the bot, with its CPU and memory."""
    before = cpu_seconds(bot.pid)
    result = world.generator.run(kind, in_flight, **limits)
    used = cpu_seconds(bot.pid) - before
    return {"acks_per_s": result["acks_per_s"], "p50_ms": result["p50_ms"],
            "p99_ms": result["p99_ms"], "cpu_per_10k": used * 1e4 / result["acks"],
            "generator_share": result["generator_cpu"] / result["seconds"],
            "web_calls": result["web_calls"], "acks": result["acks"],
            "memory": memory_mb(bot.pid)}


def median_of(rounds):
    """The median of each number over the rounds."""
    return {key: statistics.median(r[key] for r in rounds)
            for key in rounds[0] if not isinstance(rounds[0][key], dict)} | {
                "memory": {key: max(r["memory"][key] for r in rounds)
                           for key in rounds[0]["memory"]}}


def prepare(world, kind):
    """The same database before each measurement."""
    world.clear()
    if kind == "list":
        world.place_environments()
        world.database.query("TRUNCATE outbox")


def measure_kind(world, bot, kind, options):
    """acks a second and pgbench's transactions a second, in turns, so that noise hits both."""
    prepare(world, kind)
    script = os.path.join(world.directory, f"{kind}.sql")
    variables = to_script(capture(world, kind), script)
    limits = {"seconds": options.seconds, **({"count": 4000} if kind == "create" else {})}
    found = {}
    for in_flight in FLIGHTS:
        ours, theirs = [], []
        for _ in range(options.rounds):
            prepare(world, kind)
            world.generator.run(kind, in_flight, count=200)
            ours.append(commands(world, bot, kind, in_flight, limits))
            prepare(world, kind)
            clients = min(in_flight, options.handlers)
            theirs.append(pgbench(world, script, variables, clients, options.seconds))
        best = {key: statistics.median(t[key] for t in theirs) for key in theirs[0]}
        found[in_flight] = {**median_of(ours), "pgbench": best, "of_pgbench": statistics.median(
            o["acks_per_s"] / t["tps"] for o, t in zip(ours, theirs))}
        say(f"{kind}, {in_flight} in flight: {found[in_flight]['acks_per_s']:.0f} acks/s")
    return found


def rules():
    """Access rules of 10,000 bindings: how long they take to read, and a question to them."""
    path = os.path.join(BUILD, "bench", "rules.yaml")
    ran = subprocess.run([os.path.join(BUILD, "bench", "rules"), path], check=True, text=True,
                         capture_output=True)
    os.unlink(path)
    return json.loads(ran.stdout)


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure_jobs(options):
    """What concerns jobs alone."""
    world = World(max_connections="500")  # each job process has one
    found = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    try:
        bot = world.serve()
        world.generator.run("list", 1, count=1)  # the schema is there now
        bot.stop()
        found["click"] = jobs.clicks(world, options.clicks)
        say("200 jobs at once")
        found["crowd"] = crowd.at_once(world, 200)
        say("jobs are killed")
        found["take_over"] = [crowd.take_over(world, 20, lease) for lease in (5, 45)]
        found["job"] = jobs.supervised(world)
    finally:
        world.stop()
    say("long queues")
    found["passes"] = passes.measure()
    found["load_after"] = os.getloadavg()[0]
    return found


def measure(options):
    world = World()
    found = {"cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    try:
        found["echo"] = echo_rate(world, options.seconds)
        bot = world.serve()
        world.generator.run("list", 1, count=1)  # the schema is there now
        bot.stop()
        found["first_ack_ms"] = first_ack_ms(world, options.starts)
        bot = world.serve()
        world.generator.run("list", 1, count=1)
        time.sleep(1)
        found["memory_at_rest"] = memory_mb(bot.pid)
        world.generator.run("list", 16, count=1000)  # everybody has been asked about
        for kind in ("list", "create"):
            found[kind] = measure_kind(world, bot, kind, options)
        bot.stop()
        found |= bolt.measure(world, options, FLIGHTS)
        found["rules"] = rules()
        bot = world.serve()
        found["audit"] = audit.measure(world, bot, options.audit, options.rounds)
        bot.stop()
        found["load_after"] = os.getloadavg()[0]
    finally:
        world.stop()
    return {**found, **measure_jobs(options), "load_before": found["load_before"]}


# ---- the table ----

def row(what, reached, wanted=""):
    print(f"  {what:<44} {reached:<44} {wanted}")


def print_memory(what, sizes, wanted=""):
    row(what, f"{sizes['pss']:.1f} MB PSS ({sizes['rss']:.1f} RSS, {sizes['private']:.1f} private)",
        wanted)


def print_kind(kind, found, theirs):
    for in_flight, m in found.items():
        row(f"{kind}, {in_flight} in flight",
            f"{m['acks_per_s']:.0f} acks/s, p50 {m['p50_ms']:.2f} ms, p99 {m['p99_ms']:.2f} ms")
        row("  CPU of the bot for 10,000", f"{m['cpu_per_10k']:.2f} s")
        row("  pgbench, the same statements", f"{m['pgbench']['tps']:.0f}/s, "
            f"average {m['pgbench']['average_ms']:.2f} ms; ours/pgbench {m['of_pgbench']:.2f}",
            "0.9")
        if theirs:
            b = theirs[in_flight]
            row("  ours/Bolt", f"acks {m['acks_per_s'] / b['acks_per_s']:.2f}, "
                f"p99 {m['p99_ms'] / b['p99_ms']:.2f}, CPU {m['cpu_per_10k'] / b['cpu_per_10k']:.2f}",
                "1, 0.5, 0.33 at 16")


def print_jobs(found):
    row("approve click to the first eksctl",
        f"p50 {found['click']['p50_ms']:.0f} ms, p99 {found['click']['p99_ms']:.0f} ms", "p99 100 ms")
    print_memory("a supervised job", found["job"]["memory"], "3 MB")
    many = found["crowd"]
    print_memory(f"each of {many['jobs']} at once", many["memory"], "3 MB")
    row("  all of them", f"{many['processes']} processes, {many['pss_sum']:.0f} MB PSS, "
        f"{many['cpu_of_core']:.2f} of a core, the bot "
        f"{many['bot_of_core']:.2f}; started within {many['all_started_s']:.0f} s")
    for each in found["take_over"]:
        row(f"a job's death to its take-over, lease {each['lease_s']} s",
            f"p50 {each['p50_s']:.1f} s, at most {each['most_s']:.1f} s, beyond the lease "
            f"{each['beyond_lease_s']:.1f} s ({each['jobs']} at once)")
    for each in found["passes"]:
        row(f"{each['queued']:,} queued, {each['finished']:,} finished",
            f"launcher's pass {each['launcher_ms']:.2f} ms, clock's tick {each['clock_ms']:.2f} ms, counting "
            f"{each['counts_of_core']:.4f} of a core; the bot {each['bot_of_core']:.3f} of a core")


def print_table(found):
    print(f"\n{found['cores']} cores; load average {found['load_before']:.1f} before, "
          f"{found['load_after']:.1f} after\n")
    row("", "reached", "wanted")
    if "echo" in found:
        print_commands(found)
    print_jobs(found)


def print_commands(found):
    for in_flight, m in found["echo"].items():
        share = m["generator_cpu"] / m["seconds"]
        row(f"the generator against an echo, {in_flight} in flight",
            f"{m['acks_per_s']:.0f} acks/s, takes {share:.2f} of a core")
    bolt = found["bolt"]
    for kind in ("list", "create"):
        print_kind(kind, found[kind], bolt and bolt["flights"])
    worst = max(m["generator_share"] for kind in ("list", "create") for m in found[kind].values())
    row("the generator's own share, at most", f"{worst:.2f} of a core")
    for in_flight, m in found["insert_bot"]["flights"].items():
        row(f"one INSERT in C, {in_flight} in flight", f"{m['acks_per_s']:.0f} acks/s, p50 "
            f"{m['p50_ms']:.2f} ms, p99 {m['p99_ms']:.2f} ms, CPU {m['cpu_per_10k']:.2f} s")
        if bolt:
            b = bolt["flights"][in_flight]
            row("  C/Bolt", f"acks {m['acks_per_s'] / b['acks_per_s']:.2f}, "
                f"p99 {m['p99_ms'] / b['p99_ms']:.2f}", "3, 0.25 at 16")
    if bolt:
        for in_flight, b in bolt["flights"].items():
            row(f"Bolt, one INSERT, {in_flight} in flight", f"{b['acks_per_s']:.0f} acks/s, p50 "
                f"{b['p50_ms']:.2f} ms, p99 {b['p99_ms']:.2f} ms, CPU {b['cpu_per_10k']:.2f} s")
        print_memory("Bolt at rest", bolt["memory_at_rest"])
        print_memory("Bolt under load", bolt["memory_under_load"])
        row("Bolt, start to first ack", f"{bolt['first_ack_ms']:.0f} ms")
    else:
        row("Bolt", "is not installed: it needs node and npm")
    print_memory("memory at rest", found["memory_at_rest"], "12 MB")
    print_memory("memory under load", {
        key: max(m["memory"][key] for kind in ("list", "create") for m in found[kind].values())
        for key in ("rss", "pss", "private")}, "15 MB")
    row("start to first ack", f"{found['first_ack_ms']:.0f} ms", "60 ms")
    bindings = found["rules"]
    row(f"access rules, {bindings['bindings']:,} bindings",
        f"read in {bindings['load_ms']:.0f} ms; a question {bindings['question_us']:.1f} µs, "
        f"with its reason {bindings['reason_us']:.1f} µs", "5 µs")
    trail = found["audit"]
    row(f"proof of {trail['rows']:,} rows of the audit",
        f"{trail['verify_s']:.1f} s, {trail['of_copy']:.2f} of psql's copy; "
        f"{trail['sealed_per_s']:.0f} sealed a second", "10 s for a million")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is taken")
    parser.add_argument("--clicks", type=int, default=100)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--audit", type=int, default=1_000_000, help="rows of the audit")
    parser.add_argument("--handlers", type=int, default=8, help="connections of pgbench at most")
    parser.add_argument("--jobs-only", action="store_true", help="measure what concerns jobs alone")
    options = parser.parse_args()
    found = measure_jobs(options) if options.jobs_only else measure(options)
    with open(os.path.join(BUILD, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
    print_table(found)


if __name__ == "__main__":
    main()
