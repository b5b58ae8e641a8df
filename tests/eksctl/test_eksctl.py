"""The eksctl that the tests use speaks, fails and leaves things behind as the real one does."""

import json
import re
import signal
import time

import pytest
from played import CLUSTER

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[(ℹ|✔|✖|!)\]  ")
VPC = ('AWS::EC2::VPC/VPC: CREATE_FAILED – "Resource handler returned message: \\"The maximum number '
       'of VPCs has been reached.\\""')
# What a creation says, in this order; each is the beginning of a line's text.
MILESTONES = [
    "eksctl version ", "using region eu-central-1", "setting availability zones to [",
    "subnets for eu-central-1b - public:", 'nodegroup "main" will use "" [AmazonLinux2023/1.34]',
    "using Kubernetes version 1.34",
    'creating EKS cluster "payments-demo" in "eu-central-1" region with managed nodes',
    "if you encounter any issues, check CloudFormation console or try 'eksctl utils describe-stacks ",
    '2 sequential tasks: { create cluster control plane "payments-demo"',
    'building cluster stack "eksctl-payments-demo-cluster"',
    'deploying stack "eksctl-payments-demo-cluster"',
    'waiting for CloudFormation stack "eksctl-payments-demo-cluster"',
    "creating addon: vpc-cni", "successfully created addon: vpc-cni",
    'building managed nodegroup stack "eksctl-payments-demo-nodegroup-main"',
    'deploying stack "eksctl-payments-demo-nodegroup-main"',
    'waiting for CloudFormation stack "eksctl-payments-demo-nodegroup-main"',
    "waiting for the control plane to become ready",
    'all EKS cluster resources for "payments-demo" have been created',
    'nodegroup "main" has 2 node(s)', 'waiting for at least 1 node(s) to become ready in "main"',
    'created 1 managed nodegroup(s) in cluster "payments-demo"',
    'EKS cluster "payments-demo" in "eu-central-1" region is ready',
]
DELETION = [
    'deleting EKS cluster "payments-demo"', "will drain 0 unmanaged nodegroup(s) in cluster",
    "deleted 0 Fargate profile(s)", "cleaning up AWS load balancers created by Kubernetes objects of",
    'will delete stack "eksctl-payments-demo-nodegroup-main"',
    'waiting for stack "eksctl-payments-demo-nodegroup-main" to get deleted',
    "waiting for CloudFormation stack", 'will delete stack "eksctl-payments-demo-cluster"',
    'waiting for stack "eksctl-payments-demo-cluster" to get deleted',
    "waiting for CloudFormation stack", "all cluster resources were deleted",
]


def texts(output):
    """The lines without stamp and icon; what continues a line keeps its own."""
    return [LINE.sub("", line) for line in output.splitlines()]


def assert_in_order(lines, beginnings):
    at = 0
    for beginning in beginnings:
        while at < len(lines) and not lines[at].startswith(beginning):
            at += 1
        assert at < len(lines), f"{beginning!r} is missing or comes too early in {lines}"
        at += 1


def icon_of(output, text):
    return next(LINE.match(line)[1] for line in output.splitlines() if text in line)


def wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def statuses(eksctl):
    """Of the stacks by name; {} when there are none."""
    code, output, _ = eksctl.run("utils describe-stacks --cluster payments-demo --region eu-central-1"
                                 " -o json")
    return {s["StackName"]: s["StackStatus"] for s in json.loads(output)} if code == 0 else {}


# -- what it says -----------------------------------------------------------------------------------
def test_a_creation_says_what_eksctl_says_in_its_order(eksctl):
    code, output, errors = eksctl.create()
    assert (code, errors) == (0, "")
    assert_in_order(texts(output), MILESTONES)
    assert icon_of(output, "region is ready") == "✔"
    assert icon_of(output, "using region") == "ℹ"
    # The tree of tasks continues its line; everything else begins one.
    odd = [line for line in output.splitlines() if not LINE.match(line)]
    assert odd[0].startswith("2 sequential tasks:") and odd[-2:] == ["}", ""]
    # Without kubectl a creation that went well says this.
    assert icon_of(output, "kubectl not found") == "✖"


