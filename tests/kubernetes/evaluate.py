"""RBAC as kubernetes.io describes it ("Using RBAC Authorization"): what is bound adds up, nothing
denies."""

RBAC_GROUP = "rbac.authorization.k8s.io"


def subject_is(subject, user, groups, binding_namespace):
    """A subject is a user, a group, or a service account; an account's user name is
    system:serviceaccount:NAMESPACE:NAME."""
    kind, name = subject["kind"], subject["name"]
    if kind == "User":
        return name == user
    if kind == "Group":
        return name in groups
    namespace = subject.get("namespace") or binding_namespace
    return user == f"system:serviceaccount:{namespace}:{name}"


def resource_is(rule, resource, subresource):
    """ "pods" are pods and not their logs, "pods/log" are the logs; "*/scale" is the scale of
    anything; "*" is every resource and every sub-resource."""
    wanted = f"{resource}/{subresource}" if subresource else resource
    names = rule.get("resources", [])
    return "*" in names or wanted in names or (bool(subresource) and f"*/{subresource}" in names)


def rule_allows(rule, attributes):
    verbs = rule["verbs"]
    if "*" not in verbs and attributes["verb"] not in verbs:
        return False
    if "path" in attributes:
        return any(url == "*" or url == attributes["path"] or
                   (url.endswith("*") and attributes["path"].startswith(url[:-1]))
                   for url in rule.get("nonResourceURLs", []))
    groups, names = rule.get("apiGroups", []), rule.get("resourceNames", [])
    if "*" not in groups and attributes.get("group", "") not in groups:
        return False
    if not resource_is(rule, attributes["resource"], attributes.get("subresource", "")):
        return False
    # With resourceNames a request must name one of them: what lists or creates without a name is
    # about all of them.
    return not names or attributes.get("name", "") in names


def labels_match(selector, labels):
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions", []):
        key, operator, values = expression["key"], expression["operator"], expression.get("values")
        there = key in labels
        if operator == "Exists" and not there or operator == "DoesNotExist" and there:
            return False
        if operator == "In" and labels.get(key) not in values:
            return False
        if operator == "NotIn" and there and labels[key] in values:
            return False
    return True


def aggregate(cluster_roles):
    """A role with an aggregationRule holds the rules of the roles whose labels it selects; the
    control plane overwrites what else stands there."""
    for name in sorted(cluster_roles):
        role = cluster_roles[name]
        if not role.get("aggregationRule"):
            continue
        rules = []
        for selector in role["aggregationRule"].get("clusterRoleSelectors", []):
            for other in sorted(cluster_roles):
                labels = cluster_roles[other]["metadata"].get("labels") or {}
                if other == name or not labels_match(selector, labels):
                    continue
                rules += [r for r in cluster_roles[other].get("rules") or [] if r not in rules]
        role["rules"] = rules


class Rules:
    """store: (resource, namespace, name) -> object."""

    def __init__(self, store):
        self.store = store

    def kind(self, resource, namespace=None):
        return [o for (r, ns, _), o in sorted(self.store.items())
                if r == resource and namespace in (None, ns)]

    def bound_role(self, binding):
        """The role of a binding, None when there is none of that name."""
        ref = binding["roleRef"]
        if ref["kind"] == "ClusterRole":
            return self.store.get(("clusterroles", "", ref["name"]))
        return self.store.get(("roles", binding["metadata"]["namespace"], ref["name"]))

    def allows(self, user, groups, attributes):
        """(allowed, reason). attributes: verb and path, or verb, namespace, group, resource,
        subresource, name."""
        if "system:masters" in groups:
            return True, ""
        bindings = self.kind("clusterrolebindings")
        namespace = attributes.get("namespace", "")
        if namespace:
            bindings = bindings + self.kind("rolebindings", namespace)
        lost = []
        for binding in bindings:
            found = [s for s in binding.get("subjects") or []
                     if subject_is(s, user, groups, binding["metadata"].get("namespace", ""))]
            if not found:
                continue
            role = self.bound_role(binding)
            if not role:
                ref = binding["roleRef"]
                lost.append(f'{ref["kind"].lower()}.{RBAC_GROUP} "{ref["name"]}" not found')
            elif any(rule_allows(rule, attributes) for rule in role.get("rules") or []):
                return True, f"RBAC: allowed by {described(binding, found[0])}"
        lost = list(dict.fromkeys(lost))
        reason = lost[0] if len(lost) == 1 else f"[{', '.join(lost)}]"
        return False, f"RBAC: {reason}" if lost else ""


def described(binding, subject):
    metadata, ref = binding["metadata"], binding["roleRef"]
    namespace = metadata.get("namespace", "")
    name = f"{metadata['name']}/{namespace}" if namespace else metadata["name"]
    who = subject["name"]
    if subject["kind"] == "ServiceAccount":
        who = f"{who}/{subject.get('namespace') or namespace}"
    return (f'{"RoleBinding" if namespace else "ClusterRoleBinding"} "{name}" of {ref["kind"]} '
            f'"{ref["name"]}" to {subject["kind"]} "{who}"')
