"""Block Kit's limits, checked as Slack checks them: a list of "[ERROR] … [json-pointer:…]" texts.

Limits from Slack's own types and SDKs (@slack/types block-kit and views, python-slack-sdk models).
"""

PLAIN, MRKDWN = "plain_text", "mrkdwn"


COMMON = ("action_id", "focus_on_load", "confirm", "placeholder")
CHOICES = {"static_select": 100, "multi_static_select": 100, "overflow": 5, "radio_buttons": 10,
           "checkboxes": 10}  # and how many options
INPUTS = ("plain_text_input", "number_input", "email_text_input", "url_text_input")
PICKERS = {
    "users_select": ("initial_user",), "channels_select": ("initial_channel",
                                                           "response_url_enabled"),
    "conversations_select": ("initial_conversation", "default_to_current_conversation", "filter",
                             "response_url_enabled"),
    "datepicker": ("initial_date",), "timepicker": ("initial_time", "timezone"),
    "datetimepicker": ("initial_date_time",),
}
# What stands in a rich text: required and optional keys.
RICH = {
    "text": (("text",), ()), "emoji": (("name",), ("unicode", "url")),
    "link": (("url",), ("text", "unsafe")), "user": (("user_id",), ()),
    "usergroup": (("usergroup_id",), ()), "channel": (("channel_id",), ()),
    "broadcast": (("range",), ()), "color": (("value",), ()),
    "date": (("timestamp", "format"), ("url", "fallback")),
}


def kind_of(thing):
    """The type of a block or an element; None when it has none."""
    kind = thing.get("type") if isinstance(thing, dict) else None
    return kind if isinstance(kind, str) else None


