"""A door that plays Slack's side of the WebSocket frame by frame, and the echo driver that connects to
it: what the tests of Socket Mode and of the HTTP door share."""
import asyncio
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest
from aiohttp import WSMsgType, web

from built import built

ROOT = pathlib.Path(__file__).resolve().parents[2]
ECHO = built("drivers/echo_bot")
PATIENCE = 6  # deadlines are for a machine with much else to do, and for builds with sanitizers


class Socket:
    """One connection as Slack sees it."""

    def __init__(self, door, number, ws, transport):
        self.door, self.number, self.ws, self.transport = door, number, ws, transport
        self.acks, self.pongs, self.close_code, self.ended = [], [], None, False
        self.opened_at = time.monotonic()
        self.closed_at = None

    # Called from the test's thread.
    def send(self, message):
        self.text(json.dumps(message))

    def text(self, text):
        self.door.run(self.ws.send_str(text))

    def binary(self, data):
        self.door.run(self.ws.send_bytes(data))

    def ping(self, data=b"hi"):
        self.door.run(self.ws.ping(data))

    def raw(self, data):
        """Bytes on the wire as they are, for what aiohttp would never send."""
        async def write():
            self.transport.write(data)
        self.door.run(write())

    def disconnect(self, reason):
        self.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})

    def hello(self, number=None):
        self.send({"type": "hello", "num_connections": number or len(self.door.open()),
                   "connection_info": {"app_id": "A1"},
                   "debug_info": {"host": "applink-1", "approximate_connection_time": 18060}})

    def drop(self):
        async def abort():
            self.transport.abort()
        self.door.run(abort())

    def ask(self, text="hi", id=None, accepts=True, **more):
        """Sends a slash command; returns the envelope's id."""
        id = id or f"e-{next(self.door.numbers)}"
        payload = {"team_id": "T1", "user_id": "U1", "channel_id": "C1", "command": "/env",
                   "text": text, "trigger_id": f"1.{id}.a", "response_url": "http://x/"}
        self.send({"type": "slash_commands", "envelope_id": id, "payload": payload,
                   "accepts_response_payload": accepts, **more})
        self.door.sent[id] = self.number
        return id


def count_up():
    n = 0
    while True:
        n += 1
        yield n


class Door:
    """Slack's side: apps.connections.open and the WebSocket, on one port of loopback."""

    def __init__(self, tls=None, url_host="127.0.0.1"):
        self.sockets, self.opens, self.answers, self.sent = [], [], [], {}
        self.numbers = count_up()
        self.upgrades = []          # answers in place of the next upgrades; None: none at all
        self.greet = True           # says hello by itself
        self.deaf = False           # does not answer pings
        self.answer_close = True    # takes part in the close handshake
        self.changed = threading.Condition()
        self.tls, self.url_host = tls, url_host
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.run(self.start())

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def start(self):
        app = web.Application()
        app.router.add_post("/api/apps.connections.open", self.on_open)
        app.router.add_get("/link/", self.on_link)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0, shutdown_timeout=0.1)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]
        self.link_port = self.port
        if self.tls:
            site = web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=self.tls)
            await site.start()
            self.link_port = site._server.sockets[0].getsockname()[1]

    def stop(self):
        async def end():
            for s in self.sockets:
                s.transport.abort()
            await self.runner.cleanup()
            rest = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def note(self):
        with self.changed:
            self.changed.notify_all()

    async def on_open(self, request):
        self.opens.append((time.monotonic(), request.headers.get("Authorization")))
        self.note()
        answer = self.answers.pop(0) if self.answers else None
        if answer:
            return web.json_response(answer[0], status=answer[1], headers=answer[2])
        scheme = "wss" if self.tls else "ws"
        return web.json_response({"ok": True, "url":
            f"{scheme}://{self.url_host}:{self.link_port}/link/?ticket={len(self.opens)}&app_id=ab"})

    async def on_link(self, request):
        ws = web.WebSocketResponse(autoclose=False, autoping=False, max_msg_size=0)
        if self.upgrades:
            answer = self.upgrades.pop(0)
            if answer is None:
                await asyncio.sleep(30)
            return answer
        await ws.prepare(request)
        socket = Socket(self, len(self.sockets) + 1, ws, request.transport)
        self.sockets.append(socket)
        if self.greet:
            await ws.send_str(json.dumps({"type": "hello", "num_connections": len(self.open()),
                                          "debug_info": {"host": "applink-1"}}))
        self.note()
        async for message in ws:
            if message.type == WSMsgType.TEXT:
                socket.acks.append((time.monotonic(), json.loads(message.data)))
            elif message.type == WSMsgType.PING and not self.deaf:
                await ws.pong(message.data)
            elif message.type == WSMsgType.PONG:
                socket.pongs.append(message.data)
            self.note()
        socket.close_code = ws.close_code
        socket.closed_at = time.monotonic()
        self.note()
        if self.answer_close and socket.close_code not in (None, 1006):
            with contextlib.suppress(ConnectionError):
                await ws._writer.close(1000)  # autoclose is off: Slack leaves TCP open
        while request.protocol.transport is not None:  # until the other side ends TCP
            await asyncio.sleep(0.01)
        socket.ended = True
        self.note()
        return ws

    def open(self):
        return [s for s in self.sockets if s.close_code is None and not s.ended]

    def acks(self):
        return {a["envelope_id"]: (s.number, a.get("payload")) for s in self.sockets
                for _, a in s.acks}

    def wait(self, what, predicate, seconds=5):
        deadline = time.monotonic() + seconds * PATIENCE
        with self.changed:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited {seconds} s for: {what}\n{self.state()}")
                self.changed.wait(min(left, 0.05))

    def state(self):
        return "\n".join(f"socket {s.number}: {len(s.acks)} acks, close {s.close_code}, "
                         f"ended {s.ended}" for s in self.sockets)

    def wait_acked(self, *ids, seconds=5):
        self.wait(f"acks of {ids[:5]}", lambda: set(ids) <= set(self.acks()), seconds)


