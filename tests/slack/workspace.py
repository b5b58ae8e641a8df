"""The workspace: people, channels, messages, views, files, and what changes in them.

Knows nothing of HTTP. Everything that a person or a test could see is here; `changed()` is called
after each change, so that whoever waits can look again.
"""

import asyncio
import copy
import itertools
import secrets
import time

TEAM = "T0ACME"
OTHER_TEAM = "T0OTHER"
APP = "A0ENVBOT"
BOT_USER = "U0ENVBOT"
BOT = "B0ENVBOT"
APP_TOKEN = "xapp-1-A0ENVBOT-1-test"
BOT_TOKEN = "xoxb-1-test"

SCOPES = {
    "commands", "chat:write", "chat:write.public", "im:write", "users:read", "users:read.email",
    "usergroups:read", "files:write", "channels:history", "groups:history", "im:history",
    "mpim:history", "channels:read",
}
APP_SCOPES = {"connections:write"}

PEOPLE = [
    ("U0DEV", "developer", {}), ("U0DEV2", "developer-2", {}),
    ("U0APPR", "approver", {}), ("U0APPR2", "approver-2", {}), ("U0APPR3", "approver-3", {}),
    ("U0MGR", "manager", {}), ("U0BYST", "bystander", {"email": None}),
    ("U0GUEST", "guest", {"is_restricted": True}), ("U0GONE", "deactivated", {"deleted": True}),
    ("U0STRNGR", "stranger", {"team_id": OTHER_TEAM, "is_stranger": True, "email": None}),
]
GROUPS = [
    ("S0PLAT", "platform-approvers", ["U0APPR", "U0APPR2", "U0APPR3"]),
    ("S0SEC", "security", ["U0APPR3"]), ("S0MGR", "managers", ["U0MGR"]),
    ("S0CALL", "on-call", ["U0DEV2"]),
]
CHANNELS = [
    ("C0PAY", "team-payments", True), ("C0SEARCH", "team-search", True),
    ("C0PLAT", "platform-approvals", True), ("C0OPS", "envbot-operators", True),
    ("C0GEN", "general", True), ("C0PRIV", "private-no-bot", False),
]


def person(user_id, name, extra):
    fields = {
        "id": user_id, "team_id": TEAM, "name": name, "real_name": name, "deleted": False,
        "tz": "Europe/Berlin", "tz_label": "Central European Time", "tz_offset": 3600,
        "is_admin": False, "is_owner": False, "is_primary_owner": False, "is_bot": False,
        "is_app_user": False, "is_workflow_bot": False, "is_connector_bot": False,
        "is_restricted": False, "is_ultra_restricted": False, "is_invited_user": False,
        "is_email_confirmed": True,
        "email": f"{name}@example.com",
    }
    fields.update(extra)
    return fields