def test_a_deletion_says_what_eksctl_says_in_its_order(eksctl):
    eksctl.create()
    code, output, errors = eksctl.delete()
    assert (code, errors) == (0, "")
    assert_in_order(texts(output), DELETION)
    assert eksctl.clusters() == [] and statuses(eksctl) == {}


@pytest.mark.parametrize("nodes, says", [
    ('fargateProfiles: [{name: a, selectors: [{namespace: default}]}]',
     ["creating EKS cluster \"payments-demo\" in \"eu-central-1\" region with Fargate profile",
      'creating Fargate profile "a" on EKS cluster', 'created Fargate profile "a"']),
    ("autoModeConfig: {enabled: true, nodePools: [general-purpose, system]}",
     ["Auto Mode will be enabled", "waiting for the control plane to become ready"])])
def test_clusters_without_node_groups(eksctl, nodes, says):
    config = CLUSTER[:CLUSTER.index("managedNodeGroups")] + nodes + "\n"
    code, output, errors = eksctl.create(config)
    assert (code, errors) == (0, "")
    assert_in_order(texts(output), says)
    assert list(statuses(eksctl)) == ["eksctl-payments-demo-cluster"]


# -- what it is asked -------------------------------------------------------------------------------
@pytest.mark.parametrize("flag", ["--name=x", "--region=eu-west-1", "--version=1.33", "--nodes=3",
                                  "--tags=a=b", "--fargate", "--zones=a,b", "--enable-auto-mode",
                                  "--support-type=STANDARD", "--vpc-cidr=10.0.0.0/16",
                                  "--node-type=t3.large", "-N=3"])
def test_flags_that_a_file_forbids(eksctl, flag):
    code, _, errors = eksctl.create(more=flag)
    assert code == 1
    assert re.fullmatch(r"Error: cannot use --[a-z-]+ when --config-file/-f is set\n", errors)
    assert eksctl.clusters() == []


@pytest.mark.parametrize("words, error", [
    ("create cluster -f - --colour=no", "unknown flag: --colour"),
    ("create cluster -f - -x", "unknown shorthand flag: 'x' in -x"),
    ("create cluster -f - --timeout", "flag needs an argument: --timeout"),
    ("create cluster -f - --timeout soon", 'invalid argument "soon" for "--timeout" flag'),
    ("create cluster -f - -v 9", 'invalid argument "9" for "-v, --verbose" flag'),
    ("create cluster -f - -C never", 'invalid argument "never"'),
    ("create cluster -f - --write-kubeconfig=maybe", 'invalid argument "maybe"'),
    ("create cluster -f - other", 'cannot use name argument "other"'),
    ("create cluster -f none.yaml", "open none.yaml: no such file"),
    ("delete cluster --region eu-central-1", "--name must be set"),
    ("get cluster -o xml", "unknown output printer type"),
    ("utils describe-stacks --region eu-central-1", "--cluster must be set"),
    ("create spaceship", 'unknown command "spaceship" for "eksctl"')])
def test_a_wrong_command_line(eksctl, words, error):
    code, output, errors = eksctl.run(words, CLUSTER)
    assert (code, output) == (1, "")
    assert errors.startswith("Error: ") and error in errors


def test_the_plan_of_a_dry_run_creates_nothing(eksctl):
    code, output, errors = eksctl.run("create cluster -f - --dry-run", CLUSTER)
    assert (code, errors) == (0, "") and "volumeSize: 80" in output and "[ℹ]" not in output
    assert eksctl.clusters() == []
    code, _, errors = eksctl.run("create cluster -f - --dry-run --timeout 40m", CLUSTER)
    assert code == 1 and "cannot be represented in ClusterConfig" in errors


