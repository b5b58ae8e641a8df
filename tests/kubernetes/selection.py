"""labelSelector and fieldSelector of lists, as kubernetes.io describes them ("Labels and
Selectors")."""

import re

KEY = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
REQUIREMENT = re.compile(rf"\s*(?:(?P<key>{KEY})\s*(?P<operator>==|=|!=)\s*(?P<value>[-A-Za-z0-9_.]*)"
                         rf"|(?P<of>{KEY})\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\)"
                         rf"|(?P<no>!?)\s*(?P<there>{KEY}))\s*(?:,|$)")


class Unreadable(Exception):
    pass


def label_tests(text):
    """[function of labels] of a selector."""
    tests, at = [], 0
    while at < len(text):
        found = REQUIREMENT.match(text, at)
        if not found or found.end() == at:
            raise Unreadable(f"unable to parse requirement: found '{text[at:]}'")
        tests.append(label_test(found))
        at = found.end()
    return tests


def label_test(found):
    if found["key"]:
        key, value = found["key"], found["value"]
        if found["operator"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found["of"]:
        key, values = found["of"], {v.strip() for v in found["values"].split(",")}
        if found["set"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    there, wanted = found["there"], not found["no"]
    return lambda labels: (there in labels) == wanted


FIELDS = {"pods": {"status.phase", "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName"},
          "jobs": {"status.successful"},
          "events": {"involvedObject.name", "involvedObject.namespace", "involvedObject.kind",
                     "involvedObject.uid", "reason", "type"}}


def field_tests(resource, text):
    known = {"metadata.name", "metadata.namespace", *FIELDS.get(resource, ())}
    tests = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"([\w.]+)(==|=|!=)(.*)", part)
        if not found:
            raise Unreadable(f"invalid selector: '{part}'; can't understand '{part}'")
        path, operator, value = found.groups()
        if path not in known:
            raise Unreadable(f'field label not supported: {path}')
        tests.append(lambda obj, path=path, value=value, same=operator != "!=":
                     (field(obj, path) == value) == same)
    return tests


def field(obj, path):
    if path == "status.successful":
        return str(obj.get("status", {}).get("succeeded", 0))
    for part in path.split("."):
        obj = (obj or {}).get(part, "")
    return obj


def chosen(resource, items, labels, fields):
    by_label, by_field = label_tests(labels or ""), field_tests(resource, fields or "")
    return [o for o in items
            if all(t((o["metadata"].get("labels") or {})) for t in by_label)
            and all(t(o) for t in by_field)]
