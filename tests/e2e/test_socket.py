"""Socket Mode from outside, frame by frame: the echo driver against a door that plays Slack's side
of the WebSocket in every way that was ever seen, and some that were not."""
import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket as net
import ssl
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


# ---- Connecting and acking ----

def test_two_connections_are_opened_and_each_envelope_is_acked_where_it_came(door, start):
    start()
    ready(door)
    assert door.opens[0][1] == "Bearer xapp-1-A1-secret"
    first, second = door.sockets
    ids = [s.ask(f"number {i}") for i in range(20) for s in (first, second)]
    door.wait_acked(*ids)
    for id in ids:
        number, payload = door.acks()[id]
        assert number == door.sent[id]
        assert payload["text"].startswith("echo number ")


def test_an_ack_has_no_payload_where_slack_takes_none(door, start):
    start("--connections=1")
    id = ready(door, 1).ask(accepts=False)
    door.wait_acked(id)
    assert door.sockets[0].acks[0][1] == {"envelope_id": id}


def test_the_same_envelope_is_acked_each_time_on_one_connection_and_on_two(door, start):
    start()
    ready(door)
    first, second = door.sockets
    for socket in (first, first, second):
        socket.ask(id="same")
    door.wait("three acks", lambda: len(first.acks) == 2 and len(second.acks) == 1)


def test_a_malformed_payload_is_acked(door, start):
    start("--connections=1")
    socket = ready(door, 1)
    for id, payload in (("m1", None), ("m2", []), ("m3", {"user_id": 7}), ("m4", "x")):
        socket.send({"type": "slash_commands", "envelope_id": id, "payload": payload,
                     "accepts_response_payload": True})
    door.wait_acked("m1", "m2", "m3", "m4")
    assert "refused" in door.acks()["m3"][1]["text"]


