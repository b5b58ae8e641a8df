"""The page, driven in a browser: the whole story, and who sees what."""

import re

import pytest
from browser import TinyBot
from selenium.webdriver.common.keys import Keys


def test_a_newcomer_plays_the_whole_story(company, page):
    c = company()
    c.serve()
    p = page(c.slack.url, "U0DEV")
    p.run("window.neverLoadedAgain = true")

    # The developer asks.
    p.go("C0GEN")
    p.type('/env create small demo --reason "to try <b>ingress</b> & more"')
    p.see("#messages .ephemeral", "Only visible to you")
    p.see("#messages .ephemeral", "payments/demo")

    # The approver decides; the card changes under their eyes.
    p.become("U0APPR")
    p.go("C0PLAT")
    p.see("#messages .message", "@developer asks for payments/demo")
    p.see("#messages blockquote", "to try <b>ingress</b> & more")
    p.click("#messages [data-action=approve]")
    p.gone("#messages [data-action]")
    p.see("#messages .message", "by @approver")
    p.see("#messages .ephemeral", "approved demo")

    # Everybody watches it come up, in one message.
    p.go("C0PAY")
    p.see("#messages .message", "payments/demo is ready")
    assert len(p.all("#messages .message")) == 1
    p.click("#messages [data-replies]")
    p.see("#thread-messages .message", "@approver approved it")
    ready = p.see("#thread-messages .message", "your cluster is ready")
    assert "aws eks update-kubeconfig" in ready.text
    assert p.see("#thread .reply-count").text == p.see("[data-replies] b").text == "3 replies"
    p.click("#thread-close")
    p.gone("#thread")

    # The developer reads the mail.
    p.become("U0DEV")
    p.see('#sidebar [data-place=inbox][data-unread="1"] .count', "1")
    p.click("#sidebar [data-place=inbox]")
    p.see(".mail-subject", "Your cluster payments/demo is ready")
    p.see('#sidebar [data-place=inbox][data-unread="0"]')
    p.driver.switch_to.frame(p.see("iframe.letter"))
    assert "payments-demo" in p.text("body")
    p.driver.switch_to.default_content()
    p.click("[data-tab=text]")
    p.see(".letter-text", "aws eks update-kubeconfig")

    # More time: a mistake is said at its field, then it is given.
    p.go("C0PAY")
    p.click("#messages [data-action=extend]")
    p.see("#modal[data-view=extend] .modal-body", "payments/demo ends")
    p.fill("time", "40 apples")
    p.click("#modal-submit")
    p.see("#modal [data-block=time] .field-error", "40 apples")
    p.fill("time", "2h")
    p.click("#modal-submit")
    p.gone("#modal")
    p.see("#messages .ephemeral", "2 h more")

    # Given back, after a question.
    p.click("#messages [data-action=delete]")
    p.see("#confirm", "The cluster and everything in it will be gone.")
    p.click("#confirm-no")
    p.gone("#confirm")
    assert c.environment_row("demo")["state"] == "ready"
    p.click("#messages [data-action=delete]")
    p.click("#confirm-yes")
    p.see("#messages .message", "payments/demo is gone", seconds=60)
    c.settle()

    # The manager reads what it cost. It ran for seconds; let it have been five hours.
    c.database.query("UPDATE environments SET started_at = now() - interval '5 hours'")
    p.become("U0MGR")
    p.go("C0GEN")
    p.type("/env report")
    p.see("#messages .table td", "payments")
    chart = p.see("#messages .chart[data-chart=bar] svg").get_attribute("aria-label")
    assert re.search(r"bar chart: payments, Cost [1-9]", chart)
    p.type("/env report --csv")
    direct = p.see("#sidebar [data-channel^=D] .count")
    assert direct.text == "1"
    p.click("#sidebar [data-channel^=D]")
    p.click("#messages [data-file]")
    p.see("#viewer th", "estimated_usd")
    p.click("#viewer-close")
    p.gone("#viewer")
    assert p.run("return window.neverLoadedAgain")


