"""Block Kit's limits: each is met at the limit, and refused one beyond it with where it is."""

import pytest

PLAIN, MRKDWN = "plain_text", "mrkdwn"


def text(length=1, kind=PLAIN):
    return {"type": kind, "text": "x" * length}


def section(**more):
    return {"type": "section", "text": text(1, MRKDWN), **more}


def button(**more):
    return {"type": "button", "action_id": "go", "text": text(), **more}


def buttons(count):
    return {"type": "actions", "elements": [button(action_id=f"a{n}") for n in range(count)]}


def actions(*elements):
    return {"type": "actions", "elements": list(elements)}


def options(count, label=1, value=1, description=0):
    more = {"description": text(description)} if description else {}
    return [{"text": text(label), "value": f"{n}".ljust(value, "x"), **more} for n in range(count)]


def select(**more):
    return {"type": "static_select", "action_id": "s", "options": options(1), **more}


def choice(kind, count):
    return {"type": kind, "action_id": "c", "options": options(count)}


def grouped(groups=1, size=1, label=1):
    select_of = {"type": "static_select", "action_id": "s"}
    return {**select_of, "option_groups": [
        {"label": text(label), "options": options(size)} for _ in range(groups)]}


def confirm(**more):
    return {"title": text(), "text": text(), "confirm": text(), "deny": text(), **more}


def image(**more):
    return {"type": "image", "image_url": "x", "alt_text": "x", **more}


def rich(*parts):
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(parts)}]}


def task(number=0, **more):
    return {"task_id": f"t{number}", "title": "x", "status": "complete", **more}


def plan(*tasks, **more):
    return {"type": "plan", "title": "x", "tasks": list(tasks), **more}


def cell(length=1):
    return {"type": "raw_text", "text": "x" * length}


def rows(count, width=1, length=1):
    return [[cell(length) for _ in range(width)] for _ in range(count)]


def table(of=None, **more):
    return {"type": "table", "rows": of or rows(1), **more}


def data_table(of=None, **more):
    return {"type": "data_table", "caption": "x", "rows": of or rows(2), **more}


def pie(count=1, label="", value=1, **more):
    return {"type": "data_visualization", "title": "x", **more, "chart": {
        "type": "pie", "segments": [{"label": label or f"s{n}", "value": value}
                                    for n in range(count)]}}


def bars(categories=1, series=1, name="", category="", **axis):
    names = [category or f"c{n}" for n in range(categories)]
    return {"type": "data_visualization", "title": "x", "chart": {
        "type": "bar", "axis_config": {"categories": names, **axis},
        "series": [{"name": name or f"n{n}", "data": [{"label": c, "value": -1} for c in names]}
                   for n in range(series)]}}


def entry(element=None, **more):
    return {"type": "input", "block_id": "i", "label": text(), **more,
            "element": element or {"type": "plain_text_input", "action_id": "a"}}


def modal(*blocks, **more):
    return {"type": "modal", "title": text(), "submit": text(), "blocks": list(blocks), **more}


def field(**more):
    return entry({"type": "plain_text_input", "action_id": "a", **more})


