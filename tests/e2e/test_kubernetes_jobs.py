"""The launcher kubernetes: each run of eksctl is a Job of a cluster, and its pod a real process."""

import base64
import json
import os

import pytest
from built import built
from company import ROOT
from told import assert_nothing_twice, thread

ROLE = os.path.join(ROOT, "deploy", "kubernetes", "jobs.yaml")
IMAGE = "registry.example/envbot:1"
JOBS = "/apis/batch/v1/namespaces/envbot/jobs"


@pytest.fixture
def cluster(kubernetes, monkeypatch):
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    kubernetes.apply(ROLE)
    provide(kubernetes)
    return kubernetes


def provide(k, image=IMAGE):
    k.change(image=image, runs={"program": built("envbot"), "user": 65532,
                                "env": {"PATH": os.environ["PATH"]}})


@pytest.fixture
def working(cluster, company):
    """A company whose jobs run in the cluster: what they need is there as a person would put it."""
    def make(**options):
        c = company(options={"jobs.launcher": "kubernetes", "jobs.kubernetes.image": IMAGE,
                             "jobs.kubernetes.kubeconfig": cluster.path("envbot.yaml"),
                             "jobs.kubernetes.patience": "2s", **options})
        with open(c.config, encoding="utf-8") as file:
            configured(cluster, file.read().replace(f"  url: {c.database.url}\n", ""))
        secret(cluster, c.database.url)
        return c
    return make


def configured(k, text):
    k.apply("\n" + json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": {"envbot.yaml": text},
                               "metadata": {"name": "envbot", "namespace": "envbot"}}))


def secret(k, url):
    k.apply("\n" + json.dumps({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                               "data": {"url": base64.b64encode(url.encode()).decode()},
                               "metadata": {"name": "envbot-database", "namespace": "envbot"}}))


def ask(c, name="demo"):
    assert c.slack.type("U0DEV", "C0GEN", f"create small {name}")["outcome"] == "acked"


def jobs(k):
    found = k.kubectl("get", "jobs", "-n", "envbot", "-o", "json")
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)["items"]


def pods(k):
    return json.loads(k.kubectl("get", "pods", "-n", "envbot", "-o", "json").stdout)["items"]


def processes(k, event="started"):
    return [p for p in k.seen()["processes"] if p["event"] == event]


def calls(k):
    """What the bot asked the API server: (verb, resource)."""
    return [(c["verb"], c["resource"]) for c in k.seen()["calls"]
            if c.get("by") == "system:serviceaccount:envbot:envbot"]


def refused(k):
    return [c for c in k.seen()["calls"] if c.get("refused")
            and c.get("by") == "system:serviceaccount:envbot:envbot"]


def test_the_whole_story_runs_as_jobs_of_a_cluster(cluster, working):
    c = working()
    c.serve()
    ask(c)
    c.approve("demo")
    c.wait_state("demo", "ready", seconds=60)
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted", seconds=60)
    c.settle()
    assert thread(c, "demo") == ["requested", "approved", "ready", "deleting", "gone"]
    assert_nothing_twice(c)
    assert c.eksctl.clusters() == []

    made = jobs(cluster)
    create, delete = c.database.query("SELECT id, kind FROM jobs ORDER BY id")
    assert [j["metadata"]["name"] for j in made] == \
        [f"envbot-job-{create['id']}-1", f"envbot-job-{delete['id']}-1"]
    job = made[0]
    assert job["metadata"]["labels"]["envbot.dev/owner"] == "U0DEV"
    assert job["metadata"]["labels"]["envbot.dev/kind"] == "create"
    assert job["spec"]["backoffLimit"] == 0 and job["spec"]["ttlSecondsAfterFinished"] == 3600
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never" and pod["serviceAccountName"] == "envbot-job"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["containers"][0]["resources"]["limits"]

    # No secret stands in the manifest, and the pod gets those that it needs.
    kept = cluster.kubectl("get", "configmaps,jobs,pods", "-n", "envbot", "-o", "json").stdout
    assert c.database.url not in kept and "xoxb" not in kept
    first = processes(cluster)[0]
    assert first["words"][1:] == ["job", str(create["id"])]
    assert first["environment"]["ENVBOT_DATABASE_URL"] == c.database.url
    assert not [n for n in first["environment"] if "SLACK" in n]
    assert first["environment"]["AWS_ROLE_ARN"].endswith(":role/envbot-job")
    # eksctl had the pod's rights in AWS, and a home of its own in the pod's volume, which is gone.
    call = c.eksctl.calls("create")[0]
    assert {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} <= set(call["environment"])
    assert not [n for n in call["environment"] if n.startswith(("SLACK", "ENVBOT", "DATABASE"))]
    assert "AWS_SECRET_ACCESS_KEY" not in call["environment"]  # that is the bot's
    assert os.listdir(first["mounts"]["/work"]) == []

    # It asked for nothing that its Role does not give.
    assert refused(cluster) == []
    assert set(calls(cluster)) == {("create", "jobs"), ("list", "jobs"), ("list", "pods")}
