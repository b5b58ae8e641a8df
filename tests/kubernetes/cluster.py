"""What the stand-in's API server knows: who calls, what was applied, what the rules say of it."""

import base64
import copy
import datetime
import json
import uuid

from evaluate import Rules, aggregate
from selection import Unreadable, chosen
from shapes import (AUTHORIZATION, RBAC, RBAC_GROUP, RESOURCES, Malformed, causes, check_shape,
                    default, review_causes)
from workload_shapes import changed_causes
from workloads import Workloads

REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound",
           405: "MethodNotAllowed", 406: "NotAcceptable", 409: "Conflict", 410: "Expired",
           415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests",
           500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}


class Refused(Exception):
    """An answer that is a Status of failure."""

    def __init__(self, code, message, reason=None, details=None, retry_after=None):
        super().__init__(message)
        self.code, self.retry_after = code, retry_after
        self.status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                       "message": message, "reason": reason or REASONS[code], "code": code}
        if details:
            self.status["details"] = details


class Answered(Exception):
    """An answer that a test wants to be given, whatever was asked."""

    def __init__(self, code, body):
        super().__init__(code)
        self.code, self.body = code, body


class Caller:
    def __init__(self, name, groups):
        self.name, self.groups = name, list(groups)


ANONYMOUS = Caller("system:anonymous", ["system:unauthenticated"])


def cluster_role(name, *rules, **more):
    return {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name, **more},
            "rules": list(rules)}


def cluster_binding(name, role, kind, subject):
    return {"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": RBAC_GROUP, "kind": kind, "name": subject}]}


def resource_rule(groups, resources, verbs):
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


PUBLIC = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
# The default roles and bindings of a cluster, as far as they are of use here.
DEFAULTS = [
    cluster_role("cluster-admin", resource_rule(["*"], ["*"], ["*"]),
                 {"nonResourceURLs": ["*"], "verbs": ["*"]}),
    cluster_role("system:auth-delegator",
                 resource_rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
                 resource_rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"])),
    cluster_role("system:basic-user",
                 resource_rule(["authorization.k8s.io"],
                               ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
                               ["create"])),
    cluster_role("system:discovery", {"nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*",
                                                          "/openapi", "/openapi/*", *PUBLIC],
                                      "verbs": ["get"]}),
    cluster_role("system:public-info-viewer", {"nonResourceURLs": PUBLIC, "verbs": ["get"]}),
    cluster_binding("cluster-admin", "cluster-admin", "Group", "system:masters"),
    cluster_binding("system:basic-user", "system:basic-user", "Group", "system:authenticated"),
    cluster_binding("system:discovery", "system:discovery", "Group", "system:authenticated"),
    cluster_binding("system:public-info-viewer", "system:public-info-viewer", "Group",
                    "system:unauthenticated"),
    *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
      for name in ("default", "kube-system")),
]


def resource_of(kind):
    return next(r for r, (_, k, _, _) in RESOURCES.items() if k == kind)


