"""Forty people who ask, approve, extend, delete and try again, each from a stream of chance of their
own: what somebody does depends on the seed and on what they see, not on who was faster."""

import json
import random
import threading
import time

from world import TAKEN, TEAMS, channel_of

PER_TEAM = 8
EXTENSION = 20  # seconds
REGIONS = ("eu-central-1", "eu-west-1")


class Journal:
    """What people typed and clicked, and what they were answered: all that the checker believes."""

    def __init__(self, path):
        self.acts, self.lock = [], threading.Lock()
        self.file = open(path, "w", encoding="utf-8")

    def write(self, **act):
        with self.lock:
            self.acts.append(act)
            self.file.write(json.dumps(act) + "\n")
            self.file.flush()
        return act


class Person:
    def __init__(self, number, team, role):
        self.id, self.name = f"U0P{number:02}", f"person-{number}"
        self.team, self.role, self.asked = team, role, 0


def hire(count=PER_TEAM * len(TEAMS)):
    """Of eight in a team one manages and two approve (for every team)."""
    roles = ["manager", "approver", "approver"] + ["developer"] * (PER_TEAM - 3)
    return [Person(n, TEAMS[n % len(TEAMS)], roles[n // len(TEAMS) % PER_TEAM])
            for n in range(count)]


class Acting:
    """One person's acts. hurry: how many acts a minute."""

    def __init__(self, person, world, journal, seed, hurry):
        self.who, self.world, self.journal, self.hurry = person, world, journal, hurry
        self.chance = random.Random(f"{seed}/{person.id}")

    # -- acts ------------------------------------------------------------------------------------
    def kept(self, kind, asked_at, answer, **more):
        # What was delivered and not acked in time comes again, mostly: Slack's promise is "at
        # least once", and people press again.
        act = {"at": asked_at, "answered_at": time.time(), "user": self.who.id, "kind": kind,
               "envelope": answer.get("envelope_id"), "outcome": answer["outcome"],
               "acks": answer.get("acks") or [], **more}
        if answer["outcome"] == "timeout" and self.chance.random() < 0.6:
            time.sleep(self.chance.uniform(0.1, 2))
            again = self.world.slack.call("/control/redeliver",
                                          {"envelope_id": answer["envelope_id"], "on": "other"})
            act["redelivered"] = again["outcome"]
            act["acks"] = again.get("acks") or []
            act["outcome"] = "acked" if act["acks"] else again["outcome"]
        return self.journal.write(**act)

    def twice(self):
        return {"twice": self.chance.choice(["same", "other"])} if self.chance.random() < 0.3 else {}

    def type(self, verb, text, **more):
        at, twice = time.time(), self.twice()
        try:
            answer = self.world.slack.type(self.who.id, channel_of(self.who.team), text, wait=3,
                                           **twice)
        except ValueError:  # one connection cannot be "the other"
            answer = {"outcome": "timeout", "envelope_id": None}
        if answer.get("envelope_id") is None:
            return self.journal.write(at=at, user=self.who.id, kind=verb, text=text, envelope=None,
                                      outcome="unknown", acks=[], **more)
        return self.kept(verb, at, answer, text=text, **more)

    def create(self):
        name = f"{self.who.id[2:].lower()}x{self.who.asked}"
        self.who.asked += 1
        taken = self.chance.random() < 0.04
        nodes, seconds = self.chance.randint(1, 3), self.chance.choice([30, 45, 60, 3600])
        region = "eu-central-1" if taken else self.chance.choice(REGIONS)
        self.type("create", f"create small {TAKEN if taken else name} --nodes {nodes} --ttl {seconds}s"
                            f" --region {region} --team {self.who.team}",
                  name=TAKEN if taken else name, team=self.who.team, seconds=seconds)

    def mine(self, *states):
        rows = self.world.ask("SELECT id, name, state FROM environments WHERE owner_id = %s"
                              " AND state = ANY (%s) ORDER BY id", self.who.id, list(states))
        return self.chance.choice(rows) if rows else None

    def on_mine(self, verb, states, text):
        found = self.mine(*states)
        if found:
            self.type(verb, text.format(name=found["name"]), environment=found["id"])

    def decide(self):
        """Mostly yes, mostly by the button."""
        rows = self.world.ask("SELECT e.id, e.name, m.channel, m.ts FROM environments e JOIN messages m"
                              " ON m.environment = e.id AND m.place = 'card'"
                              " WHERE e.state = 'pending' ORDER BY e.id")
        if not rows:
            return
        row, roll = self.chance.choice(rows), self.chance.random()
        if roll < 0.3 and row["name"] != TAKEN:  # which several teams have asked for
            verb, words = ("deny", " not now") if roll < 0.08 else ("approve", "")
            self.type(verb, f"{verb} {row['name']}{words}", environment=row["id"])
            return
        at, twice = time.time(), self.twice()
        try:
            answer = self.world.slack.click(self.who.id, row["channel"], row["ts"], "approve", wait=3,
                                            **twice)
        except ValueError:
            answer = {"outcome": "unknown", "envelope_id": None}
        if answer["outcome"] == "no_button":
            return
        self.kept("approve", at, answer, environment=row["id"])

    # -- a life ----------------------------------------------------------------------------------
    def act(self):
        if self.who.role == "approver":
            return self.decide()
        up = ["ready", "asleep", "changing"]
        act, *more = self.chance.choices(*zip(
            ((self.create,), 36),
            ((self.on_mine, "extend", up, f"extend {{name}} {EXTENSION}s"), 12),
            ((self.on_mine, "scale", ["ready"], f"scale {{name}} {self.chance.randint(1, 3)}"), 10),
            ((self.on_mine, "sleep", ["ready"], "sleep {name}"), 5),
            ((self.on_mine, "wake", ["asleep"], "wake {name}"), 8),
            ((self.on_mine, "delete", ["creating", "queued", *up], "delete {name}"), 8),
            ((self.on_mine, "retry", ["failed"], "retry {name}"), 10),
            ((self.on_mine, "withdraw", ["pending"], "withdraw {name}"), 3),
            ((self.type, "list", self.chance.choice(["list", "quota", "list --mine"])), 8)))[0]
        return act(*more)

    def live(self, over):
        faster = 6 if self.who.role == "approver" else 1
        while not over.wait(self.chance.expovariate(self.hurry * faster / 60)):
            self.act()


class Crowd:
    def __init__(self, world, journal, seed, hurry):
        self.over = threading.Event()
        self.acting = [Acting(p, world, journal, seed, hurry) for p in world.people]
        self.threads = [threading.Thread(target=self.safely, args=(one,), daemon=True)
                        for one in self.acting]
        self.broken = []

    def safely(self, acting):
        try:
            acting.live(self.over)
        except Exception as error:  # a mistake of the driver's must not look like a quiet person
            import traceback
            self.broken.append(f"{acting.who.id}: {error!r}\n{traceback.format_exc()}")

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(90)
        assert not any(t.is_alive() for t in self.threads), "a person does not come back"
