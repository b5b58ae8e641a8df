"""What stands in deploy/ and what the program reads are the same names, rights, ports and people."""

import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def documents(path):
    return [d for d in yaml.safe_load_all(read(path)) if d]


def the(path, kind):
    (found,) = [d for d in documents(path) if d["kind"] == kind]
    return found


def serving():
    return the("deploy/kubernetes/serve.yaml", "Deployment")["spec"]["template"]["spec"]


def working():
    return the("templates/kubernetes/job.yaml", "Job")["spec"]["template"]["spec"]


# ---- names in the environment ----

OTHERS = {"ENVBOT_CONFIG", "TMPDIR"}  # of the command line, and of everybody


def variables():
    """What the program reads from the environment, out of its table of settings."""
    rows = re.findall(r'^    \{"([a-z_.]+)", [A-Z]+, .*?(?:NULL|"([A-Z_]+)")\},$',
                      read("bot/config_settings.c").replace(",\n     ", ", "), re.M | re.S)
    assert len(rows) > 50
    names = {"ENVBOT_" + re.sub(r"[^A-Z]", "_", path.upper()) for path, _ in rows}
    return names | {alias for _, alias in rows if alias} | OTHERS


def unit_variables(text):
    return {pair.partition("=")[0] for line in re.findall(r"^Environment=(.*)$", text, re.M)
            for pair in line.split()}


def test_each_variable_that_deploy_sets_is_read():
    known = variables()
    for pod in (serving(), working()):
        (container,) = pod["containers"]
        names = {one["name"] for one in container["env"]}
        assert names and names <= known, names - known
    unit = unit_variables(read("deploy/envbot.service"))
    assert unit and unit <= known, unit - known


def test_a_variable_that_nothing_reads_is_found():
    assert "ENVBOT_RBAC_PATH" in variables() and "SLACK_BOT_TOKEN" in variables()
    assert not {"ENVBOT_RULES_PATH", "ENVBOT_SLACK_TOKEN"} & variables()
    assert unit_variables("[Service]\nEnvironment=A=1 B=2\nEnvironment=C=3\n") == {"A", "B", "C"}


# ---- rights ----

def checked_rights():
    """(verb, group, resource) that `envbot check` asks the cluster about."""
    table = read("bot/jobs/launch_check.c").partition("} rights[] = {")[2].partition("};")[0]
    return set(re.findall(r'\{"([a-z]+)",\s+"([a-z.]*)",\s+"([a-z]+)"\}', table))


def test_the_role_gives_what_the_launcher_uses_and_no_more():
    role = the("deploy/kubernetes/jobs.yaml", "Role")
    given = {(verb, group, resource) for rule in role["rules"] for group in rule["apiGroups"]
             for resource in rule["resources"] for verb in rule["verbs"]}
    assert len(given) > 3 and given == checked_rights()
    binding = the("deploy/kubernetes/jobs.yaml", "RoleBinding")
    accounts = {d["metadata"]["name"]: d for d in documents("deploy/kubernetes/jobs.yaml")
                if d["kind"] == "ServiceAccount"}
    # The bot has them, and the job's account, which nothing binds, is no other than the jobs'.
    assert [s["name"] for s in binding["subjects"]] == ["envbot"] == [serving()["serviceAccountName"]]
    settings = dict(re.findall(r'\{"(jobs\.kubernetes\.[a-z_]+)", TEXT, [^"]*?, "([^"]*)"',
                               read("bot/config_settings.c"), re.S))
    assert set(accounts) == {"envbot", settings["jobs.kubernetes.service_account"]}
    assert {d["metadata"].get("namespace", settings["jobs.kubernetes.namespace"])
            for name in ("jobs", "serve", "secrets.example")
            for d in documents(f"deploy/kubernetes/{name}.yaml")} == {settings["jobs.kubernetes.namespace"]}


# ---- secrets, people, ports ----

def secrets_of(pod):
    return {(one["valueFrom"]["secretKeyRef"]["name"], one["valueFrom"]["secretKeyRef"]["key"])
            for one in pod["containers"][0]["env"] if "valueFrom" in one}


