"""Slack's Web API: a table of methods, and one function a method.

Refusals carry Slack's own error names; each one that a sound program never gets is also kept as a
violation, so that the test which caused it can fail.
"""

import base64
import json
import re
import time

from aiohttp import web

import blockkit
from workspace import APP, APP_TOKEN, BOT, BOT_TOKEN, BOT_USER, TEAM

JSON, FORM = "json", "form"


class Refusal(Exception):
    """An answer with ok:false."""

    def __init__(self, error, messages=None, status=200, headers=None, **more):
        super().__init__(error)
        self.error, self.messages, self.status = error, messages or [], status
        self.headers, self.more = headers or {}, more


class Method:
    def __init__(self, run, scope=None, content=(FORM,), required=(), known=(), token="bot",
                 per_minute=50, burst=30):
        self.run, self.scope, self.content = run, scope, content
        self.required, self.known, self.token = required, tuple(required) + tuple(known), token
        self.per_minute, self.burst = per_minute, burst


# Refusals that tell of a mistake in the program, not of the world.
MISTAKES = {
    "invalid_blocks", "invalid_blocks_format", "invalid_arguments", "invalid_arg_name", "no_text",
    "msg_too_long", "unknown_method", "not_authed", "not_allowed_token_type", "missing_scope",
    "invalid_post_type", "missing_post_type", "invalid_json", "json_not_object", "invalid_form_data",
    "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large", "invalid_trigger_id",
    "view_too_large", "invalid_attachments", "insecure_request", "invalid_cursor", "invalid_limit",
    "invalid_thread_ts",
}

# What a channel of a kind asks of whoever reads it.
HISTORY = {"public": "channels:history", "private": "groups:history", "im": "im:history"}
TS = re.compile(r"[0-9]{1,12}\.[0-9]{6}")
METADATA_KEY = re.compile(r"[a-z][a-z0-9_]*")
MOST_TEXT = 40_000  # longer ones are cut


