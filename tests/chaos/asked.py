"""What people asked for, and what was made of it: the rules of the checker that go from an act to the audit
and back. Each delivery has an id, which the journal and the audit both have."""

import collections

from acts import EXTENSION, VERSIONS
from hands import said
from world import LENGTHS, NEEDED, NODES_MOST, TAKEN

# A step that a person did, by its name in the audit -> the acts that may have done it.
DONE_BY = {
    "request": {"create"}, "request-without-approval": {"create"}, "break-glass": {"create"},
    "approve": {"approve"}, "vote": {"approve"}, "amend": {"approve"}, "deny": {"deny"},
    "vote-taken-back": {"takeback"}, "withdraw": {"withdraw"}, "change-withdrawn": {"withdraw"},
    "change-request": {"extend", "scale"}, "change-denied": {"deny"},
    "extend": {"extend", "approve"}, "scale": {"scale", "approve"}, "upgrade": {"upgrade"},
    "sleep": {"sleep"}, "wake": {"wake"}, "schedule": {"schedule"}, "retry": {"retry"},
    "delete": {"delete", "end"}, "review-seen": {"seen"}, "review-end": {"end"},
    "pause": {"pause"}, "resume": {"resume"}, "ask": {"ask"}, "answer": {"answer"},
}
NOTHING = {"refused", "shown-anew"}  # is written down, and nothing was done
# What somebody is told who typed it -> the step that was done then.
PROMISES = (
    ("create", "You asked for", {"request"}),
    ("create", "is on its way", {"request-without-approval", "break-glass"}),
    ("extend", "more; it ends", {"extend"}), ("extend", "so it is asked for", {"change-request"}),
    ("scale", "You will hear when it has them", {"scale"}),
    ("scale", "so it is asked for", {"change-request"}), ("upgrade", "is upgraded from", {"upgrade"}),
    ("sleep", "goes to sleep", {"sleep"}), ("wake", "wakes up. You", {"wake"}),
    ("schedule", "* sleeps ", {"schedule"}), ("retry", "is tried again.", {"retry"}),
    ("delete", "is being deleted. That", {"delete"}), ("delete", "That is stopped", {"delete"}),
    ("withdraw", "is withdrawn.", {"withdraw"}), ("withdraw", "is taken back.", {"change-withdrawn"}),
    ("approve", "You approved", {"approve", "extend", "scale"}), ("approve", "is counted.", {"vote"}),
    ("deny", "You denied", {"deny", "change-denied"}),
    ("takeback", "is taken back. Needed", {"vote-taken-back"}), ("ask", "is asked; the answer", {"ask"}),
    ("answer", "Your answer is passed on", {"answer"}),
    ("pause", "Provisioning is paused: no new", {"pause"}),
    ("resume", "Provisioning goes on", {"resume"}),
)
# Of an answer like these nothing is kept: what comes again may be answered better.
AWAY = ("at the moment", "cannot tell whether", "lost its database")


def away(ack):
    return any(words in said(ack) for words in AWAY)


def more(a, b):
    """Than; not known: no."""
    return a is not None and b is not None and a > b


def is_person(row):
    return "/" in row["actor"]


