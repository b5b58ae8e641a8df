"""Rules that a cluster keeps: each click is asked about there, and without an answer nobody is let
through."""

import functools
import glob
import json
import os

import pytest
import yaml
from company import ROOT, load

RULES = os.path.join(ROOT, "deploy", "rbac")
MAY_ASK = os.path.join(ROOT, "deploy", "kubernetes", "auth-delegator.yaml")
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
NAMESPACES = "\n".join(f"""---
apiVersion: v1
kind: Namespace
metadata: {{name: {name}}}""" for name in ("payments", "search"))
CANNOT_ASK = ("The cluster that keeps the rules cannot be asked at the moment; nothing was done."
              " Please try again in a minute.")
NO_APPROVER = "The rules do not name you as an approver of small environments in payments"


@functools.lru_cache
def rules():
    """The documents of all of these; a kubectl for each test would cost more than its bot."""
    texts = [NAMESPACES]
    for path in [*sorted(glob.glob(f"{RULES}/*.yaml")), MAY_ASK]:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return [document for text in texts for document in yaml.safe_load_all(text)]


@pytest.fixture
def ruled(kubernetes, monkeypatch):
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    kubernetes.make(*rules())
    return kubernetes


@pytest.fixture
def governed(ruled, company):
    """A company whose rules the cluster keeps; there are no files."""
    def make(**options):
        options = {"rbac.source": "kubernetes", "rbac.kubeconfig": ruled.path("envbot.yaml"),
                   **options}
        return company(options=options, rules="/nowhere")
    return make


def ask(c, name):
    answer = c.slack.type("U0DEV", "C0GEN", f"create small {name}")
    assert "You asked" in answer["shown"][0]["text"], answer["shown"]
    channel, ts, _ = c.message(name, "card", 30)
    return channel, ts


def click(c, user, card, action="approve"):
    """What is said to who clicked."""
    before = len(c.slack.whispers(user))
    assert c.slack.click(user, *card, action)["outcome"] == "acked"
    return c.slack.wait_for(lambda: c.slack.whispers(user)[before:], f"an answer to {user}", 30)[0]


def undecided(c, name):
    assert c.environment_row(name)["state"] == "pending"
    assert c.database.one("SELECT count(*) FROM decisions") == 0


def test_a_request_is_decided_by_whom_the_cluster_names(ruled, governed):
    c = governed()
    c.serve()
    card = ask(c, "demo")
    assert NO_APPROVER in click(c, "U0BYST", card)
    undecided(c, "demo")
    click(c, "U0APPR", card)
    c.wait_state("demo", "ready", seconds=40)
    rule = c.database.one("SELECT rule FROM decisions")
    assert rule == ('RBAC: allowed by RoleBinding "approvers/payments" of ClusterRole '
                    '"envbot-approver" to Group "slack:platform-approvers"')
    assert c.database.one("SELECT count(*) FROM audit WHERE rule = %s", rule) > 0
    asked = [r for r in ruled.reviews() if r["attributes"]["verb"] == "approve"]
    assert {r["by"] for r in asked} == {"system:serviceaccount:envbot:envbot"}
    last = asked[-1]
    assert last["user"] == "slack:U0APPR"
    assert {"system:authenticated", "slack:platform-approvers"} <= set(last["groups"])
    assert last["attributes"] == {"namespace": "payments", "verb": "approve", "name": "small",
                                  "group": "envbot.dev", "resource": "environments"}


def test_rules_that_were_applied_count_at_the_next_click(ruled, governed):
    c = governed()
    c.serve()
    card = ask(c, "demo")
    taken = ruled.kubectl("delete", "rolebinding", "approvers", "-n", "payments")
    assert taken.returncode == 0, taken.stderr
    assert NO_APPROVER in click(c, "U0APPR", card)
    undecided(c, "demo")
    ruled.apply(RULES)
    assert "You approved" in click(c, "U0APPR", card)


