#!/usr/bin/python3 -E
"""Plays eksctl: the flags that envbot uses, the real one's log lines, and a folder that plays AWS.

STATE/stacks.json holds stacks with the times at which they change, so that they go on when this
program is killed, as CloudFormation's do. STATE/pace.json says how fast things go and what fails.
STATE/calls.jsonl gets a line for each call. The first argument is the folder (see install.py).
"""

import fcntl
import fnmatch
import json
import os
import sys
import time

STATE = sys.argv[1]
ARGS = sys.argv[2:]
VERSION = "0.230.0"


def path(name):
    return os.path.join(STATE, name)


class Locked:
    """The stacks, read and written under a lock."""

    def __enter__(self):
        self.lock = open(path("lock"), "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        try:
            with open(path("stacks.json")) as file:
                self.stacks = json.load(file)
        except FileNotFoundError:
            self.stacks = {}
        self.before = json.dumps(self.stacks)
        return self.stacks

    def __exit__(self, *_):
        if json.dumps(self.stacks) != self.before:
            with open(path("stacks.json.new"), "w") as file:
                json.dump(self.stacks, file, indent=1)
            os.rename(path("stacks.json.new"), path("stacks.json"))
        self.lock.close()


def pace():
    try:
        with open(path("pace.json")) as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def fault(command, name, phase=None):
    """Takes one matching fault off the list."""
    with open(path("pace.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings = pace()
        for entry in settings.get("faults", []):
            if entry["command"] != command or not fnmatch.fnmatch(name, entry.get("match", "*")):
                continue
            if phase != entry.get("phase") or entry.get("count", 1) <= 0:
                continue
            entry["count"] = entry.get("count", 1) - 1
            with open(path("pace.json.new"), "w") as file:
                json.dump(settings, file)
            os.rename(path("pace.json.new"), path("pace.json"))
            return entry
    return None


def record(**fields):
    with open(path("calls.jsonl"), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(fields) + "\n")


def log(text, icon="ℹ", stream=None):
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    print(f"{stamp} [{icon}]  {text}", file=stream or sys.stdout, flush=True)


def die(text):
    print(f"Error: {text}", file=sys.stderr, flush=True)
    record(at=time.time(), pid=os.getpid(), argv=ARGS, ended="error", error=text)
    sys.exit(1)


# -- stacks, by the clock -------------------------------------------------------------------------
def status(stack):
    """What CloudFormation says of it now."""
    now = time.time()
    if stack.get("delete_at") is not None:
        if now < stack["delete_at"]:
            return "DELETE_IN_PROGRESS"
        return "DELETE_FAILED" if stack.get("delete_fails") else "DELETE_COMPLETE"
    if now < stack["done_at"]:
        return "CREATE_IN_PROGRESS"
    return "ROLLBACK_COMPLETE" if stack.get("fails") else "CREATE_COMPLETE"


def stacks_of(stacks, name, region):
    return [s for s in stacks.values() if s["cluster"] == name and s["region"] == region
            and status(s) != "DELETE_COMPLETE"]


def cluster_stack(stacks, name, region):
    for stack in stacks_of(stacks, name, region):
        if stack["kind"] == "cluster":
            return stack
    return None


def put_stack(kind, name, region, tags, seconds, suffix, **more):
    with Locked() as stacks:
        stack_name = f"eksctl-{name}-{suffix}"
        key = f"{region}/{stack_name}"
        if key in stacks and status(stacks[key]) != "DELETE_COMPLETE":
            return None
        stacks[key] = {"name": stack_name, "cluster": name, "region": region, "kind": kind,
                       "tags": tags, "created_at": time.time(),
                       "done_at": time.time() + seconds, "delete_at": None, **more}
        return key


def get_stack(key):
    with Locked() as stacks:
        return stacks.get(key)


# -- arguments ------------------------------------------------------------------------------------
FLAGS = {  # name -> takes a value
    "create cluster": {"-f": 1, "--config-file": 1, "--timeout": 1, "--write-kubeconfig": 2,
                       "-C": 1, "--color": 1, "-v": 1, "--verbose": 1, "--cfn-role-arn": 1,
                       "--dry-run": 2, "--kubeconfig": 1, "--name": 1, "--region": 1, "-r": 1,
                       "--version": 1, "--nodes": 1, "--tags": 1, "--fargate": 2, "--zones": 1},
    "delete cluster": {"--name": 1, "-n": 1, "--region": 1, "-r": 1, "--wait": 2, "-w": 2,
                       "--force": 2, "--disable-nodegroup-eviction": 2, "--timeout": 1,
                       "--parallel": 1, "-C": 1, "--color": 1, "-v": 1, "--cfn-role-arn": 1,
                       "-f": 1},
    "get cluster": {"--name": 1, "-n": 1, "--region": 1, "-r": 1, "-o": 1, "--output": 1, "-C": 1,
                    "--color": 1, "-v": 1},
    "utils describe-stacks": {"--cluster": 1, "--region": 1, "-r": 1, "-o": 1, "--output": 1,
                              "-C": 1, "--color": 1, "-v": 1},
    "utils schema": {}, "utils describe-cluster-versions": {"--region": 1, "-r": 1},
    "version": {"-o": 1, "--output": 1},
}
SHORT = {"-f": "--config-file", "-C": "--color", "-v": "--verbose", "-r": "--region",
         "-n": "--name", "-o": "--output", "-w": "--wait"}
NOT_WITH_FILE = ("--name", "--region", "--version", "--nodes", "--tags", "--fargate", "--zones")


def parse(command, words):
    known, flags = FLAGS[command], {}
    words = list(words)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name not in known:
            kind = "unknown shorthand flag" if not name.startswith("--") else "unknown flag"
            die(f"{kind}: {name}")
        if known[name] == 1 and not equals:
            if not words:
                die(f"flag needs an argument: {name}")
            value = words.pop(0)
        flags[SHORT.get(name, name)] = value if equals or known[name] == 1 else "true"
    if flags.get("--color", "true") not in ("true", "false", "fabulous"):
        die("invalid value for --color")
    return flags


# -- create ---------------------------------------------------------------------------------------
def read_config(flags):
    import yaml  # only here: the other commands start faster without it
    import clusterconfig
    for name in NOT_WITH_FILE:
        if name in flags:
            die(f"cannot use {name} when --config-file/-f is set")
    source = flags.get("--config-file")
    if not source:
        die("stand-in: only create cluster -f is played")
    text = sys.stdin.read() if source == "-" else open(source, encoding="utf-8").read()
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        die(f'loading config file "{source}": error converting YAML to JSON: {error}')
    problem = clusterconfig.check(config)
    if problem:
        die(f'loading config file "{source}": {problem}')
    return config, text


def wait_for_stack(key, label):
    """Waits as eksctl does; returns the final status."""
    log(f'waiting for CloudFormation stack "{label}"')
    while True:
        stack = get_stack(key)
        now = status(stack) if stack else "DELETE_COMPLETE"
        if not now.endswith("IN_PROGRESS"):
            return now
        time.sleep(0.02)


def act_out(entry, name):
    """A fault that is not a stack's failure."""
    if entry["do"] == "hang":
        while True:
            time.sleep(1)
    if entry["do"] == "crash":
        os.kill(os.getpid(), 9)
    if entry["do"] == "expired_token":
        log("ExpiredToken: The security token included in the request is expired", "✖")
        die(f'failed to create cluster "{name}"')
    if entry["do"] == "throttle":
        log("Throttling: Rate exceeded\n\tstatus code: 400, request id: 00000000", "✖")
        die(f'failed to create cluster "{name}"')


def fail_stack(key, name, region, label, reason):
    log(f'unexpected status "ROLLBACK_IN_PROGRESS" while waiting for CloudFormation stack '
        f'"{label}"', "✖")
    log("fetching stack events in attempt to troubleshoot the root cause of the failure")
    log("AWS::IAM::Policy/PolicyCloudWatchMetrics: CREATE_FAILED – \"Resource creation cancelled\"",
        "✖")
    log(reason, "✖")
    log("1 error(s) occurred and cluster hasn't been created properly, you may wish to check "
        "CloudFormation console", "!")
    log(f"to cleanup resources, run 'eksctl delete cluster --region={region} --name={name}'")
    die(f'failed to create cluster "{name}"')


def build_stack(kind, phase, name, region, tags, seconds, suffix, title):
    entry = fault("create", name, phase)
    label = f"eksctl-{name}-{suffix}"
    log(f'building {title} "{label}"')
    key = put_stack(kind, name, region, tags, seconds, suffix,
                    fails=bool(entry and entry["do"] == "fail"))
    if not key:
        die(f'creating CloudFormation stack "{label}": operation error CloudFormation: CreateStack, '
            f'AlreadyExistsException: Stack [{label}] already exists')
    log(f'deploying stack "{label}"')
    if entry and entry["do"] != "fail":
        act_out(entry, name)
    if not wait_for_stack(key, label).startswith("CREATE"):
        fail_stack(key, name, region, label, entry["reason"] if entry else "stack failed")


def create(flags):
    config, text = read_config(flags)
    name, region = config["metadata"]["name"], config["metadata"]["region"]
    record(at=time.time(), pid=os.getpid(), argv=ARGS, stdin=text, cwd=os.getcwd(),
           environment=sorted(os.environ), started=True)
    tags = config["metadata"].get("tags", {})
    version = config["metadata"].get("version", "1.34")
    seconds = pace().get("create_seconds", 2)
    groups = config.get("managedNodeGroups", [])
    entry = fault("create", name)
    if entry and entry["do"] not in ("exit1_but_done",):
        act_out(entry, name)
    log(f"eksctl version {VERSION}")
    log(f"using region {region}")
    log(f"setting availability zones to [{region}b {region}a {region}c]")
    for group in groups:
        log(f'nodegroup "{group["name"]}" will use "" [AmazonLinux2023/{version}]')
    log(f"using Kubernetes version {version}")
    log(f'creating EKS cluster "{name}" in "{region}" region with '
        f'{"managed nodes" if groups else "Fargate profile"}')
    log("if you encounter any issues, check CloudFormation console or try 'eksctl utils "
        f"describe-stacks --region={region} --cluster={name}'")
    print(f'\n2 sequential tasks: {{ create cluster control plane "{name}", \n    '
          f'{len(groups)} task: {{ create managed nodegroup }} \n}}', flush=True)
    build_stack("cluster", "control-plane", name, region, tags, seconds * 0.5, "cluster",
                "cluster stack")
    with Locked() as stacks:
        stack = cluster_stack(stacks, name, region)
        stack["version"] = version
    for addon in ("vpc-cni", "kube-proxy", "coredns"):
        log(f"creating addon: {addon}")
        entry = fault("create", name, "addons")
        if entry:
            act_out(entry, name)
        log(f"successfully created addon: {addon}")
    for group in groups:
        build_stack("nodegroup", "nodegroup", name, region, {**tags, **group.get("tags", {})},
                    seconds * 0.4, f"nodegroup-{group['name']}", "managed nodegroup stack")
        with Locked() as stacks:
            stack = cluster_stack(stacks, name, region)
            stack["nodes"] = stack.get("nodes", 0) + group.get("desiredCapacity", 2)
    log("waiting for the control plane to become ready")
    time.sleep(seconds * 0.1)
    log("kubectl not found, v1.10.0 or newer is required", "✖")
    log("cluster should be functional despite missing (or misconfigured) client binaries")
    log(f'all EKS cluster resources for "{name}" have been created', "✔")
    if entry and entry["do"] == "exit1_but_done":
        die(f'failed to create cluster "{name}"')
    for group in groups:
        log(f'nodegroup "{group["name"]}" has {group.get("desiredCapacity", 2)} node(s)')
    log(f"created {len(groups)} managed nodegroup(s) in cluster \"{name}\"", "✔")
    log(f'EKS cluster "{name}" in "{region}" region is ready', "✔")


# -- delete ---------------------------------------------------------------------------------------
def begin_delete(stack_key, seconds, fails):
    with Locked() as stacks:
        stack = stacks[stack_key]
        if stack.get("delete_at") is None or (status(stack) == "DELETE_FAILED"):
            stack["delete_at"] = time.time() + seconds
            stack["delete_fails"] = fails


def delete(flags):
    name, region = flags.get("--name"), flags.get("--region")
    record(at=time.time(), pid=os.getpid(), argv=ARGS, cwd=os.getcwd(),
           environment=sorted(os.environ), started=True)
    seconds = pace().get("delete_seconds", 1)
    with Locked() as stacks:
        mine = [(k, s) for k, s in stacks.items() if s in stacks_of(stacks, name, region)]
    entry = fault("delete", name)
    if entry and entry["do"] != "fail":
        act_out(entry, name)
    log(f'deleting EKS cluster "{name}"')
    if not mine and flags.get("--force") != "true":
        die(f"fetching cluster status to determine operability: operation error EKS: "
            f"DescribeCluster, ResourceNotFoundException: No cluster found for name: {name}.")
    log("will drain 0 unmanaged nodegroup(s) in cluster")
    log("cleaning up AWS load balancers created by Kubernetes objects of Kind Service, Ingress, or "
        "Gateway")
    for kind in ("nodegroup", "cluster"):
        for key, stack in [m for m in mine if m[1]["kind"] == kind]:
            fails = bool(entry and entry["do"] == "fail" and kind == "cluster")
            begin_delete(key, seconds / 2, fails)
            log(f'will delete stack "{stack["name"]}"')
            if kind == "cluster" and flags.get("--wait") != "true":
                continue
            log(f'waiting for stack "{stack["name"]}" to get deleted')
            if wait_for_stack(key, stack["name"]) == "DELETE_FAILED":
                log(f'unexpected status "DELETE_FAILED" while waiting for CloudFormation stack '
                    f'"{stack["name"]}"', "✖")
                log("fetching stack events in attempt to troubleshoot the root cause of the failure")
                log(entry["reason"] if entry else
                    "AWS::EC2::VPC/VPC: DELETE_FAILED – \"DependencyViolation\"", "✖")
                die(f"failed to delete cluster with nodegroup(s)")
    log("all cluster resources were deleted", "✔")


# -- questions ------------------------------------------------------------------------------------
def describe(stack):
    state = status(stack)
    return {"Name": stack["cluster"], "Version": stack.get("version", "1.34"),
            "Status": {"CREATE_IN_PROGRESS": "CREATING", "DELETE_IN_PROGRESS": "DELETING",
                       "CREATE_COMPLETE": "ACTIVE"}.get(state, "FAILED"),
            "Endpoint": f"https://{abs(hash(stack['name'])):X}.gr7.{stack['region']}.eks."
                        "amazonaws.com",
            "CreatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stack["created_at"])),
            "Arn": f"arn:aws:eks:{stack['region']}:111122223333:cluster/{stack['cluster']}",
            "Tags": stack["tags"], "PlatformVersion": "eks.9"}


def unanswered(name):
    left = pace().get("get_fails", 0)
    if left:
        settings = pace()
        settings["get_fails"] = left - 1
        with open(path("pace.json.new"), "w") as file:
            json.dump(settings, file)
        os.rename(path("pace.json.new"), path("pace.json"))
        die(f"Throttling: Rate exceeded while describing {name}")


def get(flags):
    name, region = flags.get("--name"), flags.get("--region")
    unanswered(name)
    with Locked() as stacks:
        if name:
            stack = cluster_stack(stacks, name, region)
            if not stack or status(stack) in ("ROLLBACK_COMPLETE",):
                print("", end="")
                print("Error: unable to describe control plane \"%s\": operation error EKS: "
                      "DescribeCluster, https response error StatusCode: 404, "
                      "ResourceNotFoundException: No cluster found for name: %s." % (name, name),
                      file=sys.stderr)
                sys.exit(1)
            print(json.dumps([describe(stack)], indent=4))
        else:
            print(json.dumps([{"Name": s["cluster"], "Region": s["region"], "Owned": "True"}
                              for s in stacks.values()
                              if s["kind"] == "cluster" and s["region"] == region
                              and status(s) != "DELETE_COMPLETE"], indent=4))


def describe_stacks(flags):
    name, region = flags.get("--cluster"), flags.get("--region")
    with Locked() as stacks:
        found = stacks_of(stacks, name, region)
        shown = [{"StackName": s["name"], "StackStatus": status(s),
                  "StackId": f"arn:aws:cloudformation:{region}:111122223333:stack/{s['name']}/0",
                  "EnableTerminationProtection": True,
                  "Tags": [{"Key": k, "Value": v} for k, v in s["tags"].items()]}
                 for s in found if s["kind"] != "foreign"]
    if not shown:
        print(f"Error: no eksctl-managed CloudFormation stacks found for {name!r}",
              file=sys.stderr)
        sys.exit(1)
    print(json.dumps(shown, indent=4))


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    commands = {"create cluster": create, "delete cluster": delete, "get cluster": get,
                "utils describe-stacks": describe_stacks}
    words = " ".join(ARGS[:2])
    if ARGS[:1] == ["version"]:
        print(json.dumps({"Version": VERSION, "PreReleaseID": "", "Metadata": {}}))
        return
    if words not in commands:
        die(f'unknown command "{ARGS[0] if ARGS else ""}" for "eksctl"')
    flags = parse(words, ARGS[2:])
    commands[words](flags)
    if words in ("create cluster", "delete cluster"):
        record(at=time.time(), pid=os.getpid(), argv=ARGS, ended="ok")


if __name__ == "__main__":
    main()
