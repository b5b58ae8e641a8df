"""Jobs and Pods of the stand-in API server, held against kubectl and the python client."""

import copy
import json
import os
import time

import pytest
import yaml
from company import ROOT
from kubernetes import client as k8s
from kubernetes.client.rest import ApiException
from test_kubernetes import REVIEWS, api, raw

JOBS = "/apis/batch/v1/namespaces/work/jobs"
PODS = "/api/v1/namespaces/work/pods"
IMAGE = "registry.example/sh:1"
NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata: {name: work}"""


def job(name, script="exit 0", **spec):
    container = {"name": "main", "image": IMAGE, "command": ["sh", "-c", script]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": {"n": name}},
            "spec": {"backoffLimit": 0, "template": {
                "metadata": {"labels": {"n": name}},
                "spec": {"restartPolicy": "Never", "containers": [container],
                         "terminationGracePeriodSeconds": 1}}, **spec}}


@pytest.fixture
def working(kubernetes):
    kubernetes.make(yaml.safe_load(NAMESPACE))
    kubernetes.change(image=IMAGE, runs={"program": "/bin/sh", "env": {"PATH": os.environ["PATH"]}})
    return kubernetes


def until(look, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} does not come"
        time.sleep(0.03)
    return found


def create(k, body):
    code, _, answer = raw(k, "POST", JOBS, body)
    assert code == 201, answer
    return answer


def pods(k, name):
    return raw(k, "GET", f"{PODS}?labelSelector=job-name%3D{name}")[2]["items"]


def read(k, name):
    return raw(k, "GET", f"{JOBS}/{name}")[2]


def condition(k, name):
    """(type, reason) of how the Job ended, None while it has not."""
    found = [c for c in read(k, name).get("status", {}).get("conditions", [])
             if c["type"] in ("Complete", "Failed")]
    return (found[0]["type"], found[0]["reason"]) if found else None


def test_kubectl_creates_sees_and_deletes_a_job_that_really_runs(working):
    text = json.dumps(job("hello", "echo it runs as $NAME", ttlSecondsAfterFinished=60))
    made = working.kubectl("create", "-n", "work", "-f", "-", text=text.replace(
        '"command"', '"env": [{"name": "NAME", "value": "itself"}], "command"'))
    assert made.returncode == 0 and "job.batch/hello created" in made.stdout, made.stderr
    until(lambda: condition(working, "hello") == ("Complete", "CompletionsReached"), "the end")
    again = working.kubectl("create", "-n", "work", "-f", "-", text=text)
    assert again.returncode == 1 and 'jobs.batch "hello" already exists' in again.stderr
    shown = working.kubectl("get", "pods", "-n", "work", "-l", "job-name=hello", "-o", "json")
    pod = json.loads(shown.stdout)["items"][0]
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["metadata"]["ownerReferences"][0]["name"] == "hello"
    assert working.kubectl("logs", "-n", "work", pod["metadata"]["name"]).stdout == "it runs as itself\n"
    assert "hello" in working.kubectl("get", "jobs", "-n", "work").stdout
    gone = working.kubectl("delete", "job", "hello", "-n", "work")
    assert gone.returncode == 0 and 'job.batch "hello" deleted' in gone.stdout, gone.stderr
    until(lambda: not pods(working, "hello"), "the pod's end")
    missing = working.kubectl("get", "job", "hello", "-n", "work")
    assert missing.returncode == 1 and 'jobs.batch "hello" not found' in missing.stderr


def test_the_python_client_creates_reads_lists_and_deletes(working):
    batch, core = k8s.BatchV1Api(api(working)), k8s.CoreV1Api(api(working))
    made = batch.create_namespaced_job("work", job("long", "sleep 60"))
    assert made.spec.backoff_limit == 0 and made.spec.completion_mode == "NonIndexed"
    running = until(lambda: core.list_namespaced_pod(
        "work", label_selector="n in (long),job-name", field_selector="status.phase=Running").items,
        "the pod")
    assert batch.read_namespaced_job("long", "work").status.active == 1
    assert [p.metadata.labels["n"] for p in running] == ["long"]
    assert not core.list_namespaced_pod("work", label_selector="n notin (long)").items
    stale = k8s.V1DeleteOptions(preconditions=k8s.V1Preconditions(uid="another"))
    with pytest.raises(ApiException) as refused:
        batch.delete_namespaced_job("long", "work", body=stale)
    assert refused.value.status == 409 and "Precondition failed: UID" in refused.value.body
    # In the foreground it stays until its pods are gone.
    batch.delete_namespaced_job("long", "work", propagation_policy="Foreground")
    now = batch.read_namespaced_job("long", "work").metadata
    assert now.deletion_timestamp and now.finalizers == ["foregroundDeletion"]
    until(lambda: read(working, "long").get("code") == 404, "the Job's end")
    assert not pods(working, "long")
    assert [e["event"] for e in working.seen()["processes"]] == ["started", "ended"]


def test_a_failed_pod_fails_the_job_and_its_retries_are_counted(working):
    create(working, job("once", "exit 3"))
    create(working, job("twice", "exit 3", backoffLimit=1))
    create(working, job("late", "sleep 60", activeDeadlineSeconds=0))
    for name, reason, count in (("once", "BackoffLimitExceeded", 1),
                                ("twice", "BackoffLimitExceeded", 2), ("late", "DeadlineExceeded", 0)):
        until(lambda name=name, reason=reason: condition(working, name) == ("Failed", reason), name)
        assert read(working, name)["status"].get("failed", 0) == count
    state = pods(working, "once")[0]["status"]["containerStatuses"][0]["state"]
    assert state["terminated"]["exitCode"] == 3 and state["terminated"]["reason"] == "Error"


def test_what_is_kept_for_no_time_goes_by_itself(working):
    create(working, job("short", ttlSecondsAfterFinished=0))
    until(lambda: read(working, "short").get("code") == 404, "its end")
    until(lambda: not pods(working, "short"), "its pod's end")


def test_pods_that_are_left_alone_stay(working):
    create(working, job("parent", "sleep 60"))
    until(lambda: pods(working, "parent"), "a pod")
    raw(working, "DELETE", f"{JOBS}/parent", {"propagationPolicy": "Orphan"})
    pod = pods(working, "parent")[0]
    assert "ownerReferences" not in pod["metadata"]
    raw(working, "DELETE", f"{PODS}/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})
    until(lambda: not pods(working, "parent"), "its end")


def test_a_process_that_does_not_listen_is_killed_after_its_grace(working):
    create(working, job("deaf", "trap '' TERM; (trap '' TERM; sleep 60) & wait; wait"))
    until(lambda: read(working, "deaf")["status"].get("ready"), "it runs")
    raw(working, "DELETE", f"{JOBS}/deaf", {"propagationPolicy": "Background"})
    assert read(working, "deaf")["code"] == 404  # the Job is gone before its pod
    assert pods(working, "deaf")[0]["metadata"]["deletionTimestamp"]
    until(lambda: not pods(working, "deaf"), "the pod's end")
    assert working.seen()["processes"][-1]["code"] == -9


def waiting(k, name):
    """Why its container does not run: (reason, message)."""
    for pod in pods(k, name):
        for one in pod["status"].get("containerStatuses", []):
            found = one["state"].get("waiting", {})
            if found.get("reason"):
                return found["reason"], found.get("message", "")
    return None


def with_container(body, **more):
    body["spec"]["template"]["spec"]["containers"][0].update(more)
    return body


def test_pods_that_cannot_start_say_why(working):
    secret = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "url"}}}]
    create(working, with_container(job("image"), image="registry.example/nothing:1"))
    create(working, with_container(job("config"), env=secret))
    create(working, with_container(job("name"), image="Registry/UPPER:1"))
    create(working, with_container(job("command"), command=["/no/such/program"]))
    create(working, with_container(job("big"), resources={"requests": {"cpu": "64"}}))
    volume = job("volume")
    volume["spec"]["template"]["spec"]["volumes"] = [{"name": "c", "configMap": {"name": "none"}}]
    create(working, with_container(volume, volumeMounts=[{"name": "c", "mountPath": "/c"}]))
    strange = job("account")
    strange["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    create(working, strange)
    for name, reason in (("image", "ImagePullBackOff"), ("name", "InvalidImageName"),
                         ("config", "CreateContainerConfigError"), ("volume", "ContainerCreating")):
        until(lambda name=name, reason=reason: (waiting(working, name) or [""])[0] == reason, name)
    assert waiting(working, "config")[1] == 'secret "none" not found'
    until(lambda: condition(working, "command"), "the end of what has no program")
    unscheduled = pods(working, "big")[0]["status"]["conditions"][0]
    assert unscheduled["reason"] == "Unschedulable" and "Insufficient cpu" in unscheduled["message"]
    assert not pods(working, "account")
    events = working.kubectl("get", "events", "-n", "work", "-o", "json").stdout
    assert 'serviceaccount \\"nobody\\" not found' in events
    working.apply("""