def test_a_cluster_is_described_in_json_with_the_logs_elsewhere(eksctl):
    code, output, errors = eksctl.run("get cluster --name payments-demo --region eu-central-1 -o json")
    assert (code, output) == (1, "") and "ResourceNotFoundException: No cluster found" in errors
    eksctl.create()
    code, output, _ = eksctl.run("get cluster --name payments-demo --region eu-central-1 -o json")
    (cluster,) = json.loads(output)
    assert (cluster["Name"], cluster["Status"], cluster["Version"]) == ("payments-demo", "ACTIVE", "1.34")
    assert cluster["Tags"]["envbot:environment"] == "7"
    again = eksctl.run("get cluster --name payments-demo --region eu-central-1 -o json")
    assert json.loads(again[1]) == [cluster]
    listed = json.loads(eksctl.run("get cluster --region eu-central-1 -o json")[1])
    assert listed == [{"Name": "payments-demo", "Region": "eu-central-1", "Owned": "True"}]
    assert json.loads(eksctl.run("get cluster --region eu-west-1 -o json")[1]) == []
    assert eksctl.run("get cluster --region eu-central-1")[1].startswith("NAME\tREGION")


def test_stacks_are_described_in_json(eksctl):
    code, output, errors = eksctl.run(
        "utils describe-stacks --cluster payments-demo --region eu-central-1 -o json")
    assert (code, output) == (1, "")
    assert errors == 'Error: no eksctl-managed CloudFormation stacks found for "payments-demo"\n'
    eksctl.create()
    stacks = json.loads(eksctl.run(
        "utils describe-stacks --cluster payments-demo --region eu-central-1 -o json")[1])
    assert [(s["StackName"], s["StackStatus"], s["EnableTerminationProtection"]) for s in stacks] == [
        ("eksctl-payments-demo-cluster", "CREATE_COMPLETE", True),
        ("eksctl-payments-demo-nodegroup-main", "CREATE_COMPLETE", True)]
    tags = {t["Key"]: t["Value"] for t in stacks[1]["Tags"]}
    assert tags["a"] == "b" and tags["alpha.eksctl.io/cluster-name"] == "payments-demo"


def test_stacks_of_a_cluster_with_a_longer_name_are_another_s(eksctl):
    eksctl.create(CLUSTER.replace("payments-demo", "payments-demo-nodegroup-x"))
    assert statuses(eksctl) == {}


def test_versions(eksctl):
    assert json.loads(eksctl.run("version -o json")[1])["Version"] == eksctl.run("version")[1].strip()
    offered = json.loads(eksctl.run("utils describe-cluster-versions")[1])["clusterVersions"]
    assert "1.34" in [v["ClusterVersion"] for v in offered]


def test_a_call_is_recorded_with_names_of_variables_alone(eksctl):
    eksctl.run("create cluster -f -", CLUSTER, AWS_SECRET_ACCESS_KEY="very-secret")
    (call,) = eksctl.calls("create")
    assert call["argv"] == ["create", "cluster", "-f", "-"] and call["stdin"] == CLUSTER
    assert "AWS_SECRET_ACCESS_KEY" in call["environment"]
    assert set(call["environment"]) <= {"PATH", "TZ", "LC_ALL", "AWS_SECRET_ACCESS_KEY", "LC_CTYPE"}
    with open(eksctl.path("calls.jsonl"), encoding="utf-8") as file:
        assert "very-secret" not in file.read()


# -- what goes on without it ------------------------------------------------------------------------
def test_a_second_creation_finds_that_it_exists(eksctl):
    eksctl.create()
    code, _, errors = eksctl.create()
    assert code == 1
    assert ("AlreadyExistsException: Stack [eksctl-payments-demo-cluster] already exists" in errors)
    assert len(statuses(eksctl)) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_creation_goes_on_in_aws(eksctl, number):
    eksctl.set_pace(create_seconds=60)
    process = eksctl.start("create cluster -f -", CLUSTER)
    wait_until(lambda: eksctl.stacks())
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == -number  # eksctl handles no signal
    assert statuses(eksctl) == {"eksctl-payments-demo-cluster": "CREATE_IN_PROGRESS"}
    eksctl.finish()
    assert statuses(eksctl) == {"eksctl-payments-demo-cluster": "CREATE_COMPLETE"}
    described = json.loads(eksctl.run(
        "get cluster --name payments-demo --region eu-central-1 -o json")[1])
    assert described[0]["Status"] == "ACTIVE"  # without nodes: those were never asked for


