"""What the control plane does with workloads: the job controller, the scheduler, the garbage
collector, the clean-up of finished Jobs. One look at everything, many times a second."""

import base64
import copy
import random
import signal
import string
import time

from deployments import look_at_deployment
from kubelet import CannotStart, Kubelet


class Workloads:
    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.kubelet = Kubelet(folder, cluster.store)
        self.times = {}  # uid -> {word: time.monotonic() of it}

    # ---- words ----

    def all(self, resource):
        return [o for (r, _, _), o in list(self.cluster.store.items()) if r == resource]

    def pods_of(self, job):
        return [p for p in self.all("pods") if owner(p) == job["metadata"]["uid"]]

    def since(self, obj, word):
        """Seconds since this was first asked of this object under this word."""
        times = self.times.setdefault(obj["metadata"]["uid"], {})
        return time.monotonic() - times.setdefault(word, time.monotonic())

    def touch(self, resource, obj):
        self.cluster.touch(resource, obj)

    def event(self, obj, reason, message):
        """An Event about it; the same again only counts."""
        namespace = obj["metadata"]["namespace"]
        name = f"{obj['metadata']['name']}.{reason.lower()}"
        known = self.cluster.store.get(("events", namespace, name))
        if known:
            known["count"] += 1
            return
        self.cluster.put("events", {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {"kind": obj["kind"], "namespace": namespace,
                               "name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]},
            "reason": reason, "message": message, "type": "Warning", "count": 1})

    # ---- what the API does when one comes or goes ----

    @staticmethod
    def written(resource, obj):
        """What becomes of an object each time that it is written."""
        if resource == "secrets":
            for key, text in (obj.pop("stringData", None) or {}).items():
                obj.setdefault("data", {})[key] = base64.b64encode(text.encode()).decode()
            obj.setdefault("type", "Opaque")

    def created(self, resource, obj):
        """What an object gets as it comes in."""
        if resource == "jobs":
            uid = obj["metadata"]["uid"]
            labels = {"batch.kubernetes.io/controller-uid": uid, "controller-uid": uid,
                      "batch.kubernetes.io/job-name": obj["metadata"]["name"],
                      "job-name": obj["metadata"]["name"]}
            obj["spec"].setdefault("selector", {
                "matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
            metadata = obj["spec"]["template"].setdefault("metadata", {})
            metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
            obj.setdefault("status", {})
        elif resource == "deployments":
            obj["metadata"]["generation"] = 1
            obj["status"] = {}
        elif resource == "pods":
            obj["spec"].setdefault("serviceAccountName", "default")
            obj["spec"]["serviceAccount"] = obj["spec"]["serviceAccountName"]
            obj["status"] = {"phase": "Pending", "qosClass": "Burstable"}
        elif resource == "namespaces":
            self.cluster.put("serviceaccounts", {
                "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": obj["metadata"]["name"]}})

    def delete_job(self, job, policy):
        """True: it stays until its pods are gone."""
        if policy == "Orphan":
            for pod in self.pods_of(job):
                del pod["metadata"]["ownerReferences"]
        if policy == "Foreground":
            if not job["metadata"].get("deletionTimestamp"):
                job["metadata"].update(deletionTimestamp=self.cluster.now(),
                                       deletionGracePeriodSeconds=0,
                                       finalizers=["foregroundDeletion"])
                self.touch("jobs", job)
            for pod in self.pods_of(job):
                self.delete_pod(pod)
            return True
        return False

    def delete_pod(self, pod, grace=None):
        """It goes when its process has ended, or at once where there is none."""
        if grace is None:
            grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        metadata = pod["metadata"]
        if not metadata.get("deletionTimestamp"):
            metadata.update(deletionTimestamp=self.cluster.now(grace),
                            deletionGracePeriodSeconds=grace)
            self.touch("pods", pod)
            self.since(pod, "deleted")
            if not self.kubelet.lost:
                self.kubelet.signal(pod, signal.SIGTERM)

    # ---- a look at everything ----

    def look(self):
        for pod in self.all("pods"):
            self.look_at_pod(pod)
        for job in self.all("jobs"):
            self.look_at_job(job)
        for deployment in self.all("deployments"):
            look_at_deployment(self, deployment)

    def look_at_job(self, job):
        pods, metadata, status = self.pods_of(job), job["metadata"], job["status"]
        before = copy.deepcopy(status)
        if metadata.get("deletionTimestamp"):
            for pod in pods:
                self.delete_pod(pod)
            if not pods:
                self.cluster.remove("jobs", metadata["namespace"], metadata["name"])
            return
        if finished(job):
            keep = job["spec"].get("ttlSecondsAfterFinished")
            if keep is not None and self.since(job, "finished") >= keep:
                self.cluster.delete("jobs", metadata["namespace"], metadata["name"],
                                    {"propagationPolicy": "Foreground"})
            return
        status.setdefault("startTime", self.cluster.now())
        done = [p for p in pods if p["status"]["phase"] == "Succeeded"]
        failed = [p for p in pods if p["status"]["phase"] == "Failed"
                  or p["metadata"].get("deletionTimestamp")]
        live = [p for p in pods if p not in done and p not in failed]
        known = self.times.setdefault(metadata["uid"], {}).setdefault("failed", {})
        known.update({p["metadata"]["uid"]: 1 for p in failed})
        deadline = job["spec"].get("activeDeadlineSeconds")
        status.update(active=len(live), ready=sum(is_running(p) for p in live), terminating=0,
                      succeeded=len(done), failed=len(known), uncountedTerminatedPods={})
        if done:
            self.finish(job, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
        elif len(known) > job["spec"]["backoffLimit"]:
            self.finish(job, "Failed", "BackoffLimitExceeded",
                        "Job has reached the specified backoff limit")
        elif deadline is not None and self.since(job, "begun") >= deadline:
            for pod in live:
                self.delete_pod(pod)
            self.finish(job, "Failed", "DeadlineExceeded",
                        "Job was active longer than specified deadline")
        elif not live and not job["spec"].get("suspend") and self.make_pod(job):
            status["active"] = 1
        if status != before:
            job["status"] = {k: v for k, v in status.items() if v != 0 or k == "ready"}
            self.touch("jobs", job)

    def finish(self, job, kind, reason, message):
        self.since(job, "finished")
        status = job["status"]
        first = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[kind]
        at = self.cluster.now()
        status.update(active=0, ready=0)
        if kind == "Complete":
            status["completionTime"] = at
        status["conditions"] = [
            {"type": t, "status": "True", "reason": reason, "message": message, "lastProbeTime": at,
             "lastTransitionTime": at} for t in (first, kind)]

    def make_pod(self, of, labels=None):
        """A pod of a Job or a Deployment, or an Event that says why there is none."""
        metadata, template = of["metadata"], copy.deepcopy(of["spec"]["template"])
        namespace, spec = metadata["namespace"], template["spec"]
        name = metadata["name"] + "-" + "".join(random.choices(string.ascii_lowercase, k=5))
        account = spec.get("serviceAccountName") or "default"
        if ("serviceaccounts", namespace, account) not in self.cluster.store:
            return self.event(of, "FailedCreate", (
                f'Error creating: pods "{metadata["name"]}-" is forbidden: error looking up service '
                f'account {namespace}/{account}: serviceaccount "{account}" not found'))
        for quota in self.all("resourcequotas"):
            hard = ((quota.get("spec") or {}).get("hard") or {}).get("pods")
            used = sum(p["metadata"]["namespace"] == namespace and not is_over(p)
                       for p in self.all("pods"))
            if quota["metadata"]["namespace"] == namespace and hard is not None and used >= int(hard):
                return self.event(of, "FailedCreate", (
                    f'Error creating: pods "{name}" is forbidden: exceeded quota: '
                    f'{quota["metadata"]["name"]}, requested: pods=1, used: pods={used}, limited: '
                    f"pods={hard}"))
        pod = {"apiVersion": "v1", "kind": "Pod", "spec": spec, "metadata": {
            **template.get("metadata", {}), "generateName": f"{metadata['name']}-", "name": name,
            "namespace": namespace, "ownerReferences": [{
                "apiVersion": of["apiVersion"], "kind": of["kind"], "name": metadata["name"],
                "uid": metadata["uid"], "controller": True, "blockOwnerDeletion": True}]}}
        pod["metadata"]["labels"] = {**(pod["metadata"].get("labels") or {}), **(labels or {})}
        return self.cluster.put("pods", pod)

    def look_at_pod(self, pod):
        before = copy.deepcopy(pod["status"])
        if self.kubelet.lost:
            return
        code = self.kubelet.ended(pod) if self.kubelet.runs(pod) else None
        if code is not None:
            self.over(pod, "Completed" if code == 0 else "Error", code)
        elif pod["metadata"].get("deletionTimestamp"):
            if not self.kubelet.runs(pod):
                namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
                self.cluster.remove("pods", namespace, name)
            elif self.since(pod, "deleted") >= pod["metadata"]["deletionGracePeriodSeconds"]:
                self.kubelet.signal(pod, signal.SIGKILL)
            return
        elif not is_over(pod) and not self.kubelet.runs(pod):
            self.advance(pod)
        if pod["status"] != before:
            self.touch("pods", pod)

    def advance(self, pod):
        """One that does not run yet."""
        status, at = pod["status"], self.cluster.now()
        lacks = self.kubelet.lacks(pod)
        if lacks:
            status["conditions"] = [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "lastProbeTime": None, "lastTransitionTime": at,
                "message": f"0/1 nodes are available: 1 Insufficient {lacks}. preemption: 0/1 nodes "
                           "are available: 1 No preemption victims found for incoming pod."}]
            return
        pod["spec"]["nodeName"] = "node-1"
        status["conditions"] = [{"type": "PodScheduled", "status": "True", "lastProbeTime": None,
                                 "lastTransitionTime": at}]
        status.setdefault("startTime", at)
        try:
            process = self.kubelet.start(pod)
        except CannotStart as error:
            if error.reason == "StartError":
                return self.over(pod, error.reason, 128, error.message)
            reason = error.reason
            if reason == "ErrImagePull" and self.since(pod, "pulling") > 0.3:
                reason, error.message = "ImagePullBackOff", (
                    f'Back-off pulling image "{pod["spec"]["containers"][0]["image"]}"')
            return self.container(pod, {"waiting": {"reason": reason, "message": error.message}})
        if process:
            status["phase"] = "Running"
            self.container(pod, {"running": {"startedAt": at}}, ready=True)
        else:
            self.container(pod, {"waiting": {"reason": "ContainerCreating"}})
        return None

    def over(self, pod, reason, code, message=None):
        at = self.cluster.now()
        pod["status"]["phase"] = "Succeeded" if code == 0 else "Failed"
        self.container(pod, {"terminated": {
            "exitCode": code, "reason": reason, "startedAt": at, "finishedAt": at,
            **({"message": message} if message else {})}})

    @staticmethod
    def container(pod, state, ready=False):
        one = pod["spec"]["containers"][0]
        pod["status"]["containerStatuses"] = [{
            "name": one["name"], "image": one["image"], "imageID": "", "lastState": {},
            "ready": ready, "restartCount": 0, "started": ready, "state": state}]


def owner(obj):
    return ((obj["metadata"].get("ownerReferences") or [{}])[0]).get("uid")


def finished(job):
    return any(c["type"] in ("Complete", "Failed") and c["status"] == "True"
               for c in job["status"].get("conditions", []))


def is_over(pod):
    return pod["status"]["phase"] in ("Succeeded", "Failed")


def is_running(pod):
    return pod["status"]["phase"] == "Running"
