"""deploy/kubernetes as somebody follows its page: applied with kubectl, and the bot serves from a pod."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import urllib.request

import pytest
import yaml
from built import built, sanitized
from company import ROOT
from told import assert_nothing_twice, thread

PLACE = os.path.join(ROOT, "deploy", "kubernetes")
IMAGE = "registry.example/envbot:0.1.0"


def read(*names):
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()


def steps():
    """The commands of the page's section Install, in words."""
    section = read("deploy", "kubernetes", "README.md").split("\n## ")[1]
    found = [shlex.split(line)[1:] for line in re.findall(r"^    (kubectl .*)$", section, re.M)]
    assert [words[0] for words in found] == ["apply", "create", "create", "create", "create", "apply"]
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def installed(kubernetes, company, tmp_path, monkeypatch):
    """(the company, where its bot's door is): installed by the page alone. All pods share this host's
    ports, so there is one, at a port of its own."""
    port, c = free_port(), company(options={"jobs.launcher": "kubernetes",
                                            "jobs.kubernetes.image": IMAGE})
    folder = tmp_path / "newcomer"
    shutil.copytree(os.path.join(ROOT, "deploy"), folder / "deploy")
    serve = folder / "deploy" / "kubernetes" / "serve.yaml"
    text = serve.read_text().replace("replicas: 2", "replicas: 1").replace("8080", str(port))
    serve.write_text(text)
    with open(c.config, encoding="utf-8") as file:
        (folder / "envbot.yaml").write_text(file.read().replace(f"  url: {c.database.url}\n", "  {}\n"))
    # As an editor leaves a file: with a line's end.
    for name, secret in (("app-token", "xapp-1-A0ENVBOT-1-test"), ("bot-token", "xoxb-1-test"),
                         ("url", c.database.url)):
        (folder / name).write_text(secret + "\n")
    kubernetes.change(image=IMAGE, runs={"program": built("envbot"), "user": 65532, "env": {
        "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": c.aws.url,
        "ENVBOT_JOBS_KUBERNETES_ACCOUNT": kubernetes.path("account")}})
    monkeypatch.chdir(folder)
    for words in steps():
        done = kubernetes.kubectl(*words)
        assert done.returncode == 0, (words, done.stderr)
    yield c, f"http://127.0.0.1:{port}"
    for pod in kubernetes.items("pods", "envbot"):  # shown when a test fails
        with open(kubernetes.path(f"pods/{pod['metadata']['uid']}/log"), encoding="utf-8") as log:
            print(pod["status"], log.read()[-4000:])


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def container():
    (deployment, _) = yaml.safe_load_all(read("deploy", "kubernetes", "serve.yaml"))
    (one,) = deployment["spec"]["template"]["spec"]["containers"]
    return one


def test_a_cluster_is_made_by_a_bot_that_was_installed_by_the_page(kubernetes, installed):
    c, door = installed
    probes = container()
    for probe in ("livenessProbe", "readinessProbe"):
        path = probes[probe]["httpGet"]["path"]
        c.slack.wait_for(lambda where=path: answers(door + where), f"{path} answers", 60)
    code, deployment = kubernetes.ask("GET", "/apis/apps/v1/namespaces/envbot/deployments/envbot")
    assert code == 200 and deployment["status"]["readyReplicas"] == 1
    assert c.slack.type("U0DEV", "C0GEN", "create small demo")["outcome"] == "acked"
    c.approve("demo")
    c.wait_state("demo", "ready", seconds=90)
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted", seconds=90)
    c.settle(60)
    assert thread(c, "demo") == ["requested", "approved", "ready", "deleting", "gone"]
    assert_nothing_twice(c)
    # The mails were sent with the role of the bot's account, the jobs ran with that of theirs.
    assert any("ready" in mail["subject"] for mail in c.aws.mails())
    processes = [p for p in kubernetes.seen()["processes"] if p["event"] == "started"]
    roles = {p["words"][1]: p["environment"]["AWS_ROLE_ARN"].rpartition("/")[2] for p in processes}
    assert roles == {"serve": "envbot-serve", "job": "envbot-job"}
    assert not [call for call in kubernetes.seen()["calls"] if call.get("refused")
                and call.get("by") == "system:serviceaccount:envbot:envbot"]


@pytest.mark.parametrize("name", sorted(n for n in os.listdir(PLACE) if n.endswith(".yaml")))
def test_kubectl_takes_every_manifest(kubernetes, name):
    path = os.path.join(PLACE, name)
    done = kubernetes.kubectl("apply", "--dry-run=client", "-f", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(dry run)") == len([d for d in yaml.safe_load_all(read(
        "deploy", "kubernetes", name)) if d])
    # And so does the API server, strictly: in the namespace that jobs.yaml makes.
    kubernetes.apply(os.path.join(PLACE, "jobs.yaml"), path)


def libraries(program):
    """The Debian packages of the libraries that a program is linked to; libc is always there."""
    found = subprocess.run(["readelf", "-d", program], text=True, capture_output=True, check=True)
    names = re.findall(r"\(NEEDED\).*\[(.*)\]", found.stdout)
    assert "libwebsockets.so.17" in names
    owners = subprocess.run(["dpkg-query", "-S", *(f"*/{name}" for name in names)], text=True,
                            capture_output=True, check=True).stdout
    return {line.partition(":")[0] for line in owners.splitlines()
            if not line.startswith("libc6")}


def test_the_image_has_the_libraries_of_the_program_and_no_others():
    last = read("deploy", "image", "Dockerfile").rpartition("\nFROM ")[2].replace("\\\n", " ")
    installed = re.search(r"apt-get install -y --no-install-recommends ([-\w. ]+)", last).group(1)
    if sanitized():
        pytest.skip("with a sanitizer it is linked to more; make test has run this")
    assert set(installed.split()) == libraries(built("envbot")) | {"ca-certificates"}