apiVersion: v1
kind: ResourceQuota
metadata: {name: few, namespace: work}
spec: {hard: {pods: 0}}""")
    create(working, job("quota"))
    until(lambda: "exceeded quota: few" in working.kubectl("get", "events", "-n", "work", "-o", "json")
          .stdout, "the event")
    assert not pods(working, "quota")
    # What was missing comes, and it goes on by itself.
    working.apply("""
apiVersion: v1
kind: Secret
metadata: {name: none, namespace: work}
stringData: {url: x}""")
    working.change(image="registry.example/nothing:1", runs={"program": "/bin/sh", "env": {}})
    for name in ("image", "config"):
        until(lambda name=name: condition(working, name) == ("Complete", "CompletionsReached"), name)


def test_values_come_from_secrets_and_config_maps(working):
    working.apply("""
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: work}
stringData: {word: hidden}""", """
apiVersion: v1
kind: ConfigMap
metadata: {name: m, namespace: work}
data: {file.txt: "in a file", word: shown}""", """
apiVersion: v1
kind: ServiceAccount
metadata:
  name: aws
  namespace: work
  annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/x"}""")
    body = with_container(
        job("values", 'echo "$A $B $(cat "$FILE") $AWS_ROLE_ARN"; ls "$WORK"'),
        env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "word"}}},
             {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "word"}}},
             {"name": "FILE", "value": "/c/file.txt"}, {"name": "WORK", "value": "/w"}],
        volumeMounts=[{"name": "c", "mountPath": "/c", "readOnly": True},
                      {"name": "w", "mountPath": "/w"}])
    body["spec"]["template"]["spec"].update(serviceAccountName="aws", volumes=[
        {"name": "c", "configMap": {"name": "m"}}, {"name": "w", "emptyDir": {}}])
    create(working, body)
    until(lambda: condition(working, "values"), "its end")
    name = pods(working, "values")[0]["metadata"]["name"]
    assert working.kubectl("logs", name, "-n", "work").stdout == \
        "hidden shown in a file arn:aws:iam::111122223333:role/x\n"
    kept = working.kubectl("get", "secret", "s", "-n", "work", "-o", "jsonpath={.data.word}").stdout
    assert kept == "aGlkZGVu"


