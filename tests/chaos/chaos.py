#!/usr/bin/python3
"""Plays a company while everything around it breaks, and verifies what came of it. See README.md.

    chaos.py [--seed N] [--minutes M] …

Exit code 0: nothing was wrong; 1: something was; its sentences say what, the folder is kept.
"""

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import time

import psycopg2

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from asked import is_person  # noqa: E402
from checker import Checker  # noqa: E402
from hands import Journal  # noqa: E402
from people import Crowd, hire  # noqa: E402
from trouble import Trouble  # noqa: E402
from world import World  # noqa: E402

MOVING = {
    "outbox": "SELECT id::text || ' ' || kind || ' ' || template || ' ' || coalesce(error, '') AS what"
              " FROM outbox WHERE sent_at IS NULL AND NOT parked",
    "jobs": "SELECT kind || ' ' || environment AS what FROM jobs WHERE state IN ('queued', 'running')",
    "environments": "SELECT id::text || ' ' || state AS what FROM environments"
                    " WHERE ended_at IS NULL AND NOT stuck AND (state NOT IN ('ready', 'asleep')"
                    " OR expires_at < now())",
    "audit": "SELECT audit::text AS what FROM audit_unsealed",
}


def moving(world):
    """What is under way still, by kind."""
    found = {}
    for kind, sql in MOVING.items():
        rows = world.ask(sql)
        if rows is None:
            return {"PostgreSQL": ["away"]}
        if rows:
            found[kind] = [row["what"] for row in rows]
    return found


def wait_for_quiet(world, seconds):
    """What has not come to rest by then."""
    deadline = time.monotonic() + seconds
    while (left := moving(world)) and time.monotonic() < deadline:
        time.sleep(0.3)
    return left


def check_at_rest(world, journal, **more):
    """What ends by itself or is warned of meanwhile would be seen half: then it is looked at again."""
    mark = "SELECT (SELECT max(id) FROM audit) AS audit, (SELECT max(id) FROM outbox) AS outbox"
    for _ in range(20 if not moving(world) else 1):
        before = world.ask(mark)
        checker = Checker(world, journal, **more)
        if world.ask(mark) == before and not moving(world):
            break
        wait_for_quiet(world, 60)
    return checker


def end_everything(world, journal, crowd, over):
    """The owners delete what is ready, managers and owners what got stuck; until nothing is left."""
    by_id = {one.who.id: one for one in crowd.acting}
    deadline = time.monotonic() + over
    while time.monotonic() < deadline:
        rows = world.ask("SELECT id, name, owner_id FROM environments WHERE ended_at IS NULL"
                         " AND (stuck OR state IN ('ready', 'asleep', 'changing')) ORDER BY id") or []
        for row in rows:
            by_id[row["owner_id"]].type("delete", f"delete {row['name']}", environment=row["id"])
        left = wait_for_quiet(world, max(1, deadline - time.monotonic()))
        if left or not rows:
            return left
    return moving(world)


def free_stuck(world, crowd):
    """Operators do what they were told to: they try again what could not be deleted."""
    by_id = {one.who.id: one for one in crowd.acting}
    for row in world.ask("SELECT id, name, owner_id FROM environments WHERE stuck"
                         " AND ended_at IS NULL") or []:
        by_id[row["owner_id"]].type("delete", f"delete {row['name']}", environment=row["id"])


