"""When AWS or eksctl fails: told in plain words, cleaned up, tried again; or told to the operators."""

import json
import os
import shutil
from collections import Counter

from company import ROOT

ROOMY = """
  - name: payments
    channel: C0PAY
    approvers_channel: C0PLAT
    members: [U0DEV, U0DEV2, U0BYST]
    quota: {environments: 40}
"""
FREE = "--nodes 1 --ttl 2h"  # what template small gives without anybody's approval


def bring(c, name, more="", user="U0DEV"):
    answer = c.slack.type(user, "C0GEN", f"create small {name} {FREE} {more}", wait=20)
    assert "needs no approval" in answer["shown"][0]["text"], answer


def said(c, name, words, seconds=60):
    """The newest message of the environment's thread with these words, and its channel."""
    channel, ts, _ = c.message(name, seconds=seconds)
    found = c.slack.wait_for(
        lambda: [m for m in c.slack.thread(channel, ts) if words in m["text"]],
        f"“{words}” is said of {name}", seconds)
    return channel, found[-1]


CAUSES = [  # what CloudFormation or eksctl says, again and again; where; what the person reads
    ("vpc", "control-plane", 'AWS::EC2::VPC/VPC: CREATE_FAILED – "Resource handler returned message: '
     '\\"The maximum number of VPCs has been reached. (Service: Ec2)\\""', "no room for another VPC"),
    ("eip", "control-plane", 'AWS::EC2::EIP/NATIP: CREATE_FAILED – "The maximum number of addresses '
     'has been reached. (AddressLimitExceeded)"', "no free Elastic IP"),
    ("vcpu", "nodegroup", 'AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – "You have requested '
     'more vCPU capacity than your current vCPU limit of 32 allows"', "vCPU quota"),
    ("zone", "control-plane", 'AWS::EKS::Cluster/ControlPlane: CREATE_FAILED – '
     '"UnsupportedAvailabilityZoneException: Cannot create cluster because eu-central-1b, the '
     'targeted availability zone, does not currently have sufficient capacity"',
     "one of the chosen availability zones"),
    ("spare", "nodegroup", 'AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – '
     '"InsufficientInstanceCapacity"', "none of these instances free"),
    ("denied", "control-plane", 'AWS::IAM::Role/ServiceRole: CREATE_FAILED – "User: arn:aws:sts::1:x '
     'is not authorized to perform: iam:CreateRole"', "AWS does not let envbot do this"),
    ("exists", "control-plane", "creating CloudFormation stack: AlreadyExistsException: Stack "
     "[eksctl-x-cluster] already exists", "of the same name is left in AWS"),
    ("slow", "nodegroup", 'waiting: exceeded max wait time for StackCreateComplete waiter',
     "AWS took longer than eksctl waits"),
    ("join", "nodegroup", 'timed out waiting for at least 1 nodes to join the cluster and become '
     'ready in "main"', "nodes did not join"),
    ("closed", "nodegroup", 'getting Kubernetes version on EKS cluster: Get "https://X.eks.aws'
     '/version": dial tcp 192.168.1.2:443: i/o timeout', "could not be reached from where"),
    ("sts", "nodegroup", "checking AWS STS access: operation error STS: GetCallerIdentity, exceeded "
     "maximum number of attempts", "AWS did not say who envbot is"),
    ("odd", "nodegroup", "the moon was in the wrong house", "does not say why"),
]


# How often what passes is tried: capacity, what takes its time, what AWS will tell in a moment.
TRIES = {"zone": 3, "spare": 3, "exists": 3, "slow": 3, "join": 3, "closed": 3, "sts": 3, "rate": 5}