@pytest.mark.parametrize("path, value, code, words", [
    ("spec.template.spec.restartPolicy", None, 422, 'Required value: valid values: "OnFailure", "Never"'),
    ("spec.template.spec.restartPolicy", "Always", 422, "spec.template.spec.restartPolicy"),
    ("spec.backofLimit", 0, 400, 'strict decoding error: unknown field "spec.backofLimit"'),
    ("spec.backoffLimit", "0", 400, "cannot unmarshal"),
    ("spec.backoffLimit", -1, 422, "must be greater than or equal to 0"),
    ("spec.selector", {"matchLabels": {"a": "b"}}, 422, "`selector` not auto-generated"),
    ("spec.template.spec.containers", [], 422, "spec.template.spec.containers: Required value"),
    ("spec.template.spec.containers.0.image", None, 422, "image: Required value"),
    ("spec.template.spec.containers.0.name", "Main", 422, "RFC 1123 label"),
    ("spec.template.spec.containers.0.envs", [], 400, "containers[0].envs"),
    ("spec.template.spec.containers.0.env", [{"name": "A", "value": 1}], 400, "of type string"),
    ("spec.template.spec.containers.0.env", [{"name": "A=", "value": "1"}], 422, "env[0].name"),
    ("spec.template.spec.containers.0.volumeMounts", [{"name": "x", "mountPath": "/x"}], 422,
     'Not found: "x"'),
    ("spec.template.spec.containers.0.resources", {"requests": {"cpu": "a lot"}}, 422, "a quantity"),
    ("spec.template.spec.containers.0.resources",
     {"requests": {"memory": "1Gi"}, "limits": {"memory": "512Mi"}}, 422, "less than or equal to"),
    ("metadata.name", "Upper", 422, "RFC 1123 subdomain"),
    ("metadata.name", "a" * 64, 422, "no more than 63"),
    ("metadata.labels", {"owner": "a b"}, 422, "a valid label"),
    ("metadata.namespace", "other", 400, "does not match the namespace"),
    ("apiVersion", "batch/v1beta1", 400, "does not match"),
])
def test_a_job_with_a_mistake_is_refused(working, path, value, code, words):
    body = copy.deepcopy(job("wrong"))
    *way, last = path.split(".")
    at = body
    for part in way:
        at = at[int(part) if part.isdigit() else part]
    if value is None:
        del at[last]
    else:
        at[last] = value
    got, _, status = raw(working, "POST", JOBS, body)
    assert got == status["code"] == code and words in status["message"], status
    assert raw(working, "POST", f"{JOBS}?dryRun=All", job("right"))[0] == 201
    assert raw(working, "GET", f"{JOBS}/right")[0] == 404


