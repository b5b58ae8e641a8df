"""The launcher kubernetes: each run of eksctl is a Job of a cluster, and its pod a real process."""

import json
import os
import shutil
import signal

import pytest
import yaml
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
    grant(kubernetes)
    provide(kubernetes)
    return kubernetes


def grant(k):
    """What the manifest gives the bot and its jobs."""
    with open(ROLE, encoding="utf-8") as file:
        k.make(*yaml.safe_load_all(file))


def provide(k, image=IMAGE):
    k.change(image=image, runs={"program": built("envbot"), "user": 65532,
                                "env": {"PATH": os.environ["PATH"]}})


@pytest.fixture
def working(cluster, company):
    """A company whose jobs run in the cluster: what they need is there as a person would put it."""
    def make(templates=None, **options):
        c = company(options={"jobs.launcher": "kubernetes", "jobs.kubernetes.image": IMAGE,
                             "jobs.kubernetes.kubeconfig": cluster.path("envbot.yaml"),
                             "jobs.kubernetes.patience": "2s", **options},
                    templates=templates)
        with open(c.config, encoding="utf-8") as file:
            # As the bot has it, but for the database's address; that file is on no pod.
            configured(cluster, file.read().replace(f"  url: {c.database.url}\n", "").replace(
                "slack:\n", "slack:\n  app_token_file: /etc/envbot/slack-app-token\n"))
        secret(cluster, c.database.url)
        return c
    return make


def configured(k, text):
    k.make({"apiVersion": "v1", "kind": "ConfigMap", "data": {"envbot.yaml": text},
            "metadata": {"name": "envbot", "namespace": "envbot"}})


def secret(k, url):
    k.make({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "stringData": {"url": url},
            "metadata": {"name": "envbot-database", "namespace": "envbot"}})


def ask(c, name="demo"):
    assert c.slack.type("U0DEV", "C0GEN", f"create small {name}")["outcome"] == "acked"


def jobs(k):
    return k.items("jobs", "envbot")


