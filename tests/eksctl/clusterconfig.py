"""Reads a ClusterConfig as strictly as eksctl: unknown keys, wrong types, and rules between fields.

The keys are those of eksctl's v1alpha5 types, as far as envbot's templates use them; the rules are
those of its validation that a configuration of such keys can break.
"""

import re

import yaml
from regions import REGIONS

TEXT, NUMBER, FLAG = "string", "number", "bool"


class ListOf:
    def __init__(self, what):
        self.what = what


class MapOf:
    def __init__(self, what):
        self.what = what


TAGS = MapOf(TEXT)
SELECTOR = {"namespace": TEXT, "labels": TAGS}
PODS = ListOf({"namespace": TEXT, "serviceAccountName": TEXT, "createServiceAccount": FLAG,
               "roleARN": TEXT, "roleName": TEXT, "permissionPolicyARNs": ListOf(TEXT),
               "permissionsBoundaryARN": TEXT, "tags": TAGS})
ADDON_POLICIES = {name: FLAG for name in (
    "albIngress", "appMesh", "appMeshPreview", "autoScaler", "awsLoadBalancerController",
    "certManager", "cloudWatch", "ebs", "efs", "externalDNS", "fsx", "imageBuilder", "xRay")}
GROUP = {
    "name": TEXT, "amiFamily": TEXT, "instanceType": TEXT, "instanceTypes": ListOf(TEXT),
    "desiredCapacity": NUMBER, "minSize": NUMBER, "maxSize": NUMBER, "spot": FLAG,
    "volumeSize": NUMBER, "volumeType": TEXT, "volumeEncrypted": FLAG, "privateNetworking": FLAG,
    "availabilityZones": ListOf(TEXT), "subnets": ListOf(TEXT), "labels": TAGS, "tags": TAGS,
    "taints": ListOf({"key": TEXT, "value": TEXT, "effect": TEXT}), "disableIMDSv1": FLAG,
    "iam": {"instanceRoleARN": TEXT, "attachPolicyARNs": ListOf(TEXT),
            "instanceRolePermissionsBoundary": TEXT, "withAddonPolicies": ADDON_POLICIES},
    "updateConfig": {"maxUnavailable": NUMBER, "maxUnavailablePercentage": NUMBER},
    "nodeRepairConfig": {"enabled": FLAG}, "maxPodsPerNode": NUMBER, "propagateASGTags": FLAG,
}
# What only groups that EKS manages know.
MANAGED = ("instanceTypes", "spot", "nodeRepairConfig")
CONFIG = {
    "apiVersion": TEXT, "kind": TEXT,
    "metadata": {"name": TEXT, "region": TEXT, "version": TEXT, "tags": TAGS, "annotations": TAGS},
    "upgradePolicy": {"supportType": TEXT},
    "kubernetesNetworkConfig": {"ipFamily": TEXT, "serviceIPv4CIDR": TEXT},
    "availabilityZones": ListOf(TEXT),
    "vpc": {"id": TEXT, "cidr": TEXT, "nat": {"gateway": TEXT},
            "clusterEndpoints": {"publicAccess": FLAG, "privateAccess": FLAG},
            "publicAccessCIDRs": ListOf(TEXT)},
    "accessConfig": {
        "authenticationMode": TEXT, "bootstrapClusterCreatorAdminPermissions": FLAG,
        "accessEntries": ListOf({
            "principalARN": TEXT, "type": TEXT, "kubernetesGroups": ListOf(TEXT),
            "kubernetesUsername": TEXT,
            "accessPolicies": ListOf({"policyARN": TEXT, "accessScope": {
                "type": TEXT, "namespaces": ListOf(TEXT)}})})},
    "iam": {"withOIDC": FLAG, "serviceRoleARN": TEXT, "serviceRolePermissionsBoundary": TEXT,
            "podIdentityAssociations": PODS},
    "addonsConfig": {"autoApplyPodIdentityAssociations": FLAG, "disableDefaultAddons": FLAG},
    "addons": ListOf({"name": TEXT, "version": TEXT, "configurationValues": TEXT,
                      "resolveConflicts": TEXT, "useDefaultPodIdentityAssociations": FLAG}),
    "autoModeConfig": {"enabled": FLAG, "nodePools": ListOf(TEXT), "nodeRoleARN": TEXT,
                       "permissionsBoundaryARN": TEXT},
    "fargateProfiles": ListOf({"name": TEXT, "selectors": ListOf(SELECTOR),
                               "subnets": ListOf(TEXT), "tags": TAGS}),
    "managedNodeGroups": ListOf(GROUP), "nodeGroups": ListOf({k: v for k, v in GROUP.items() if k not in MANAGED}),
    "cloudWatch": {"clusterLogging": {"enableTypes": ListOf(TEXT), "logRetentionInDays": NUMBER}},
    "privateCluster": {"enabled": FLAG}, "secretsEncryption": {"keyARN": TEXT},
}


