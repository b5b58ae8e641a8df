"""Verifies what came of it all. It believes what people typed and clicked and what they were answered,
and what the stand-ins saw; envbot's tables only tell where things are, and must agree.

Each rule is a method that yields sentences; an empty list is a sound world."""

import collections
import datetime
import json
import os

import story
from asked import Asked, away
from hands import said
from world import FOREIGN, TAKEN, TEAMS


class Checker(Asked):
    def __init__(self, world, journal, over=False, under_way=False):
        """over: everything was to be deleted, nothing may be left. under_way: it goes on meanwhile, so
        only what must hold at any moment is looked at; may raise psycopg2's errors then."""
        self.world, self.over, self.under_way = world, over, under_way
        self.acts = list(journal.acts)
        self.state = world.slack.state()
        self.mails, self.refused = world.aws.mails(), world.slack.violations()
        self.stacks = world.eksctl.stacks()
        ask = world.database.query
        # In this order: the trail is at least as new as the audit, the table as the trail.
        self.audit = ask("SELECT *, extract(epoch FROM at)::float8 AS epoch FROM audit ORDER BY id")
        self.trail, self.calls = self.lines("trail.jsonl"), self.lines("calls.jsonl")
        self.environments = {row["id"]: row for row in ask(
            "SELECT *, extract(epoch FROM expires_at) AS ends, extract(epoch FROM ready_at) AS ready,"
            " extract(epoch FROM now()) AS now FROM environments ORDER BY id")}
        self.decisions = ask("SELECT * FROM decisions ORDER BY id")
        self.changes = ask("SELECT * FROM change_requests ORDER BY id")
        self.outbox = {str(row["id"]): row for row in ask(
            "SELECT id, kind, environment, place, template, recipient, sent_at, parked, error FROM outbox")}
        self.jobs = ask("SELECT * FROM jobs ORDER BY id")
        self.writes = ask("SELECT *, extract(epoch FROM at)::float8 AS epoch FROM chaos.writes"
                          " ORDER BY number")
        self.index()

    def lines(self, name):
        try:
            with open(self.world.eksctl.path(name), encoding="utf-8") as file:
                return [json.loads(line) for line in file]
        except FileNotFoundError:
            return []

    def violations(self):
        always = (self.beyond_its_role, self.twice_delivered, self.clusters, self.foreign, self.fences,
                  self.processes, self.quotas, self.truth, self.posted_once, self.refused_by_slack)
        at_rest = (self.requests, self.acted, self.promised, self.approvals, self.taken_back,
                   self.changes_asked, self.bounds, self.paused, self.schedules, self.ends, self.shape,
                   self.threads, self.delivered, self.mailed, self.chain)
        rules = always if self.under_way else always + at_rest
        return [f"{rule.__name__}: {sentence}" for rule in rules for sentence in rule()]

    def named(self, env):
        return f"{env['team']}/{env['name']} (id {env['id']}, {env['state']})"

    # -- 1. every environment is where it should be -------------------------------------------------
    def ends(self):
        asked_to_end = {e for a in self.acts if a["kind"] in ("delete", "end") for e in self.meant(a)}
        withdrawn = {e for a in self.acts if a["kind"] == "withdraw" for e in self.meant(a)}
        for env in self.environments.values():
            name, state = self.named(env), env["state"]
            stacks = self.stacks_of(env)
            if state not in ("ready", "asleep", "deleted", "failed", "lapsed", "withdrawn", "denied"):
                yield f"{name} is not where anything ends"
            if state in ("ready", "asleep"):
                if self.over:
                    yield f"{name} is still there"
                if float(env["ends"]) < float(env["now"]) - 10:
                    yield f"{name} should have ended {env['expires_at']}"
                kinds = sorted(s["kind"] for s in stacks)
                if kinds != ["cluster", "nodegroup"] or not all(self.complete(s) for s in stacks):
                    yield f"{name}: in AWS there is {stacks}"
                nodes = sum(s.get("desired", 0) for s in stacks)
                if nodes != (0 if state == "asleep" else env["nodes"]):
                    yield f"{name} has {nodes} nodes in AWS and {env['nodes']} in the table"
            elif stacks:
                yield f"{name}, but in AWS there is {[s['name'] for s in stacks]}"
            if state == "deleted" and env["id"] not in asked_to_end \
                    and not any(a["environment"] == env["id"] and a["event"] == "expire"
                                for a in self.audit):
                yield f"{name}: nobody asked for that, and it did not expire"
            if state == "withdrawn" and env["id"] not in withdrawn:
                yield f"{name}: its owner did not withdraw it"
            if state == "failed" and (not env["cause"] or not env["ended_at"] or env["stuck"]):
                yield f"{name}: cause {env['cause']}, ended {env['ended_at']}, stuck {env['stuck']}"
        for act in self.acts:
            env = self.environments.get(act.get("environment"))
            if act["kind"] == "delete" and any("is being deleted" in said(a) or "is stopped" in said(a)
                                               for a in act["acks"]):
                if env["name"] != TAKEN and env["state"] not in ("deleted", "failed"):
                    yield f"{act['user']} was told that {self.named(env)} is deleted"

    @staticmethod
    def complete(stack):
        now = datetime.datetime.now().timestamp()
        return now >= stack["done_at"] and not stack.get("fails") and stack["delete_at"] is None

    def stacks_of(self, env):
        return [s for s in self.stacks.values()
                if s["tags"].get("envbot:environment") == str(env["id"])]

    def twice_delivered(self):
        steps = collections.Counter((a["envelope"], a["event"], a["environment"]) for a in self.audit
                                    if a["envelope"] and a["event"] != "refused")
        for (envelope, event, environment), count in steps.items():
            if count > 1:
                yield f"envelope {envelope} did “{event}” {count} times to {environment}"
        for act in self.acts:
            told = {said(ack) for ack in act["acks"] if ack and not away(ack)}
            if len(told) > 1 and act["kind"] != "list":
                yield f"envelope {act['envelope']} ({act.get('text')}) was answered in {told}"

    def shape(self):
        """It has the nodes, the version and the time that people asked for, here and in AWS."""
        for env in self.environments.values():
            wants, name = self.intended(env), self.named(env)
            if None in wants.values() or env["ready"] is None:
                continue
            lives = round(float(env["ends"] - env["ready"]))
            if abs(lives - wants["seconds"]) > 1:
                yield f"{name} lives for {lives} s: {wants}"
            if env["state"] not in ("ready", "asleep"):
                continue
            has = env["parameters"]
            if (has["nodes"], has["version"]) != (wants["nodes"], wants["version"]):
                yield f"{name} has {has}, and was to have {wants}"
            there = {s["version"] for s in self.stacks_of(env)}
            failed = any(a["event"] == "change-failed" for a in self.steps[env["id"]])
            if there != {wants["version"]} and not failed:
                yield f"{name} has the versions {there} in AWS, and was to have {wants}"

    # -- 2. clusters --------------------------------------------------------------------------------
    def clusters(self):
        ids = {str(i) for i in self.environments}
        ready_at = collections.defaultdict(list)
        for row in self.audit:
            if row["event"] in ("ready", "retry"):
                ready_at[str(row["environment"])].append((row["epoch"], row["event"]))
        for entry in self.trail:
            owner = entry["tags"].get("envbot:environment")
            if owner not in ids:
                yield f"{entry['did']} of {entry['stack']}, which is nobody's"
            if entry["did"] == "create":
                before = [what for at, what in ready_at[owner] if at < entry["at"]]
                if before and before[-1] == "ready":
                    yield f"{entry['stack']} was created again although {owner} was ready"
        for stack in self.stacks.values():
            if stack["tags"].get("envbot:environment") not in ids and not self.is_foreign(stack):
                yield f"{stack['name']} is in AWS and in no table"

    @staticmethod
    def is_foreign(stack):
        return stack["tags"] == {"owner": "somebody else"}

    def foreign(self):
        here = {(s["cluster"], s["region"]) for s in self.stacks.values()
                if self.is_foreign(s) and s["delete_at"] is None}
        for one in set(FOREIGN) | {(f"{team}-{TAKEN}", "eu-central-1") for team in TEAMS}:
            if one not in here:
                yield f"the cluster {one} of others is gone or was touched"

    # -- 3. one writer ------------------------------------------------------------------------------
    def fences(self):
        held = {}  # environment -> (process, fence, time of the claim)
        claims = collections.Counter()
        for write in self.writes:
            process = self.world.wire.process_behind(write["backend"], write["epoch"])
            env = write["environment"]
            if write["what"] == "claim":
                held[env] = process, write["fence"], write["epoch"]
                claims[write["job"]] += 1
                continue
            if env not in held:
                yield f"{write['what']} of environment {env} was written before any claim"
                continue
            holder, fence, since = held[env]
            # A line of the log takes no lock: one that was under way when the lease was taken is old.
            late = write["what"] != "log" or write["epoch"] - since > 2
            if process != holder and late:
                yield (f"{process} wrote {write['what']} of environment {env} (job {write['job']}) at"
                       f" {write['at']:%H:%M:%S.%f}, which {holder} held since"
                       f" {write['epoch'] - since:.3f} s with fence {fence}")
        for job in self.jobs:
            if job["fence"] != claims[job["id"]] and not self.under_way:
                yield f"job {job['id']} has fence {job['fence']} after {claims[job['id']]} claims"

    def processes(self):
        """What another machine left cannot be reached from here: there AWS's own names are the fence."""
        for call in self.calls:
            if call.get("beside", "").endswith(" on " + call.get("host", "?")):
                yield (f"eksctl {' '.join(call['argv'][:4])} ({call['pid']}) ran beside"
                       f" {call['beside']} at {call['at']:.3f}")

    # -- 4. quotas ----------------------------------------------------------------------------------
    def quotas(self):
        for row in self.world.database.query("SELECT * FROM chaos.over"):
            yield f"{row['team']} held {row['uses']} at {row['at']}"
        if self.over:
            for row in self.world.database.query(
                    "SELECT team, count(*) FROM environments WHERE ended_at IS NULL GROUP BY team"):
                yield f"{row['team']} still holds {row['count']} environments"

    # -- 5. what was told ---------------------------------------------------------------------------
    def posted(self):
        """(outbox id, message) of all that envbot posted, by ts."""
        found = [m for channel in self.state["messages"].values() for m in channel
                 if m.get("bot_id") and not m.get("ephemeral_for")]
        return [(m.get("metadata", {}).get("event_payload", {}).get("outbox"), m)
                for m in sorted(found, key=lambda m: float(m["ts"]))]

    def threads(self):
        told = collections.defaultdict(list)
        for number, message in self.posted():
            row = self.outbox.get(number)
            if row and row["place"] == "thread":
                told[row["environment"]].append((row, message))
        for env in self.environments.values():
            yield from (f"{self.named(env)}: {sentence}" for sentence in story.wrong(
                env, told[env["id"]], [a for a in self.audit if a["environment"] == env["id"]],
                [d for d in self.decisions if d["environment"] == env["id"]]))

    def truth(self):
        """Ready is said of what AWS had, gone of what it had not."""
        for row in self.audit:
            if row["event"] not in ("ready", "gone"):
                continue
            env, up = self.environments[row["environment"]], {}
            for entry in self.trail:
                if entry["tags"].get("envbot:environment") == str(env["id"]) \
                        and entry["at"] < row["epoch"]:
                    up[entry["stack"]] = entry
            standing = [e["stack"] for e in up.values() if e["did"] == "create" or e["fails"]
                        or e["at"] + e["seconds"] > row["epoch"] + 0.05]
            whole = [e["stack"] for e in up.values() if e["did"] == "create" and not e["fails"]
                     and e["at"] + e["seconds"] < row["epoch"] + 0.05]
            if row["event"] == "gone" and standing:
                yield f"{self.named(env)} was called gone while {standing} stood"
            if row["event"] == "ready" and len(whole) != 2:
                yield f"{self.named(env)} was called ready with {whole}"

    def posted_once(self):
        posted = self.posted()
        for number, count in collections.Counter(n for n, _ in posted).items():
            if number is None:
                yield f"{count} messages carry no number of the outbox"
            elif count > 1:
                row = self.outbox.get(number)
                yield f"outbox {number} ({row and row['template']}) was posted {count} times"

    def delivered(self):
        for number, row in self.outbox.items():
            if row["parked"] or not row["sent_at"]:
                yield f"outbox {number} ({row['kind']} {row['template']}) is not delivered: {row['error']}"

    def mailed(self):
        """SES knows no number of ours: a mail whose sender died before it could note it may come twice."""
        doubted = {str(row["outbox"]) for row in self.world.database.query(
            "SELECT DISTINCT outbox FROM chaos.uncertain")}
        mails = collections.Counter(self.mail_number(mail) for mail in self.mails)
        for number, count in mails.items():
            if number not in self.outbox:
                yield f"a mail says it is {number} of the outbox"
            elif count > 1 and number not in doubted:
                yield f"mail {number} went out {count} times"
        for number, row in self.outbox.items():
            if row["kind"] == "mail" and row["sent_at"] and not row["error"] and not mails[number]:
                yield f"mail {number} ({row['template']}) never went out"

    @staticmethod
    def mail_number(mail):
        return next((v for k, v in mail["headers"].items() if k.lower() == "x-envbot-id"), None) \
            if isinstance(mail["headers"], dict) else \
            next((v for k, v in mail["headers"] if k.lower() == "x-envbot-id"), None)

    def refused_by_slack(self):
        for violation in self.refused:
            yield str(violation)[:500]

    def beyond_its_role(self):
        if self.world.pods:
            yield from self.world.pods.wrong()

    # -- 6. the audit's chain -------------------------------------------------------------------------
    def chain(self):
        done = self.world.company.run("audit", "--verify")
        if done.returncode != 0:
            yield f"envbot audit --verify: {done.stdout} {done.stderr}"
