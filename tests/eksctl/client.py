"""A test's hand on the stand-in eksctl and the AWS that it plays."""

import contextlib
import fcntl
import json
import os
import time

import install as installer


class Hold:
    """A place at which eksctl stands until it is let go on."""

    def __init__(self, path):
        self.path = path

    def wait(self, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not os.path.exists(self.path + ".reached"):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.02)

    def lift(self):
        open(self.path, "w", encoding="utf-8").close()


class Eksctl:
    def __init__(self, directory):
        self.directory = str(directory)
        self.holds = 0
        self.program = installer.install(directory)
        self.set_pace(create_seconds=1, delete_seconds=0.4)

    def path(self, name):
        return os.path.join(self.directory, name)

    def read(self, name, otherwise):
        try:
            with open(self.path(name), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return otherwise

    def write(self, name, value):
        with open(self.path(name + ".tmp"), "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.rename(self.path(name + ".tmp"), self.path(name))

    def set_pace(self, **settings):
        self.write("pace.json", {**self.read("pace.json", {"faults": []}), **settings})

    def add_fault(self, command, do, **more):
        with open(self.path("pace.lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            pace = self.read("pace.json", {"faults": []})
            pace.setdefault("faults", []).append({"command": command, "do": do, **more})
            self.write("pace.json", pace)

    def hold(self, command, **more):
        """The next such command stands at that place, however long it takes until it is lifted."""
        self.holds += 1
        name = f"hold-{self.holds}"
        self.add_fault(command, "hold", until=name, **more)
        return Hold(self.path(name))

    def lines(self):
        try:
            with open(self.path("calls.jsonl"), encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def calls(self, verb=None):
        """The calls that began, oldest first; verb: "create", "delete" (of a cluster), "get", …, or
        two words, "create nodegroup"; without one, those that create or delete a cluster."""
        wanted = [verb] if verb else ["create", "delete"]
        wanted = [f"{w} cluster" if w in ("create", "delete") else w for w in wanted]
        return [c for c in self.lines() if c.get("started")
                and (c["argv"][0] in wanted or " ".join(c["argv"][:2]) in wanted)]

    def stacks(self):
        """Stacks that exist now, by name."""
        now, found = time.time(), {}
        for stack in self.read("stacks.json", {}).values():
            gone = stack["delete_at"] is not None and now >= stack["delete_at"]
            if not gone or stack.get("delete_fails"):
                found[stack["name"]] = stack
        return found

    def sizes(self, cluster):
        """Of the cluster's node groups by name: desired, least and most nodes."""
        return {s["group"]: (s["desired"], s["min"], s["max"]) for s in self.stacks().values()
                if s["cluster"] == cluster and s["kind"] == "nodegroup"}

    def clusters(self):
        return sorted({s["cluster"] for s in self.stacks().values() if s["kind"] == "cluster"})

    def finish(self):
        """AWS is done at once with what it is at, when no eksctl runs."""
        now, stacks = time.time(), self.read("stacks.json", {})
        for stack in stacks.values():
            stack["done_at"] = min(stack["done_at"], now)
            if stack["delete_at"] is not None:
                stack["delete_at"] = min(stack["delete_at"], now)
            if stack.get("update"):
                stack["update"]["done_at"] = min(stack["update"]["done_at"], now)
        self.write("stacks.json", stacks)

    @contextlib.contextmanager
    def changing(self):
        """The stacks, to be changed while programs run on them."""
        with open(self.path("lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            stacks = self.read("stacks.json", {})
            yield stacks
            self.write("stacks.json", stacks)

    def place(self, cluster, region, tags, suffix="cluster", **more):
        """A stack as if it stood there: complete, unless more says otherwise."""
        with self.changing() as stacks:
            stacks[f"{region}/eksctl-{cluster}-{suffix}"] = {
                "name": f"eksctl-{cluster}-{suffix}", "cluster": cluster, "region": region,
                "kind": suffix.split("-")[0], "tags": tags, "created_at": time.time(), "done_at": 0,
                "delete_at": None, **more}

    def remove(self, cluster):
        """As if somebody had taken all of it away behind everybody's back."""
        with self.changing() as stacks:
            for key in [k for k, s in stacks.items() if s["cluster"] == cluster]:
                del stacks[key]

    def changes(self, cluster):
        """What was begun to change that cluster: ["delete cluster", "create cluster"], …"""
        return [" ".join(c["argv"][:2]) for c in self.lines() if c.get("started")
                and c["argv"][0] in ("create", "delete", "scale", "upgrade")
                and (cluster in c["argv"] or f"name: {cluster}\n" in c.get("stdin", ""))]

    def place_foreign(self, name, region, tags=None, age=0):
        stacks = self.read("stacks.json", {})
        stacks[f"{region}/eksctl-{name}-cluster"] = {
            "name": f"eksctl-{name}-cluster", "cluster": name, "region": region, "kind": "cluster",
            "tags": tags or {}, "created_at": time.time() - age, "done_at": 0, "delete_at": None}
        self.write("stacks.json", stacks)