class Problem(Exception):
    pass


def kind_of(value):
    """What JSON calls it."""
    if isinstance(value, bool):
        return "bool"
    return {dict: "object", list: "array", str: "string"}.get(type(value), "number")


def walk(value, form, where):
    if value is None:
        return
    if isinstance(form, dict):
        if not isinstance(value, dict):
            raise Problem(f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                          f"{kind_of(value)} into Go struct field {where}")
        for key, inner in value.items():
            if key not in form:
                raise Problem(f'error unmarshaling JSON: while decoding JSON: json: unknown field '
                              f'"{key}"')
            walk(inner, form[key], f"{where}.{key}")
    elif isinstance(form, ListOf):
        if not isinstance(value, list):
            raise Problem(f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                          f"{kind_of(value)} into Go struct field {where} of type []")
        for i, inner in enumerate(value):
            walk(inner, form.what, f"{where}[{i}]")
    elif isinstance(form, MapOf):
        if not isinstance(value, dict):
            raise Problem(f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                          f"{kind_of(value)} into Go struct field {where} of type map")
        for key, inner in value.items():
            walk(inner, form.what, f"{where}[{key}]")
    else:
        kinds = {TEXT: str, NUMBER: int, FLAG: bool}
        right = isinstance(value, kinds[form]) and not (form == NUMBER and isinstance(value, bool))
        if not right:
            raise Problem(f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                          f"{kind_of(value)} into Go struct field {where} of type {form}")


VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36")
POOLS = ("general-purpose", "system")
CORE_ADDONS = ("vpc-cni", "kube-proxy", "coredns")
NODE_ENTRIES = ("EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "EC2")


def need(holds, problem):
    if not holds:
        raise Problem(problem)


def check_metadata(config):
    need(config.get("apiVersion") == "eksctl.io/v1alpha5" and config.get("kind") == "ClusterConfig",
         f'no kind "{config.get("kind")}" is registered for version "{config.get("apiVersion")}"')
    metadata = config.get("metadata") or {}
    for key in ("name", "region"):
        need(metadata.get(key), f"metadata.{key} must be set")
    name, version = metadata["name"], metadata.get("version")
    need(re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]*", name) and len(name) <= 100,
         f"validation for {name} failed, name must satisfy regular expression pattern: "
         "[a-zA-Z][-a-zA-Z0-9]*")
    need(version in (None, "", "auto", "latest") + VERSIONS,
         f'invalid version, {version} is not supported, supported values: {", ".join(VERSIONS)}')
    need(metadata["region"] in REGIONS,
         f'--region={metadata["region"]} is not supported - use one of: {", ".join(REGIONS)}')
    check_tags("metadata", metadata.get("tags"))


def check_tags(where, tags):
    need(len(tags or {}) <= 50, f"{where}.tags: more than 50")
    for key, value in (tags or {}).items():
        need(0 < len(key) <= 128 and len(value) <= 256 and not key.startswith("aws:"),
             f"{where}.tags: {key} is no tag")


