"""Jobs as pods of a stand-in cluster, and what goes wrong with it: pods are deleted, its node is full or
does not answer, its API server fails, hangs, throttles, loses its answers and is away."""

import http.client
import os

from company import ROOT, Program, load
from test_kubernetes_jobs import IMAGE, configured, grant, provide, refused, secret

CAPACITY = {"cpu": "64", "memory": "128Gi"}


class Pods:
    def __init__(self, folder):
        ready, place = os.path.join(folder, "kubernetes.ready"), os.path.join(folder, "kubernetes")
        self.program = Program([os.path.join(ROOT, "tests", "kubernetes", "serve.py"), "--folder", place,
                                "--ready-file", ready], ready, os.path.join(folder, "kubernetes.log"))
        self.api = load("kubernetes").Kubernetes(self.program.url)
        grant(self.api)
        provide(self.api)
        self.api.change(capacity=CAPACITY)

    def options(self):
        return {"jobs.launcher": "kubernetes", "jobs.kubernetes.image": IMAGE,
                "jobs.kubernetes.kubeconfig": self.api.path("envbot.yaml"),
                "jobs.kubernetes.patience": "5s"}

    def move_in(self, config, url):
        """What the pods need: the bots' configuration without the secrets, and the way to the database."""
        with open(config, encoding="utf-8") as file:
            configured(self.api, file.read().replace(f"  url: {url}\n", "").replace(
                "slack:\n", "slack:\n  app_token_file: /etc/envbot/slack-app-token\n"))
        secret(self.api, url)

    def well(self):
        self.api.well()
        self.api.change(lost=False, capacity=CAPACITY)
        self.api.back()

    def wrong(self):
        """What the bots asked that their Role does not give, as sentences."""
        for call in refused(self.api):
            if call["refused"]["code"] == 403:
                yield f"the bot asked the API server for {call}"

    def stop(self):
        self.program.stop()


# ---- the kinds of trouble: as those of trouble.py ----
def delete_pod(t, draw):
    api = t.world.pods.api
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": draw.choice([0, 1, 5])}
    try:
        there = [p["metadata"]["name"] for p in api.items("pods", "envbot")
                 if (p.get("status") or {}).get("phase") in ("Pending", "Running")]
        name = draw.choice(there) if there else None
        code = name and api.ask("DELETE", f"/api/v1/namespaces/envbot/pods/{name}", options)[0]
    except (OSError, http.client.HTTPException):
        return None  # the API server is away
    return name if code == 200 else None


def api_fault(t, draw):
    fault = draw.choice([
        {"kind": "status", "code": 429, "retry_after": 1}, {"kind": "status", "code": 500},
        {"kind": "status", "code": 403}, {"kind": "status", "code": 503}, {"kind": "cut"},
        {"kind": "lost", "method": "POST"}, {"kind": "lost", "method": "DELETE"}, {"kind": "hang"},
        {"kind": "slow", "seconds": round(draw.uniform(0.5, 4), 1)}])
    count = draw.randint(1, 4)
    t.world.pods.api.fault(path="/apis/batch/v1" if draw.random() < 0.6 else "/api", count=count,
                         spares="admin-token", **fault)
    return f"{fault} {count}"


def api_away(t, draw):
    seconds = draw.uniform(0.5, 6)
    t.world.pods.api.away()
    t.later(seconds, t.world.pods.api.back)
    return f"{seconds:.1f} s"


def node_lost(t, draw):
    seconds = draw.uniform(2, 10)
    t.world.pods.api.change(lost=True)
    t.later(seconds, lambda: t.world.pods.api.change(lost=False))
    return f"{seconds:.1f} s"


def node_full(t, draw):
    seconds = draw.uniform(1, 8)
    t.world.pods.api.change(capacity={"cpu": "0"})
    t.later(seconds, lambda: t.world.pods.api.change(capacity=CAPACITY))
    return f"{seconds:.1f} s"


KINDS = ((delete_pod, 8), (api_fault, 14), (api_away, 3), (node_lost, 3), (node_full, 3))