class Asked:
    """Of a Checker: acts, audit, environments, decisions, changes, writes, jobs, outbox, state."""

    def index(self):
        self.by_envelope = {a["envelope"]: a for a in self.acts if a["envelope"]}
        self.done = collections.defaultdict(list)  # envelope -> rows of the audit
        self.steps = collections.defaultdict(list)  # environment -> rows of the audit
        for row in self.audit:
            self.done[row["envelope"]].append(row)
            self.steps[row["environment"]].append(row)

    def meant(self, act):
        """The environments that it may be about: of a name that several bear, all in that team."""
        one = self.environments.get(act.get("environment"))
        if not one or one["name"] != TAKEN or "text" not in act:
            return {act.get("environment")}
        return {e["id"] for e in self.environments.values()
                if (e["name"], e["team"]) == (TAKEN, one["team"])}

    # -- from what was done to who did it ------------------------------------------------------------
    def acted(self):
        for row in self.audit:
            if not is_person(row) or row["event"] in NOTHING:
                continue
            kinds, act = DONE_BY.get(row["event"], set()), self.by_envelope.get(row["envelope"])
            user = row["actor"].rpartition("/")[2]
            if act is None:  # delivered, and nobody knows with which id
                fits = any(a["user"] == user and a["kind"] in kinds for a in self.acts
                           if not a["envelope"])
            else:
                fits = act["user"] == user and act["kind"] in kinds \
                    and ("environment" not in act or row["environment"] in self.meant(act))
            if not fits:
                yield f"{row['event']} of {row['environment']} by {user}, who did {act}"

    # -- from what was promised to what was done -------------------------------------------------------
    def promised(self):
        for act in self.acts:
            sure = [ack for ack in act["acks"] if not away(ack)]
            if not act["envelope"] or not sure:
                continue
            did = [row["event"] for row in self.done[act["envelope"]] if row["event"] not in NOTHING]
            told = [(words, events) for kind, words, events in PROMISES
                    if kind == act["kind"] and words in said(sure[0])]
            for words, events in told:
                if sum(event in events for event in did) != 1:
                    yield f"{act['user']} was told “{words}” of {act.get('text')}, and done was {did}"
            if said(sure[0]) and not told and did:
                yield f"{act['user']} was refused ({said(sure[0])}), and done was {did}"
            if "form" in act and not said(sure[0]) and act["kind"] != "form" \
                    and not self.done[act["envelope"]]:
                yield f"{act['user']} sent the form {act['form']} to {act['kind']}, and nothing was done"

    def requests(self):
        by_name = collections.defaultdict(list)
        for env in self.environments.values():
            by_name[env["owner_id"], env["team"], env["name"]].append(env)
        asked = set()
        for act in self.acts:
            if act["kind"] != "create":
                continue
            key = act["user"], act["team"], act["name"]
            asked.add(key)
            rows = len(by_name[key])
            if act["name"] == TAKEN:
                continue  # of a name that several ask for the audit tells
            words = [said(ack) for ack in act["acks"]]
            yes = any("You asked for" in w or "is on its way" in w or ("form" in act and not w)
                      for w in words)
            unknown = not words or any(map(away, act["acks"]))
            if yes and rows != 1:
                yield f"{key} was told of a request, and there are {rows}"
            if not yes and not unknown and rows:
                yield f"{key} was refused ({words[0]}), and there are {rows}"
            if rows > 1:
                yield f"{key} asked once, and there are {rows}"
        for key, rows in by_name.items():
            if rows and key not in asked:
                yield f"nobody asked for {key}"

    # -- votes -----------------------------------------------------------------------------------------
    def standing(self, env, place="card"):
        """Whose approvals stand, of what the card shows last."""
        return {d["user_id"] for d in self.decisions
                if (d["environment"], d["card"], d["word"]) == (env["id"], place, "approve")
                and (place != "card" or d["revision"] == env["revision"])}

    def approvals(self):
        word_of = {(d["environment"], d["user_id"]) for d in self.decisions}
        private = {(str(row["recipient"])) for row in self.outbox.values() if row["kind"] == "private"}
        clicked = {(a["environment"], a["user"]) for a in self.acts if a["kind"] in ("approve", "deny")}
        told = {m.get("ephemeral_for") for found in self.state["messages"].values() for m in found}
        for act in self.acts:
            if act["kind"] != "approve" or act["outcome"] != "acked" or any(act["acks"]):
                continue  # the ack of a click is empty, of a command it is the answer
            if (act["environment"], act["user"]) not in word_of and act["user"] not in private | told:
                yield f"{act['user']} approved {act['environment']}: neither counted nor answered"
        for environment, user in word_of - clicked:
            yield f"{user} never decided about {environment}"
        for env in self.environments.values():
            free = any(a["event"] in ("request-without-approval", "break-glass")
                       for a in self.steps[env["id"]])
            votes = self.standing(env)
            enough = len(votes) >= NEEDED[env["template"]]
            lived = env["state"] not in ("pending", "lapsed", "withdrawn", "denied")
            if lived and not enough and not free:
                yield f"{self.named(env)} lives, and only {votes} approved it"
            if not lived and (enough or free):
                yield f"{self.named(env)} was approved"
            if env["owner_id"] in votes:
                yield f"{self.named(env)} was approved by its owner"

    def taken_back(self):
        """Whose last word about a request was taking it back has no vote."""
        for env in self.environments.values():
            last = {}
            for row in self.steps[env["id"]]:
                act = self.by_envelope.get(row["envelope"])
                if row["event"] in ("vote", "approve", "vote-taken-back") and act:
                    last[act["user"], act["place"]] = row["event"]
            for (user, place), event in last.items():
                if event == "vote-taken-back" and user in self.standing(env, place):
                    yield f"{user} took the vote for {place} of {self.named(env)} back, and it stands"

    # -- more than may be had without another approval ---------------------------------------------------
    def changes_asked(self):
        for wish in self.changes:
            env, place = self.environments[wish["environment"]], f"change-{wish['id']}"
            done = [row for row in self.steps[env["id"]] if row["event"] == wish["kind"]
                    and row["detail"].get("change_request") == wish["id"]]
            votes, name = self.standing(env, place), f"{place} ({wish['state']}) of {self.named(env)}"
            if len(done) != (wish["state"] == "approved"):
                yield f"{name} was done {len(done)} times"
            if (len(votes) >= NEEDED[env["template"]]) != (wish["state"] == "approved"):
                yield f"{name} has the votes of {votes}"
            if wish["state"] == "pending" and env["ended_at"]:
                yield f"{name} waits still"
        asked = collections.Counter(w["environment"] for w in self.changes)
        for env in self.environments:
            told = sum(row["event"] == "change-request" for row in self.steps[env])
            if told != asked[env]:
                yield f"{asked[env]} wishes for more of environment {env}, and {told} are in the audit"

    def bounds(self):
        """Nobody has more time or nodes than the template or an approver gave without another vote."""
        for env in self.environments.values():
            wants, nodes, seconds = {}, NODES_MOST, max(LENGTHS[env["template"]])
            for row in self.steps[env["id"]]:
                before, wants = wants, self.after(row, dict(wants))
                voted = "change_request" in row["detail"]
                if row["event"] == "request-without-approval":
                    nodes = 1
                elif row["event"] == "amend":
                    nodes, seconds = wants["nodes"], wants["seconds"]
                elif row["event"] == "extend" and not voted and more(wants["seconds"], seconds):
                    yield f"{self.named(env)} has {wants} of {seconds} s, and nobody voted on that"
                elif row["event"] == "scale" and not voted and more(wants["asked"], nodes) \
                        and more(wants["asked"], before["nodes"]):
                    yield f"{self.named(env)} goes to {wants} of {nodes} nodes, and nobody voted on that"

    # -- what it is to be ----------------------------------------------------------------------------------
    def after(self, row, wants):
        """{nodes, version, seconds} that people asked for, as the step that was done makes it. None: somebody
        asked in a way whose answer nobody got."""
        act = self.by_envelope.get(row["envelope"], {})
        if row["event"] in ("request", "request-without-approval", "break-glass"):
            return {key: act.get(key) for key in ("nodes", "version", "seconds")}
        if row["event"] == "amend":
            wants.update(nodes=act.get("nodes"), seconds=act.get("seconds"))
        elif row["event"] == "scale":
            wish = row["detail"].get("change_request")
            wants["asked"] = next((w["wanted"] for w in self.changes if w["id"] == wish), act.get("nodes"))
        elif row["event"] == "scaled":
            wants["nodes"] = wants["asked"]
        elif row["event"] == "upgraded":
            wants["version"] = VERSIONS[-1]
        elif row["event"] == "extend" and wants["seconds"]:
            wants["seconds"] += EXTENSION
        return wants

    def intended(self, env):
        wants = {}
        for row in self.steps[env["id"]]:
            wants = self.after(row, wants)
        return wants

    # -- pauses --------------------------------------------------------------------------------------------
    def paused(self):
        """Nothing new began between the answer to a pause and whatever may have ended it."""
        begun, pauses = {}, [a for a in self.acts if a["kind"] in ("pause", "resume")]
        for write in self.writes:
            if write["what"] == "claim":
                begun.setdefault(write["job"], write["epoch"])
        kinds = {job["id"]: job["kind"] for job in self.jobs}
        for act in pauses:
            if act["kind"] != "pause" or not any("Provisioning is paused: no" in said(a)
                                                 for a in act["acks"]):
                continue
            until = min((a["at"] for a in pauses if a is not act and a["answered_at"] > act["at"]),
                        default=float("inf"))
            for job, at in begun.items():
                if act["answered_at"] < at < until and (act["everything"] or kinds[job] != "delete"):
                    yield f"job {job} ({kinds[job]}) began {at - act['answered_at']:.2f} s into a pause"

    # -- schedules -----------------------------------------------------------------------------------------
    def schedules(self):
        """What is to sleep and wake by the clock did, or it was said why not."""
        for act in self.acts:
            env = self.environments.get(act.get("environment"))
            if act["kind"] != "schedule" or not act.get("turns") or not env or env["ended_at"]:
                continue
            at, wake = act["turns"]
            kept = any("* sleeps daily" in said(a) for a in act["acks"])
            newer = [a for a in self.acts if a["kind"] == "schedule" and a["at"] > act["at"]
                     and a["environment"] == env["id"]]
            turned = [row["event"] for row in self.steps[env["id"]] if row["epoch"] > at - 1
                      and row["event"] in ("sleep", "wake", "turn-skipped", "turn-past", "delete", "expire")]
            if kept and not newer and not turned and float(env["now"]) > wake + 30:
                yield f"{self.named(env)} should have slept from {at}, and nothing was done"
        for env, steps in self.steps.items():
            slept = [row for row in steps if row["event"] in ("sleep", "wake") and not is_person(row)]
            if slept and not any(a["kind"] == "schedule" and env in self.meant(a) for a in self.acts):
                yield f"environment {env} sleeps by a schedule that nobody gave it"
