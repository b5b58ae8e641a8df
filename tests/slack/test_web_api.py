"""The stand-in's Web API refuses what Slack refuses, with Slack's names, and keeps it as a violation."""

import json
import re
import urllib.request

import pytest
from stand_in import APP_TOKEN, BOT_TOKEN

FORM_ONLY = [
    ("users.info", {"user": "U0DEV"}), ("users.lookupByEmail", {"email": "developer@example.com"}),
    ("usergroups.list", {"include_users": True}), ("usergroups.users.list", {"usergroup": "S0PLAT"}),
    ("conversations.replies", {"channel": "C0GEN", "ts": "1.000001"}),
    ("conversations.info", {"channel": "C0GEN"}), ("conversations.members", {"channel": "C0GEN"}),
    ("chat.getPermalink", {"channel": "C0GEN", "message_ts": "1.000001"}),
    ("files.getUploadURLExternal", {"filename": "a.csv", "length": 3}),
]
SCOPES = [
    ("chat.postMessage", {"channel": "C0GEN", "text": "x"}, "chat:write"),
    ("chat.update", {"channel": "C0GEN", "ts": "1.000001", "text": "x"}, "chat:write"),
    ("chat.postEphemeral", {"channel": "C0GEN", "user": "U0DEV", "text": "x"}, "chat:write"),
    ("conversations.open", {"users": "U0DEV"}, "im:write"),
    ("conversations.open", {"users": "U0DEV,U0MGR"}, "mpim:write"),
    ("conversations.history", {"channel": "C0GEN"}, "channels:history"),
    ("users.info", {"user": "U0DEV"}, "users:read"),
    ("users.lookupByEmail", {"email": "developer@example.com"}, "users:read.email"),
    ("usergroups.list", {}, "usergroups:read"),
    ("conversations.info", {"channel": "C0GEN"}, "channels:read"),
    ("files.getUploadURLExternal", {"filename": "a.csv", "length": "3"}, "files:write"),
]


def post(slack, channel="C0GEN", text="x", **more):
    answer = slack.json("chat.postMessage", channel=channel, text=text, **more)
    assert answer["ok"], answer
    return answer


def test_an_unknown_method_is_refused_and_counted(shared):
    before = len(shared.violations())
    assert shared.json("chat.shout", text="x") == {"ok": False, "error": "unknown_method"}
    assert shared.violations()[before]["method"] == "chat.shout"


def test_an_unknown_argument_is_refused(shared):
    answer = shared.json("chat.postMessage", channel="C0GEN", text="x", colour="red")
    assert answer["error"] == "invalid_arg_name"
    assert answer["response_metadata"]["messages"] == ["[ERROR] unknown argument: colour"]


def test_a_missing_argument_is_refused(shared):
    assert shared.form("users.info")["error"] == "invalid_arguments"
    assert shared.json("chat.postMessage", text="x")["error"] == "channel_not_found"
    assert shared.json("chat.postMessage", channel="C0GEN")["error"] == "no_text"


@pytest.mark.parametrize("content, error", [
    ("text/plain", "invalid_post_type"), ("application/xml", "invalid_post_type"),
    ("", "missing_post_type")])
def test_other_content_types_are_refused(shared, content, error):
    body = b'{"channel":"C0GEN","text":"x"}'
    text = shared.send("/api/chat.postMessage", body, content, BOT_TOKEN)[2]
    assert json.loads(text)["error"] == error


@pytest.mark.parametrize("body, error", [
    (b"{", "invalid_json"), (b"[]", "json_not_object"), (b'"x"', "json_not_object")])
def test_broken_json_is_refused(shared, body, error):
    text = shared.send("/api/chat.postMessage", body, "application/json; charset=utf-8", BOT_TOKEN)[2]
    assert json.loads(text)["error"] == error


def test_blocks_of_a_form_must_be_json(shared):
    answer = shared.form("chat.postMessage", channel="C0GEN", text="x", blocks="[{")
    assert answer["error"] == "invalid_blocks_format"


