"""ClusterConfigs are read as strictly as eksctl reads them, and ours pass."""

import copy
import glob
import json
import os
import subprocess

import clusterconfig
import pytest
import yaml
from built import built
from company import ROOT

# Where the reference data lies that eksctl itself prints with `eksctl utils schema`.
FACTS = os.environ.get("ENVBOT_FACTS") or next(
    iter(glob.glob(os.path.join(os.path.dirname(ROOT), "*", "facts"))), "")
SCHEMA = os.path.join(FACTS, "eksctl-schema.json")
ROLE = "arn:aws:iam::111122223333:role/team"
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
TEMPLATES = sorted(os.path.basename(p)[:-5] for p in
                   glob.glob(os.path.join(ROOT, "templates", "environments", "*.yaml")))


def config(**more):
    return {"apiVersion": "eksctl.io/v1alpha5", "kind": "ClusterConfig",
            "metadata": {"name": "demo", "region": "eu-central-1", "version": "1.34"}, **more}


def group(**more):
    return {"name": "main", "instanceType": "t3.large", "desiredCapacity": 2, **more}


def access(*entries, **more):
    return config(accessConfig={"accessEntries": list(entries), **more})


def entry(scope=None, **more):
    policies = {"accessPolicies": [{"policyARN": ADMIN, "accessScope": scope}]} if scope else {}
    return {"principalARN": ROLE, **policies, **more}


def profile(*selectors, name="p"):
    return config(fargateProfiles=[{"name": name, "selectors": list(selectors)}])


def metadata(**more):
    made = config()
    made["metadata"].update(more)
    return made


def without(key):
    made = config()
    del made["metadata"][key]
    return made