def play(options, folder):
    people = hire(options.people)
    world = World(folder, people, options.bots, options.pace, options.launcher)
    journal = Journal(os.path.join(folder, "journal.jsonl"))
    crowd = Crowd(world, journal, options.seed, options.hurry)
    trouble = Trouble(world, options.seed, options.pause, options.only)
    wrong = []
    try:
        world.wait_ready()
        began = time.monotonic()
        crowd.start()
        trouble.start()
        while time.monotonic() - began < options.minutes * 60 and not crowd.broken + trouble.broken:
            time.sleep(5 if options.until_found else 0.5)
            if options.until_found and (found := look_meanwhile(world, journal, options.until_found)):
                crowd.over.set()
                trouble.stop()
                return found, trouble
        crowd.stop()
        trouble.stop()
        wrong += [f"driver: {broken}" for broken in crowd.broken + trouble.broken]
        world.wait_ready()
        crowd.resume()
        left = wait_for_quiet(world, options.quiet)
        while not left and world.ask("SELECT FROM environments WHERE stuck AND ended_at IS NULL"):
            free_stuck(world, crowd)
            left = wait_for_quiet(world, options.quiet)
        wrong += [f"quiet: after {options.quiet} s there is still {left}"] if left else []
        wrong += check_at_rest(world, journal).violations()
        if not left:
            left = end_everything(world, journal, crowd, options.quiet)
            wrong += [f"quiet: at the end there is still {left}"] if left else []
            last = check_at_rest(world, journal, over=True)
            wrong += [w for w in last.violations() if w not in wrong]
            report(world, journal, trouble, last, time.monotonic() - began)
        for bot in world.bots:
            bot.stop(20)
    finally:
        with open(os.path.join(folder, "trouble.log"), "w", encoding="utf-8") as file:
            file.writelines(f"{at:.3f} {kind}: {told}\n" for at, kind, told in trouble.log)
        if wrong or sys.exc_info()[0]:
            dump(world, folder)
        world.stop()
    return wrong, trouble


def look_meanwhile(world, journal, rules):
    """What those rules find."""
    try:
        return [v for v in Checker(world, journal, under_way=True).violations()
                if v.partition(":")[0] in rules]
    except psycopg2.Error:
        return []  # PostgreSQL is away


def dump(world, folder):
    """The tables, for whoever looks for the cause."""
    binary = os.path.join(world.postgres.binaries, "pg_dump")
    os.system(f"{binary} '{world.database.url}' > {folder}/database.sql 2>/dev/null")


def report(world, journal, trouble, checker, seconds):
    states = {row["state"]: row["count"] for row in world.database.query(
        "SELECT state, count(*) FROM environments GROUP BY state")}
    outcomes = {}
    for act in journal.acts:
        outcomes[act["outcome"]] = outcomes.get(act["outcome"], 0) + 1
    done = collections.Counter(row["event"] for row in checker.audit if is_person(row))
    mails = checker.mails
    twice = len(mails) - len({Checker.mail_number(mail) for mail in mails})
    print(f"  {seconds:.0f} s; environments {states}; acts {outcomes}; troubles {trouble.count}")
    print(f"  what people did {dict(done)}")
    print(f"  kills {trouble.kills}, {sum(trouble.kills.values())} in all; jobs taken over "
          f"{world.database.one('SELECT sum(greatest(attempts - 1, 0)) FROM jobs')}; eksctl beside one of "
          f"another machine {sum('beside' in c for c in checker.calls)}; mails {len(mails)}, of these "
          f"repeated after a doubt {twice}", flush=True)
    for row in world.database.query(
            "SELECT count(*), result->>'cause_id' AS cause FROM jobs WHERE state = 'failed' GROUP BY 2"):
        print(f"  {row['count']} jobs failed: {row['cause']}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--bots", type=int, default=3)
    parser.add_argument("--launcher", choices=["local", "kubernetes"], default="local")
    parser.add_argument("--pace", type=float, default=3, help="seconds that AWS takes for a cluster")
    parser.add_argument("--hurry", type=float, default=3, help="acts a person and minute")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two troubles")
    parser.add_argument("--quiet", type=float, default=240, help="seconds to come to rest")
    parser.add_argument("--until-found", nargs="*", metavar="RULE",
                        help="look meanwhile what these rules find, and end at once")
    parser.add_argument("--only", nargs="*", help="only these kinds of trouble")
    options = parser.parse_args()
    print(f"SEED={options.seed} MINUTES={options.minutes:g}", flush=True)
    folder = tempfile.mkdtemp(prefix="envbot-chaos-", dir="/tmp")
    wrong, _ = play(options, folder)
    for sentence in wrong:
        print(f"VIOLATION {sentence}")
    if wrong:
        print(f"{len(wrong)} violations; SEED={options.seed}; everything is in {folder}")
        return 1
    print("no violation")
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