def test_without_the_api_server_nobody_is_let_through_until_it_is_back(ruled, governed):
    c = governed(**{"slack.ack_ms": 3000})
    c.serve()
    card = ask(c, "demo")
    ruled.away()
    assert click(c, "U0APPR", card) == CANNOT_ASK
    for words in ("approve demo", "create small other", "list", "help", "whoami"):
        assert c.slack.type("U0APPR", "C0GEN", words)["shown"][0]["text"] == CANNOT_ASK, words
    undecided(c, "demo")
    assert c.environment_row("other") is None
    ruled.back()
    c.slack.wait_for(
        lambda: c.slack.type("U0DEV", "C0GEN", "list")["shown"][0]["text"] != CANNOT_ASK,
        "the cluster is asked again", 60)
    assert "You approved" in click(c, "U0APPR", card)
    c.wait_state("demo", "ready", seconds=40)


@pytest.mark.parametrize("fault", [
    {"kind": "hang"}, {"kind": "cut"}, {"kind": "status", "code": 500},
    {"kind": "status", "code": 403}, {"kind": "status", "code": 429, "retry_after": 30},
    {"kind": "answer", "code": 201, "body": {"kind": "Status", "status": {"allowed": True}}},
    {"kind": "answer", "code": 201, "body": {"kind": "SubjectAccessReview", "status": {}}},
    {"kind": "answer", "code": 201,
     "body": {"kind": "SubjectAccessReview", "status": {"allowed": "true"}}},
    {"kind": "answer", "code": 200, "body": "yes"},
    {"kind": "answer", "code": 302,
     "body": {"kind": "SubjectAccessReview", "status": {"allowed": True}}},
], ids=lambda fault: "-".join(str(v) for v in fault.values())[:40])
def test_what_is_no_answer_is_no_yes(ruled, governed, fault):
    c = governed(**{"slack.ack_ms": 3000})
    c.serve()
    card = ask(c, "demo")
    ruled.change(fault={**fault, "path": REVIEWS, "count": -1})
    assert click(c, "U0APPR", card) == CANNOT_ASK
    undecided(c, "demo")
    ruled.well()
    assert "You approved" in click(c, "U0APPR", card)


def test_an_api_server_that_hangs_is_left_alone_and_people_are_told_at_once(ruled, governed):
    c = governed()
    bot = c.serve()
    card = ask(c, "demo")
    ruled.change(fault={"kind": "hang", "path": REVIEWS, "count": -1})

    def breaker():
        return json.loads(bot.get("/readyz")[1])["breakers"]["kubernetes"]
    c.slack.wait_for(lambda: click(c, "U0APPR", card) == CANNOT_ASK and breaker() == "open",
                     "so many clicks are enough", 90)
    assert 'envbot_breaker_state{dependency="kubernetes"} 2' in bot.get("/metrics")[1]
    # Open, each is told so, and the server has its rest: whoever is asked for is the one probe.
    asked = len(ruled.seen()["calls"])
    answers = c.slack.flood([{"do": "command", "user": "U0APPR", "channel": "C0GEN", "wait": 20,
                              "text": "approve demo"}] * 20)
    assert {a["shown"][0]["text"] for a in answers} == {CANNOT_ASK}
    assert len(ruled.seen()["calls"]) - asked < 10
    undecided(c, "demo")
    ruled.well()
    c.slack.wait_for(lambda: click(c, "U0APPR", card).startswith("You approved"),
                     "the cluster is asked again", 90)
    assert breaker() == "closed"


def test_denied_by_another_authorizer_is_no(ruled, governed):
    c = governed()
    c.serve()
    card = ask(c, "demo")
    ruled.change(fault={"kind": "answer", "code": 201, "path": REVIEWS, "count": -1,
                        "body": {"kind": "SubjectAccessReview",
                                 "status": {"allowed": True, "denied": True}}})
    assert NO_APPROVER in click(c, "U0APPR", card)
    undecided(c, "demo")


def test_a_busy_server_is_asked_again_when_it_says(ruled, governed):
    c = governed()
    c.serve()
    card = ask(c, "demo")
    ruled.fault("status", code=429, retry_after=1, path=REVIEWS)
    assert "You approved" in click(c, "U0APPR", card)


