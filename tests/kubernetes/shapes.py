"""What the API server takes and what it refuses, in its words: unknown fields, missing ones, wrong
values."""

import re

import workload_shapes

RBAC_GROUP = "rbac.authorization.k8s.io"
RBAC = f"{RBAC_GROUP}/v1"
AUTHORIZATION = "authorization.k8s.io/v1"

TEXT, TEXTS, FLAG, ANY, LABELS = str, [str], bool, object, {str: str}
METADATA = {"name": TEXT, "generateName": TEXT, "namespace": TEXT, "labels": LABELS,
            "annotations": LABELS, "uid": TEXT, "resourceVersion": TEXT, "creationTimestamp": ANY,
            "generation": ANY, "finalizers": TEXTS, "ownerReferences": ANY, "managedFields": ANY,
            "selfLink": TEXT, "deletionTimestamp": ANY, "deletionGracePeriodSeconds": ANY}
RULE = {"verbs": TEXTS, "apiGroups": TEXTS, "resources": TEXTS, "resourceNames": TEXTS,
        "nonResourceURLs": TEXTS}
SELECTOR = workload_shapes.SELECTOR
SUBJECT = {"kind": TEXT, "apiGroup": TEXT, "name": TEXT, "namespace": TEXT}
REF = {"apiGroup": TEXT, "kind": TEXT, "name": TEXT}
RESOURCE_ATTRIBUTES = {"namespace": TEXT, "verb": TEXT, "group": TEXT, "version": TEXT,
                       "resource": TEXT, "subresource": TEXT, "name": TEXT, "fieldSelector": ANY,
                       "labelSelector": ANY}
OTHER_ATTRIBUTES = {"path": TEXT, "verb": TEXT}
STATUS = {"allowed": FLAG, "denied": FLAG, "reason": TEXT, "evaluationError": TEXT}
SPEC = {"resourceAttributes": RESOURCE_ATTRIBUTES, "nonResourceAttributes": OTHER_ATTRIBUTES}
HEAD = {"apiVersion": TEXT, "kind": TEXT, "metadata": METADATA}

# resource: (group and version, kind, namespaced, fields)
RESOURCES = {
    "namespaces": ("v1", "Namespace", False, {**HEAD, "spec": ANY, "status": ANY}),
    "roles": (RBAC, "Role", True, {**HEAD, "rules": [RULE]}),
    "clusterroles": (RBAC, "ClusterRole", False, {
        **HEAD, "rules": [RULE], "aggregationRule": {"clusterRoleSelectors": [SELECTOR]}}),
    "rolebindings": (RBAC, "RoleBinding", True, {**HEAD, "roleRef": REF, "subjects": [SUBJECT]}),
    "clusterrolebindings": (RBAC, "ClusterRoleBinding", False,
                            {**HEAD, "roleRef": REF, "subjects": [SUBJECT]}),
    "subjectaccessreviews": (AUTHORIZATION, "SubjectAccessReview", False, {
        **HEAD, "status": STATUS, "spec": {**SPEC, "user": TEXT, "groups": TEXTS, "uid": TEXT,
                                           "extra": ANY}}),
    "selfsubjectaccessreviews": (AUTHORIZATION, "SelfSubjectAccessReview", False,
                                 {**HEAD, "status": STATUS, "spec": SPEC}),
    **workload_shapes.resources(HEAD),
}


class Malformed(Exception):
    """It cannot be decoded: 400."""


def check_shape(value, shape, path=""):
    """Raises for what the strict decoder refuses: unknown fields, values of another type."""
    if shape is object or value is None:
        return
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise Malformed(f"json: cannot unmarshal into Go struct field {path} of a list")
        for number, item in enumerate(value):
            check_shape(item, shape[0], f"{path}[{number}]")
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            raise Malformed(f"json: cannot unmarshal into Go struct field {path} of a mapping")
        for key, item in value.items():
            where = f"{path}.{key}" if path else key
            if str in shape:
                check_shape(item, shape[str], where)
            elif key not in shape:
                raise Malformed(f'strict decoding error: unknown field "{where}"')
            else:
                check_shape(item, shape[key], where)
    elif not isinstance(value, shape) or shape is int and isinstance(value, bool):
        raise Malformed(f"json: cannot unmarshal into Go struct field {path} of type "
                        f"{({str: 'string', bool: 'bool', int: 'int64'})[shape]}")