def check_group(group, where, private):
    need(group.get("name"), f"{where}.name must be set")
    low = group.get("minSize", group.get("desiredCapacity", 2))
    wanted = group.get("desiredCapacity", low)
    high = group.get("maxSize", wanted)
    need(wanted >= low, f"cannot use --nodes={wanted} and --nodes-min={low} at the same time")
    need(wanted <= high, f"cannot use --nodes-max={high} and --nodes={wanted} at the same time")
    need(not (group.get("instanceType") and group.get("instanceTypes")),
         f"only one of instanceType or instanceTypes can be specified ({where})")
    need(not (group.get("spot") and group.get("instanceType")),
         f"{where}: use instanceTypes for spot")
    update = group.get("updateConfig")
    need(update is None or len(update) == 1,
         f"{where}: only one of maxUnavailable and maxUnavailablePercentage can be set")
    need(not (private and not group.get("privateNetworking")),
         f"privateNetworking must be enabled for a fully-private cluster ({where})")
    check_tags(where, group.get("tags"))


def check_groups(config):
    managed, own = config.get("managedNodeGroups") or [], config.get("nodeGroups") or []
    private = (config.get("privateCluster") or {}).get("enabled")
    for i, group in enumerate(managed):
        check_group(group, f"managedNodeGroups[{i}]", private)
    names = [g.get("name") for g in managed + own]
    for name in names:
        need(names.count(name) == 1, f'nodegroup name "{name}" is not unique')
    addons = [a.get("name") for a in config.get("addons") or []]
    bare = (config.get("addonsConfig") or {}).get("disableDefaultAddons")
    need(not (bare and names and "vpc-cni" not in addons),
         "when vpc-cni addon is not installed, nodegroups cannot be created")


def check_auto_mode(config):
    auto = config.get("autoModeConfig") or {}
    addons = [a.get("name") for a in config.get("addons") or []]
    if not auto.get("enabled"):
        pods = (config.get("iam") or {}).get("podIdentityAssociations")
        need(not pods or "eks-pod-identity-agent" in addons,
             "the \"eks-pod-identity-agent\" addon must be installed to create pod identity "
             "associations")
        return
    need(not config.get("managedNodeGroups") and not config.get("nodeGroups"),
         "cannot specify nodegroups or managedNodeGroups with autoModeConfig.enabled in the same "
         "creation")
    for name in CORE_ADDONS:
        need(name not in addons or config.get("fargateProfiles"),
             f"core addon {name} cannot be specified with Auto Mode")
    pools = auto.get("nodePools")
    for pool in pools or []:
        need(pool in POOLS, f'invalid NodePool "{pool}", must be one of: {", ".join(POOLS)}')
    need(pools != [] or not (auto.get("nodeRoleARN") or auto.get("permissionsBoundaryARN")),
         "cannot specify autoModeConfig.nodeRoleARN or permissionsBoundaryARN when "
         "autoModeConfig.nodePools is empty")


def check_access(config):
    access = config.get("accessConfig") or {}
    mode = access.get("authenticationMode", "API_AND_CONFIG_MAP")
    need(mode in ("API_AND_CONFIG_MAP", "API", "CONFIG_MAP"),
         f'invalid authenticationMode "{mode}"')
    entries, seen = access.get("accessEntries") or [], set()
    need(not entries or mode != "CONFIG_MAP",
         "accessConfig.authenticationMode must be set to either API_AND_CONFIG_MAP or API to use "
         "access entries")
    for i, entry in enumerate(entries):
        where, arn = f"accessEntries[{i}]", entry.get("principalARN") or ""
        need(re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+", arn),
             f"{where}.principalARN must be set to a valid AWS ARN")
        need(arn not in seen, f'duplicate access entry {where} with principal ARN "{arn}"')
        seen.add(arn)
        if entry.get("type") in NODE_ENTRIES:
            need(not any(entry.get(k) for k in ("kubernetesGroups", "kubernetesUsername",
                                                "accessPolicies")),
                 f"cannot specify groups, username or policies when {where}.type is a node's")
        for k, policy in enumerate(entry.get("accessPolicies") or []):
            check_policy(policy, f"{where}.accessPolicies[{k}]")