def test_a_charset_that_is_missing_or_too_much_is_warned_of(shared):
    body = b'{"channel":"C0GEN","text":"x"}'
    answer = json.loads(shared.send("/api/chat.postMessage", body, "application/json", BOT_TOKEN)[2])
    assert answer["ok"] and answer["warning"] == "missing_charset"
    text = shared.send("/api/users.info", b"user=U0DEV",
                       "application/x-www-form-urlencoded; charset=utf-8", BOT_TOKEN)[2]
    assert json.loads(text)["warning"] == "superfluous_charset"


@pytest.mark.parametrize("method, arguments", FORM_ONLY)
def test_methods_that_take_forms_alone_refuse_json(shared, method, arguments):
    answer = shared.json(method, **arguments)
    assert answer["error"] == "invalid_arguments"
    assert "from a form alone" in answer["response_metadata"]["messages"][0]
    answer = shared.form(method, **arguments)
    assert answer["ok"] or answer["error"] in ("thread_not_found", "message_not_found")


def test_each_kind_of_token_opens_its_own_methods_alone(shared):
    assert shared.json("auth.test", token=None)["error"] == "not_authed"
    assert shared.json("auth.test", token="xoxb-other")["error"] == "invalid_auth"
    assert shared.json("auth.test", token=APP_TOKEN)["error"] == "not_allowed_token_type"
    assert shared.form("apps.connections.open", token=BOT_TOKEN)["error"] == "not_allowed_token_type"
    assert shared.form("apps.connections.open", token=APP_TOKEN)["url"].startswith("ws://")
    assert shared.json("blocks.validate", token=None, blocks=[]) == {"ok": True}


def test_connections_are_opened_with_a_post(shared):
    text = shared.send("/api/apps.connections.open", None, "", APP_TOKEN, "GET")[2]
    assert json.loads(text)["error"] == "insecure_request"


@pytest.mark.parametrize("method, arguments, scope", SCOPES)
def test_a_missing_scope_is_named(shared, method, arguments, scope):
    shared.scopes(remove=[scope])
    try:
        answer = shared.form(method, **arguments)
        assert (answer["error"], answer["needed"]) == ("missing_scope", scope)
        assert scope not in answer["provided"].split(",")
        assert "commands" in answer["provided"].split(",")
    finally:
        shared.scopes(add=[scope] if scope != "mpim:write" else [])


def test_the_app_level_token_needs_its_own_scope(slack):
    slack.scopes(remove=["connections:write"], of="app")
    answer = slack.form("apps.connections.open", token=APP_TOKEN)
    assert (answer["error"], answer["needed"]) == ("missing_scope", "connections:write")


def test_history_asks_for_the_scope_of_the_channel(shared):
    direct = shared.json("conversations.open", users="U0DEV")["channel"]["id"]
    shared.scopes(remove=["im:history"])
    try:
        assert shared.json("conversations.history", channel=direct)["needed"] == "im:history"
        assert shared.json("conversations.history", channel="C0GEN")["ok"]
    finally:
        shared.scopes(add=["im:history"])


def test_too_many_calls_are_answered_429_with_retry_after(slack):
    for _ in range(20):
        assert slack.form("usergroups.list")["ok"]
    status, headers, text = slack.send("/api/usergroups.list", b"",
                                       "application/x-www-form-urlencoded", BOT_TOKEN)
    assert status == 429 and json.loads(text) == {"ok": False, "error": "ratelimited"}
    assert 1 <= int(headers["Retry-After"]) <= 3
    assert slack.form("users.info", user="U0DEV")["ok"]  # counted per method
    assert slack.violations() == []


def test_posts_to_one_channel_are_paced(slack):
    answers = [slack.json("chat.postMessage", channel="C0GEN", text="x") for _ in range(12)]
    assert answers[0]["ok"] and answers[-1]["error"] == "ratelimited"
    assert slack.json("chat.postMessage", channel="C0PAY", text="x")["ok"]


@pytest.mark.parametrize("channel, error", [
    ("C0NONE", "channel_not_found"), ("C0PRIV", "channel_not_found"), ("U0GONE", "channel_not_found"),
    ("general", "channel_not_found")])
