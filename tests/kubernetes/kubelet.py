"""What a node does: it starts a pod's container as a process here, watches it, and ends it.

An image is a program on this host and the environment that it brings. A volume is a folder; where
the container's environment and arguments name a path beneath its mount, they name that folder."""

import base64
import os
import re
import signal
import subprocess

from workload_shapes import quantity


class CannotStart(Exception):
    """The container waits, for this reason."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason, self.message = reason, message


class Kubelet:
    def __init__(self, folder, store):
        self.folder, self.store = folder, store
        self.images = {}    # image -> {"program": path, "env": {…}}
        self.capacity = {"cpu": "4", "memory": "8Gi"}
        self.lost = False   # the node does not answer any more
        self.port = None
        self.processes = {}  # a pod's uid -> Popen
        self.history = []    # every process that was started, for the tests

    # ---- what can be wrong before it starts ----

    def lacks(self, pod):
        """What the node has too little of for it, or ""."""
        wanted = {}
        for container in pod["spec"]["containers"]:
            for name, amount in (container["resources"].get("requests") or {}).items():
                wanted[name] = wanted.get(name, 0) + quantity(amount)
        for name, amount in wanted.items():
            if amount > quantity(self.capacity.get(name, "0")):
                return name
        return ""

    def image(self, container):
        name = container["image"]
        if not re.fullmatch(r"[a-z0-9][-a-z0-9._/:]*(:[-\w.]+)?(@sha256:[0-9a-f]{64})?", name):
            raise CannotStart("InvalidImageName", f'Failed to apply default image tag "{name}": '
                                                  "couldn't parse image name: invalid reference format")
        if not self.images.get(name):
            raise CannotStart("ErrImagePull", f'failed to pull and unpack image "{name}": failed to '
                                              f'resolve reference "{name}": {name}: not found')
        return self.images[name]

    def referred(self, pod, resource, kind, name, key, optional):
        obj = self.store.get((resource, pod["metadata"]["namespace"], name))
        if not obj:
            if optional:
                return None
            raise CannotStart("CreateContainerConfigError", f'{kind} "{name}" not found')
        value = (obj.get("data") or {}).get(key)
        if value is None:
            if optional:
                return None
            raise CannotStart("CreateContainerConfigError",
                              f"couldn't find key {key} in {kind.title()} "
                              f"{pod['metadata']['namespace']}/{name}")
        return base64.b64decode(value).decode() if resource == "secrets" else value

    def environment(self, pod, container, image, mounts):
        found = {**image.get("env", {}), "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                 "KUBERNETES_SERVICE_PORT": str(self.port), "HOSTNAME": pod["metadata"]["name"]}
        for one in container.get("envFrom") or []:
            for kind, resource in (("secretRef", "secrets"), ("configMapRef", "configmaps")):
                for key in (self.store.get((resource, pod["metadata"]["namespace"],
                                            (one.get(kind) or {}).get("name"))) or {}).get("data") or {}:
                    found[one.get("prefix", "") + key] = self.referred(
                        pod, resource, "secret", one[kind]["name"], key, False)
        for one in container.get("env") or []:
            value, source = one.get("value", ""), one.get("valueFrom") or {}
            for kind, resource, word in (("secretKeyRef", "secrets", "secret"),
                                         ("configMapKeyRef", "configmaps", "configmap")):
                if kind in source:
                    value = self.referred(pod, resource, word, source[kind]["name"],
                                          source[kind]["key"], source[kind].get("optional"))
            if "fieldRef" in source:
                value = pod
                for part in source["fieldRef"]["fieldPath"].split("."):
                    value = value[part]
            if value is not None:
                found[one["name"]] = inside(value, mounts)
        return found

    def mounts(self, pod, container):
        """{path in the container: folder here}. None while a volume is not to be had."""
        folder, made = os.path.join(self.folder, "pods", pod["metadata"]["uid"]), {}
        for volume in pod["spec"].get("volumes") or []:
            place = made[volume["name"]] = os.path.join(folder, volume["name"])
            os.makedirs(place, exist_ok=True)
            for kind, resource, key in (("configMap", "configmaps", "name"),
                                        ("secret", "secrets", "secretName")):
                if kind not in volume:
                    continue
                obj = self.store.get((resource, pod["metadata"]["namespace"], volume[kind][key]))
                if not obj and not volume[kind].get("optional"):
                    return None
                for name, text in ((obj or {}).get("data") or {}).items():
                    data = base64.b64decode(text) if kind == "secret" else text.encode()
                    with open(os.path.join(place, name), "wb") as file:
                        file.write(data)
        return {mount["mountPath"]: made[mount["name"]] for mount in container.get("volumeMounts") or []}

    def account_environment(self, pod, mounts):
        """What EKS' webhook gives the pods of an account that names a role."""
        account = self.store.get(("serviceaccounts", pod["metadata"]["namespace"],
                                  pod["spec"]["serviceAccountName"]))
        role = ((account or {}).get("metadata", {}).get("annotations") or {}).get(
            "eks.amazonaws.com/role-arn")
        if not role:
            return {}
        place = os.path.join(self.folder, "pods", pod["metadata"]["uid"], "aws-iam-token")
        os.makedirs(place, exist_ok=True)
        with open(os.path.join(place, "token"), "w", encoding="utf-8") as file:
            file.write("a token of the account")
        mounts["/var/run/secrets/eks.amazonaws.com/serviceaccount"] = place
        return {"AWS_ROLE_ARN": role, "AWS_WEB_IDENTITY_TOKEN_FILE": os.path.join(place, "token"),
                "AWS_DEFAULT_REGION": "eu-central-1", "AWS_REGION": "eu-central-1",
                "AWS_STS_REGIONAL_ENDPOINTS": "regional"}

    # ---- its life ----

    def start(self, pod):
        """Its process runs then. CannotStart, or None: a volume is not there yet."""
        container = pod["spec"]["containers"][0]
        if len(pod["spec"]["containers"]) > 1 or pod["spec"].get("initContainers"):
            raise CannotStart("CreateContainerError", "the stand-in runs one container a pod")
        image = self.image(container)
        security = {**pod["spec"].get("securityContext", {}), **(container.get("securityContext") or {})}
        if security.get("runAsNonRoot") and security.get("runAsUser", image.get("user", 0)) == 0:
            raise CannotStart("CreateContainerConfigError", "container has runAsNonRoot and image will "
                                                            "run as root")
        mounts = self.mounts(pod, container)
        if mounts is None:
            return None
        environment = {**self.account_environment(pod, mounts),
                       **self.environment(pod, container, image, mounts)}
        words = [inside(w, mounts) for w in (container.get("command") or []) +
                 (container.get("args") or [])]
        if not container.get("command"):
            words.insert(0, image["program"])
        elif words[0] in (os.path.basename(image["program"]), image["program"]):
            words[0] = image["program"]
        elif not os.path.isabs(words[0]) or not os.path.exists(words[0]):
            raise CannotStart("StartError", "failed to create containerd task: failed to create shim "
                                            f'task: OCI runtime create failed: exec: "{words[0]}": '
                                            "executable file not found in $PATH: unknown")
        folder = os.path.join(self.folder, "pods", pod["metadata"]["uid"])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "log"), "ab") as log:
            process = subprocess.Popen(words, env=environment, cwd=folder, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, start_new_session=True)
        self.processes[pod["metadata"]["uid"]] = process
        self.history.append({"pod": pod["metadata"]["name"], "pid": process.pid, "words": words,
                             "environment": environment, "mounts": mounts, "event": "started"})
        return process

    def ended(self, pod):
        """The exit code of its process, None while it runs. With the first process go the others:
        a container ends with it."""
        process = self.processes[pod["metadata"]["uid"]]
        code = process.poll()
        if code is None:
            return None
        for pid in session(process.pid):
            kill(pid, signal.SIGKILL)
        del self.processes[pod["metadata"]["uid"]]
        self.history.append({"pod": pod["metadata"]["name"], "pid": process.pid, "event": "ended",
                             "code": code})
        return code if code >= 0 else 128 - code

    def runs(self, pod):
        return pod["metadata"]["uid"] in self.processes

    def signal(self, pod, number):
        if self.runs(pod):
            kill(self.processes[pod["metadata"]["uid"]].pid, number)

    def log(self, pod):
        path = os.path.join(self.folder, "pods", pod["metadata"]["uid"], "log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def end_all(self):
        for process in self.processes.values():
            for pid in session(process.pid):
                kill(pid, signal.SIGKILL)


def inside(text, mounts):
    """The text, with a path beneath a mount made one of this host."""
    for path, folder in sorted(mounts.items(), key=lambda pair: -len(pair[0])):
        if text == path or text.startswith(path.rstrip("/") + "/"):
            return folder + text[len(path.rstrip("/")):]
    return text


def kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def session(leader):
    """The processes of a session: proc(5), field 6 of stat."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(entry))
    return found
