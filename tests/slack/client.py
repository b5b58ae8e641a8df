"""A test's hand on the stand-in workspace. Standard library only."""

import json
import time
import urllib.error
import urllib.request


class Workspace:
    def __init__(self, url):
        self.url = url

    def call(self, path, body=None, method=None, timeout=70):
        request = urllib.request.Request(
            self.url + path, method=method or ("POST" if body is not None else "GET"),
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return json.loads(error.read() or b"{}")

    # -- acting as a person ---------------------------------------------------------------------
    def type(self, user, channel, text, wait=20.0, **more):
        return self.call("/control/command",
                         {"user": user, "channel": channel, "text": text, "wait": wait, **more})

    def click(self, user, channel, ts, action_id, value=None, wait=20.0, **more):
        """forged=True: a button that the message does not show; user_team: of which workspace the
        one who clicks is, when ours has a person of that id, too."""
        body = {"user": user, "channel": channel, "ts": ts, "action_id": action_id, "wait": wait,
                **more}
        if value is not None:
            body["value"] = value
        return self.call("/control/click", body)

    def submit(self, user, view_id, values, wait=20.0, **more):
        """private_metadata="…": forged, instead of the view's own."""
        return self.call("/control/submit", {"user": user, "view_id": view_id, "values": values,
                                             "wait": wait, **more})

    def close(self, user, view_id):
        return self.call("/control/close", {"user": user, "view_id": view_id})

    def event(self, event, wait=20.0):
        return self.call("/control/event", {"event": event, "wait": wait})

    def envelope(self, kind, payload, **more):
        return self.call("/control/envelope", {"type": kind, "payload": payload, **more})

    def flood(self, acts, in_flight=20):
        """Many acts at once: [{"do": "command", "user": …, "channel": …, "text": …}, …]."""
        return self.call("/control/flood", {"acts": acts, "in_flight": in_flight},
                         timeout=300)["answers"]

    def redeliver(self, envelope_id, on="same"):
        return self.call("/control/redeliver", {"envelope_id": envelope_id, "on": on})

    # -- looking --------------------------------------------------------------------------------
    def state(self, as_=None):
        return self.call("/control/state" + (f"?as={as_}" if as_ else ""))

    def messages(self, channel, as_=None):
        return self.state(as_)["messages"].get(channel, [])

    def thread(self, channel, ts):
        return [m for m in self.messages(channel)
                if m.get("thread_ts") == ts and m["ts"] != ts and not m.get("ephemeral_for")]

    def whispers(self, user):
        """What the app said to that person alone, in channels and in direct messages; oldest
        first. For somebody of another workspace: "T0OTHER/U0APPR"."""
        said = [m for channel in self.state()["messages"].values() for m in channel
                if m.get("ephemeral_for") == user and m.get("bot_id")]
        said += [m for m in self.direct(user) if m.get("bot_id")] if "/" not in user else []
        return [m["text"] for m in sorted(said, key=lambda m: m["ts"])]

    def direct(self, user):
        """What stands in the app's direct messages with that person."""
        state = self.state(user)
        for channel in state["channels"]:
            if channel["is_im"] and channel["user"] == user:
                return state["messages"][channel["id"]]
        return []

    def views(self, user):
        return self.state(user)["views"]

    def violations(self):
        return self.call("/control/violations")["violations"]

    def calls(self, method=None):
        return self.call("/control/calls" + (f"?method={method}" if method else ""))["calls"]

    def envelopes(self):
        return self.call("/control/envelopes")

    def last_payload(self):
        return self.call("/control/envelopes?payload=1")["envelopes"][-1]["payload"]

    def connections(self):
        return self.call("/control/connections")["connections"]

    def wait_for(self, predicate, what, seconds=15):
        """The first true value of predicate(), looked at after each change; no sleeping for luck."""
        deadline = time.monotonic() + seconds
        while True:
            seq = self.call("/control/wait?seq=-1")["seq"]
            found = predicate()
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {seconds} s: {what}\n" + self.transcript())
            self.call(f"/control/wait?seq={seq}&timeout={min(left, 1.0):.2f}")

    def transcript(self):
        """All messages, as a reader would see them."""
        state, lines = self.state(), []
        for channel in state["channels"]:
            name = channel["name"] or f"direct:{channel.get('user')}"
            for m in state["messages"].get(channel["id"], []):
                mark = "  > " if m.get("thread_ts", m["ts"]) != m["ts"] else ""
                only = f" (only {m['ephemeral_for']})" if m.get("ephemeral_for") else ""
                lines.append(f"#{name} {mark}{m.get('text', '')}{only}")
        lines += [f"notice {n['user']}: {n['text']}" for n in state["notices"]]
        return "\n".join(lines)

    # -- the world ------------------------------------------------------------------------------
    def fault(self, method, do, **more):
        return self.call("/control/fault", {"method": method, "do": do, **more})

    def faults(self):
        """Those that nothing has met yet."""
        return self.call("/control/fault")["faults"]

    def no_faults(self):
        return self.call("/control/fault", method="DELETE")

    def connect(self, do, **more):
        return self.call("/control/connections", {"do": do, **more})

    def group(self, handle, add=(), remove=(), **more):
        """events=False: Slack says nothing of it by itself."""
        return self.call("/control/group",
                         {"handle": handle, "add": list(add), "remove": list(remove), **more})

    def person(self, user, **fields):
        """Changes somebody, or adds them when there is nobody with that id."""
        return self.call("/control/person", {"id": user, **fields})

    def age(self, seconds):
        """Makes tickets, triggers and response_urls that much older."""
        return self.call("/control/age", {"seconds": seconds})

    def scopes(self, add=(), remove=(), of="bot"):
        return self.call("/control/scopes", {"add": list(add), "remove": list(remove), "of": of})

    def channel(self, channel, **fields):
        """Changes a channel, or founds it when there is none with that id."""
        return self.call("/control/channel", {"id": channel, **fields})
