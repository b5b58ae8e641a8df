#!/usr/bin/python3
"""Starts the stand-in workspace: Web API, Socket Mode, control door and page on one port."""

import argparse
import asyncio
import json
import os
import signal
import sys

from aiohttp import web

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from control import Control  # noqa: E402
from faults import Faults  # noqa: E402
from kept import Kept  # noqa: E402
from page_door import PageDoor  # noqa: E402
from socket_mode import SocketMode  # noqa: E402
from web_api import WebApi  # noqa: E402
from workspace import Workspace  # noqa: E402


def build(arguments):
    space, faults = Workspace(), Faults()
    kept = Kept(arguments.state, space)
    socket = SocketMode(space)
    api = WebApi(space, socket, faults, relaxed=arguments.relaxed_limits)
    api.enterprise = arguments.enterprise
    control = Control(space, socket, api, faults, arguments.command, arguments.mails)
    page = PageDoor(space, arguments.command, arguments.mails)
    app = web.Application(client_max_size=8 << 20)
    app.add_routes([
        web.route("*", "/api/{method}", api.handle),
        web.get("/link/", socket.serve),
        web.post("/response/{path:.+}", api.respond),
        web.post("/upload/{file}", api.upload),
        *control.routes(), *page.routes(),
    ])
    return app, (socket, api, control, page, kept)


def tell_ready(path, url):
    if path:
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"url": url, "pid": os.getpid()}, file)
        os.rename(path + ".new", path)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--ready-file", help="gets {url, pid} when it listens")
    parser.add_argument("--state", help="a file that keeps people, channels and messages")
    parser.add_argument("--mails", help="where the stand-in AWS lists its mails")
    parser.add_argument("--command", default="/env")
    parser.add_argument("--enterprise", help="the organisation (E…) whose workspace this is")
    parser.add_argument("--relaxed-limits", action="store_true", help="never answer 429")
    arguments = parser.parse_args()
    app, parts = build(arguments)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", arguments.port, shutdown_timeout=1)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    socket, api, control, page, kept = parts
    socket.url, api.url, control.base = f"ws://127.0.0.1:{port}", url, url
    tell_ready(arguments.ready_file, url)
    print(url, flush=True)
    mail = asyncio.create_task(page.watch_mail())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await kept.until(stop)
    mail.cancel()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
