"""What messages, forms and files look like on the page, and that nothing in them ever runs."""

import csv
import io

from browser import TinyBot

# Everything that would run, or break out of where it stands, if the page made HTML of it.
HOSTILE = ('<img src=x onerror="window.hacked=1">', "</script><script>window.hacked=1</script>",
           '"><svg onload="window.hacked=1">', "'; window.hacked=1; //", "${window.hacked=1}",
           "<javascript:window.hacked=1|click>", "<a href='javascript:window.hacked=1'>x</a>",
           "__proto__", "constructor", "&lt;b&gt;bold&lt;/b&gt; &amp;amp;", "\u202etxet\u0000")


def text(words, kind="plain_text"):
    return {"type": kind, "text": words}


def button(action_id, words="Press", **more):
    return {"type": "button", "action_id": action_id, "text": text(words), **more}


def hostile_blocks(words):
    """Each kind of block, with the words in every place that takes words."""
    rich = {"type": "rich_text", "elements": [
        {"type": "rich_text_section", "elements": [
            {"type": "text", "text": words}, {"type": "link", "url": "javascript:window.hacked=1",
                                              "text": words},
            {"type": "link", "url": "https://example.com/" + words, "text": words},
            {"type": "emoji", "name": words}]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": words}]}]}
    cell, short = {"type": "raw_text", "text": words}, words[:20]
    return [
        {"type": "header", "text": text(words)},
        {"type": "section", "text": text(words, "mrkdwn"),
         "fields": [text(words, "mrkdwn"), text(words)],
         "accessory": button("a", words[:75], url="https://example.com/" + words, value=words)},
        {"type": "context", "elements": [text(words, "mrkdwn"), text(words)]},
        {"type": "image", "image_url": "https://example.invalid/" + words, "alt_text": words,
         "title": text(words)},
        {"type": "image", "image_url": "javascript:window.hacked=1", "alt_text": words},
        {"type": "actions", "elements": [button("b", words[:75])]}, rich,
        {"type": "plan", "title": words, "tasks": [
            {"type": "task_card", "task_id": words, "title": words, "status": "error",
             "details": rich, "sources": [{"type": "url", "text": words,
                                           "url": "javascript:window.hacked=1"}]}]},
        {"type": "table", "rows": [[cell, cell], [cell, rich]]},
        {"type": "data_visualization", "title": words[:50], "chart": {
            "type": "bar", "series": [{"name": short, "data": [{"label": short, "value": 1}]}],
            "axis_config": {"categories": [short], "y_label": short}}},
    ]


RUNNING = ("script:not([src]), iframe, object, embed, [onerror], [onload], "
           "[href^='javascript:'], [src^='javascript:']")


def test_hostile_words_are_shown_as_words(slack, page):
    places = dict(zip(HOSTILE, ["C0GEN", "C0PAY"] * len(HOSTILE)))
    for words, channel in places.items():
        posted = slack.json("chat.postMessage", channel=channel, text=words,
                            blocks=hostile_blocks(words))
        assert posted["ok"], posted
        slack.call("/control/say", {"user": "U0APPR", "channel": channel, "text": words})
    p = page(slack.url, "U0DEV")
    for channel in ("C0GEN", "C0PAY"):
        p.go(channel)
        said = [words.strip() for words, where in places.items() if where == channel]
        p.until(lambda: [e.get_property("textContent") for e in
                         p.all("#messages [data-user=U0APPR] .text")] == said, f"{said} are said")
        drawn = p.all("#messages [data-user=U0ENVBOT] h3.header")
        assert [e.get_property("textContent").strip() for e in drawn] == said
        assert p.all(RUNNING) == []
    slack.call("/control/say", {"user": "U0DEV2", "channel": "C0OPS", "text": "hello"})
    p.go("C0OPS")
    for words in HOSTILE:  # as the name of a person, and of a channel
        slack.person("U0DEV2", name=words, real_name=words)
        slack.channel("C0OPS", name=words)
        for css in ("#messages .name", "#channel-head h1", "[data-channel=C0OPS] .row-name"):
            p.until(lambda: p.see(css).get_property("textContent") == words, f"{css} is {words}")
    assert p.all(RUNNING) == []
    assert p.run("return window.hacked") is None


def test_a_hostile_file_and_a_hostile_form_are_shown_as_words(slack, page):
    words = '<img src=x onerror="window.hacked=1">'
    sheet = io.StringIO()
    csv.writer(sheet).writerows([["name", f'quoted "{words}"'], [words, "two\nlines, and more"]])
    content = sheet.getvalue()
    up = slack.form("files.getUploadURLExternal", filename=f"{words}.csv",
                    length=str(len(content)))
    slack.send(up["upload_url"].replace(slack.url, ""), content.encode(), "text/csv")
    slack.json("files.completeUploadExternal", channel_id="C0GEN",
               files=[{"id": up["file_id"], "title": words}])
    form = {"type": "modal", "title": text(words[:24]), "submit": text("Go"), "close": text("No"),
            "callback_id": "hostile", "blocks": [
                {"type": "section", "text": text(words, "mrkdwn")},
                {"type": "input", "block_id": "field", "label": text(words), "hint": text(words),
                 "element": {"type": "plain_text_input", "action_id": "a", "initial_value": words,
                             "placeholder": text(words)}}]}

    def answer(envelope, call):
        if envelope["type"] == "slash_commands":
            call("views.open", trigger_id=envelope["payload"]["trigger_id"], view=form)
            return {}
        return {"response_action": "errors", "errors": {"field": words}}

    bot = TinyBot(slack, answer)
    try:
        p = page(slack.url, "U0DEV")
        p.go("C0GEN")
        p.click("#messages [data-file]")
        p.see("#viewer td", words)
        assert p.see("#viewer th:nth-child(2)").text == f'quoted "{words}"'
        p.click("#viewer-close")
        p.type("/env form")
        p.click("#modal-submit")
        p.see("#modal [data-block=field] .field-error", words)
        assert p.run("return window.hacked") is None
        assert p.run("return document.querySelectorAll('main img, dialog img').length") == 0
    finally:
        bot.stop()


# mrkdwn and what a reader of Slack sees, as HTML; classes and addresses are left out.
MRKDWN = [
    ("*bold* _italic_ ~gone~ `code`", "<b>bold</b> <i>italic</i> <s>gone</s> <code>code</code>"),
    ("*_both_* and *a `*` b*", "<b><i>both</i></b> and <b>a <code>*</code> b</b>"),
    ("2*3*4 and snake_case_name and a ~ b ~ c", "2*3*4 and snake_case_name and a ~ b ~ c"),
    ("* not bold * and *open", "* not bold * and *open"),
    ("*payments/demo*: done, *x*.", "<b>payments/demo</b>: done, <b>x</b>."),
    ("a &lt;b&gt; &amp;amp; c", "a &lt;b&gt; &amp;amp; c"),
    ("one\ntwo", "one<br>two"),
    ("&gt; said\n&gt; so\nafter", "<blockquote>said<br>so</blockquote>after"),
    ("> said", "<blockquote>said</blockquote>"),
    (">>> all\nof it", "<blockquote>all<br>of it</blockquote>"),
    ("use:\n```a *b*\n&lt;c&gt;```\nthen", "use:<br><pre>a *b*\n&lt;c&gt;</pre>then"),
    ("`a &amp; <https://example.com|b>`", "<code>a &amp; <a>b</a></code>"),
    ("<https://example.com/?a=1&amp;b=2|the *page*>", "<a>the *page*</a>"),
    ("see https://example.com/x. And", "see <a>https://example.com/x</a>. And"),
    ("<mailto:a@example.com|a@example.com>", "<a>a@example.com</a>"),
    ("<@U0DEV> in <#C0PAY> for <!subteam^S0PLAT> <!here>",
     "@developer in <a>#team-payments</a> for @platform-approvers @here"),
    ("<@U0NOBODY> <#C0NONE|secret>", "@U0NOBODY <a>#secret</a>"),
    ("<!date^1392734382^{date_num} {time_secs}|then>", "<time>2014-02-18 3:39:42 PM</time>"),
    ("<!date^1392734382^{date_short} at {time}|then>", "<time>Feb 18, 2014 at 3:39 PM</time>"),
    ("<!date^1392734382^{date_long}|then>", "<time>Tuesday, February 18th, 2014</time>"),
    ("<!date^1392734382^{nonsense}|then>", "<time>then</time>"),
    (":white_check_mark: :no_such_thing: 10:30:45", "✅ :no_such_thing: 10:30:45"),
    ("<javascript:alert(1)|x> <img src=x>", "&lt;javascript:alert(1)|x&gt; &lt;img src=x&gt;"),
    ("", ""),
]

RENDER = """
const [text, done] = arguments;
Promise.all([import('/page/mrkdwn.js'), import('/page/store.js')]).then(([m, s]) => {
  const box = document.createElement('div');
  box.append(m.mrkdwn(text, s.world(() => false)));
  for (const span of box.querySelectorAll('span')) span.replaceWith(...span.childNodes);
  for (const node of box.querySelectorAll('*'))
    for (const name of node.getAttributeNames()) node.removeAttribute(name);
  done(box.innerHTML);
}, (error) => done(String(error)));
"""


def test_mrkdwn_reads_as_in_slack(slack, page):
    """The page's own modules are loaded a second time, with the same state."""
    p = page(slack.url, "U0DEV")
    read = {words: p.driver.execute_async_script(RENDER, words) for words, _ in MRKDWN}
    assert read == dict(MRKDWN)


def blocks_of_every_kind():
    points = [{"label": "Mon", "value": 3}, {"label": "Tue", "value": -1.5}]
    axes = {"categories": ["Mon", "Tue"], "x_label": "Day", "y_label": "USD"}
    series = [{"name": "payments", "data": points}, {"name": "search", "data": points}]
    number = {"type": "raw_number", "value": 1234.5, "text": "1,234.50"}
    return [
        [{"type": "header", "text": text("A header")}, {"type": "divider"},
         {"type": "section", "text": text("*text*", "mrkdwn"), "accessory": button("side")},
         {"type": "section", "fields": [text("*a*\n1", "mrkdwn"), text("*b*\n2", "mrkdwn")]},
         {"type": "context", "elements": [text("small", "mrkdwn")]},
         {"type": "rich_text", "elements": [
             {"type": "rich_text_section", "elements": [
                 {"type": "text", "text": "strong", "style": {"bold": True}},
                 {"type": "user", "user_id": "U0APPR"}, {"type": "emoji", "name": "tada"}]},
             {"type": "rich_text_list", "style": "ordered", "elements": [
                 {"type": "rich_text_section", "elements": [{"type": "text", "text": "first"}]}]},
             {"type": "rich_text_quote", "elements": [{"type": "text", "text": "quoted"}]}]}],
        [{"type": "plan", "title": "Creating it", "tasks": [
            {"type": "task_card", "task_id": s, "title": f"Task {s}", "status": s}
            for s in ("complete", "in_progress", "pending", "error")]}],
        [{"type": "table", "column_settings": [{"align": "left"}, {"align": "right"}],
          "rows": [[{"type": "raw_text", "text": t} for t in row]
                   for row in (("Team", "Cost"), ("payments", "$1.00"))]}],
        [{"type": "data_table", "caption": "Clusters", "page_size": 2,
          "rows": [[{"type": "raw_text", "text": "Name"}, {"type": "raw_text", "text": "Cost"}]]
          + [[{"type": "raw_text", "text": f"row {i}"}, number] for i in range(3)]}],
        [{"type": "data_visualization", "title": kind, "chart": {
            "type": kind, "series": series, "axis_config": axes}} for kind in ("bar", "line")],
        [{"type": "data_visualization", "title": "area", "chart": {
            "type": "area", "series": series, "axis_config": axes}},
         {"type": "data_visualization", "title": "pie", "chart": {"type": "pie", "segments": [
             {"label": "payments", "value": 3}, {"label": "search", "value": 1}]}}],
    ]


def test_every_kind_of_block_is_drawn(slack, page):
    for blocks in blocks_of_every_kind():
        answer = slack.json("chat.postMessage", channel="C0GEN", text="blocks", blocks=blocks)
        assert answer["ok"], answer
    p = page(slack.url, "U0DEV")
    p.go("C0GEN")
    for css, words in [
            ("h3.header", "A header"), ("hr.divider", ""), (".section b", "text"),
            (".accessory [data-action=side]", "Press"), (".field:nth-child(2)", "b"),
            (".context", "small"), (".rich-text b", "strong"), (".rich-text .mention", "@approver"),
            (".rich-text ol li", "first"), (".rich-text blockquote", "quoted"),
            (".plan summary", "Creating it"), (".plan summary", "1 of 4"),
            ("[data-task=complete][data-status=complete]", "Task complete"),
            ("[data-task=error][data-status=error]", "Task error"),
            (".table thead th:nth-child(2).align-right", "Cost"), (".table td", "payments"),
            (".data-table .table-caption", "Clusters"), (".data-table tbody th", "row 1"),
            (".chart[data-chart=bar] .legend", "search"), (".chart[data-chart=line] polyline", ""),
            (".chart[data-chart=area] polygon", ""), (".chart[data-chart=pie] path", "")]:
        p.see(f"#messages {css}", words)
    assert len(p.all(".chart[data-chart=bar] rect.chart-bar")) == 4
    assert p.all("#messages .unknown") == []
    p.click(".data-table button", "Next")
    p.see(".data-table tbody th", "row 2")
    p.see(".data-table .table-pages", "Page 2 of 2")


def test_a_message_changes_in_place_and_a_folded_plan_stays_folded(slack, page):
    def plan(status):
        return [{"type": "plan", "title": "Creating it", "tasks": [
            {"type": "task_card", "task_id": "one", "title": "The only task", "status": status}]}]
    ts = slack.json("chat.postMessage", channel="C0GEN", text="it begins",
                    blocks=plan("in_progress"))["ts"]
    p = page(slack.url, "U0DEV")
    p.go("C0GEN")
    p.see("[data-task=one][data-status=in_progress]")
    p.see("#box").send_keys("half a sentence")
    slack.json("chat.update", channel="C0GEN", ts=ts, text="done", blocks=plan("complete"))
    p.see("[data-task=one][data-status=complete]")
    p.click(".plan summary")
    p.see(".plan:not([open])")
    slack.json("chat.update", channel="C0GEN", ts=ts, text="broken", blocks=plan("error"))
    p.until(lambda: p.all("[data-task=one][data-status=error]"), "the folded plan is redrawn")
    p.see(".plan:not([open])")
    assert p.see("#box").get_property("value") == "half a sentence"
    slack.json("chat.delete", channel="C0GEN", ts=ts)
    p.gone(f"[data-ts='{ts}']")


OPTIONS = [{"text": text(w), "value": w.lower()} for w in ("Red", "Green", "Blue")]
INPUTS = {
    "words": {"type": "plain_text_input", "initial_value": "as it was"},
    "long": {"type": "plain_text_input", "multiline": True, "max_length": 20},
    "count": {"type": "number_input", "is_decimal_allowed": False, "initial_value": "3"},
    "one": {"type": "static_select", "options": OPTIONS, "initial_option": OPTIONS[1]},
    "radio": {"type": "radio_buttons", "options": OPTIONS},
    "some": {"type": "checkboxes", "options": OPTIONS, "initial_options": OPTIONS[:1]},
    "day": {"type": "datepicker", "initial_date": "2026-12-01"},
    "who": {"type": "users_select", "initial_user": "U0APPR"},
}


def test_a_form_with_every_kind_of_input(slack, page):
    form = {"type": "modal", "callback_id": "all", "title": text("All of it"), "submit": text("Go"),
            "close": text("Cancel"), "blocks": [
                {"type": "input", "block_id": name, "label": text(f"The {name}"),
                 "optional": name == "day", "dispatch_action": name == "one",
                 "element": {**element, "action_id": f"a_{name}"}}
                for name, element in INPUTS.items()]}
    answers = [{"response_action": "errors", "errors": {"count": "Too many."}}, {}]

    def answer(envelope, call):
        payload = envelope["payload"]
        if envelope["type"] == "slash_commands":
            call("views.open", trigger_id=payload["trigger_id"], view=form)
            return {}
        return answers.pop(0) if payload["type"] == "view_submission" else {}

    bot = TinyBot(slack, answer)
    try:
        p = page(slack.url, "U0DEV")
        p.go("C0GEN")
        p.type("/env form")
        p.see("#modal[data-view=all]", "All of it")
        p.click("#modal-submit")  # what is required and empty is refused before the app hears of it
        p.see("#modal [data-block=long] .field-error", "Please complete this required field.")
        p.see("#modal [data-block=radio] .field-error", "Please complete")
        p.fill("long", "more than twenty letters")
        p.click("#modal [data-block=radio] input[value=blue]")
        p.click("#modal [data-block=some] input[value=green]")
        p.click("#modal [data-block=one] option[value=red]")
        p.click("#modal-submit")
        p.see("#modal [data-block=long] .field-error", "at most 20")
        p.fill("long", "few letters")
        p.click("#modal-submit")
        p.see("#modal [data-block=count] .field-error", "Too many.")
        assert p.all("#modal [data-block=long].wrong") == []
        p.fill("count", "2")
        p.click("#modal-submit")
        p.gone("#modal")
    finally:
        bot.stop()
    assert [p.get("type") for p in bot.payloads[1:]] == [
        "block_actions", "view_submission", "view_submission"], bot.payloads
    dispatched, refused, taken = bot.payloads[1:]
    assert dispatched["actions"][0]["selected_option"]["value"] == "red"
    assert dispatched["view"]["state"]["values"]["radio"]["a_radio"]["selected_option"]["value"] == "blue"
    values = {name: {k: v for k, v in field[f"a_{name}"].items() if k != "type"}
              for name, field in taken["view"]["state"]["values"].items()}
    assert refused["view"]["state"]["values"]["count"]["a_count"]["value"] == "3"
    assert values == {
        "words": {"value": "as it was"}, "long": {"value": "few letters"}, "count": {"value": "2"},
        "one": {"selected_option": OPTIONS[0]}, "radio": {"selected_option": OPTIONS[2]},
        "some": {"selected_options": OPTIONS[:2]}, "day": {"selected_date": "2026-12-01"},
        "who": {"selected_user": "U0APPR"}}


def test_a_form_that_is_closed_is_gone(slack, page):
    form = {"type": "modal", "callback_id": "x", "title": text("A form"), "close": text("Cancel"),
            "notify_on_close": True, "blocks": [{"type": "section", "text": text("words")}]}

    def answer(envelope, call):
        if envelope["type"] == "slash_commands":
            call("views.open", trigger_id=envelope["payload"]["trigger_id"], view=form)
        return {}

    bot = TinyBot(slack, answer)
    try:
        p = page(slack.url, "U0DEV")
        p.go("C0GEN")
        p.type("/env form")
        p.see("#modal", "A form")
        assert p.all("#modal-submit") == []
        p.driver.refresh()  # a form belongs to the person, not to the window
        p.see("#modal", "A form")
        p.click("#modal-close")
        p.gone("#modal")
        assert slack.views("U0DEV") == []
        p.until(lambda: bot.payloads[-1].get("type") == "view_closed", "the app is told")
    finally:
        bot.stop()


def test_a_choice_in_a_message_reaches_the_app(slack, page):
    slack.json("chat.postMessage", channel="C0GEN", text="choose", blocks=[
        {"type": "section", "text": text("Choose"), "accessory": {
            "type": "static_select", "action_id": "colour", "options": OPTIONS,
            "placeholder": text("Colour")}}])
    bot = TinyBot(slack, lambda envelope, call: {})
    try:
        p = page(slack.url, "U0DEV")
        p.go("C0GEN")
        p.click("#messages [data-action=colour] option[value=green]")
        p.until(lambda: bot.payloads, "the app hears of it")
        assert bot.payloads[0]["actions"][0]["selected_option"] == OPTIONS[1]
    finally:
        bot.stop()