def pods(k):
    return k.items("pods", "envbot")


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
    kept = json.dumps([cluster.items(kind, "envbot") for kind in ("configmaps", "jobs", "pods")])
    assert c.database.url not in kept and "xoxb" not in kept
    first = processes(cluster)[0]
    assert first["words"][1:] == ["job", str(create["id"])]
    assert first["environment"]["ENVBOT_DATABASE_URL"] == c.database.url
    assert not [n for n in first["environment"] if "SLACK" in n]
    assert first["environment"]["AWS_ROLE_ARN"].endswith(":role/envbot-job")
    assert first["environment"]["ENVBOT_CONFIG"] == os.path.join(first["mounts"]["/config"], "envbot.yaml")
    # eksctl had the pod's rights in AWS, and a home of its own in the pod's volume, which is gone.
    call = c.eksctl.calls("create")[0]
    assert {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"} <= set(call["environment"])
    assert not [n for n in call["environment"] if n.startswith(("SLACK", "ENVBOT", "DATABASE"))]
    assert "AWS_SECRET_ACCESS_KEY" not in call["environment"]  # that is the bot's
    assert os.listdir(first["mounts"]["/work"]) == []

    # It asked for nothing that its Role does not give.
    assert refused(cluster) == []
    assert set(calls(cluster)) == {("create", "jobs"), ("list", "jobs"), ("list", "pods")}


# ---- pods that cannot start ----

def operators(c):
    return [m["text"] for m in c.slack.messages("C0OPS") if "cannot start" in m["text"]]


def held_up(c, name):
    """What the environment's thread says of what is in the way."""
    channel, ts, _ = c.message(name)
    return [m["text"] for m in c.slack.thread(channel, ts) if "cannot start yet" in m["text"]]


def wait_held_up(c, name, words, count=1):
    c.slack.wait_for(lambda: any(words in text for text in held_up(c, name)) and
                     len(held_up(c, name)) == count,
                     f"the thread of {name} says “{words}”: {held_up(c, name)}", 30)


def test_a_pod_that_cannot_start_is_told_once_and_goes_on_when_it_can(cluster, working):
    c = working(**{"jobs.kubernetes.patience": "1s"})
    cluster.change(image=IMAGE, runs=None)  # nobody has pushed it yet
    url = c.database.url
    cluster.delete("secrets", "envbot", "envbot-database")
    c.serve()
    c.serve()
    for name in ("one", "two"):
        ask(c, name)
        c.approve(name)
    for name in ("one", "two"):
        wait_held_up(c, name, "cannot be fetched")
    c.settle()
    assert "It starts in a moment" not in json.dumps(c.message("one")[2])
    assert "Something keeps it from starting" in c.message("one")[2]["text"]
    # Both are held up by the same: the operators hear of it once, in the cluster's own words.
    assert len(operators(c)) == 1, operators(c)
    assert "jobs.kubernetes.image" in operators(c)[0] and IMAGE in operators(c)[0]
    provide(cluster)
    for name in ("one", "two"):
        wait_held_up(c, name, "is set up with is missing", 2)
    c.settle()
    assert len(operators(c)) == 2 and 'secret "envbot-database" not found' in operators(c)[1]
    secret(cluster, url)
    for name in ("one", "two"):
        c.wait_state(name, "ready", seconds=60)

    c.settle()
    assert thread(c, "one") == ["requested", "approved", "held-up", "held-up", "ready"]
    assert_nothing_twice(c)
    assert len(operators(c)) == 2 and len(jobs(cluster)) == 2
    assert len(c.eksctl.calls("create")) == 2


def test_a_cluster_without_room_is_told_and_waited_for(cluster, working):
    c = working(**{"jobs.kubernetes.patience": "1s"})
    cluster.change(capacity={"cpu": "10m"})
    c.serve()
    ask(c)
    c.approve("demo")
    wait_held_up(c, "demo", "has no room")
    assert "Insufficient cpu" in operators(c)[0]
    cluster.change(capacity={"cpu": "4"})
    c.wait_state("demo", "ready", seconds=60)
    cluster.make({"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"pods": 0}},
                  "metadata": {"name": "none", "namespace": "envbot"}})
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    wait_held_up(c, "demo", "makes no pod", 2)
    cluster.delete("resourcequotas", "envbot", "none")
    c.wait_state("demo", "deleted", seconds=60)
    c.settle()
    assert thread(c, "demo") == ["requested", "approved", "held-up", "ready", "deleting", "held-up", "gone"]
    assert len(jobs(cluster)) == 2


def test_a_pod_that_ends_before_it_takes_the_job_is_tried_again_and_kept(cluster, working):
    c = working(**{"jobs.kubernetes.patience": "1s"})
    secret(cluster, "postgresql://nobody@127.0.0.1:1/nothing")
    c.serve()
    ask(c)
    c.approve("demo")
    wait_held_up(c, "demo", "ended before it began")
    assert "envbot-job-1-1: exit code 1" in operators(c)[0]
    secret(cluster, c.database.url)
    c.wait_state("demo", "ready", seconds=60)
    names = [j["metadata"]["name"] for j in jobs(cluster)]
    assert names[0] == "envbot-job-1-1" and names[-1].startswith("envbot-job-1-1-")
    first = next(p["metadata"]["name"] for p in pods(cluster)
                 if p["metadata"]["labels"]["job-name"] == "envbot-job-1-1")
    log = cluster.kubectl("logs", first, "-n", "envbot").stdout
    assert "the job cannot be begun" in log
    assert c.database.one("SELECT attempts FROM jobs") == 1


# ---- an API server that is not well ----

def test_nothing_is_started_twice_whatever_the_api_server_answers(cluster, working):
    c = working()
    c.serve()
    c.serve()
    faults = [{"kind": "status", "code": 403}, {"kind": "status", "code": 429, "retry_after": 1},
              {"kind": "lost"}, {"kind": "status", "code": 500}, {"kind": "cut"}, {"kind": "lost"}]
    for fault in faults:
        cluster.change(fault={"path": JOBS, "method": "POST", "count": 1, **fault})
    for path in (JOBS, "/api/v1/namespaces/envbot/pods"):
        cluster.change(fault={"path": path, "method": "GET", "count": 1, "kind": "status", "code": 410})
        cluster.change(fault={"path": path, "method": "GET", "count": 1, "kind": "answer", "code": 200,
                              "body": {"kind": "JobList"}})
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        ask(c, name)
    for name in names:
        c.approve(name)
    for name in names:
        c.wait_state(name, "ready", seconds=90)
    assert sorted(j["metadata"]["name"] for j in jobs(cluster)) == \
        [f"envbot-job-{n}-1" for n in range(1, 6)]
    assert len(processes(cluster)) == len(c.eksctl.calls("create")) == 5
    assert cluster.seen()["faults"] == []  # each of them was met


@pytest.mark.parametrize("kind, more", [("slow", {"seconds": 6}), ("hang", {})])
def test_an_api_server_that_hardly_answers_holds_up_jobs_and_nobody_else(cluster, working, kind, more):
    c = working()
    bot = c.serve()
    ask(c)
    cluster.fault(kind, count=-1, **more)
    c.approve("demo")
    c.slack.wait_for(lambda: [m for m in c.slack.thread(*c.message("demo")[:2]) if "approved" in m["text"]],
                     "it is told while the launcher waits", 60)
    # While each of its calls takes so long: commands are answered, in time for Slack; so is the door.
    for number in range(5):
        shown = c.slack.type("U0DEV", "C0GEN", "list", wait=20)
        assert shown["outcome"] == "acked" and "demo" in str(shown["shown"])
    assert c.slack.type("U0DEV", "C0GEN", "create small other", wait=20)["outcome"] == "acked"
    assert bot.get("/healthz")[0] == 200
    c.slack.wait_for(lambda: "kubernetes" in bot.get("/readyz")[1] or processes(cluster),
                     "what is the matter is to be seen, or it was started all the same", 120)
    cluster.well()
    c.wait_state("demo", "ready", seconds=180)
    assert len(processes(cluster)) == len(c.eksctl.calls("create")) == 1
    assert not c.slack.violations()


def test_an_api_server_that_refuses_is_said_straight_and_waited_for(cluster, working):
    c = working(**{"jobs.kubernetes.patience": "1s"})
    bot = c.serve()
    cluster.delete("rolebindings", "envbot", "envbot-jobs")
    ask(c)
    c.approve("demo")
    wait_held_up(c, "demo", "refuses envbot")
    assert 'cannot list resource \\"jobs\\"' in operators(c)[0].replace('"', '\\"'), operators(c)
    assert jobs(cluster) == []
    cluster.away()
    wait_held_up(c, "demo", "does not answer", 2)
    c.slack.wait_for(lambda: '"kubernetes-jobs":"open"' in bot.get("/readyz")[1].replace(" ", ""),
                     f"the breaker is told: {bot.get('/readyz')}", 20)
    cluster.back()
    grant(cluster)
    c.wait_state("demo", "ready", seconds=60)
    c.settle()
    assert thread(c, "demo") == ["requested", "approved", "held-up", "held-up", "ready"]
    assert len(jobs(cluster)) == 1


# ---- who takes over ----

@pytest.fixture
def hasty(tmp_path):
    """The templates, with a pod's grace of a second."""
    folder = tmp_path / "templates"
    shutil.copytree(os.path.join(ROOT, "templates"), folder)
    path = folder / "kubernetes" / "job.yaml"
    text = path.read_text(encoding="utf-8")
    assert "terminationGracePeriodSeconds: 30" in text
    path.write_text(text.replace("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 1"),
                    encoding="utf-8")
    return str(folder)


def test_the_pod_of_who_lost_the_lease_is_gone_before_another_begins(cluster, working, hasty):
    c = working(templates=hasty)
    held = c.eksctl.hold("create", phase="control-plane")
    bot = c.serve()
    ask(c)
    c.approve("demo")
    held.wait("eksctl runs")
    bot.kill()  # which its pods do not notice
    bot.start().wait_ready()
    frozen = processes(cluster)[0]["pid"]
    os.kill(frozen, signal.SIGSTOP)
    c.wait_state("demo", "ready", seconds=60)
    told = [(p["event"], p["pod"].rsplit("-", 1)[0]) for p in cluster.seen()["processes"]]
    assert told[:3] == [("started", "envbot-job-1-1"), ("ended", "envbot-job-1-1"),
                        ("started", "envbot-job-1-2")]
    assert [j["metadata"]["name"] for j in jobs(cluster)] == ["envbot-job-1-2"]
    assert ("delete", "jobs") in calls(cluster) and refused(cluster) == []
    assert c.database.one("SELECT attempts FROM jobs") == 2
    assert c.eksctl.clusters() == ["payments-demo"]


def test_a_pod_that_cannot_be_reached_is_told_of_and_not_waited_for_for_ever(cluster, working, hasty):
    c = working(templates=hasty, **{"jobs.kubernetes.patience": "1s"})
    held = c.eksctl.hold("create", phase="control-plane")
    c.serve()
    ask(c)
    c.approve("demo")
    held.wait("eksctl runs")
    cluster.change(lost=True)  # its node: nothing comes from there, and nothing ends there
    frozen = processes(cluster)[0]["pid"]
    os.kill(frozen, signal.SIGSTOP)
    wait_held_up(c, "demo", "worked on it before does not end")
    c.slack.wait_for(lambda: "envbot-job-1-2" in [j["metadata"]["name"] for j in jobs(cluster)],
                     "the next one is made", 30)
    cluster.change(lost=False)
    c.wait_state("demo", "ready", seconds=60)
    assert c.eksctl.clusters() == ["payments-demo"]
    assert c.database.one("SELECT fence FROM jobs") == 2


def test_a_job_that_nobody_waits_for_any_more_is_taken_away(cluster, working):
    c = working(**{"jobs.kubernetes.patience": "1s"})
    cluster.change(image=IMAGE, runs=None)
    c.serve()
    ask(c)
    c.approve("demo")
    wait_held_up(c, "demo", "cannot be fetched")
    made = jobs(cluster)[0]
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    # Another envbot's, which counts its jobs by itself, stays where it is.
    cluster.make({"apiVersion": "batch/v1", "kind": "Job", "spec": {
        "backoffLimit": 0, "template": {"spec": made["spec"]["template"]["spec"]}}, "metadata": {
            "name": "foreign", "namespace": "envbot",
            "labels": {**made["metadata"]["labels"], "envbot.dev/environment": "other"}}})
    c.slack.wait_for(lambda: "envbot-job-1-1" not in [j["metadata"]["name"] for j in jobs(cluster)],
                     "the Job is taken away", 30)
    assert "foreign" in [j["metadata"]["name"] for j in jobs(cluster)]
    provide(cluster)
    c.wait_state("demo", "deleted", seconds=60)
    assert c.eksctl.calls("create") == [] and refused(cluster) == []


def test_a_pod_that_died_is_followed_by_another(cluster, working):
    c = working()
    held = c.eksctl.hold("create", phase="control-plane")
    c.serve()
    ask(c)
    c.approve("demo")
    held.wait("eksctl runs")
    os.kill(processes(cluster)[0]["pid"], signal.SIGKILL)
    c.wait_state("demo", "ready", seconds=60)
    assert [j["metadata"]["name"] for j in jobs(cluster)] == ["envbot-job-1-1", "envbot-job-1-2"]
    assert c.database.one("SELECT attempts FROM jobs") == 2
    assert thread(c, "demo") == ["requested", "approved", "ready"]


# ---- envbot check ----

def checked(c):
    """Its exit code, and what it says of the jobs."""
    run = c.run("check")
    lines = run.stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if "  jobs, " in line)
    more = [line for line in lines[at + 1:] if line.startswith("   ")]
    return run.returncode, "\n".join([lines[at], *more])


