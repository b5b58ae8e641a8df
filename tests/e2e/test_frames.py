"""What Slack, or something that is not Slack, may send through a WebSocket: fragments, floods and
broken frames."""
import json

import pytest

from slack_side import door, frame, ready, start  # noqa: F401


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