def test_each_person_sees_what_concerns_them(slack, page):
    mine = slack.json("chat.postEphemeral", channel="C0GEN", user="U0DEV", text="for the developer")
    assert mine["ok"]
    slack.json("chat.postMessage", channel="U0DEV", text="between us")
    slack.json("chat.postMessage", channel="C0GEN", text="<@U0APPR> and <!subteam^S0PLAT>, look")
    slack.channel("C0SEARCH", members=["U0MGR"])
    p = page(slack.url, "U0DEV")
    p.go("C0GEN")
    p.see("#messages .ephemeral", "for the developer")
    assert p.all("#messages .mention-me") == []
    p.click("#sidebar [data-channel^=D]")
    p.see("#messages .message", "between us")
    assert p.all("[data-channel=C0SEARCH]") == []

    p.become("U0APPR")
    p.see("#intro", "between you and envbot")
    assert p.all("#messages .message") == []
    p.see("[data-channel=C0GEN] .count", "1")
    p.go("C0GEN")
    assert [m.text for m in p.all("#messages .mention-me")] == ["@approver", "@platform-approvers"]
    assert "for the developer" not in p.text("#messages")

    p.become("U0MGR")
    p.see("[data-channel=C0SEARCH]")
    p.become("U0STRNGR")
    p.see("#people [data-person=U0STRNGR]", "another workspace")
    assert p.all("#sidebar [data-channel^=C]") == []
    p.click("#people-more")
    assert not p.see("#people [data-person=U0GONE]").is_enabled()


def test_switching_people_keeps_the_place(slack, page):
    root = slack.json("chat.postMessage", channel="C0PAY", text="the root")["ts"]
    slack.json("chat.postMessage", channel="C0PAY", text="the reply", thread_ts=root)
    p = page(slack.url, "U0DEV")
    p.go("C0PAY")
    p.click(f"[data-replies='{root}']")
    p.type("half a thought", "#thread-box")
    p.see("#thread-messages .message", "half a thought")
    p.become("U0APPR")
    p.see("#thread-messages .message", "the reply")
    p.see("body[data-place=C0PAY]")
    p.driver.refresh()
    p.see("body[data-me=U0APPR][data-place=C0PAY]")
    p.see("#thread-messages .message", "the reply")


def test_an_address_of_a_message_opens_it(slack, page):
    root = slack.json("chat.postMessage", channel="C0PAY", text="the root")["ts"]
    slack.json("chat.postMessage", channel="C0PAY", text="the reply", thread_ts=root)
    link = slack.form("chat.getPermalink", channel="C0PAY", message_ts=root)["permalink"]
    slack.json("chat.postMessage", channel="C0GEN", text=f"<{link}|How it goes>")
    p = page(slack.url, "U0DEV")
    p.go("C0GEN")
    p.click("#messages a", "How it goes")
    p.see("#thread-messages .message", "the reply")
    p.driver.get("about:blank")
    p.driver.get(link)
    p.see("body[data-place=C0PAY]")
    p.see("#thread-messages .message", "the reply")


def test_the_message_box_helps_and_remembers(slack, page):
    p = page(slack.url, "U0DEV")
    p.go("C0GEN")
    p.type("good morning <all> & everybody")
    p.see("#messages [data-user=U0DEV]", "good morning <all> & everybody")
    p.see("#box").send_keys("/")
    p.see(".hint", "/env")
    p.click(".hint [data-try=help]")
    assert p.see("#box").get_property("value") == "/env help"
    p.see("#box").send_keys(Keys.CONTROL, "a")
    p.see("#box").send_keys(Keys.BACKSPACE)
    p.gone(".hint")
    p.type("/enx help")
    p.see("#messages .notice", "/enx is not a valid command")
    p.see("#box").send_keys(Keys.ARROW_UP)
    assert p.see("#box").get_property("value") == "/enx help"
    p.see("#box").send_keys(Keys.ARROW_UP)
    assert p.see("#box").get_property("value") == "good morning <all> & everybody"
    p.see("#box").send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert p.see("#box").get_property("value") == ""
    # Who has scrolled up and sends something sees what comes of it.
    for _ in range(12):
        p.type("/enx again")
    p.until(lambda: len(p.all("#messages .notice")) == 13, "all are answered")
    p.run("document.getElementById('scroll').scrollTop = 0")
    p.type("here I am")
    p.see("#messages [data-user=U0DEV]", "here I am")
    p.until(lambda: p.run("const s = document.getElementById('scroll');"
                          "return s.scrollHeight - s.scrollTop - s.clientHeight < 5"),
            "the newest message is in view")
    p.become("U0APPR")
    p.see("#messages [data-user=U0DEV]", "good morning")
    assert p.all("#messages .notice") == []
    assert slack.envelopes()["envelopes"] == []  # the app heard nothing of all this