def test_what_is_of_no_known_type_is_acked_if_it_can_be(door, start):
    bot = start("--connections=1")
    socket = ready(door, 1)
    socket.send({"type": "workflow_dreams", "envelope_id": "w1", "payload": {}})
    socket.send({"type": "gossip"})
    socket.send({"type": "events_api", "envelope_id": "l1", "payload": {
        "type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1518467820}})
    door.wait_acked("w1", "l1")
    bot.wait_log("Slack holds events back")
    assert socket.acks[0][1] == {"envelope_id": "w1"}


def test_a_proxy_in_the_environment_is_not_asked_for_loopback(door, start):
    start(env={"http_proxy": "http://127.0.0.1:1", "no_proxy": "127.0.0.1"})
    door.wait_acked(ready(door).ask())


# ---- Refreshes ----

def test_a_refresh_opens_the_new_connection_before_the_old_one_goes(door, start):
    start("--connections=1")
    old = ready(door, 1)
    door.greet = False
    old.disconnect("refresh_requested")
    door.wait("a second connection", lambda: len(door.sockets) == 2)
    new = door.sockets[1]
    door.wait_acked(old.ask())     # not yet greeted: the old one still works
    assert old.close_code is None
    new.hello()
    door.wait("the old one's close", lambda: old.close_code == 1000)
    door.wait("its TCP connection's end", lambda: old.ended)
    door.wait_acked(id := new.ask())
    assert door.acks()[id][0] == new.number
    assert len(door.opens) == 2


@pytest.mark.parametrize("reason", ["warning", "refresh_requested", "something_new", None])
def test_whatever_reason_the_connection_is_replaced(door, start, reason):
    start("--connections=1")
    old = ready(door, 1)
    old.disconnect(reason)
    door.wait("the replacement", lambda: len(door.sockets) == 2 and old.close_code == 1000)
    door.wait_acked(door.sockets[1].ask())


def test_a_warning_and_then_the_refresh_is_one_replacement(door, start):
    start("--connections=1")
    old = ready(door, 1)
    door.greet = False
    old.disconnect("warning")
    old.disconnect("refresh_requested")
    door.wait("the replacement", lambda: len(door.sockets) == 2)
    door.sockets[1].hello()
    door.wait("the old one's close", lambda: old.ended)
    assert len(door.opens) == 2


def test_tcp_is_closed_even_when_slack_does_not_answer_the_close(door, start):
    door.answer_close = False
    start("--connections=1")
    old = ready(door, 1)
    old.disconnect("refresh_requested")
    door.wait("the close frame", lambda: old.close_code == 1000)
    door.wait("TCP's end", lambda: old.ended)


def test_a_refresh_waits_for_acks_that_are_on_their_way(door, start):
    start("--connections=1", "--delay=400", "--handlers=8")
    old = ready(door, 1)
    ids = [old.ask() for _ in range(8)]
    old.disconnect("refresh_requested")
    door.wait_acked(*ids)
    assert {door.acks()[id][0] for id in ids} == {old.number}
    door.wait("the old one's close", lambda: old.close_code == 1000)


def test_a_handler_that_takes_too_long_does_not_hold_the_old_connection_for_ever(door, start):
    start("--connections=1", "--delay=2500", "--drain=300")
    old = ready(door, 1)
    id = old.ask()
    old.disconnect("refresh_requested")
    door.wait("the old one's close", lambda: old.close_code == 1000)
    assert id not in door.acks()
    door.wait_acked(id)
    assert door.acks()[id][0] == 2     # on the new one


def test_an_envelope_that_crosses_our_close_is_answered_on_another_connection(door, start):
    door.answer_close = False
    start("--connections=1")
    old = ready(door, 1)
    old.disconnect("refresh_requested")
    door.wait("our close frame", lambda: old.close_code == 1000)
    payload = {"team_id": "T1", "user_id": "U1", "command": "/env", "text": "late"}
    text = json.dumps({"type": "slash_commands", "envelope_id": "late", "payload": payload}).encode()
    old.raw(frame(text))
    door.wait_acked("late")
    assert door.acks()["late"][0] == 2


def test_refreshes_under_a_steady_stream_lose_nothing(door, start):
    bot = start("--handlers=4", "--delay=5")
    ready(door)
    sent, homeless = [], 0
    refresh_at = time.monotonic() + 0.5
    end = time.monotonic() + 10 * PATIENCE
    while (len(sent) < 300 or len(door.sockets) < 8) and time.monotonic() < end:
        if time.monotonic() > refresh_at:
            refresh_at += 1.0
            for socket in door.open():
                socket.disconnect("refresh_requested")
        sockets = door.open()
        homeless += not sockets
        if sockets:
            with contextlib.suppress(ConnectionResetError):
                sent.append(sockets[len(sent) % len(sockets)].ask())
        time.sleep(0.01)
    door.wait_acked(*sent)
    assert len(sent) >= 300 and len(door.sockets) >= 8
    assert homeless == 0
    assert "broke" not in bot.log()


# ---- Abnormal ends ----

def test_a_dropped_connection_is_replaced_and_its_acks_go_elsewhere(door, start):
    bot = start("--delay=300")
    ready(door)
    first = door.sockets[0]
    id = first.ask()
    bot.wait_taken(1)
    first.drop()
    door.wait_acked(id)
    assert door.acks()[id][0] != first.number
    door.wait("a replacement", lambda: len(door.open()) == 2)


def test_with_no_connection_left_an_ack_waits_for_the_next(door, start):
    bot = start("--connections=1", "--delay=300")
    socket = ready(door, 1)
    id = socket.ask()
    bot.wait_taken(1)
    socket.drop()
    door.wait_acked(id)
    assert door.acks()[id][0] == 2


def test_link_disabled_is_said_loudly_and_looked_at_later(door, start):
    bot = start("--pause=1500")
    ready(door)
    for socket in door.sockets[:2]:
        socket.disconnect("link_disabled")
    door.wait("both closed", lambda: not door.open())
    bot.wait_log("level=error msg=\"Socket Mode is switched off")
    status, body, _ = bot.http("/readyz")
    assert status == 503 and "switched off" in json.loads(body)["slack"]["reason"]
    assert len(door.opens) == 2
    closed = time.monotonic()
    ready(door)
    assert door.opens[2][0] - closed > 0.5   # it had to wait for the pause
    assert bot.http("/readyz")[0] == 200


def test_too_many_websockets_backs_off(door, start):
    door.greet = False
    bot = start("--connections=1", "--floor=200", "--cap=400")
    for n in (1, 2, 3):
        door.wait(f"connection {n}", lambda: len(door.sockets) == n)
        door.sockets[-1].disconnect("too_many_websockets")
    assert "too many connections" in bot.http("/readyz")[1]
    door.wait("a fourth", lambda: len(door.sockets) == 4)
    gaps = [b[0] - a[0] for a, b in zip(door.opens, door.opens[1:])]
    assert min(gaps) >= 0.2
    door.sockets[-1].hello()
    door.wait_acked(door.sockets[-1].ask())


@pytest.mark.parametrize("error", ["invalid_auth", "not_allowed_token_type", "missing_scope",
                                   "account_inactive", "token_revoked", "missing_args"])
def test_a_final_refusal_at_the_start_is_said_and_ends_the_program(door, start, error):
    door.answers = [({"ok": False, "error": error}, 200, {})]
    bot = start()
    bot.expect_failure = True
    assert bot.process.wait(10) == 1
    assert error in bot.log()
    assert len(door.opens) == 1


def test_a_final_refusal_later_makes_it_unready_until_it_is_mended(door, start):
    bot = start("--connections=1", "--pause=500")
    socket = ready(door, 1)
    door.answers = [({"ok": False, "error": "token_revoked"}, 200, {})]
    socket.drop()
    bot.wait_log("level=error.*token_revoked")
    status, body, _ = bot.http("/readyz")
    assert status == 503 and "token_revoked" in body
    ready(door, 1)
    bot.wait_log("connected to Slack.*connection=2")
    assert bot.http("/readyz")[0] == 200


def test_passing_troubles_are_tried_again(door, start):
    html = ({"x": "<html>"}, 502, {})
    door.answers = [html, ({"ok": False, "error": "internal_error"}, 200, {}),
                    ({"ok": False, "error": "team_added_to_org"}, 200, {}),
                    ({"ok": False, "error": "words_never_heard"}, 200, {}),
                    ({"ok": True}, 200, {}),
                    ({"ok": True, "url": "nonsense"}, 200, {}),
                    ({"ok": True, "url": "ws://192.0.2.1/x"}, 200, {}),
                    ({"ok": True, "url": "http://127.0.0.1/x"}, 200, {})]
    bot = start("--connections=1", "--cap=100")
    door.wait_acked(ready(door, 1).ask())
    assert len(door.opens) == 9
    assert "only wss is allowed" in bot.log()


def test_an_upgrade_that_is_refused_sent_elsewhere_or_never_answered_is_tried_again(door, start):
    door.upgrades = [web.Response(status=408), web.Response(status=500, text="x" * 100_000),
                     web.Response(status=302, headers={
                         "Location": f"http://127.0.0.1:{door.port}/link/?ticket=stolen"}),
                     web.Response(text="hello"), None]
    bot = start("--connections=1", "--cap=100", "--hello=500")
    door.wait_acked(ready(door, 1).ask())
    assert len(door.opens) == 6
    bot.wait_log("why=\"no hello\"")


def test_a_connection_without_hello_is_given_up(door, start):
    door.greet = False
    start("--connections=1", "--cap=100", "--hello=300")
    door.wait("the next", lambda: len(door.sockets) == 2)
    door.wait("the first one's end", lambda: door.sockets[0].close_code is not None)


def test_slack_s_wish_to_be_left_alone_is_heard(door, start):
    door.answers = [({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "2"})]
    start("--connections=1", "--cap=100")
    ready(door, 1)
    assert door.opens[1][0] - door.opens[0][0] >= 2


def test_a_connection_that_never_says_hello_is_not_ready(door, start):
    door.greet = False
    bot = start()
    door.wait("a connection", lambda: len(door.sockets) == 2)
    status, body, _ = bot.http("/readyz")
    assert status == 503 and "hello" in body


def test_others_on_the_same_app_are_warned_of_once(door, start):
    door.greet = False
    bot = start("--connections=1")
    door.wait("a connection", lambda: len(door.sockets) == 1)
    door.sockets[0].hello(3)
    bot.wait_log("level=warn msg=\"other programs.*connections=2")


# ---- Liveness ----

def test_silence_is_death(door, start):
    door.deaf = True
    bot = start("--connections=1", "--silence=600")
    first = ready(door, 1)
    bot.wait_log("connection=1 why=silent")
    door.wait("a replacement", lambda: len(door.sockets) >= 2)
    assert first.ended or first.close_code is not None


def test_a_quiet_workspace_whose_slack_answers_pings_is_alive(door, start):
    bot = start("--connections=1", "--silence=600")
    ready(door, 1)
    time.sleep(2)
    assert len(door.sockets) == 1 and "silent" not in bot.log()


def test_slack_s_own_pings_are_signs_of_life(door, start):
    door.deaf = True                       # it does not answer ours
    bot = start("--connections=1", "--silence=900")
    socket = ready(door, 1)
    for _ in range(15):
        socket.ping()
        time.sleep(0.15)
    assert len(door.sockets) == 1 and "silent" not in bot.log()


def test_pings_are_answered_at_once_before_hello_too(door, start):
    door.greet = False
    start("--connections=1")
    door.wait("a connection", lambda: len(door.sockets) == 1)
    door.sockets[0].ping(b"before hello")
    door.wait("the pong", lambda: b"before hello" in door.sockets[0].pongs)


# ---- Frames ----

def frame(payload, opcode=1, fin=True):
    head = bytes([(0x80 if fin else 0) | opcode])
    length = len(payload)
    if length < 126:
        return head + bytes([length]) + payload
    if length < 65536:
        return head + b"\x7e" + length.to_bytes(2, "big") + payload
    return head + b"\x7f" + length.to_bytes(8, "big") + payload


def command(id, text="x"):
    return json.dumps({"type": "slash_commands", "envelope_id": id, "accepts_response_payload": True,
                       "payload": {"team_id": "T1", "user_id": "U1", "command": "/env",
                                   "text": text}}, ensure_ascii=False).encode()


def test_fragments_are_put_together_with_pings_between_them(door, start):
    start("--connections=1")
    socket = ready(door, 1)
    whole = command("f1", "ä" * 3000)
    for size in (1, 7, 1000, 5000):
        whole = command(f"f{size}", "ä" * (300 if size == 1 else 9000))
        parts = [whole[i:i + size] for i in range(0, len(whole), size)]
        for i, part in enumerate(parts):
            socket.raw(frame(part, 1 if i == 0 else 0, i == len(parts) - 1))
            if i % 5 == 0:
                socket.raw(frame(b"between", 9))
    door.wait_acked("f1", "f7", "f1000", "f5000")
    assert door.acks()["f1000"][1]["text"] == "echo " + "ä" * 9000
    assert len(door.sockets) == 1


def test_a_message_as_large_as_slack_s_is_taken(door, start):
    start("--connections=1")
    socket = ready(door, 1)
    socket.raw(frame(command("large", "x" * 900_000)))
    door.wait_acked("large", seconds=10)
    assert len(door.acks()["large"][1]["text"]) == 900_005


def test_many_envelopes_in_one_go_and_one_in_many_bits(door, start):
    start("--connections=1")
    socket = ready(door, 1)
    ids = [f"g{i}" for i in range(500)]
    socket.raw(b"".join(frame(command(id)) for id in ids))
    door.wait_acked(*ids)
    for byte in frame(command("bits", "y" * 200)):
        socket.raw(bytes([byte]))
    door.wait_acked("bits")


@pytest.mark.parametrize("name,bad", [
    ("broken JSON", frame(b'{"type": "slash_co')),
    ("no object", frame(b"[1,2,3]")),
    ("empty", frame(b"")),
    ("binary", frame(b"\x00\x01\xff" * 100, opcode=2)),
    ("empty binary", frame(b"", opcode=2)),
    ("binary in fragments", frame(b"a", 2, False) + frame(b"b" * 9000, 0, True)),
    ("no UTF-8", frame(b'{"type":"\xff\xfe"}')),
    ("a NUL", frame(b'{"type":"a\x00b"}')),
    ("deep", frame(b"[" * 100_000)),
    ("huge", frame(b'{"type":"' + b"x" * 3_000_000 + b'"}')),
    ("huge in fragments", b"".join(frame(b"x" * 100_000, i == 0, i == 29) for i in range(30))),
    ("an id that cannot be acked",
     frame(b'{"type":"slash_commands","envelope_id":"a\\"b","payload":{}}')),
    ("hello again", frame(b'{"type":"hello"}')),
])
def test_bad_frames_are_ignored_and_harm_nobody(door, start, name, bad):
    bot = start("--connections=1")
    socket = ready(door, 1)
    socket.raw(bad)
    socket.raw(frame(command("after")))
    door.wait_acked("after", seconds=10)
    assert len(door.sockets) == 1
    if name != "hello again":
        bot.wait_log("level=warn msg=\"ignored a message from Slack")


@pytest.mark.parametrize("bad", [frame(b"x", opcode=5), frame(b"x", opcode=0),
                                 b"\xf1\x01x", b"HTTP/1.1 400 Bad Request\r\n\r\n",
                                 frame(b"p" * 200, opcode=9)])
def test_after_a_broken_protocol_it_connects_again(door, start, bad):
    start("--connections=1")
    ready(door, 1).raw(bad)
    door.wait("a new connection", lambda: len(door.sockets) == 2)
    door.wait_acked(door.sockets[1].ask())


# ---- Stopping ----

def test_a_stop_acks_what_was_taken_and_closes(door, start):
    bot = start("--delay=500", "--handlers=8")
    ready(door)
    ids = [s.ask() for s in door.sockets for _ in range(3)]
    bot.wait_taken(6)
    assert bot.stop() == 0
    assert set(ids) <= set(door.acks())
    door.wait("close frames", lambda: [s.close_code for s in door.sockets] == [1000, 1000])


def test_a_stop_does_not_wait_for_a_handler_that_hangs(door, start):
    bot = start("--connections=1", "--delay=4000", "--drain=300", "--handlers=1")
    ready(door, 1).ask()
    bot.wait_taken(1)
    bot.process.send_signal(signal.SIGTERM)
    door.wait("the close", lambda: door.sockets[0].close_code == 1000, seconds=2)


def test_a_stop_while_slack_cannot_be_reached(door, start):
    door.answers = [({}, 500, {})] * 100
    bot = start()
    bot.wait_log("gave no connection")
    assert bot.stop() == 0


def test_a_stop_while_connecting(door, start):
    door.greet = False
    bot = start()
    door.wait("a connection", lambda: len(door.sockets) == 2)
    assert bot.stop() == 0


# ---- TLS ----

def certificate(folder, name):
    """A certificate that signs itself, for that host name."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-keyout", key, "-out", cert, "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, str(cert)


@pytest.mark.parametrize("name,trusted,connects", [
    ("localhost", True, True),
    ("localhost", False, False),
    ("other.example", True, False),
])
def test_wss_verifies_the_certificate_and_its_name(tmp_path, name, trusted, connects):
    context, cert = certificate(tmp_path, name)
    door = Door(tls=context, url_host="localhost")
    bot = Bot(door, "--connections=1", env={"SSL_CERT_FILE": cert} if trusted else {})
    try:
        if connects:
            door.wait_acked(ready(door, 1).ask())
        else:
            bot.wait_log("a connection to Slack is gone")
            assert not door.sockets
    finally:
        assert bot.stop() == 0
        door.stop()


# ---- The HTTP door ----

def test_the_http_door_tells_how_it_is(door, start):
    bot = start()
    door.wait_acked(ready(door).ask())
    assert bot.http("/healthz")[:2] == (200, "ok\n")
    bot.wait_log("connection=2")
    status, body, headers = bot.http("/readyz")
    assert status == 200 and headers["Content-Type"] == "application/json"
    assert json.loads(body)["slack"] == {"ready": True, "connections": 2}
    status, body, headers = bot.http("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "\nenvbot_slack_connections 2\n" in body
    assert "\nenvbot_ack_seconds_count 1\n" in body
    assert re.search(r"\nprocess_resident_memory_bytes [1-9]", body)


def test_other_requests_are_refused(door, start):
    bot = start()
    assert bot.http("/")[0] == 404
    assert bot.http("/metrics/../etc/passwd")[0] == 404
    assert bot.http("/healthz?x=1")[0] == 200
    assert bot.http("/healthz", "POST", b"x" * 100)[0] == 405
    assert bot.http("/healthz", "DELETE")[0] == 405
    status, body, headers = bot.http("/metrics", "HEAD")
    assert status == 200 and body == "" and int(headers["Content-Length"]) > 100
    assert bot.http("/healthz")[0] == 200


def test_rubbish_and_slow_visitors_at_the_http_door_harm_nobody(door, start):
    bot = start()
    ready(door)
    host, port = bot.wait_log(r"address=(\S+)").group(1).split(":")
    slow = []
    for rubbish in (b"\x16\x03\x01\x00\xff" * 50, b"GET /healthz", b"GET /" + b"x" * 100_000,
                    b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 10_000,
                    b"POST /healthz HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n" + b"z" * 50_000,
                    b"\r\n\r\n", b"GET /metrics HTTP/1.1\r\nUpgrade: websocket\r\n"
                    b"Connection: upgrade\r\nSec-WebSocket-Key: x\r\n\r\n"):
        for _ in range(3):
            s = net.create_connection((host, int(port)))
            with contextlib.suppress(OSError):
                s.sendall(rubbish)
            slow.append(s)
    door.wait_acked(*[s.ask() for s in door.sockets for _ in range(20)])
    assert bot.http("/healthz")[0] == 200
    for s in slow:
        s.close()


def test_a_taken_address_is_an_error_at_the_start(door, start):
    first = start()
    address = first.wait_log(r"address=(\S+)").group(1)
    second = start(env={"ENVBOT_HTTP_LISTEN": address})
    second.expect_failure = True
    assert second.process.wait(10) == 1
    assert address in second.log()


def test_a_large_page_is_sent_whole_to_a_slow_reader_too(door, start):
    bot = start("--series=100000")
    host, port = bot.wait_log(r"address=(\S+)").group(1).split(":")
    with net.socket() as s:
        s.setsockopt(net.SOL_SOCKET, net.SO_RCVBUF, 4096)
        s.connect((host, int(port)))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        door.wait_acked(ready(door).ask())       # nobody waits for the slow one
        answer = http.client.HTTPResponse(s)
        answer.begin()
        body = answer.read()                         # all that was promised, or it raises
    assert len(body) > 2_000_000 and body.count(b"many{") == 100_000


def test_requests_on_one_kept_connection(door, start):
    bot = start()
    connection = http.client.HTTPConnection(bot.wait_log(r"address=(\S+)").group(1), timeout=10)
    for path, status in (("/healthz", 200), ("/metrics", 200), ("/none", 404), ("/healthz", 200)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
