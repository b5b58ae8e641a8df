"""Random policies and questions. The vocabularies are small, so that they meet often."""

GROUP = "rbac.authorization.k8s.io"
NAMESPACES = ["payments", "search"]
USERS = ["slack:U1", "slack:U1", "dev@example.com", "slack:approvers",
         "system:serviceaccount:payments:robot", "system:serviceaccount:search:robot"]
GROUPS = ["slack:approvers", "slack:security", "slack:U1", "system:authenticated"]
VERBS = ["get", "list", "create", "approve", "delete"]
API_GROUPS = ["envbot.dev", "", "apps"]
RESOURCES = ["environments", "quotas", "reports"]
SUBRESOURCES = ["status", "scale"]
NAMES = ["small", "gpu", "*"]
ROLES = ["viewer", "approver", "manager", "chief"]
KEYS, VALUES = ["to-manager", "tier"], ["true", "a", ""]


def some(random, of, most=2, least=1):
    return random.sample(of, random.randint(least, min(most, len(of))))


def rule(random):
    resources = RESOURCES + [f"{r}/{s}" for r in RESOURCES[:2] for s in SUBRESOURCES]
    made = {
        "apiGroups": ["*"] if random.random() < .15 else some(random, API_GROUPS[:1] + API_GROUPS),
        "resources": some(random, RESOURCES[:2] + resources, 3),
        "verbs": ["*"] if random.random() < .15 else some(random, VERBS, 3),
    }
    extra = random.random()
    if extra < .12:
        made["resources"] = ["*"]
    elif extra < .24:
        made["resources"].append("*/" + random.choice(SUBRESOURCES))
    elif extra < .28:
        made["resources"].append("environments/*")
    if random.random() < .3:
        made["resourceNames"] = some(random, NAMES, least=0)
    odd = random.random()
    if odd < .02:
        made["resource"] = ["environments"]
    elif odd < .04:
        made.pop(random.choice(["apiGroups", "resources", "verbs"]))
    elif odd < .06:
        made[random.choice(["apiGroups", "resources", "verbs"])] = []
    elif odd < .08:
        made = {"nonResourceURLs": ["/healthz", "/metrics/*"], "verbs": ["get"]}
    return made


def subject(random):
    kind = random.choice(["User", "User", "Group", "Group", "ServiceAccount"])
    if kind == "ServiceAccount":
        made = {"kind": kind, "name": "robot", "namespace": random.choice(NAMESPACES)}
    else:
        made = {"kind": kind, "name": random.choice(USERS if kind == "User" else GROUPS)}
        if random.random() < .7:
            made["apiGroup"] = GROUP
    odd = random.random()
    if odd < .03:
        made["apiGroup"] = "example.com"
    elif odd < .04:
        made["kind"] = "Team"
    elif odd < .06:
        made["email"] = "dev@example.com"
    elif odd < .08:
        made.pop("name")
    elif odd < .10 and kind != "ServiceAccount":
        made["namespace"] = "payments"
    return made


def labels(random):
    return {key: random.choice(VALUES) for key in some(random, KEYS, least=0)}


def requirement(random):
    operator = random.choice(["In", "NotIn", "Exists", "DoesNotExist"])
    made = {"key": random.choice(KEYS), "operator": operator}
    if operator in ("In", "NotIn"):
        made["values"] = some(random, VALUES)
    odd = random.random()
    if odd < .03:
        made["operator"] = "Gt"
    elif odd < .06:
        made["values"] = [] if "values" in made else ["true"]
    return made


def selector(random):
    made = {}
    if random.random() < .6:
        made["matchLabels"] = labels(random)
    if random.random() < .5:
        made["matchExpressions"] = [requirement(random) for _ in range(random.randint(1, 2))]
    return made


def role(random, kind):
    made = {"apiVersion": GROUP + "/v1", "kind": kind, "metadata": {"name": random.choice(ROLES)},
            "rules": [rule(random) for _ in range(random.randint(0, 3))]}
    if kind == "Role":
        made["metadata"]["namespace"] = random.choice(NAMESPACES)
    if random.random() < .6:
        made["metadata"]["labels"] = labels(random)
    if kind == "ClusterRole" and random.random() < .4:
        made["aggregationRule"] = {
            "clusterRoleSelectors": [selector(random) for _ in range(random.randint(1, 2))]}
        if random.random() < .5:
            made["rules"] = []
    return made


def binding(random, kind, number):
    to = random.choice(["Role", "ClusterRole"]) if kind == "RoleBinding" else "ClusterRole"
    name = f"b{number}" if random.random() < .9 else "b0"
    made = {"apiVersion": GROUP + "/v1", "kind": kind, "metadata": {"name": name},
            "subjects": [subject(random) for _ in range(random.randint(0, 5))],
            "roleRef": {"apiGroup": GROUP, "kind": to, "name": random.choice(ROLES + ["nobody"] * (random.random() < .2))}}
    if kind == "RoleBinding":
        made["metadata"]["namespace"] = random.choice(NAMESPACES)
    return made


def broken(random, made, number):
    """A manifest with a mistake, under a name that nothing else has."""
    made["metadata"]["name"] = f"broken{number}"
    spoil = random.randrange(7)
    if spoil == 0:
        made["apiVersion"] = "rbac.authorization.k8s.io/v2"
    elif spoil == 1:
        made["kind"] += "s"
    elif spoil == 2:
        made["spec"] = {}
    elif spoil == 3:
        made["metadata"].pop("name")
    elif spoil == 4:
        made["metadata"]["label"] = {"a": "b"}
    elif "roleRef" in made and spoil == 5:
        made["roleRef"]["apiGroup"] = "example.com"
    elif "roleRef" in made:
        made["roleRef"]["kind"] = "Group"
    else:
        made["apiVersion"] = "v1"
    return made


def manifest(random, number):
    kind = random.choice(["Role", "ClusterRole", "ClusterRole", "RoleBinding", "RoleBinding",
                          "ClusterRoleBinding"])
    made = role(random, kind) if kind.endswith("Role") else binding(random, kind, number)
    return broken(random, made, number) if random.random() < .04 else made


def policy(random):
    """Files, each a list of documents."""
    nodes = [manifest(random, number) for number in range(random.randint(5, 40))]
    files = [[] for _ in range(random.randint(1, 3))]
    while nodes:
        file = random.choice(files)
        if random.random() < .15:
            count = random.randint(1, 4)
            file.append({"apiVersion": "v1", "kind": "List", "items": nodes[:count]})
            nodes = nodes[count:]
        else:
            file.append(nodes.pop(0))
    return files


def question(random):
    namespace = random.choice(NAMESPACES + NAMESPACES + ["", "other"])
    subresource = random.choice(SUBRESOURCES + ["*"]) if random.random() < .3 else ""
    return {
        "user": random.choice(USERS + ["slack:U2"]), "groups": some(random, GROUPS[:3], least=0),
        "verb": random.choice(VERBS + ["watch"] + ["*"] * (random.random() < .1)),
        "apiGroup": random.choice(API_GROUPS[:1] * 6 + API_GROUPS + ["batch"]),
        "resource": random.choice(RESOURCES[:1] * 2 + RESOURCES + ["audits"]),
        "subresource": subresource, "namespace": namespace,
        "name": random.choice(["", "small", "gpu", "other", "*"]),
    }
