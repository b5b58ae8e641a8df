"""The stand-in's Socket Mode: tickets, connections, envelopes, acks, and how connections end."""

import asyncio
import json

import aiohttp
import pytest
from stand_in import APP_TOKEN

DEADLINE = 20


class App:
    """A client that does what a test says, and nothing by itself but answering pings."""

    def __init__(self, slack):
        self.slack, self.sockets = slack, []

    async def __aenter__(self):
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_):
        await self.session.close()

    def ticket(self):
        return self.slack.form("apps.connections.open", token=APP_TOKEN)["url"]

    async def connect(self, hello=True):
        socket = await self.session.ws_connect(self.ticket())
        self.sockets.append(socket)
        if hello:
            assert (await self.frame(socket))["type"] == "hello"
        return socket

    @staticmethod
    async def frame(socket):
        message = await socket.receive(DEADLINE)
        assert message.type == aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data)

    @staticmethod
    async def ack(socket, envelope, **more):
        await socket.send_json({"envelope_id": envelope["envelope_id"], **more})

    async def person(self, call, *arguments, **more):
        """What a person does, in a thread: the door answers when the envelope is settled."""
        return await asyncio.to_thread(call, *arguments, **more)

    async def first_of(self, sockets):
        """The socket that got a frame, and the frame."""
        tasks = {asyncio.ensure_future(self.frame(s)): s for s in sockets}
        done, pending = await asyncio.wait(tasks, timeout=DEADLINE,
                                           return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        task = done.pop()
        return tasks[task], task.result()


def play(story):
    """Runs an async test with a fresh workspace."""
    def test(slack):
        async def run():
            async with App(slack) as app:
                await asyncio.wait_for(story(slack, app), 60)
        asyncio.run(run())
    test.__doc__ = story.__doc__
    return test


@play
async def test_a_ticket_opens_one_connection(slack, app):
    url = app.ticket()
    assert "/link/?ticket=" in url and "&app_id=" in url
    first = await app.session.ws_connect(url)
    hello = await app.frame(first)
    assert hello["num_connections"] == 1 and hello["connection_info"]["app_id"] == "A0ENVBOT"
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await app.session.ws_connect(url)
    assert refused.value.status == 408


@play
async def test_a_ticket_does_not_keep(slack, app):
    url = app.ticket()
    slack.age(31)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await app.session.ws_connect(url)


@play
async def test_the_eleventh_connection_is_refused_before_hello(slack, app):
    for _ in range(10):
        await app.connect()
    eleventh = await app.connect(hello=False)
    frame = await app.frame(eleventh)
    assert (frame["type"], frame["reason"]) == ("disconnect", "too_many_websockets")
    assert (await eleventh.receive(DEADLINE)).type in (aiohttp.WSMsgType.CLOSE,
                                                       aiohttp.WSMsgType.CLOSED)
    assert len(slack.connections()) == 10


@play
async def test_a_command_is_an_envelope_and_its_ack_is_the_reply(slack, app):
    socket = await app.connect()
    typing = asyncio.ensure_future(app.person(slack.type, "U0DEV", "C0GEN", "list"))
    envelope = await app.frame(socket)
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
    assert envelope["payload"]["text"] == "list" and "thread_ts" not in envelope["payload"]
    await app.ack(socket, envelope, payload={"text": "none"})
    answer = await typing
    assert (answer["outcome"], answer["shown"][0]["text"]) == ("acked", "none")


@play
async def test_each_envelope_goes_to_one_connection(slack, app):
    sockets, used = [await app.connect(), await app.connect()], set()
    for _ in range(40):
        typing = asyncio.ensure_future(app.person(slack.type, "U0DEV", "C0GEN", "x"))
        socket, envelope = await app.first_of(sockets)
        used.add(sockets.index(socket))
        await app.ack(socket, envelope)
        assert (await typing)["outcome"] == "acked"
        if len(used) == 2:
            break
    assert used == {0, 1}
    assert all(len(e["sent"]) == 1 for e in slack.envelopes()["envelopes"])


@play
async def test_an_ack_may_come_on_another_connection(slack, app):
    sockets = [await app.connect(), await app.connect()]
    typing = asyncio.ensure_future(app.person(slack.type, "U0DEV", "C0GEN", "x"))
    socket, envelope = await app.first_of(sockets)
    await app.ack(sockets[1 - sockets.index(socket)], envelope, payload={"text": "here"})
    assert (await typing)["shown"][0]["text"] == "here"


@play
async def test_without_an_ack_the_person_is_shown_what_slack_shows(slack, app):
    answer = await app.person(slack.type, "U0DEV", "C0GEN", "x")
    assert answer["shown"][0]["text"] == '/env failed with the error "dispatch_failed"'
    await app.connect()
    answer = await app.person(slack.type, "U0DEV", "C0GEN", "x", wait=0.1)
    assert answer["shown"][0]["text"] == '/env failed with the error "operation_timeout"'
    counted = slack.envelopes()
    assert (counted["unreachable"], counted["unacked"]) == (1, 1)
    notices = [n["text"] for n in slack.state("U0DEV")["notices"]]
    assert len(notices) == 2 and slack.state("U0MGR")["notices"] == []


@play
async def test_an_ack_is_waited_for_three_seconds(slack, app):
    socket = await app.connect()
    typing = asyncio.ensure_future(app.person(
        slack.call, "/control/command", {"user": "U0DEV", "channel": "C0GEN", "text": "x"}))
    envelope = await app.frame(socket)
    assert (await typing)["outcome"] == "timeout"
    await app.ack(socket, envelope, payload={"text": "too late"})
    await app.person(slack.wait_for, lambda: slack.connections()[0]["acks"], "the late ack")
    assert slack.messages("C0GEN") == []
    sent = slack.envelopes()["envelopes"][0]
    assert 2.9 < sent["acks"][0]["at"] - sent["sent"][0]["at"]


@play
async def test_a_click_that_nobody_acks_shows_a_warning(slack, app):
    blocks = [{"type": "actions", "elements": [
        {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}]}]
    ts = slack.json("chat.postMessage", channel="C0GEN", text="x", blocks=blocks)["ts"]
    await app.connect()
    answer = await app.person(slack.click, "U0DEV", "C0GEN", ts, "go", wait=0.1)
    assert answer["outcome"] == "timeout" and answer["shown"][0]["text"].startswith("⚠")


@play
async def test_a_click_takes_no_payload(slack, app):
    blocks = [{"type": "actions", "elements": [
        {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}]}]
    ts = slack.json("chat.postMessage", channel="C0GEN", text="x", blocks=blocks)["ts"]
    socket = await app.connect()
    for payload, violations in (({}, 0), ({"text": "x"}, 1)):
        clicking = asyncio.ensure_future(app.person(slack.click, "U0DEV", "C0GEN", ts, "go"))
        envelope = await app.frame(socket)
        assert envelope["accepts_response_payload"] is False
        await app.ack(socket, envelope, payload=payload)
        assert (await clicking)["outcome"] == "acked"
        assert len(slack.violations()) == violations


@play
async def test_an_ack_of_nothing_is_a_mistake(slack, app):
    socket = await app.connect()
    for text in ('{"envelope_id":"never-sent"}', "[]", "{"):
        await socket.send_str(text)
    await app.person(slack.wait_for, lambda: len(slack.violations()) == 3, "three mistakes")
    assert {v["error"] for v in slack.violations()} == {"unknown_envelope"}


@play
async def test_a_reply_with_bad_blocks_is_not_shown(slack, app):
    socket = await app.connect()
    typing = asyncio.ensure_future(app.person(slack.type, "U0DEV", "C0GEN", "x"))
    await app.ack(socket, await app.frame(socket), payload={"text": "x", "blocks": [{"type": "no"}]})
    assert (await typing)["shown"][0]["error"] == "invalid_blocks"
    assert slack.violations()[0]["reasons"] == [
        "[ERROR] unsupported type: no [json-pointer:/blocks/0]"]


@play
async def test_an_envelope_is_delivered_twice_on_demand(slack, app):
    sockets = [await app.connect(), await app.connect()]
    typing = asyncio.ensure_future(app.person(slack.type, "U0DEV", "C0GEN", "x"))
    first, envelope = await app.first_of(sockets)
    await app.ack(first, envelope, payload={"text": "one"})
    done = await typing
    again = asyncio.ensure_future(app.person(slack.redeliver, done["envelope_id"], "other"))
    second, repeated = await app.first_of(sockets)
    assert second is not first and repeated == envelope
    await app.ack(second, repeated, payload={"text": "one"})
    assert (await again)["acks"] == [{"text": "one"}] * 2
    new = asyncio.ensure_future(app.person(slack.redeliver, done["envelope_id"], "new-id"))
    socket, renamed = await app.first_of(sockets)
    assert renamed["envelope_id"] != envelope["envelope_id"]
    assert renamed["payload"]["trigger_id"] == envelope["payload"]["trigger_id"]
    await app.ack(socket, renamed)
    assert (await new)["outcome"] == "acked"


@play
async def test_an_unacked_event_comes_three_more_times(slack, app):
    slack.connect("event_retries", seconds=[0, 0, 0])
    event = {"type": "app_home_opened", "user": "U0DEV"}
    nobody = await app.person(slack.event, event)  # no connection to go to: it comes later
    assert nobody["outcome"] == "dispatch_failed"
    socket = await app.connect()
    telling = asyncio.ensure_future(app.person(slack.event, event, wait=0.05))
    seen = [f for f in [await app.frame(socket) for _ in range(2)] if f["retry_attempt"] == 0
            or f["retry_reason"] == "timeout"]
    await telling
    assert len(seen) == 2 and all(f["type"] == "events_api" for f in seen)
    assert seen[-1]["payload"]["event"] == event


@play
async def test_an_acked_event_does_not_come_again(slack, app):
    slack.connect("event_retries", seconds=[0, 0, 0])
    socket = await app.connect()
    telling = asyncio.ensure_future(app.person(slack.event, {"type": "x"}))
    envelope = await app.frame(socket)
    assert (envelope["retry_attempt"], envelope["retry_reason"]) == (0, "")
    await app.ack(socket, envelope)
    assert (await telling)["outcome"] == "acked"
    assert len(slack.envelopes()["envelopes"][0]["sent"]) == 1


@play
async def test_a_refresh_asks_and_closes_later(slack, app):
    old = await app.connect()
    slack.connect("refresh", which="oldest", grace=0.3)
    frame = await app.frame(old)
    assert (frame["type"], frame["reason"]) == ("disconnect", "refresh_requested")
    new = await app.connect()
    assert (await old.receive(DEADLINE)).type == aiohttp.WSMsgType.CLOSE
    typing = asyncio.ensure_future(app.person(slack.type, "U0DEV", "C0GEN", "x"))
    await app.ack(new, await app.frame(new))
    assert (await typing)["outcome"] == "acked"


@play
async def test_a_warning_comes_before_the_end(slack, app):
    socket = await app.connect()
    slack.connect("warning", grace=0.1)
    assert [(await app.frame(socket))["reason"] for _ in range(2)] == ["warning", "refresh_requested"]
    assert (await socket.receive(DEADLINE)).type == aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize("order, reason", [
    ({"do": "link_disabled", "grace": 0.1}, "link_disabled"),
    ({"do": "too_many"}, "too_many_websockets"),
    ({"do": "disconnect", "reason": "never_heard_of"}, "never_heard_of")])
def test_it_disconnects_for_every_reason(slack, order, reason):
    @play
    async def story(slack, app):
        socket = await app.connect()
        slack.connect(**order)
        assert (await app.frame(socket))["reason"] == reason
        assert (await socket.receive(DEADLINE)).type == aiohttp.WSMsgType.CLOSE
    story(slack)


@play
async def test_a_connection_is_cut_without_a_word(slack, app):
    socket = await app.connect()
    slack.connect("drop")
    assert (await socket.receive(DEADLINE)).type in (aiohttp.WSMsgType.CLOSED,
                                                     aiohttp.WSMsgType.ERROR)
    await app.person(slack.wait_for, lambda: slack.connections() == [], "it is forgotten")


@play
async def test_it_pings_and_a_silent_connection_gets_nothing(slack, app):
    socket = await app.session.ws_connect(app.ticket(), autoping=False)
    kinds = [(await socket.receive(DEADLINE)).type for _ in range(2)]
    assert aiohttp.WSMsgType.PING in kinds
    slack.connect("silence")
    answer = await app.person(slack.type, "U0DEV", "C0GEN", "x", wait=0.1)
    assert answer["outcome"] == "dispatch_failed"


@play
async def test_it_sends_frames_that_nobody_expects(slack, app):
    socket = await app.connect()
    slack.connect("garbage")
    texts = [(await socket.receive(DEADLINE)).data for _ in range(3)]
    assert texts[0].startswith("{this") and texts[1] == "[]"
    slack.connect("binary")
    assert (await socket.receive(DEADLINE)).type == aiohttp.WSMsgType.BINARY
    slack.connect("huge")
    assert len((await socket.receive(DEADLINE)).data) > 3 << 20


@play
async def test_a_form_is_answered_by_errors_another_form_or_the_end(slack, app):
    view = {"type": "modal", "callback_id": "x", "title": {"type": "plain_text", "text": "x"},
            "submit": {"type": "plain_text", "text": "Send"}, "blocks": [
                {"type": "input", "block_id": "why", "label": {"type": "plain_text", "text": "Why"},
                 "element": {"type": "plain_text_input", "action_id": "why", "max_length": 5}}]}
    socket = await app.connect()

    async def opened():
        typing = asyncio.ensure_future(app.person(slack.type, "U0DEV", "C0GEN", "x"))
        envelope = await app.frame(socket)
        await app.ack(socket, envelope)
        await typing
        return slack.json("views.open", trigger_id=envelope["payload"]["trigger_id"],
                          view=view)["view"]["id"]

    async def submitted(view_id, payload=None):
        sending = asyncio.ensure_future(
            app.person(slack.submit, "U0DEV", view_id, {"why": {"why": "so"}}))
        envelope = await app.frame(socket)
        assert envelope["accepts_response_payload"]
        assert envelope["payload"]["view"]["state"]["values"]["why"]["why"]["value"] == "so"
        await app.ack(socket, envelope, **({"payload": payload} if payload else {}))
        return await sending

    view_id = await opened()
    for wrong in ("", "too long"):  # the client itself asks for what is missing
        refused = slack.submit("U0DEV", view_id, {"why": {"why": wrong}})
        assert refused["outcome"] == "refused_by_client"
    await submitted(view_id, {"response_action": "errors", "errors": {"why": "More."}})
    assert slack.views("U0DEV")[0]["errors"] == {"why": "More."}
    for _ in range(2):
        await submitted(view_id, {"response_action": "push", "view": view})
    assert len(slack.views("U0DEV")) == 3 and slack.violations() == []
    await submitted(view_id, {"response_action": "push", "view": view})
    assert slack.violations()[-1]["reasons"] == ["push_limit_reached"]
    await submitted(view_id, {"response_action": "clear"})
    assert slack.views("U0DEV") == []
    view_id = await opened()
    for answer in ({"response_action": "errors", "errors": {"no such block": "x"}},
                   {"response_action": "update", "view": {"type": "modal"}},
                   {"response_action": "explode"}):
        before = len(slack.violations())
        await submitted(view_id, answer)
        assert len(slack.violations()) == before + 1
    await submitted(view_id)
    assert slack.views("U0DEV") == []