GOOD = {
    "nothing but a name": config(),
    "a node group": config(managedNodeGroups=[group(minSize=1, maxSize=3)]),
    "spot": config(managedNodeGroups=[{"name": "s", "instanceTypes": ["t3.large"], "spot": True}]),
    "Auto Mode": config(autoModeConfig={"enabled": True, "nodePools": ["general-purpose", "system"]}),
    "Fargate": profile({"namespace": "default"}, {"namespace": "apps", "labels": {"a": "b"}}),
    "an access entry": access(entry({"type": "cluster"})),
    "an access entry of a namespace": access(entry({"type": "namespace", "namespaces": ["apps"]})),
    "an entry of nodes": access(entry(type="EC2_LINUX")),
    "pod identity": config(addons=[{"name": "eks-pod-identity-agent"}], iam={
        "podIdentityAssociations": [{"namespace": "a", "serviceAccountName": "b", "roleARN": ROLE}]}),
    "no version": without("version"), "the newest version": metadata(version="latest"),
    "zones": config(availabilityZones=["eu-central-1a", "eu-central-1b"]),
}
BAD = {
    "another kind": ({**config(), "kind": "Cluster"}, 'no kind "Cluster" is registered'),
    "another version of the API": ({**config(), "apiVersion": "v1"}, "is registered for version"),
    "an unknown key": (config(colour="red"), 'unknown field "colour"'),
    "an unknown key of a group": (config(managedNodeGroups=[group(size=3)]), 'unknown field "size"'),
    "an unknown key of the metadata": (metadata(owner="me"), 'unknown field "owner"'),
    "a version that is a number": (metadata(version=1.34), "cannot unmarshal number into Go struct field"),
    "a number that is a text": (config(managedNodeGroups=[group(maxSize="3")]),
                                "cannot unmarshal string"),
    "a flag that is a text": (config(privateCluster={"enabled": "yes"}), "cannot unmarshal string"),
    "a tag that is a number": (metadata(tags={"a": 1}), "cannot unmarshal number"),
    "a list that is none": (config(managedNodeGroups={"name": "x"}), "cannot unmarshal object"),
    "no name": (without("name"), "metadata.name must be set"),
    "no region": (without("region"), "metadata.region must be set"),
    "a name with an underscore": (metadata(name="a_b"), "name must satisfy"),
    "a name that begins with a digit": (metadata(name="1a"), "name must satisfy"),
    "a name with a line after it": (metadata(name="a\n"), "name must satisfy"),
    "a long name": (metadata(name="a" * 101), "name must satisfy"),
    "a version that is not offered": (metadata(version="1.20"), "supported values"),
    "a region that is none": (metadata(region="eu-moon-1"), "is not supported - use one of"),
    "a tag of AWS": (metadata(tags={"aws:x": "y"}), "is no tag"),
    "a tag that is too long": (metadata(tags={"a": "x" * 257}), "is no tag"),
    "more nodes than the most": (config(managedNodeGroups=[group(maxSize=1)]), "--nodes-max=1"),
    "fewer nodes than the least": (config(managedNodeGroups=[group(minSize=3)]), "--nodes-min=3"),
    "a group without a name": (config(managedNodeGroups=[{"desiredCapacity": 1}]), "name must be set"),
    "two groups of one name": (config(managedNodeGroups=[group()], nodeGroups=[group()]), "not unique"),
    "a type and types": (config(managedNodeGroups=[group(instanceTypes=["m5.large"])]), "only one of"),
    "spot with one type": (config(managedNodeGroups=[group(spot=True)]), "use instanceTypes"),
    "both updates": (config(managedNodeGroups=[group(updateConfig={
        "maxUnavailable": 1, "maxUnavailablePercentage": 5})]), "only one of maxUnavailable"),
    "Auto Mode with groups": (config(autoModeConfig={"enabled": True}, managedNodeGroups=[group()]),
                              "cannot specify nodegroups"),
    "Auto Mode with a core add-on": (config(autoModeConfig={"enabled": True},
                                            addons=[{"name": "coredns"}]), "core addon coredns"),
    "an unknown pool": (config(autoModeConfig={"enabled": True, "nodePools": ["gpu"]}), "NodePool"),
    "no pools and a role": (config(autoModeConfig={"enabled": True, "nodePools": [],
                                                   "nodeRoleARN": ROLE}), "nodePools is empty"),
    "pod identity without its agent": (config(iam={"podIdentityAssociations": [
        {"namespace": "a", "serviceAccountName": "b", "roleARN": ROLE}]}), "eks-pod-identity-agent"),
    "no add-ons and nodes": (config(addonsConfig={"disableDefaultAddons": True},
                                    managedNodeGroups=[group()]), "vpc-cni addon"),
    "entries beside CONFIG_MAP": (access(entry(), authenticationMode="CONFIG_MAP"), "to use access"),
    "an entry of nobody": (access({"principalARN": "team"}), "valid AWS ARN"),
    "an entry twice": (access(entry(), entry()), "duplicate access entry"),
    "nodes with a policy": (access(entry({"type": "cluster"}, type="EC2_LINUX")), "is a node's"),
    "a namespace without one": (access(entry({"type": "namespace"})), "namespaces must be set"),
    "a cluster with a namespace": (access(entry({"type": "cluster", "namespaces": ["a"]})),
                                   "namespaces must be set"),
    "an unknown scope": (access(entry({"type": "world"})), '"namespace" or "cluster"'),
    "one zone": (config(availabilityZones=["eu-central-1a"]), "2 are required"),
    "private with endpoints": (config(privateCluster={"enabled": True}, vpc={
        "clusterEndpoints": {"publicAccess": True}}), "fully-private"),
    "private with public nodes": (config(privateCluster={"enabled": True},
                                         managedNodeGroups=[group()]), "privateNetworking"),
    "retention of nothing": (config(cloudWatch={"clusterLogging": {"logRetentionInDays": 7}}),
                             "without enabling log types"),
    "an unknown support": (config(upgradePolicy={"supportType": "GOLD"}), "supportType"),
    "a profile that selects nothing": (profile(), "no profile selector"),
    "six selectors": (profile(*[{"namespace": f"n{n}"} for n in range(6)]), "more than 5"),
    "a selector of no namespace": (profile({"labels": {"a": "b"}}), "empty namespace"),
    "a profile of EKS": (profile({"namespace": "a"}, name="eks-x"), "NOT start with"),
}


@pytest.mark.parametrize("name", GOOD)
def test_it_is_taken(name):
    assert clusterconfig.read(yaml.safe_dump(GOOD[name]))[1] is None


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused(name):
    wrong, says = BAD[name]
    assert says in (clusterconfig.read(yaml.safe_dump(wrong))[1] or "taken")


@pytest.mark.parametrize("text, says", [
    ("a: [", "error converting YAML to JSON"), ("- a", "not a mapping"), ("", "not a mapping"),
    (yaml.safe_dump(config()) + "kind: ClusterConfig\n", 'key "kind" already set in map'),
    ("metadata: {name: a, name: b}", 'key "name" already set in map')])