def test_a_failure_is_told_in_plain_words_by_its_cause_and_cleaned_up(company):
    c = company(teams=ROOMY, options={"jobs.parallel": 6, "jobs.per_region": 6,
                                        "jobs.lease": "30s", "jobs.heartbeat": "5s"})
    for name, phase, reason, _ in CAUSES:
        c.eksctl.add_fault("create", "fail", match=f"payments-{name}", phase=phase, reason=reason,
                           count=9)
    c.eksctl.add_fault("create", "throttle", match="payments-rate", count=9)
    c.eksctl.add_fault("create", "expired_token", match="payments-token")
    c.serve()
    expected = {name: words for name, _, _, words in CAUSES}
    expected.update(rate="AWS was asked too much at once", token="credentials ran out")
    for name in expected:
        bring(c, name)
    mails = c.aws.wait_for(
        lambda: len(c.aws.mails()) == len(expected) and
        {m["subject"].split()[0]: m for m in c.aws.mails()}, "a mail for each", 240)
    for name, words in expected.items():
        mail = mails[f"payments/{name}"]
        assert mail["subject"] == f"payments/{name} could not be created"
        assert words in mail["text"] and words in mail["html"], (name, mail["text"])
        assert "CREATE_FAILED" not in mail["text"]
        assert mail["to"] == ["developer@example.com"]
    # What passes was tried again by itself, what does not was not.
    tries = {name: c.eksctl.changes(f"payments-{name}").count("create cluster") for name in expected}
    assert {name: n for name, n in tries.items() if n > 1} == TRIES
    # Slack lets a channel have a message a second: one thread stands for all.
    _, failed = said(c, "vpc", "could not be created", 90)
    assert expected["vpc"] in failed["text"] and "<@U0DEV>" in failed["text"]
    _, cleaned = said(c, "vpc", "is cleaned up", 90)
    assert "nothing of it is left" in cleaned["text"]
    c.slack.wait_for(lambda: c.database.one(
        "SELECT count(*) FROM environments WHERE ended_at IS NULL") == 0, "all is cleaned up", 90)
    assert c.eksctl.clusters() == []


def test_retry_and_logs_are_offered_and_work(company):
    c = company()
    c.eksctl.add_fault("create", "fail", phase="nodegroup",
                       reason='AWS::EKS::Nodegroup/X: CREATE_FAILED – "VcpuLimitExceeded"')
    c.serve()
    bring(c, "again")
    channel, message = said(c, "again", "is cleaned up")
    c.settle(30)
    _, _, standing = c.message("again")
    assert "failed" in standing["text"] and "error" in str(standing["blocks"])  # the plan's phase

    c.slack.click("U0BYST", channel, message["ts"], "retry", wait=20)
    c.slack.click("U0DEV", channel, message["ts"], "logs", wait=20)
    c.slack.wait_for(lambda: "payments-again" in str(files(c, "U0DEV")), "the log arrives")
    c.slack.wait_for(lambda: any("The last lines" in m["text"] for m in
                                 c.slack.messages(channel, "U0DEV")
                                 if m.get("ephemeral_for") == "U0DEV"), "and its last lines")
    refused = c.slack.wait_for(
        lambda: [m["text"] for m in c.slack.messages(channel, "U0BYST")
                 if m.get("ephemeral_for") == "U0BYST"], "the bystander is told")
    assert "do not let you" in refused[0]
    assert c.environment_row("again")["state"] == "failed"

    c.slack.click("U0DEV", channel, message["ts"], "retry", wait=20)
    c.wait_state("again", "ready", seconds=60)
    c.settle(30)
    story = c.thread_text("again")
    assert story.index("could not be created") < story.index("tries it again") < story.index(
        "is ready")
    assert len(c.eksctl.calls("create")) == 2 and c.eksctl.clusters() == ["payments-again"]


def files(c, user):
    return [f for m in c.slack.direct(user) for f in m.get("files", [])]


def test_what_passes_is_tried_again_by_itself_in_other_zones_where_aws_names_them(company):
    c = company()
    c.eksctl.add_fault("create", "fail", match="payments-moved", phase="control-plane", reason=(
        'AWS::EKS::Cluster/ControlPlane: CREATE_FAILED – "Cannot create cluster because eu-central-1b, '
        "the targeted availability zone, does not currently have sufficient capacity to support the "
        "cluster. Retry and choose from these availability zones: eu-central-1a, eu-central-1c "
        '(Service: AmazonEKS; Error Code: UnsupportedAvailabilityZoneException)"'))
    c.eksctl.add_fault("create", "throttle", match="payments-asked", count=2)
    c.serve()
    bring(c, "moved")
    bring(c, "asked")
    c.wait_state("moved", "ready", seconds=90)
    c.wait_state("asked", "ready", seconds=90)
    first, second = (call["stdin"] for call in c.eksctl.calls("create") if "-moved" in call["stdin"])
    assert "availabilityZones" not in first
    assert second.split("availabilityZones:")[1].split()[:4] == ["-", "eu-central-1a", "-",
                                                                 "eu-central-1c"]
    assert c.eksctl.changes("payments-moved") == ["create cluster", "delete cluster",
                                                  "create cluster"]
    assert c.eksctl.changes("payments-asked") == ["create cluster"] * 3
    _, told = said(c, "moved", "try it again by myself")
    assert "no room for another cluster" in told["text"]
    assert "in eu-central-1a and eu-central-1c this time" in told["text"]
    said(c, "moved", "is ready")
    assert not c.environment_row("moved")["cause"]
    assert [m["subject"] for m in c.aws.mails()] and "could not" not in str(c.aws.mails())


