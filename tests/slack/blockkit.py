"""Block Kit's limits, checked as Slack checks them: a list of "[ERROR] … [json-pointer:…]" texts.

Limits from Slack's own types and SDKs (@slack/types block-kit and views, python-slack-sdk models).
"""

PLAIN, MRKDWN = "plain_text", "mrkdwn"


class Checker:
    def __init__(self, root, surface):
        self.errors = []
        self.root = root
        self.surface = surface  # "message" or "modal"
        self.counts = {}

    def say(self, pointer, what):
        self.errors.append(f"{what} [json-pointer:{self.root}{pointer}]")

    def keys(self, thing, pointer, required, optional=()):
        if not isinstance(thing, dict):
            self.say(pointer, "must be an object")
            return False
        for key in required:
            if thing.get(key) is None:
                self.say(pointer, f"missing required field: {key}")
        for key in thing:
            if key not in required and key not in optional:
                self.say(f"{pointer}/{key}", f"no more fields allowed: {key}")
        return all(thing.get(k) is not None for k in required)

    def string(self, value, pointer, most, least=0):
        if not isinstance(value, str):
            self.say(pointer, "must be a string")
        elif len(value) > most:
            self.say(pointer, f"must be less than {most + 1} characters")
        elif len(value) < least:
            self.say(pointer, f"must be more than {least - 1} characters")

    def text(self, thing, pointer, most, kinds=(PLAIN, MRKDWN)):
        if not self.keys(thing, pointer, ("type", "text"), ("emoji", "verbatim")):
            return
        if thing["type"] not in kinds:
            self.say(f"{pointer}/type", f"must be one of {', '.join(kinds)}")
        self.string(thing["text"], f"{pointer}/text", most, 1)

    def items(self, value, pointer, most, least=1):
        if not isinstance(value, list):
            self.say(pointer, "must be an array")
            return []
        if len(value) > most:
            self.say(pointer, f"no more than {most} items allowed")
        if len(value) < least:
            self.say(pointer, f"no less than {least} items allowed")
        return list(enumerate(value))

    def one_of(self, value, pointer, choices):
        if value not in choices:
            self.say(pointer, f"must be one of {', '.join(map(str, choices))}")

    # -- elements -------------------------------------------------------------------------------
    def confirm(self, thing, pointer):
        if self.keys(thing, pointer, ("title", "text", "confirm", "deny"), ("style",)):
            self.text(thing["title"], f"{pointer}/title", 100, (PLAIN,))
            self.text(thing["text"], f"{pointer}/text", 300)
            self.text(thing["confirm"], f"{pointer}/confirm", 30, (PLAIN,))
            self.text(thing["deny"], f"{pointer}/deny", 30, (PLAIN,))

    def option(self, thing, pointer, kinds=(PLAIN,)):
        if self.keys(thing, pointer, ("text", "value"), ("description", "url")):
            self.text(thing["text"], f"{pointer}/text", 75, kinds)
            self.string(thing["value"], f"{pointer}/value", 75)
            if "description" in thing:
                self.text(thing["description"], f"{pointer}/description", 75)

    def element(self, thing, pointer, allowed):
        kind = thing.get("type") if isinstance(thing, dict) else None
        if kind not in allowed:
            self.say(pointer, f"unsupported type: {kind}")
            return
        common = ("action_id", "focus_on_load", "confirm", "placeholder")
        if "action_id" in thing:
            self.string(thing["action_id"], f"{pointer}/action_id", 255)
        if "confirm" in thing:
            self.confirm(thing["confirm"], f"{pointer}/confirm")
        if "placeholder" in thing:
            self.text(thing["placeholder"], f"{pointer}/placeholder", 150, (PLAIN,))
        if kind == "button":
            if self.keys(thing, pointer, ("type", "text"),
                         ("action_id", "value", "url", "style", "confirm", "accessibility_label")):
                self.text(thing["text"], f"{pointer}/text", 75, (PLAIN,))
                if "value" in thing:
                    self.string(thing["value"], f"{pointer}/value", 2000)
                if "url" in thing:
                    self.string(thing["url"], f"{pointer}/url", 3000)
                if "style" in thing:
                    self.one_of(thing["style"], f"{pointer}/style", ("primary", "danger"))
                if "accessibility_label" in thing:
                    self.string(thing["accessibility_label"], f"{pointer}/accessibility_label", 75)
        elif kind in ("static_select", "multi_static_select", "overflow", "radio_buttons",
                      "checkboxes"):
            most = {"overflow": 5, "radio_buttons": 10, "checkboxes": 10}.get(kind, 100)
            self.keys(thing, pointer, ("type",), common + (
                "options", "option_groups", "initial_option", "initial_options",
                "max_selected_items"))
            if "options" in thing:
                for i, option in self.items(thing["options"], f"{pointer}/options", most):
                    self.option(option, f"{pointer}/options/{i}",
                                (PLAIN, MRKDWN) if kind in ("radio_buttons", "checkboxes")
                                else (PLAIN,))
                initial = thing.get("initial_option")
                if initial is not None and initial not in thing["options"]:
                    self.say(f"{pointer}/initial_option", "must match one of the options")
            elif "option_groups" not in thing:
                self.say(pointer, "missing required field: options")
        elif kind in ("plain_text_input", "number_input", "email_text_input", "url_text_input"):
            self.keys(thing, pointer, ("type",), common + (
                "initial_value", "multiline", "min_length", "max_length", "dispatch_action_config",
                "is_decimal_allowed", "min_value", "max_value"))
            if "initial_value" in thing:
                self.string(thing["initial_value"], f"{pointer}/initial_value", 3000)
            if thing.get("max_length", 1) not in range(1, 3001):
                self.say(f"{pointer}/max_length", "must be between 1 and 3000")
        elif kind in ("users_select", "conversations_select", "channels_select", "datepicker",
                      "timepicker", "datetimepicker"):
            self.keys(thing, pointer, ("type",), tuple(thing))
        elif kind == "image":
            self.image(thing, pointer)

    def image(self, thing, pointer):
        if self.keys(thing, pointer, ("type", "alt_text"),
                     ("image_url", "slack_file", "title", "block_id")):
            self.string(thing["alt_text"], f"{pointer}/alt_text", 2000)
            if "image_url" in thing:
                self.string(thing["image_url"], f"{pointer}/image_url", 3000)

    # -- blocks ---------------------------------------------------------------------------------
    def section(self, b, p):
        self.keys(b, p, ("type",), ("block_id", "text", "fields", "accessory", "expand"))
        if "text" not in b and "fields" not in b:
            self.say(p, "missing required field: text")
        if "text" in b:
            self.text(b["text"], f"{p}/text", 3000)
        if "fields" in b:
            for i, field in self.items(b["fields"], f"{p}/fields", 10):
                self.text(field, f"{p}/fields/{i}", 2000)
        if "accessory" in b:
            self.element(b["accessory"], f"{p}/accessory", (
                "button", "static_select", "multi_static_select", "overflow", "image",
                "datepicker", "users_select", "checkboxes", "radio_buttons"))

    def header(self, b, p):
        if self.keys(b, p, ("type", "text"), ("block_id", "level")):
            self.text(b["text"], f"{p}/text", 150, (PLAIN,))

    def divider(self, b, p):
        self.keys(b, p, ("type",), ("block_id",))

    def context(self, b, p):
        if self.keys(b, p, ("type", "elements"), ("block_id",)):
            for i, thing in self.items(b["elements"], f"{p}/elements", 10):
                if isinstance(thing, dict) and thing.get("type") == "image":
                    self.image(thing, f"{p}/elements/{i}")
                else:
                    self.text(thing, f"{p}/elements/{i}", 3000)

    def actions(self, b, p):
        if not self.keys(b, p, ("type", "elements"), ("block_id",)):
            return
        seen = set()
        for i, thing in self.items(b["elements"], f"{p}/elements", 25):
            self.element(thing, f"{p}/elements/{i}", (
                "button", "static_select", "overflow", "datepicker", "timepicker", "radio_buttons",
                "checkboxes", "users_select", "channels_select", "conversations_select"))
            action = thing.get("action_id") if isinstance(thing, dict) else None
            if action and action in seen:
                self.say(f"{p}/elements/{i}/action_id", "`action_id` already exists in this block")
            seen.add(action)

    def input(self, b, p):
        if self.surface == "message":
            self.say(p, "input blocks are not used in messages here")
        if self.keys(b, p, ("type", "label", "element"),
                     ("block_id", "hint", "optional", "dispatch_action")):
            self.text(b["label"], f"{p}/label", 2000, (PLAIN,))
            if "hint" in b:
                self.text(b["hint"], f"{p}/hint", 2000, (PLAIN,))
            self.element(b["element"], f"{p}/element", (
                "plain_text_input", "number_input", "static_select", "multi_static_select",
                "radio_buttons", "checkboxes", "datepicker", "timepicker", "datetimepicker",
                "users_select", "channels_select", "conversations_select", "email_text_input",
                "url_text_input"))

    def markdown(self, b, p):
        if self.keys(b, p, ("type", "text"), ("block_id",)):
            self.string(b["text"], f"{p}/text", 12000, 1)

    def rich_text(self, b, p):
        if self.keys(b, p, ("type", "elements"), ("block_id",)):
            for i, thing in self.items(b["elements"], f"{p}/elements", 100):
                self.one_of(thing.get("type"), f"{p}/elements/{i}/type", (
                    "rich_text_section", "rich_text_list", "rich_text_preformatted",
                    "rich_text_quote"))

    def task_card(self, b, p, inside=False):
        required = ("task_id", "title") if inside else ("type", "task_id", "title")
        if not self.keys(b, p, required, ("type", "status", "details", "output", "sources",
                                          "block_id", "hide_title", "icon")):
            return
        if "status" in b:
            self.one_of(b["status"], f"{p}/status",
                        ("pending", "in_progress", "complete", "error"))
        for part in ("details", "output"):
            if part in b:
                if not isinstance(b[part], dict) or b[part].get("type") != "rich_text":
                    self.say(f"{p}/{part}", "must be a rich_text block")
                else:
                    self.rich_text(b[part], f"{p}/{part}")
        for i, source in enumerate(b.get("sources", [])):
            self.keys(source, f"{p}/sources/{i}", ("type", "url", "text"))

    def plan(self, b, p):
        if not self.keys(b, p, ("type", "title"), ("tasks", "block_id")):
            return
        if not isinstance(b["title"], str):
            self.say(f"{p}/title", "must be a string")
        ids = set()
        for i, task in self.items(b.get("tasks", []), f"{p}/tasks", 50, 0):
            self.task_card(task, f"{p}/tasks/{i}", inside=True)
            if task.get("task_id") in ids:
                self.say(f"{p}/tasks/{i}/task_id", "must be unique")
            ids.add(task.get("task_id"))

    def cell(self, cell, p, kinds):
        kind = cell.get("type") if isinstance(cell, dict) else None
        if kind not in kinds:
            self.say(p, f"unsupported type: {kind}")
        elif kind == "raw_text":
            self.keys(cell, p, ("type", "text"))
            self.string(cell.get("text"), f"{p}/text", 10000, 1)

    def table(self, b, p):
        if not self.keys(b, p, ("type", "rows"), ("block_id", "column_settings")):
            return
        size = 0
        for i, row in self.items(b["rows"], f"{p}/rows", 100):
            for k, cell in self.items(row, f"{p}/rows/{i}", 20):
                self.cell(cell, f"{p}/rows/{i}/{k}", ("raw_text", "rich_text"))
                size += len(cell.get("text", "")) if isinstance(cell, dict) else 0
        if size > 10000:
            self.say(p, "must be less than 10001 characters")
        for i, setting in self.items(b.get("column_settings", []), f"{p}/column_settings", 20, 0):
            self.keys(setting, f"{p}/column_settings/{i}", (), ("align", "is_wrapped"))

    def data_table(self, b, p):
        if not self.keys(b, p, ("type", "caption", "rows"),
                         ("block_id", "page_size", "row_header_column_index")):
            return
        width = None
        for i, row in self.items(b["rows"], f"{p}/rows", 101, 2):
            for k, cell in self.items(row, f"{p}/rows/{i}", 20):
                self.cell(cell, f"{p}/rows/{i}/{k}",
                          ("raw_text",) if i == 0 else ("raw_text", "raw_number", "rich_text"))
            width = width or len(row)
            if len(row) != width:
                self.say(f"{p}/rows/{i}", "all rows must have the same length")

    def data_visualization(self, b, p):
        if not self.keys(b, p, ("type", "title", "chart"), ("block_id",)):
            return
        self.string(b["title"], f"{p}/title", 50, 1)
        chart = b["chart"]
        kind = chart.get("type")
        self.one_of(kind, f"{p}/chart/type", ("pie", "bar", "line", "area"))
        if kind == "pie":
            for i, segment in self.items(chart.get("segments"), f"{p}/chart/segments", 6):
                self.keys(segment, f"{p}/chart/segments/{i}", ("label", "value"))
                self.string(segment.get("label"), f"{p}/chart/segments/{i}/label", 20, 1)
                if not segment.get("value", 0) > 0:
                    self.say(f"{p}/chart/segments/{i}/value", "must be more than 0")
            return
        axis = chart.get("axis_config") or {}
        categories = [c for _, c in self.items(axis.get("categories"),
                                               f"{p}/chart/axis_config/categories", 20)]
        for i, category in enumerate(categories):
            self.string(category, f"{p}/chart/axis_config/categories/{i}", 20, 1)
        for i, series in self.items(chart.get("series"), f"{p}/chart/series", 6):
            self.string(series.get("name"), f"{p}/chart/series/{i}/name", 20, 1)
            labels = [d.get("label") for d in series.get("data", [])]
            if labels != categories:
                self.say(f"{p}/chart/series/{i}/data", "one point for each category")

    def alert(self, b, p):
        if self.surface == "message":
            self.say(p, "unsupported type: alert")
        self.keys(b, p, ("type", "text"), ("level", "block_id"))

    def block(self, b, p):
        kind = b.get("type") if isinstance(b, dict) else None
        check = {
            "section": self.section, "header": self.header, "divider": self.divider,
            "context": self.context, "actions": self.actions, "input": self.input,
            "markdown": self.markdown, "rich_text": self.rich_text, "image": self.image,
            "plan": self.plan, "task_card": self.task_card, "table": self.table,
            "data_table": self.data_table, "data_visualization": self.data_visualization,
            "alert": self.alert,
        }.get(kind)
        message_only = ("plan", "task_card", "table", "data_table", "data_visualization")
        if not check or (self.surface == "modal" and kind in message_only):
            self.say(p, f"unsupported type: {kind}")
            return
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if "block_id" in b:
            self.string(b["block_id"], f"{p}/block_id", 255)
        check(b, p)


