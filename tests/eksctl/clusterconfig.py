"""Reads a ClusterConfig as strictly as eksctl: unknown keys, wrong types, and rules between fields.

The keys are those of eksctl's v1alpha5 types, as far as envbot's templates use them.
"""

TEXT, NUMBER, FLAG = "string", "number", "bool"


class ListOf:
    def __init__(self, what):
        self.what = what


class MapOf:
    def __init__(self, what):
        self.what = what


TAGS = MapOf(TEXT)
SELECTOR = {"namespace": TEXT, "labels": TAGS}
GROUP = {
    "name": TEXT, "amiFamily": TEXT, "instanceType": TEXT, "instanceTypes": ListOf(TEXT),
    "desiredCapacity": NUMBER, "minSize": NUMBER, "maxSize": NUMBER, "spot": FLAG,
    "volumeSize": NUMBER, "volumeType": TEXT, "volumeEncrypted": FLAG, "privateNetworking": FLAG,
    "availabilityZones": ListOf(TEXT), "subnets": ListOf(TEXT), "labels": TAGS, "tags": TAGS,
    "taints": ListOf({"key": TEXT, "value": TEXT, "effect": TEXT}), "disableIMDSv1": FLAG,
    "iam": {"instanceRoleARN": TEXT, "attachPolicyARNs": ListOf(TEXT),
            "instanceRolePermissionsBoundary": TEXT, "withAddonPolicies": MapOf(FLAG)},
    "updateConfig": {"maxUnavailable": NUMBER, "maxUnavailablePercentage": NUMBER},
    "nodeRepairConfig": {"enabled": FLAG}, "maxPodsPerNode": NUMBER, "propagateASGTags": FLAG,
}
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
    "iam": {"withOIDC": FLAG, "serviceRoleARN": TEXT, "serviceRolePermissionsBoundary": TEXT},
    "addonsConfig": {"autoApplyPodIdentityAssociations": FLAG, "disableDefaultAddons": FLAG},
    "addons": ListOf({"name": TEXT, "version": TEXT, "configurationValues": TEXT,
                      "resolveConflicts": TEXT, "useDefaultPodIdentityAssociations": FLAG}),
    "autoModeConfig": {"enabled": FLAG, "nodePools": ListOf(TEXT), "nodeRoleARN": TEXT},
    "fargateProfiles": ListOf({"name": TEXT, "selectors": ListOf(SELECTOR),
                               "subnets": ListOf(TEXT), "tags": TAGS}),
    "managedNodeGroups": ListOf(GROUP), "nodeGroups": ListOf(GROUP),
    "cloudWatch": {"clusterLogging": {"enableTypes": ListOf(TEXT), "logRetentionInDays": NUMBER}},
    "privateCluster": {"enabled": FLAG}, "secretsEncryption": {"keyARN": TEXT},
}


class Problem(Exception):
    pass


def walk(value, form, where):
    if value is None:
        return
    if isinstance(form, dict):
        if not isinstance(value, dict):
            raise Problem(f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal "
                          f"into Go struct field {where}")
        for key, inner in value.items():
            if key not in form:
                raise Problem(f'error unmarshaling JSON: while decoding JSON: json: unknown field '
                              f'"{key}"')
            walk(inner, form[key], f"{where}.{key}")
    elif isinstance(form, ListOf):
        if not isinstance(value, list):
            raise Problem(f"json: cannot unmarshal into Go struct field {where} of type []")
        for i, inner in enumerate(value):
            walk(inner, form.what, f"{where}[{i}]")
    elif isinstance(form, MapOf):
        if not isinstance(value, dict):
            raise Problem(f"json: cannot unmarshal into Go struct field {where} of type map")
        for key, inner in value.items():
            walk(inner, form.what, f"{where}[{key}]")
    else:
        kinds = {TEXT: str, NUMBER: int, FLAG: bool}
        right = isinstance(value, kinds[form]) and not (form == NUMBER and isinstance(value, bool))
        if not right:
            raise Problem(f"error unmarshaling JSON: json: cannot unmarshal "
                          f"{type(value).__name__} into Go struct field {where} of type {form}")


def rules(config):
    metadata = config.get("metadata") or {}
    if config.get("apiVersion") != "eksctl.io/v1alpha5" or config.get("kind") != "ClusterConfig":
        raise Problem(f'no kind "{config.get("kind")}" is registered for version '
                      f'"{config.get("apiVersion")}"')
    for key in ("name", "region"):
        if not metadata.get(key):
            raise Problem(f"metadata.{key} must be set")
    name = metadata["name"]
    if not name[0].isalpha() or not name.replace("-", "a").isalnum() or len(name) > 100:
        raise Problem(f"validation for {name} failed, name must satisfy regular expression pattern: "
                      "[a-zA-Z][-a-zA-Z0-9]*")
    if metadata.get("version") not in (None, "", "auto", "latest", "1.31", "1.32", "1.33", "1.34",
                                       "1.35"):
        raise Problem(f"invalid version, supported values: 1.31, 1.32, 1.33, 1.34, 1.35")
    groups = config.get("managedNodeGroups") or []
    auto = (config.get("autoModeConfig") or {}).get("enabled")
    if auto and groups:
        raise Problem("cannot specify managedNodeGroups with autoModeConfig.enabled")
    names = [g.get("name") for g in groups]
    if len(set(names)) != len(names):
        raise Problem("nodegroup names must be unique")
    for i, group in enumerate(groups):
        where = f"managedNodeGroups[{i}]"
        if not group.get("name"):
            raise Problem(f"{where}.name must be set")
        low = group.get("minSize", group.get("desiredCapacity", 2))
        wanted = group.get("desiredCapacity", low)
        high = group.get("maxSize", wanted)
        if wanted < low:
            raise Problem(f"cannot use --nodes={wanted} and --nodes-min={low} at the same time")
        if wanted > high:
            raise Problem(f"cannot use --nodes-max={high} and --nodes={wanted} at the same time")
        if group.get("instanceType") and group.get("instanceTypes"):
            raise Problem(f"{where}: only one of instanceType or instanceTypes can be set")
        if group.get("spot") and group.get("instanceType"):
            raise Problem(f"{where}: use instanceTypes for spot")
        for key, value in (group.get("tags") or {}).items():
            if len(key) > 128 or len(value) > 256 or key.startswith("aws:"):
                raise Problem(f"{where}.tags: {key} is no tag")
    for entry in (config.get("accessConfig") or {}).get("accessEntries") or []:
        if not entry.get("principalARN", "").startswith("arn:"):
            raise Problem("accessEntries: principalARN is no ARN")


def check(config):
    """What eksctl would refuse, or None."""
    if not isinstance(config, dict):
        return "error unmarshaling JSON: not a mapping"
    try:
        walk(config, CONFIG, "ClusterConfig")
        rules(config)
    except Problem as problem:
        return str(problem)
    return None