def test_what_is_envbots_own_to_mend_is_told_to_the_operators(company):
    c = company()
    c.eksctl.add_fault("create", "fail", phase="control-plane", reason=(
        'AWS::IAM::Role/ServiceRole: CREATE_FAILED – "User: arn:aws:sts::1:x is not authorized to '
        'perform: iam:CreateRole"'))
    c.serve()
    bring(c, "mine")
    told = c.slack.wait_for(lambda: c.slack.messages("C0OPS"), "the operators are told", 60)
    assert len(told) == 1 and "payments/mine" in told[0]["text"]
    assert "IAM policies" in told[0]["text"] and "iam:CreateRole" in told[0]["text"]


def test_a_creation_that_waits_for_its_next_try_can_be_deleted(company):
    c = company(options={"jobs.retry_after": "1h"})
    c.eksctl.add_fault("create", "throttle")
    c.serve()
    bring(c, "waits")
    said(c, "waits", "try it again by myself in 1 h")
    c.slack.type("U0DEV", "C0GEN", "delete waits", wait=20)
    c.wait_state("waits", "deleted", seconds=60)
    assert c.eksctl.changes("payments-waits") == ["create cluster"]


def test_retry_does_not_wait_for_the_cleaning_and_goes_on_from_what_is_there(company):
    c = company()
    cleaning = c.eksctl.hold("delete")
    c.eksctl.add_fault("create", "fail", phase="nodegroup",
                       reason='AWS::EKS::Nodegroup/X: CREATE_FAILED – "VcpuLimitExceeded"')
    c.serve()
    bring(c, "hasty")
    cleaning.wait("it is being cleaned up")
    assert "is tried again" in c.slack.type("U0DEV", "C0GEN", "retry hasty", wait=20)["shown"][0]["text"]
    cleaning.lift()
    c.wait_state("hasty", "ready", seconds=90)
    states = [(row["kind"], row["state"])
              for row in c.database.query("SELECT kind, state FROM jobs ORDER BY id")]
    assert states == [("create", "failed"), ("delete", "cancelled"), ("create", "done")]
    # What the cleaning had already begun to delete is gone, the rest is kept.
    assert c.eksctl.changes("payments-hasty") in (
        ["create cluster", "delete cluster", "create nodegroup"],
        ["create cluster", "delete cluster", "create cluster"])
    assert c.eksctl.clusters() == ["payments-hasty"]


def test_what_a_failed_try_cost_stays_in_the_report_and_the_gap_costs_nothing(company):
    c = company()
    c.eksctl.add_fault("create", "fail", phase="nodegroup",
                       reason='AWS::EKS::Nodegroup/X: CREATE_FAILED – "VcpuLimitExceeded"')
    c.serve()
    bring(c, "dear")
    c.slack.wait_for(lambda: (c.environment_row("dear") or {}).get("ended_at"), "it is cleaned up", 60)
    # It failed after an hour, two hours ago.
    c.database.query("UPDATE environments SET started_at = now() - interval '3 hours',"
                     " ended_at = now() - interval '2 hours'")
    before = c.environment_row("dear")
    c.slack.type("U0DEV", "C0GEN", "retry dear", wait=20)
    c.wait_state("dear", "ready", seconds=60)
    row = c.environment_row("dear")
    assert abs(row["started_at"] - before["started_at"]).total_seconds() < 1
    first, gap = row["rates"]
    assert (first["usd"], gap["usd"]) == (float(row["hourly_usd"]), 0)
    text = c.run("report", "payments", "--csv").stdout
    hours = float(text.splitlines()[1].split(",")[3])
    # At the turn of a month only a part is this one's.
    assert hours < 1.2 and (hours > 0.9 or row["started_at"].month != row["ready_at"].month), text