class Bot:
    def __init__(self, door, *options, env=None, api_url=None):
        self.log_file = tempfile.NamedTemporaryFile("r", prefix="echo-", suffix=".log")
        environment = {"PATH": "/usr/bin:/bin", "SLACK_APP_TOKEN": "xapp-1-A1-secret",
                       "ENVBOT_SLACK_API_URL": api_url or f"http://127.0.0.1:{door.port}/api/",
                       **(env or {})}
        for name in ("TSAN_OPTIONS", "ASAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        with open(self.log_file.name, "w") as out:
            self.process = subprocess.Popen(ECHO.split() + list(options), stderr=out, stdout=out,
                                            env=environment)

    def log(self):
        return pathlib.Path(self.log_file.name).read_text(errors="replace")

    def wait_log(self, pattern, seconds=5):
        deadline = time.monotonic() + seconds * PATIENCE
        while not (found := re.search(pattern, self.log())):
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.log()}"
            time.sleep(0.02)
        return found

    def wait_taken(self, count, seconds=5):
        """Until that many envelopes have reached a handler."""
        deadline = time.monotonic() + seconds * PATIENCE
        while self.log().count("msg=taken") < count:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def http(self, path, method="GET", body=None):
        address = self.wait_log(r"listening for HTTP.*address=(\S+)").group(1)
        request = urllib.request.Request(f"http://{address}{path}", method=method, data=body)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(10 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not stop:\n{self.log()}")


@pytest.fixture
def door():
    door = Door()
    yield door
    door.stop()


@pytest.fixture
def start(door):
    """start("--connections=1") starts the bot; at the end it must stop well."""
    bots = []

    def begin(*options, **more):
        bot = Bot(door, *options, **more)
        bots.append(bot)
        return bot
    yield begin
    for bot in bots:
        code = bot.stop()
        log = bot.log()
        assert "Sanitizer" not in log and "ERROR SUMMARY: 1" not in log, log
        assert "secret" not in log and "ticket=" not in log
        if not getattr(bot, "expect_failure", False):
            assert code == 0, log


def ready(door, count=2):
    door.wait(f"{count} connections", lambda: len(door.open()) >= count)
    return door.sockets[-1]


def frame(payload, opcode=1, fin=True):
    head = bytes([(0x80 if fin else 0) | opcode])
    length = len(payload)
    if length < 126:
        return head + bytes([length]) + payload
    if length < 65536:
        return head + b"\x7e" + length.to_bytes(2, "big") + payload
    return head + b"\x7f" + length.to_bytes(8, "big") + payload