def test_a_channel_that_cannot_be_posted_to(shared, channel, error):
    assert shared.json("chat.postMessage", channel=channel, text="x")["error"] == error


def test_an_archived_channel_and_one_without_the_bot(slack):
    slack.channel("C0PAY", archived=True)
    assert slack.json("chat.postMessage", channel="C0PAY", text="x")["error"] == "is_archived"
    slack.channel("C0GEN", bot_member=False)
    post(slack, "C0GEN")  # chat:write.public
    slack.scopes(remove=["chat:write.public"])
    assert slack.json("chat.postMessage", channel="C0GEN", text="x")["error"] == "not_in_channel"
    assert slack.json("conversations.history", channel="C0GEN")["error"] == "not_in_channel"


def test_a_message_to_a_person_stands_in_their_direct_messages(shared):
    answer = post(shared, "U0MGR")
    assert answer["channel"].startswith("D")
    assert shared.json("chat.update", channel="U0MGR", ts=answer["ts"],
                       text="y")["error"] == "channel_not_found"
    assert shared.json("chat.update", channel=answer["channel"], ts=answer["ts"], text="y")["ok"]


def test_a_long_text_is_cut_when_posted_and_refused_in_an_update(shared):
    answer = post(shared, text="x" * 40_001)
    assert len(answer["message"]["text"]) == 40_000
    for length, expected in ((4000, None), (4001, "msg_too_long")):
        updated = shared.json("chat.update", channel="C0GEN", ts=answer["ts"], text="x" * length)
        assert updated.get("error") == expected


def test_an_update_without_blocks_takes_them_away_and_keeps_the_metadata(shared):
    blocks = [{"type": "divider"}]
    metadata = {"event_type": "card", "event_payload": {"id": 7}}
    ts = post(shared, blocks=blocks, metadata=metadata)["ts"]
    message = shared.json("chat.update", channel="C0GEN", ts=ts, text="y")["message"]
    assert "blocks" not in message and message["metadata"] == metadata
    message = shared.json("chat.update", channel="C0GEN", ts=ts, text="y", metadata={})["message"]
    assert "metadata" not in message


def test_only_own_lasting_messages_are_updated(shared):
    ephemeral = shared.json("chat.postEphemeral", channel="C0GEN", user="U0DEV", text="x")
    assert shared.json("chat.update", channel="C0GEN", ts=ephemeral["message_ts"],
                       text="y")["error"] == "message_not_found"
    assert shared.json("chat.update", channel="C0GEN", ts="1.000001",
                       text="y")["error"] == "message_not_found"
    assert shared.json("chat.postEphemeral", channel="C0GEN", user="U0GONE",
                       text="x")["error"] == "user_not_in_channel"


@pytest.mark.parametrize("metadata, error", [
    ({"event_type": "a"}, "invalid_metadata_format"), ("a", "invalid_metadata_format"),
    ({"event_type": "", "event_payload": {}}, "invalid_metadata_format"),
    ({"event_type": "a", "event_payload": []}, "invalid_metadata_format"),
    ({"event_type": "a", "event_payload": {"x": None}}, "invalid_metadata_schema"),
    ({"event_type": "a", "event_payload": {"X": 1}}, "invalid_metadata_schema"),
    ({"event_type": "a", "event_payload": {"a-b": 1}}, "invalid_metadata_schema"),
    ({"event_type": "a", "event_payload": {"x": {"y": {"z": 1}}}}, "invalid_metadata_schema"),
    ({"event_type": "a", "event_payload": {"x": [[1]]}}, "invalid_metadata_schema"),
    ({"event_type": "a", "event_payload": {"x": "y" * 9000}}, "metadata_too_large"),
    ({"event_type": "a", "event_payload": {"x_1": "y", "b": True, "o": {"n": 1.5}}}, None),
    ({"event_type": "a", "event_payload": {"list": [{"n": 1}, {"n": 2}]}}, None)])
