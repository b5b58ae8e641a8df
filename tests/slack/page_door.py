"""What the page of tests/slack/page/ needs beside the control door: its files, what a person says
in plain words, and news of mail."""

import asyncio
import os

import aiohttp
import yaml
from aiohttp import web

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = os.path.join(HERE, "page")
MANIFEST = os.path.join(HERE, "..", "..", "deploy", "slack-manifest.yaml")

# No script but the page's own runs, whatever a message or a mail holds.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; "
                               "img-src 'self' data: https: http:; frame-src 'self'; "
                               "object-src 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def read_manifest(command):
    """The app as Slack would show it: its command's words, and who may write to it."""
    with open(MANIFEST, encoding="utf-8") as file:
        features = yaml.safe_load(file)["features"]
    slash = features["slash_commands"][0]
    return {"name": features["bot_user"]["display_name"], "command": command,
            "description": slash["description"], "usage_hint": slash["usage_hint"],
            "read_only": features["app_home"].get("messages_tab_read_only_enabled", False)}


def escaped(text):
    """As a message keeps what a person typed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class PageDoor:
    def __init__(self, workspace, command, mails_url):
        self.space, self.command, self.mails_url = workspace, command, mails_url
        self.app = read_manifest(command)

    def routes(self):
        return [
            web.get("/", self.index), web.get("/archives/{channel}/{message}", self.archives),
            web.get("/page/{name}", self.file), web.get("/control/app", self.describe),
            web.post("/control/say", self.say), web.post("/control/direct", self.direct),
            web.get("/control/files/{file}", self.upload),
        ]

    # -- files ----------------------------------------------------------------------------------
    async def index(self, _):
        return web.FileResponse(os.path.join(FILES, "index.html"), headers=HEADERS)

    async def file(self, request):
        name = request.match_info["name"]
        path = os.path.join(FILES, name)
        if os.sep in name or name.startswith(".") or not os.path.isfile(path):
            raise web.HTTPNotFound()
        return web.FileResponse(path, headers=HEADERS)

    async def archives(self, request):
        """A permalink, as it stands in messages and mails: the page opens at that message."""
        channel, number = request.match_info["channel"], request.match_info["message"][1:]
        raise web.HTTPFound(f"/#{channel}/{number[:-6]}.{number[-6:]}")

    # -- what a person does ---------------------------------------------------------------------
    async def describe(self, _):
        return web.json_response(self.app)

    async def say(self, request):
        """A plain message of a person. What looks like a command that nobody has is answered as
        Slack does: privately, and nothing is posted."""
        body = await request.json()
        user, channel, text = body["user"], body["channel"], body["text"].strip()
        if user not in self.space.channels[channel]["members"] or not text:
            return web.json_response({"error": "not_in_channel" if text else "no_text"}, status=400)
        thread = body.get("thread_ts")
        if text.startswith("/"):
            word = text.split()[0]
            why = (f"{word} is not supported in threads. Sorry!" if thread else
                   f"{word} is not a valid command. The command here is {self.command}; "
                   f"to see what it can do, type: {self.command} help")
            self.space.notice(user, channel, why, thread)
            return web.json_response({"outcome": "no_command", "text": why})
        message = self.space.post(channel, user=user, text=escaped(text), thread_ts=thread)
        return web.json_response({"outcome": "posted", "ts": message["ts"]})

    async def direct(self, request):
        """Opens the app's direct messages, as a click on the app's name does."""
        body = await request.json()
        return web.json_response({"channel": self.space.im_of(body["user"])["id"]})

    async def upload(self, request):
        held = self.space.files.get(request.match_info["file"])
        if not held:
            raise web.HTTPNotFound()
        return web.json_response(held)

    # -- mail -----------------------------------------------------------------------------------
    async def watch_mail(self):
        """A mail is a change of what people see, though it never passes through Slack."""
        seq, url = -1, (self.mails_url or "").replace("/control/mails", "/control/wait")
        async with aiohttp.ClientSession() as session:
            while self.mails_url:
                try:
                    async with session.get(url, params={"seq": seq, "timeout": 20},
                                           timeout=aiohttp.ClientTimeout(30)) as answer:
                        now = (await answer.json())["seq"]
                except (aiohttp.ClientError, asyncio.TimeoutError, ValueError):
                    await asyncio.sleep(2)
                    continue
                if now != seq:
                    seq = now
                    self.space.changed()
