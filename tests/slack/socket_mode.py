"""Socket Mode: tickets, connections, envelopes and their acks, and the ways connections end."""

import asyncio
import itertools
import json
import random
import secrets
import time
import uuid

from aiohttp import WSMsgType, web

from workspace import APP

MOST_CONNECTIONS = 10
PATIENCE = 3.0  # seconds for an ack
# After how long an unacked event comes again: at once, after a minute, after five.
EVENT_RETRIES = (0.0, 60.0, 300.0)
TICKET_LIVES = 30.0
PING_EVERY = 5.0


class Connection:
    numbers = itertools.count(1)

    def __init__(self, socket):
        self.number = next(self.numbers)
        self.socket = socket
        self.opened_at = time.time()
        self.hello = False
        self.leaving = False  # was told to go: gets no new envelopes
        self.silent = False
        self.acks = 0

    def describe(self):
        return {"number": self.number, "opened_at": self.opened_at, "hello": self.hello,
                "acks": self.acks,
                "state": "leaving" if self.leaving else "open" if self.hello else "opening"}


class SocketMode:
    def __init__(self, workspace):
        self.workspace = workspace
        self.url = ""
        self.tickets = {}
        self.connections = []
        self.envelopes = {}  # id -> record
        self.refresh_task = None
        self.hello_delay = 0.0
        self.unreachable = 0  # envelopes that had no connection to go to
        self.event_retries = EVENT_RETRIES

    async def reset(self):
        await self.refresh_every(0)
        for connection in list(self.connections):
            connection.leaving = True
            await connection.socket.close()
        self.tickets.clear()
        self.envelopes.clear()
        self.unreachable, self.hello_delay, self.event_retries = 0, 0.0, EVENT_RETRIES

    # -- opening --------------------------------------------------------------------------------
    def new_url(self):
        ticket = str(uuid.uuid4())
        self.tickets[ticket] = self.workspace.now()
        return f"{self.url}/link/?ticket={ticket}&app_id={secrets.token_hex(32)}"

    async def serve(self, request):
        made = self.tickets.pop(request.query.get("ticket", ""), None)
        if made is None or self.workspace.now() - made > TICKET_LIVES:
            return web.Response(status=408, text="ticket unknown, used or too old")
        socket = web.WebSocketResponse(autoping=False, max_msg_size=4 << 20)
        await socket.prepare(request)
        connection = Connection(socket)
        if len(self.connections) >= MOST_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets",
                                    "debug_info": {"host": "stand-in"}})
            await socket.close()
            return socket
        self.connections.append(connection)
        pings = asyncio.create_task(self.ping(connection))
        try:
            if self.hello_delay:
                await asyncio.sleep(self.hello_delay)
            await socket.send_json({
                "type": "hello", "num_connections": len(self.connections),
                "connection_info": {"app_id": APP},
                "debug_info": {"host": "stand-in", "approximate_connection_time": 18060}})
            connection.hello = True
            self.workspace.changed()
            await self.listen(connection)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            pings.cancel()
            if connection in self.connections:
                self.connections.remove(connection)
            self.workspace.changed()
        return socket

    async def ping(self, connection):
        while not connection.socket.closed:
            if not connection.silent:
                try:
                    await connection.socket.ping(b"Ping from stand-in")
                except ConnectionError:
                    return
            await asyncio.sleep(PING_EVERY)

    async def listen(self, connection):
        async for frame in connection.socket:
            if frame.type == WSMsgType.PING and not connection.silent:
                await connection.socket.pong(frame.data)
            if frame.type != WSMsgType.TEXT:
                continue
            try:
                ack = json.loads(frame.data)
            except ValueError:
                ack = None
            self.take_ack(connection, ack, frame.data)

    def take_ack(self, connection, ack, text):
        record = self.envelopes.get(ack.get("envelope_id")) if isinstance(ack, dict) else None
        if not record:
            self.workspace.violation("ack", "unknown_envelope", [], text[:500])
            return
        if ack.get("payload") and not record["takes_payload"]:
            self.workspace.violation("ack", "no_payload_accepted", [record["type"]], ack)
        connection.acks += 1
        record["acks"].append({"at": time.time(), "connection": connection.number,
                               "payload": ack.get("payload")})
        for waiter in record["waiters"]:
            if not waiter.done():
                waiter.set_result(ack.get("payload"))
        record["waiters"].clear()

    @staticmethod
    def next_ack(record):
        waiter = asyncio.get_running_loop().create_future()
        record["waiters"].append(waiter)
        return waiter

    # -- sending --------------------------------------------------------------------------------
    def usable(self):
        return [c for c in self.connections
                if c.hello and not c.leaving and not c.silent and not c.socket.closed]

    async def deliver(self, kind, payload, takes_payload, wait=PATIENCE, envelope_id=None,
                      connection=None, twice=None):
        """Sends one envelope to one of the open connections and waits for its ack. The record's
        outcome becomes "acked", "timeout" or "dispatch_failed" (nowhere to go). twice: "same" or
        "other": it goes out a second time right behind, on that connection, and both are waited
        for."""
        envelope_id = envelope_id or str(uuid.uuid4())
        record = self.envelopes.setdefault(envelope_id, {
            "id": envelope_id, "type": kind, "sent": [], "acks": [], "outcome": "pending",
            "waiters": [], "payload": payload, "takes_payload": takes_payload})
        usable = self.usable()
        if not usable:
            self.unreachable += 1
            record["outcome"] = "dispatch_failed"
            return record, None
        chosen = connection or random.choice(usable)
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload,
                    "accepts_response_payload": takes_payload}
        if kind == "events_api":
            attempt = record.setdefault("attempt", 0)
            envelope.update(retry_attempt=attempt, retry_reason="timeout" if attempt else "")
        lines = [chosen]
        if twice == "same":
            lines.append(chosen)
        if twice == "other":
            lines.append(random.choice([c for c in usable if c is not chosen]))
        expected = len(record["acks"]) + len(lines)
        waiter = self.next_ack(record)
        try:
            for line in lines:
                record["sent"].append({"at": time.time(), "connection": line.number})
                await line.socket.send_str(json.dumps(envelope))
            answer = await asyncio.wait_for(waiter, wait)
            while len(record["acks"]) < expected:
                await asyncio.wait_for(self.next_ack(record), wait)
            record["outcome"] = "acked"
            return record, answer
        except (asyncio.TimeoutError, ConnectionError):
            if record["outcome"] != "acked":
                record["outcome"] = "timeout"
            return record, None

    async def deliver_event(self, payload, **more):
        """An event; unacked, it comes again, also when there was no connection to go to."""
        record, answer = await self.deliver("events_api", payload, False, **more)
        if record["outcome"] != "acked":
            asyncio.create_task(self.retry_event(record))
        return record, answer

    async def retry_event(self, record):
        for attempt, pause in enumerate(self.event_retries, 1):
            await asyncio.sleep(pause)
            record["attempt"] = attempt
            await self.deliver("events_api", record["payload"], False, envelope_id=record["id"])
            self.workspace.changed()
            if record["outcome"] == "acked":
                return

    # -- ending connections ---------------------------------------------------------------------
    def choose(self, which):
        open_ones = [c for c in self.connections if not c.socket.closed]
        if which == "all":
            return open_ones
        if which == "oldest":
            return sorted(open_ones, key=lambda c: c.number)[:1]
        return [c for c in open_ones if c.number == which]

    async def disconnect(self, connection, reason, grace):
        """As Slack does: says so, and a while later drops the connection."""
        await connection.socket.send_json({"type": "disconnect", "reason": reason,
                                           "debug_info": {"host": "stand-in"}})
        if reason == "warning":
            await asyncio.sleep(grace)
            reason = "refresh_requested"
            await connection.socket.send_json({"type": "disconnect", "reason": reason,
                                               "debug_info": {"host": "stand-in"}})
        connection.leaving = True
        self.workspace.changed()
        await asyncio.sleep(grace)
        await connection.socket.close()

    async def refresh(self, connection, grace=10.0):
        """Slack asks for a refresh while the connection still gets envelopes; it closes later."""
        await connection.socket.send_json({"type": "disconnect", "reason": "refresh_requested",
                                           "debug_info": {"host": "stand-in"}})
        await asyncio.sleep(grace)
        connection.leaving = True
        if not connection.socket.closed:
            await connection.socket.close()

    async def control(self, order):
        what = order["do"]
        if what == "refresh_every":
            await self.refresh_every(order.get("seconds", 0))
            return
        if what == "hello_delay":
            self.hello_delay = float(order["seconds"])
            return
        if what == "event_retries":
            self.event_retries = tuple(order["seconds"])
            return
        for connection in self.choose(order.get("which", "all")):
            socket = connection.socket
            if what == "refresh":
                asyncio.create_task(self.refresh(connection, order.get("grace", 10.0)))
            elif what in ("warning", "link_disabled"):
                asyncio.create_task(self.disconnect(connection, what, order.get("grace", 1.0)))
            elif what == "too_many":
                asyncio.create_task(self.disconnect(connection, "too_many_websockets", 0.1))
            elif what == "disconnect":
                asyncio.create_task(self.disconnect(connection, order.get("reason", "odd"), 0.1))
            elif what == "drop":
                connection.leaving = True
                transport = socket._req.transport  # aiohttp has no other way to cut a connection
                if transport:
                    transport.abort()
            elif what == "silence":
                connection.silent = True
            elif what == "garbage":
                await socket.send_str("{this is no JSON")
                await socket.send_str("[]")
                await socket.send_str('{"type":"unheard_of"}')
            elif what == "binary":
                await socket.send_bytes(bytes(range(256)))
            elif what == "huge":
                await socket.send_str(json.dumps({"type": "odd", "padding": "x" * (3 << 20)}))
        self.workspace.changed()

    async def refresh_every(self, seconds):
        if self.refresh_task:
            self.refresh_task.cancel()
            self.refresh_task = None
        if seconds:
            self.refresh_task = asyncio.create_task(self.keep_refreshing(seconds))

    async def keep_refreshing(self, seconds):
        while True:
            await asyncio.sleep(seconds)
            for connection in self.choose("oldest"):
                asyncio.create_task(self.refresh(connection, grace=min(seconds, 2.0)))
