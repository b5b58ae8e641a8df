"""Plays eksctl: the flags that envbot uses, the real one's log lines, its exit codes.

The first argument is the folder that plays AWS (state.py); install.py makes a program of both. It
starts more often than anything else in the tests, so it imports no more than it must.
"""

import os
import sys
import time

import changes
import state
from quick_json import dumps, indented
from regions import REGIONS
from state import Locked, cluster_stack, fault, pace, stacks_of, status

ARGS = sys.argv[2:]
VERSION = "0.230.0"
DEFAULT_ADDONS = ("vpc-cni", "kube-proxy", "coredns", "metrics-server")
VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36")
OWNER = "alpha.eksctl.io/cluster-name"
site_packages = "/usr/lib/python3/dist-packages"  # Debian's
# Where logs go: to stdout, unless the answer itself is JSON or YAML there.
stream = sys.stdout


def log(text, icon="ℹ"):
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")  # local time, without a zone
    print(f"{stamp} [{icon}]  {text}", file=stream, flush=True)


def die(text):
    print(f"Error: {text}", file=sys.stderr, flush=True)
    state.record(at=time.time(), pid=os.getpid(), argv=ARGS, ended="error", error=text)
    sys.exit(1)


# -- arguments ------------------------------------------------------------------------------------
VALUE, FLAG = 1, 2
COMMON = {"--color": VALUE, "--verbose": VALUE, "--profile": VALUE, "--help": FLAG}
CLUSTER = {"--name": VALUE, "--region": VALUE, "--timeout": VALUE, "--cfn-role-arn": VALUE,
           "--config-file": VALUE}
OF_NODES = ("--nodegroup-name", "--node-type", "--nodes", "--nodes-min", "--nodes-max",
            "--node-volume-size", "--instance-types")
FLAGS = {
    "create cluster": {
        **COMMON, **CLUSTER, "--write-kubeconfig": FLAG, "--kubeconfig": VALUE,
        "--auto-kubeconfig": FLAG, "--set-kubeconfig-context": FLAG, "--dry-run": FLAG,
        "--cfn-disable-rollback": FLAG, "--nodegroup-parallelism": VALUE, "--version": VALUE,
        "--tags": VALUE, "--zones": VALUE, "--fargate": FLAG, "--enable-auto-mode": FLAG,
        "--support-type": VALUE, "--vpc-cidr": VALUE, "--managed": FLAG, "--spot": FLAG,
        **{name: VALUE for name in OF_NODES}},
    "delete cluster": {**COMMON, **CLUSTER, "--wait": FLAG, "--force": FLAG,
                       "--disable-nodegroup-eviction": FLAG, "--parallel": VALUE},
    "get cluster": {**COMMON, "--name": VALUE, "--region": VALUE, "--output": VALUE},
    "create nodegroup": {**COMMON, "--config-file": VALUE, "--cluster": VALUE, "--region": VALUE,
                         "--timeout": VALUE, "--cfn-role-arn": VALUE, "--include": VALUE,
                         "--exclude": VALUE, "--update-auth-configmap": FLAG,
                         "--install-nvidia-plugin": FLAG, "--nodegroup-parallelism": VALUE},
    "create addon": {**COMMON, "--config-file": VALUE, "--cluster": VALUE, "--region": VALUE,
                     "--timeout": VALUE, "--name": VALUE, "--version": VALUE, "--force": FLAG,
                     "--wait": FLAG},
    "create fargateprofile": {**COMMON, "--config-file": VALUE, "--cluster": VALUE,
                              "--region": VALUE, "--timeout": VALUE},
    "get addon": {**COMMON, "--cluster": VALUE, "--region": VALUE, "--name": VALUE,
                  "--output": VALUE, "--timeout": VALUE},
    "get fargateprofile": {**COMMON, "--cluster": VALUE, "--region": VALUE, "--name": VALUE,
                           "--output": VALUE, "--timeout": VALUE},
    **{command: {**COMMON, **flags} for command, flags in changes.FLAGS.items()},
    "utils describe-stacks": {**COMMON, "--cluster": VALUE, "--region": VALUE, "--output": VALUE},
    "utils describe-cluster-versions": {**COMMON, "--region": VALUE},
    "version": {"--output": VALUE},
}
SHORT = {"-f": "--config-file", "-C": "--color", "-v": "--verbose", "-r": "--region",
         "-p": "--profile", "-n": "--name", "-o": "--output", "-w": "--wait", "-t": "--node-type",
         "-N": "--nodes", "-m": "--nodes-min", "-M": "--nodes-max", "-h": "--help"}