def test_what_is_sent_on_a_slow_line_arrives_in_order(slack, page):
    p = page(slack.url, "U0DEV")
    p.go("C0GEN")
    p.run("const quick = window.fetch; window.fetch = (...given) =>"
          " new Promise((done) => setTimeout(done, 1000)).then(() => quick(...given));")
    for word in ("one", "two", "three"):
        p.type(word)
    p.see("#messages .message", "three")
    said = [m["text"] for m in slack.messages("C0GEN") if m.get("user") == "U0DEV"]
    assert said == ["one", "two", "three"]


def test_a_command_in_a_thread_is_refused_as_slack_does(slack, page):
    root = slack.json("chat.postMessage", channel="C0PAY", text="the root")["ts"]
    slack.json("chat.postMessage", channel="C0PAY", text="the reply", thread_ts=root)
    p = page(slack.url, "U0DEV")
    p.go("C0PAY")
    p.click(f"[data-replies='{root}']")
    p.type("/env help", "#thread-box")
    p.see("#thread-messages .notice", "/env is not supported in threads. Sorry!")
    p.type("thank you", "#thread-box")
    p.see("#thread-messages [data-user=U0DEV]", "thank you")
    p.see("[data-replies] b", "2 replies")


def test_what_slack_says_when_nobody_answers(slack, page):
    ts = slack.json("chat.postMessage", channel="C0GEN", text="asks", blocks=[
        {"type": "actions", "elements": [
            {"type": "button", "action_id": "yes", "text": {"type": "plain_text", "text": "Yes"}}]},
    ])["ts"]
    p = page(slack.url, "U0DEV")
    p.go("C0GEN")
    p.type("/env list")
    p.see("#messages .notice", '/env failed with the error "dispatch_failed"')

    bot = TinyBot(slack, lambda envelope, call: None)
    try:
        p.type("/env list")
        p.see("#composer .sending")
        p.see("#messages .notice", '/env failed with the error "operation_timeout"')
        p.gone("#composer .sending")
        p.click(f"[data-ts='{ts}'] [data-action=yes]")
        p.see("[data-action=yes].waiting")
        assert not p.see("[data-action=yes]").is_enabled()
        p.see("[data-action=yes].failed")
        assert p.see("[data-action=yes]").is_enabled()
    finally:
        bot.stop()


@pytest.mark.parametrize("width", [900, 480])
def test_a_narrow_window_loses_nothing(slack, page, width):
    root = slack.json("chat.postMessage", channel="C0PAY", text="the root")["ts"]
    slack.json("chat.postMessage", channel="C0PAY", text="the reply", thread_ts=root)
    p = page(slack.url, "U0DEV")
    p.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 700, "deviceScaleFactor": 1, "mobile": False})
    try:
        if width < 860:
            p.click("#menu")
        p.go("C0PAY")
        p.click(f"[data-replies='{root}']")
        p.see("#thread-messages .message", "the reply")
        p.click("#thread-close")
        p.become("U0MGR")
        p.type("hello")
        p.see("#messages [data-user=U0MGR]", "hello")
        assert p.run("return document.documentElement.scrollWidth") <= width
    finally:
        p.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_end_stays_in_view_when_the_window_becomes_narrow(slack, page):
    slack.json("chat.postMessage", channel="C0PAY", text="many words " * 300 + "and the end")
    p = page(slack.url, "U0DEV")
    p.go("C0PAY")
    p.see("#messages .message", "and the end")
    below = """const s = document.getElementById("scroll");
               return s.scrollHeight - s.scrollTop - s.clientHeight"""
    p.until(lambda: p.run(below) < 5, "the last message is in view")
    p.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": 480, "height": 500, "deviceScaleFactor": 1, "mobile": False})
    try:
        p.until(lambda: p.run("return innerWidth") == 480, "the window is narrow")
        p.until(lambda: p.run(below) < 5, "the last message is still in view")
        p.run('document.getElementById("scroll").scrollTop = 0')
        p.until(lambda: p.run("return document.getElementById('scroll').scrollTop") == 0, "the start")
        p.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": 700, "height": 600, "deviceScaleFactor": 1, "mobile": False})
        p.until(lambda: p.run("return innerWidth") == 700, "the window is wider")
        assert p.run("return document.getElementById('scroll').scrollTop") < 80  # who reads above stays
    finally:
        p.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