def test_check_asks_the_cluster_whether_it_would_take_a_job(cluster, working, hasty):
    c = working(templates=hasty)
    code, said = checked(c)
    assert said == f"ok      jobs, in the namespace envbot of the cluster {cluster.server}"
    assert code == 0 and jobs(cluster) == [] and refused(cluster) == []

    path = os.path.join(hasty, "kubernetes", "job.yaml")
    with open(path, encoding="utf-8") as file:
        whole = file.read()

    def with_template(old, new):
        assert old in whole
        with open(path, "w", encoding="utf-8") as changed:
            changed.write(whole.replace(old, new))
        found = checked(c)
        assert found[0] == 1
        return found[1]
    assert 'unknown field "spec.backofLimit"' in with_template(
        "activeDeadlineSeconds:", "backofLimit: 0\n  activeDeadlineSeconds:")
    assert "must be a quantity" in with_template("cpu: 100m", "cpu: a bit")
    assert "ENVBOT_DATABASE_URL: a secret does not stand in a manifest" in with_template(
        "valueFrom: {secretKeyRef: {name: envbot-database, key: url}}", "value: postgresql:///x")
    run = c.run("serve")
    assert run.returncode == 1 and "a secret does not stand in a manifest" in run.stderr

    cluster.delete("rolebindings", "envbot", "envbot-jobs")
    _, said = checked(c)
    for right in ("create jobs", "get jobs", "list jobs", "delete jobs", "get pods", "list pods"):
        assert f"envbot may not {right} in the namespace envbot" in said
    cluster.away()
    assert "WRONG" in checked(c)[1]


def test_the_hourly_sweep_is_a_job_of_the_cluster_too(cluster, working):
    c = working()
    c.eksctl.place_foreign("search-old", "eu-west-1", tags={"envbot:managed": "true"}, age=3 * 86400)
    c.serve()
    c.database.query("UPDATE sweeps SET begun_at = now() - interval '61 minutes'")
    c.slack.wait_for(lambda: [m for m in c.slack.messages("C0OPS") if "search-old" in m["text"]],
                     "the operators hear of the orphan", 60)
    assert [j["metadata"]["name"] for j in jobs(cluster)] == ["envbot-job-0-2"]
    assert processes(cluster)[0]["words"][1:] == ["job", "0"]
    assert refused(cluster) == []


def test_in_a_pod_the_bot_uses_the_account_that_it_finds_there(cluster, working, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(cluster.port))
    c = working(**{"jobs.kubernetes.kubeconfig": "",
                   "jobs.kubernetes.account": cluster.path("account")})
    code, said = checked(c)
    assert (code, said) == (0, f"ok      jobs, in the namespace envbot of the cluster {cluster.server}")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    code, said = checked(c)
    assert code == 1 and "neither jobs.kubernetes.kubeconfig nor KUBERNETES_SERVICE_HOST" in said
