"""Two evaluators of the access rules, written apart from each other, say the same."""

import os
import secrets
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from compare import compare  # noqa: E402
from second import GROUP, Rules  # noqa: E402


@pytest.mark.parametrize("seed", [6, secrets.randbits(32)], ids=["always", "new"])
def test_envbot_answers_as_a_second_evaluator_does(seed):
    print(f"seed {seed}")  # tests/rbac/compare.py --seed finds it again
    asked, yes = compare(20000, seed)
    assert asked == 20000 and 0.05 < yes / asked < 0.95, (asked, yes)


# The examples of "Using RBAC Authorization", so that the second evaluator is not taken on trust.
READ = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "list"]}


def node(kind, name, namespace=None, **more):
    meta = {"name": name, **({"namespace": namespace} if namespace else {}),
            **({"labels": more.pop("labels")} if "labels" in more else {})}
    return {"apiVersion": GROUP + "/v1", "kind": kind, "metadata": meta, **more}


def to(kind, name):
    return {"apiGroup": GROUP, "kind": kind, "name": name}


def may(nodes, user, verb, resource, namespace="", name="", groups=()):
    resource, _, subresource = resource.partition("/")
    return Rules.of(nodes).allow({
        "user": user, "groups": list(groups), "verb": verb, "apiGroup": "", "resource": resource,
        "subresource": subresource, "namespace": namespace, "name": name})


def test_the_documentations_examples():
    jane = [{"kind": "User", "name": "jane", "apiGroup": GROUP}]
    reader = [node("Role", "pod-reader", "default", rules=[READ]),
              node("RoleBinding", "read-pods", "default", subjects=jane,
                   roleRef=to("Role", "pod-reader"))]
    assert may(reader, "jane", "get", "pods", "default")
    assert may(reader, "jane", "list", "pods/log", "default")
    assert not may(reader, "jane", "get", "pods/status", "default")
    assert not may(reader, "jane", "get", "pods", "kube-system")
    assert not may(reader, "jane", "get", "pods")
    assert not may(reader, "Jane", "get", "pods", "default")
    assert not may(reader, "jane", "delete", "pods", "default")

    dave = [{"kind": "Group", "name": "manager", "apiGroup": GROUP}]
    secret = node("ClusterRole", "secret-reader", rules=[
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])
    there = [secret, node("RoleBinding", "b", "development", subjects=dave,
                          roleRef=to("ClusterRole", "secret-reader"))]
    assert may(there, "dave", "get", "secrets", "development", groups=["manager"])
    assert not may(there, "dave", "get", "secrets", "production", groups=["manager"])
    everywhere = [secret, node("ClusterRoleBinding", "b", subjects=dave,
                               roleRef=to("ClusterRole", "secret-reader"))]
    assert may(everywhere, "dave", "get", "secrets", "production", groups=["manager"])
    assert may(everywhere, "dave", "get", "secrets", groups=["manager"])

    named = [node("ClusterRole", "r", rules=[{**READ, "resourceNames": ["mine"], "verbs": ["*"]}]),
             node("ClusterRoleBinding", "b", roleRef=to("ClusterRole", "r"), subjects=jane)]
    assert may(named, "jane", "update", "pods", "default", "mine")
    assert not may(named, "jane", "update", "pods", "default", "yours")
    assert not may(named, "jane", "create", "pods", "default")  # which has no name yet


def test_aggregation_as_documented():
    robots = [{"kind": "ServiceAccount", "name": "default", "namespace": "kube-system"}]
    monitoring = node("ClusterRole", "monitoring", rules=[{**READ, "verbs": ["delete"]}],
                      aggregationRule={"clusterRoleSelectors": [
                          {"matchLabels": {"to-monitoring": "true"}}]})
    bound = node("ClusterRoleBinding", "b", roleRef=to("ClusterRole", "monitoring"),
                 subjects=robots)
    part = node("ClusterRole", "endpoints", labels={"to-monitoring": "true"}, rules=[READ])
    robot = "system:serviceaccount:kube-system:default"
    assert may([monitoring, bound, part], robot, "get", "pods", "x")
    assert not may([monitoring, bound, part], robot, "delete", "pods", "x")  # its own is replaced
    assert not may([monitoring, bound], robot, "get", "pods", "x")
