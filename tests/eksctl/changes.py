"""The commands that change what is there: `scale nodegroup`, `upgrade cluster`, `upgrade nodegroup`,
and `get nodegroup`, which shows what came of it.

A managed node group is scaled by EKS (UpdateNodegroupConfig), not by its stack; it is upgraded through
its stack. What was begun goes on when eksctl is killed.
"""

import time

import state
from state import Locked, cluster_stack, fault, pace, stacks_of, status

VALUE, FLAG = 1, 2
OF_CLUSTER = {"--cluster": VALUE, "--region": VALUE, "--timeout": VALUE, "--config-file": VALUE}
FLAGS = {
    "get nodegroup": {**OF_CLUSTER, "--name": VALUE, "--output": VALUE, "--chunk-size": VALUE},
    "scale nodegroup": {**OF_CLUSTER, "--name": VALUE, "--nodes": VALUE, "--nodes-min": VALUE,
                        "--nodes-max": VALUE, "--wait": FLAG},
}
NO_CLUSTER = ("fetching cluster status to determine operability: unable to describe cluster control "
              "plane: operation error EKS: DescribeCluster, https response error StatusCode: 404, "
              "ResourceNotFoundException: No cluster found for name: {}.")


def sizes(group):
    """What eksctl makes of a node group's numbers: two nodes, and as many at least and at most."""
    desired = group.get("desiredCapacity", group.get("minSize", 2))
    return {"group": group["name"], "desired": desired, "min": group.get("minSize", desired),
            "max": group.get("maxSize", desired)}


def group_status(stack):
    if stack.get("update"):
        return "UPDATING"
    return {"CREATE_IN_PROGRESS": "CREATING", "DELETE_IN_PROGRESS": "DELETING",
            "ROLLBACK_COMPLETE": "CREATE_FAILED", "DELETE_FAILED": "DELETE_FAILED"}.get(
                status(stack), "DEGRADED" if stack.get("health") else "ACTIVE")


def summary(stack):
    return {"StackName": stack["name"], "Cluster": stack["cluster"], "Name": stack["group"],
            "Status": group_status(stack), "MaxSize": stack["max"], "MinSize": stack["min"],
            "DesiredCapacity": stack["desired"], "InstanceType": stack.get("type", "m5.large"),
            "ImageID": "AL2023_x86_64_STANDARD",
            "CreationTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stack["created_at"])),
            "NodeInstanceRoleARN": f"arn:aws:iam::111122223333:role/{stack['name']}-NodeInstanceRole",
            "AutoScalingGroupName": f"eks-{stack['group']}-0", "Version": stack.get("version", "1.34"),
            "Type": "managed"}


def groups_of(stacks, cluster, region):
    return [s for s in stacks_of(stacks, cluster, region) if s["kind"] == "nodegroup"]


def required_cluster(play, flags):
    if not flags.get("--cluster"):
        play.die("--cluster must be set")
    return flags["--cluster"], flags.get("--region")


def get_nodegroup(play, flags):
    play.began()
    cluster, region = required_cluster(play, flags)
    play.act_on_question("get-nodegroup", cluster)
    with Locked() as stacks:
        there = cluster_stack(stacks, cluster, region)
        found = [summary(s) for s in groups_of(stacks, cluster, region)
                 if flags.get("--name") in (None, s["group"])]
    if not there or status(there) == "ROLLBACK_COMPLETE":
        play.die(NO_CLUSTER.format(cluster))
    if not found and flags.get("--output", "table") == "table":
        play.die(f'nodegroup with name {flags["--name"]} not found' if flags.get("--name")
                 else "No nodegroups found")
    play.show(flags, found, (("CLUSTER", "Cluster"), ("NODEGROUP", "Name"), ("STATUS", "Status"),
                             ("MIN SIZE", "MinSize"), ("MAX SIZE", "MaxSize"),
                             ("DESIRED CAPACITY", "DesiredCapacity")))


# -- scale ------------------------------------------------------------------------------------------
def numbers(play, flags):
    """desired, min and max as given; what eksctl refuses by itself."""
    given = {}
    for flag, short, key in (("--nodes", "N", "desired"), ("--nodes-min", "m", "min"),
                             ("--nodes-max", "M", "max")):
        if flag in flags:
            if not flags[flag].removeprefix("-").isdecimal():
                play.die(f'invalid argument "{flags[flag]}" for "-{short}, {flag}" flag: '
                         f'strconv.ParseInt: parsing "{flags[flag]}": invalid syntax')
            given[key] = int(flags[flag])
    desired, least, most = (given.get(k) for k in ("desired", "min", "max"))
    if not given:
        play.die("at least one of minimum, maximum and desired nodes must be set")
    if desired is not None and desired < 0:
        play.die("number of nodes must be 0 or greater")
    if most is not None and most < 0:
        play.die("maximum number of nodes must be 0 or greater")
    if least is not None and least < 0:
        play.die("minimum number of nodes must be 0 or greater")
    if None not in (desired, most) and most < desired:
        play.die("maximum number of nodes must be greater than or equal to number of nodes")
    if None not in (desired, least) and least > desired:
        play.die("minimum number of nodes must be fewer than or equal to number of nodes")
    return given


