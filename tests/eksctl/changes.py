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
    "upgrade cluster": {"--name": VALUE, "--region": VALUE, "--version": VALUE, "--approve": FLAG,
                        "--timeout": VALUE, "--config-file": VALUE},
    "upgrade nodegroup": {"--cluster": VALUE, "--region": VALUE, "--timeout": VALUE, "--name": VALUE,
                          "--kubernetes-version": VALUE, "--release-version": VALUE,
                          "--launch-template-version": VALUE, "--force-upgrade": FLAG, "--wait": FLAG},
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
        entry = None
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


# -- upgrade ----------------------------------------------------------------------------------------
def minor(version):
    return int(version.split(".")[1])


def refused_version(play, wanted, current):
    """What eksctl says to a version that is not the next one; "": it goes on, None: nothing to do."""
    following = f"1.{minor(current) + 1}"
    if minor(wanted) < minor(current):
        return (f'cannot upgrade to a lower version. Found given target version "{wanted}", current '
                f'cluster version "{current}"')
    if wanted not in play.versions:
        return (f'control plane version "{wanted}" is not known to this version of eksctl, try to '
                "upgrade eksctl first")
    if wanted == current:
        return None
    if wanted != following:
        return ("upgrading more than one version at a time is not supported. Found upgrade from "
                f'"{current}" to "{wanted}". Please upgrade to "{following}" first')
    return ""


def upgrade_cluster(play, flags):
    play.began()
    name, region = flags.get("--name") or (flags.get("") or [""])[0], flags.get("--region")
    if not name:
        play.die("--name must be set")
    plan = flags.get("--approve") != "true"
    play.meet(name, region)
    entry = fault("upgrade", name, "cluster")
    with Locked() as stacks:
        stack = cluster_stack(stacks, name, region)
        key = next((k for k, s in stacks.items() if s is stack), None)
    if not stack or status(stack) == "ROLLBACK_COMPLETE":
        play.die(NO_CLUSTER.format(name))
    if stack.get("update"):
        play.die(f'cannot perform Kubernetes API operations on cluster "{name}" in "{region}" region due '
                 'to status "UPDATING"')
    current = stack.get("version", "1.34")
    wanted = flags.get("--version") or f"1.{minor(current) + 1}"
    refused = refused_version(play, wanted, current)
    if refused:
        play.die(refused)
    if refused is None:
        play.log("no cluster version update required")
    else:
        intended = f'upgrade cluster "{name}" control plane from current version "{current}" to "{wanted}"'
        play.log(f"(plan) would {intended}" if plan else f"will {intended}")
        if not plan:
            upgrade_plane(play, flags, name, key, wanted, entry)
    play.log(f're-building cluster stack "eksctl-{name}-cluster"')
    play.log(f'all resources in cluster stack "eksctl-{name}-cluster" are up-to-date')
    play.log("checking security group configuration for all nodegroups")
    play.log("all nodegroups have up-to-date cloudformation templates")
    if plan and refused == "":
        play.log("no changes were applied, run again with '--approve' to apply the changes", "!")


def upgrade_plane(play, flags, name, key, wanted, entry):
    fails = entry["reason"] if entry and entry["do"] == "fail" else None
    begin_update(key, {"version": wanted}, pace().get("change_seconds", 0.3), fails)
    play.log(f'waiting for requested "VersionUpdate" in cluster "{name}" to succeed')
    if entry and entry["do"] not in ("fail", "exit1_but_done"):
        play.act_out(entry, entry.get("reason", entry["do"]))
    try:
        stack = wait_for_group(play, key, play.seconds_of(flags.get("--timeout", "65m")))
    except play.Late:
        play.die(f'timed out waiting for requested "VersionUpdate" in cluster "{name}" to succeed')
    if not stack or stack.get("health"):
        play.die(f'waiting for requested "VersionUpdate" in cluster "{name}" to succeed: '
                 f'{stack and stack["health"]}')
    play.log(f'cluster "{name}" control plane has been upgraded to version "{wanted}"', "✔")
    play.log("you will need to follow the upgrade procedure for all of nodegroups and add-ons")
    if entry:
        play.die("error")


def upgrade_nodegroup(play, flags):
    play.began()
    cluster, region = required_cluster(play, flags)
    name = flags.get("--name") or (flags.get("") or [""])[0]
    if not name:
        play.die("name must be set")
    play.meet(cluster, region)
    entry = fault("upgrade", cluster, "nodegroup")
    with Locked() as stacks:
        plane = cluster_stack(stacks, cluster, region)
    if not plane or status(plane) == "ROLLBACK_COMPLETE":
        play.die(NO_CLUSTER.format(cluster))
    key, stack = find_group(cluster, region, name)
    if not stack:
        play.die(f'upgrade is only supported for managed nodegroups; could not find one with name "{name}"')
    if stack.get("update"):
        play.die("error updating nodegroup stack: ResourceInUseException: Nodegroup cannot be updated as "
                 "it is currently not in Active State")
    wanted = flags.get("--kubernetes-version") or stack.get("version", "1.34")
    if not all(part.isdigit() for part in wanted.split(".")) or wanted.count(".") != 1:
        play.die(f"invalid Kubernetes version: {wanted}")
    play.log("setting ForceUpdateEnabled value to "
             + ("true" if flags.get("--force-upgrade") == "true" else "false"))
    play.log("upgrading nodegroup version")
    play.log("updating nodegroup stack")
    if minor(wanted) > minor(plane.get("version", "1.34")):
        play.die("error updating nodegroup stack: InvalidRequestException: Nodegroup version "
                 f"{wanted} is greater than cluster version {plane.get('version', '1.34')}")
    upgrade_group(play, flags, key, stack, wanted, entry)


def upgrade_group(play, flags, key, stack, wanted, entry):
    fails = entry["reason"] if entry and entry["do"] == "fail" else None
    begin_update(key, {"version": wanted}, pace().get("change_seconds", 0.3), fails, through_stack=True)
    change = f'changeset "eksctl-update-nodegroup-{int(time.time())}" for stack "{stack["name"]}"'
    play.log(f"waiting for CloudFormation {change}")
    play.log(f'waiting for CloudFormation stack "{stack["name"]}"')
    if entry and entry["do"] not in ("fail", "exit1_but_done"):
        play.act_out(entry, entry.get("reason", entry["do"]))
    if flags.get("--wait", "true") == "true":
        try:
            wait_for_group(play, key, play.seconds_of(flags.get("--timeout", "45m")))
        except play.Late:
            play.die("error updating nodegroup stack: exceeded max wait time for StackUpdateComplete waiter")
        if fails:
            play.log(f'unexpected status "UPDATE_ROLLBACK_IN_PROGRESS" while waiting for CloudFormation '
                     f'stack "{stack["name"]}"', "✖")
            play.log(fails, "✖")
            play.die("error updating nodegroup stack: waiter state transitioned to Failure")
    play.log("nodegroup successfully upgraded")
    if entry:
        play.die("error")


COMMANDS = {"upgrade cluster": upgrade_cluster, "upgrade nodegroup": upgrade_nodegroup,
            "get nodegroup": get_nodegroup, "scale nodegroup": scale_nodegroup}