def test_what_was_made_keeps_its_template(working):
    made = create(working, job("fixed", "sleep 60"))
    made["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/other:1"
    until(lambda: read(working, "fixed")["status"].get("ready"), "it runs")
    made["metadata"].pop("resourceVersion")
    code, _, status = raw(working, "PUT", f"{JOBS}/fixed", made)
    assert code == 422 and "field is immutable" in status["message"]
    assert raw(working, "GET", f"{JOBS}?labelSelector=a%3D%3D%3Db")[0] == 400
    assert raw(working, "GET", f"{JOBS}?fieldSelector=spec.image%3Dx")[0] == 400


def test_an_answer_can_be_lost_after_it_was_done(working):
    working.fault("lost", path=JOBS, method="POST")
    with pytest.raises(Exception):
        raw(working, "POST", JOBS, job("there"))
    assert raw(working, "POST", JOBS, job("there"))[2]["reason"] == "AlreadyExists"


# ---- what the manifests under deploy/ give ----

DEPLOY = os.path.join(ROOT, "deploy")
VERBS = ("create", "get", "list", "watch", "update", "patch", "delete", "deletecollection")
RESOURCES = (("batch", "jobs", ""), ("batch", "jobs", "status"), ("batch", "cronjobs", ""),
             ("", "pods", ""), ("", "pods", "log"), ("", "pods", "exec"), ("", "secrets", ""),
             ("", "configmaps", ""), ("", "serviceaccounts", ""), ("", "serviceaccounts", "token"),
             ("", "events", ""), ("rbac.authorization.k8s.io", "roles", ""),
             ("rbac.authorization.k8s.io", "rolebindings", ""))


# ---- Deployments ----

def deployment(script="exec sleep 60", **spec):
    body = job("web", script)
    template = body["spec"]["template"]
    template["spec"].pop("restartPolicy")
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {**body["metadata"], "namespace": "work"},
            "spec": {"selector": {"matchLabels": {"n": "web"}}, "template": template, **spec}}


def ready(k, number, but=()):
    """The names of a Deployment's pods, when so many run, none of those given among them."""
    def look():
        found = raw(k, "GET", f"{PODS}?labelSelector=n%3Dweb")[2]["items"]
        names = {p["metadata"]["name"] for p in found if p["status"]["phase"] == "Running"}
        return len(found) == number and len(names) == number and not names & set(but) and names
    return until(look, f"{number} pods run")