def test_no_transaction_is_open_while_the_cluster_is_asked(ruled, governed):
    c = governed()
    c.serve()
    card = ask(c, "demo")
    before = len(ruled.seen()["calls"])
    ruled.fault("hold", path=REVIEWS)
    words = len(c.slack.whispers("U0APPR"))
    c.slack.click("U0APPR", *card, "approve", wait=False)
    c.slack.wait_for(lambda: len(ruled.seen()["calls"]) > before, "the cluster is asked", 20)
    states = c.database.query(
        "SELECT state FROM pg_stat_activity WHERE application_name = 'envbot handler'"
        " AND datname = current_database() AND state <> 'idle'")
    assert states == []
    ruled.well()
    c.slack.wait_for(lambda: c.slack.whispers("U0APPR")[words:], "the approver is answered", 30)
    assert c.database.one("SELECT count(*) FROM decisions") == 1


def test_a_service_account_whose_token_is_replaced_goes_on(ruled, governed, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(ruled.port))
    c = governed(**{"rbac.kubeconfig": "", "rbac.account": ruled.path("account")})
    c.serve()
    card = ask(c, "demo")
    ruled.change(revoke="envbot-token-1")
    assert click(c, "U0APPR", card) == CANNOT_ASK
    ruled.change(token="envbot-token-2", user="system:serviceaccount:envbot:envbot")
    with open(ruled.path("account/token.new"), "w", encoding="utf-8") as file:
        file.write("envbot-token-2\n")
    os.rename(ruled.path("account/token.new"), ruled.path("account/token"))
    assert "You approved" in click(c, "U0APPR", card)
    assert "envbot-token" not in c.bots[0].log()


# ---- the command line, and what it is told about the cluster ----

QUESTION = ("can", "slack:U0APPR", "approve", "environments", "--team", "payments", "--group",
            "slack:platform-approvers")


def test_can_and_check_ask_the_cluster(ruled, governed):
    c = governed()
    yes = c.run(*QUESTION)
    assert (yes.returncode, yes.stdout.split()[0]) == (0, "yes:")
    assert 'RoleBinding "approvers/payments"' in yes.stdout
    no = c.run("can", "slack:U0BYST", "approve", "environments", "--team", "payments")
    assert (no.returncode, no.stdout.split()[0]) == (1, "no:")
    assert f"ok      access rules, kept by the cluster {ruled.server}" in c.run("check").stdout
    gone = ruled.kubectl("delete", "-f", MAY_ASK)
    assert gone.returncode == 0, gone.stderr
    assert "bind the ClusterRole system:auth-delegator" in c.run("check").stdout
    lost = c.run(*QUESTION)
    assert lost.returncode == 1 and "system:auth-delegator" in lost.stderr and not lost.stdout
    ruled.away()
    assert "WRONG   access rules" in c.run("check").stdout


