"""Socket Mode from outside, frame by frame: the echo driver against a door that plays Slack's side
of the WebSocket in every way that was ever seen, and some that were not."""
import contextlib
import json
import signal
import ssl
import subprocess
import time

import pytest
from aiohttp import web

from slack_side import PATIENCE, Bot, Door, door, frame, ready, start  # noqa: F401


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