def refused_by_eks(stack, given):
    """What UpdateNodegroupConfig says no to; None: it takes it."""
    becomes = {**{k: stack[k] for k in ("desired", "min", "max")}, **given}
    if stack.get("update") or group_status(stack) not in ("ACTIVE", "DEGRADED"):
        return ("ResourceInUseException: Nodegroup cannot be updated as it is currently not in Active "
                "State")
    if becomes["max"] < 1:
        return "InvalidParameterException: maxSize must be at least 1"
    if becomes["desired"] > becomes["max"]:
        return (f"InvalidParameterException: desired capacity {becomes['desired']} can't be greater "
                f"than max size {becomes['max']}")
    if becomes["min"] > becomes["desired"]:
        return (f"InvalidParameterException: Minimum capacity {becomes['min']} can't be greater than "
                f"desired size {becomes['desired']}")
    return None


def wait_for_group(play, key, limit):
    began = time.time()
    while True:
        with Locked() as stacks:
            stack = stacks.get(key)
        if not stack or not stack.get("update"):
            return stack
        if time.time() - began > limit:
            raise play.Late
        time.sleep(0.02)


def find_group(cluster, region, name):
    with Locked() as stacks:
        for key, stack in stacks.items():
            if stack in groups_of(stacks, cluster, region) and stack["group"] == name:
                return key, dict(stack)
    return None, None


def begin_update(key, becomes, seconds, fails, through_stack=False):
    with Locked() as stacks:
        stacks[key]["health"] = None
        stacks[key]["update"] = {"done_at": time.time() + seconds, "becomes": becomes,
                                 "fails": fails, "through_stack": through_stack}


def scale_nodegroup(play, flags):
    play.began()
    cluster, region = required_cluster(play, flags)
    name = flags.get("--name") or (flags.get("") or [""])[0]
    if not name:
        play.die("--name must be set")
    given = numbers(play, flags)
    play.meet(cluster, region)
    entry = fault("scale", cluster)
    failure = f'failed to scale nodegroup "{name}" for cluster "{cluster}", error: '
    if entry and entry["do"] not in ("fail", "exit1_but_done"):
        play.act_out(entry, failure + entry.get("reason", entry["do"]))
    play.log(f'scaling nodegroup "{name}" in cluster {cluster}')
    key, stack = find_group(cluster, region, name)
    if not stack:
        play.die(failure + "operation error EKS: UpdateNodegroupConfig, https response error "
                 "StatusCode: 404, ResourceNotFoundException: No node group found for name: "
                 f"{name}.")
    refused = refused_by_eks(stack, given)
    if refused:
        play.die(failure + "operation error EKS: UpdateNodegroupConfig, https response error "
                 f"StatusCode: 400, {refused}")
    fails = entry["reason"] if entry and entry["do"] == "fail" else None
    begin_update(key, given, pace().get("change_seconds", 0.3), fails)
    play.log("initiated scaling of nodegroup")
    play.log(f"to see the status of the scaling run `eksctl get nodegroup --cluster {cluster} --region "
             f"{region} --name {name}`")
    entry_later = fault("scale", cluster, "wait")
    if entry_later:
        play.act_out(entry_later, failure + entry_later.get("reason", entry_later["do"]))
    if flags.get("--wait") == "true":
        wait_until_scaled(play, flags, name, key, failure)
    if entry:
        play.die(failure + "waiter state transitioned to Failure")


def wait_until_scaled(play, flags, name, key, failure):
    play.log(f'waiting for scaling of nodegroup "{name}" to complete')
    try:
        stack = wait_for_group(play, key, play.seconds_of(flags.get("--timeout", "25m")))
    except play.Late:
        play.die(failure + "exceeded max wait time for NodegroupActive waiter")
    if stack and stack.get("health"):
        play.log(stack["health"], "✖")
        play.die(failure + "waiter state transitioned to Failure")
    play.log("nodegroup successfully scaled")


COMMANDS = {"get nodegroup": get_nodegroup, "scale nodegroup": scale_nodegroup}
