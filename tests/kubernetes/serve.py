#!/usr/bin/python3
"""A stand-in for a Kubernetes API server: its access rules, and the questions about them.

The API is HTTPS on one port; what tests change from outside (faults, tokens) is plain HTTP on
another, whose address stands in the ready file.
"""

import argparse
import asyncio
import json
import os
import signal
import ssl
import sys

from aiohttp import web

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

from api import Api  # noqa: E402
from authority import Authority  # noqa: E402
from cluster import Answered, Cluster, Refused  # noqa: E402

ACCOUNT = "system:serviceaccount:envbot:envbot"
ACCOUNT_GROUPS = ["system:serviceaccounts", "system:serviceaccounts:envbot"]


class Faults:
    """What the next calls of a path come to."""

    def __init__(self):
        self.waiting = []  # {kind, path, count, seconds, code, spares: the token of whom it never meets}
        self.lifted = asyncio.Event()

    def clear(self):
        self.waiting.clear()
        self.lifted.set()
        self.lifted = asyncio.Event()

    async def strike(self, request):
        for fault in self.waiting:
            if not request.path.startswith(fault.get("path", "/")) or \
                    fault.get("method", request.method) != request.method or \
                    request.headers.get("Authorization") == f"Bearer {fault.get('spares')}":
                continue
            fault["count"] = fault.get("count", 1) - 1
            if fault["count"] == 0:
                self.waiting.remove(fault)
            await self.play(fault, request)
            return fault["kind"] == "lost"
        return False

    async def play(self, fault, request):
        kind = fault["kind"]
        if kind == "lost":
            return  # it is done, and the answer does not arrive
        if kind == "slow":
            await asyncio.sleep(fault["seconds"])
        elif kind == "hold":  # until the faults are cleared
            await self.lifted.wait()
        elif kind == "hang":
            await asyncio.sleep(3600)
        elif kind == "cut":
            request.transport.abort()
        elif kind == "answer":
            raise Answered(fault["code"], fault["body"])
        elif kind == "status":
            words = {429: "too many requests, please try again later",
                     500: "etcdserver: request timed out"}
            raise Refused(fault["code"], words.get(fault["code"], "as the test wants it"),
                          retry_after=fault.get("retry_after"))
        else:
            raise Refused(500, f"there is no fault {kind}")


