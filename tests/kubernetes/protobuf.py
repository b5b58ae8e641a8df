"""Kubernetes' protobuf, as far as newer kubectls write it of their own accord (`create` of namespaces,
ConfigMaps and Secrets, `auth can-i`, `auth reconcile`); they read answers in JSON."""

import base64

MAGIC = b"k8s\0"
TEXT = "text"
# Field numbers of k8s.io/api's generated.proto files. A message is {number: (name, type)}.
PAIRS, BYTES = "pairs", "pairs of bytes"
META = {1: ("name", TEXT), 2: ("generateName", TEXT), 3: ("namespace", TEXT), 5: ("uid", TEXT),
        6: ("resourceVersion", TEXT), 8: (None, None), 11: ("labels", PAIRS), 12: ("annotations", PAIRS),
        17: (None, None)}
ATTRIBUTES = dict(enumerate([(n, TEXT) for n in ("namespace", "verb", "group", "version", "resource",
                                                 "subresource", "name")], 1))
SPEC = {1: ("resourceAttributes", ATTRIBUTES),
        2: ("nonResourceAttributes", {1: ("path", TEXT), 2: ("verb", TEXT)})}
RULE = dict(enumerate([(n, [TEXT]) for n in ("verbs", "apiGroups", "resources", "resourceNames",
                                             "nonResourceURLs")], 1))
SUBJECT = dict(enumerate([(n, TEXT) for n in ("kind", "apiGroup", "name", "namespace")], 1))
REF = dict(enumerate([(n, TEXT) for n in ("apiGroup", "kind", "name")], 1))
ROLE = {1: ("metadata", META), 2: ("rules", [RULE])}
BINDING = {1: ("metadata", META), 2: ("subjects", [SUBJECT]), 3: ("roleRef", REF)}
KINDS = {"Role": ROLE, "ClusterRole": ROLE, "RoleBinding": BINDING, "ClusterRoleBinding": BINDING,
         "ConfigMap": {1: ("metadata", META), 2: ("data", PAIRS), 3: ("binaryData", BYTES)},
         "Secret": {1: ("metadata", META), 2: ("data", BYTES), 3: ("type", TEXT),
                    4: ("stringData", PAIRS)},
         "Namespace": {1: ("metadata", META), 2: (None, None), 3: (None, None)},
         "SelfSubjectAccessReview": {1: (None, None), 2: ("spec", SPEC), 3: (None, None)}}
ENVELOPE = {1: ("type", {1: ("apiVersion", TEXT), 2: ("kind", TEXT)}), 2: ("raw", bytes),
            3: (None, None), 4: (None, None)}


def number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def message(data, fields):
    """ValueError for a field that is not known here. What is empty is left out."""
    found, at = {}, 0
    while at < len(data):
        tag, at = number(data, at)
        length, at = number(data, at)
        if length == 0:  # Go writes what is empty, too
            continue
        if tag & 7 != 2 or tag >> 3 not in fields:
            raise ValueError(f"field {tag >> 3} is not known here")
        part, at = data[at:at + length], at + length
        name, kind = fields[tag >> 3]
        if kind in (PAIRS, BYTES):
            pair = message(part, {1: ("key", TEXT), 2: ("value", TEXT if kind is PAIRS else bytes)})
            content = pair.get("value", "" if kind is PAIRS else b"")
            found.setdefault(name, {})[pair["key"]] = \
                content if kind is PAIRS else base64.b64encode(content).decode()
        elif isinstance(kind, list):
            found.setdefault(name, []).append(value(part, kind[0]))
        elif name:
            found[name] = value(part, kind)
    return found


def value(part, kind):
    if kind is TEXT:
        return part.decode()
    return message(part, kind) if isinstance(kind, dict) else part


def decode(data):
    """The object as it would stand in JSON."""
    if not data.startswith(MAGIC):
        raise ValueError("it does not begin as Kubernetes' protobuf does")
    envelope = message(data[len(MAGIC):], ENVELOPE)
    kind = envelope["type"]["kind"]
    if kind not in KINDS:
        raise ValueError(f"{kind} is not known here")
    return {**envelope["type"], **message(envelope["raw"], KINDS[kind])}