class Checker:
    def __init__(self, root, surface):
        self.errors = []
        self.root = root
        self.surface = surface  # "message" or "modal"
        self.counts = {}
        self.markdown_size = 0

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

    def whole(self, value, pointer, least, most):
        if not isinstance(value, int) or isinstance(value, bool):
            self.say(pointer, "must be an integer")
        elif not least <= value <= most:
            self.say(pointer, f"must be between {least} and {most}")

    def number(self, value, pointer):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self.say(pointer, "must be a number")

    def flag(self, value, pointer):
        if not isinstance(value, bool):
            self.say(pointer, "must be a boolean")

    def items(self, value, pointer, most, least=1):
        if not isinstance(value, list):
            self.say(pointer, "must be an array")
            return []
        if len(value) > most:
            self.say(pointer, f"no more than {most} items allowed")
        if len(value) < least:
            self.say(pointer, f"no less than {least} items allowed")
        return list(enumerate(value))

    def once(self, value, seen, pointer, what="must be unique"):
        if isinstance(value, str) and value in seen:
            self.say(pointer, what)
        seen.add(str(value))

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
        kind = kind_of(thing)
        if kind not in allowed:
            self.say(pointer, f"unsupported type: {kind}")
            return
        if "action_id" in thing:
            self.string(thing["action_id"], f"{pointer}/action_id", 255, 1)
        if "confirm" in thing:
            self.confirm(thing["confirm"], f"{pointer}/confirm")
        if "placeholder" in thing:
            self.text(thing["placeholder"], f"{pointer}/placeholder", 150, (PLAIN,))
        if kind == "button":
            self.button(thing, pointer)
        elif kind in CHOICES:
            self.choice(thing, pointer, kind)
        elif kind in INPUTS:
            self.text_input(thing, pointer)
        elif kind in PICKERS:
            self.keys(thing, pointer, ("type",), COMMON + PICKERS[kind])
        elif kind == "image":
            self.image(thing, pointer, inside=True)

    def button(self, thing, pointer):
        if not self.keys(thing, pointer, ("type", "text"),
                         ("action_id", "value", "url", "style", "confirm", "accessibility_label")):
            return
        self.text(thing["text"], f"{pointer}/text", 75, (PLAIN,))
        for part, most in (("value", 2000), ("url", 3000), ("accessibility_label", 75)):
            if part in thing:
                self.string(thing[part], f"{pointer}/{part}", most)
        if "style" in thing:
            self.one_of(thing["style"], f"{pointer}/style", ("primary", "danger"))

    def choice(self, thing, pointer, kind):
        most = CHOICES[kind]
        texts = (PLAIN, MRKDWN) if kind in ("radio_buttons", "checkboxes") else (PLAIN,)
        grouped = kind in ("static_select", "multi_static_select")
        self.keys(thing, pointer, ("type",), COMMON + (
            "options", "initial_option", "initial_options", "max_selected_items")
            + (("option_groups",) if grouped else ()))
        options = []
        if "options" in thing:
            options = self.items(thing["options"], f"{pointer}/options", most)
            for i, option in options:
                self.option(option, f"{pointer}/options/{i}", texts)
        elif grouped and "option_groups" in thing:
            for i, group in self.items(thing["option_groups"], f"{pointer}/option_groups", 100):
                where = f"{pointer}/option_groups/{i}"
                if self.keys(group, where, ("label", "options")):
                    self.text(group["label"], f"{where}/label", 75, (PLAIN,))
                    held = self.items(group["options"], f"{where}/options", 100)
                    options += held
                    for k, option in held:
                        self.option(option, f"{where}/options/{k}", texts)
        else:
            self.say(pointer, "missing required field: options")
        known = [option for _, option in options]
        initial = [thing["initial_option"]] if "initial_option" in thing else \
            [o for _, o in self.items(thing.get("initial_options", []), f"{pointer}/initial_options",
                                      most, 0)]
        if any(option not in known for option in initial):
            self.say(f"{pointer}/initial_option", "must match one of the options")

    def text_input(self, thing, pointer):
        self.keys(thing, pointer, ("type",), COMMON + (
            "initial_value", "multiline", "min_length", "max_length", "dispatch_action_config",
            "is_decimal_allowed", "min_value", "max_value"))
        if "initial_value" in thing:
            self.string(thing["initial_value"], f"{pointer}/initial_value", 3000)
        if "min_length" in thing:
            self.whole(thing["min_length"], f"{pointer}/min_length", 0, 3000)
        if "max_length" in thing:
            self.whole(thing["max_length"], f"{pointer}/max_length", 1, 3000)
        if thing["type"] == "number_input":
            self.flag(thing.get("is_decimal_allowed"), f"{pointer}/is_decimal_allowed")

    def image(self, thing, pointer, inside=False):
        block = () if inside else ("title", "block_id")
        if self.keys(thing, pointer, ("type", "alt_text"), ("image_url", "slack_file") + block):
            self.string(thing["alt_text"], f"{pointer}/alt_text", 2000)
            if ("image_url" in thing) == ("slack_file" in thing):
                self.say(pointer, "missing required field: image_url")
            if "image_url" in thing:
                self.string(thing["image_url"], f"{pointer}/image_url", 3000, 1)
            if "title" in thing:
                self.text(thing["title"], f"{pointer}/title", 2000, (PLAIN,))

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
            if "level" in b:
                self.whole(b["level"], f"{p}/level", 1, 4)

    def divider(self, b, p):
        self.keys(b, p, ("type",), ("block_id",))

    def context(self, b, p):
        if self.keys(b, p, ("type", "elements"), ("block_id",)):
            for i, thing in self.items(b["elements"], f"{p}/elements", 10):
                if isinstance(thing, dict) and thing.get("type") == "image":
                    self.image(thing, f"{p}/elements/{i}", inside=True)
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
            if isinstance(thing, dict) and "action_id" in thing:
                self.once(thing["action_id"], seen, f"{p}/elements/{i}/action_id",
                          "`action_id` already exists in this block")

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
            if isinstance(b["text"], str):
                self.markdown_size += len(b["text"])

    def rich_text(self, b, p):
        if not self.keys(b, p, ("type", "elements"), ("block_id",)):
            return
        for i, thing in self.items(b["elements"], f"{p}/elements", 100):
            self.rich_part(thing, f"{p}/elements/{i}")

    def rich_part(self, thing, p):
        if not self.keys(thing, p, ("type", "elements"), ("style", "indent", "offset", "border")):
            return
        self.one_of(thing["type"], f"{p}/type", ("rich_text_section", "rich_text_list",
                                                 "rich_text_preformatted", "rich_text_quote"))
        for i, inner in self.items(thing["elements"], f"{p}/elements", 1000, 0):
            where = f"{p}/elements/{i}"
            kind = kind_of(inner)
            if thing["type"] == "rich_text_list":
                self.rich_part(inner, where)
            elif kind not in RICH:
                self.say(where, f"unsupported type: {kind}")
            else:
                required, optional = RICH[kind]
                self.keys(inner, where, ("type",) + required, optional + ("style",))
                if kind == "text":
                    self.string(inner.get("text"), f"{where}/text", 30000, 1)

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
        for i, source in self.items(b.get("sources", []), f"{p}/sources", 50, 0):
            if self.keys(source, f"{p}/sources/{i}", ("type", "url", "text")):
                self.one_of(source["type"], f"{p}/sources/{i}/type", ("url",))
        self.string(b["task_id"], f"{p}/task_id", 255, 1)
        self.string(b["title"], f"{p}/title", 3000, 1)

    def plan(self, b, p):
        if not self.keys(b, p, ("type", "title"), ("tasks", "block_id")):
            return
        self.string(b["title"], f"{p}/title", 3000, 1)
        ids = set()
        for i, task in self.items(b.get("tasks", []), f"{p}/tasks", 50, 0):
            self.task_card(task, f"{p}/tasks/{i}", inside=True)
            if isinstance(task, dict):
                self.once(task.get("task_id"), ids, f"{p}/tasks/{i}/task_id")

    def cell(self, cell, p, kinds):
        """Checks a cell of a table; the characters that it adds."""
        kind = kind_of(cell)
        if kind not in kinds:
            self.say(p, f"unsupported type: {kind}")
            return 0
        if kind == "rich_text":
            self.rich_text(cell, p)
            return 0
        required = ("type", "text") if kind == "raw_text" else ("type", "value", "text")
        if not self.keys(cell, p, required):
            return 0
        if kind == "raw_number":
            self.number(cell["value"], f"{p}/value")
        self.string(cell["text"], f"{p}/text", 20000, 1)
        return len(cell["text"]) if isinstance(cell["text"], str) else 0

    def table(self, b, p):
        if not self.keys(b, p, ("type", "rows"), ("block_id", "column_settings")):
            return
        size = 0
        for i, row in self.items(b["rows"], f"{p}/rows", 100):
            for k, cell in self.items(row, f"{p}/rows/{i}", 20):
                size += self.cell(cell, f"{p}/rows/{i}/{k}", ("raw_text", "rich_text"))
        if size > 10000:
            self.say(p, "must be less than 10001 characters")
        for i, setting in self.items(b.get("column_settings", []), f"{p}/column_settings", 20, 0):
            where = f"{p}/column_settings/{i}"
            if self.keys(setting, where, (), ("align", "is_wrapped")):
                self.one_of(setting.get("align", "left"), f"{where}/align",
                            ("left", "center", "right"))
                self.flag(setting.get("is_wrapped", False), f"{where}/is_wrapped")

    def data_table(self, b, p):
        if not self.keys(b, p, ("type", "caption", "rows"),
                         ("block_id", "page_size", "row_header_column_index")):
            return
        self.string(b["caption"], f"{p}/caption", 3000, 1)
        if "page_size" in b:
            self.whole(b["page_size"], f"{p}/page_size", 1, 100)
        width, size = None, 0
        for i, row in self.items(b["rows"], f"{p}/rows", 101, 2):
            cells = self.items(row, f"{p}/rows/{i}", 20)
            for k, cell in cells:
                size += self.cell(cell, f"{p}/rows/{i}/{k}", ("raw_text",) if i == 0 else
                                  ("raw_text", "raw_number", "rich_text"))
            width = width or len(cells)
            if len(cells) != width:
                self.say(f"{p}/rows/{i}", "all rows must have the same length")
        if size > 20000:
            self.say(p, "must be less than 20001 characters")
        if "row_header_column_index" in b:
            self.whole(b["row_header_column_index"], f"{p}/row_header_column_index", 0,
                       (width or 1) - 1)

    def data_visualization(self, b, p):
        if not self.keys(b, p, ("type", "title", "chart"), ("block_id",)):
            return
        self.string(b["title"], f"{p}/title", 50, 1)
        chart, p = b["chart"], f"{p}/chart"
        kind = kind_of(chart)
        if kind == "pie":
            if self.keys(chart, p, ("type", "segments")):
                self.points(chart["segments"], f"{p}/segments", 6, positive=True)
        elif kind in ("bar", "line", "area"):
            if self.keys(chart, p, ("type", "series", "axis_config")):
                self.series(chart, p)
        else:
            self.say(f"{p}/type", "must be one of pie, bar, line, area")

    def points(self, points, p, most, positive=False):
        """Labels with numbers; their labels."""
        labels = []
        for i, point in self.items(points, p, most):
            if not self.keys(point, f"{p}/{i}", ("label", "value")):
                continue
            self.string(point["label"], f"{p}/{i}/label", 20, 1)
            self.number(point["value"], f"{p}/{i}/value")
            if positive and isinstance(point["value"], (int, float)) and point["value"] <= 0:
                self.say(f"{p}/{i}/value", "must be more than 0")
            labels.append(point["label"])
        if len(set(map(str, labels))) != len(labels):
            self.say(p, "labels must be unique")
        return labels

    def series(self, chart, p):
        axis = f"{p}/axis_config"
        if not self.keys(chart["axis_config"], axis, ("categories",), ("x_label", "y_label")):
            return
        for label in ("x_label", "y_label"):
            if label in chart["axis_config"]:
                self.string(chart["axis_config"][label], f"{axis}/{label}", 50, 1)
        categories = []
        for i, name in self.items(chart["axis_config"]["categories"], f"{axis}/categories", 20):
            self.string(name, f"{axis}/categories/{i}", 20, 1)
            categories.append(name)
        if len(set(map(str, categories))) != len(categories):
            self.say(f"{axis}/categories", "must be unique")
        names = set()
        for i, series in self.items(chart["series"], f"{p}/series", 6):
            where = f"{p}/series/{i}"
            if not self.keys(series, where, ("name", "data")):
                continue
            self.string(series["name"], f"{where}/name", 20, 1)
            self.once(series["name"], names, f"{where}/name")
            labels = self.points(series["data"], f"{where}/data", 20)
            if sorted(map(str, labels)) != sorted(map(str, categories)):
                self.say(f"{where}/data", "one point for each category")

    def alert(self, b, p):
        if self.surface == "message":
            self.say(p, "unsupported type: alert")
        if self.keys(b, p, ("type", "text"), ("level", "block_id")):
            self.text(b["text"], f"{p}/text", 3000)
            self.one_of(b.get("level", "default"), f"{p}/level",
                        ("default", "info", "warning", "error", "success"))

    def block(self, b, p):
        kind = kind_of(b)
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