def check_policy(policy, where):
    need(re.fullmatch(r"arn:aws[a-z-]*:eks::aws:cluster-access-policy/\w+", policy.get("policyARN") or ""),
         f"{where}.policyARN must be set to a valid policy")
    scope = policy.get("accessScope") or {}
    need(scope.get("type") in ("cluster", "namespace"),
         f'{where}.accessScope.type must be either "namespace" or "cluster"')
    named = bool(scope.get("namespaces"))
    need(named == (scope["type"] == "namespace"),
         f"{where}.accessScope.namespaces must be set for a namespace, and for it alone")


def check_network(config):
    zones, vpc = config.get("availabilityZones"), config.get("vpc") or {}
    need(zones is None or len(zones) >= 2, "only 1 zone(s) specified, 2 are required (can be non-unique)")
    gateway = (vpc.get("nat") or {}).get("gateway", "Single")
    need(gateway in ("HighlyAvailable", "Single", "Disable"), f'invalid nat gateway "{gateway}"')
    private = (config.get("privateCluster") or {}).get("enabled")
    need(not (private and vpc.get("clusterEndpoints")),
         "vpc.clusterEndpoints cannot be set for a fully-private cluster")
    logging = (config.get("cloudWatch") or {}).get("clusterLogging") or {}
    need(not logging.get("logRetentionInDays") or logging.get("enableTypes"),
         "cannot set cloudWatch.clusterLogging.logRetentionInDays without enabling log types")
    support = (config.get("upgradePolicy") or {}).get("supportType", "EXTENDED")
    need(support in ("STANDARD", "EXTENDED"), f'invalid supportType "{support}"')


def check_fargate(config):
    names = [p.get("name") for p in config.get("fargateProfiles") or []]
    need(len(names) <= 10 and len(set(names)) == len(names), "Fargate profiles must have unique names")
    for profile in config.get("fargateProfiles") or []:
        need(profile.get("name") and not profile["name"].startswith("eks-"),
             'invalid Fargate profile: name should NOT start with "eks-"')
        selectors = profile.get("selectors") or []
        need(1 <= len(selectors) <= 5, f'invalid Fargate profile "{profile["name"]}": no profile '
             "selector, or more than 5")
        for selector in selectors:
            need(selector.get("namespace"), f'invalid Fargate profile "{profile["name"]}": empty '
                 "namespace")
            need(len(selector.get("labels") or {}) <= 5, f'Fargate profile "{profile["name"]}": more '
                 "than 5 labels")


RULES = (check_metadata, check_auto_mode, check_groups, check_access, check_network, check_fargate)


class Strict(yaml.SafeLoader):
    """Refuses a key that comes twice, as yaml.UnmarshalStrict does."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f'key "{key.value}" already set in map')
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(text):
    """(configuration, None), (None, why it cannot be read) or (configuration, what is wrong in it)."""
    try:
        config = yaml.load(text, Strict)
    except yaml.YAMLError as error:
        return None, f"error converting YAML to JSON: yaml: {error}"
    if not isinstance(config, dict):
        return None, "error unmarshaling JSON: not a mapping"
    try:
        walk(config, CONFIG, "ClusterConfig")
    except Problem as problem:
        return None, str(problem)
    try:
        for rule in RULES:
            rule(config)
    except Problem as problem:
        return config, str(problem)
    return config, None


def normalised(config):
    """The plan of --dry-run: the configuration with what eksctl fills in."""
    plan = yaml.safe_load(yaml.safe_dump(config))
    plan["metadata"].setdefault("version", "1.34")
    plan.setdefault("accessConfig", {}).setdefault("authenticationMode", "API_AND_CONFIG_MAP")
    plan.setdefault("vpc", {}).setdefault("nat", {}).setdefault("gateway", "Single")
    for group in plan.get("managedNodeGroups") or []:
        group.setdefault("amiFamily", "AmazonLinux2023")
        group.setdefault("desiredCapacity", group.get("minSize", 2))
        group.setdefault("volumeSize", 80)
    return yaml.safe_dump(plan)
