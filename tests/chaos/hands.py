"""One person's hands on Slack: what is typed, clicked and filled in, perhaps twice, and the journal of it."""

import json
import threading
import time

from world import channel_of

UNKNOWN = {"outcome": "unknown", "envelope_id": None}  # one connection cannot be "the other"


def said(ack):
    """What an ack says, as far as it is words."""
    return json.dumps(ack, sort_keys=True, ensure_ascii=False) if ack else ""


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


class Hands:
    def __init__(self, person, world, journal, chance):
        self.who, self.world, self.journal, self.chance = person, world, journal, chance

    def send(self, kind, ask, **more):
        """ask(twice=…) delivers it. What was delivered and not acked in time comes again, mostly:
        Slack's promise is "at least once", and people press again. None: there was nothing to press."""
        at = time.time()
        twice = {"twice": self.chance.choice(["same", "other"])} if self.chance.random() < 0.3 else {}
        try:
            answer = ask(**twice)
        except ValueError:
            answer = UNKNOWN
        if answer["outcome"] in ("no_button", "no_view", "refused_by_client"):
            return None
        act = {"at": at, "answered_at": time.time(), "user": self.who.id, "kind": kind,
               "envelope": answer.get("envelope_id"), "outcome": answer["outcome"],
               "acks": answer.get("acks") or [], "page": answer.get("response_action"), **more}
        if answer["outcome"] == "timeout" and act["envelope"] and self.chance.random() < 0.6:
            time.sleep(self.chance.uniform(0.1, 2))
            again = self.world.slack.redeliver(answer["envelope_id"], on="other")
            act["redelivered"], act["acks"] = again["outcome"], again.get("acks") or []
            act["outcome"] = "acked" if act["acks"] else again["outcome"]
        return self.journal.write(**act)

    def type(self, verb, text, **more):
        return self.send(verb, lambda **twice: self.world.slack.type(
            self.who.id, channel_of(self.who.team), text, wait=3, **twice), text=text, **more)

    def click(self, kind, message, action, **more):
        """message: a row with its channel and ts."""
        return self.send(kind, lambda **twice: self.world.slack.click(
            self.who.id, message["channel"], message["ts"], action, wait=3, **twice), button=action, **more)

    def submit(self, kind, form, values, **more):
        return self.send(kind, lambda **twice: self.world.slack.submit(
            self.who.id, form, values, wait=3, **twice), form=values, **more)

    def opened(self, act, *words, **more):
        """The form that comes of act(…) within its trigger's life, as (id, view); None: none does."""
        before = {held["view_id"] for held in self.world.slack.views(self.who.id)}
        done, deadline = act(*words, **more), time.monotonic() + 3
        while done and time.monotonic() < deadline:
            for held in self.world.slack.views(self.who.id):
                if held["view_id"] not in before:
                    return held["view_id"], held["view"]
            time.sleep(0.1)
        return None
