"""What the stand-in plays of scaling and upgrading: as strict as eksctl and EKS, and going on without
eksctl."""

import json
import time

import pytest
from played import CLUSTER

OF = "--cluster payments-demo --region eu-central-1 --name main"
PLANE = "upgrade cluster --name payments-demo --region eu-central-1"


def groups(eksctl):
    _, output, _ = eksctl.run("get nodegroup --cluster payments-demo --region eu-central-1 -o json")
    return {g["Name"]: g for g in json.loads(output)}


def wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_node_group_is_scaled_and_says_so(eksctl):
    eksctl.create()
    main = groups(eksctl)["main"]
    assert (main["DesiredCapacity"], main["MinSize"], main["MaxSize"]) == (2, 1, 3)
    assert main["Status"] == "ACTIVE" and main["Version"] == "1.34" and main["Type"] == "managed"
    code, output, errors = eksctl.run(f"scale nodegroup {OF} -N 5 -m 1 -M 8 --wait --timeout 20m")
    assert (code, errors) == (0, "")
    for line in ('scaling nodegroup "main" in cluster payments-demo', "initiated scaling of nodegroup",
                 'waiting for scaling of nodegroup "main" to complete', "nodegroup successfully scaled"):
        assert line in output
    assert groups(eksctl)["main"]["DesiredCapacity"] == 5


@pytest.mark.parametrize("words, error", [
    ("-N 5 -M 4", "maximum number of nodes must be greater than or equal to number of nodes"),
    ("-N 1 -m 2", "minimum number of nodes must be fewer than or equal to number of nodes"),
    ("-N -1", "number of nodes must be 0 or greater"),
    ("-N many", 'invalid argument "many" for "-N, --nodes" flag'),
    ("--wait", "at least one of minimum, maximum and desired nodes must be set"),
    ("-N 9", "desired capacity 9 can't be greater than max size 3"),
    ("-N 0 -m 0 -M 0", "maxSize must be at least 1"),
    ("-N 0", "Minimum capacity 1 can't be greater than desired size 0"),
    ("-N 2 --grow", "unknown flag: --grow")])
def test_numbers_that_do_not_fit(eksctl, words, error):
    eksctl.create()
    code, _, errors = eksctl.run(f"scale nodegroup {OF} {words}")
    assert code == 1 and error in errors
    assert groups(eksctl)["main"]["DesiredCapacity"] == 2


def test_what_is_being_updated_refuses_and_goes_on_without_eksctl(eksctl):
    eksctl.create()
    eksctl.set_pace(change_seconds=600)
    assert eksctl.run(f"scale nodegroup {OF} -N 3")[0] == 0  # it does not wait
    assert groups(eksctl)["main"]["Status"] == "UPDATING"
    code, _, errors = eksctl.run(f"scale nodegroup {OF} -N 1")
    assert code == 1 and "ResourceInUseException" in errors
    eksctl.finish()
    wait_until(lambda: groups(eksctl)["main"]["DesiredCapacity"] == 3)
    assert groups(eksctl)["main"]["Status"] == "ACTIVE"


def test_an_upgrade_is_planned_without_approve_and_goes_one_version_at_a_time(eksctl):
    eksctl.create(CLUSTER.replace("1.34", "1.32"))
    code, output, _ = eksctl.run(f"{PLANE} --version 1.33")
    assert code == 0 and "(plan) would upgrade cluster" in output and "--approve" in output
    for version, error in (("1.34", 'Please upgrade to "1.33" first'), ("1.31", "to a lower version"),
                           ("1.99", "is not known to this version of eksctl")):
        code, _, errors = eksctl.run(f"{PLANE} --version {version} --approve")
        assert code == 1 and error in errors
    code, _, errors = eksctl.run(f"upgrade nodegroup {OF} --kubernetes-version 1.33 --wait")
    assert code == 1 and "greater than cluster version" in errors  # the control plane comes first
    code, output, _ = eksctl.run(f"{PLANE} --version 1.33 --approve")
    assert code == 0 and 'control plane has been upgraded to version "1.33"' in output
    assert "no cluster version update required" in eksctl.run(f"{PLANE} --version 1.33 --approve")[1]
    assert groups(eksctl)["main"]["Version"] == "1.32"
    code, output, _ = eksctl.run(f"upgrade nodegroup {OF} --kubernetes-version 1.33 --wait")
    assert code == 0 and "nodegroup successfully upgraded" in output
    assert groups(eksctl)["main"]["Version"] == "1.33"


def test_a_failed_upgrade_rolls_its_stack_back_to_what_it_was(eksctl):
    eksctl.create(CLUSTER.replace("1.34", "1.33"))
    eksctl.run(f"{PLANE} --version 1.34 --approve")
    eksctl.add_fault("upgrade", "fail", phase="nodegroup", reason="PodEvictionFailure")
    code, output, errors = eksctl.run(f"upgrade nodegroup {OF} --kubernetes-version 1.34")
    assert code == 1 and "PodEvictionFailure" in output and "error updating nodegroup stack" in errors
    _, output, _ = eksctl.run("utils describe-stacks --cluster payments-demo --region eu-central-1 -o json")
    held = {s["StackName"]: s["StackStatus"] for s in json.loads(output)}
    assert held["eksctl-payments-demo-nodegroup-main"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (groups(eksctl)["main"]["Version"], groups(eksctl)["main"]["Status"]) == ("1.33", "ACTIVE")
