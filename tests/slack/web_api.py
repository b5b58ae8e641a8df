"""Slack's Web API: a table of methods, and one function a method.

Refusals carry Slack's own error names; each one that a sound program never gets is also kept as a
violation, so that the test which caused it can fail.
"""

import json
import time
from urllib.parse import urlsplit

from aiohttp import web

import blockkit
from workspace import (APP, APP_TOKEN, BOT, BOT_TOKEN, BOT_USER, TEAM)

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
    "invalid_post_type", "missing_charset", "invalid_json", "invalid_form_data",
    "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large", "invalid_trigger_id",
    "view_too_large", "missing_argument",
}


class WebApi:
    def __init__(self, workspace, socket_mode, faults, relaxed=False):
        self.workspace, self.socket_mode, self.faults = workspace, socket_mode, faults
        self.relaxed = relaxed
        self.calls, self.violations = [], []
        self.buckets = {}
        self.url = ""
        both, chat = (JSON, FORM), ("channel", "text", "blocks", "metadata", "thread_ts",
                                    "unfurl_links", "unfurl_media", "reply_broadcast", "mrkdwn",
                                    "attachments", "username", "icon_emoji", "parse", "link_names")
        self.methods = {
            "apps.connections.open": Method(self.connections_open, None, both, token="app"),
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
            "conversations.history": Method(self.history, "channels:history", both, ("channel",),
                                            ("limit", "cursor", "latest", "oldest", "inclusive",
                                             "include_all_metadata")),
            "conversations.replies": Method(self.replies, "channels:history", (FORM,),
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
                answer["errors"] = [m.replace("[ERROR] ", "") for m in refusal.messages]
                answer["response_metadata"] = {"messages": refusal.messages}
            status, headers = refusal.status, refusal.headers
            if refusal.error in MISTAKES and not (fault and fault.get("do") == "error"):
                self.violations.append({"method": name, "error": refusal.error,
                                        "reasons": refusal.messages, "arguments": arguments})
        self.calls.append({"at": started, "method": name, "arguments": arguments,
                           "status": status, "answer": answer})
        self.workspace.changed()
        if fault and fault["do"] in ("lose", "reset"):
            request.transport.close()
            raise web.HTTPInternalServerError()
        if fault and fault["do"] == "status":
            return web.Response(status=fault["status"], text="")
        return web.json_response(answer, status=status, headers=headers)

    async def arguments(self, request, method):
        content = request.headers.get("Content-Type", "")
        kind = content.split(";")[0].strip().lower()
        body = await request.text()
        warning = None
        arguments = {k: v for k, v in request.query.items()}
        if kind == "application/json":
            if JSON not in method.content and body.strip() not in ("", "{}"):
                # Slack reads no arguments from JSON here; what it misses is what it says.
                return arguments, "missing_charset"
            if "charset" not in content.lower():
                warning = "missing_charset"
            try:
                parsed = json.loads(body or "{}")
            except ValueError:
                raise Refusal("invalid_json")
            if not isinstance(parsed, dict):
                raise Refusal("json_not_object")
            arguments.update(parsed)
        elif kind == "application/x-www-form-urlencoded":
            if "charset" in content.lower():
                warning = "superfluous_charset"
            arguments.update(await request.post())
            for key in ("blocks", "view", "metadata", "files", "attachments"):
                if isinstance(arguments.get(key), str):
                    try:
                        arguments[key] = json.loads(arguments[key])
                    except ValueError:
                        raise Refusal("invalid_blocks_format" if key == "blocks"
                                      else "invalid_arguments")
        elif body:
            raise Refusal("invalid_post_type" if not kind else "invalid_form_data")
        return arguments, warning

    def check_token(self, request, arguments, method):
        if method.token == "none":
            return
        header = request.headers.get("Authorization", "")
        token = header[7:] if header.startswith("Bearer ") else arguments.pop("token", None)
        if not token:
            raise Refusal("not_authed")
        if token not in (APP_TOKEN, BOT_TOKEN):
            raise Refusal("invalid_auth")
        if (token == APP_TOKEN) != (method.token == "app"):
            raise Refusal("not_allowed_token_type")
        if method.scope and method.scope not in self.workspace.scopes:
            raise Refusal("missing_scope", needed=method.scope,
                          provided=",".join(sorted(self.workspace.scopes)))

    def check_arguments(self, arguments, method):
        for key in arguments:
            if key not in method.known and key not in ("token", "team_id", "debug_reconnects"):
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
            if space.people[wanted]["deleted"] or wanted == BOT_USER:
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

    def content(self, arguments, most_text=40000):
        text, blocks = arguments.get("text"), arguments.get("blocks")
        if blocks is not None:
            errors = blockkit.check_blocks(blocks)
            if errors:
                raise Refusal("invalid_blocks", errors)
        if not text and not blocks and not arguments.get("attachments"):
            raise Refusal("no_text")
        if text and len(text) > most_text:
            raise Refusal("msg_too_long")
        metadata = arguments.get("metadata")
        if metadata is not None and metadata != {}:
            if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
                raise Refusal("invalid_metadata_format")
            for key, value in metadata["event_payload"].items():
                if value is None or not key[:1].islower():
                    raise Refusal("invalid_metadata_schema")
            if len(json.dumps(metadata)) > 8000:
                raise Refusal("metadata_too_large")
        return text, blocks, metadata

    @staticmethod
    def with_ids(blocks):
        if blocks is None:
            return None
        return [dict(b, block_id=b.get("block_id") or f"b{i}") for i, b in enumerate(blocks)]

    # -- methods --------------------------------------------------------------------------------
    def connections_open(self, _):
        return {"url": self.socket_mode.new_url()}

    def auth_test(self, _):
        return {"url": "https://acme.slack.com/", "team": "Acme", "user": "envbot",
                "team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT,
                "is_enterprise_install": False, "app_id": APP}

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
        text, blocks, _ = self.content(arguments)
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
        number = arguments["message_ts"].replace(".", "")
        return {"channel": channel["id"],
                "permalink": f"{self.url}/archives/{channel['id']}/p{number}"}

    def conversations_open(self, arguments):
        users = str(arguments.get("users") or "").split(",")
        if not users[0]:
            raise Refusal("users_list_not_supplied")
        if len(users) > 1:
            raise Refusal("too_many_users")
        person = self.workspace.people.get(users[0])
        if not person:
            raise Refusal("user_not_found")
        if person["deleted"]:
            raise Refusal("user_disabled")
        return {"channel": {"id": self.workspace.im_of(users[0])["id"]}}

    def page(self, arguments, items):
        limit = min(int(arguments.get("limit") or 100), 999)
        start = int(arguments.get("cursor") or 0)
        more = start + limit < len(items)
        metadata = str(arguments.get("include_all_metadata")).lower() in ("1", "true")
        shown = [m if metadata else {k: v for k, v in m.items() if k != "metadata"}
                 for m in items[start:start + limit]]
        return {"messages": shown, "has_more": more,
                "response_metadata": {"next_cursor": str(start + limit) if more else ""}}

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
        channel = self.channel(arguments["channel"])
        if not channel["bot_member"]:
            raise Refusal("not_in_channel")
        items = [m for m in reversed(self.workspace.messages[channel["id"]])
                 if not m.get("deleted") and not m.get("ephemeral_for")
                 and m.get("thread_ts", m["ts"]) == m["ts"]]
        return self.page(arguments, self.between(arguments, items))

    def replies(self, arguments):
        channel = self.channel(arguments["channel"])
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
        return {"members": list(channel["members"]), "response_metadata": {"next_cursor": ""}}

    def user(self, person):
        shown = {k: v for k, v in person.items() if k != "email"}
        shown["profile"] = {"real_name": person["real_name"], "display_name": person["name"]}
        if person.get("email") and "users:read.email" in self.workspace.scopes:
            shown["profile"]["email"] = person["email"]
        return shown

    def users_info(self, arguments):
        person = self.workspace.people.get(arguments["user"])
        if not person:
            raise Refusal("user_not_found")
        return {"user": self.user(person)}

    def users_by_email(self, arguments):
        for person in self.workspace.people.values():
            if person.get("email") == arguments["email"] and not person["deleted"]:
                return {"user": self.user(person)}
        raise Refusal("users_not_found")

    def usergroups_list(self, arguments):
        users = str(arguments.get("include_users")).lower() in ("1", "true")
        disabled = str(arguments.get("include_disabled")).lower() in ("1", "true")
        shown = []
        for group in self.workspace.groups.values():
            if group["date_delete"] and not disabled:
                continue
            entry = {k: v for k, v in group.items() if k != "users"}
            entry.update(team_id=TEAM, is_usergroup=True, user_count=str(len(group["users"])))
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
        if time.monotonic() - trigger["at"] > 3:
            raise Refusal("expired_trigger_id")
        trigger["used"] = True
        view_id = self.workspace.new_id("V")
        view.update(id=view_id, team_id=TEAM, app_id=APP, bot_id=BOT, hash=f"h.{view_id}",
                    root_view_id=view_id, previous_view_id=None, app_installed_team_id=TEAM,
                    state={"values": {}})
        self.workspace.views[view_id] = {"user": trigger["user"], "view": view, "errors": {}}
        return {"view": view}

    def views_update(self, arguments):
        held = self.workspace.views.get(arguments.get("view_id"))
        if not held:
            raise Refusal("not_found")
        if arguments.get("hash") and arguments["hash"] != held["view"]["hash"]:
            raise Refusal("hash_conflict")
        view = self.view(arguments["view"])
        held["view"].update(view)
        held["view"]["hash"] += "+"
        return {"view": held["view"]}

    def upload_url(self, arguments):
        if int(arguments["length"]) <= 0:
            raise Refusal("invalid_arguments")
        file_id = self.workspace.new_id("F")
        self.workspace.files[file_id] = {"id": file_id, "name": arguments["filename"],
                                         "length": int(arguments["length"]), "content": None}
        return {"upload_url": f"{self.url}/upload/{file_id}", "file_id": file_id}

    async def upload(self, request):
        held = self.workspace.files.get(request.match_info["file"])
        body = await request.read()
        if not held or held["content"] is not None or len(body) != held["length"]:
            return web.Response(status=400, text="bad upload")
        held["content"] = body.decode("utf-8", "replace")
        return web.Response(text=f"OK - {len(body)}")

    def upload_complete(self, arguments):
        done = []
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
            raise Refusal("invalid_arguments")
        kind = given[0]
        value = arguments[kind]
        if isinstance(value, str):
            value = json.loads(value)
        errors = (blockkit.check_view(value) if kind == "view" else
                  blockkit.check_blocks(value if kind == "blocks" else value.get("blocks", [])))
        if errors:
            raise Refusal(f"invalid_{kind}", errors)
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
        if time.monotonic() - held["at"] > 30 * 60:
            return web.Response(status=404, text="expired_url")
        if held["uses"] >= 5:
            return web.Response(status=404, text="used_url")
        held["uses"] += 1
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.Response(status=400, text="invalid_payload")
        if body.get("blocks") and blockkit.check_blocks(body["blocks"]):
            self.violations.append({"method": "response_url", "error": "invalid_blocks",
                                    "reasons": blockkit.check_blocks(body["blocks"]),
                                    "arguments": body})
            return web.Response(status=400, text="invalid_blocks")
        self.apply_response(held, body)
        self.calls.append({"at": time.time(), "method": "response_url", "arguments": body,
                           "status": 200, "answer": "ok"})
        return web.Response(text="ok")

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


def path_of(url):
    return urlsplit(url).path