def kubeconfig(ruled, user, cluster=(), **more):
    with open(ruled.path("admin.yaml"), encoding="utf-8") as file:
        config = json.load(file)
    config["users"][0]["user"] = user
    config["clusters"][0]["cluster"].update(cluster)
    config.update(more)
    path = ruled.path("mine.yaml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    return path


def coded(text):
    import base64
    return base64.b64encode(text.encode()).decode()


def test_every_way_to_say_who_one_is_in_a_kubeconfig_works(ruled, governed):
    c = governed()
    made = ruled.change(certificate={"name": "asker", "groups": ["system:masters"]})
    for name in ("certificate", "key"):
        with open(ruled.path(f"asker.{name}"), "w", encoding="utf-8") as file:
            file.write(made[name])
    with open(ruled.path("ca.crt"), encoding="utf-8") as file:
        authority = {"certificate-authority": None, "certificate-authority-data": coded(file.read())}
    for user, cluster in [
        ({"token": "admin-token"}, {}),
        ({"tokenFile": "account/token"}, {"certificate-authority": "ca.crt"}),
        ({"client-certificate": "asker.certificate", "client-key": "asker.key"}, {}),
        ({"client-certificate-data": coded(made["certificate"]),
          "client-key-data": coded(made["key"])}, authority),
    ]:
        path = kubeconfig(ruled, user, cluster)
        c.write_config("\n  - name: payments\n", {"rbac.source": "kubernetes",
                                                  "rbac.kubeconfig": path})
        run = c.run(*QUESTION)
        assert run.returncode == 0, (user, run.stderr)


@pytest.mark.parametrize("user, cluster, more, words", [
    ({"exec": {"command": "aws"}}, {}, {}, "envbot runs no programs for that"),
    ({"auth-provider": {"name": "x"}}, {}, {}, "auth-provider is not supported"),
    ({"username": "a", "password": "b"}, {}, {}, "is not supported"),
    ({"token": "admin-token", "as": "x"}, {}, {}, "acting as somebody else"),
    ({"token": "admin-token"}, {"insecure-skip-tls-verify": True}, {}, "name the certificate-auth"),
    ({"token": "admin-token"}, {"server": "http://127.0.0.1:1"}, {}, "does not begin with https"),
    ({}, {}, {}, "neither token, tokenFile nor client-certificate"),
    ({"tokenFile": "nowhere"}, {}, {}, "nowhere cannot be read"),
    ({"token": "admin-token"}, {}, {"current-context": "other"}, "no “other” among its contexts"),
    ({"token": "admin-token"}, {}, {"current-context": ""}, "no current-context"),
    ({"client-certificate-data": "%%%", "client-key-data": ""}, {}, {}, "is no base64"),
    ({"token": "nobodys"}, {}, {}, "answered 401"),
])
def test_a_kubeconfig_that_does_not_serve_is_told_so(ruled, governed, user, cluster, more, words):
    c = governed(**{"rbac.kubeconfig": kubeconfig(ruled, user, cluster, **more)})
    run = c.run(*QUESTION)
    assert run.returncode == 1 and words in run.stderr, run.stderr
    assert words in c.run("check").stdout


def test_another_authority_is_not_believed(ruled, governed):
    with open(ruled.path("other.crt"), "w", encoding="utf-8") as file:
        file.write(load("kubernetes", "authority").Authority("other").pem)
    path = kubeconfig(ruled, {"token": "admin-token"}, {"certificate-authority": "other.crt"})
    run = governed(**{"rbac.kubeconfig": path}).run(*QUESTION)
    assert run.returncode == 1 and "certificate" in run.stderr
    assert not any(call["path"] == REVIEWS for call in ruled.seen()["calls"])


def test_neither_kubeconfig_nor_pod_is_told_so(ruled, governed):
    run = governed(**{"rbac.kubeconfig": ""}).run(*QUESTION)
    assert run.returncode == 1 and "KUBERNETES_SERVICE_HOST" in run.stderr


def test_what_reads_many_rules_asks_for_them_together(ruled, governed):
    c = governed()
    c.serve()
    said = c.slack.type("U0APPR", "C0GEN", "whoami")["shown"][0]["text"]
    assert "*payments*: you may look, ask for clusters, approve them" in said, said
    mine = c.slack.type("U0MGR", "C0GEN", "whoami")["shown"][0]["text"]
    assert "approve them" not in mine and "set the quota" in mine, mine
    helped = c.slack.type("U0BYST", "C0GEN", "help")["shown"][0]["text"]
    assert "create" in helped and "/env approve" not in helped, helped
    asked = [r["attributes"] for r in ruled.reviews() if r["user"] == "slack:U0APPR"]
    once = {json.dumps(attributes, sort_keys=True) for attributes in asked}
    assert len(asked) == len(once)  # no question twice for one answer


def test_an_answer_serves_one_click_only(ruled, governed):
    c = governed()
    c.serve()
    card = ask(c, "demo")
    for number in (1, 2):
        click(c, "U0BYST", card)
        asked = [r for r in ruled.reviews() if r["user"] == "slack:U0BYST"
                 and r["attributes"]["verb"] == "approve"]
        assert len(asked) == number