def test_the_example_has_the_secrets_that_are_read():
    given = {(d["metadata"]["name"], key) for d in documents("deploy/kubernetes/secrets.example.yaml")
             for key in d["stringData"]}
    assert secrets_of(serving()) == given
    assert secrets_of(working()) < given


def test_image_bot_and_jobs_run_as_the_same_nobody():
    user, group = re.search(r"^USER (\d+):(\d+)$", read("deploy/image/Dockerfile"), re.M).groups()
    for pod in (serving(), working()):
        security = pod["securityContext"]
        assert (security["runAsUser"], security["runAsGroup"]) == (int(user), int(group))
        assert security["runAsNonRoot"] is True
        mine = pod["containers"][0]["securityContext"]
        assert mine["readOnlyRootFilesystem"] and mine["capabilities"] == {"drop": ["ALL"]}


def test_the_door_is_at_one_port():
    pod = the("deploy/kubernetes/serve.yaml", "Deployment")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    listen = {one["name"]: one.get("value") for one in container["env"]}["ENVBOT_HTTP_LISTEN"]
    exposed = re.search(r"^EXPOSE (\d+)$", read("deploy/image/Dockerfile"), re.M).group(1)
    (port,) = container["ports"]
    assert listen == f"0.0.0.0:{port['containerPort']}" == f"0.0.0.0:{exposed}"
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == exposed
    for probe in ("livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]


# ---- what is watched ----

def series():
    """{name: labels} of what the program counts."""
    found = {}
    for path in sorted((ROOT / "bot").rglob("*.c")):
        for kind, call in re.findall(r"metrics_(gauge|counter|histogram)\((.*?)\)[;)]",
                                     path.read_text(encoding="utf-8"), re.S):
            texts = re.findall(r'"((?:[^"\\]|\\.)*)"', re.sub(r'"\s*\n\s*"', "", call))
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            for suffix in suffixes:
                found.setdefault(texts[0] + suffix, set()).update(
                    texts[2:] + (["le"] if suffix == "_bucket" else []))
    assert len(found) > 15
    return found


def alerts():
    return [rule for group in yaml.safe_load(read("deploy/alerts.yaml"))["groups"]
            for rule in group["rules"]]


def unknown(expression, known):
    """What an expression asks for that nobody counts."""
    wrong = []
    for name, labels in re.findall(r"\b(envbot_\w+|process_\w+)(?:\{([^}]*)\})?", expression):
        wrong += [name] if name not in known else [
            f"{name}{{{label}}}" for label in re.findall(r"(\w+)\s*[=!]", labels or "")
            if label not in known[name] | {"job", "instance"}]
    return wrong


def test_alerts_are_about_what_is_counted():
    known, rules = series(), alerts()
    assert len(rules) > 5
    for rule in rules:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}
        assert unknown(rule["expr"], known) == [], rule["alert"]


def test_an_alert_about_nothing_is_found():
    known = series()
    assert unknown("envbot_outbox_waiting > 3", known) == ["envbot_outbox_waiting"]
    assert unknown('envbot_jobs{color="red"} > 1', known) == ["envbot_jobs{color}"]
    assert unknown('rate(envbot_ack_seconds_bucket{le="3"}[5m])', known) == []


def test_each_alert_and_each_series_stands_on_the_page():
    page = read("deploy/README.md")
    for rule in alerts():
        assert f"`{rule['alert']}`" in page, rule["alert"]
    for name in series():
        name = re.sub(r"(?<=seconds)_(bucket|sum|count)$", "", name)
        assert f"`{name}" in page, name


def test_policies_of_aws_are_json_and_the_bot_may_make_nothing():
    serve, job = (json.loads(read(f"deploy/iam/{name}.json")) for name in ("serve", "job"))
    allowed = {action.partition(":")[0] for statement in serve["Statement"]
               for action in [statement["Action"]] * isinstance(statement["Action"], str)
               + (statement["Action"] if isinstance(statement["Action"], list) else [])}
    assert allowed == {"ses", "sns"} and job["Statement"]
