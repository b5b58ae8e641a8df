"""The outbox's delivery from outside: rows are written into the table, a small Slack and SES of the
test's own say what arrived, and what Slack does wrong is done wrong on purpose."""
import contextlib
import http.server
import json
import os
import pathlib
import signal
import socketserver
import subprocess
import threading
import time
import urllib.parse

import psycopg2
import pytest

from built import built

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOT = built("drivers/outbox_bot")


def wait_for(condition, what, seconds=40):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not seen in {seconds} s: {what}")
        time.sleep(0.02)


class Slack:
    """Keeps what was posted; breaks what it is told to break."""

    def __init__(self):
        self.lock = threading.Lock()
        self.posts, self.calls, self.mails, self.faults, self.number = [], [], [], [], 0
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                self.answer()

            def do_POST(self):
                self.answer()

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                url = urllib.parse.urlsplit(self.path)
                text = body.decode("utf-8", "replace")
                if "json" in (self.headers.get("Content-Type") or ""):
                    arguments = json.loads(text)
                else:
                    arguments = dict(urllib.parse.parse_qsl(text or url.query))
                status, answer, headers = door.take(url.path, arguments, self.headers, text)
                if status == 0:  # the answer is lost
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return
                out = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def fault(self, method, do, count=1, channel=None, **more):
        with self.lock:
            self.faults.append({"method": method, "do": do, "left": count, "channel": channel, **more})

    def find_fault(self, method, arguments):
        for fault in self.faults:
            if (fault["left"] and fault["method"] == method
                    and fault["channel"] in (None, arguments.get("channel"))):
                fault["left"] -= 1
                return fault
        return None

    def take(self, path, arguments, headers, text):
        with self.lock:
            if path == "/v2/email/outbound-emails":
                return self.mail(arguments, headers)
            if path == "/upload":
                self.posts.append({"channel": "upload", "text": text})
                return 200, "OK", {}
            method = path.removeprefix("/api/")
            self.calls.append((time.monotonic(), method, arguments))
            fault = self.find_fault(method, arguments)
            if fault and fault["do"] == "status":
                return fault["status"], "", fault.get("headers", {})
            if fault and fault["do"] == "error":
                return 200, {"ok": False, "error": fault["error"]}, {}
            answer = {"ok": True, **getattr(self, method.replace(".", "_"))(arguments)}
            if fault and fault["do"] == "lose":
                return 0, None, {}
            return 200, answer, {}

    def mail(self, arguments, headers):
        fault = self.find_fault("mail", {})
        if fault:
            return fault["status"], {"message": fault["message"]}, {"x-amzn-ErrorType": fault["error"]}
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
        self.mails.append(arguments)
        return 200, {"MessageId": "m1"}, {}

    def chat_postMessage(self, a):
        self.number += 1
        ts = f"1700000000.{self.number:06d}"
        assert not a["channel"].startswith("U")
        self.posts.append({**a, "ts": ts, "at": time.monotonic()})
        return {"channel": a["channel"], "ts": ts}

    def chat_update(self, a):
        post = next(p for p in self.posts if p.get("ts") == a["ts"])
        post.update(a, updates=post.get("updates", 0) + 1)
        return {"channel": a["channel"], "ts": a["ts"]}

    def chat_postEphemeral(self, a):
        self.posts.append({**a, "ephemeral": True, "at": time.monotonic()})
        return {"message_ts": "1.1"}

    def chat_getPermalink(self, a):
        return {"permalink": f"https://acme.slack.com/archives/{a['channel']}/p{a['message_ts']}"}

    def conversations_open(self, a):
        return {"channel": {"id": "D" + a["users"][1:]}}

    def conversations_history(self, a):
        return {"messages": [p for p in self.posts if p["channel"] == a["channel"]
                             and not p.get("thread_ts")]}

    def conversations_replies(self, a):
        return {"messages": [p for p in self.posts if p["channel"] == a["channel"]
                             and a["ts"] in (p.get("ts"), p.get("thread_ts"))]}

    def files_getUploadURLExternal(self, a):
        return {"upload_url": self.url + "/upload", "file_id": "F1"}

    def files_completeUploadExternal(self, a):
        self.posts.append({"channel": a["channel_id"], "file": a["files"][0]["title"],
                           "text": a.get("initial_comment")})
        return {"files": [{"id": "F1"}]}

    def said(self, channel=None, thread=None):
        with self.lock:
            return [p["text"] for p in self.posts if channel in (None, p["channel"])
                    and (thread is None or bool(p.get("thread_ts")) == thread)]