def test_a_deletion_that_does_not_wait_says_that_all_is_gone(eksctl):
    eksctl.create()
    eksctl.set_pace(delete_seconds=8)  # half of it for the nodes, which are waited for
    code, output, _ = eksctl.delete("")
    assert code == 0 and "[✔]  all cluster resources were deleted" in output
    assert statuses(eksctl) == {"eksctl-payments-demo-cluster": "DELETE_IN_PROGRESS"}
    eksctl.finish()
    assert statuses(eksctl) == {}


def test_only_force_deletes_what_is_not_there(eksctl):
    code, _, errors = eksctl.delete("--wait")
    assert code == 1 and "ResourceNotFoundException" in errors
    assert eksctl.delete("--wait --force")[0] == 0


def test_a_wait_ends_with_the_timeout_and_aws_goes_on(eksctl):
    eksctl.set_pace(create_seconds=60)
    code, output, errors = eksctl.run("create cluster -f - --timeout 1s", CLUSTER)
    assert code == 1 and errors == 'Error: failed to create cluster "payments-demo"\n'
    assert "exceeded max wait time for StackCreateComplete waiter" in output
    eksctl.finish()
    wait_until(lambda: "CREATE_COMPLETE" in statuses(eksctl).values())


# -- what goes wrong on demand ----------------------------------------------------------------------
@pytest.mark.parametrize("phase, stack", [("control-plane", "cluster"), ("nodegroup", "nodegroup-main")])
def test_a_stack_fails_with_its_reason(eksctl, phase, stack):
    eksctl.add_fault("create", "fail", phase=phase, reason=VPC)
    code, output, errors = eksctl.create()
    assert (code, errors) == (1, 'Error: failed to create cluster "payments-demo"\n')
    assert_in_order(texts(output), [
        f'unexpected status "ROLLBACK_IN_PROGRESS" while waiting for CloudFormation stack '
        f'"eksctl-payments-demo-{stack}"',
        "fetching stack events in attempt to troubleshoot the root cause of the failure",
        "AWS::IAM::Policy/PolicyCloudWatchMetrics: CREATE_FAILED – \"Resource creation cancelled\"",
        VPC, "1 error(s) occurred and cluster hasn't been created properly",
        "to cleanup resources, run 'eksctl delete cluster --region=eu-central-1 --name=payments-demo'"])
    assert (icon_of(output, VPC), icon_of(output, "1 error(s)")) == ("✖", "!")
    assert statuses(eksctl)[f"eksctl-payments-demo-{stack}"] == "ROLLBACK_COMPLETE"
    assert eksctl.create()[0] == 1  # the name is taken until that is deleted
    assert eksctl.delete()[0] == 0
    assert eksctl.create()[0] == 0  # a fault is used once


@pytest.mark.parametrize("phase", ["addons", "ready"])
def test_a_later_phase_fails_and_leaves_the_cluster(eksctl, phase):
    eksctl.add_fault("create", "fail", phase=phase, reason="it did not work")
    code, output, errors = eksctl.create()
    assert code == 1 and icon_of(output, "it did not work") == "✖"
    assert errors == 'Error: failed to create cluster "payments-demo"\n'
    assert statuses(eksctl)["eksctl-payments-demo-cluster"] == "CREATE_COMPLETE"


@pytest.mark.parametrize("command", ["create", "delete"])
def test_it_ends_in_1_although_it_is_done(eksctl, command):
    if command == "delete":
        eksctl.create()
    eksctl.add_fault(command, "exit1_but_done")
    code, output, errors = eksctl.create() if command == "create" else eksctl.delete()
    assert code == 1 and errors == f'Error: failed to {command} cluster "payments-demo"\n'
    assert len(statuses(eksctl)) == (2 if command == "create" else 0)


