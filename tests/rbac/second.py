"""Kubernetes RBAC a second time, from its documentation ("Using RBAC Authorization", the reference
of rbac.authorization.k8s.io/v1 and of LabelSelector), not from envbot's evaluator: what both say
alike, two readers understood alike. It is made to be read beside that documentation."""

import os

import yaml

GROUP = "rbac.authorization.k8s.io"
CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding")
METADATA = {"name", "namespace", "labels", "annotations"}
KEYS = {
    "Role": {"rules"}, "ClusterRole": {"rules", "aggregationRule"},
    "RoleBinding": {"subjects", "roleRef"}, "ClusterRoleBinding": {"subjects", "roleRef"},
}


class Broken(Exception):
    """It grants nothing."""


def need(fine):
    if not fine:
        raise Broken


def strings(values):
    need(isinstance(values, list) and all(isinstance(each, str) for each in values))
    return frozenset(values)


def whole(read, items):
    """What is not broken of a list."""
    for each in items or []:
        try:
            yield read(each)
        except Broken:
            pass


def rule(node):
    need(isinstance(node, dict) and not node.keys() - {
        "apiGroups", "resources", "verbs", "resourceNames", "nonResourceURLs"})
    need(node.get("verbs"))  # required
    # "Rules can either apply to API resources or non-resource URL paths, but not both."
    need("nonResourceURLs" not in node and node.get("apiGroups") and node.get("resources"))
    return tuple(strings(node.get(key, []))
                 for key in ("verbs", "apiGroups", "resources", "resourceNames"))


def subject(node):
    need(isinstance(node, dict) and not node.keys() - {"kind", "apiGroup", "name", "namespace"})
    kind, name, namespace = node.get("kind"), node.get("name"), node.get("namespace", "")
    need(name and isinstance(name, str) and kind in ("User", "Group", "ServiceAccount"))
    if kind == "ServiceAccount":
        need(node.get("apiGroup", "") == "" and namespace)
        return "User", f"system:serviceaccount:{namespace}:{name}"
    need(node.get("apiGroup", GROUP) == GROUP and not namespace)
    return kind, name


def requirement(node):
    """A function of labels."""
    need(isinstance(node, dict) and not node.keys() - {"key", "operator", "values"})
    key, operator, values = node.get("key"), node.get("operator"), node.get("values", [])
    need(key and operator in ("In", "NotIn", "Exists", "DoesNotExist"))
    need(bool(values) == (operator in ("In", "NotIn")))
    values = strings(values)
    return {
        "In": lambda labels: labels.get(key) in values,
        "NotIn": lambda labels: labels.get(key) not in values,  # also who has no such label
        "Exists": lambda labels: key in labels,
        "DoesNotExist": lambda labels: key not in labels,
    }[operator]


def selector(node):
    """A function of labels; an empty selector selects everything."""
    need(isinstance(node, dict) and not node.keys() - {"matchLabels", "matchExpressions"})
    pairs = list((node.get("matchLabels") or {}).items())
    tests = [requirement(each) for each in node.get("matchExpressions") or []]
    return lambda labels: (all(labels.get(key) == value for key, value in pairs)
                           and all(test(labels) for test in tests))


def resource_matches(resources, resource, subresource):
    if "*" in resources:  # all resources, and their subresources
        return True
    if not subresource:
        return resource in resources
    return f"{resource}/{subresource}" in resources or f"*/{subresource}" in resources


def rule_matches(one, question):
    verbs, groups, resources, names = one
    return (("*" in verbs or question["verb"] in verbs)
            and ("*" in groups or question["apiGroup"] in groups)
            and resource_matches(resources, question["resource"], question["subresource"])
            and (not names or question["name"] in names))


class Rules:
    def __init__(self):
        self.roles = {}     # (namespace or None, name): rules
        self.selected = {}  # an aggregated role's name: its selectors
        self.labels = {}    # a ClusterRole's name: labels
        self.bindings = {}  # (kind, namespace or None, name): (role, subjects)
        self.everywhere, self.here = [], {}

    @classmethod
    def read(cls, folder):
        self = cls()
        for name in sorted(os.listdir(folder)):
            if name.endswith((".yaml", ".yml", ".json")):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    for node in yaml.load_all(file, yaml.CSafeLoader):
                        self.add(node)
        return self.finish()

    @classmethod
    def of(cls, nodes):
        self = cls()
        for node in nodes:
            self.add(node)
        return self.finish()

    def add(self, node):
        if isinstance(node, dict) and node.get("kind") == "List":
            if node.get("apiVersion") == "v1":
                for each in node.get("items") or []:
                    self.add(each)
            return
        try:
            self.add_one(node)
        except Broken:
            pass

    def add_one(self, node):
        need(isinstance(node, dict) and node.get("apiVersion") == GROUP + "/v1")
        kind, meta = node.get("kind"), node.get("metadata")
        need(kind in KEYS and not node.keys() - {"apiVersion", "kind", "metadata"} - KEYS[kind])
        need(isinstance(meta, dict) and meta.get("name") and not meta.keys() - METADATA)
        namespace = None if kind in CLUSTER_WIDE else meta.get("namespace")
        need(kind in CLUSTER_WIDE or namespace)
        name = meta["name"]
        if kind.endswith("Role"):
            self.add_role(node, kind, namespace, name, meta.get("labels") or {})
            return
        # "If the RoleRef cannot be resolved" nothing is granted; that is seen at the end.
        to = node.get("roleRef")
        need(isinstance(to, dict) and not to.keys() - {"apiGroup", "kind", "name"})
        need(to.get("apiGroup") == GROUP and to.get("name"))
        need(to.get("kind") in (("ClusterRole",) if namespace is None else ("Role", "ClusterRole")))
        role = (namespace if to["kind"] == "Role" else None), to["name"]
        self.bindings[kind, namespace, name] = role, frozenset(whole(subject, node.get("subjects")))

    def add_role(self, node, kind, namespace, name, labels):
        selectors = None
        if "aggregationRule" in node:
            how = node["aggregationRule"]
            need(isinstance(how, dict) and not how.keys() - {"clusterRoleSelectors"})
            selectors = [selector(each) for each in how.get("clusterRoleSelectors") or []]
        self.roles[namespace, name] = list(whole(rule, node.get("rules")))
        if kind == "ClusterRole":
            self.labels[name] = labels
            self.selected.pop(name, None)
            if selectors is not None:  # what the manifest itself lists is overwritten
                self.selected[name] = selectors
                self.roles[None, name] = []

    def finish(self):
        """Aggregates until nothing moves: a role that is aggregated may be an aggregate itself."""
        moved = True
        while moved:
            moved = False
            for name, selectors in self.selected.items():
                rules = self.roles[None, name]
                for other, labels in self.labels.items():
                    if any(select(labels) for select in selectors):
                        more = [r for r in self.roles[None, other] if r not in rules]
                        rules.extend(more)
                        moved = moved or bool(more)
        for (_, namespace, _), (role, subjects) in self.bindings.items():
            if role in self.roles:
                where = self.everywhere if namespace is None else self.here.setdefault(namespace, [])
                where.append((subjects, self.roles[role]))
        return self

    def allow(self, question):
        who = {("Group", group) for group in question["groups"]}
        who |= {("User", question["user"]), ("Group", "system:authenticated")}
        bindings = self.everywhere
        if question["namespace"]:
            bindings = bindings + self.here.get(question["namespace"], [])
        return any(not who.isdisjoint(subjects) and any(rule_matches(r, question) for r in rules)
                   for subjects, rules in bindings)
