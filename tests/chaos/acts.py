"""What people do: they ask, vote, change, pause and end, each from a stream of chance of their own. What
somebody does depends on the seed and on what they see, not on who was faster."""

import random
import time

from hands import Hands
from world import LENGTHS, NODES_MOST, TAKEN

EXTENSION = 20  # seconds
REGIONS = ("eu-central-1", "eu-west-1")
VERSIONS = ("1.33", "1.34")
UP = ["ready", "asleep", "changing"]


def filled(**parameters):
    """A form's fields of a template's parameters, as they are sent."""
    return {f"set-{name}": {"value": str(value)} for name, value in parameters.items()}


class Acting(Hands):
    """One person. hurry: how many acts a minute."""

    def __init__(self, person, world, journal, seed, hurry):
        super().__init__(person, world, journal, random.Random(f"{seed}/{person.id}"))
        self.hurry = hurry

    def rows(self, sql, *values):
        return self.world.ask(sql, *values) or []

    def one(self, sql, *values):
        rows = self.rows(sql, *values)
        return self.chance.choice(rows) if rows else None

    # -- asking ----------------------------------------------------------------------------------
    def wish(self):
        name = f"{self.who.id[2:].lower()}x{self.who.asked}"
        self.who.asked += 1
        template = self.chance.choice(list(LENGTHS))
        return {"template": template, "name": name, "nodes": self.chance.randint(1, 3),
                "seconds": self.chance.choice(LENGTHS[template]), "region": self.chance.choice(REGIONS),
                "version": self.chance.choice(VERSIONS), "team": self.who.team}

    def create(self, more=""):
        wish = self.wish()
        if not more and self.chance.random() < 0.04:
            wish.update(name=TAKEN, region="eu-central-1")
        self.type("create", "create {template} {name} --nodes {nodes} --ttl {seconds}s --region {region}"
                  " --version {version} --team {team}".format(**wish) + more, **wish)

    def break_glass(self):
        self.create(" --break-glass --reason 'the shop is down'")

    def create_by_form(self):
        """Two pages; whom Slack or envbot keeps waiting gives up."""
        wish, form = self.wish(), self.opened(self.type, "form", "create")
        page = form and self.submit("form", form[0], {"template": {"template": wish["template"]},
                                                      "team": {"team": wish["team"]}})
        if page and page["page"] == "update":
            self.submit("create", form[0], {
                "name": {"name": wish["name"]}, "ttl": {"ttl": f"{wish['seconds']}s"},
                "region": {"region": wish["region"]},
                **filled(nodes=wish["nodes"], version=wish["version"])}, **wish)

    # -- of what is theirs -------------------------------------------------------------------------
    def mine(self, states, more="true"):
        return self.one(
            "SELECT e.id, e.name, e.state, m.channel, m.ts FROM environments e LEFT JOIN messages m"
            " ON m.environment = e.id AND m.place = 'message'"
            f" WHERE e.owner_id = %s AND e.state = ANY (%s) AND {more} ORDER BY e.id", self.who.id, states)

    def on_mine(self, verb, states, text=None, **more):
        """Typed, or by the button of its message where there is one."""
        found = self.mine(states)
        if not found:
            return
        if found["ts"] and verb in ("delete", "withdraw", "retry", "wake") and self.chance.random() < 0.4:
            self.click(verb, found, verb, environment=found["id"])
        else:
            self.type(verb, (text or verb + " {name}").format(**found), environment=found["id"],
                      **more)

    def extend(self):
        if self.chance.random() < 0.6:
            return self.on_mine("extend", UP, f"extend {{name}} {EXTENSION}s")
        found = self.mine(UP)
        form = found and found["ts"] and self.opened(self.click, "form", found, "extend")
        return form and self.submit("extend", form[0], {"time": {"time": f"{EXTENSION}s"}},
                                    environment=found["id"])

    def scale(self):
        nodes = self.chance.randint(1, NODES_MOST + 1)  # the last takes a vote
        self.on_mine("scale", ["ready"], f"scale {{name}} {nodes}", nodes=nodes)

    def schedule(self):
        """From the next minute to the one after it, of what lives so long; or by hand only again."""
        found = self.mine(UP, "e.expires_at > now() + interval '3 minutes'")
        if not found:
            return
        if self.chance.random() < 0.2:
            self.type("schedule", f"sleep {found['name']} --off", environment=found["id"])
            return
        turns = [(int(time.time()) // 60 + minutes) * 60 for minutes in (1, 2)]
        at, wake = (time.strftime("%H:%M", time.gmtime(turn)) for turn in turns)
        self.type("schedule", f"sleep {found['name']} --at {at} --wake {wake} --zone UTC",
                  environment=found["id"], turns=turns)

    # -- deciding ----------------------------------------------------------------------------------
    def card(self, places):
        return self.one(
            "SELECT e.id, e.name, e.nodes, e.ttl_seconds, e.state, m.channel, m.ts, m.place"
            " FROM environments e JOIN messages m ON m.environment = e.id AND m.place LIKE %s"
            " WHERE CASE m.place WHEN 'card' THEN e.state = 'pending' WHEN 'review' THEN e.review IS NULL"
            "  AND e.ended_at IS NULL ELSE EXISTS (SELECT FROM change_requests r WHERE r.state = 'pending'"
            "  AND m.place = 'change-' || r.id) END ORDER BY e.id, m.place", places)

    def decide(self):
        """Mostly yes, mostly by the button, on a request or on a wish for more."""
        row = self.card("card" if self.chance.random() < 0.7 else "change-%")
        roll = self.chance.random()
        if not row:
            return None
        about = {"environment": row["id"], "place": row["place"]}
        if roll < 0.25 and row["name"] != TAKEN:  # which several teams have asked for
            verb, words = ("deny", " not now") if roll < 0.05 else ("approve", "")
            return self.type(verb, f"{verb} {row['name']}{words}", **about)
        if roll < 0.3:
            form = self.opened(self.click, "form", row, "deny", **about)
            return form and self.submit("deny", form[0], {"reason": {"reason": "not now"}}, **about)
        if roll < 0.45 and row["place"] == "card":
            return self.approve_with_changes(row, about)
        act = self.click("approve", row, "approve", **about)
        if act and row["name"] != TAKEN and self.chance.random() < 0.2:  # and thinks better of it
            act = self.type("takeback", f"takeback {row['name']}", **about)
        return act

    def approve_with_changes(self, row, about):
        form = self.opened(self.click, "form", row, "changes", **about)
        nodes = self.chance.randint(1, row["nodes"] or 1)
        seconds = self.chance.choice([30, row["ttl_seconds"]])
        return form and self.submit("approve", form[0], {"ttl": {"ttl": f"{seconds}s"},
                                                         **filled(nodes=nodes)},
                                    nodes=nodes, seconds=seconds, **about)

    def take_back(self):
        """One of their own votes; now and then what is decided already."""
        row = self.one(
            "SELECT e.id, e.name, m.channel, m.ts, d.card AS place FROM decisions d"
            " JOIN environments e ON e.id = d.environment"
            " JOIN messages m ON m.environment = e.id AND m.place = d.card"
            " WHERE d.user_id = %s AND d.word = 'approve' AND (%s OR e.state = 'pending' OR EXISTS"
            "  (SELECT FROM change_requests r WHERE r.state = 'pending' AND d.card = 'change-' || r.id))"
            " ORDER BY d.id", self.who.id, self.chance.random() < 0.2)
        if not row:
            return None
        about = {"environment": row["id"], "place": row["place"]}
        if self.chance.random() < 0.3 and row["name"] != TAKEN:
            return self.type("takeback", f"takeback {row['name']}", **about)
        return self.click("takeback", row, "takeback", **about)

    def ask(self):
        row = self.card("card")
        if row and row["name"] != TAKEN:
            self.type("ask", f"ask {row['name']} what for?", environment=row["id"])

    def answer(self):
        found = self.mine(["pending"], "EXISTS (SELECT FROM questions q WHERE q.environment = e.id"
                                       " AND q.answered_at IS NULL)")
        if found:
            self.type("answer", f"answer {found['name']} for the load test", environment=found["id"])

    def review(self):
        """What was started by breaking the glass: mostly seen, now and then ended."""
        row = self.card("review")
        word = "end" if self.chance.random() < 0.3 else "seen"
        return row and self.click(word, row, word, environment=row["id"])

    # -- on call -----------------------------------------------------------------------------------
    def pause(self, over):
        """For some seconds; while nobody lets it go on, nothing new starts."""
        everything = self.chance.random() < 0.3
        self.type("pause", "pause we look into it" + (" --all" if everything else ""),
                  everything=everything)
        over.wait(self.chance.uniform(1, 5))
        self.resume()

    def resume(self):
        return self.type("resume", "resume")

    # -- a life ----------------------------------------------------------------------------------
    def choices(self, over):
        """(act, how often) of who they are."""
        if self.who.role == "approver":
            return ((self.decide, 65), (self.take_back, 20), (self.ask, 5), (self.review, 10))
        on_mine = self.on_mine
        mine = (
            (self.create, 26), (self.create_by_form, 12), (self.extend, 12), (self.scale, 10),
            (self.schedule, 6),
            (lambda: on_mine("upgrade", ["ready"], "upgrade {name} 1.34"), 5),
            (lambda: on_mine("sleep", ["ready"]), 5), (lambda: on_mine("wake", ["asleep"]), 8),
            (lambda: on_mine("delete", ["creating", "queued", *UP]), 8),
            (lambda: on_mine("retry", ["failed"]), 10),
            (lambda: on_mine("withdraw", ["pending", *UP]), 4),
            (self.answer, 4),
            (lambda: self.type("list", self.chance.choice(["list", "quota", "list --mine"])), 8))
        on_call = ((self.break_glass, 10), (lambda: self.pause(over), 12), (self.resume, 3))
        return mine + on_call if self.who.role == "on-call" else mine

    def live(self, over):
        faster = 6 if self.who.role == "approver" else 1
        acts, weights = zip(*self.choices(over))
        while not over.wait(self.chance.expovariate(self.hurry * faster / 60)):
            self.chance.choices(acts, weights)[0]()
