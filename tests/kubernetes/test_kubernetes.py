"""The stand-in API server, held against kubectl and the python client, which nobody here wrote."""

import http.client
import json
import os
import pathlib
import ssl
import urllib.error
import urllib.request

import pytest
import yaml
from company import ROOT, load
from kubernetes import client as k8s
from kubernetes import config as k8s_config
from kubernetes.client.rest import ApiException

RULES = os.path.join(ROOT, "deploy", "rbac")
NAMESPACES = "\n".join(f"""---
apiVersion: v1
kind: Namespace
metadata: {{name: {name}}}""" for name in ("payments", "search"))
AUTH = "rbac.authorization.k8s.io"


def documents():
    """What stands in the example rules."""
    return [document for path in sorted(pathlib.Path(RULES).glob("*.yaml"))
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


@pytest.fixture
def applied(kubernetes):
    """With the example rules, as kubectl applies them."""
    kubernetes.apply(NAMESPACES, RULES)
    return kubernetes


@pytest.fixture
def ruled(kubernetes):
    """With the example rules, without what a kubectl costs."""
    kubernetes.make(*yaml.safe_load_all(NAMESPACES), *documents())
    return kubernetes


def can(k, verb, user, *groups, namespace="payments", resource="environments.envbot.dev"):
    run = k.kubectl("auth", "can-i", verb, resource, "-n", namespace, "--as", user,
                    *[word for group in groups for word in ("--as-group", group)])
    answer = run.stdout.strip().split()[0]
    assert (answer, run.returncode) in (("yes", 0), ("no", 1)), run.stderr
    return answer == "yes"


def api(k, config="admin.yaml"):
    return k8s.ApiClient(configuration=configuration(k, config))


def configuration(k, config):
    found = k8s.Configuration()
    k8s_config.load_kube_config(k.path(config), client_configuration=found)
    found.retries = False
    return found


def raw(k, method, path, body=None, **headers):
    """(status, headers, body) as they come."""
    context = ssl.create_default_context(cafile=k.path("ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", k.port, context=context, timeout=20)
    headers = {"Authorization": "Bearer admin-token", "Content-Type": "application/json",
               **{name.replace("_", "-"): value for name, value in headers.items() if value}}
    text = body if isinstance(body, (str, type(None))) else json.dumps(body)
    connection.request(method, path, text, headers)
    answer = connection.getresponse()
    return answer.status, answer.headers, json.loads(answer.read())


def review(user="slack:U0APPR", groups=(), **attributes):
    asked = {"namespace": "payments", "verb": "approve", "group": "envbot.dev",
             "resource": "environments", "name": "small", **attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": list(groups), "resourceAttributes": asked}}


REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def test_kubectl_applies_the_example_rules_and_asks_about_them(applied):
    everybody = "system:authenticated"
    assert can(applied, "approve", "slack:U0APPR", everybody, "slack:platform-approvers")
    assert not can(applied, "approve", "slack:U0BYST", everybody)
    assert can(applied, "create", "slack:U0BYST", everybody)
    assert not can(applied, "delete", "slack:U0APPR", "slack:platform-approvers")
    assert can(applied, "update", "slack:U0MGR", "slack:managers", resource="quotas.envbot.dev")
    assert not can(applied, "approve", "slack:U0APPR", "slack:platform-approvers", namespace="other")


def test_kubectl_says_unchanged_the_second_time_and_changes_what_changed(applied):
    run = applied.kubectl("apply", "-f", RULES)
    assert run.returncode == 0
    assert run.stdout.count("unchanged") == run.stdout.count("\n") == len(documents())
    moved = f"""
apiVersion: {AUTH}/v1
kind: RoleBinding
metadata: {{name: approvers, namespace: payments}}
roleRef: {{apiGroup: {AUTH}, kind: ClusterRole, name: envbot-approver}}
subjects: [{{apiGroup: {AUTH}, kind: User, name: "slack:U0NEW"}}]
"""
    applied.apply(moved)
    assert can(applied, "approve", "slack:U0NEW")
    assert not can(applied, "approve", "slack:U0APPR", "slack:platform-approvers")
    assert applied.kubectl("delete", "rolebinding", "approvers", "-n", "payments").returncode == 0
    assert not can(applied, "approve", "slack:U0NEW")
    gone = applied.kubectl("get", "rolebinding", "approvers", "-n", "payments")
    assert gone.returncode == 1 and "NotFound" in gone.stderr


def test_kubectl_reconciles_and_finds_nothing_left_to_do(applied):
    applied.kubectl("delete", "clusterrole", "envbot-approver")
    assert not can(applied, "approve", "slack:U0APPR", "slack:platform-approvers")
    run = applied.kubectl("auth", "reconcile", "-f", RULES)
    assert run.returncode == 0 and "reconciliation required create" in run.stdout + run.stderr
    assert can(applied, "approve", "slack:U0APPR", "slack:platform-approvers")
    run = applied.kubectl("auth", "reconcile", "-f", RULES)
    assert run.returncode == 0 and "required" not in run.stdout + run.stderr


def test_kubectl_comes_in_with_a_certificate_and_not_with_a_strange_one(ruled):
    assert ruled.kubectl("get", "clusterroles", config="certificate.yaml").returncode == 0
    strange = load("kubernetes", "authority").Authority()
    certificate, key = strange.issue("kubernetes-admin", ["system:masters"])
    for name, text in (("admin.crt", certificate), ("admin.key", key)):
        with open(ruled.path(name), "w", encoding="utf-8") as file:
            file.write(text)
    assert ruled.kubectl("get", "clusterroles", config="certificate.yaml").returncode != 0
    with open(ruled.path("ca.crt"), "w", encoding="utf-8") as file:
        file.write(strange.pem)
    run = ruled.kubectl("get", "clusterroles")
    assert run.returncode != 0 and "certificate" in run.stderr


def test_the_python_client_reads_creates_and_asks(ruled):
    rbac = k8s.RbacAuthorizationV1Api(api(ruled))
    names = [role.metadata.name for role in rbac.list_cluster_role(limit=2).items]
    whole = [role.metadata.name for role in rbac.list_cluster_role().items]
    assert names == whole[:2] and "envbot-approver" in whole
    rbac.create_namespaced_role("payments", k8s.V1Role(
        metadata=k8s.V1ObjectMeta(name="seer"),
        rules=[k8s.V1PolicyRule(api_groups=["envbot.dev"], resources=["environments"],
                                resource_names=["gpu"], verbs=["get"])]))
    rbac.create_namespaced_role_binding("payments", k8s.V1RoleBinding(
        metadata=k8s.V1ObjectMeta(name="seers"),
        role_ref=k8s.V1RoleRef(api_group=AUTH, kind="Role", name="seer"),
        subjects=[k8s.V1Subject(kind="User", name="slack:U0SEER", api_group=AUTH)]))
    reviews = k8s.AuthorizationV1Api(api(ruled))

    def ask(name):
        attributes = k8s.V1ResourceAttributes(namespace="payments", verb="get", group="envbot.dev",
                                              resource="environments", name=name)
        return reviews.create_subject_access_review(k8s.V1SubjectAccessReview(
            spec=k8s.V1SubjectAccessReviewSpec(user="slack:U0SEER",
                                               resource_attributes=attributes))).status
    assert ask("gpu").allowed
    assert ask("gpu").reason == ('RBAC: allowed by RoleBinding "seers/payments" of Role "seer" to '
                                 'User "slack:U0SEER"')
    assert not ask("small").allowed and not ask("").allowed


def test_who_calls_is_asked_for_their_rights(ruled):
    envbot = k8s.AuthorizationV1Api(api(ruled, "envbot.yaml"))
    with pytest.raises(ApiException) as refused:
        envbot.create_subject_access_review(k8s.V1SubjectAccessReview(
            spec=k8s.V1SubjectAccessReviewSpec(user="u", resource_attributes=k8s.V1ResourceAttributes(
                verb="get", resource="pods"))))
    status = json.loads(refused.value.body)
    assert (refused.value.status, status["reason"], status["kind"]) == (403, "Forbidden", "Status")
    assert "system:serviceaccount:envbot:envbot" in status["message"]
    # Who may impersonate nobody cannot ask in another's name.
    assert raw(ruled, "GET", "/apis", Authorization="Bearer envbot-token-1",
               Impersonate_User="kubernetes-admin")[0] == 403
    assert raw(ruled, "POST", REVIEWS, review(), Authorization="Bearer envbot-token-1")[0] == 403
    assert raw(ruled, "GET", "/apis", Authorization="Bearer nobodys")[0] == 401
    ruled.change(revoke="envbot-token-1")
    code, _, status = raw(ruled, "GET", "/apis", Authorization="Bearer envbot-token-1")
    assert (code, status["reason"], status["message"]) == (401, "Unauthorized", "Unauthorized")


@pytest.mark.parametrize("change, code, words", [
    (lambda r: r["spec"].update(user="", groups=[]), 422, "at least one of user or group"),
    (lambda r: r["spec"].pop("resourceAttributes"), 422, "exactly one of"),
    (lambda r: r["spec"].update(nonResourceAttributes={"path": "/", "verb": "get"}), 422,
     "cannot be specified in combination"),
    (lambda r: r["spec"].update(group=["a"]), 400, 'unknown field "spec.group"'),
    (lambda r: r["spec"]["resourceAttributes"].update(verbs="x"), 400, "unknown field"),
    (lambda r: r["spec"].update(groups="a"), 400, "cannot unmarshal"),
    (lambda r: r["spec"]["resourceAttributes"].pop("verb"), 422, "Required value"),
    (lambda r: r.update(metadata={"name": "x"}), 422, "must be empty"),
    (lambda r: r.update(kind="SelfSubjectAccessReview"), 400, "no SubjectAccessReview"),
    (lambda r: r.update(apiVersion="authorization.k8s.io/v1beta1"), 400, "no SubjectAccessReview"),
])
def test_a_review_with_a_mistake_is_refused(ruled, change, code, words):
    wrong = review(groups=["slack:platform-approvers"])
    assert raw(ruled, "POST", REVIEWS, wrong)[2]["status"]["allowed"] is True
    change(wrong)
    got, _, status = raw(ruled, "POST", REVIEWS, wrong)
    assert got == status["code"] == code and words in status["message"], status
    assert status["kind"] == "Status" and status["status"] == "Failure"


def test_the_shapes_of_other_refusals(ruled):
    assert raw(ruled, "POST", REVIEWS, "{}", Content_Type="text/plain")[2]["reason"] == \
        "UnsupportedMediaType"
    assert raw(ruled, "POST", REVIEWS, "{")[2]["reason"] == "BadRequest"
    assert raw(ruled, "GET", "/apis/apps/v1/statefulsets")[2]["reason"] == "NotFound"
    binding = f"/apis/{AUTH}/v1/namespaces/payments/rolebindings"
    old = raw(ruled, "GET", f"{binding}/approvers")[2]
    assert raw(ruled, "POST", binding, {**old, "metadata": {"name": "approvers"}})[2]["reason"] == \
        "AlreadyExists"
    other = {**old, "roleRef": {**old["roleRef"], "name": "envbot-admin"}}
    code, _, status = raw(ruled, "PUT", f"{binding}/approvers", other)
    assert code == 422 and "cannot change roleRef" in status["message"]
    late = {**old, "metadata": {**old["metadata"], "resourceVersion": "1"}}
    assert raw(ruled, "PUT", f"{binding}/approvers", late)[2]["reason"] == "Conflict"
    code, _, status = raw(ruled, "POST", f"/apis/{AUTH}/v1/clusterroles", {
        "apiVersion": f"{AUTH}/v1", "kind": "ClusterRole", "metadata": {"name": "x"},
        "rules": [{"resources": ["environments"]}]})
    fields = [cause["field"] for cause in status["details"]["causes"]]
    assert code == 422 and fields == ["rules[0].verbs", "rules[0].apiGroups"]
    page = raw(ruled, "GET", f"/apis/{AUTH}/v1/clusterroles?limit=2")[2]
    token = page["metadata"]["continue"]
    rest = raw(ruled, "GET", f"/apis/{AUTH}/v1/clusterroles?limit=99&continue={token}")[2]["items"]
    assert not {r["metadata"]["name"] for r in rest} & {r["metadata"]["name"] for r in page["items"]}
    ruled.change(compact=True)
    code, _, status = raw(ruled, "GET", f"/apis/{AUTH}/v1/clusterroles?limit=2&continue={token}")
    assert (code, status["reason"]) == (410, "Expired")


def test_faults_come_when_they_are_asked_for(ruled):
    ruled.fault("status", code=429, retry_after=1, path=REVIEWS)
    code, headers, status = raw(ruled, "POST", REVIEWS, review())
    assert (code, headers["Retry-After"], status["reason"]) == (429, "1", "TooManyRequests")
    assert raw(ruled, "POST", REVIEWS, review())[0] == 201
    ruled.fault("status", code=500)
    assert raw(ruled, "GET", "/apis")[0] == 500
    ruled.fault("cut")
    with pytest.raises((ConnectionError, http.client.HTTPException, ssl.SSLError)):
        raw(ruled, "GET", "/apis")
    ruled.away()
    with pytest.raises(ConnectionError):
        raw(ruled, "GET", "/apis")
    ruled.back()
    assert raw(ruled, "GET", "/apis")[0] == 200


@pytest.mark.parametrize("rule, allows, not_", [
    ({"resources": ["environments"]}, {}, {"subresource": "status"}),
    ({"resources": ["environments/status"]}, {"subresource": "status"}, {}),
    ({"resources": ["*/status"]}, {"subresource": "status"}, {"subresource": "log"}),
    ({"resources": ["*"]}, {"subresource": "log"}, {"verb": "get"}),
    ({"resourceNames": ["gpu"]}, {"name": "gpu"}, {"name": ""}),
    ({"resourceNames": ["*"]}, {"name": "*"}, {"name": "gpu"}),
    ({"verbs": ["*"]}, {"verb": "get"}, {"group": ""}),
    ({"apiGroups": ["*"]}, {"group": "apps"}, {"namespace": "search"}),
])
def test_rules_mean_what_kubernetes_documents(ruled, rule, allows, not_):
    whole = {"apiGroups": ["envbot.dev"], "resources": ["environments"], "verbs": ["approve"], **rule}
    parts = [
        {"apiVersion": f"{AUTH}/v1", "kind": "Role",
         "metadata": {"name": "r", "namespace": "payments"}, "rules": [whole]},
        {"apiVersion": f"{AUTH}/v1", "kind": "RoleBinding",
         "metadata": {"name": "r", "namespace": "payments"},
         "roleRef": {"kind": "Role", "name": "r", "apiGroup": AUTH},
         "subjects": [{"kind": "ServiceAccount", "name": "robot"}]}]
    ruled.make(*parts)
    robot = "system:serviceaccount:payments:robot"

    def allowed(attributes):
        return raw(ruled, "POST", REVIEWS, review(robot, **attributes))[2]["status"]["allowed"]
    assert allowed(allows) and not allowed(not_)


def test_a_role_takes_in_what_its_selectors_name(ruled):
    def role(name, rules=(), **more):
        return json.dumps({"apiVersion": f"{AUTH}/v1", "kind": "ClusterRole",
                           "metadata": {"name": name, "labels": more.pop("labels", {})},
                           "rules": list(rules), **more}, indent=1)
    rule = {"apiGroups": ["envbot.dev"], "resources": ["reports"], "verbs": ["get"]}
    binding = json.dumps({
        "apiVersion": f"{AUTH}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "all"},
        "roleRef": {"kind": "ClusterRole", "name": "all", "apiGroup": AUTH},
        "subjects": [{"kind": "User", "name": "slack:U0ALL", "apiGroup": AUTH}]}, indent=1)
    ruled.apply(role("all", aggregationRule={
        "clusterRoleSelectors": [{"matchLabels": {"of": "all"}}]}), binding)
    assert not can(ruled, "get", "slack:U0ALL", resource="reports.envbot.dev")
    ruled.apply(role("part", [rule], labels={"of": "all"}))
    assert can(ruled, "get", "slack:U0ALL", resource="reports.envbot.dev")


def test_nothing_listens_without_its_own_authority(ruled):
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{ruled.server}/version", timeout=60)