SECOND_TABLE = "only_one_table_allowed"


def check_blocks(blocks, surface="message", root="/blocks"):
    """The errors of a list of blocks; [] when Slack would take it."""
    checker = Checker(root, surface)
    ids = set()
    for i, block in checker.items(blocks, "", 50 if surface == "message" else 100, 0):
        checker.block(block, f"/{i}")
        if isinstance(block, dict) and "block_id" in block:
            checker.once(block["block_id"], ids, f"/{i}/block_id", "`block_id` already exists")
    if checker.counts.get("table", 0) > 1:
        checker.say("", SECOND_TABLE)
    if checker.counts.get("data_visualization", 0) > 2:
        checker.say("", "no more than 2 data_visualization blocks allowed")
    if checker.markdown_size > 12000:
        checker.say("", "markdown must be less than 12001 characters in all")
    return [f"[ERROR] {e}" for e in checker.errors]


def is_second_table(errors):
    return all(SECOND_TABLE in error for error in errors)


def check_attachments(attachments):
    checker = Checker("/attachments", "message")
    errors = []
    for i, attachment in checker.items(attachments, "", 100, 0):
        if isinstance(attachment, dict) and "blocks" in attachment:
            errors += check_blocks(attachment["blocks"], root=f"/attachments/{i}/blocks")
    return [f"[ERROR] {e}" for e in checker.errors] + errors