def test_metadata(shared, metadata, error):
    answer = shared.json("chat.postMessage", channel="C0GEN", text="x", metadata=metadata)
    assert answer.get("error") == error


def test_replies_show_metadata_to_whom_asks_for_it(shared):
    parent = post(shared, "C0OPS")["ts"]
    metadata = {"event_type": "outbox", "event_payload": {"id": 12}}
    post(shared, "C0OPS", text="reply", thread_ts=parent, metadata=metadata)
    plain = shared.form("conversations.replies", channel="C0OPS", ts=parent)
    assert [m["text"] for m in plain["messages"]] == ["x", "reply"]  # the parent first
    assert "metadata" not in plain["messages"][1]
    full = shared.form("conversations.replies", channel="C0OPS", ts=parent, include_all_metadata="true")
    assert full["messages"][1]["metadata"] == metadata
    none = shared.form("conversations.replies", channel="C0OPS", ts="1.000001")
    assert none["error"] == "thread_not_found"
    assert shared.json("chat.postMessage", channel="C0OPS", text="x",
                       thread_ts="yesterday")["error"] == "invalid_thread_ts"
    post(shared, "C0OPS", thread_ts="1.000001")  # Slack does not mind that the parent is gone


def test_pages_are_walked_with_an_opaque_cursor(shared):
    for n in range(5):
        post(shared, "C0PLAT", text=str(n))
    texts, cursor = [], ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        answer = shared.json("conversations.history", channel="C0PLAT", limit=2, **more)
        texts += [m["text"] for m in answer["messages"]]
        cursor = answer["response_metadata"]["next_cursor"]
        assert bool(cursor) == answer["has_more"]
        if not cursor:
            break
        assert not cursor.isdigit() and cursor.endswith("=")
    assert texts == ["4", "3", "2", "1", "0"]  # newest first
    for cursor in ("2", "????", "bmV4dDo="):
        answer = shared.json("conversations.history", channel="C0PLAT", cursor=cursor)
        assert answer["error"] == "invalid_cursor"
    assert shared.json("conversations.history", channel="C0PLAT",
                       limit=1000)["error"] == "invalid_limit"


def test_permalinks_of_a_message_and_of_a_reply(shared):
    parent = post(shared)["ts"]
    reply = post(shared, thread_ts=parent)["ts"]
    link = shared.form("chat.getPermalink", channel="C0GEN", message_ts=parent)["permalink"]
    assert link == f"{shared.url}/archives/C0GEN/p{parent.replace('.', '')}"
    link = shared.form("chat.getPermalink", channel="C0GEN", message_ts=reply)["permalink"]
    assert link.endswith(f"/p{reply.replace('.', '')}?thread_ts={parent}&cid=C0GEN")
    assert shared.form("chat.getPermalink", channel="C0GEN",
                       message_ts="1.000001")["error"] == "message_not_found"


def test_people_carry_every_flag_that_matters_for_authority(slack):
    user = slack.form("users.info", user="U0GUEST")["user"]
    flags = {"deleted", "is_bot", "is_app_user", "is_workflow_bot", "is_connector_bot",
             "is_restricted", "is_ultra_restricted", "is_invited_user", "is_email_confirmed"}
    assert flags <= set(user) and user["is_restricted"] and user["team_id"] == "T0ACME"
    stranger = slack.form("users.info", user="U0STRNGR")["user"]
    assert stranger["is_stranger"] and stranger["team_id"] == "T0OTHER"
    assert "email" not in stranger["profile"]
    assert slack.form("users.info", user="U0GONE")["user"]["deleted"]
    assert slack.form("users.info", user="U0ENVBOT")["user"]["is_bot"]
    slack.person("U0DEV", is_restricted=None)  # every flag can be absent
    assert "is_restricted" not in slack.form("users.info", user="U0DEV")["user"]
    assert slack.form("users.info", user="U0NONE")["error"] == "user_not_found"
    slack.scopes(remove=["users:read.email"])
    assert "email" not in slack.form("users.info", user="U0DEV")["user"]["profile"]