class StandIn:
    def __init__(self, folder, defined):
        self.folder = folder
        self.authority = Authority()
        self.cluster, self.faults = Cluster(folder), Faults()
        self.api = Api(self.cluster, self.faults, defined)
        self.cluster.tokens = {"admin-token": ("kubernetes-admin", ["system:masters"]),
                               "envbot-token-1": (ACCOUNT, ACCOUNT_GROUPS)}
        self.site = self.runner = self.port = None

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)
        return path

    def kubeconfig(self, name, user):
        """A kubeconfig of one user; JSON is YAML."""
        server = {"server": f"https://127.0.0.1:{self.port}",
                  "certificate-authority": os.path.join(self.folder, "ca.crt")}
        return self.write(name, json.dumps({
            "apiVersion": "v1", "kind": "Config", "preferences": {}, "current-context": "stand-in",
            "clusters": [{"name": "stand-in", "cluster": server}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "user"}}],
        }, indent=1))

    def write_files(self):
        self.write("ca.crt", self.authority.pem)
        for name in ("ca.crt", "account/ca.crt"):
            self.write(name, self.authority.pem)
        self.write("account/token", "envbot-token-1")
        self.write("account/namespace", "envbot")
        certificate, key = self.authority.issue("kubernetes-admin", ["system:masters"])
        self.write("admin.crt", certificate)
        self.write("admin.key", key)
        self.kubeconfig("admin.yaml", {"token": "admin-token"})
        self.kubeconfig("certificate.yaml",
                        {"client-certificate": os.path.join(self.folder, "admin.crt"),
                         "client-key": os.path.join(self.folder, "admin.key")})
        self.kubeconfig("envbot.yaml", {"tokenFile": os.path.join(self.folder, "account/token")})

    def tls(self):
        certificate, key = self.authority.issue("kube-apiserver", server=True)
        chain = self.write("server.pem", certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        context.load_verify_locations(cadata=self.authority.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    async def open(self):
        app = web.Application(client_max_size=3 << 20)
        app.router.add_get("/openapi/v2", self.api.openapi)
        app.router.add_route("*", "/{path:.*}", self.api.handle)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        self.context = self.tls()
        await self.come()

    async def come(self):
        """Listens, on the same port as before, unless it does."""
        if self.site and not self.api.away:
            return
        self.site = web.TCPSite(self.runner, "127.0.0.1", self.port or 0, ssl_context=self.context,
                                reuse_address=True, shutdown_timeout=0)
        await self.site.start()
        self.port = self.site._server.sockets[0].getsockname()[1]
        self.cluster.workloads.kubelet.port = self.port
        self.api.away = False

    async def go(self):
        """Connections are refused from now on, and those that there are end at their next word."""
        if not self.api.away:
            self.api.away = True
            self.site._server.close()
            self.runner._unreg_site(self.site)

    # ---- the tests' doors ----

    async def info(self, request):
        return web.json_response({"folder": self.folder, "port": self.port})

    async def change(self, request):
        """{fault: {…}} or {away: bool}, {token, user, groups}, {revoke: token}, {compact: true},
        {certificate: {name, groups}}."""
        wish = await request.json()
        if "fault" in wish:
            self.faults.waiting.append(wish["fault"])
        if wish.get("clear"):
            self.faults.clear()
        if "token" in wish:
            self.cluster.tokens[wish["token"]] = (wish["user"], wish.get("groups", []))
        if "revoke" in wish:
            self.cluster.tokens.pop(wish["revoke"], None)
        if wish.get("compact"):
            self.cluster.compacted = self.cluster.version + 1
        if "away" in wish:
            await (self.go() if wish["away"] else self.come())
        answer, kubelet = {}, self.cluster.workloads.kubelet
        if "image" in wish:
            kubelet.images[wish["image"]] = wish["runs"]
        kubelet.capacity.update(wish.get("capacity", {}))
        kubelet.lost = wish.get("lost", kubelet.lost)
        if "certificate" in wish:
            one = wish["certificate"]
            answer["certificate"], answer["key"] = self.authority.issue(one["name"], one["groups"])
        return web.json_response(answer)

    async def seen(self, request):
        return web.json_response({"calls": self.api.calls, "reviews": self.cluster.reviews,
                                  "processes": self.cluster.workloads.kubelet.history,
                                  "faults": self.faults.waiting})

    async def work(self):
        """The control plane and the node, until the end."""
        while True:
            self.cluster.workloads.look()
            await asyncio.sleep(0.05)

    def control(self):
        app = web.Application()
        app.router.add_get("/control/info", self.info)
        app.router.add_get("/control/seen", self.seen)
        app.router.add_post("/control/change", self.change)
        return app


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="kubeconfigs, certificates, the token")
    parser.add_argument("--defined", action="store_true", help="discovery knows envbot's resources")
    parser.add_argument("--ready-file")
    arguments = parser.parse_args()
    stand_in = StandIn(arguments.folder, arguments.defined)
    await stand_in.open()
    stand_in.write_files()
    runner = web.AppRunner(stand_in.control(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0)
    await site.start()
    url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    if arguments.ready_file:
        with open(arguments.ready_file + ".new", "w", encoding="utf-8") as file:
            json.dump({"url": url}, file)
        os.rename(arguments.ready_file + ".new", arguments.ready_file)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    work = asyncio.get_running_loop().create_task(stand_in.work())
    work.add_done_callback(lambda _: stop.set())  # a mistake of its own is seen
    await stop.wait()
    stand_in.cluster.workloads.kubelet.end_all()
    if work.done():
        work.result()


if __name__ == "__main__":
    asyncio.run(main())