def test_text_that_cannot_be_read(text, says):
    read, problem = clusterconfig.read(text)
    assert read is None and says in problem


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Our templates as envbot renders them."""
    folder = tmp_path_factory.mktemp("render")
    settings = folder / "envbot.yaml"
    settings.write_text(
        "slack: {api_url: 'http://127.0.0.1:1/api/'}\n"
        f"templates: {os.path.join(ROOT, 'templates')}\n"
        f"rbac: {{path: {os.path.join(ROOT, 'deploy', 'rbac')}}}\n"
        "operators: {channel: C0OPS}\nmail: {from: envbot@example.com}\n"
        f"teams:\n  - {{name: payments, channel: C0PAY, approvers_channel: C0PLAT, members: [U0DEV]}}\n")
    made = {}
    for name in TEMPLATES:
        done = subprocess.run(
            [built("envbot"), "render", name, "--config", str(settings)], capture_output=True, text=True,
            timeout=60, env={"PATH": os.environ["PATH"], "SLACK_APP_TOKEN": "xapp-1-A0ENVBOT-1-test",
                             "SLACK_BOT_TOKEN": "xoxb-1-test"})
        assert done.returncode == 0, done.stderr
        made[name] = done.stdout
    return made


@pytest.mark.parametrize("name", TEMPLATES)
def test_our_templates_are_taken(rendered, name):
    read, problem = clusterconfig.read(rendered[name])
    assert problem is None and read["metadata"]["version"]


# -- against eksctl's own schema --------------------------------------------------------------------
@pytest.fixture(scope="module")
def schema():
    if not os.path.exists(SCHEMA):
        pytest.skip("eksctl's schema is not here: ENVBOT_FACTS may say where it is")
    with open(SCHEMA, encoding="utf-8") as file:
        return json.load(file)


def resolved(schema, at):
    return schema["definitions"][at["$ref"].rpartition("/")[2]] if "$ref" in at else at


def differences(schema, form, at, where="ClusterConfig"):
    """Where our forms know a key or a kind that the schema does not."""
    at = resolved(schema, at)
    if isinstance(form, dict):
        known = at.get("properties", {})
        for key, inner in form.items():
            if key not in known:
                yield f"{where}.{key} is unknown"
            else:
                yield from differences(schema, inner, known[key], f"{where}.{key}")
    elif isinstance(form, clusterconfig.ListOf):
        if at.get("type") != "array":
            yield f"{where} is no list"
        else:
            yield from differences(schema, form.what, at["items"], f"{where}[]")
    elif isinstance(form, clusterconfig.MapOf):
        if at.get("type") != "object":
            yield f"{where} is no mapping"
    else:
        kinds = {"string": "string", "number": "integer", "bool": "boolean"}
        if at.get("type") not in (kinds[form], None):
            yield f"{where} is a {at.get('type')}"


def violations(schema, value, at, where=""):
    """What the schema finds in a configuration: unknown keys, missing ones, kinds, enumerations."""
    at = resolved(schema, at)
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    kind = at.get("type")
    if kind in kinds and not isinstance(value, kinds[kind]):
        yield f"{where} is no {kind}"
    elif "enum" in at and value not in at["enum"]:
        yield f"{where} is none of {at['enum']}"
    elif isinstance(value, dict):
        yield from (f"{where}.{key} is missing" for key in at.get("required", []) if key not in value)
        for key, inner in value.items():
            if key in at.get("properties", {}):
                yield from violations(schema, inner, at["properties"][key], f"{where}.{key}")
            elif at.get("additionalProperties") is False:
                yield f"{where}.{key} is unknown"
            elif isinstance(at.get("additionalProperties"), dict):
                yield from violations(schema, inner, at["additionalProperties"], f"{where}.{key}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from violations(schema, inner, at.get("items", {}), f"{where}[{i}]")


def test_we_know_no_key_that_eksctl_does_not(schema):
    assert list(differences(schema, clusterconfig.CONFIG, schema)) == []
    wrong = copy.deepcopy(clusterconfig.CONFIG)
    wrong["metadata"]["owner"] = clusterconfig.TEXT
    assert list(differences(schema, wrong, schema)) == ["ClusterConfig.metadata.owner is unknown"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_our_templates_pass_eksctl_s_schema(rendered, schema, name):
    made = yaml.safe_load(rendered[name])
    assert list(violations(schema, made, schema)) == []
    made["metadata"]["owner"] = "me"
    assert list(violations(schema, made, schema)) == [".metadata.owner is unknown"]