NOT_WITH_FILE = ("--name", "--region", "--version", "--support-type", "--tags", "--zones",
                 "--fargate", "--vpc-cidr", "--enable-auto-mode", "--managed", "--spot") + OF_NODES
NOT_IN_A_PLAN = ("--timeout", "--profile", "--cfn-role-arn", "--cfn-disable-rollback",
                 "--kubeconfig", "--auto-kubeconfig", "--write-kubeconfig",
                 "--set-kubeconfig-context")


def parse(command, words):
    known, flags, words = FLAGS[command], {}, list(words)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        full = SHORT.get(name, name)
        if not name.startswith("-"):
            flags.setdefault("", []).append(word)
            continue
        if full not in known:
            die(f"unknown flag: {name}" if name.startswith("--") else
                f"unknown shorthand flag: '{name[1:2]}' in {name}")
        if known[full] == VALUE and not equals:
            if not words:
                die(f"flag needs an argument: {name}")
            value = words.pop(0)
        flags[full] = value if equals or known[full] == VALUE else "true"
    check_values(known, flags)
    return flags


def check_values(known, flags):
    for name, value in flags.items():
        if name and known[name] == FLAG and value not in ("true", "false"):
            die(f'invalid argument "{value}" for "{name}" flag: strconv.ParseBool: parsing "{value}": '
                "invalid syntax")
    if flags.get("--color", "true") not in ("true", "false", "fabulous"):
        die(f'invalid argument "{flags["--color"]}" for "-C, --color" flag')
    if flags.get("--verbose", "3") not in tuple("012345"):
        die(f'invalid argument "{flags["--verbose"]}" for "-v, --verbose" flag')
    if "--timeout" in flags and seconds_of(flags["--timeout"]) is None:
        die(f'invalid argument "{flags["--timeout"]}" for "--timeout" flag: time: invalid duration '
            f'"{flags["--timeout"]}"')
    if flags.get("--output", "table") not in ("table", "json", "yaml"):
        die(f'unknown output printer type: expected {{"yaml","json","table"}} but got '
            f'"{flags["--output"]}"')