def test_people_are_found_by_mail_unless_they_left(slack):
    found = slack.form("users.lookupByEmail", email="developer@example.com")
    assert found["user"]["id"] == "U0DEV"
    for address in ("nobody@example.com", "deactivated@example.com"):
        assert slack.form("users.lookupByEmail", email=address)["error"] == "users_not_found"


def test_user_groups(slack):
    slack.group("security", add=["U0DEV"])
    groups = {g["handle"]: g for g in slack.form("usergroups.list", include_users="true",
                                                 include_count="true")["usergroups"]}
    assert groups["security"]["users"] == ["U0APPR3", "U0DEV"]
    assert groups["security"]["user_count"] == "2"  # a text
    assert "users" not in slack.form("usergroups.list")["usergroups"][0]
    slack.call("/control/group", {"handle": "security", "disabled": True})
    assert "security" not in str(slack.form("usergroups.list"))
    disabled = slack.form("usergroups.list", include_disabled="true")["usergroups"]
    assert [g["date_delete"] != 0 for g in disabled if g["handle"] == "security"] == [True]
    assert slack.form("usergroups.users.list", usergroup="S0SEC")["users"] == ["U0APPR3", "U0DEV"]
    assert slack.form("usergroups.users.list",
                      usergroup="S0NONE")["error"] == "no_such_subteam"


@pytest.mark.parametrize("users, error", [
    ("", "users_list_not_supplied"), ("U0NONE", "user_not_found"), ("U0GONE", "user_disabled"),
    ("U0ENVBOT", "cannot_dm_bot"), (",".join(["U0DEV"] * 9), "too_many_users")])
def test_a_conversation_that_cannot_be_opened(shared, users, error):
    assert shared.json("conversations.open", users=users)["error"] == error


def test_a_file_is_uploaded_in_three_steps(shared):
    for length in ("0", "-1", "x"):
        assert shared.form("files.getUploadURLExternal", filename="a.csv",
                           length=length)["error"] == "invalid_arguments"
    step = shared.form("files.getUploadURLExternal", filename="a.csv", length="4")
    early = shared.json("files.completeUploadExternal", files=[{"id": step["file_id"]}])
    assert early["error"] == "file_not_found"
    path = step["upload_url"].removeprefix(shared.url)
    assert shared.send(path, b"a,b", "application/octet-stream")[0] == 400  # not what was announced
    assert shared.send(path, b"a,b\n", "application/octet-stream")[0] == 200
    done = shared.json("files.completeUploadExternal", channel_id="C0SEARCH",
                       files=[{"id": step["file_id"], "title": "Report"}])
    assert done["ok"]
    assert shared.messages("C0SEARCH")[-1]["files"][0]["content"] == "a,b\n"


def test_blocks_are_validated_for_anybody(shared):
    bad = [{"type": "section", "text": {"type": "html", "text": "x"}}]
    answer = shared.json("blocks.validate", token=None, blocks=bad)
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == [{
        "code": "failed_constraint", "message": "must be one of plain_text, mrkdwn",
        "pointer": "/0/text/type",
        "constraint": {"type": "enum", "expected": ["plain_text", "mrkdwn"]}}]
    answer = shared.json("blocks.validate", token=None, view={"type": "modal", "blocks": []})
    assert answer["error"] == "invalid_view"
    assert answer["errors"][0]["code"] == "missing_field" and answer["errors"][0]["field"] == "title"
    assert shared.json("blocks.validate", token=None)["error"] == "invalid_arguments"


# -- what a person's doing opens for a moment -------------------------------------------------------
VIEW = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": []}


def trigger_of(slack, user="U0DEV"):
    """A trigger and a response_url, as a command that nobody answers leaves them."""
    slack.type(user, "C0GEN", "x", wait=0.01)
    return slack.last_payload()


