"""What a job does about what it finds in AWS: every cell of the table of bot/jobs/reconcile.c, with the
stand-in in that state."""

import os
import shutil
import signal
import time

import pytest
import yaml

from company import ROOT
from test_crash import job_pids

REGION = "eu-central-1"
ROOMY = """
  - name: payments
    channel: C0PAY
    approvers_channel: C0PLAT
    members: [U0DEV, U0DEV2, U0BYST]
    quota: {environments: 40}
"""
FREE = "--nodes 1 --ttl 2h"  # what template small gives without anybody's approval
ADDONS = ["coredns", "kube-proxy", "metrics-server", "vpc-cni"]
GROUP = "nodegroup-main"


# ---- the states: each puts the cluster into it ----

def nothing(aws, cluster, tags):
    aws.remove(cluster)


def in_progress(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, tags, done_at=time.time() + 2)


def complete(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, tags, addons=ADDONS)
    aws.place(cluster, REGION, tags, GROUP, group="main", desired=3, min=3, max=3)


def other(aws, cluster, tags):
    """Well, but not with the three nodes that are wanted."""
    complete(aws, cluster, tags)
    aws.place(cluster, REGION, tags, GROUP, group="main", desired=2, min=2, max=2)


def failed(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, tags, addons=ADDONS, delete_at=1, delete_fails=True)


def rolled_back(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, tags, fails=True)


def deleting(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, tags, delete_at=time.time() + 2)


def no_groups(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, tags, addons=ADDONS)


def no_addons(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, tags)


def no_cluster(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, tags, GROUP)


def foreign(aws, cluster, tags):
    aws.remove(cluster)
    aws.place(cluster, REGION, {"owner": "somebody"}, addons=ADDONS)


def unreachable(aws, cluster, tags):
    """For a while; what is there meanwhile is complete."""
    complete(aws, cluster, tags)
    aws.add_fault("get", "throttle", match=cluster, count=2)
    aws.add_fault("describe-stacks", "throttle", match=cluster, count=1)


STATES = [nothing, in_progress, complete, failed, rolled_back, deleting, no_groups, no_addons,
          no_cluster, other, foreign, unreachable]
CREATE, DELETE, GROUPS, ADD, SCALE = ("create cluster", "delete cluster", "create nodegroup",
                                      "create addon", "scale nodegroup")
# What is begun about it, and where the environment ends.
CREATING = {
    nothing: ([CREATE], "ready"), in_progress: ([ADD, GROUPS], "ready"), complete: ([], "ready"),
    failed: ([DELETE, CREATE], "ready"), rolled_back: ([DELETE, CREATE], "ready"),
    deleting: ([CREATE], "ready"), no_groups: ([GROUPS], "ready"),
    no_addons: ([ADD, GROUPS], "ready"), no_cluster: ([DELETE, CREATE], "ready"),
    foreign: ([], "failed"), unreachable: ([], "ready"), other: ([], "ready"),
}
DELETING = {
    nothing: ([], "deleted"), in_progress: ([DELETE], "deleted"), complete: ([DELETE], "deleted"),
    failed: ([DELETE], "deleted"), rolled_back: ([DELETE], "deleted"), deleting: ([], "deleted"),
    no_groups: ([DELETE], "deleted"), no_addons: ([DELETE], "deleted"),
    no_cluster: ([DELETE], "deleted"), foreign: ([], "stuck"), unreachable: ([DELETE], "deleted"),
    other: ([DELETE], "deleted"),
}
# A change to three nodes: what of it has come, and what is said where it has not. None is lost.
CHANGING = {
    nothing: ([], "no cluster payments-nothing"), in_progress: ([], "node group of payments-in-progress is not there"),
    complete: ([], 3), failed: ([], "its log does not say why"),
    rolled_back: ([], "no cluster payments-rolled-back"), deleting: ([], "no cluster payments-deleting"),
    no_groups: ([], "node group of payments-no-groups"),
    no_addons: ([], "node group of payments-no-addons"), no_cluster: ([], "no cluster payments-no-cluster"), foreign: ([], "lacks envbot's tags"),
    unreachable: ([], 3), other: ([SCALE], 3),
}


def name_of(state):
    return state.__name__.replace("_", "-")


def cluster_of(state):
    return f"payments-{name_of(state)}"


def tags(c, name):
    return {"envbot:environment": str(c.environment_row(name)["id"])}


def where(c, name):
    row = c.environment_row(name)
    return "stuck" if row["stuck"] else row["state"]