def default(resource, obj):
    """The defaults that the API fills in before it validates."""
    if resource == "jobs" and isinstance(obj.get("spec"), dict):
        workload_shapes.default_job(obj["spec"])
    if resource == "deployments" and isinstance(obj.get("spec"), dict):
        workload_shapes.default_deployment(obj["spec"])
    if resource == "pods" and isinstance(obj.get("spec"), dict):
        workload_shapes.default_pod_spec(obj["spec"])
    if resource.endswith("bindings"):
        ref = obj.get("roleRef")
        if isinstance(ref, dict) and not ref.get("apiGroup"):
            ref["apiGroup"] = RBAC_GROUP
        for subject in obj.get("subjects") or []:
            if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
                subject["apiGroup"] = RBAC_GROUP


def causes(resource, obj):
    """[(field, "Required value: …")]: what makes it 422 Invalid."""
    found = []
    name = obj["metadata"].get("name", "")
    if RESOURCES[resource][0] in ("v1", "batch/v1", "apps/v1", "policy/v1") and resource != "namespaces":
        return list(workload_shapes.causes(resource, obj))
    label = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
    if resource == "namespaces":
        if not label.fullmatch(name):
            found.append(("metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 label '
                                           "must consist of lower case alphanumeric characters"))
    elif name in (".", "..") or "/" in name or "%" in name:
        found.append(("metadata.name", f'Invalid value: "{name}": may not contain \'/\''))
    if resource in ("roles", "clusterroles"):
        for number, rule in enumerate(obj.get("rules") or []):
            found += rule_causes(f"rules[{number}]", rule, resource == "roles")
    if resource in ("rolebindings", "clusterrolebindings"):
        found += binding_causes(obj, resource == "rolebindings")
    return found


def rule_causes(path, rule, namespaced):
    if not rule.get("verbs"):
        yield f"{path}.verbs", "Required value: verbs must contain at least one value"
    if rule.get("nonResourceURLs"):
        if namespaced:
            yield (f"{path}.nonResourceURLs", "Invalid value: namespaced rules cannot apply to "
                                              "non-resource URLs")
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            yield (f"{path}.nonResourceURLs", "Invalid value: rules cannot apply to both regular "
                                              "resources and non-resource URLs")
        return
    if not rule.get("apiGroups"):
        yield (f"{path}.apiGroups", "Required value: resource rules must supply at least one api "
                                    "group")
    if not rule.get("resources"):
        yield (f"{path}.resources", "Required value: resource rules must supply at least one "
                                    "resource")


def unsupported(value, *choices):
    return f'Unsupported value: "{value}": supported values: ' + ", ".join(f'"{c}"' for c in choices)


def binding_causes(obj, namespaced):
    ref = obj.get("roleRef") or {}
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if ref.get("apiGroup") != RBAC_GROUP:
        yield "roleRef.apiGroup", unsupported(ref.get("apiGroup", ""), RBAC_GROUP)
    if ref.get("kind") not in kinds:
        yield "roleRef.kind", unsupported(ref.get("kind", ""), *kinds)
    if not ref.get("name"):
        yield "roleRef.name", "Required value"
    for number, subject in enumerate(obj.get("subjects") or []):
        path, kind = f"subjects[{number}]", subject.get("kind", "")
        if not subject.get("name"):
            yield f"{path}.name", "Required value"
        if kind == "ServiceAccount":
            if subject.get("apiGroup"):
                yield f"{path}.apiGroup", unsupported(subject["apiGroup"], "")
            if not namespaced and not subject.get("namespace"):
                yield f"{path}.namespace", "Required value"
        elif kind in ("User", "Group"):
            if subject.get("apiGroup") != RBAC_GROUP:
                yield f"{path}.apiGroup", unsupported(subject["apiGroup"], RBAC_GROUP)
        else:
            yield f"{path}.kind", unsupported(kind, "ServiceAccount", "User", "Group")


def review_causes(resource, obj):
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        yield "spec", "Required value"
        return
    asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if asked is not None and path is not None:
        yield ("spec.nonResourceAttributes", "Invalid value: cannot be specified in combination "
                                             "with resourceAttributes")
    if asked is None and path is None:
        yield ("spec.resourceAttributes", "Invalid value: exactly one of nonResourceAttributes or "
                                          "resourceAttributes must be specified")
    if resource == "subjectaccessreviews" and not spec.get("user") and not spec.get("groups"):
        yield "spec.user", 'Invalid value: "": at least one of user or group must be specified'
    if {k for k, v in (obj.get("metadata") or {}).items() if v} - {"managedFields"}:
        yield "metadata", "Invalid value: must be empty"
    # The real one takes an empty verb or resource; who asks so has forgotten something.
    for attributes, needed in ((asked, ("verb", "resource")), (path, ("verb", "path"))):
        for field in needed if attributes is not None else ():
            if not attributes.get(field):
                yield f"spec.{field}", "Required value"
