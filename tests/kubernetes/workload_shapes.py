"""Jobs, Deployments, Pods and what they stand on: which fields there are, in the words of the API's reference for
1.32, and what makes them Invalid. Fields that nobody here has use for take anything."""

import re

TEXT, TEXTS, FLAG, NUMBER, ANY, MAP = str, [str], bool, int, object, {str: str}

KEY_REF = {"name": TEXT, "key": TEXT, "optional": FLAG}
ENV_SOURCE = {"secretKeyRef": KEY_REF, "configMapKeyRef": KEY_REF,
              "fieldRef": {"apiVersion": TEXT, "fieldPath": TEXT},
              "resourceFieldRef": {"containerName": TEXT, "resource": TEXT, "divisor": ANY}}
REF = {"name": TEXT, "optional": FLAG}
SECCOMP = {"type": TEXT, "localhostProfile": TEXT}
SECURITY = {"allowPrivilegeEscalation": FLAG, "capabilities": {"add": TEXTS, "drop": TEXTS},
            "privileged": FLAG, "procMount": TEXT, "readOnlyRootFilesystem": FLAG,
            "runAsGroup": NUMBER, "runAsNonRoot": FLAG, "runAsUser": NUMBER, "seLinuxOptions": ANY,
            "seccompProfile": SECCOMP, "windowsOptions": ANY, "appArmorProfile": ANY}
POD_SECURITY = {"fsGroup": NUMBER, "fsGroupChangePolicy": TEXT, "runAsGroup": NUMBER,
                "runAsNonRoot": FLAG, "runAsUser": NUMBER, "seLinuxOptions": ANY,
                "seccompProfile": SECCOMP, "supplementalGroups": [NUMBER],
                "supplementalGroupsPolicy": TEXT, "sysctls": ANY, "windowsOptions": ANY,
                "appArmorProfile": ANY, "seLinuxChangePolicy": TEXT}
PROBE = {"httpGet": {"path": TEXT, "port": ANY, "host": TEXT, "scheme": TEXT, "httpHeaders": ANY},
         "exec": {"command": TEXTS}, "tcpSocket": ANY, "grpc": ANY,
         **dict.fromkeys(("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold",
                          "failureThreshold", "terminationGracePeriodSeconds"), NUMBER)}
PORT = {"name": TEXT, "containerPort": NUMBER, "protocol": TEXT, "hostPort": NUMBER, "hostIP": TEXT}
SELECTOR = {"matchLabels": MAP,
            "matchExpressions": [{"key": TEXT, "operator": TEXT, "values": TEXTS}]}
SPREAD = {"maxSkew": NUMBER, "topologyKey": TEXT, "whenUnsatisfiable": TEXT, "minDomains": NUMBER,
          "labelSelector": SELECTOR, "matchLabelKeys": TEXTS, "nodeAffinityPolicy": TEXT,
          "nodeTaintsPolicy": TEXT}
CONTAINER = {
    "name": TEXT, "image": TEXT, "imagePullPolicy": TEXT, "command": TEXTS, "args": TEXTS,
    "workingDir": TEXT, "env": [{"name": TEXT, "value": TEXT, "valueFrom": ENV_SOURCE}],
    "envFrom": [{"prefix": TEXT, "configMapRef": REF, "secretRef": REF}],
    "resources": {"limits": {str: ANY}, "requests": {str: ANY}, "claims": ANY},
    "volumeMounts": [{"name": TEXT, "mountPath": TEXT, "subPath": TEXT, "subPathExpr": TEXT,
                      "readOnly": FLAG, "recursiveReadOnly": TEXT, "mountPropagation": TEXT}],
    "securityContext": SECURITY, "ports": [PORT], "lifecycle": ANY, "livenessProbe": PROBE,
    "readinessProbe": PROBE, "startupProbe": PROBE, "stdin": FLAG, "stdinOnce": FLAG, "tty": FLAG,
    "terminationMessagePath": TEXT, "terminationMessagePolicy": TEXT, "volumeDevices": ANY,
    "resizePolicy": ANY, "restartPolicy": TEXT}