def open_company(company, **more):
    c = company(**more, teams=ROOMY, options={"jobs.parallel": 12, "jobs.per_region": 12,
                                        "jobs.lease": "30s", "jobs.heartbeat": "2s",
                                        "jobs.delete_tries": 1})
    c.eksctl.set_pace(create_seconds=0.4, delete_seconds=0.2)
    return c


def check(c, expected):
    for state, (_, end) in expected.items():
        c.slack.wait_for(lambda s=state, e=end: where(c, name_of(s)) == e,
                         f"{name_of(state)} becomes {end}; it is {where(c, name_of(state))}", 120)
    done = {name_of(state): c.eksctl.changes(cluster_of(state)) for state in expected}
    assert done == {name_of(state): calls for state, (calls, _) in expected.items()}


def test_all_tables_here_have_every_state():
    assert set(CREATING) == set(DELETING) == set(CHANGING) == set(STATES)


def hold_jobs(c):
    """What is asked for from now on waits, until release()."""
    c.database.query("CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS"
                     " 'BEGIN NEW.not_before := now() + interval ''1 day''; RETURN NEW; END'")
    c.database.query("CREATE TRIGGER later BEFORE INSERT ON jobs FOR EACH ROW"
                     " EXECUTE FUNCTION later()")


def release_jobs(c):
    c.database.query("DROP TRIGGER later ON jobs")
    c.database.query("UPDATE jobs SET not_before = now()")
    c.database.query("NOTIFY envbot_jobs")


def test_a_creation_does_what_is_missing_and_nothing_else(company):
    c = open_company(company)
    c.serve()
    hold_jobs(c)
    for state in STATES:
        c.slack.type("U0DEV", "C0GEN", f"create small {name_of(state)} {FREE}")
        state(c.eksctl, cluster_of(state), tags(c, name_of(state)))
    release_jobs(c)
    check(c, CREATING)
    # A cluster of somebody else is never touched, and whoever runs envbot hears of it.
    assert c.eksctl.stacks()["eksctl-payments-foreign-cluster"]["tags"] == {"owner": "somebody"}
    told = c.slack.wait_for(lambda: c.slack.messages("C0OPS"), "the operators are told", 60)
    assert [m["text"].count("payments-foreign") for m in told] == [1]
    assert "not envbot's" in told[0]["text"] and "not touched" in told[0]["text"]


def test_a_deletion_ends_with_nothing_of_ours(company):
    c = open_company(company)
    c.serve()
    for state in STATES:
        c.slack.type("U0DEV", "C0GEN", f"create small {name_of(state)} {FREE}")
    for state in STATES:
        c.wait_state(name_of(state), "ready", seconds=120)
    for state in STATES:
        state(c.eksctl, cluster_of(state), tags(c, name_of(state)))
        c.slack.type("U0DEV", "C0GEN", f"delete {name_of(state)}")
    check(c, {state: ([CREATE, *calls], end) for state, (calls, end) in DELETING.items()})
    assert c.eksctl.clusters() == ["payments-foreign"]
    assert c.database.one("SELECT count(*) FROM environments WHERE ended_at IS NULL") == 1


def test_what_another_process_began_meanwhile_is_looked_at_and_not_taken_for_a_failure(company):
    """One that cannot be reached any more: AWS's names are the fence."""
    c = open_company(company)
    held = c.eksctl.hold("create")  # before its first stack
    c.serve()
    c.slack.type("U0DEV", "C0GEN", f"create small demo {FREE}")
    held.wait("eksctl is about to create it")
    in_progress(c.eksctl, "payments-demo", tags(c, "demo"))
    held.lift()
    c.wait_state("demo", "ready", seconds=120)
    assert c.eksctl.changes("payments-demo") == [CREATE, ADD, GROUPS]
    assert c.eksctl.clusters() == ["payments-demo"]
    assert [line for line in c.eksctl.lines() if line.get("ended") == "error"]
    story = c.thread_text("demo")
    assert "failed" not in story and "try it again" not in story, story
    assert not [m for m in c.slack.messages("C0OPS") if "demo" in m["text"]]


# ---- where it is asked ----

@pytest.mark.parametrize("answer", [
    "--region",  # one that eksctl does not know
    # a region that has not been switched on for the account, as AWS refuses it
    "operation error EKS: DescribeCluster, https response error StatusCode: 403, api error"
    " UnrecognizedClientException: The security token included in the request is invalid.",
    # one that cannot be reached from here
    "operation error EKS: DescribeCluster, request send failed, Get"
    ' "https://eks.eu-central-1.amazonaws.com/clusters/payments-demo": dial tcp: lookup'
    " eks.eu-central-1.amazonaws.com: no such host",
    # where something else is missing
    "operation error STS: GetCallerIdentity, failed to resolve service endpoint, endpoint rule error,"
    " Invalid Configuration: Missing Region"])