class Workspace:
    def __init__(self):
        self.people = {p[0]: person(*p) for p in PEOPLE}
        self.people[BOT_USER] = person(BOT_USER, "envbot", {"is_bot": True, "email": None})
        self.groups = {
            g: {"id": g, "handle": handle, "name": handle, "users": list(users), "date_delete": 0}
            for g, handle, users in GROUPS}
        self.channels = {
            c: {"id": c, "name": name, "is_private": not public, "is_im": False,
                "bot_member": public, "archived": False,
                "members": [p for p in self.people if p not in ("U0GONE", "U0STRNGR")]}
            for c, name, public in CHANNELS}
        self.scopes, self.app_scopes = set(SCOPES), set(APP_SCOPES)
        self.messages = {c: [] for c in self.channels}  # oldest first
        self.views = {}  # view_id -> {"view", "user", "errors", "hash"}
        self.notices = []
        self.violations = []  # what no sound program sends; a test fails for each
        self.older = 0.0  # seconds by which everything short-lived was aged on demand
        self.files = {}
        self.triggers = {}  # trigger_id -> {"user", "at", "used"}
        self.responses = {}  # path -> {"channel", "user", "at", "uses", "ts"}
        self.seq = 0
        self._last_ts = 0
        self._ids = itertools.count(1)
        self._event = asyncio.Event()

    # -- change ---------------------------------------------------------------------------------
    def changed(self):
        self.seq += 1
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self, seq, timeout):
        deadline = time.monotonic() + timeout
        while self.seq <= seq:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                await asyncio.wait_for(self._event.wait(), left)
            except asyncio.TimeoutError:
                break
        return self.seq

    def now(self):
        """The clock of what lives shortly: tickets, triggers, response_urls."""
        return time.monotonic() + self.older

    def violation(self, method, error, reasons, arguments):
        self.violations.append({"method": method, "error": error, "reasons": reasons,
                                "arguments": arguments})

    def new_id(self, prefix):
        return f"{prefix}{next(self._ids):05d}"

    def new_ts(self):
        now = int(time.time() * 1_000_000)
        self._last_ts = max(now, self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    # -- what outlives the program ---------------------------------------------------------------
    KEPT = ("people", "groups", "channels", "messages", "notices", "files")

    def saved(self):
        """Forms, triggers and response_urls end with the program: they are short-lived anyway."""
        return {"seq": self.seq, "next_id": next(copy.copy(self._ids)),
                **{name: getattr(self, name) for name in self.KEPT}}

    def restore(self, saved):
        for name in self.KEPT:
            setattr(self, name, saved[name])
        self._ids = itertools.count(saved["next_id"])
        self.seq = saved["seq"]
        self.changed()  # a page that waited for the next change before looks again

    def join(self, user, name, extra):
        """A new person, in every channel that its members can see."""
        self.people[user] = person(user, name, extra)
        for channel in self.channels.values():
            if not channel["is_im"]:
                channel["members"].append(user)

    def found(self, channel, name):
        """A new public channel, with everybody in it."""
        self.channels[channel] = {
            "id": channel, "name": name, "is_private": False, "is_im": False, "bot_member": True,
            "archived": False, "members": [u for u, p in self.people.items()
                                           if not p["deleted"] and not p.get("is_stranger")]}
        self.messages[channel] = []

    # -- looking things up ----------------------------------------------------------------------
    def im_of(self, user):
        for channel in self.channels.values():
            if channel["is_im"] and channel["user"] == user:
                return channel
        channel = {"id": self.new_id("D"), "name": "", "is_im": True, "is_private": True,
                   "user": user, "members": [user], "bot_member": True, "archived": False}
        self.channels[channel["id"]] = channel
        self.messages[channel["id"]] = []
        return channel

    def message(self, channel, ts):
        for message in self.messages.get(channel, []):
            if message["ts"] == ts and not message.get("deleted"):
                return message
        return None

    def thread(self, channel, ts):
        return [m for m in self.messages[channel]
                if not m.get("deleted") and not m.get("ephemeral_for")
                and (m["ts"] == ts or m.get("thread_ts") == ts)]

    # -- messages -------------------------------------------------------------------------------
    def post(self, channel, **fields):
        message = {"type": "message", "channel": channel, "ts": self.new_ts()}
        message.update({k: v for k, v in fields.items() if v is not None})
        self.messages[channel].append(message)
        parent = message.get("thread_ts")
        if parent and not message.get("ephemeral_for"):
            root = self.message(channel, parent)
            if root:
                root["reply_count"] = root.get("reply_count", 0) + 1
                root.setdefault("thread_ts", parent)
        self.changed()
        return message

    def notice(self, user, channel, text, thread_ts=None):
        """Slack's own words to one person."""
        self.notices.append({"user": user, "channel": channel, "text": text, "at": time.time(),
                             "ts": self.new_ts(), "thread_ts": thread_ts})
        self.changed()

    # -- short-lived things ---------------------------------------------------------------------
    def new_trigger(self, user):
        trigger = f"{int(time.time())}.{next(self._ids)}.{secrets.token_hex(16)}"
        self.triggers[trigger] = {"user": user, "at": self.now(), "used": False}
        return trigger

    def new_response(self, channel, user, ts=None):
        path = f"{TEAM}/{next(self._ids)}/{secrets.token_hex(8)}"
        self.responses[path] = {"channel": channel, "user": user, "at": self.now(),
                                "uses": 0, "ts": ts}
        return path

    # -- what a person sees ---------------------------------------------------------------------
    def sees(self, user, channel):
        if not user:
            return True
        found = self.channels[channel]
        return user in found["members"]

    def state(self, user=None, brief=False):
        """brief: files are named, their content is left out."""
        channels = [c for c in self.channels.values() if self.sees(user, c["id"])]
        messages = {}
        for channel in channels:
            messages[channel["id"]] = [
                m if not brief or "files" not in m else
                dict(m, files=[dict(f, content=None) for f in m["files"]])
                for m in self.messages[channel["id"]]
                if not m.get("deleted")
                and (not user or m.get("ephemeral_for") in (None, user))]
        views = [{"view_id": i, "user": v["user"], "view": v["view"], "errors": v["errors"]}
                 for i, v in self.views.items() if not user or v["user"] == user]
        return {
            "seq": self.seq, "team": {"id": TEAM, "name": "Acme"},
            "me": self.people.get(user),
            "people": list(self.people.values()),
            "groups": list(self.groups.values()),
            "channels": channels, "messages": messages, "views": views,
            "notices": [n for n in self.notices if not user or n["user"] == user],
        }