ITEMS = [{"key": TEXT, "path": TEXT, "mode": NUMBER}]
VOLUME = {
    "name": TEXT,
    "configMap": {"name": TEXT, "items": ITEMS, "defaultMode": NUMBER, "optional": FLAG},
    "secret": {"secretName": TEXT, "items": ITEMS, "defaultMode": NUMBER, "optional": FLAG},
    "emptyDir": {"medium": TEXT, "sizeLimit": ANY},
    **dict.fromkeys(("projected", "downwardAPI", "hostPath", "persistentVolumeClaim", "csi",
                     "ephemeral", "nfs", "image"), ANY)}
POD_SPEC = {
    "activeDeadlineSeconds": NUMBER, "automountServiceAccountToken": FLAG, "containers": [CONTAINER],
    "initContainers": [CONTAINER], "enableServiceLinks": FLAG, "hostname": TEXT,
    "imagePullSecrets": [{"name": TEXT}], "nodeName": TEXT, "nodeSelector": MAP,
    "priorityClassName": TEXT, "restartPolicy": TEXT, "runtimeClassName": TEXT,
    "schedulerName": TEXT, "securityContext": POD_SECURITY, "serviceAccount": TEXT,
    "serviceAccountName": TEXT, "shareProcessNamespace": FLAG, "subdomain": TEXT,
    "terminationGracePeriodSeconds": NUMBER, "volumes": [VOLUME], "hostNetwork": FLAG,
    "hostPID": FLAG, "hostIPC": FLAG, "hostUsers": FLAG, "setHostnameAsFQDN": FLAG,
    "preemptionPolicy": TEXT, "priority": NUMBER, "dnsPolicy": TEXT,
    "topologySpreadConstraints": [SPREAD],
    **dict.fromkeys(("affinity", "tolerations", "dnsConfig", "ephemeralContainers", "hostAliases",
                     "os", "overhead", "readinessGates", "resourceClaims", "schedulingGates",
                     "resources"), ANY)}


def job_spec(metadata):
    return {"activeDeadlineSeconds": NUMBER, "backoffLimit": NUMBER, "backoffLimitPerIndex": NUMBER,
            "completionMode": TEXT, "completions": NUMBER, "managedBy": TEXT,
            "manualSelector": FLAG, "maxFailedIndexes": NUMBER, "parallelism": NUMBER,
            "podFailurePolicy": ANY, "podReplacementPolicy": TEXT, "selector": ANY,
            "successPolicy": ANY, "suspend": FLAG,
            "template": {"metadata": metadata, "spec": POD_SPEC}, "ttlSecondsAfterFinished": NUMBER}


def deployment_spec(metadata):
    return {"minReadySeconds": NUMBER, "paused": FLAG, "progressDeadlineSeconds": NUMBER,
            "replicas": NUMBER, "revisionHistoryLimit": NUMBER, "selector": SELECTOR,
            "strategy": {"type": TEXT, "rollingUpdate": {"maxSurge": ANY, "maxUnavailable": ANY}},
            "template": {"metadata": metadata, "spec": POD_SPEC}}


def resources(head):
    """What is added to the API's resources. head: apiVersion, kind and metadata."""
    return {
        "pods": ("v1", "Pod", True, {**head, "spec": POD_SPEC, "status": ANY}),
        "jobs": ("batch/v1", "Job", True, {**head, "spec": job_spec(head["metadata"]),
                                           "status": ANY}),
        "deployments": ("apps/v1", "Deployment", True, {
            **head, "spec": deployment_spec(head["metadata"]), "status": ANY}),
        "poddisruptionbudgets": ("policy/v1", "PodDisruptionBudget", True, {
            **head, "status": ANY, "spec": {"minAvailable": ANY, "maxUnavailable": ANY,
                                            "selector": SELECTOR,
                                            "unhealthyPodEvictionPolicy": TEXT}}),
        "configmaps": ("v1", "ConfigMap", True, {**head, "data": MAP, "binaryData": MAP,
                                                 "immutable": FLAG}),
        "secrets": ("v1", "Secret", True, {**head, "data": MAP, "stringData": MAP, "type": TEXT,
                                           "immutable": FLAG}),
        "serviceaccounts": ("v1", "ServiceAccount", True, {
            **head, "secrets": ANY, "imagePullSecrets": [{"name": TEXT}],
            "automountServiceAccountToken": FLAG}),
        "resourcequotas": ("v1", "ResourceQuota", True, {
            **head, "spec": {"hard": {str: ANY}, "scopes": TEXTS, "scopeSelector": ANY},
            "status": ANY}),
        "events": ("v1", "Event", True, {**head, **dict.fromkeys(
            ("involvedObject", "reason", "message", "type", "count", "source", "firstTimestamp",
             "lastTimestamp", "eventTime", "reportingComponent", "reportingInstance"), ANY)}),
    }