def test_delete_while_creating_says_how_long_that_takes(company):
    c = company()
    held = c.eksctl.hold("create")
    c.serve()
    bring(c, "unwanted")
    held.wait("it is being created")
    answer = c.slack.type("U0DEV", "C0GEN", "delete unwanted", wait=20)["shown"][0]["text"]
    assert "has to come to its end" in answer and "half an hour" in answer
    said(c, "unwanted", "up to half an hour")
    held.lift()
    c.wait_state("unwanted", "deleted", seconds=60)
    assert c.eksctl.clusters() == [] and not c.aws.mails()[1:]


def own_words(tmp_path, **files):
    """Templates of an operator's own: as envbot's, but for these files of slack/."""
    templates = tmp_path / "templates"
    shutil.copytree(os.path.join(ROOT, "templates"), templates)
    for name, text in files.items():
        (templates / "slack" / f"{name.replace('_', '-')}.yaml").write_text(f'text: "{text}"\n')
    return str(templates)


def test_what_delete_says_of_times_is_for_the_templates_to_say(company, tmp_path):
    words = own_words(tmp_path, reply_deleting="*${name}* goes. Five minutes!",
                      reply_stopping="*${name}* is stopped. Twenty minutes!",
                      stopping="Stopped by ${raw:by_mention}. Twenty minutes in all!")
    c = company(templates=words)
    c.serve()
    bring(c, "typed")
    bring(c, "clicked")
    for name in ("typed", "clicked"):
        c.wait_state(name, "ready", seconds=60)
    answer = c.slack.type("U0DEV", "C0GEN", "delete typed", wait=20)["shown"][0]["text"]
    assert answer == "*typed* goes. Five minutes!"
    channel, ts, _ = c.message("clicked")
    c.slack.click("U0DEV", channel, ts, "delete", wait=20)
    c.slack.wait_for(lambda: "*clicked* goes. Five minutes!" in c.slack.whispers("U0DEV"),
                     "the click is answered", 60)
    c.eksctl.set_pace(create_seconds=30)
    bring(c, "unwanted")
    c.slack.wait_for(lambda: len(c.eksctl.calls("create")) == 3, "it is being created", 60)
    answer = c.slack.type("U0DEV", "C0GEN", "delete unwanted", wait=20)["shown"][0]["text"]
    assert answer == "*unwanted* is stopped. Twenty minutes!"
    said(c, "unwanted", "Stopped by <@U0DEV>. Twenty minutes in all!")


def test_exit_code_one_with_everything_there_is_ready(company):
    c = company()
    c.eksctl.add_fault("create", "exit1_but_done")
    c.serve()
    bring(c, "fine")
    c.wait_state("fine", "ready", seconds=60)
    c.settle(30)
    assert "could not be created" not in c.thread_text("fine")
    assert len(c.eksctl.calls("create")) == 1 and not c.eksctl.calls("delete")


def test_a_hanging_eksctl_is_ended_at_the_deadline(company):
    c = company(options={"jobs.deadline": "5s"})
    c.eksctl.add_fault("create", "hang")
    c.serve()
    bring(c, "stands")
    _, failed = said(c, "stands", "could not be created")
    assert "took longer than this installation allows" in failed["text"]
    said(c, "stands", "is cleaned up")


def test_a_cluster_of_the_same_name_that_is_not_ours_is_never_touched(company):
    c = company()
    c.eksctl.place_foreign("payments-theirs", "eu-central-1")
    c.serve()
    bring(c, "theirs")
    _, failed = said(c, "theirs", "could not be created")
    assert "it is not envbot's" in failed["text"] and "not touched" in failed["text"]
    said(c, "theirs", "is cleaned up")
    assert c.eksctl.clusters() == ["payments-theirs"]
    assert not c.eksctl.calls("create") and not c.eksctl.calls("delete")