def as_object(error):
    """An error as blocks.validate writes it."""
    text, _, pointer = error.replace("[ERROR] ", "").rpartition(" [json-pointer:")
    missing = text.startswith("missing required field: ")
    entry = {"code": "missing_field" if missing else "failed_constraint", "message": text,
             "pointer": pointer.rstrip("]")}
    if missing:
        entry["field"] = text.rpartition(" ")[2]
    if text.startswith("must be one of "):
        entry["constraint"] = {"type": "enum", "expected": text[15:].split(", ")}
    return entry


def check_view(view, root="/view"):
    checker = Checker(root, "modal")
    if not checker.keys(view, "", ("type", "title", "blocks"), (
            "submit", "close", "private_metadata", "callback_id", "external_id",
            "clear_on_close", "notify_on_close", "submit_disabled")):
        return [f"[ERROR] {e}" for e in checker.errors]
    checker.one_of(view["type"], "/type", ("modal",))
    for part in ("title", "submit", "close"):
        if part in view:
            checker.text(view[part], f"/{part}", 24, (PLAIN,))
    for part, most in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        checker.string(view.get(part, ""), f"/{part}", most)
    for part in ("clear_on_close", "notify_on_close"):
        checker.flag(view.get(part, False), f"/{part}")
    blocks = view["blocks"] if isinstance(view["blocks"], list) else []
    if any(isinstance(b, dict) and b.get("type") == "input" for b in blocks) \
            and "submit" not in view:
        checker.say("/submit", "missing required field: submit")
    errors = [f"[ERROR] {e}" for e in checker.errors]
    return errors + check_blocks(view["blocks"], "modal", f"{root}/blocks")