# ---- defaults ----

def default_pod_spec(spec):
    for key, value in (("dnsPolicy", "ClusterFirst"), ("restartPolicy", "Always"),
                       ("schedulerName", "default-scheduler"), ("securityContext", {}),
                       ("terminationGracePeriodSeconds", 30)):
        spec.setdefault(key, value)
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    for container in spec.get("containers") or []:
        tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
        container.setdefault("imagePullPolicy", "Always" if tag in ("", "latest")
                             else "IfNotPresent")
        container.setdefault("resources", {})
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")


def default_job(spec):
    for key, value in (("backoffLimit", 6), ("completions", 1), ("parallelism", 1),
                       ("completionMode", "NonIndexed"), ("suspend", False),
                       ("manualSelector", False), ("podReplacementPolicy", "TerminatingOrFailed")):
        spec.setdefault(key, value)
    spec.setdefault("template", {}).setdefault("metadata", {})
    # A Job without a restart policy is refused: Always, which pods have of themselves, is none for it.
    pod = spec["template"].get("spec")
    if isinstance(pod, dict):
        given = pod.get("restartPolicy")
        default_pod_spec(pod)
        pod["restartPolicy"] = given or "Always"


def default_deployment(spec):
    for key, value in (("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
        spec.setdefault(key, value)
    spec.setdefault("strategy", {}).setdefault("type", "RollingUpdate")
    pod = spec.setdefault("template", {}).setdefault("spec", {})
    if isinstance(pod, dict):
        default_pod_spec(pod)


# ---- what is Invalid ----

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
QUALIFIED = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
QUANTITY = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?")


def bad_name(value):
    return (f'Invalid value: "{value}": a lowercase RFC 1123 subdomain must consist of lower case '
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
            "character")


def metadata_causes(path, metadata):
    for key, value in (metadata.get("labels") or {}).items():
        if not QUALIFIED.fullmatch(key):
            yield f"{path}.labels", f'Invalid value: "{key}": name part must consist of alphanumeric characters'
        if not LABEL_VALUE.fullmatch(value):
            yield (f"{path}.labels", f'Invalid value: "{value}": a valid label must be an empty string '
                                     "or consist of alphanumeric characters, '-', '_' or '.'")
    for key in metadata.get("annotations") or {}:
        if not QUALIFIED.fullmatch(key):
            yield (f"{path}.annotations", f'Invalid value: "{key}": name part must consist of '
                                          "alphanumeric characters")


def quantity_causes(path, container):
    for part in ("requests", "limits"):
        for name, amount in ((container.get("resources") or {}).get(part) or {}).items():
            if not isinstance(amount, (str, int)) or not QUANTITY.fullmatch(str(amount)):
                yield f"{path}.resources.{part}[{name}]", f'Invalid value: "{amount}": must be a quantity'
    resources_ = container.get("resources") or {}
    for name, amount in (resources_.get("requests") or {}).items():
        limit = (resources_.get("limits") or {}).get(name)
        if limit is not None and quantity(amount) > quantity(limit):
            yield (f"{path}.resources.requests", f'Invalid value: "{amount}": must be less than or '
                                                 f"equal to {name} limit of {limit}")


UNITS = {"": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3,
         **{unit: 1000 ** power for power, unit in enumerate("MGTPE", 2)},
         **{f"{unit}i": 1024 ** power for power, unit in enumerate("KMGTPE", 1)}}


def quantity(text):
    """A quantity as a number."""
    number, unit = re.fullmatch(r"([+-]?[0-9.]+)([a-zA-Z]*)", str(text)).groups()
    return float(number) * UNITS[unit]


def env_causes(path, container):
    for number, one in enumerate(container.get("env") or []):
        here = f"{path}.env[{number}]"
        if not one.get("name"):
            yield f"{here}.name", "Required value"
        elif not VARIABLE.fullmatch(one["name"]):
            yield f"{here}.name", f'Invalid value: "{one["name"]}": a valid environment variable name'
        source = one.get("valueFrom")
        if source is not None and one.get("value"):
            yield f"{here}.valueFrom", 'Invalid value: "": may not be specified when `value` is not empty'
        if source is not None and len(source) != 1:
            yield f"{here}.valueFrom", 'Invalid value: "": must specify exactly one source'
        for kind in ("secretKeyRef", "configMapKeyRef"):
            if source and kind in source:
                for field in ("name", "key"):
                    if not source[kind].get(field):
                        yield f"{here}.valueFrom.{kind}.{field}", "Required value"


def container_causes(path, container, volumes, names):
    name = container.get("name", "")
    if not name:
        yield f"{path}.name", "Required value"
    elif not LABEL.fullmatch(name):
        yield f"{path}.name", f'Invalid value: "{name}": a lowercase RFC 1123 label'
    elif name in names:
        yield f"{path}.name", f'Duplicate value: "{name}"'
    names.add(name)
    if not container.get("image"):
        yield f"{path}.image", "Required value"
    elif container["image"].strip() != container["image"]:
        yield f"{path}.image", f'Invalid value: "{container["image"]}": must not have leading or trailing whitespace'
    yield from env_causes(path, container)
    yield from port_causes(path, container)
    yield from quantity_causes(path, container)
    paths = set()
    for number, mount in enumerate(container.get("volumeMounts") or []):
        here = f"{path}.volumeMounts[{number}]"
        if mount.get("name") not in volumes:
            yield f"{here}.name", f'Not found: "{mount.get("name", "")}"'
        if not mount.get("mountPath"):
            yield f"{here}.mountPath", "Required value"
        elif mount["mountPath"] in paths:
            yield f"{here}.mountPath", f'Invalid value: "{mount["mountPath"]}": must be unique'
        paths.add(mount.get("mountPath"))
    security = container.get("securityContext") or {}
    if security.get("privileged") and security.get("allowPrivilegeEscalation") is False:
        yield f"{path}.securityContext", "Invalid value: cannot set `allowPrivilegeEscalation` to false and `privileged` to true"


def volume_causes(path, spec):
    names = set()
    for number, volume in enumerate(spec.get("volumes") or []):
        here, name = f"{path}.volumes[{number}]", volume.get("name", "")
        if not LABEL.fullmatch(name):
            yield f"{here}.name", f'Invalid value: "{name}": a lowercase RFC 1123 label'
        if name in names:
            yield f"{here}.name", f'Duplicate value: "{name}"'
        names.add(name)
        kinds = [key for key in volume if key != "name"]
        if len(kinds) != 1:
            yield here, "Required value: must specify a volume type" if not kinds else \
                "Forbidden: may not specify more than 1 volume type"
        elif kinds[0] == "configMap" and not (volume["configMap"] or {}).get("name"):
            yield f"{here}.configMap.name", "Required value"
        elif kinds[0] == "secret" and not (volume["secret"] or {}).get("secretName"):
            yield f"{here}.secret.secretName", "Required value"


def pod_spec_causes(path, spec):
    if not spec.get("containers"):
        yield f"{path}.containers", "Required value"
    yield from volume_causes(path, spec)
    volumes, names = {v.get("name") for v in spec.get("volumes") or []}, set()
    for part in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(part) or []):
            yield from container_causes(f"{path}.{part}[{number}]", container, volumes, names)
    account = spec.get("serviceAccountName")
    if account and not SUBDOMAIN.fullmatch(account):
        yield f"{path}.serviceAccountName", bad_name(account)
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        yield (f"{path}.terminationGracePeriodSeconds",
               f"Invalid value: {spec['terminationGracePeriodSeconds']}: must be greater than or equal to 0")
    user = (spec.get("securityContext") or {}).get("runAsUser", 0)
    if not 0 <= user < 2 ** 31:
        yield f"{path}.securityContext.runAsUser", f"Invalid value: {user}: must be between 0 and 2147483647, inclusive"


def job_causes(job):
    spec, name = job.get("spec") or {}, job["metadata"].get("name", "")
    if len(name) > 63:
        yield "metadata.name", f'Invalid value: "{name}": must be no more than 63 characters'
    for field in ("activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "parallelism",
                  "completions"):
        if spec.get(field) is not None and spec[field] < 0:
            yield f"spec.{field}", f"Invalid value: {spec[field]}: must be greater than or equal to 0"
    if spec.get("selector") and not spec.get("manualSelector"):
        yield "spec.selector", "Invalid value: `selector` not auto-generated"
    template = spec.get("template") or {}
    yield from metadata_causes("spec.template.metadata", template.get("metadata") or {})
    pod = template.get("spec") or {}
    yield from pod_spec_causes("spec.template.spec", pod)
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        yield ("spec.template.spec.restartPolicy",
               'Required value: valid values: "OnFailure", "Never"')


def port_causes(path, container):
    """A probe names a port of its container, or says its number."""
    names = {p.get("name") for p in container.get("ports") or []}
    for number, port in enumerate(container.get("ports") or []):
        if not 0 < port.get("containerPort", 0) < 65536:
            yield f"{path}.ports[{number}].containerPort", "Required value"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        port = ((container.get(probe) or {}).get("httpGet") or {}).get("port")
        if isinstance(port, str) and port not in names:
            yield f"{path}.{probe}.httpGet.port", f'Invalid value: "{port}": no port of that name'


def deployment_causes(deployment):
    spec = deployment.get("spec") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    chosen = (spec.get("selector") or {}).get("matchLabels") or {}
    if not chosen:
        yield "spec.selector", "Required value"
    if any(labels.get(key) != value for key, value in chosen.items()):
        yield ("spec.template.metadata.labels", f"Invalid value: {labels}: `selector` does not match "
                                                "template `labels`")
    if spec["replicas"] < 0:
        yield "spec.replicas", f"Invalid value: {spec['replicas']}: must be greater than or equal to 0"
    pod = spec["template"]["spec"]
    yield from pod_spec_causes("spec.template.spec", pod)
    if pod.get("restartPolicy") != "Always":
        yield ("spec.template.spec.restartPolicy",
               f'Unsupported value: "{pod.get("restartPolicy")}": supported values: "Always"')


def causes(resource, obj):
    name = obj["metadata"].get("name", "")
    if not SUBDOMAIN.fullmatch(name) or len(name) > 253:
        yield "metadata.name", bad_name(name)
    yield from metadata_causes("metadata", obj["metadata"])
    if resource == "jobs":
        yield from job_causes(obj)
    if resource == "pods":
        yield from pod_spec_causes("spec", obj.get("spec") or {})
    if resource == "deployments":
        yield from deployment_causes(obj)
    for part in ("data", "stringData"):
        for key in (obj.get(part) or {}) if resource in ("configmaps", "secrets") else ():
            if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
                yield f"{part}[{key}]", f'Invalid value: "{key}": a valid config key'


def changed_causes(resource, obj, old):
    """What may not change any more."""
    if resource == "jobs" and obj["spec"].get("template") != old["spec"]["template"]:
        yield "spec.template", "Invalid value: field is immutable"
    if resource == "deployments" and obj["spec"].get("selector") != old["spec"]["selector"]:
        yield "spec.selector", "Invalid value: field is immutable"