def test_a_trigger_opens_one_form_within_three_seconds(slack):
    trigger = trigger_of(slack)["trigger_id"]
    assert re.fullmatch(r"\d+\.\d+\.[0-9a-f]{32}", trigger)
    assert slack.json("views.open", trigger_id="1.2.ab", view=VIEW)["error"] == "invalid_trigger_id"
    assert slack.json("views.open", trigger_id=trigger, view=VIEW)["ok"]
    assert slack.json("views.open", trigger_id=trigger, view=VIEW)["error"] == "exchanged_trigger_id"
    trigger = trigger_of(slack)["trigger_id"]
    slack.age(3.1)
    assert slack.json("views.open", trigger_id=trigger, view=VIEW)["error"] == "expired_trigger_id"


def test_a_form_is_updated_by_whoever_knows_its_state(slack):
    view = slack.json("views.open", trigger_id=trigger_of(slack)["trigger_id"],
                      view={**VIEW, "external_id": "mine"})["view"]
    stale = slack.json("views.update", view_id=view["id"], hash="h.old", view=VIEW)
    assert stale["error"] == "hash_conflict"
    assert slack.json("views.update", view_id="V0NONE", view=VIEW)["error"] == "not_found"
    assert slack.json("views.update", external_id="mine", hash=view["hash"], view=VIEW)["ok"]


def test_a_response_url_is_good_for_five_answers(slack):
    path = trigger_of(slack)["response_url"].removeprefix(slack.url)

    def answer(**body):
        return slack.send(path, json.dumps(body).encode(), "application/json")
    for n in range(5):
        status, _, text = answer(text=f"answer {n}")
        assert (status, text) == (200, "ok")  # no ts
    assert (answer(text="one more")[0], answer(text="one more")[2]) == (404, "used_url")
    assert [m["text"] for m in slack.messages("C0GEN", "U0DEV")] == [f"answer {n}" for n in range(5)]
    assert slack.messages("C0GEN", "U0MGR") == []  # ephemeral by default


def test_a_response_url_is_good_for_thirty_minutes(slack):
    path = trigger_of(slack)["response_url"].removeprefix(slack.url)
    body = json.dumps({"text": "x", "response_type": "in_channel"}).encode()
    slack.age(29 * 60)
    assert slack.send(path, body, "application/json")[0] == 200
    slack.age(61)
    assert slack.send(path, body, "application/json")[::2] == (404, "expired_url")
    assert slack.send("/response/T0/1/x", body, "application/json")[0] == 404


@pytest.mark.parametrize("body, error", [
    ("{", "invalid_payload"), ('{"text":"x","colour":"red"}', "invalid_payload"),
    ('{"text":"x","response_type":"loud"}', "invalid_payload"), ("{}", "no_text"),
    ('{"blocks":[{"type":"section"}]}', "invalid_blocks")])
def test_a_bad_answer_to_a_response_url_is_a_400_with_the_bare_name(slack, body, error):
    path = trigger_of(slack)["response_url"].removeprefix(slack.url)
    assert slack.send(path, body.encode(), "application/json")[::2] == (400, error)
    assert [v["error"] for v in slack.violations()] == [error]


def test_an_answer_is_lost_after_its_effect(slack):
    slack.fault("chat.postMessage", "lose")
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        slack.json("chat.postMessage", channel="C0GEN", text="x")
    assert [m["text"] for m in slack.messages("C0GEN")] == ["x"]


def test_faults_are_for_the_next_calls_of_a_method(slack):
    slack.fault("chat.postMessage", "error", error="channel_not_found", count=2)
    slack.fault("users.info", "status", status=500)
    slack.fault("auth.test", "status", status=429, retry_after=7)
    answers = [slack.json("chat.postMessage", channel="C0GEN", text="x") for _ in range(3)]
    assert [a["ok"] for a in answers] == [False, False, True]
    assert slack.send("/api/users.info", b"user=U0DEV", "application/x-www-form-urlencoded",
                      BOT_TOKEN)[0] == 500
    assert slack.form("users.info", user="U0DEV")["ok"]
    status, headers, _ = slack.send("/api/auth.test", b"{}", "application/json", BOT_TOKEN)
    assert (status, headers["Retry-After"]) == (429, "7")
    assert slack.violations() == []  # what was asked for is nobody's mistake