def seconds_of(text):
    """Go's durations, as far as people write them: 40m, 1h30m, 90s. None: that is none."""
    import re
    parts = re.findall(r"([0-9.]+)(h|ms|m|s)", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        return None
    return sum(float(n) * {"h": 3600, "m": 60, "s": 1, "ms": 0.001}[u] for n, u in parts)


def require_name(flags, name="--name"):
    held = flags.get("", [])
    if len(held) > 1:
        die(f'only one argument is allowed to be used as a name ("{held[0]}" "{held[1]}")')
    found = flags.get(name) or (held[0] if held else "")
    if not found:
        die(f"{name} must be set")
    return found


# -- what goes wrong on demand --------------------------------------------------------------------
def act_out(entry, failure):
    """A fault that is not a stack's failure."""
    if entry["do"] == "stubborn":
        import signal  # only here: the others start faster without
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if entry["do"] in ("hang", "stubborn"):
        while True:
            time.sleep(3600)
    if entry["do"] == "hold":
        state.stand_until(entry["until"])
    if entry["do"] == "mute":  # it goes on without its stdout
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
    if entry["do"] == "crash":
        os.kill(os.getpid(), 9)  # SIGKILL; the module signal is slow to read
    if entry["do"] == "expired_token":
        log("ExpiredToken: The security token included in the request is expired\n"
            "\tstatus code: 403, request id: 00000000-0000-0000-0000-000000000000", "✖")
        die(failure)
    if entry["do"] == "throttle":
        log("Throttling: Rate exceeded\n"
            "\tstatus code: 400, request id: 00000000-0000-0000-0000-000000000000", "✖")
        die(failure)
    if entry["do"] == "fail":
        log(entry["reason"], "✖")
        die(failure)


def act_on_question(command, name):
    entry = fault(command, name or "")
    if entry:
        act_out(entry, f'{entry.get("reason", "Throttling: Rate exceeded")} ({command})')


# -- waiting --------------------------------------------------------------------------------------
class Late(Exception):
    """A wait that took longer than --timeout."""


def wait_for_stack(key, label, seconds, limit):
    """Waits as eksctl does, saying so at first and now and then; returns the final status."""
    tick = pace().get("tick_seconds", max(seconds / 6, 0.1))
    began = said = time.time()
    log(f'waiting for CloudFormation stack "{label}"')
    while True:
        stack = state.get_stack(key)
        now = status(stack) if stack else "DELETE_COMPLETE"
        if not now.endswith("IN_PROGRESS"):
            return now
        if time.time() - began > limit:
            raise Late
        if time.time() - said >= tick:
            said = time.time()
            log(f'waiting for CloudFormation stack "{label}"')
        time.sleep(0.05)


# -- create ---------------------------------------------------------------------------------------
def read_config(flags):
    sys.path.append(site_packages)  # only here: the other commands start faster without YAML
    import clusterconfig
    for name in NOT_WITH_FILE:
        if name in flags:
            die(f"cannot use {name} when --config-file/-f is set")
    if "" in flags:
        die(f'cannot use name argument "{flags[""][0]}" when --config-file/-f is set')
    source = flags.get("--config-file")
    if not source:
        die("only `create … -f FILE` is played here")
    while state.take_one("deaf"):  # it does not read what it is given
        time.sleep(3600)
    try:
        text = sys.stdin.read() if source == "-" else open(source, encoding="utf-8").read()
    except OSError as error:
        die(f'loading config file "{source}": open {source}: {error.strerror.lower()}')
    return text, source, clusterconfig


class Creation:
    """One `create cluster`, from its plan to its last line."""

    def __init__(self, config, flags):
        meta = config["metadata"]
        self.config, self.name, self.region = config, meta["name"], meta["region"]
        self.tags = {**(meta.get("tags") or {}), OWNER: self.name}
        self.version = meta.get("version") or "1.34"
        self.version = {"auto": "1.34", "latest": VERSIONS[-1]}.get(self.version, self.version)
        self.groups = config.get("managedNodeGroups") or []
        self.profiles = config.get("fargateProfiles") or []
        self.auto = (config.get("autoModeConfig") or {}).get("enabled")
        self.seconds = pace().get("create_seconds", 2)
        self.limit = seconds_of(flags.get("--timeout", "25m"))
        self.failure = f'failed to create cluster "{self.name}"'
        self.unhealthy = False

    def say_plan(self):
        kinds = [kind for kind, held in (("managed nodes", self.groups),
                                         ("Fargate profile", self.profiles)) if held]
        zones = self.config.get("availabilityZones")
        if not zones:
            zones = [f"{self.region}{letter}" for letter in "bac"]
            log(f"setting availability zones to [{' '.join(zones)}]")
        for i, zone in enumerate(zones):
            log(f"subnets for {zone} - public:192.168.{i * 32}.0/19 "
                f"private:192.168.{(i + len(zones)) * 32}.0/19")
        for group in self.groups:
            family = group.get("amiFamily", "AmazonLinux2023")
            log(f'nodegroup "{group["name"]}" will use "" [{family}/{self.version}]')
        if self.auto:
            log("Auto Mode will be enabled and nodes will be managed by EKS")
        log(f"using Kubernetes version {self.version}")
        log(f'creating EKS cluster "{self.name}" in "{self.region}" region with '
            f'{" and ".join(kinds)}')
        for group in self.groups:
            log(f'1 nodegroup ({group["name"]}) was included (based on the include/exclude rules)')
        log("if you encounter any issues, check CloudFormation console or try 'eksctl utils "
            f"describe-stacks --region={self.region} --cluster={self.name}'")
        tasks = "".join(f'\n    create managed nodegroup "{g["name"]}",' for g in self.groups)
        tasks += "\n    create fargate profiles," if self.profiles else ""
        log(f'\n{2 if tasks else 1} sequential tasks: {{ create cluster control plane "{self.name}",'
            f"{tasks} \n}}\n")

    def die_late(self, label):
        log(f'exceeded max wait time for StackCreateComplete waiter while waiting for CloudFormation '
            f'stack "{label}"', "✖")
        self.give_up()

    def give_up(self):
        log("1 error(s) occurred and cluster hasn't been created properly, you may wish to check "
            "CloudFormation console", "!")
        log(f"to cleanup resources, run 'eksctl delete cluster --region={self.region} "
            f"--name={self.name}'")
        die(self.failure)

    def fail_stack(self, label, reason):
        log(f'unexpected status "ROLLBACK_IN_PROGRESS" while waiting for CloudFormation stack '
            f'"{label}"', "✖")
        log("fetching stack events in attempt to troubleshoot the root cause of the failure")
        # Events are newest first: what was cancelled comes before what it was cancelled for.
        log("AWS::IAM::Policy/PolicyCloudWatchMetrics: CREATE_FAILED – \"Resource creation "
            "cancelled\"", "✖")
        log(reason, "✖")
        self.give_up()

    def stack(self, kind, suffix, title, share, tags, **more):
        phase = "control-plane" if kind == "cluster" else "nodegroup"
        entry = fault("create", self.name, phase)
        if kind == "nodegroup" and self.unhealthy and not entry:
            entry = {"do": "fail", "reason": "AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – "
                     "\"Resource handler returned message: \\\"NodeCreationFailure: Unhealthy nodes in "
                     "the kubernetes cluster\\\"\""}
        label, seconds = f"eksctl-{self.name}-{suffix}", self.seconds * share
        log(f'building {title} "{label}"')
        key = state.put_stack(kind, self.name, self.region, tags, seconds, suffix,
                              fails=bool(entry and entry["do"] == "fail"), **more)
        if not key:
            log("1 error(s) occurred and cluster hasn't been created properly, you may wish to check "
                "CloudFormation console", "!")
            die(f'creating CloudFormation stack "{label}": operation error CloudFormation: '
                f"CreateStack, https response error StatusCode: 400, AlreadyExistsException: Stack "
                f"[{label}] already exists")
        log(f'deploying stack "{label}"')
        if entry and entry["do"] != "fail":
            act_out(entry, self.failure)
        try:
            if not wait_for_stack(key, label, seconds, self.limit).startswith("CREATE"):
                self.fail_stack(label, entry["reason"] if entry else "stack failed")
        except Late:
            self.die_late(label)

    def phase(self, name):
        entry = fault("create", self.name, name)
        if entry:
            act_out(entry, self.failure)

    def control_plane(self):
        self.stack("cluster", "cluster", "cluster stack", 0.5, self.tags, version=self.version)
        listed = [addon["name"] for addon in self.config.get("addons") or []]
        bare = self.auto or (self.config.get("addonsConfig") or {}).get("disableDefaultAddons")
        self.addons(listed + [name for name in DEFAULT_ADDONS if not bare and name not in listed])

    def addons(self, names):
        for name in names:
            log(f"creating addon: {name}")
            self.phase("addons")
            self.keep("addons", name)
            log(f"successfully created addon: {name}")

    def keep(self, what, name):
        """What is no stack of its own: it is the cluster's."""
        with Locked() as stacks:
            stack = cluster_stack(stacks, self.name, self.region)
            if stack:
                stack[what] = sorted({*stack.get(what, []), name})

    def held(self, what):
        with Locked() as stacks:
            return (cluster_stack(stacks, self.name, self.region) or {}).get(what, [])

    def nodes(self):
        for group in self.groups:
            # No node is ready without it, and EKS waits for nodes that are.
            self.unhealthy = "vpc-cni" not in self.held("addons")
            tags = {**self.tags, **(group.get("tags") or {}),
                    "alpha.eksctl.io/nodegroup-name": group["name"]}
            self.stack("nodegroup", f"nodegroup-{group['name']}", "managed nodegroup stack",
                       0.4 / len(self.groups), tags, version=self.version,
                       **changes.sizes(group), type=(group.get("instanceTypes") or
                                                     [group.get("instanceType", "m5.large")])[0])
        for profile in self.profiles:
            log(f'creating Fargate profile "{profile["name"]}" on EKS cluster "{self.name}"')
            self.phase("nodegroup")
            time.sleep(self.seconds * 0.4 / len(self.profiles))
            self.keep("profiles", profile["name"])
            log(f'created Fargate profile "{profile["name"]}" on EKS cluster "{self.name}"')

    def say_ready(self):
        log("waiting for the control plane to become ready")
        self.phase("ready")
        time.sleep(self.seconds * 0.1)
        # Without kubectl a creation that went well says this, and it is no failure.
        log("kubectl not found, v1.10.0 or newer is required", "✖")
        log("cluster should be functional despite missing (or misconfigured) client binaries")
        log(f'all EKS cluster resources for "{self.name}" have been created', "✔")
        if fault("create", self.name, "done"):
            die(self.failure)
        for group in self.groups:
            count = group.get("desiredCapacity", 2)
            log(f'nodegroup "{group["name"]}" has {count} node(s)')
            for n in range(count):
                log(f'node "ip-192-168-0-{n + 10}.{self.region}.compute.internal" is ready')
            log(f'waiting for at least {group.get("minSize", count)} node(s) to become ready in '
                f'"{group["name"]}"')
        if self.groups:
            log(f'created {len(self.groups)} managed nodegroup(s) in cluster "{self.name}"', "✔")
        log(f'EKS cluster "{self.name}" in "{self.region}" region is ready', "✔")


def configured(flags):
    """The configuration on stdin, as far as it is one."""
    text, source, clusterconfig = read_config(flags)
    began(stdin=text)
    config, problem = clusterconfig.read(text)
    if problem:
        die(f'loading config file "{source}": {problem}' if config is None else problem)
    return config, clusterconfig


def create(flags):
    config, clusterconfig = configured(flags)
    if flags.get("--dry-run") == "true":
        for name in NOT_IN_A_PLAN:
            if name in flags:
                die(f"cannot use {name} with --dry-run as this option cannot be represented in "
                    "ClusterConfig")
        print(clusterconfig.normalised(config), end="")
        return
    one = Creation(config, flags)
    meet(one.name, one.region)
    log(f"eksctl version {VERSION}")
    log(f"using region {one.region}")
    entry = fault("create", one.name)
    # "exit1_but_done" is a creation that goes well and yet ends in 1.
    if entry and entry["do"] != "exit1_but_done":
        act_out(entry, one.failure)
        entry = None
    one.say_plan()
    one.control_plane()
    one.nodes()
    one.say_ready()
    if entry:
        die(one.failure)


# -- additions to a cluster that is there ---------------------------------------------------------
def addition(flags):
    config, _ = configured(flags)
    one = Creation(config, flags)
    meet(one.name, one.region)
    with Locked() as stacks:
        stack = cluster_stack(stacks, one.name, one.region)
    if not stack or status(stack) == "ROLLBACK_COMPLETE":
        die(f'unable to describe cluster control plane: operation error EKS: DescribeCluster, https '
            f"response error StatusCode: 404, ResourceNotFoundException: No cluster found for name: "
            f"{one.name}.")
    if describe(stack)["Status"] != "ACTIVE":
        die(f'cannot perform Kubernetes API operations on cluster "{one.name}" in "{one.region}" region '
            f'due to status "{describe(stack)["Status"]}"')
    return one


def create_nodegroup(flags):
    one = addition(flags)
    one.failure = f'failed to create nodegroups for cluster "{one.name}"'
    with Locked() as stacks:
        there = {s["name"] for s in stacks_of(stacks, one.name, one.region)}
    old = [g for g in one.groups if f"eksctl-{one.name}-nodegroup-{g['name']}" in there]
    one.groups, one.profiles = [g for g in one.groups if g not in old], []
    if old:
        names = ", ".join(g["name"] for g in old)
        log(f"{len(old)} existing nodegroup(s) ({names}) will be excluded")
    log(f"will create a CloudFormation stack for each of {len(one.groups)} managed nodegroups in "
        f'cluster "{one.name}"')
    one.nodes()
    log(f'created 0 nodegroup(s) in cluster "{one.name}"', "✔")
    for group in one.groups:
        log(f'nodegroup "{group["name"]}" has {group.get("desiredCapacity", 2)} node(s)')
    log(f'created {len(one.groups)} managed nodegroup(s) in cluster "{one.name}"', "✔")


def create_addon(flags):
    one = addition(flags)
    one.failure = f'failed to create addon for cluster "{one.name}"'
    log(f'Kubernetes version "{one.version}" in use by cluster "{one.name}"')
    held = one.held("addons")
    names = [addon["name"] for addon in one.config.get("addons") or []]
    if not names:
        die("no addons specified")
    for name in [n for n in names if n in held]:
        log(f"Addon {name} is already present on the cluster, as an EKS managed addon, skipping creation")
    one.addons([n for n in names if n not in held])


def create_profile(flags):
    one = addition(flags)
    one.failure = f'failed to create Fargate profiles for cluster "{one.name}"'
    held = one.held("profiles")
    one.groups = []
    one.profiles = [p for p in one.profiles if p["name"] not in held]
    one.nodes()


# -- delete ---------------------------------------------------------------------------------------
def delete(flags):
    began()
    name, region = require_name(flags), flags.get("--region") or os.environ.get("AWS_REGION", "")
    failure = f'failed to delete cluster "{name}"'
    meet(name, region)
    entry = fault("delete", name)
    if entry and entry["do"] not in ("fail", "exit1_but_done"):
        act_out(entry, failure)
        entry = None
    with Locked() as stacks:
        mine = [(k, s) for k, s in stacks.items() if s in stacks_of(stacks, name, region)]
    if not mine and flags.get("--force") != "true":
        die("fetching cluster status to determine operability: unable to describe cluster control "
            "plane: operation error EKS: DescribeCluster, https response error StatusCode: 404, "
            f"ResourceNotFoundException: No cluster found for name: {name}.")
    log(f'deleting EKS cluster "{name}"')
    log(f'will drain 0 unmanaged nodegroup(s) in cluster "{name}"')
    log("deleted 0 Fargate profile(s)")
    log("cleaning up AWS load balancers created by Kubernetes objects of Kind Service, Ingress, or "
        "Gateway")
    groups = [m for m in mine if m[1]["kind"] == "nodegroup"]
    tasks = "".join(f'\n    delete nodegroup "{s["name"]}" [async],' for _, s in groups)
    log(f'\n{1 + bool(tasks)} sequential tasks: {{{tasks} delete cluster control plane "{name}" '
        "[async] \n}\n")
    seconds, limit = pace().get("delete_seconds", 1) / 2, seconds_of(flags.get("--timeout", "25m"))
    for key, stack in groups + [m for m in mine if m[1]["kind"] == "cluster"]:
        last = stack["kind"] == "cluster"
        fails = bool(entry and entry["do"] == "fail" and last)
        log(f'will delete stack "{stack["name"]}"')
        state.begin_delete(key, seconds, fails)
        if last and flags.get("--wait") != "true":
            continue
        wait_for_deletion(key, stack, seconds, limit, entry, failure)
    log("all cluster resources were deleted", "✔")
    if entry:
        die(failure)


def wait_for_deletion(key, stack, seconds, limit, entry, failure):
    log(f'waiting for stack "{stack["name"]}" to get deleted')
    try:
        ended = wait_for_stack(key, stack["name"], seconds, limit)
    except Late:
        log(f'exceeded max wait time for StackDeleteComplete waiter', "✖")
        die(failure)
    if ended == "DELETE_FAILED":
        log(f'unexpected status "DELETE_FAILED" while waiting for CloudFormation stack '
            f'"{stack["name"]}"', "✖")
        log("fetching stack events in attempt to troubleshoot the root cause of the failure")
        log(entry["reason"] if entry else
            "AWS::EC2::VPC/VPC: DELETE_FAILED – \"The vpc has dependencies and cannot be deleted. "
            "(DependencyViolation)\"", "✖")
        die(failure)


# -- questions ------------------------------------------------------------------------------------
def describe(stack):
    endpoint = stack["name"].encode().hex()[-32:].rjust(32, "0").upper()
    return {
        "Name": stack["cluster"], "Version": stack.get("version", "1.34"),
        "Status": "UPDATING" if stack.get("update") else {
            "CREATE_IN_PROGRESS": "CREATING", "DELETE_IN_PROGRESS": "DELETING",
            "CREATE_COMPLETE": "ACTIVE", "UPDATE_COMPLETE": "ACTIVE"}.get(status(stack), "FAILED"),
        "Endpoint": f"https://{endpoint}.gr7.{stack['region']}.eks.amazonaws.com",
        "CreatedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(stack["created_at"])),
        "Arn": f"arn:aws:eks:{stack['region']}:111122223333:cluster/{stack['cluster']}",
        "Tags": stack["tags"], "PlatformVersion": "eks.9"}


def show(flags, items, columns):
    """Items as JSON, or as the table of those columns."""
    if flags.get("--output") == "json":
        print(indented(items))
        return
    print("\t".join(title for title, _ in columns))
    for item in items or []:
        print("\t".join(str(item[key]) for _, key in columns))


def get(flags):
    began()
    name, region = flags.get("--name"), flags.get("--region")
    if state.take_one("get_fails"):
        die(f"Throttling: Rate exceeded while describing {name}")
    act_on_question("get", name or region)
    with Locked() as stacks:
        stack = cluster_stack(stacks, name, region) if name else None
        all_of_them = [{"Name": s["cluster"], "Region": s["region"], "Owned": "True"}
                       for s in stacks.values() if s["kind"] == "cluster"
                       and s["region"] == region and status(s) not in ("DELETE_COMPLETE", "ROLLBACK_COMPLETE")]
    if not name:
        show(flags, all_of_them, (("NAME", "Name"), ("REGION", "Region"),
                                  ("EKSCTL CREATED", "Owned")))
    elif not stack or status(stack) == "ROLLBACK_COMPLETE":
        die(f'unable to describe control plane "{name}": operation error EKS: DescribeCluster, https '
            "response error StatusCode: 404, ResourceNotFoundException: No cluster found for name: "
            f"{name}.")
    else:
        show(flags, [describe(stack)], (("NAME", "Name"), ("VERSION", "Version"),
                                        ("STATUS", "Status"), ("CREATED", "CreatedAt")))


def describe_stacks(flags):
    began()
    name, region = require_name(flags, "--cluster"), flags.get("--region")
    act_on_question("describe-stacks", name)
    with Locked() as stacks:
        shown = [{"StackName": s["name"], "StackStatus": status(s),
                  "StackId": f"arn:aws:cloudformation:{region}:111122223333:stack/{s['name']}/0",
                  "EnableTerminationProtection": True,
                  "Tags": [{"Key": k, "Value": v} for k, v in s["tags"].items()]}
                 for s in stacks_of(stacks, name, region)]
    if not shown:
        die(f'no eksctl-managed CloudFormation stacks found for "{name}"')
    show(flags, shown, (("NAME", "StackName"), ("STATUS", "StackStatus")))


def cluster_for(flags):
    """The cluster that a question about its parts is about."""
    began()
    name, region = require_name(flags, "--cluster"), flags.get("--region")
    with Locked() as stacks:
        stack = cluster_stack(stacks, name, region)
    if not stack or status(stack) == "ROLLBACK_COMPLETE":
        die(f'unable to describe cluster control plane: operation error EKS: DescribeCluster, https '
            f"response error StatusCode: 404, ResourceNotFoundException: No cluster found for name: "
            f"{name}.")
    return name, stack


def get_addon(flags):
    name, stack = cluster_for(flags)
    act_on_question("get addon", name)
    log("getting all addons")
    held = [{"Name": a, "Version": "v1.0.0-eksbuild.1", "NewerVersion": "", "IAMRole": "",
             "Status": "ACTIVE", "ConfigurationValues": "", "Issues": None,
             "PodIdentityAssociations": None} for a in stack.get("addons", [])]
    # An empty list of Go is null.
    show(flags, held or None, (("NAME", "Name"), ("VERSION", "Version"), ("STATUS", "Status")))


def get_profile(flags):
    name, stack = cluster_for(flags)
    act_on_question("get fargateprofile", name)
    show(flags, [{"name": p, "podExecutionRoleARN": "arn:aws:iam::111122223333:role/fargate",
                  "selectors": [{"namespace": "default"}], "status": "ACTIVE"}
                 for p in stack.get("profiles", [])], (("NAME", "name"), ("STATUS", "status")))


def describe_versions(_):
    began()
    print(indented({"clusterVersions": [
        {"ClusterVersion": v, "DefaultVersion": v == "1.34", "VersionStatus": "STANDARD_SUPPORT"}
        for v in VERSIONS]}))


def version(flags):
    if flags.get("--output") == "json":
        print(dumps({"Version": VERSION, "PreReleaseID": "", "Metadata": {}}))
    else:
        print(VERSION)


def began(**fields):
    """Records a call: its arguments, its configuration, and the names of its environment."""
    state.record(at=time.time(), pid=os.getpid(), argv=ARGS, cwd=os.getcwd(),
                 environment=sorted(os.environ), started=True, **fields)


def meet(name, region):
    """Records whom this call finds at work on the same cluster; the real one does not care."""
    other = state.alone(f"{region}-{name}")
    if other is not None:
        state.record(at=time.time(), pid=os.getpid(), argv=ARGS, beside=other,
                     host=os.uname().nodename)


class Play:
    """What the commands in changes.py speak with."""
    log, die, began, show, seconds_of, meet = map(staticmethod,
                                                  (log, die, began, show, seconds_of, meet))
    act_out, act_on_question, wait_for_stack = map(staticmethod,
                                                   (act_out, act_on_question, wait_for_stack))
    Late, versions = Late, VERSIONS


COMMANDS = {"create cluster": create, "create nodegroup": create_nodegroup,
            "create addon": create_addon, "create fargateprofile": create_profile,
            "get addon": get_addon, "get fargateprofile": get_profile, "delete cluster": delete,
            "get cluster": get, "get clusters": get,
            **{command: lambda flags, play=play: play(Play, flags)
               for command, play in changes.COMMANDS.items()},
            "utils describe-stacks": describe_stacks,
            "utils describe-cluster-versions": describe_versions, "version": version}


def main():
    global stream
    time.tzset()
    words = ARGS[:1] if ARGS[:1] == ["version"] else ARGS[:2]
    command = " ".join(words)
    if command not in COMMANDS:
        die(f'unknown command "{ARGS[-1] if ARGS else ""}" for "eksctl"')
    flags = parse(command.replace("clusters", "cluster") if command == "get clusters" else command,
                  ARGS[len(words):])
    if flags.get("--output") in ("json", "yaml"):
        stream = sys.stderr
    region = flags.get("--region")
    if region and region not in REGIONS:
        die(f'--region={region} is not supported - use one of: {", ".join(REGIONS)}')
    COMMANDS[command](flags)
    state.record(at=time.time(), pid=os.getpid(), argv=ARGS, ended="ok")