# name: (the limit, blocks of a message of that size, the pointer of the complaint)
MESSAGE = {
    "blocks of a message": (50, lambda n: [{"type": "divider"}] * n, ""),
    "text of a section": (3000, lambda n: [section(text=text(n, MRKDWN))], "/0/text/text"),
    "fields of a section": (10, lambda n: [section(fields=[text()] * n)], "/0/fields"),
    "text of a field": (2000, lambda n: [section(fields=[text(n)])], "/0/fields/0/text"),
    "text of a header": (150, lambda n: [{"type": "header", "text": text(n)}], "/0/text/text"),
    "level of a header": (4, lambda n: [{"type": "header", "text": text(), "level": n}], "/0/level"),
    "elements of a context": (10, lambda n: [{"type": "context", "elements": [text()] * n}],
                              "/0/elements"),
    "elements of actions": (25, lambda n: [buttons(n)], "/0/elements"),
    "text of a button": (75, lambda n: [actions(button(text=text(n)))], "/0/elements/0/text/text"),
    "value of a button": (2000, lambda n: [actions(button(value="x" * n))], "/0/elements/0/value"),
    "url of a button": (3000, lambda n: [actions(button(url="x" * n))], "/0/elements/0/url"),
    "accessibility_label": (75, lambda n: [actions(button(accessibility_label="x" * n))],
                            "/0/elements/0/accessibility_label"),
    "action_id": (255, lambda n: [actions(button(action_id="x" * n))], "/0/elements/0/action_id"),
    "block_id": (255, lambda n: [section(block_id="x" * n)], "/0/block_id"),
    "title of a confirm": (100, lambda n: [actions(button(confirm=confirm(title=text(n))))],
                           "/0/elements/0/confirm/title/text"),
    "text of a confirm": (300, lambda n: [actions(button(confirm=confirm(text=text(n))))],
                          "/0/elements/0/confirm/text/text"),
    "yes of a confirm": (30, lambda n: [actions(button(confirm=confirm(confirm=text(n))))],
                         "/0/elements/0/confirm/confirm/text"),
    "no of a confirm": (30, lambda n: [actions(button(confirm=confirm(deny=text(n))))],
                        "/0/elements/0/confirm/deny/text"),
    "options of a select": (100, lambda n: [actions(select(options=options(n)))],
                            "/0/elements/0/options"),
    "groups of a select": (100, lambda n: [actions(grouped(n))], "/0/elements/0/option_groups"),
    "options of a group": (100, lambda n: [actions(grouped(1, n))],
                           "/0/elements/0/option_groups/0/options"),
    "label of a group": (75, lambda n: [actions(grouped(1, 1, n))],
                         "/0/elements/0/option_groups/0/label/text"),
    "options of an overflow": (5, lambda n: [section(accessory=choice("overflow", n))],
                               "/0/accessory/options"),
    "radio buttons": (10, lambda n: [actions(choice("radio_buttons", n))], "/0/elements/0/options"),
    "checkboxes": (10, lambda n: [actions(choice("checkboxes", n))], "/0/elements/0/options"),
    "text of an option": (75, lambda n: [actions(select(options=options(1, label=n)))],
                          "/0/elements/0/options/0/text/text"),
    "value of an option": (75, lambda n: [actions(select(options=options(1, value=n)))],
                           "/0/elements/0/options/0/value"),
    "description of an option": (75, lambda n: [actions(select(options=options(1, description=n)))],
                                 "/0/elements/0/options/0/description/text"),
    "placeholder": (150, lambda n: [actions(select(placeholder=text(n)))],
                    "/0/elements/0/placeholder/text"),
    "alt_text of an image": (2000, lambda n: [image(alt_text="x" * n)], "/0/alt_text"),
    "address of an image": (3000, lambda n: [image(image_url="x" * n)], "/0/image_url"),
    "title of an image": (2000, lambda n: [image(title=text(n))], "/0/title/text"),
    "a markdown block": (12000, lambda n: [{"type": "markdown", "text": "x" * n}], "/0/text"),
    "markdown of a message": (6000, lambda n: [{"type": "markdown", "text": "x" * n},
                                               {"type": "markdown", "text": "x" * 6000}], ""),
    "tasks of a plan": (50, lambda n: [plan(*map(task, range(n)))], "/0/tasks"),
    "rows of a table": (100, lambda n: [table(rows(n))], "/0/rows"),
    "columns of a table": (20, lambda n: [table(rows(1, n))], "/0/rows/0"),
    "column settings": (20, lambda n: [table(column_settings=[{"align": "right"}] * n)],
                        "/0/column_settings"),
    "characters of a table": (5000, lambda n: [table([[cell(n), cell(5000)]])], "/0"),
    "rows of a data table": (101, lambda n: [data_table(rows(n))], "/0/rows"),
    "columns of a data table": (20, lambda n: [data_table(rows(2, n))], "/0/rows/0"),
    "page of a data table": (100, lambda n: [data_table(page_size=n)], "/0/page_size"),
    "characters of a data table": (10000, lambda n: [data_table([[cell(n)], [cell(10000)]])], "/0"),
    "charts of a message": (2, lambda n: [pie()] * n, ""),
    "title of a chart": (50, lambda n: [pie(title="x" * n)], "/0/title"),
    "segments of a pie": (6, lambda n: [pie(n)], "/0/chart/segments"),
    "label of a segment": (20, lambda n: [pie(1, "x" * n)], "/0/chart/segments/0/label"),
    "series of a chart": (6, lambda n: [bars(1, n)], "/0/chart/series"),
    "points of a series": (20, lambda n: [bars(n)], "/0/chart/axis_config/categories"),
    "name of a series": (20, lambda n: [bars(name="x" * n)], "/0/chart/series/0/name"),
    "name of a category": (20, lambda n: [bars(category="x" * n)],
                           "/0/chart/axis_config/categories/0"),
    "label of an axis": (50, lambda n: [bars(y_label="x" * n)], "/0/chart/axis_config/y_label"),
}
VIEW = {
    "blocks of a form": (100, lambda n: modal(*[{"type": "divider"}] * n), "/blocks"),
    "title of a form": (24, lambda n: modal(title=text(n)), "/title/text"),
    "submit of a form": (24, lambda n: modal(submit=text(n)), "/submit/text"),
    "close of a form": (24, lambda n: modal(close=text(n)), "/close/text"),
    "private_metadata": (3000, lambda n: modal(private_metadata="x" * n), "/private_metadata"),
    "callback_id": (255, lambda n: modal(callback_id="x" * n), "/callback_id"),
    "external_id": (255, lambda n: modal(external_id="x" * n), "/external_id"),
    "label of an input": (2000, lambda n: modal(entry(label=text(n))), "/blocks/0/label/text"),
    "hint of an input": (2000, lambda n: modal(entry(hint=text(n))), "/blocks/0/hint/text"),
    "placeholder of an input": (150, lambda n: modal(field(placeholder=text(n))),
                                "/blocks/0/element/placeholder/text"),
    "initial value of an input": (3000, lambda n: modal(field(initial_value="x" * n)),
                                  "/blocks/0/element/initial_value"),
    "max_length of an input": (3000, lambda n: modal(field(max_length=n)),
                               "/blocks/0/element/max_length"),
}
# name: (blocks of a message, the complaint)
WRONG = {
    "an empty text": ([section(text=text(0))],
                      "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    "an unknown block": ([{"type": "banner"}], "unsupported type: banner [json-pointer:/blocks/0]"),
    "no block": (["x"], "unsupported type: None [json-pointer:/blocks/0]"),
    "an unknown key": ([section(colour="red")],
                       "no more fields allowed: colour [json-pointer:/blocks/0/colour]"),
    "a section of nothing": ([{"type": "section"}],
                             "missing required field: text [json-pointer:/blocks/0]"),
    "mrkdwn on a button": ([actions(button(text=text(1, MRKDWN)))],
                           "must be one of plain_text [json-pointer:/blocks/0/elements/0/text/type]"),
    "an unknown style": ([actions(button(style="loud"))],
                         "must be one of primary, danger [json-pointer:/blocks/0/elements/0/style]"),
    "no elements": ([actions()], "no less than 1 items allowed [json-pointer:/blocks/0/elements]"),
    "one action_id twice": ([actions(button(), button())], "`action_id` already exists in this block "
                            "[json-pointer:/blocks/0/elements/1/action_id]"),
    "one block_id twice": ([section(block_id="a"), section(block_id="a")],
                           "`block_id` already exists [json-pointer:/blocks/1/block_id]"),
    "an initial option that is none": (
        [actions(select(initial_option=options(2)[1]))],
        "must match one of the options [json-pointer:/blocks/0/elements/0/initial_option]"),
    "an image of nothing": ([{"type": "image", "alt_text": "x"}],
                            "missing required field: image_url [json-pointer:/blocks/0]"),
    "an alert in a message": ([{"type": "alert", "text": text()}],
                              "unsupported type: alert [json-pointer:/blocks/0]"),
    "a task that is completed": ([plan(task(status="completed"))], "must be one of pending, "
                                 "in_progress, complete, error [json-pointer:/blocks/0/tasks/0/status]"),
    "one task_id twice": ([plan(task(), task())],
                          "must be unique [json-pointer:/blocks/0/tasks/1/task_id]"),
    "details that are a text": ([plan(task(details="x"))],
                                "must be a rich_text block [json-pointer:/blocks/0/tasks/0/details]"),
    "an unknown part of a rich text": (
        [rich({"type": "blink", "text": "x"})],
        "unsupported type: blink [json-pointer:/blocks/0/elements/0/elements/0]"),
    "an empty rich text": (
        [rich({"type": "text", "text": ""})],
        "must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]"),
    "a number in a table": ([table([[{"type": "raw_number", "value": 1, "text": "1"}]])],
                            "unsupported type: raw_number [json-pointer:/blocks/0/rows/0/0]"),
    "an empty cell": ([table([[cell(0)]])],
                      "must be more than 0 characters [json-pointer:/blocks/0/rows/0/0/text]"),
    "an odd alignment": (
        [table(column_settings=[{"align": "middle"}])],
        "must be one of left, center, right [json-pointer:/blocks/0/column_settings/0/align]"),
    "rows of different lengths": ([data_table([*rows(1, 2), *rows(1, 1)])],
                                  "all rows must have the same length [json-pointer:/blocks/0/rows/1]"),
    "a header that is a rich text": (
        [data_table([[rich({"type": "text", "text": "x"})], [cell()]])],
        "unsupported type: rich_text [json-pointer:/blocks/0/rows/0/0]"),
    "a header column that is none": (
        [data_table(row_header_column_index=1)],
        "must be between 0 and 0 [json-pointer:/blocks/0/row_header_column_index]"),
    "a segment of nothing": ([pie(value=0)],
                             "must be more than 0 [json-pointer:/blocks/0/chart/segments/0/value]"),
    "an unknown chart": ([{"type": "data_visualization", "title": "x", "chart": {"type": "radar"}}],
                         "must be one of pie, bar, line, area [json-pointer:/blocks/0/chart/type]"),
    "two series of one name": ([bars(1, 2, name="x")],
                               "must be unique [json-pointer:/blocks/0/chart/series/1/name]"),
    "blocks that are none": ("x", "must be an array [json-pointer:/blocks]"),
}


@pytest.mark.parametrize("name", MESSAGE)
def test_a_message_at_the_limit_and_beyond(shared, name):
    limit, blocks, pointer = MESSAGE[name]
    taken = shared.json("chat.postMessage", channel="C0GEN", text="x", blocks=blocks(limit))
    assert taken["ok"], taken
    refused = shared.json("chat.postMessage", channel="C0GEN", text="x", blocks=blocks(limit + 1))
    assert refused["error"] == "invalid_blocks"
    assert refused["response_metadata"]["messages"] == [f"[ERROR] {e}" for e in refused["errors"]]
    assert any(e.endswith(f"[json-pointer:/blocks{pointer}]") for e in refused["errors"]), refused


@pytest.mark.parametrize("name", VIEW)
def test_a_form_at_the_limit_and_beyond(shared, name):
    limit, view, pointer = VIEW[name]
    # The view is read before its trigger, so one that passes is told of the trigger.
    taken = shared.json("views.open", trigger_id="1.2.ab", view=view(limit))
    assert taken["error"] == "invalid_trigger_id", taken
    refused = shared.json("views.open", trigger_id="1.2.ab", view=view(limit + 1))
    assert refused["error"] == "invalid_arguments"
    messages = refused["response_metadata"]["messages"]
    assert any(m.endswith(f"[json-pointer:/view{pointer}]") for m in messages), messages


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_with_where_it_is(shared, name):
    blocks, complaint = WRONG[name]
    answer = shared.json("chat.postMessage", channel="C0GEN", text="x", blocks=blocks)
    assert answer["error"] == "invalid_blocks"
    assert complaint in answer["errors"]


def test_a_second_table_is_refused_by_its_own_name(shared):
    answer = shared.json("chat.postMessage", channel="C0GEN", text="x", blocks=[table(), table()])
    assert answer["error"] == "invalid_attachments"
    assert answer["errors"] == ["only_one_table_allowed [json-pointer:/blocks]"]


def test_attachments_are_counted_and_their_blocks_checked(shared):
    for count, error in ((100, None), (101, "invalid_attachments")):
        answer = shared.json("chat.postMessage", channel="C0GEN", text="x",
                             attachments=[{"text": "x"}] * count)
        assert answer.get("error") == error
    answer = shared.json("chat.postMessage", channel="C0GEN", text="x",
                         attachments=[{"blocks": [{"type": "section"}]}])
    assert answer["error"] == "invalid_attachments"


@pytest.mark.parametrize("block", [plan(), table(), data_table(), pie(), {"type": "task_card",
                                                                         "task_id": "a", "title": "x"}])
def test_what_messages_alone_may_have_is_refused_in_a_form(shared, block):
    answer = shared.json("views.open", trigger_id="1.2.ab", view=modal(block))
    assert answer["error"] == "invalid_arguments"
    assert "unsupported type" in answer["response_metadata"]["messages"][0]


def test_a_form_may_have_an_alert_and_with_an_input_it_needs_submit(shared):
    alert = {"type": "alert", "level": "warning", "text": text()}
    answer = shared.json("views.open", trigger_id="1.2.ab", view=modal(alert))
    assert answer["error"] == "invalid_trigger_id"
    view = modal(entry())
    del view["submit"]
    answer = shared.json("views.open", trigger_id="1.2.ab", view=view)
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] missing required field: submit [json-pointer:/view/submit]"]


