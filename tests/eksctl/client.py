"""A test's hand on the stand-in eksctl and the AWS that it plays."""

import json
import os
import time

import install as installer


class Eksctl:
    def __init__(self, directory):
        self.directory = str(directory)
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
        pace = self.read("pace.json", {"faults": []})
        pace.setdefault("faults", []).append({"command": command, "do": do, **more})
        self.write("pace.json", pace)

    def calls(self, verb=None):
        """The calls that began, oldest first; verb: "create", "delete", "get", …; without one, those
        that change something."""
        try:
            with open(self.path("calls.jsonl"), encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
        except FileNotFoundError:
            return []
        verbs = [verb] if verb else ["create", "delete"]
        return [c for c in lines if c.get("started") and c["argv"][0] in verbs]

    def stacks(self):
        """Stacks that exist now, by name."""
        now, found = time.time(), {}
        for stack in self.read("stacks.json", {}).values():
            gone = stack["delete_at"] is not None and now >= stack["delete_at"]
            if not gone or stack.get("delete_fails"):
                found[stack["name"]] = stack
        return found

    def clusters(self):
        return sorted({s["cluster"] for s in self.stacks().values() if s["kind"] == "cluster"})

    def finish(self):
        """AWS is done at once with what it is at, when no eksctl runs."""
        now, stacks = time.time(), self.read("stacks.json", {})
        for stack in stacks.values():
            stack["done_at"] = min(stack["done_at"], now)
            if stack["delete_at"] is not None:
                stack["delete_at"] = min(stack["delete_at"], now)
        self.write("stacks.json", stacks)

    def place_foreign(self, name, region, tags=None):
        stacks = self.read("stacks.json", {})
        stacks[f"{region}/eksctl-{name}-cluster"] = {
            "name": f"eksctl-{name}-cluster", "cluster": name, "region": region, "kind": "cluster",
            "tags": tags or {}, "created_at": time.time(), "done_at": 0, "delete_at": None}
        self.write("stacks.json", stacks)