def test_a_region_that_is_wrong_or_unknown_is_never_taken_for_nothing_there(company, answer):
    c = company(options={"jobs.delete_tries": 1, "jobs.lease": "30s", "jobs.heartbeat": "2s",
                         "aws.breaker_jobs": 9})
    c.serve()
    c.slack.type("U0DEV", "C0GEN", f"create small demo {FREE}")
    c.wait_state("demo", "ready", seconds=90)
    if answer == "--region":
        c.database.query("UPDATE environments SET region = 'eu-central-9'")
    else:
        c.eksctl.add_fault("get", "fail", reason=answer, count=99)
        c.eksctl.add_fault("describe-stacks", "fail", reason=answer, count=99)
    before = len(c.eksctl.calls("get cluster"))
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.slack.wait_for(lambda: c.environment_row("demo")["stuck"]
                     or len(c.eksctl.calls("get cluster")) > before + 2,
                     "it is in quarantine, or asked again and again", 120)
    row = c.environment_row("demo")
    assert row["state"] == "deleting" and row["ended_at"] is None
    assert c.eksctl.clusters() == ["payments-demo"]
    c.settle(60)
    assert "is gone: nothing" not in c.thread_text("demo")
    if row["stuck"]:
        assert [m for m in c.slack.messages("C0OPS") if "payments-demo" in m["text"]]
    # When it can be asked again, it is deleted and seen to be gone.
    c.database.query("UPDATE environments SET region = %s", REGION)
    c.eksctl.set_pace(faults=[])
    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted", seconds=90)
    assert c.eksctl.clusters() == []


def test_a_fargate_profile_that_is_missing_is_added(company):
    c = company()
    held = c.eksctl.hold("create", phase="nodegroup")  # before the profiles
    c.serve()
    c.slack.type("U0DEV", "C0GEN", "create fargate demo --ttl 2h")
    if c.environment_row("demo")["state"] == "pending":
        c.approve("demo")
    held.wait("all but the profiles is there")
    process, _ = c.slack.wait_for(lambda: job_pids(c), "who creates it is written down", 60)
    os.kill(process, signal.SIGKILL)
    c.wait_state("demo", "ready", seconds=120)
    assert c.eksctl.changes("payments-demo") == [CREATE, "create fargateprofile"]
    asked = yaml.safe_load(c.run("render", "fargate").stdout)["fargateProfiles"]
    stack = c.eksctl.stacks()["eksctl-payments-demo-cluster"]
    assert stack["profiles"] == sorted(profile["name"] for profile in asked)
    held.lift()


@pytest.fixture
def generous(tmp_path):
    """Templates of which `small` gives more nodes, too, without anybody's approval."""
    folder = tmp_path / "templates"
    shutil.copytree(os.path.join(ROOT, "templates"), folder)
    small = folder / "environments" / "small.yaml"
    text = small.read_text()
    assert "nodes: {max: 1}" in text
    small.write_text(text.replace("nodes: {max: 1}", "nodes: {max: 5}"))
    return str(folder)


def test_a_change_creates_nothing_deletes_nothing_and_loses_nothing(company, generous):
    c = open_company(company, templates=generous)
    c.serve()
    for state in STATES:
        c.slack.type("U0DEV", "C0GEN", f"create small {name_of(state)} {FREE}")
    for state in STATES:
        c.wait_state(name_of(state), "ready", seconds=120)
    for state in STATES:
        state(c.eksctl, cluster_of(state), tags(c, name_of(state)))
        c.slack.type("U0DEV", "C0GEN", f"scale {name_of(state)} 3")
    for state, (calls, end) in CHANGING.items():
        row = c.wait_state(name_of(state), "ready", seconds=120)
        assert c.eksctl.changes(cluster_of(state)) == [CREATE, *calls], name_of(state)
        if isinstance(end, int):
            assert (row["parameters"]["nodes"], row["nodes"], row["cause"]) == (end, end, None)
        else:
            assert row["parameters"]["nodes"] == 1 and end in row["cause"], (state, row["cause"])
    assert c.environment_row("foreign")["cause"] in c.slack.wait_for(
        lambda: "not succeed" in (t := c.thread_text("foreign")) and t, "it is told", 90)