def test_a_form_of_250_kb_is_too_large(shared):
    wide = {"type": "context", "elements": [text(2990)] * 10}
    assert shared.json("views.open", trigger_id="1.2.ab",
                       view=modal(*[wide] * 8))["error"] == "invalid_trigger_id"
    assert shared.json("views.open", trigger_id="1.2.ab",
                       view=modal(*[wide] * 9))["error"] == "view_too_large"


JUNK = [None, 1, "x", [], {}, [[]], {"type": []}, [None], True]
KINDS = ["section", "header", "context", "actions", "image", "markdown", "rich_text", "plan",
         "task_card", "table", "data_table", "data_visualization", "input", "alert"]
PARTS = ["text", "fields", "accessory", "elements", "title", "tasks", "rows", "column_settings",
         "caption", "chart", "element", "label", "alt_text", "block_id"]


def test_nothing_that_is_sent_breaks_the_checker(shared):
    """Every block with every part as something that it is not: an answer each, never a 500."""
    for kind in KINDS:
        blocks = [{"type": kind, "title": "x", "caption": "x", **{part: junk}}
                  for part in PARTS for junk in JUNK]
        for start in range(0, len(blocks), 50):
            answer = shared.json("chat.postMessage", channel="C0GEN", text="x",
                                 blocks=blocks[start:start + 50])
            assert answer["error"] == "invalid_blocks"
    for chart in ("pie", "bar"):
        for part in ("segments", "series", "axis_config"):
            for junk in JUNK + [[{}], [{"data": 1}], {"categories": 1}]:
                block = {"type": "data_visualization", "title": "x",
                         "chart": {"type": chart, "segments": [], "series": [], "axis_config": {},
                                   part: junk}}
                assert not shared.json("chat.postMessage", channel="C0GEN", text="x",
                                       blocks=[block])["ok"]