def test_a_deployment_keeps_its_pods_and_exchanges_them(working):
    path = "/apis/apps/v1/namespaces/work/deployments"
    working.apply(json.dumps(deployment(replicas=2), indent=1))
    first = ready(working, 2)
    code, _, body = raw(working, "GET", f"{path}/web")
    assert code == 200 and until(
        lambda: raw(working, "GET", f"{path}/web")[2]["status"]["readyReplicas"] == 2, "two are ready")
    body["spec"]["template"]["spec"]["containers"][0]["command"][2] = "exec sleep 61"
    assert raw(working, "PUT", f"{path}/web", body)[0] == 200
    second = ready(working, 2, but=first)
    gone = min(second)
    raw(working, "DELETE", f"{PODS}/{gone}")
    ready(working, 2, but=[gone])
    assert working.kubectl("delete", "deployment", "web", "-n", "work", "--wait=false").returncode == 0
    until(lambda: not raw(working, "GET", f"{PODS}?labelSelector=n%3Dweb")[2]["items"], "all are gone")


@pytest.mark.parametrize("spec, words", [
    ({"selector": {"matchLabels": {"n": "other"}}}, "`selector` does not match"),
    ({"selector": {}}, "spec.selector: Required value"), ({"replicas": -1}, "greater than or equal to 0"),
    ({"replicaz": 1}, 'unknown field "spec.replicaz"')])
def test_a_deployment_with_a_mistake_is_refused(working, spec, words):
    code, _, answer = raw(working, "POST", "/apis/apps/v1/namespaces/work/deployments",
                          deployment(**spec))
    assert code in (400, 422) and words in answer["message"], answer


def rights(k, account):
    """All that an account may do of what there is to try."""
    found = set()
    for namespace in ("envbot", "default", ""):
        for verb in VERBS:
            for group, resource, below in RESOURCES:
                review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
                    "user": f"system:serviceaccount:envbot:{account}",
                    "groups": ["system:serviceaccounts", "system:serviceaccounts:envbot",
                               "system:authenticated"],
                    "resourceAttributes": {"namespace": namespace, "verb": verb, "group": group,
                                           "resource": resource, "subresource": below}}}
                code, answer = k.ask("POST", REVIEWS, review)
                assert code == 201, answer
                if answer["status"]["allowed"]:
                    found.add((namespace, verb, f"{resource}/{below}".rstrip("/")))
    return found


def test_the_bot_may_look_after_its_jobs_and_a_job_may_nothing(kubernetes):
    kubernetes.apply(os.path.join(DEPLOY, "kubernetes", "jobs.yaml"))
    assert rights(kubernetes, "envbot") == {
        *(("envbot", verb, "jobs") for verb in ("create", "get", "list", "delete")),
        *(("envbot", verb, "pods") for verb in ("get", "list"))}
    assert rights(kubernetes, "envbot-job") == set()


def test_each_account_has_the_role_in_aws_that_is_its_own():
    with open(os.path.join(DEPLOY, "kubernetes", "jobs.yaml"), encoding="utf-8") as file:
        accounts = {d["metadata"]["name"]: d["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
                    for d in yaml.safe_load_all(file) if d["kind"] == "ServiceAccount"}
    assert {name: arn.rpartition("/")[2] for name, arn in accounts.items()} == \
        {"envbot": "envbot-serve", "envbot-job": "envbot-job"}
    # Who talks to Slack sends mail and notifications, and has no other right in AWS.
    services = {}
    for name in ("serve", "job"):
        with open(os.path.join(DEPLOY, "iam", f"{name}.json"), encoding="utf-8") as file:
            statements = json.load(file)["Statement"]
        actions = [a for s in statements
                   for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])]
        assert {s["Effect"] for s in statements} == {"Allow"}
        services[name] = {action.partition(":")[0] for action in actions}
    assert services["serve"] == {"ses", "sns"}
    assert services["job"] >= {"eks", "cloudformation", "ec2"} and not services["job"] & {"ses", "sns"}
