"""The bot's own HTTP door: how it is, its metrics, and what it refuses."""
import contextlib
import http.client
import json
import re
import socket as net

from slack_side import door, ready, start  # noqa: F401


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
    bot = start("--series=20000")
    host, port = bot.wait_log(r"address=(\S+)").group(1).split(":")
    with net.socket() as s:
        s.setsockopt(net.SOL_SOCKET, net.SO_RCVBUF, 4096)
        s.connect((host, int(port)))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        door.wait_acked(ready(door).ask())       # nobody waits for the slow one
        answer = http.client.HTTPResponse(s)
        answer.begin()
        body = answer.read()                         # all that was promised, or it raises
    assert len(body) > 2_000_000 and body.count(b"many{") == 20_000


def test_requests_on_one_kept_connection(door, start):
    bot = start()
    connection = http.client.HTTPConnection(bot.wait_log(r"address=(\S+)").group(1), timeout=10)
    for path, status in (("/healthz", 200), ("/metrics", 200), ("/none", 404), ("/healthz", 200)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