class World:
    def __init__(self, postgres, folder):
        self.slack = Slack()
        self.folder, self.process, self.log = folder, None, open(folder / "log", "a+")
        self.database = folder.name.replace("-", "_")[-40:].lower()
        self.dsn = postgres.url(self.database)
        (folder / "envbot.yaml").write_text(
            "teams: [{name: payments, channel: C0PAY, approvers_channel: C0PLAT}]\n"
            "operators: {channel: C0OPS}\nmail: {from: envbot@example.com}\n"
            "aws: {region: eu-central-1}\n")
        self.settings = {"slack_post_interval_ms": "0", "slack_update_interval_ms": "0"}
        postgres.make_database(self.database, postgres.migrated_by(lambda url: subprocess.run(
            [built("envbot"), "migrate"], check=True, env={**self.environment(), "DATABASE_URL": url})))

    def environment(self):
        return {"PATH": os.environ["PATH"], "ENVBOT_CONFIG": str(self.folder / "envbot.yaml"),
                "ENVBOT_TEMPLATES": str(ROOT / "templates"), "DATABASE_URL": self.dsn,
                "SLACK_BOT_TOKEN": "xoxb-1-test", "SLACK_APP_TOKEN": "xapp-1-test",
                "ENVBOT_SLACK_API_URL": self.slack.url + "/api/",
                "AWS_ENDPOINT_URL": self.slack.url, "AWS_ACCESS_KEY_ID": "AKID",
                "AWS_SECRET_ACCESS_KEY": "SECRET",
                **{f"ENVBOT_{k.upper()}": v for k, v in self.settings.items()}}

    def start(self):
        self.process = subprocess.Popen([BOT], env=self.environment(), stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        assert self.process.stdout.readline() == "ready\n", (self.folder / "log").read_text()

    def stop(self, number=signal.SIGTERM):
        process, self.process = self.process, None
        process.send_signal(number)
        code = process.wait(40)
        process.stdout.close()
        return code

    def sql(self, text, *values):
        with contextlib.closing(psycopg2.connect(self.dsn)) as connection, connection:
            with connection.cursor() as cursor:
                cursor.execute(text, values)
                return cursor.fetchall() if cursor.description else cursor.rowcount

    def requested(self, name="demo", state="pending", mail="developer@example.com"):
        self.sql("INSERT INTO teams (name) VALUES ('payments') ON CONFLICT DO NOTHING")
        return self.sql(
            "INSERT INTO environments (team, name, cluster, region, owner_workspace, owner_id,"
            " owner_name, owner_mail, template, template_copy, parameters, state, ttl_seconds, nodes,"
            " vcpus, gpus, hourly_usd, monthly_usd, tally) VALUES ('payments', %s, 'payments-' || %s,"
            " 'eu-central-1', 'T0ACME', 'U0DEV', 'developer', %s, 'small', '{\"title\": \"Small\"}',"
            " '{\"nodes\": 2}', %s, 28800, 2, 4, 0, 0.31, 226,"
            " '{\"needed\": \"@platform\", \"votes\": [], \"line\": \"\"}') RETURNING id",
            name, name, mail, state)[0][0]

    def redraw(self, id, place="message"):
        conversation = ("card" if place == "card" else "env") + f":{id}"
        return self.add("redraw", conversation, id, place, place, {})

    def say(self, id, words):
        return self.add("say", f"env:{id}", id, "thread", "private", {
            "words": words, "team": "payments", "owner": "U0DEV"})

    def add(self, kind, conversation, id, place, template, content, recipient=None, late=False):
        return self.sql(
            "WITH new AS (INSERT INTO outbox (kind, conversation, environment, place, template,"
            " content, recipient, expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s,"
            " CASE WHEN %s THEN now() - interval '1 s' END) RETURNING id)"
            " SELECT id, pg_notify('envbot_outbox', '') FROM new",
            kind, conversation, id, place, template, json.dumps(content), recipient, late)[0][0]

    def waiting(self):
        return self.sql("SELECT count(*) FROM outbox WHERE sent_at IS NULL AND NOT parked")[0][0]

    def settle(self, seconds=40):
        wait_for(lambda: self.waiting() == 0, "an empty outbox", seconds)


@pytest.fixture
def world(postgres, tmp_path):
    world = World(postgres, tmp_path)
    world.start()
    yield world
    if world.process:
        assert world.stop() == 0
    world.log.seek(0)
    text = world.log.read()
    world.log.close()
    world.slack.close()
    postgres.drop_database(world.database)
    assert "xoxb" not in text and "SECRET" not in text


def test_a_message_comes_first_and_its_thread_in_order(world):
    id = world.requested()
    world.redraw(id)
    for n in range(5):
        world.say(id, f"word {n}")
    world.settle()
    (message,) = [p for p in world.slack.posts if not p.get("thread_ts")]
    assert message["channel"] == "C0PAY" and "payments/demo" in message["text"]
    replies = [p for p in world.slack.posts if p.get("thread_ts")]
    assert [p["text"] for p in replies] == [f"word {n}" for n in range(5)]
    assert {p["thread_ts"] for p in replies} == {message["ts"]}
    link = lambda: world.sql("SELECT permalink FROM messages WHERE environment = %s", id)[0][0]
    assert wait_for(link, "the permalink").endswith(message["ts"])


def test_many_redraws_are_few_updates_of_what_is_true_then(world):
    world.stop()
    world.settings["slack_update_interval_ms"] = "700"
    world.start()
    id = world.requested()
    world.redraw(id)
    world.settle()
    world.sql("UPDATE environments SET state = 'queued' WHERE id = %s", id)
    world.sql("INSERT INTO outbox (kind, conversation, environment, place, template)"
              " SELECT 'redraw', 'env:' || %s, %s, 'message', 'message' FROM generate_series(1, 20)"
              " RETURNING pg_notify('envbot_outbox', '')", id, id)
    world.settle()
    (message,) = world.slack.posts
    assert "waits for its turn" in message["text"]
    assert message["updates"] <= 3


def test_a_card_goes_to_the_approvers_and_links_to_its_message(world):
    id = world.requested()
    world.redraw(id)
    world.redraw(id, "card")
    world.settle()
    (card,) = [p for p in world.slack.posts if p["channel"] == "C0PLAT"]
    text = json.dumps(card["blocks"])
    assert '"approve"' in text and '"deny"' in text and f'"{id}.1"' in text
    assert "acme.slack.com" in text


def test_each_message_stands_where_it_belongs_and_its_thread_under_it(world):
    id = world.requested()
    world.sql("""UPDATE environments SET template_copy =
              '{"title": "Small", "approval": {"escalate": {"channel": "C0LEADS"}}}'""")
    world.sql("""INSERT INTO change_requests (id, environment, kind, wanted, before, after, reason,
              workspace, user_id, user_name, tally, lapses_at) OVERRIDING SYSTEM VALUE VALUES
              (7, %s, 'extend', 3600, 'now', 'then', '', 'T0ACME', 'U0DEV', 'developer',
               '{"words": "Waiting for somebody", "line": "Waiting.", "any": false, "changed": ""}',
               now() + interval '1 hour')""", id)
    world.redraw(id)
    stands = {"card": "C0PLAT", "card-escalated": "C0LEADS", "review": "C0PLAT",
              "change-7": "C0PLAT", "change-7-escalated": "C0LEADS"}
    for place in stands:
        world.add("redraw", f"{place}:{id}", id, place, "card", {})
        world.add("say", f"{place}:{id}", id, f"{place}-thread", "private",
                  {"words": f"in {place}", "team": "payments", "owner": "U0DEV"})
    world.settle()
    where = dict(world.sql("SELECT place, channel FROM messages"))
    assert where == {"message": "C0PAY", **stands}
    ts = dict(world.sql("SELECT place, ts FROM messages"))
    for place in stands:
        (reply,) = [p for p in world.slack.posts if p["text"] == f"in {place}"]
        assert reply["thread_ts"] == ts[place] and reply["channel"] == stands[place]
    # Drawn anew, each changes; none is posted a second time.
    posts = len(world.slack.posts)
    for place in stands:
        world.add("redraw", f"{place}:{id}", id, place, "card", {})
    world.settle()
    assert len(world.slack.posts) == posts
    assert all(p["updates"] == 1 for p in world.slack.posts if p.get("ts") in
               [ts[place] for place in stands])


def test_a_copy_without_its_channel_is_for_the_operators_and_no_second_card(world):
    id = world.requested()
    world.sql("""UPDATE environments SET template_copy =
              '{"title": "Small", "approval": {"escalate": {"channel": "C0LEADS"}}}'""")
    world.slack.fault("chat.postMessage", "error", 9, channel="C0LEADS", error="channel_not_found")
    world.redraw(id)
    world.add("redraw", f"card-escalated:{id}", id, "card-escalated", "card", {})
    world.settle()
    assert sorted(p["channel"] for p in world.slack.posts) == ["C0OPS", "C0PAY"]


def test_a_lost_answer_is_looked_up_and_nothing_is_said_twice(world):
    id = world.requested()
    world.slack.fault("chat.postMessage", "lose", 1)
    world.redraw(id)
    world.settle()
    world.slack.fault("chat.postMessage", "lose", 1)
    world.say(id, "once")
    world.settle()
    assert len(world.slack.posts) == 2
    assert world.slack.posts[1]["thread_ts"] == world.slack.posts[0]["ts"]


def test_a_process_killed_after_the_post_leaves_no_second_one(world):
    id = world.requested()
    world.redraw(id)
    world.settle()
    # The post's effect is there, its answer comes too late for the process.
    block = threading.Event()
    original = world.slack.chat_postMessage

    def slow(arguments):
        answer = original(arguments)
        world.slack.lock.release()
        block.wait(10)
        world.slack.lock.acquire()
        return answer

    world.slack.chat_postMessage = slow
    world.say(id, "once only")
    wait_for(lambda: len(world.slack.posts) == 2, "the post")
    world.stop(signal.SIGKILL)
    world.slack.chat_postMessage = original
    block.set()
    world.say(id, "afterwards")
    world.start()
    world.settle(20)
    assert world.slack.said(thread=True) == ["once only", "afterwards"]


def test_429_is_waited_for_and_order_kept(world):
    id = world.requested()
    world.redraw(id)
    world.settle()
    world.slack.fault("chat.postMessage", "status", 1, status=429, headers={"Retry-After": "1"})
    began = time.monotonic()
    for n in range(3):
        world.say(id, str(n))
    world.settle()
    assert world.slack.said(thread=True) == ["0", "1", "2"]
    assert world.slack.posts[1]["at"] - began >= 0.9


@pytest.mark.parametrize("fault", [{"do": "status", "status": 500}, {"do": "status", "status": 503},
                                   {"do": "error", "error": "internal_error"},
                                   {"do": "error", "error": "service_unavailable"}])
def test_a_broken_slack_gets_it_later_in_order(world, fault):
    id = world.requested()
    world.redraw(id)
    world.settle()
    world.slack.fault("chat.postMessage", fault.pop("do"), 2, **fault)
    world.say(id, "a")
    world.say(id, "b")
    world.settle()
    assert world.slack.said(thread=True) == ["a", "b"]


def test_a_channel_that_is_gone_is_replaced_by_a_direct_message(world):
    id = world.requested()
    world.slack.fault("chat.postMessage", "error", 100, channel="C0PAY", error="channel_not_found")
    world.redraw(id)
    world.say(id, "hello")
    world.settle()
    assert {p["channel"] for p in world.slack.posts} == {"D0DEV"}
    assert world.slack.posts[1]["thread_ts"] == world.slack.posts[0]["ts"]


def test_bad_blocks_are_said_more_plainly(world):
    id = world.requested()
    world.slack.fault("chat.postMessage", "error", 2, error="invalid_blocks")
    world.redraw(id)
    world.settle()
    (message,) = world.slack.posts
    assert "blocks" not in message and "payments/demo" in message["text"]


def test_what_cannot_be_delivered_is_parked_and_told(world):
    id = world.requested()
    world.redraw(id)
    world.settle()
    world.slack.fault("chat.postMessage", "error", 1, channel="C0PAY", error="invalid_arguments")
    row = world.say(id, "x")
    world.say(id, "y")
    world.settle()
    assert world.sql("SELECT parked FROM outbox WHERE id = %s", row) == [(True,)]
    assert world.slack.said("C0PAY", thread=True) == ["y"]
    (told,) = world.slack.said("C0OPS")
    assert str(row) in told and "invalid_arguments" in told
    row = world.add("redraw", f"change-99:{id}", id, "change-99", "change", {})
    world.settle()
    assert world.sql("SELECT parked, error FROM outbox WHERE id = %s", row) == [
        (True, "There is no change request at change-99.")]


def test_a_private_answer_goes_to_the_channel_or_the_person(world):
    values = {"words": "only you", "channel": "C0GEN"}
    world.add("private", "user:U0DEV", None, "person", "private", values, "U0DEV")
    world.settle()
    assert world.slack.posts[0]["ephemeral"] and world.slack.posts[0]["user"] == "U0DEV"
    world.slack.fault("chat.postEphemeral", "error", 1, error="user_not_in_channel")
    world.add("private", "user:U0DEV", None, "person", "private", values, "U0DEV")
    world.settle()
    assert world.slack.posts[1]["channel"] == "D0DEV"
    world.add("private", "user:U0DEV", None, "person", "private", values, "U0DEV", late=True)
    world.settle()
    assert len(world.slack.posts) == 2
    assert world.sql("SELECT error FROM outbox ORDER BY id DESC LIMIT 1")[0][0]


def test_a_file_is_uploaded_in_three_steps(world):
    world.add("upload", "user:U0MGR", None, "person", "", {
        "filename": "r.csv", "title": "Report", "content": "a,b\n", "comment": "here"}, "U0MGR")
    world.settle()
    assert [p["channel"] for p in world.slack.posts] == ["upload", "D0MGR"]


def test_mail_is_sent_once_throttled_or_not_and_a_refusal_is_told(world):
    id = world.requested(state="ready")
    world.redraw(id)
    world.settle()
    view = {"team": "payments", "name": "demo", "cluster": "payments-demo", "region": "r",
            "owner_name": "dev <b>", "owner_mail": "developer@example.com",
            "nodes": 2, "nodes_text": "2",
            "expires": {"text": "Fri", "left": "8 h", "slack": ""}, "kubeconfig": "aws eks …",
            "command": "/env", "message_link": "", "state": "ready"}  # as an older version froze it
    world.slack.fault("mail", "error", 1, status=429, error="TooManyRequestsException",
                      message="Maximum sending rate exceeded.")
    row = world.add("mail", f"mail:{id}", id, "mail", "ready", view)
    world.settle()
    (mail,) = world.slack.mails
    simple = mail["Content"]["Simple"]
    assert mail["Destination"]["ToAddresses"] == ["developer@example.com"]
    assert simple["Subject"]["Data"] == "Your cluster payments/demo is ready"
    assert "dev &lt;b&gt;" in simple["Body"]["Html"]["Data"]
    assert "acme.slack.com" in simple["Body"]["Text"]["Data"]
    assert {"Name": "X-Envbot-Id", "Value": str(row)} in simple["Headers"]
    world.slack.fault("mail", "error", 1, status=400, error="MessageRejected", message="No.")
    world.add("mail", f"mail:{id}", id, "mail", "ready", view)
    world.settle()
    assert any("could not be delivered" in text for text in world.slack.said("C0PAY", thread=True))
    assert len(world.slack.said("C0OPS")) == 1


def test_two_processes_deliver_each_row_once(world):
    ids = [world.requested(f"demo{n}") for n in range(6)]
    other = World.__new__(World)
    other.__dict__ = {**world.__dict__}
    other.start()
    try:
        for id in ids:
            world.redraw(id)
            for n in range(5):
                world.say(id, str(n))
        world.settle(20)
    finally:
        assert other.stop() == 0
    assert len(world.slack.posts) == 6 * 6
    for post in [p for p in world.slack.posts if not p.get("thread_ts")]:
        thread = [p["text"] for p in world.slack.posts if p.get("thread_ts") == post["ts"]]
        assert thread == ["0", "1", "2", "3", "4"]


def test_a_channel_is_paced_and_others_do_not_wait_for_it(world):
    world.stop()
    world.settings["slack_post_interval_ms"] = "400"
    id = world.requested()
    world.redraw(id)
    for n in range(5):
        world.say(id, str(n))
    world.add("say", "operators", None, "operators", "private", {"words": "elsewhere"})
    world.start()
    world.settle()
    here = [p["at"] for p in world.slack.posts if p["channel"] == "C0PAY"]
    assert len(here) == 6
    assert here[-1] - here[0] >= 0.4 * (6 - 3) - 0.1  # after a burst of three
    there = [p["at"] for p in world.slack.posts if p["channel"] == "C0OPS"]
    assert there[0] < here[-1]


def test_it_ends_promptly_and_leaves_what_it_did_not_say(world):
    world.slack.fault("chat.postMessage", "error", 1000, error="service_unavailable")
    id = world.requested()
    world.redraw(id)
    wait_for(lambda: any(m == "chat.postMessage" for _, m, _ in world.slack.calls), "a try")
    began = time.monotonic()
    assert world.stop() == 0
    assert time.monotonic() - began < 10
    assert world.waiting() == 1
