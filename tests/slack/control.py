"""The control door: what tests and the page use to act as a person and to look at everything."""

import asyncio
import json
import time

import aiohttp
from aiohttp import web

import blockkit
import interactions as make


def acks_of(record):
    return [ack["payload"] for ack in record["acks"]]


class Given:
    """A request that came in company."""

    def __init__(self, body):
        self.body = body

    async def json(self):
        return self.body


class Control:
    def __init__(self, workspace, socket_mode, api, faults, command, mails_url):
        self.space, self.socket, self.api, self.faults = workspace, socket_mode, api, faults
        self.command, self.mails_url = command, mails_url
        self.base = ""

    def routes(self):
        return [
            web.post("/control/command", self.type_command), web.post("/control/click", self.click),
            web.post("/control/submit", self.submit), web.post("/control/close", self.close),
            web.post("/control/input", self.input), web.post("/control/envelope", self.envelope),
            web.post("/control/redeliver", self.redeliver), web.get("/control/state", self.state),
            web.get("/control/wait", self.wait), web.get("/control/violations", self.violations),
            web.get("/control/calls", self.calls), web.get("/control/envelopes", self.envelopes),
            web.get("/control/fault", self.waiting_faults),
            web.post("/control/fault", self.fault), web.delete("/control/fault", self.no_fault),
            web.post("/control/connections", self.connect),
            web.get("/control/connections", self.connections),
            web.post("/control/group", self.group), web.post("/control/person", self.person),
            web.post("/control/channel", self.channel), web.post("/control/scopes", self.scopes),
            web.get("/control/mails", self.mails), web.post("/control/event", self.event),
            web.post("/control/age", self.age), web.post("/control/reset", self.reset),
            web.post("/control/flood", self.flood),
        ]

    # -- acting ---------------------------------------------------------------------------------
    def show_failure(self, record, user, channel, what):
        """What Slack shows when nobody acked in time."""
        if record["outcome"] == "acked":
            return []
        texts = {
            "command": {
                "timeout": f"{what} failed with the error \"operation_timeout\"",
                "dispatch_failed": f"{what} failed with the error \"dispatch_failed\""},
        }.get("command" if what.startswith("/") else "other", {})
        text = texts.get(record["outcome"], "⚠ This did not work. Try again.")
        self.space.notice(user, channel, text)
        return [{"text": text, "error": record["outcome"], "ephemeral": True}]

    def show_reply(self, user, channel, payload):
        if not isinstance(payload, dict) or not (payload.get("text") or payload.get("blocks")):
            return []
        errors = blockkit.check_blocks(payload["blocks"]) if payload.get("blocks") else []
        if errors:
            self.space.violation("ack", "invalid_blocks", errors, payload)
            text = f"{self.command} failed with the error \"invalid_blocks\""
            self.space.notice(user, channel, text)
            return [{"text": text, "error": "invalid_blocks", "ephemeral": True}]
        ephemeral = payload.get("response_type", "ephemeral") == "ephemeral"
        message = self.space.post(
            channel, user="U0ENVBOT", bot_id="B0ENVBOT", text=payload.get("text", ""),
            blocks=self.api.with_ids(payload.get("blocks")),
            ephemeral_for=user if ephemeral else None)
        return [{"ts": message["ts"], "text": message["text"],
                 "blocks": message.get("blocks", []), "ephemeral": ephemeral}]

    async def type_command(self, request):
        body = await request.json()
        user, channel = body["user"], body["channel"]
        command = body.get("command", self.command)
        payload = make.slash_command(self.space, self.base, user, channel, body.get("text", ""),
                                     command)
        record, ack = await self.socket.deliver("slash_commands", payload, True,
                                                wait=body.get("wait", 3.0),
                                                twice=body.get("twice"))
        shown = (self.show_reply(user, channel, ack) or
                 self.show_failure(record, user, channel, command))
        return web.json_response({"envelope_id": record["id"], "outcome": record["outcome"],
                                  "ack": ack, "shown": shown, "acks": acks_of(record)})

    async def click(self, request):
        body = await request.json()
        user, channel = body["user"], body["channel"]
        message = self.space.message(channel, body["ts"])
        found = message and make.find_button(message, body["action_id"], body.get("block_id"),
                                             body.get("value"))
        if body.get("forged"):  # what no card shows: an older one did, or somebody made it up
            found = "forged", {"type": "button", "action_id": body["action_id"],
                               "value": body["value"]}
            message = message or {"channel": channel, "ts": body["ts"]}
        if not found:
            return web.json_response({"error": "no such button", "outcome": "no_button"},
                                     status=404)
        payload = make.block_action(self.space, self.base, user, message, *found,
                                    body.get("user_team"), body.get("selected"))
        record, ack = await self.socket.deliver("interactive", payload, False,
                                                wait=body.get("wait", 3.0),
                                                twice=body.get("twice"))
        shown = self.show_failure(record, user, channel, "button")
        return web.json_response({"envelope_id": record["id"], "outcome": record["outcome"],
                                  "ack": ack, "shown": shown, "acks": acks_of(record)})

    async def submit(self, request):
        body = await request.json()
        user, view_id = body["user"], body["view_id"]
        held = self.space.views.get(view_id)
        if not held:
            return web.json_response({"error": "no such view", "outcome": "no_view"}, status=404)
        if "private_metadata" in body:
            held = dict(held, view=dict(held["view"], private_metadata=body["private_metadata"]))
        payload, refused = make.view_submission(self.space, user, held, body.get("values", {}))
        if refused:
            held["errors"] = refused
            self.space.changed()
            return web.json_response({"outcome": "refused_by_client", "response_action": "errors",
                                      "errors": refused, "ack": None, "shown": []})
        record, ack = await self.socket.deliver("interactive", payload, True,
                                                wait=body.get("wait", 3.0),
                                                twice=body.get("twice"))
        action, errors = self.apply_submission(user, view_id, held, record, ack or {})
        self.space.changed()
        return web.json_response({"envelope_id": record["id"], "outcome": record["outcome"],
                                  "ack": ack, "response_action": action, "errors": errors,
                                  "shown": [], "acks": acks_of(record)})

    def apply_submission(self, user, view_id, held, record, ack):
        """What the answer to a submitted form does to it: (response_action, errors)."""
        action, errors = ack.get("response_action"), ack.get("errors", {})
        problem = []
        if record["outcome"] != "acked":
            held["errors"] = {"": "We had some trouble connecting. Try again?"}
            return action, errors
        if action == "errors":
            known = {b["block_id"] for b in held["view"]["blocks"] if b["type"] == "input"}
            if not errors or not set(errors) <= known:
                problem = [f"errors {sorted(errors)} of inputs {sorted(known)}"]
            held["errors"] = errors
        elif action in ("update", "push"):
            problem = self.next_view(user, held, action, ack.get("view"))
        elif action == "clear":
            for view in [i for i, v in self.space.views.items() if v["user"] == user]:
                self.space.views.pop(view)
        elif action is None:
            self.space.views.pop(view_id, None)
        else:
            problem = [f"response_action {action}"]
        if problem:
            self.space.violation("view_submission", f"invalid_{action}", problem, ack)
            held["errors"] = held["errors"] or {"": "We had some trouble connecting. Try again?"}
        return action, errors

    def next_view(self, user, held, action, view):
        """A form that answers a form; a list of what is wrong with it."""
        errors = blockkit.check_view(view)
        if errors:
            return errors
        if action == "update":
            held["view"].update(self.api.view(view))
            held["errors"] = {}
            return []
        stack = [v for v in self.space.views.values()
                 if v["view"]["root_view_id"] == held["view"]["root_view_id"]]
        if len(stack) >= 3:
            return ["push_limit_reached"]
        self.api.show_view(user, self.api.view(view), held["view"])
        return []

    async def flood(self, request):
        """Many acts of people at the same time: [{"do": "command", …}, …], answers in their
        order. in_flight bounds how many wait for their ack at once."""
        body = await request.json()
        doors = {"command": self.type_command, "click": self.click, "submit": self.submit,
                 "envelope": self.envelope}
        turns = asyncio.Semaphore(body.get("in_flight", 20))

        async def one(act):
            async with turns:
                answer = await doors[act["do"]](Given(act))
                return json.loads(answer.text)

        return web.json_response(
            {"answers": await asyncio.gather(*[one(act) for act in body["acts"]])})

    async def close(self, request):
        body = await request.json()
        held = self.space.views.pop(body["view_id"], None)
        self.space.changed()
        if held and held["view"].get("notify_on_close"):
            await self.socket.deliver("interactive",
                                      make.view_closed(self.space, body["user"], held["view"]),
                                      False)
        return web.json_response({"outcome": "closed"})

    async def input(self, request):
        body = await request.json()
        held = self.space.views.get(body["view_id"])
        for block_id, element in make.find_elements(held["view"]["blocks"] if held else []):
            if element["action_id"] == body["action_id"]:
                payload = make.view_action(self.space, body["user"], held["view"], block_id,
                                           element, body.get("value"), body.get("values"))
                record, ack = await self.socket.deliver("interactive", payload, False)
                return web.json_response({"envelope_id": record["id"],
                                          "outcome": record["outcome"], "ack": ack, "shown": []})
        return web.json_response({"outcome": "no_input"}, status=404)

    async def envelope(self, request):
        body = await request.json()
        takes = body.get("takes_payload", body["type"] == "slash_commands")
        record, ack = await self.socket.deliver(body["type"], body["payload"], takes,
                                                wait=body.get("wait", 3.0),
                                                envelope_id=body.get("envelope_id"))
        return web.json_response({"envelope_id": record["id"], "outcome": record["outcome"],
                                  "ack": ack, "shown": []})

    async def event(self, request):
        body = await request.json()
        payload = make.event(self.space, body["event"])
        record, ack = await self.socket.deliver_event(payload, wait=body.get("wait", 3.0))
        return web.json_response({"envelope_id": record["id"], "outcome": record["outcome"],
                                  "ack": ack, "shown": []})

    async def redeliver(self, request):
        body = await request.json()
        record = self.socket.envelopes[body["envelope_id"]]
        on = body.get("on", "same")
        last = record["sent"][-1]["connection"] if record["sent"] else None
        chosen = None
        for connection in self.socket.usable():
            if (on == "other") != (connection.number == last):
                chosen = connection
        new_id = None if on == "new-id" else record["id"]
        again, ack = await self.socket.deliver(record["type"], record["payload"],
                                               record["takes_payload"], envelope_id=new_id,
                                               connection=chosen, wait=body.get("wait", 3.0))
        return web.json_response({"envelope_id": again["id"], "outcome": again["outcome"],
                                  "ack": ack, "acks": acks_of(record)})

    # -- looking --------------------------------------------------------------------------------
    async def state(self, request):
        return web.json_response(self.space.state(request.query.get("as"),
                                                  "brief" in request.query))

    async def wait(self, request):
        seq = int(request.query.get("seq", 0))
        timeout = min(float(request.query.get("timeout", 20)), 60)
        return web.json_response({"seq": await self.space.wait(seq, timeout)})

    async def violations(self, _):
        return web.json_response({"violations": self.space.violations})

    async def calls(self, request):
        method = request.query.get("method")
        return web.json_response({"calls": [c for c in self.api.calls
                                            if not method or c["method"] == method]})

    async def envelopes(self, request):
        hidden = ("waiters",) if request.query.get("payload") else ("waiters", "payload")
        return web.json_response({
            "unreachable": self.socket.unreachable,
            "unacked": sum(e["outcome"] == "timeout" for e in self.socket.envelopes.values()),
            "envelopes": [{k: v for k, v in e.items() if k not in hidden}
                          for e in self.socket.envelopes.values()]})

    async def connections(self, _):
        return web.json_response({"connections": [c.describe() for c in self.socket.connections]})

    # -- the world ------------------------------------------------------------------------------
    async def fault(self, request):
        self.faults.add(await request.json())
        return web.json_response({"ok": True})

    async def waiting_faults(self, _):
        return web.json_response({"faults": self.faults.waiting})

    async def no_fault(self, _):
        self.faults.clear()
        return web.json_response({"ok": True})

    async def connect(self, request):
        await self.socket.control(await request.json())
        return web.json_response({"ok": True})

    async def group(self, request):
        body = await request.json()
        for group in self.space.groups.values():
            if group["handle"] == body["handle"]:
                users = [u for u in group["users"] if u not in body.get("remove", [])]
                before = group["users"]
                group["users"] = users + [u for u in body.get("add", []) if u not in users]
                group["date_delete"] = int(time.time()) if body.get("disabled") else 0
                if body.get("events", True):
                    for event in make.group_events(group, before):
                        self.tell_event(event)
        self.space.changed()
        return web.json_response({"ok": True})

    def tell_event(self, event):
        """As Slack tells the app: a little later, and nobody waits for it."""
        asyncio.get_running_loop().create_task(
            self.socket.deliver_event(make.event(self.space, event)))

    async def person(self, request):
        body = await request.json()
        events = body.pop("events", True)
        if body["id"] not in self.space.people:
            self.space.join(body["id"], body.pop("name", body["id"].lower()), body)
        self.space.people[body["id"]].update(body)
        for flag in body.get("absent", []):  # Slack leaves flags out where it does not tell
            self.space.people[body["id"]].pop(flag, None)
        if events:
            self.tell_event({"type": "user_change", "cache_ts": int(time.time()),
                             "user": self.api.user(self.space.people[body["id"]])})
        self.space.changed()
        return web.json_response({"ok": True})

    async def channel(self, request):
        body = await request.json()
        if body["id"] not in self.space.channels:
            self.space.found(body["id"], body.get("name", body["id"].lower()))
        self.space.channels[body["id"]].update(body)
        self.space.changed()
        return web.json_response({"ok": True})

    async def scopes(self, request):
        body = await request.json()
        held = self.space.app_scopes if body.get("of") == "app" else self.space.scopes
        held.update(body.get("add", []))
        held.difference_update(body.get("remove", []))
        return web.json_response({"ok": True})

    async def age(self, request):
        """Lets tickets, triggers and response_urls grow older at once."""
        self.space.older += float((await request.json())["seconds"])
        return web.json_response({"ok": True})

    async def reset(self, _):
        """A new workspace, as after a start."""
        await self.socket.reset()
        self.space.__init__()
        self.api.calls.clear()
        self.api.buckets.clear()
        self.faults.clear()
        return web.json_response({"ok": True})

    async def mails(self, _):
        if not self.mails_url:
            return web.json_response({"mails": []})
        try:
            async with aiohttp.ClientSession() as session:
                async with session.get(self.mails_url, timeout=5) as answer:
                    return web.json_response(await answer.json())
        except (aiohttp.ClientError, asyncio.TimeoutError):
            return web.json_response({"mails": [], "error": "the mail stand-in does not answer"})
