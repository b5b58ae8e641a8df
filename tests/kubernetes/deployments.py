"""The deployment controller: keeps as many pods of its template as a Deployment wants, and exchanges
them when the template changes, the new ones first. The real one puts a ReplicaSet in between."""

import hashlib
import json

HASH = "pod-template-hash"


def template_hash(deployment):
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def look_at_deployment(workloads, deployment):
    wanted, current = deployment["spec"]["replicas"], template_hash(deployment)
    pods = [p for p in workloads.pods_of(deployment) if not p["metadata"].get("deletionTimestamp")]
    mine = [p for p in pods if p["metadata"]["labels"].get(HASH) == current]
    old = [p for p in pods if p not in mine]
    # Here a pod that has ended goes, and another one comes; there its container is started again.
    for pod in [p for p in mine if p["status"]["phase"] in ("Succeeded", "Failed")]:
        workloads.delete_pod(pod)
        mine.remove(pod)
    ready = [p for p in mine if p["status"]["phase"] == "Running"]
    for pod in mine[wanted:] + (old if len(ready) >= wanted else []):
        workloads.delete_pod(pod)
    for _ in range(wanted - len(mine)):
        workloads.make_pod(deployment, {HASH: current})
    status = {"observedGeneration": deployment["metadata"].get("generation", 1), "replicas": len(pods),
              "updatedReplicas": len(mine), "readyReplicas": len(ready), "availableReplicas": len(ready)}
    if deployment["status"] != status:
        deployment["status"] = status
        workloads.touch("deployments", deployment)