def test_what_cannot_be_deleted_is_tried_again_then_told_to_the_operators_and_stays_visible(company):
    c = company(options={"jobs.delete_tries": 2})
    c.serve()
    bring(c, "sticky")
    c.wait_state("sticky", "ready", seconds=60)
    c.eksctl.add_fault("delete", "fail", count=2, reason='AWS::EC2::VPC/VPC: DELETE_FAILED – '
                       '"The vpc has dependencies and cannot be deleted. DependencyViolation"')
    c.slack.type("U0DEV", "C0GEN", "delete sticky", wait=20)
    _, stuck = said(c, "sticky", "could not be deleted", 90)
    assert "could not be deleted completely" in stuck["text"]
    assert "load balancers" in stuck["text"]
    assert stuck["text"].count("operators are told") == 1 and "It is tried again" not in stuck["text"]
    assert len(c.eksctl.calls("delete")) == 2
    c.settle(30)
    told = [m["text"] for m in c.slack.messages("C0OPS")]
    assert len(told) == 1 and "payments-sticky" in told[0] and "load balancers" in told[0]
    assert "What is left: `eksctl-payments-sticky-cluster`" in told[0] and "quarantine" in told[0]
    assert "operators are told" not in told[0]
    assert "DependencyViolation" in told[0] and "an hour" in told[0] and "an hour" in stuck["text"]
    listed = c.slack.type("U0DEV", "C0GEN", "list", wait=20)["shown"][0]["text"]
    assert "payments/sticky could not be deleted completely" in listed
    report = c.run("report", "payments").stdout
    assert "goes on costing:\npayments/sticky in eu-central-1, up to $" in report, report
    # It still holds its place in the quota; and a person's word tries once more.
    assert c.database.one("SELECT count(*) FROM environments WHERE ended_at IS NULL") == 1
    c.slack.type("U0DEV", "C0GEN", "delete sticky", wait=20)
    c.wait_state("sticky", "deleted", seconds=60)
    assert c.eksctl.clusters() == []


def test_no_more_run_at_once_than_is_allowed(company):
    c = company(teams=ROOMY, options={"jobs.parallel": 3, "jobs.per_region": 2})
    c.serve()
    names = [f"n{i}" for i in range(6)]
    for i, name in enumerate(names):
        bring(c, name, f"--region {('eu-central-1', 'eu-west-1')[i % 2]}")
    for name in names:
        c.wait_state(name, "ready", seconds=120)
    spans, regions = {}, {call["pid"]: call["stdin"].split("region: ")[1].split()[0]
                          for call in c.eksctl.calls("create")}
    with open(c.eksctl.path("calls.jsonl"), encoding="utf-8") as file:
        for call in map(json.loads, file):
            if call["pid"] in regions:
                span = spans.setdefault(call["pid"], {"region": regions[call["pid"]]})
                span["begin" if call.get("started") else "end"] = call["at"]
    most, per_region = 0, Counter()
    for one in spans.values():
        others = [o for o in spans.values() if o["begin"] <= one["begin"] < o["end"]]
        most = max(most, len(others))
        for region, count in Counter(o["region"] for o in others).items():
            per_region[region] = max(per_region[region], count)
    assert len(spans) == 6 and 2 <= most <= 3, (most, per_region)
    assert all(count <= 2 for count in per_region.values()), per_region


def test_eksctl_gets_the_agreed_arguments_and_none_of_slacks_secrets(company):
    c = company()
    c.serve()
    bring(c, "plain")
    c.wait_state("plain", "ready", seconds=60)
    c.slack.type("U0DEV", "C0GEN", "delete plain", wait=20)
    c.wait_state("plain", "deleted", seconds=60)
    (create,), (delete,) = c.eksctl.calls("create"), c.eksctl.calls("delete")
    assert create["argv"] == ["create", "cluster", "-f", "-", "--timeout", "40m",
                              "--write-kubeconfig=false", "-C", "false", "-v", "3"]
    assert delete["argv"][:6] == ["delete", "cluster", "--name", "payments-plain", "--region",
                                  "eu-central-1"]
    assert {"--wait", "--force", "--disable-nodegroup-eviction", "--timeout"} <= set(delete["argv"])
    for call in (create, delete):
        names = call["environment"]
        assert {"AWS_ACCESS_KEY_ID", "HOME", "TZ", "KUBECONFIG"} <= set(names)
        assert not [n for n in names if n.startswith(("SLACK", "ENVBOT", "DATABASE", "PG"))], names


