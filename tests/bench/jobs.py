"""From an approve click to the first eksctl process, and what a supervised job takes."""

import contextlib
import os
import signal
import sys
import time

from world import BUILD, ROOT, cpu_seconds, memory_mb, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "eksctl"))
import install as eksctl_install  # noqa: E402


def read_notes(path):
    try:
        with open(path, encoding="utf-8") as file:
            return [line.split() for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []


def job_pids(world):
    """Job processes of this world's bots, by their command line."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[1:2] == [b"job"] and world.config.encode() in words:
            found.append(int(entry))
    return found


def end_jobs(world):
    """Jobs outlive the bot, as they should; those of this bench end with their eksctl."""
    for pid in job_pids(world):
        kill_job(pid)


def kill_job(pid):
    """With its eksctl, as when a host dies; it may have gone with another one."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            children = [int(child) for child in file.read().split()]
    except FileNotFoundError:
        return
    for each in (pid, *children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def requests(world, count):
    """Asks for so many environments; their ids."""
    world.clear()
    world.generator.run("create", 4, count=count)
    rows = world.database.query("SELECT id FROM environments WHERE state = 'pending' ORDER BY id")
    return [row["id"] for row in rows]


def click(world, environment):
    """On a card that stands where the click says: its own may wait for Slack's pace."""
    world.database.query("INSERT INTO messages (environment, place, channel, ts)"
                         " VALUES (%s, 'card', 'C0PLAT', '1.1') ON CONFLICT (environment, place)"
                         " DO UPDATE SET channel = 'C0PLAT', ts = '1.1'", environment)
    return world.generator.run("click", 1, count=1, value=f"{environment}.1")


def clicks(world, count):
    """ms from the click on its way to the first instruction of the first eksctl, each alone."""
    notes = os.path.join(world.directory, "bin", "notes")
    bot = world.serve()
    world.generator.run("list", 1, count=1)
    taken = []
    try:
        for environment in requests(world, count):
            before = len(read_notes(notes))
            sent = click(world, environment)["began_ns"]
            wait_for(lambda: len(read_notes(notes)) > before, "eksctl was started")
            taken.append((int(read_notes(notes)[before][0]) - sent) / 1e6)
    finally:
        bot.stop()
        end_jobs(world)
    taken.sort()
    return {"clicks": count, "p50_ms": taken[len(taken) // 2],
            "p99_ms": taken[len(taken) * 99 // 100]}


def supervised(world):
    """The memory of one job while the stand-in eksctl creates, the bot running beside it."""
    directory = os.path.join(world.directory, "eksctl")
    program = eksctl_install.install(directory)
    with open(os.path.join(directory, "pace.json"), "w", encoding="utf-8") as file:
        file.write('{"create_seconds": 5, "faults": []}')
    os.symlink(program, os.path.join(world.directory, "bin", "real"))
    bot = world.serve()
    world.generator.run("list", 1, count=1)
    try:
        click(world, requests(world, 1)[0])
        wait_for(lambda: world.database.one("SELECT plan FROM environments") and job_pids(world),
                 "the job reports its plan")
        time.sleep(2)
        pid = job_pids(world)[0]
        return {"memory": memory_mb(pid), "cpu_s": cpu_seconds(pid)}
    finally:
        bot.stop()
        end_jobs(world)