@pytest.mark.parametrize("command", ["create", "delete"])
@pytest.mark.parametrize("do, says", [("throttle", "Throttling: Rate exceeded"),
                                      ("expired_token", "ExpiredToken: The security token included")])
def test_aws_refuses_at_the_start(eksctl, command, do, says):
    if command == "delete":
        eksctl.create()
    eksctl.add_fault(command, do)
    code, output, errors = eksctl.create() if command == "create" else eksctl.delete()
    assert code == 1 and icon_of(output, says) == "✖" and "\tstatus code: 40" in output
    assert errors == f'Error: failed to {command} cluster "payments-demo"\n'
    assert len(statuses(eksctl)) == (0 if command == "create" else 2)


def test_the_token_expires_while_a_stack_is_waited_for(eksctl):
    eksctl.add_fault("create", "expired_token", phase="control-plane")
    assert eksctl.create()[0] == 1
    wait_until(lambda: "CREATE_COMPLETE" in statuses(eksctl).values())


@pytest.mark.parametrize("phase", [None, "control-plane", "nodegroup"])
def test_it_hangs_until_it_is_ended(eksctl, phase):
    eksctl.add_fault("create", "hang", **({"phase": phase} if phase else {}))
    process = eksctl.start("create cluster -f -", CLUSTER)
    wait_until(lambda: eksctl.read("pace.json", {})["faults"][0].get("count") == 0)
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGTERM


def test_it_is_held_until_it_is_let_go_on(eksctl):
    start, nodes = eksctl.hold("create"), eksctl.hold("create", phase="nodegroup")
    process = eksctl.start("create cluster -f -", CLUSTER)
    start.wait("it stands at the start")
    assert statuses(eksctl) == {}
    start.lift()
    nodes.wait("it stands at the nodes")
    assert len(statuses(eksctl)) == 2 and process.poll() is None
    nodes.lift()
    process.communicate(timeout=60)
    assert process.returncode == 0
    gone = eksctl.hold("delete")
    process = eksctl.start("delete cluster --name payments-demo --region eu-central-1 --wait", "")
    gone.wait("it stands at the start")
    assert set(statuses(eksctl).values()) == {"CREATE_COMPLETE"}
    gone.lift()
    process.communicate(timeout=60)
    assert process.returncode == 0 and statuses(eksctl) == {}


def test_it_crashes(eksctl):
    eksctl.add_fault("create", "crash", phase="nodegroup")
    assert eksctl.create()[0] == -signal.SIGKILL
    wait_until(lambda: list(statuses(eksctl).values()) == ["CREATE_COMPLETE"] * 2)


def test_a_deletion_fails_and_succeeds_when_it_is_tried_again(eksctl):
    eksctl.create()
    reason = 'AWS::EC2::VPC/VPC: DELETE_FAILED – "has dependencies (DependencyViolation)"'
    eksctl.add_fault("delete", "fail", reason=reason)
    code, output, _ = eksctl.delete()
    assert code == 1 and reason in output
    assert statuses(eksctl) == {"eksctl-payments-demo-cluster": "DELETE_FAILED"}
    assert eksctl.delete()[0] == 0
    assert statuses(eksctl) == {}


def test_questions_can_stay_without_an_answer(eksctl):
    eksctl.create()
    ask = "get cluster --name payments-demo --region eu-central-1 -o json"
    eksctl.set_pace(get_fails=1)
    assert "Throttling" in eksctl.run(ask)[2]
    eksctl.add_fault("get", "throttle")
    code, output, errors = eksctl.run(ask)
    assert (code, output) == (1, "") and "Throttling: Rate exceeded" in errors
    eksctl.add_fault("describe-stacks", "expired_token")
    assert statuses(eksctl) == {} and len(statuses(eksctl)) == 2
    assert eksctl.run(ask)[0] == 0


def test_a_fault_is_for_the_clusters_that_it_names(eksctl):
    eksctl.add_fault("create", "throttle", match="search-*")
    assert eksctl.create()[0] == 0
    assert eksctl.create(CLUSTER.replace("payments-demo", "search-demo"))[0] == 1