def now(later=0):
    at = datetime.datetime.utcnow() + datetime.timedelta(seconds=later)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    now = staticmethod(now)

    def __init__(self, folder):
        self.store = {}
        self.workloads = Workloads(self, folder)
        self.version = 100
        self.compacted = 0  # lists that began before this are over
        self.tokens = {}    # token -> (user, groups)
        self.rules = Rules(self.store)
        self.reviews = []   # every SubjectAccessReview that was answered, in order
        for obj in DEFAULTS:
            self.put(resource_of(obj["kind"]), copy.deepcopy(obj))

    # ---- who calls ----

    def caller(self, authorization, certificate):
        if certificate:
            parts = [pair for part in certificate["subject"] for pair in part]
            name = next(value for key, value in parts if key == "commonName")
            groups = [value for key, value in parts if key == "organizationName"]
            return Caller(name, [*groups, "system:authenticated"])
        if not authorization:
            return ANONYMOUS
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or token not in self.tokens:
            raise Refused(401, "Unauthorized")
        user, groups = self.tokens[token]
        return Caller(user, [*groups, "system:authenticated"])

    def impersonated(self, caller, user, groups):
        """--as and --as-group: for who may impersonate each of them."""
        if not user:
            if groups:
                raise Refused(500, "requested [{Group}] without impersonating a user")
            return caller
        self.demand(caller, {"verb": "impersonate", "group": "", "resource": "users",
                             "name": user, "namespace": ""})
        for group in groups:
            self.demand(caller, {"verb": "impersonate", "group": "", "resource": "groups",
                                 "name": group, "namespace": ""})
        return Caller(user, list(dict.fromkeys([*groups, "system:authenticated"])))

    def demand(self, caller, attributes):
        allowed, reason = self.rules.allows(caller.name, caller.groups, attributes)
        if allowed:
            return
        if "path" in attributes:
            raise Refused(403, f'forbidden: User "{caller.name}" cannot {attributes["verb"]} path '
                               f'"{attributes["path"]}"' + (f": {reason}" if reason else ""))
        kind = attributes["resource"] + (f".{attributes['group']}" if attributes["group"] else "")
        name = f' "{attributes["name"]}"' if attributes.get("name") else ""
        where = (f'in the namespace "{attributes["namespace"]}"' if attributes.get("namespace")
                 else "at the cluster scope")
        raise Refused(403, f'{kind}{name} is forbidden: User "{caller.name}" cannot '
                           f'{attributes["verb"]} resource "{attributes["resource"]}" in API group '
                           f'"{attributes["group"]}" {where}' + (f": {reason}" if reason else ""),
                      details={"kind": attributes["resource"], "group": attributes["group"],
                               "name": attributes.get("name", "")})

    # ---- what was applied ----

    def put(self, resource, obj, old=None):
        self.version += 1
        metadata = obj["metadata"]
        metadata["resourceVersion"] = str(self.version)
        metadata["uid"] = old["metadata"]["uid"] if old else str(uuid.uuid4())
        metadata["creationTimestamp"] = old["metadata"]["creationTimestamp"] if old else now()
        if resource == "namespaces":
            obj.setdefault("spec", {"finalizers": ["kubernetes"]})
            obj.setdefault("status", {"phase": "Active"})
        self.store[resource, metadata.get("namespace", ""), metadata["name"]] = obj
        self.workloads.written(resource, obj)
        if not old:
            self.workloads.created(resource, obj)
        if resource == "clusterroles":
            aggregate({n: o for (r, _, n), o in self.store.items() if r == "clusterroles"})
        return obj

    def touch(self, resource, obj):
        """It changed by itself."""
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)

    def remove(self, resource, namespace, name):
        self.store.pop((resource, namespace, name), None)
        self.version += 1

    def decoded(self, resource, obj, namespace):
        """The object as the API would keep it, or a refusal."""
        version, kind, namespaced, shape = RESOURCES[resource]
        if not isinstance(obj, dict):
            raise Refused(400, "the body is no mapping")
        obj.setdefault("kind", kind)  # the path says it
        obj.setdefault("apiVersion", version)
        if (obj["kind"], obj.get("apiVersion")) != (kind, version):
            raise Refused(400, f"{obj['kind']} in version \"{obj.get('apiVersion')}\" cannot be "
                               f"handled as a {kind}: the object does not match the resource")
        try:
            check_shape(obj, shape)
        except Malformed as error:
            raise Refused(400, f'{kind} in version "{version.split("/")[-1]}" cannot be handled '
                               f"as a {kind}: {error}") from error
        metadata = obj.setdefault("metadata", {})
        if namespaced and metadata.setdefault("namespace", namespace) != namespace:
            raise Refused(400, "the namespace of the provided object does not match the namespace "
                               "sent on the request")
        default(resource, obj)
        return obj

    def invalid(self, resource, obj, found):
        found = list(found)
        if not found:
            return
        version, kind, _, _ = RESOURCES[resource]
        group = version.rpartition("/")[0]
        full = f"{kind}.{group}" if group else kind
        name = (obj.get("metadata") or {}).get("name", "")
        words = [f"{field}: {text}" for field, text in found]
        raise Refused(422, f'{full} "{name}" is invalid: ' + (
            words[0] if len(words) == 1 else f"[{', '.join(words)}]"), details={
                "name": name, "group": group, "kind": kind, "causes": [
                    {"reason": "FieldValueInvalid", "message": t, "field": f} for f, t in found]})

    def find(self, resource, namespace, name):
        obj = self.store.get((resource, namespace, name))
        if not obj:
            raise self.not_found(resource, name)
        return obj

    @staticmethod
    def not_found(resource, name):
        group = RESOURCES[resource][0].rpartition("/")[0]
        full = f"{resource}.{group}" if group else resource
        return Refused(404, f'{full} "{name}" not found',
                       details={"name": name, "group": group, "kind": resource})

    def create(self, resource, namespace, body, dry_run):
        obj = self.decoded(resource, body, namespace)
        if RESOURCES[resource][2] and ("namespaces", "", namespace) not in self.store:
            raise self.not_found("namespaces", namespace)
        name = obj["metadata"].get("name")
        if not name:
            raise Refused(422, f"{RESOURCES[resource][1]} is invalid: metadata.name: Required "
                               "value: name or generateName is required")
        if obj["metadata"].get("resourceVersion"):
            raise Refused(400, "resourceVersion should not be set on objects to be created")
        self.invalid(resource, obj, causes(resource, obj))
        if (resource, namespace, name) in self.store:
            group = RESOURCES[resource][0].rpartition("/")[0]
            raise Refused(409, f'{resource}.{group} "{name}" already exists', "AlreadyExists",
                          {"name": name, "group": group, "kind": resource})
        return obj if dry_run else self.put(resource, obj)

    def replace(self, resource, namespace, name, body, dry_run):
        old = self.find(resource, namespace, name)
        obj = self.decoded(resource, body, namespace)
        if obj["metadata"].get("name") != name:
            raise Refused(400, "the name of the object does not match the name on the URL")
        given = obj["metadata"].get("resourceVersion")
        if given and given != old["metadata"]["resourceVersion"]:
            raise Refused(409, f'Operation cannot be fulfilled on {resource} "{name}": the object '
                               "has been modified; please apply your changes to the latest version "
                               "and try again", details={"name": name, "kind": resource})
        found = list(causes(resource, obj))
        if resource.endswith("bindings") and obj.get("roleRef") != old["roleRef"]:
            found.append(("roleRef", "Invalid value: cannot change roleRef"))
        self.invalid(resource, obj, found + list(changed_causes(resource, obj, old)))
        same = {**obj, "metadata": {**old["metadata"], **obj["metadata"]}} == old
        return old if same else obj if dry_run else self.put(resource, obj, old)

    def patch(self, resource, namespace, name, patch, dry_run):
        """JSON merge patch. The strategic one is the same here: no list in the kinds of access rules
        has a merge key, so lists are replaced; of Jobs and Pods hardly anything may change."""
        old = self.find(resource, namespace, name)
        if not isinstance(patch, dict):
            raise Refused(400, "the patch is no mapping")
        return self.replace(resource, namespace, name, merged(copy.deepcopy(old), patch), dry_run)

    def delete(self, resource, namespace, name, options=None):
        """options: a DeleteOptions. What goes only after something else is answered as it is."""
        obj, options = self.find(resource, namespace, name), options or {}
        for field, value in (options.get("preconditions") or {}).items():
            if value != obj["metadata"][field]:
                word = {"uid": "UID", "resourceVersion": "ResourceVersion"}[field]
                raise Refused(409, f'Operation cannot be fulfilled on {resource} "{name}": '
                                   f"Precondition failed: {word} in precondition: {value}, {word} in "
                                   f'object meta: {obj["metadata"][field]}')
        if resource == "jobs" and self.workloads.delete_job(obj, options.get("propagationPolicy")):
            return obj
        if resource == "pods":
            self.workloads.delete_pod(obj, options.get("gracePeriodSeconds"))
            return obj
        del self.store[resource, namespace, name]
        if resource == "namespaces":
            for key in [k for k in self.store if k[1] == name]:
                del self.store[key]
        for key, other in list(self.store.items()):
            if any(o["uid"] == obj["metadata"]["uid"]
                   for o in other["metadata"].get("ownerReferences") or []):
                if key in self.store:
                    self.delete(*key)
        self.version += 1
        group = RESOURCES[resource][0].rpartition("/")[0]
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {"name": name, "group": group, "kind": resource,
                            "uid": obj["metadata"]["uid"]}}

    def list(self, resource, namespace, limit, token, labels=None, fields=None):
        version, kind, _, _ = RESOURCES[resource]
        items = [o for (r, ns, _), o in sorted(self.store.items())
                 if r == resource and namespace in ("", ns)]
        try:
            items = chosen(resource, items, labels, fields)
        except Unreadable as error:
            raise Refused(400, str(error)) from error
        start, at = 0, self.version
        if token:
            try:
                at, start = json.loads(base64.urlsafe_b64decode(token))
            except ValueError as error:
                raise Refused(400, "continue key is not valid") from error
            if at < self.compacted:
                raise Refused(410, "The provided continue parameter is too old to display a "
                                   "consistent list result.")
        metadata = {"resourceVersion": str(at)}
        end = start + limit if limit else len(items)
        if end < len(items):
            metadata["continue"] = base64.urlsafe_b64encode(json.dumps([at, end]).encode()).decode()
            metadata["remainingItemCount"] = len(items) - end
        return {"apiVersion": version, "kind": f"{kind}List", "metadata": metadata,
                "items": items[start:end]}

    # ---- what the rules say ----

    def review(self, resource, body, caller):
        version, kind, _, shape = RESOURCES[resource]
        if not isinstance(body, dict):
            raise Refused(400, "the body is no mapping")
        body = {"kind": kind, "apiVersion": version, **body}
        if (body.get("kind"), body.get("apiVersion")) != (kind, version):
            raise Refused(400, f"the body is no {kind} of {version}")
        try:
            check_shape(body, shape)
        except Malformed as error:
            raise Refused(400, f'{kind} in version "v1" cannot be handled as a {kind}: '
                               f"{error}") from error
        self.invalid(resource, body, review_causes(resource, body))
        spec = body["spec"]
        user, groups = caller.name, caller.groups
        if resource == "subjectaccessreviews":
            user, groups = spec.get("user", ""), spec.get("groups") or []
        attributes = spec.get("resourceAttributes") or spec.get("nonResourceAttributes")
        allowed, reason = self.rules.allows(user, groups, attributes)
        if resource == "subjectaccessreviews":
            self.reviews.append({"user": user, "groups": groups, "attributes": attributes,
                                 "allowed": allowed, "by": caller.name})
        status = {"allowed": allowed}
        if reason:
            status["reason"] = reason
        return {"kind": kind, "apiVersion": AUTHORIZATION,
                "metadata": {"creationTimestamp": None}, "spec": spec, "status": status}


def merged(target, patch):
    for key, value in patch.items():
        if key.startswith("$"):
            raise Refused(400, f"the directive {key} is not known here")
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            base = target.get(key)
            target[key] = merged(base if isinstance(base, dict) else {}, value)
        else:
            target[key] = value
    return target
