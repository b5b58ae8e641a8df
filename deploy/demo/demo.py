#!/usr/bin/python3
"""envbot's demo: `run` starts everything and waits for Ctrl-C, `reset` forgets what was kept."""

import argparse
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import ROOT, Trouble, World  # noqa: E402


class Stopped(Exception):
    """Ctrl-C, TERM, or the terminal was closed."""


def listen_to_signals():
    def stop(number, _):
        ignore_signals()
        raise Stopped(signal.Signals(number).name)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asks to stay
        signal.signal(signal.SIGHUP, stop)


def ignore_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def say(text, stream=None):
    try:
        print(text, file=stream or sys.stdout, flush=True)
    except OSError:  # the terminal is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), (stream or sys.stdout).fileno())


def in_words(seconds):
    if seconds % 60:
        return f"{seconds} seconds"
    return "a minute" if seconds == 60 else f"{seconds // 60} minutes"


def welcome(world):
    logs = os.path.join(os.path.relpath(world.folder), "*.log")
    return f"""
envbot's demo is ready. Open this address in a browser:

    {world.url}

1. You are developer: type  /env create small demo  into #general, then switch to approver and
   click Approve in #platform-approvals.
2. As developer again, watch #team-payments: within about {in_words(world.pace)} the cluster is ready and a
   mail is in the inbox; it lives for {in_words(world.life)}, warns you in time (Extend gives it more), and
   is gone.
3. As manager, type  /env report  there; /env help tells what else there is.

Ctrl-C ends it. What happened is kept for the next time; `make demo-reset` forgets it.
Logs: {logs}
"""


def run(world):
    listen_to_signals()
    try:
        world.take()
        say("Starting PostgreSQL, the stand-ins for Slack and AWS, and envbot …")
        world.start()
        say(welcome(world))
        world.watch()
    except Stopped:
        say("\nEnding …")
        return 0
    finally:
        ignore_signals()
        if world.lock:
            world.end()


def reset(world):
    if not os.path.isdir(world.folder):
        return 0
    world.take(to_clear=True)
    world.clear()
    say("The demo's data is cleared.")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["run", "reset"])
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "demo"))
    parser.add_argument("--pace", type=int, default=60, help="seconds that a cluster takes")
    parser.add_argument("--port", type=int, default=8700, help="of the page, where it is free")
    arguments = parser.parse_args()
    if not 1 <= arguments.pace <= 3600:
        parser.error("--pace: from 1 to 3600 seconds")
    world = World(arguments.folder, arguments.pace, arguments.port)
    try:
        return {"run": run, "reset": reset}[arguments.command](world)
    except Trouble as trouble:
        say(str(trouble), sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