def test_nothing_is_called_gone_because_something_else_does_not_exist(company):
    c = company()
    c.serve()
    c.slack.type("U0DEV", "C0GEN", "create small demo --nodes 1 --ttl 2h")
    c.wait_state("demo", "ready", seconds=60)
    for command in ("get", "describe-stacks"):
        c.eksctl.add_fault(command, "fail", reason="the profile “envbot” does not exist")
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted", seconds=60)
    assert c.eksctl.clusters() == [] and len(c.eksctl.calls("delete")) == 1


def test_what_is_gone_at_the_second_try_says_nothing_of_the_first(company):
    c = company()
    c.serve()
    bring(c, "demo")
    c.wait_state("demo", "ready", seconds=60)
    c.eksctl.add_fault("delete", "fail", reason="AccessDenied: not authorized to perform this")
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.slack.wait_for(lambda: c.environment_row("demo")["cause"], "the first try fails", 60)
    c.wait_state("demo", "deleted", seconds=60)
    c.settle(30)
    assert "AWS does not let" not in str(c.message("demo")[2])


def test_what_people_added_with_eksctl_goes_with_their_cluster(company):
    c = company(options={"jobs.delete_tries": 1})
    c.serve()
    for name in ("more", "untagged"):
        bring(c, name)
        c.wait_state(name, "ready", seconds=60)
    stacks = c.eksctl.read("stacks.json", {})
    own = stacks["eu-central-1/eksctl-payments-more-cluster"]
    stacks["eu-central-1/eksctl-payments-more-nodegroup-mine"] = {
        **own, "name": "eksctl-payments-more-nodegroup-mine", "kind": "nodegroup", "tags": {}}
    stacks["eu-central-1/eksctl-payments-untagged-cluster"]["tags"] = {}
    c.eksctl.write("stacks.json", stacks)
    c.slack.type("U0DEV", "C0GEN", "delete more")
    c.wait_state("more", "deleted", seconds=60)
    assert c.eksctl.clusters() == ["payments-untagged"] and len(c.eksctl.calls("delete")) == 1
    # Nobody is told that it is gone while something of its name stands there.
    c.slack.type("U0DEV", "C0GEN", "delete untagged")
    _, told = said(c, "untagged", "could not be deleted")
    assert "lacks envbot's tags" in told["text"] and len(c.eksctl.calls("delete")) == 1
    row = c.environment_row("untagged")
    assert row["state"] == "deleting" and row["stuck"] and not row["ended_at"]


def test_claims_that_were_interrupted_are_no_failed_deletions(company):
    c = company(options={"jobs.delete_tries": 2})
    c.serve()
    bring(c, "calm")
    c.wait_state("calm", "ready", seconds=60)
    c.database.query("CREATE FUNCTION interrupted() RETURNS trigger LANGUAGE plpgsql AS"
                     " 'BEGIN NEW.attempts := 9; RETURN NEW; END'")
    c.database.query("CREATE TRIGGER interrupted BEFORE INSERT ON jobs"
                     " FOR EACH ROW EXECUTE FUNCTION interrupted()")
    c.eksctl.add_fault("delete", "fail", count=1, reason='AWS::EC2::VPC/VPC: DELETE_FAILED – '
                       '"The vpc has dependencies and cannot be deleted. DependencyViolation"')
    c.slack.type("U0DEV", "C0GEN", "delete calm", wait=20)
    c.wait_state("calm", "deleted", seconds=60)
    c.settle(30)
    assert "could not be deleted" not in c.thread_text("calm")
    assert c.slack.messages("C0OPS") == []


def test_a_job_without_a_place_to_work_fails_aloud(company, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nowhere/to/be/found")
    c = company()
    c.serve()
    bring(c, "homeless")
    c.wait_state("homeless", "failed", seconds=60)
    assert "could not make a folder to work in" in c.environment_row("homeless")["cause"]
    assert c.eksctl.calls() == []
