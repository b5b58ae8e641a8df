"""The folder that plays AWS: stacks by the clock, the pace, the faults, the calls.

stacks.json holds stacks with the times at which they change, so that they go on when eksctl is
killed, as CloudFormation's do. pace.json says how fast things go and what fails. calls.jsonl gets a
line when a call begins and one when it ends by itself, trail.jsonl one for each change of a stack. See
README.md.
"""

import fcntl
import os
import sys
import time

from quick_json import dumps, loads

STATE = sys.argv[1]
held = []  # files that stay open to the end


def path(name):
    return os.path.join(STATE, name)


class Locked:
    """The stacks, read and written under a lock."""

    def __enter__(self):
        self.lock = open(path("lock"), "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        try:
            with open(path("stacks.json")) as file:
                self.stacks = loads(file.read())
        except FileNotFoundError:
            self.stacks = {}
        self.before = dumps(self.stacks)
        for stack in self.stacks.values():
            settle(stack)
            if stack["kind"] == "nodegroup" and "group" not in stack:  # a test placed it
                stack.update({"group": stack["name"].split("-nodegroup-")[1], "desired": 2, "min": 2,
                              "max": 2, **stack})
        return self.stacks

    def __exit__(self, *_):
        if dumps(self.stacks) != self.before:
            with open(path("stacks.json.new"), "w") as file:
                file.write(dumps(self.stacks))
            os.rename(path("stacks.json.new"), path("stacks.json"))
        self.lock.close()


def pace():
    try:
        with open(path("pace.json")) as file:
            return loads(file.read())
    except FileNotFoundError:
        return {}


def matches(name, pattern):
    if pattern == "*":
        return True
    import fnmatch
    return fnmatch.fnmatch(name, pattern)


def fault(command, name, phase=None):
    """Takes one matching fault off the list."""
    with open(path("pace.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings = pace()
        for entry in settings.get("faults", []):
            if entry["command"] != command or not matches(name, entry.get("match", "*")):
                continue
            if phase != entry.get("phase") or entry.get("count", 1) <= 0:
                continue
            entry["count"] = entry.get("count", 1) - 1
            write_pace(settings)
            return entry
    return None


def record(**fields):
    with open(path("calls.jsonl"), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(dumps(fields) + "\n")


def note(did, key, tags, seconds, fails):
    """What is done to a stack, in AWS's own order (under its lock): CloudTrail, so to say."""
    with open(path("trail.jsonl"), "a") as file:
        file.write(dumps({"at": time.time(), "pid": os.getpid(), "did": did, "stack": key,
                          "tags": tags, "seconds": seconds, "fails": bool(fails)}) + "\n")


def alone(name):
    """Holds the cluster for as long as this process lives, and says of whom it found it held: for
    whoever wants to know whether two ever worked on one."""
    os.makedirs(path("at"), exist_ok=True)
    file = open(os.path.join(path("at"), name), "a+")
    other = None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(f"{os.getpid()} on {os.uname().nodename}")
        file.flush()
    except BlockingIOError:
        file.seek(0)
        other = file.read()
    held.append(file)
    return other


# -- stacks, by the clock -------------------------------------------------------------------------
def settle(stack):
    """An update of EKS (and of the stack, where it goes through one) that is over by now."""
    update = stack.get("update")
    if not update or time.time() < update["done_at"]:
        return
    if update.get("fails") and not update.get("through_stack"):
        stack["health"] = update["fails"]
    elif not update.get("fails"):
        stack.update(update["becomes"])
    if update.get("through_stack"):
        stack["updated"] = "UPDATE_ROLLBACK_COMPLETE" if update.get("fails") else "UPDATE_COMPLETE"
    stack["update"] = None


def status(stack):
    """What CloudFormation says of it now."""
    now = time.time()
    if stack.get("delete_at") is not None:
        if now < stack["delete_at"]:
            return "DELETE_IN_PROGRESS"
        return "DELETE_FAILED" if stack.get("delete_fails") else "DELETE_COMPLETE"
    if now < stack["done_at"]:
        return "CREATE_IN_PROGRESS"
    if (stack.get("update") or {}).get("through_stack"):
        return "UPDATE_IN_PROGRESS"
    return "ROLLBACK_COMPLETE" if stack.get("fails") else stack.get("updated", "CREATE_COMPLETE")


def stacks_of(stacks, name, region):
    return [s for s in stacks.values() if s["cluster"] == name and s["region"] == region
            and status(s) != "DELETE_COMPLETE"]


def cluster_stack(stacks, name, region):
    for stack in stacks_of(stacks, name, region):
        if stack["kind"] == "cluster":
            return stack
    return None


def put_stack(kind, name, region, tags, seconds, suffix, **more):
    with Locked() as stacks:
        stack_name = f"eksctl-{name}-{suffix}"
        key = f"{region}/{stack_name}"
        if key in stacks and status(stacks[key]) != "DELETE_COMPLETE":
            return None
        note("create", key, tags, seconds, more.get("fails"))
        stacks[key] = {"name": stack_name, "cluster": name, "region": region, "kind": kind,
                       "tags": tags, "created_at": time.time(),
                       "done_at": time.time() + seconds, "delete_at": None, **more}
        return key


def get_stack(key):
    with Locked() as stacks:
        return stacks.get(key)


def begin_delete(key, seconds, fails):
    with Locked() as stacks:
        stack = stacks[key]
        if stack.get("delete_at") is None or status(stack) == "DELETE_FAILED":
            note("delete", key, stack["tags"], seconds, fails)
            stack["delete_at"] = time.time() + seconds
            stack["delete_fails"] = fails


def change(key, **fields):
    with Locked() as stacks:
        if key in stacks:
            stacks[key].update(fields)


def take_one(name):
    """Counts a number of pace.json down; whether there was one left."""
    with open(path("pace.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings = pace()
        if not settings.get(name, 0):
            return False
        settings[name] -= 1
        write_pace(settings)
        return True


def stand_until(name):
    """Says that somebody stands here, and stands until a test lets it go on (client.py)."""
    open(path(name + ".reached"), "w").close()
    while not os.path.exists(path(name)):
        time.sleep(0.02)


def write_pace(settings):
    with open(path("pace.json.new"), "w") as file:
        file.write(dumps(settings))
    os.rename(path("pace.json.new"), path("pace.json"))
