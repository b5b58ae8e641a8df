"""The tests' hand on the stand-in API server."""

import json
import os
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request

KINDS = {"Namespace": "namespaces", "ServiceAccount": "serviceaccounts", "Secret": "secrets",
         "ConfigMap": "configmaps", "ResourceQuota": "resourcequotas", "Role": "roles",
         "RoleBinding": "rolebindings", "Job": "jobs", "ClusterRole": "clusterroles",
         "ClusterRoleBinding": "clusterrolebindings", "Deployment": "deployments",
         "PodDisruptionBudget": "poddisruptionbudgets"}
GROUPS = {**dict.fromkeys([*KINDS.values(), "pods"], "api/v1"), "jobs": "apis/batch/v1",
          "deployments": "apis/apps/v1", "poddisruptionbudgets": "apis/policy/v1",
          **dict.fromkeys(["roles", "rolebindings", "clusterroles", "clusterrolebindings"],
                          "apis/rbac.authorization.k8s.io/v1")}


class Kubernetes:
    def __init__(self, url, kubectl=None):
        self.url = url
        info = self.get("/control/info")
        self.folder, self.port = info["folder"], info["port"]
        self.server = f"https://127.0.0.1:{self.port}"
        self.context = None
        self.program = kubectl or os.environ.get("ENVBOT_KUBECTL") or shutil.which("kubectl")

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def change(self, **wish):
        request = urllib.request.Request(self.url + "/control/change", json.dumps(wish).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def fault(self, kind, count=1, **more):
        """The next calls: slow (seconds), hold (until well()), hang, cut, status (code, retry_after).
        count=-1: all."""
        self.change(fault={"kind": kind, "count": count, **more})

    def well(self):
        self.change(clear=True)

    def away(self):
        self.change(away=True)

    def back(self):
        self.change(away=False)

    def seen(self):
        return self.get("/control/seen")

    def reviews(self):
        return self.seen()["reviews"]

    def path(self, name):
        return os.path.join(self.folder, name)

    def kubectl(self, *words, config="admin.yaml", text=None):
        """A run of kubectl, which somebody else wrote."""
        home = self.path("home")
        os.makedirs(home, exist_ok=True)
        return subprocess.run(
            [self.program, "--kubeconfig", self.path(config), "--cache-dir", home, *words],
            input=text, text=True, capture_output=True, timeout=120,
            env={"HOME": home, "PATH": os.environ["PATH"]})

    def ask(self, method, path, body=None):
        """(status, answer) of a call with all rights; a small part of what a kubectl costs."""
        self.context = self.context or ssl.create_default_context(cafile=self.path("ca.crt"))
        request = urllib.request.Request(
            self.server + path, json.dumps(body).encode() if body else None, method=method,
            headers={"Authorization": "Bearer admin-token", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20, context=self.context) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def items(self, kind, namespace):
        """What there is of "jobs" or "pods"."""
        code, found = self.ask("GET", f"/{GROUPS[kind]}/namespaces/{namespace}/{kind}")
        assert code == 200, found
        return found["items"]

    def make(self, *documents):
        """Creates them, or replaces those that are there."""
        for document in documents:
            kind, metadata = KINDS[document["kind"]], document["metadata"]
            within = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
            path = f"/{GROUPS[kind]}{within}/{kind}"
            code, found = self.ask("POST", path, document)
            if code == 409:
                code, found = self.ask("PUT", f"{path}/{metadata['name']}", document)
            assert code in (200, 201), found

    def delete(self, kind, namespace, name):
        code, found = self.ask("DELETE", f"/{GROUPS[kind]}/namespaces/{namespace}/{kind}/{name}")
        assert code == 200, found

    def apply(self, *paths):
        """kubectl apply -f of each path; a path that begins with a line break is a manifest."""
        for path in paths:
            text = path if "\n" in path else None
            run = self.kubectl("apply", "-f", "-" if text else path, text=text)
            assert run.returncode == 0, run.stderr
