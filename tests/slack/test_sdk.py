"""Slack's own SDK (Bolt, in Socket Mode) works against the stand-in unchanged."""

import os
import subprocess

import pytest
from company import ROOT
from stand_in import APP_TOKEN, BOT_TOKEN

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.environ.get("ENVBOT_SDK", os.path.join(ROOT, "build", "sdk", "node_modules"))


@pytest.fixture(scope="module")
def bolt(shared, tmp_path_factory):
    """The workspace, with the SDK's app connected to it."""
    assert os.path.isdir(MODULES), "Slack's SDK is not there: run `make deps-test`"
    log_path = tmp_path_factory.mktemp("sdk") / "app.log"
    with open(log_path, "wb") as log:
        app = subprocess.Popen(
            ["node", os.path.join(HERE, "sdk", "app.js")], stdout=log, stderr=log,
            env={"PATH": os.environ["PATH"], "NODE_PATH": MODULES,
                 "SLACK_API_URL": f"{shared.url}/api/", "SLACK_APP_TOKEN": APP_TOKEN,
                 "SLACK_BOT_TOKEN": BOT_TOKEN})
    try:
        shared.wait_for(lambda: any(c["state"] == "open" for c in shared.connections())
                        and "started" in log_path.read_text(), "the app is connected", 60)
        yield shared
        print(log_path.read_text()[-3000:])
    finally:
        app.kill()
        app.wait()


@pytest.fixture
def app(bolt):
    before = len(bolt.violations())
    yield bolt
    assert bolt.violations()[before:] == []


def open_form(app, user="U0DEV"):
    app.type(user, "C0GEN", "form", wait=20)
    return app.wait_for(lambda: app.views(user), "a form opens", 30)[0]


def said(app, user, text):
    return app.wait_for(lambda: [m for m in app.direct(user) if m["text"] == text],
                         f"{user} is told {text!r}", 30)


def test_a_command_is_acked_with_the_reply(app):
    answer = app.type("U0DEV", "C0GEN", "hello", wait=20)
    assert answer["outcome"] == "acked"
    assert answer["shown"][0]["text"] == "you said hello"
    assert answer["shown"][0]["ephemeral"]


def test_a_response_url_answers_later_and_to_its_person_alone(app):
    app.type("U0DEV", "C0GEN", "later", wait=20)

    def seen(user):
        return [m for m in app.messages("C0GEN", user) if m["text"] == "here it is"]
    app.wait_for(lambda: seen("U0DEV"), "the answer comes", 30)
    assert seen("U0MGR") == []


def test_a_button_updates_its_message(app):
    app.type("U0DEV", "C0PAY", "post", wait=20)
    card = app.wait_for(lambda: app.messages("C0PAY"), "the card is posted", 30)[0]
    assert card["metadata"] == {"event_type": "card", "event_payload": {"id": 7}}
    assert app.click("U0APPR", "C0PAY", card["ts"], "approve", wait=20)["outcome"] == "acked"
    app.wait_for(lambda: app.messages("C0PAY")[0]["text"] == "approved 7", "it is updated", 30)
    assert "approved by <@U0APPR>" in str(app.messages("C0PAY")[0]["blocks"])
    app.wait_for(lambda: [m for m in app.messages("C0PAY", "U0APPR")
                           if m["text"] == "thank you"], "the click is answered", 30)


def test_a_form_keeps_open_with_errors_and_closes_when_it_is_right(app):
    form = open_form(app)
    answer = app.submit("U0DEV", form["view_id"], {"reason": {"reason": "no"}}, wait=20)
    assert answer["errors"] == {"reason": "Say more."}
    assert app.views("U0DEV")[0]["errors"] == {"reason": "Say more."}
    answer = app.submit("U0DEV", form["view_id"], {"reason": {"reason": "because"}}, wait=20)
    assert answer["outcome"] == "acked"
    assert app.views("U0DEV") == []
    said(app, "U0DEV", "because (kept)")


def test_a_form_can_answer_with_another(app):
    form = open_form(app, "U0DEV2")
    app.submit("U0DEV2", form["view_id"], {"reason": {"reason": "again"}}, wait=20)
    assert app.views("U0DEV2")[0]["view"]["title"]["text"] == "Once more"
    app.submit("U0DEV2", form["view_id"], {"reason": {"reason": "so"}}, wait=20)
    said(app, "U0DEV2", "so (kept)")


def test_closing_a_form_is_told_to_the_app(app):
    form = open_form(app, "U0MGR")
    app.close("U0MGR", form["view_id"])
    assert app.views("U0MGR") == []
    said(app, "U0MGR", "as you like")


def test_an_event_and_the_methods_that_take_forms(app):
    app.event({"type": "app_mention", "user": "U0DEV", "channel": "C0SEARCH", "text": "hi",
                "ts": "1.000001", "event_ts": "1.000001"}, wait=20)
    upload = app.wait_for(lambda: [m for m in app.messages("C0SEARCH") if m.get("files")],
                           "the file is shared", 30)[0]
    assert upload["text"] == "2 messages at archives"
    assert upload["files"][0]["content"] == "team,hours\npayments,3\n"
    assert app.messages("C0SEARCH")[0]["text"].startswith("developer of ")


def test_a_refresh_does_not_lose_a_command(app):
    first = {c["number"] for c in app.connections()}
    app.connect("refresh", which="all", grace=1)
    app.wait_for(lambda: {c["number"] for c in app.connections() if c["state"] == "open"} - first,
                  "a new connection", 60)
    app.wait_for(lambda: not {c["number"] for c in app.connections()} & first,
                  "the old one is gone", 60)
    assert app.type("U0DEV", "C0GEN", "again", wait=20)["outcome"] == "acked"


def test_what_is_wrong_with_blocks_reaches_the_program(bolt):
    before = len(bolt.violations())
    bolt.type("U0BYST", "C0OPS", "bad", wait=20)
    told = bolt.wait_for(lambda: bolt.messages("C0OPS", "U0BYST"), "the app tells of it", 30)[0]
    assert told["text"] == ("invalid_blocks: [ERROR] must be more than 0 characters "
                            "[json-pointer:/blocks/0/text/text]")
    assert [v["error"] for v in bolt.violations()[before:]] == ["invalid_blocks"]