class WebApi:
    def __init__(self, workspace, socket_mode, faults, relaxed=False):
        self.workspace, self.socket_mode, self.faults = workspace, socket_mode, faults
        self.relaxed = relaxed
        self.enterprise = None  # the organisation (E…) whose workspace this is
        self.calls = []
        self.buckets = {}
        self.url = ""
        both, chat = (JSON, FORM), ("channel", "text", "blocks", "metadata", "thread_ts",
                                    "unfurl_links", "unfurl_media", "reply_broadcast", "mrkdwn",
                                    "attachments", "username", "icon_emoji", "parse", "link_names")
        self.methods = {
            "apps.connections.open": Method(self.connections_open, "connections:write", (FORM,),
                                            token="app"),
            "auth.test": Method(self.auth_test, None, both, per_minute=600, burst=600),
            "api.test": Method(lambda a: {}, None, both, per_minute=600, burst=600),
            "chat.postMessage": Method(self.post_message, "chat:write", both, ("channel",), chat,
                                       per_minute=600, burst=600),
            "chat.update": Method(self.update, "chat:write", both, ("channel", "ts"),
                                  ("text", "blocks", "metadata", "attachments", "link_names",
                                   "parse", "reply_broadcast")),
            "chat.postEphemeral": Method(self.post_ephemeral, "chat:write", both,
                                         ("channel", "user"), ("text", "blocks", "thread_ts",
                                                               "attachments", "link_names"),
                                         per_minute=100, burst=60),
            "chat.delete": Method(self.delete, "chat:write", both, ("channel", "ts")),
            "chat.getPermalink": Method(self.permalink, None, (FORM,), ("channel", "message_ts"),
                                        per_minute=600, burst=600),
            "conversations.open": Method(self.conversations_open, "im:write", both, (),
                                         ("users", "channel", "return_im", "prevent_creation")),
            "conversations.history": Method(self.history, None, both, ("channel",),
                                            ("limit", "cursor", "latest", "oldest", "inclusive",
                                             "include_all_metadata")),
            "conversations.replies": Method(self.replies, None, (FORM,),
                                            ("channel", "ts"),
                                            ("limit", "cursor", "latest", "oldest", "inclusive",
                                             "include_all_metadata")),
            "conversations.info": Method(self.conversations_info, "channels:read", (FORM,),
                                         ("channel",), ("include_num_members",)),
            "conversations.members": Method(self.conversations_members, "channels:read", (FORM,),
                                            ("channel",), ("limit", "cursor"), per_minute=100),
            "users.info": Method(self.users_info, "users:read", (FORM,), ("user",),
                                 ("include_locale",), per_minute=100, burst=60),
            "users.lookupByEmail": Method(self.users_by_email, "users:read.email", (FORM,),
                                          ("email",)),
            "usergroups.list": Method(self.usergroups_list, "usergroups:read", (FORM,), (),
                                      ("include_users", "include_disabled", "include_count",
                                       "team_id"), per_minute=20, burst=20),
            "usergroups.users.list": Method(self.usergroups_users, "usergroups:read", (FORM,),
                                            ("usergroup",), ("include_disabled", "team_id"),
                                            per_minute=20, burst=20),
            "views.open": Method(self.views_open, None, both, ("view", "trigger_id"), (),
                                 per_minute=100, burst=60),
            "views.update": Method(self.views_update, None, both, ("view",),
                                   ("view_id", "external_id", "hash"), per_minute=100, burst=60),
            "files.getUploadURLExternal": Method(self.upload_url, "files:write", (FORM,),
                                                 ("filename", "length"), ("alt_txt",
                                                                          "snippet_type"),
                                                 per_minute=100),
            "files.completeUploadExternal": Method(self.upload_complete, "files:write", both,
                                                   ("files",), ("channel_id", "thread_ts",
                                                                "initial_comment", "channels"),
                                                   per_minute=100),
            "blocks.validate": Method(self.validate, None, both, (), ("blocks", "message", "view"),
                                      token="none"),
        }

    # -- the frame of a call --------------------------------------------------------------------
    async def handle(self, request):
        name = request.match_info["method"]
        started = time.time()
        arguments, status, headers = {}, 200, {}
        fault = None
        try:
            method = self.methods.get(name)
            if not method:
                raise Refusal("unknown_method")
            if request.method not in ("POST", "GET"):
                raise Refusal("invalid_post_type")
            if request.method == "GET" and method.token == "app":
                raise Refusal("insecure_request")
            arguments, warning = await self.arguments(request, method)
            fault = self.faults.take(name, arguments)
            if fault:
                await self.faults.before(fault, Refusal)
            self.check_token(request, arguments, method)
            self.check_arguments(arguments, method)
            self.limit(name, method)
            answer = method.run(arguments)
            answer = {"ok": True, **answer}
            if warning:
                answer["warning"] = warning
                answer["response_metadata"] = {"warnings": [warning]}
        except Refusal as refusal:
            answer = {"ok": False, "error": refusal.error, **refusal.more}
            if refusal.messages:
                answer.setdefault("errors", [m.replace("[ERROR] ", "") for m in refusal.messages])
                answer["response_metadata"] = {"messages": refusal.messages}
            status, headers = refusal.status, refusal.headers
            if refusal.error in MISTAKES and not (fault and fault.get("do") == "error"):
                self.workspace.violation(name, refusal.error, refusal.messages, arguments)
        self.calls.append({"at": started, "method": name, "arguments": arguments,
                           "status": status, "answer": answer})
        self.workspace.changed()
        if fault and fault["do"] in ("lose", "reset"):
            request.transport.close()
            raise web.HTTPInternalServerError()
        if fault and fault["do"] == "status" and fault["status"] != 429:
            return web.Response(status=fault["status"], text="", headers=headers)
        return web.json_response(answer, status=status, headers=headers)

    async def arguments(self, request, method):
        content = request.headers.get("Content-Type", "")
        kind = content.split(";")[0].strip().lower()
        warning = None
        arguments = {k: v for k, v in request.query.items() if k != "token"}
        if kind == "application/json":
            if "charset" not in content.lower():
                warning = "missing_charset"
            try:
                parsed = json.loads(await request.text() or "{}")
            except ValueError:
                raise Refusal("invalid_json")
            if not isinstance(parsed, dict):
                raise Refusal("json_not_object")
            if JSON not in method.content and parsed:
                # Slack reads nothing here and goes on without; a program never means that.
                raise Refusal("invalid_arguments",
                              ["[ERROR] this method reads its arguments from a form alone"])
            arguments.update(parsed)
        elif kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            if "charset" in content.lower():
                warning = "superfluous_charset"
            arguments.update(await request.post())
            for key in ("blocks", "view", "metadata", "files", "attachments", "message"):
                if isinstance(arguments.get(key), str):
                    try:
                        arguments[key] = json.loads(arguments[key])
                    except ValueError:
                        raise Refusal("invalid_blocks_format" if key == "blocks"
                                      else "invalid_arguments")
        elif await request.text():
            raise Refusal("invalid_post_type" if kind else "missing_post_type")
        return arguments, warning

    def check_token(self, request, arguments, method):
        if method.token == "none":
            return
        header, held = request.headers.get("Authorization", ""), arguments.pop("token", None)
        token = header[7:] if header.startswith("Bearer ") else held
        if not token:
            raise Refusal("not_authed")
        if token not in (APP_TOKEN, BOT_TOKEN):
            raise Refusal("invalid_auth")
        if (token == APP_TOKEN) != (method.token == "app"):
            raise Refusal("not_allowed_token_type")
        self.need(method.scope, self.workspace.app_scopes if method.token == "app" else None)

    def need(self, scope, scopes=None):
        scopes = self.workspace.scopes if scopes is None else scopes
        if scope and scope not in scopes:
            raise Refusal("missing_scope", needed=scope, provided=",".join(sorted(scopes)))

    def check_arguments(self, arguments, method):
        for key in arguments:
            if key not in method.known and key not in ("team_id", "debug_reconnects"):
                raise Refusal("invalid_arg_name", [f"[ERROR] unknown argument: {key}"])
        for key in method.required:
            if arguments.get(key) in (None, ""):
                raise Refusal("channel_not_found" if key == "channel" else "invalid_arguments",
                              [f"[ERROR] missing required field: {key}"])

    def limit(self, key, method=None, per_minute=None, burst=None):
        """A token bucket; Slack counts per method, workspace and app."""
        if self.relaxed:
            return
        per_minute = per_minute or method.per_minute
        burst = burst or method.burst
        now = time.monotonic()
        level, at = self.buckets.get(key, (burst, now))
        level = min(burst, level + (now - at) * per_minute / 60)
        if level < 1:
            self.buckets[key] = (level, now)
            wait = max(1, int((1 - level) * 60 / per_minute + 0.999))
            raise Refusal("ratelimited", status=429, headers={"Retry-After": str(wait)})
        self.buckets[key] = (level - 1, now)

    # -- common checks --------------------------------------------------------------------------
    def channel(self, wanted, posting=False):
        """The channel; a user's id is their direct message."""
        space = self.workspace
        if wanted in space.people:
            if space.people[wanted].get("deleted") or wanted == BOT_USER:
                raise Refusal("channel_not_found")
            return space.im_of(wanted)
        channel = space.channels.get(wanted)
        if not channel or (channel["is_private"] and not channel["bot_member"]):
            raise Refusal("channel_not_found")
        if posting and channel["archived"]:
            raise Refusal("is_archived")
        if posting and not channel["bot_member"] and "chat:write.public" not in space.scopes:
            raise Refusal("not_in_channel")
        if posting and channel.get("error"):
            raise Refusal(channel["error"])
        return channel

    def content(self, arguments, most_text=None):
        """Text, blocks and metadata of a message, checked. most_text: longer ones are refused;
        without it they are cut, as chat.postMessage does."""
        text, blocks = arguments.get("text"), arguments.get("blocks")
        attachments = arguments.get("attachments")
        if blocks is not None:
            errors = blockkit.check_blocks(blocks)
            if errors:
                raise Refusal("invalid_attachments" if blockkit.is_second_table(errors)
                              else "invalid_blocks", errors)
        if attachments is not None:
            errors = blockkit.check_attachments(attachments)
            if errors:
                raise Refusal("invalid_attachments", errors)
        if not text and not blocks and not attachments:
            raise Refusal("no_text")
        if text is not None and not isinstance(text, str):
            raise Refusal("invalid_arguments", ["[ERROR] must be a string [json-pointer:/text]"])
        if text and most_text and len(text) > most_text:
            raise Refusal("msg_too_long")
        if arguments.get("thread_ts") and not TS.fullmatch(str(arguments["thread_ts"])):
            raise Refusal("invalid_thread_ts")
        return text and text[:MOST_TEXT], blocks, self.metadata(arguments.get("metadata"))

    @staticmethod
    def metadata(metadata):
        """{event_type, event_payload}; the payload's values are scalars, one level of an object, or
        an array of such objects, and never null."""
        def scalar(value):
            return isinstance(value, (str, int, float, bool))

        def flat(value):
            return scalar(value) or isinstance(value, dict) and keyed(value, scalar)

        def keyed(value, fine):
            return all(METADATA_KEY.fullmatch(k) and fine(v) for k, v in value.items())

        def fine(value):
            return all(map(flat, value)) if isinstance(value, list) else flat(value)

        if metadata is None or metadata == {}:
            return metadata
        if (not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}
                or not isinstance(metadata["event_type"], str) or not metadata["event_type"]
                or not isinstance(metadata["event_payload"], dict)):
            raise Refusal("invalid_metadata_format")
        if not keyed(metadata["event_payload"], fine):
            raise Refusal("invalid_metadata_schema")
        if len(json.dumps(metadata)) > 8000:
            raise Refusal("metadata_too_large")
        return metadata

    @staticmethod
    def with_ids(blocks):
        if blocks is None:
            return None
        return [dict(b, block_id=b.get("block_id") or f"b{i}") for i, b in enumerate(blocks)]

    # -- methods --------------------------------------------------------------------------------
    def connections_open(self, _):
        return {"url": self.socket_mode.new_url()}

    def auth_test(self, _):
        grid = {"enterprise_id": self.enterprise} if self.enterprise else {}
        return {"url": "https://acme.slack.com/", "team": "Acme", "user": "envbot",
                "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT,
                "is_enterprise_install": False, "app_id": APP, **grid}

    def post_message(self, arguments):
        channel = self.channel(arguments["channel"], posting=True)
        text, blocks, metadata = self.content(arguments)
        thread = arguments.get("thread_ts")
        self.limit(f"post:{channel['id']}", per_minute=60, burst=8)
        message = self.workspace.post(
            channel["id"], user=BOT_USER, bot_id=BOT, app_id=APP, text=text or "",
            blocks=self.with_ids(blocks), metadata=metadata, thread_ts=thread)
        return {"channel": channel["id"], "ts": message["ts"], "message": message}

    def own_message(self, arguments):
        channel = self.workspace.channels.get(arguments["channel"])
        if not channel:
            raise Refusal("channel_not_found")
        message = self.workspace.message(channel["id"], arguments["ts"])
        if not message or message.get("ephemeral_for"):
            raise Refusal("message_not_found")
        if message.get("bot_id") != BOT:
            raise Refusal("cant_update_message")
        return channel, message

    def update(self, arguments):
        channel, message = self.own_message(arguments)
        text, blocks, metadata = self.content(arguments, 4000)
        message["text"] = text or ""
        message.pop("blocks", None)  # text without blocks takes the blocks away
        if blocks is not None:
            message["blocks"] = self.with_ids(blocks)
        if metadata == {}:
            message.pop("metadata", None)
        elif metadata is not None:
            message["metadata"] = metadata
        message["edited_at"] = time.time()
        return {"channel": channel["id"], "ts": message["ts"], "text": message["text"],
                "message": message}

    def post_ephemeral(self, arguments):
        channel = self.channel(arguments["channel"], posting=True)
        if arguments["user"] not in channel["members"]:
            raise Refusal("user_not_in_channel")
        text, blocks, _ = self.content(arguments, MOST_TEXT)
        message = self.workspace.post(
            channel["id"], user=BOT_USER, bot_id=BOT, text=text or "",
            blocks=self.with_ids(blocks), ephemeral_for=arguments["user"],
            thread_ts=arguments.get("thread_ts"))
        return {"message_ts": message["ts"]}

    def delete(self, arguments):
        channel, message = self.own_message(arguments)
        message["deleted"] = True
        return {"channel": channel["id"], "ts": message["ts"]}

    def permalink(self, arguments):
        channel = self.channel(arguments["channel"])
        if not self.workspace.message(channel["id"], arguments["message_ts"]):
            raise Refusal("message_not_found")
        message = self.workspace.message(channel["id"], arguments["message_ts"])
        link = f"{self.url}/archives/{channel['id']}/p{message['ts'].replace('.', '')}"
        if message.get("thread_ts", message["ts"]) != message["ts"]:
            link += f"?thread_ts={message['thread_ts']}&cid={channel['id']}"
        return {"channel": channel["id"], "permalink": link}

    def conversations_open(self, arguments):
        users = [u for u in str(arguments.get("users") or "").split(",") if u]
        if not users:
            raise Refusal("users_list_not_supplied")
        if len(users) > 8:
            raise Refusal("too_many_users")
        if len(users) > 1:
            self.need("mpim:write")
        for user in users:
            person = self.workspace.people.get(user)
            if not person:
                raise Refusal("user_not_found")
            if person.get("deleted"):
                raise Refusal("user_disabled")
            if person.get("is_bot"):
                raise Refusal("cannot_dm_bot")
        known = any(c["is_im"] and c["user"] == users[0] for c in self.workspace.channels.values())
        answer = {"channel": {"id": self.workspace.im_of(users[0])["id"]}}
        return {**answer, "no_op": True, "already_open": True} if known else answer

    @staticmethod
    def slice(arguments, items):
        """One page of the items, and the cursor of the next: opaque, "" at the end."""
        try:
            limit = int(arguments.get("limit") or 100)
        except ValueError:
            limit = 0
        if not 1 <= limit <= 999:
            raise Refusal("invalid_limit")
        start = 0
        if arguments.get("cursor"):
            try:
                kind, _, number = base64.b64decode(arguments["cursor"],
                                                   validate=True).decode().partition(":")
                start = int(number)
            except ValueError:
                raise Refusal("invalid_cursor")
            if kind != "next_offset":
                raise Refusal("invalid_cursor")
        more = start + limit < len(items)
        cursor = base64.b64encode(f"next_offset:{start + limit:08d}".encode()).decode()
        return items[start:start + limit], more, cursor if more else ""

    def page(self, arguments, items):
        found, more, cursor = self.slice(arguments, items)
        metadata = str(arguments.get("include_all_metadata")).lower() in ("1", "true")
        shown = [m if metadata else {k: v for k, v in m.items() if k != "metadata"} for m in found]
        return {"messages": shown, "has_more": more,
                "response_metadata": {"next_cursor": cursor}}

    def readable(self, arguments):
        channel = self.channel(arguments["channel"])
        self.need(HISTORY["im" if channel["is_im"] else
                          "private" if channel["is_private"] else "public"])
        return channel

    def between(self, arguments, items):
        oldest, latest = arguments.get("oldest"), arguments.get("latest")
        inclusive = str(arguments.get("inclusive")).lower() in ("1", "true")
        kept = []
        for message in items:
            ts = float(message["ts"])
            if oldest and (ts < float(oldest) or (ts == float(oldest) and not inclusive)):
                continue
            if latest and (ts > float(latest) or (ts == float(latest) and not inclusive)):
                continue
            kept.append(message)
        return kept

    def history(self, arguments):
        channel = self.readable(arguments)
        if not channel["bot_member"]:
            raise Refusal("not_in_channel")
        items = [m for m in reversed(self.workspace.messages[channel["id"]])
                 if not m.get("deleted") and not m.get("ephemeral_for")
                 and m.get("thread_ts", m["ts"]) == m["ts"]]
        return self.page(arguments, self.between(arguments, items))

    def replies(self, arguments):
        channel = self.readable(arguments)
        items = self.workspace.thread(channel["id"], arguments["ts"])
        if not items:
            raise Refusal("thread_not_found")
        parent, rest = items[0], items[1:]
        return self.page(arguments, [parent] + self.between(arguments, rest))

    def conversations_info(self, arguments):
        channel = self.channel(arguments["channel"])
        return {"channel": {"id": channel["id"], "name": channel["name"],
                            "is_private": channel["is_private"],
                            "is_archived": channel["archived"],
                            "is_member": channel["bot_member"]}}

    def conversations_members(self, arguments):
        channel = self.channel(arguments["channel"])
        members, _, cursor = self.slice(arguments, list(channel["members"]))
        return {"members": members, "response_metadata": {"next_cursor": cursor}}

    def user(self, person):
        shown = {k: v for k, v in person.items() if k != "email" and v is not None}
        shown["profile"] = {"real_name": person["real_name"], "display_name": person["name"]}
        if person.get("email") and "users:read.email" in self.workspace.scopes:
            shown["profile"]["email"] = person["email"]
        if self.enterprise and person["team_id"] == TEAM:
            shown.setdefault("enterprise_user", {
                "id": person["id"], "enterprise_id": self.enterprise, "enterprise_name": "Acme",
                "is_admin": False, "is_owner": False, "teams": [TEAM]})
        return shown

    def users_info(self, arguments):
        person = self.workspace.people.get(arguments["user"])
        if not person:
            raise Refusal("user_not_found")
        if person.get("error"):
            raise Refusal(person["error"])
        return {"user": self.user(person)}

    def users_by_email(self, arguments):
        for person in self.workspace.people.values():
            if person.get("email") == arguments["email"] and not person.get("deleted"):
                return {"user": self.user(person)}
        raise Refusal("users_not_found")

    def usergroups_list(self, arguments):
        users = str(arguments.get("include_users")).lower() in ("1", "true")
        disabled = str(arguments.get("include_disabled")).lower() in ("1", "true")
        count = str(arguments.get("include_count")).lower() in ("1", "true")
        shown = []
        for group in self.workspace.groups.values():
            if group["date_delete"] and not disabled:
                continue
            entry = {k: v for k, v in group.items() if k != "users"}
            entry.update(team_id=TEAM, is_usergroup=True)
            if count:
                entry["user_count"] = str(len(group["users"]))  # a text, as Slack writes it
            if users:
                entry["users"] = list(group["users"])
            shown.append(entry)
        return {"usergroups": shown}

    def usergroups_users(self, arguments):
        group = self.workspace.groups.get(arguments["usergroup"])
        if not group:
            raise Refusal("no_such_subteam")
        return {"users": list(group["users"])}

    def view(self, view):
        errors = blockkit.check_view(view)
        if errors:
            raise Refusal("invalid_arguments", errors)
        if len(json.dumps(view)) > 250_000:
            raise Refusal("view_too_large")
        view = dict(view, blocks=self.with_ids(view["blocks"]))
        view.setdefault("private_metadata", "")
        view.setdefault("callback_id", "")
        return view

    def views_open(self, arguments):
        trigger = self.workspace.triggers.get(arguments["trigger_id"])
        view = self.view(arguments["view"])
        if not trigger:
            raise Refusal("invalid_trigger_id")
        if trigger["used"]:
            raise Refusal("exchanged_trigger_id")
        if self.workspace.now() - trigger["at"] > 3:
            raise Refusal("expired_trigger_id")
        trigger["used"] = True
        return {"view": self.show_view(trigger["user"], view)}

    def show_view(self, user, view, previous=None):
        """Puts a checked view before a person, above `previous` where it was pushed."""
        view_id = self.workspace.new_id("V")
        view.update(id=view_id, team_id=TEAM, app_id=APP, bot_id=BOT, hash=f"h.{view_id}",
                    root_view_id=previous["root_view_id"] if previous else view_id,
                    previous_view_id=previous and previous["id"], app_installed_team_id=TEAM,
                    state={"values": {}})
        self.workspace.views[view_id] = {"user": user, "view": view, "errors": {}}
        return view

    def views_update(self, arguments):
        wanted = arguments.get("view_id")
        if arguments.get("external_id"):
            wanted = next((i for i, v in self.workspace.views.items()
                           if v["view"].get("external_id") == arguments["external_id"]), None)
        held = self.workspace.views.get(wanted)
        if not held:
            raise Refusal("not_found")
        if arguments.get("hash") and arguments["hash"] != held["view"]["hash"]:
            raise Refusal("hash_conflict")
        view = self.view(arguments["view"])
        held["view"].update(view)
        held["view"]["hash"] += "+"
        return {"view": held["view"]}

    def upload_url(self, arguments):
        if not str(arguments["length"]).isdigit() or int(arguments["length"]) < 1:
            raise Refusal("invalid_arguments", ["[ERROR] length must be more than 0"])
        file_id = self.workspace.new_id("F")
        self.workspace.files[file_id] = {"id": file_id, "name": arguments["filename"],
                                         "length": int(arguments["length"]), "content": None}
        return {"upload_url": f"{self.url}/upload/{file_id}", "file_id": file_id}

    async def upload(self, request):
        held = self.workspace.files.get(request.match_info["file"])
        if request.content_type == "multipart/form-data":  # as Slack's own SDKs send it
            fields = list((await request.post()).values())
            body = fields[0].file.read() if len(fields) == 1 and hasattr(fields[0], "file") else b""
        else:
            body = await request.read()
        if not held or held["content"] is not None or len(body) != held["length"]:
            return web.Response(status=400, text="bad upload")
        held["content"] = body.decode("utf-8", "replace")
        return web.Response(text=f"OK - {len(body)}")

    def upload_complete(self, arguments):
        done = []
        if not isinstance(arguments["files"], list) or not arguments["files"]:
            raise Refusal("invalid_arguments", ["[ERROR] files must be an array"])
        for entry in arguments["files"]:
            held = self.workspace.files.get(entry.get("id"))
            if not held or held["content"] is None:
                raise Refusal("file_not_found")
            held["title"] = entry.get("title") or held["name"]
            done.append(held)
        if arguments.get("channel_id"):
            channel = self.channel(arguments["channel_id"], posting=True)
            self.workspace.post(channel["id"], user=BOT_USER, bot_id=BOT,
                                text=arguments.get("initial_comment") or "", files=done,
                                thread_ts=arguments.get("thread_ts"))
        return {"files": [{"id": f["id"], "title": f["title"]} for f in done]}

    def validate(self, arguments):
        given = [k for k in ("blocks", "message", "view") if k in arguments]
        if len(given) != 1:
            raise Refusal("invalid_arguments", ["[ERROR] one of blocks, message and view"])
        kind = given[0]
        value = arguments[kind]
        if isinstance(value, str):
            value = json.loads(value)
        root = "" if kind != "message" else "/blocks"
        errors = (blockkit.check_view(value, "") if kind == "view" else
                  blockkit.check_blocks(value if kind == "blocks" else value.get("blocks", []),
                                        root=root))
        if errors:
            raise Refusal(f"invalid_{kind}", errors=[blockkit.as_object(e) for e in errors])
        return {}

    # -- response_url ---------------------------------------------------------------------------
    async def respond(self, request):
        held = self.workspace.responses.get(request.match_info["path"])
        fault = self.faults.take("response_url", {})
        if fault:
            try:
                await self.faults.before(fault, Refusal)
            except Refusal as refusal:
                return web.Response(status=refusal.status if refusal.status != 200 else 500,
                                    text=refusal.error)
        if not held:
            return web.Response(status=404, text="invalid_url")
        if self.workspace.now() - held["at"] > 30 * 60:
            return web.Response(status=404, text="expired_url")
        if held["uses"] >= 5:
            return web.Response(status=404, text="used_url")
        held["uses"] += 1
        text = await request.text()
        error, reasons = self.response_error(text)
        if error:
            self.workspace.violation("response_url", error, reasons, text)
            return web.Response(status=400, text=error)
        body = json.loads(text)
        self.apply_response(held, body)
        self.calls.append({"at": time.time(), "method": "response_url", "arguments": body,
                           "status": 200, "answer": "ok"})
        return web.Response(text="ok")

    @staticmethod
    def response_error(text):
        """What is wrong with an answer to a response_url: (name, reasons), or (None, [])."""
        try:
            body = json.loads(text)
        except ValueError:
            return "invalid_payload", []
        known = {"response_type", "text", "blocks", "attachments", "replace_original",
                 "delete_original", "thread_ts", "metadata", "unfurl_links", "unfurl_media", "mrkdwn"}
        if not isinstance(body, dict) or set(body) - known:
            return "invalid_payload", [f"unknown: {sorted(set(body) - known)}"]
        if body.get("response_type", "ephemeral") not in ("ephemeral", "in_channel"):
            return "invalid_payload", ["response_type"]
        errors = blockkit.check_blocks(body["blocks"]) if body.get("blocks") is not None else []
        if errors:
            return "invalid_blocks", errors
        if not body.get("text") and not body.get("blocks") and not body.get("delete_original"):
            return "no_text", []
        return None, []

    def apply_response(self, held, body):
        space = self.workspace
        message = held["ts"] and space.message(held["channel"], held["ts"])
        if message and body.get("delete_original"):
            message["deleted"] = True
        elif message and body.get("replace_original"):
            message["text"] = body.get("text", "")
            message["blocks"] = self.with_ids(body.get("blocks"))
        else:
            ephemeral = body.get("response_type", "ephemeral") == "ephemeral"
            space.post(held["channel"], user=BOT_USER, bot_id=BOT, text=body.get("text", ""),
                       blocks=self.with_ids(body.get("blocks")),
                       ephemeral_for=held["user"] if ephemeral else None,
                       thread_ts=body.get("thread_ts"))
        space.changed()