def check_blocks(blocks, surface="message", root="/blocks"):
    """The errors of a list of blocks; [] when Slack would take it."""
    checker = Checker(root, surface)
    ids = set()
    for i, block in checker.items(blocks, "", 50 if surface == "message" else 100, 0):
        checker.block(block, f"/{i}")
        block_id = block.get("block_id") if isinstance(block, dict) else None
        if block_id and block_id in ids:
            checker.say(f"/{i}/block_id", "`block_id` already exists")
        ids.add(block_id)
    if checker.counts.get("table", 0) > 1:
        checker.say("", "only_one_table_allowed")
    if checker.counts.get("data_visualization", 0) > 2:
        checker.say("", "no more than 2 data_visualization blocks allowed")
    return [f"[ERROR] {e}" for e in checker.errors]


def check_view(view):
    checker = Checker("/view", "modal")
    if not checker.keys(view, "", ("type", "title", "blocks"), (
            "submit", "close", "private_metadata", "callback_id", "external_id",
            "clear_on_close", "notify_on_close", "submit_disabled")):
        return [f"[ERROR] {e}" for e in checker.errors]
    checker.one_of(view["type"], "/type", ("modal",))
    for part in ("title", "submit", "close"):
        if part in view:
            checker.text(view[part], f"/{part}", 24, (PLAIN,))
    checker.string(view.get("private_metadata", ""), "/private_metadata", 3000)
    checker.string(view.get("callback_id", ""), "/callback_id", 255)
    has_input = any(b.get("type") == "input" for b in view["blocks"] if isinstance(b, dict))
    if has_input and "submit" not in view:
        checker.say("/submit", "missing required field: submit")
    errors = [f"[ERROR] {e}" for e in checker.errors]
    return errors + check_blocks(view["blocks"], "modal", "/view/blocks")
