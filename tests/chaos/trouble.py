"""What goes wrong: processes killed and frozen, connections cut, PostgreSQL stopped, Slack and AWS out
of order. Which trouble comes when is the seed's; which of the processes alive it meets, the moment's."""

import heapq
import itertools
import random
import signal
import threading
import time

import pods
from machines import MOST_WRONG

LEASE = 4  # seconds, as world.py sets it
REASONS = (
    'AWS::EC2::EIP/NATIP: CREATE_FAILED – "Resource handler returned message: \\"The maximum number of '
    'addresses has been reached. (Service: Ec2, Status Code: 400)\\" (AddressLimitExceeded)"',
    'AWS::EKS::Nodegroup/ManagedNodeGroup: CREATE_FAILED – "Resource handler returned message: \\"Could '
    'not launch On-Demand Instances. InsufficientInstanceCapacity\\" (NotStabilized)"',
)


class Trouble:
    """maker(world, chance) of each kind returns what ends it, with after how many seconds, or None."""

    def __init__(self, world, seed, pause, only=None):
        self.world, self.pause, self.chance = world, pause, random.Random(f"{seed}/trouble")
        self.kills = {"bot": 0, "job": 0, "eksctl": 0, "postgres": 0}
        self.count, self.log = {}, []
        self.ends, self.order = [], itertools.count()
        self.over, self.broken = threading.Event(), []
        self.thread = threading.Thread(target=self.safely, daemon=True)
        self.kinds = [(kind, weight) for kind, weight in KINDS + (pods.KINDS if world.pods else ())
                      if not only or kind.__name__ in only]

    # -- the loop --------------------------------------------------------------------------------
    def safely(self):
        try:
            self.run()
        except Exception as error:
            import traceback
            self.broken.append(f"{error!r}\n{traceback.format_exc()}")
        for _, _, end in sorted(self.ends, key=lambda e: e[:2]):
            end()

    def run(self):
        kinds, weights = zip(*self.kinds)
        looked_at = time.monotonic()
        next_at = looked_at + self.chance.expovariate(1 / self.pause)
        while not self.over.wait(0.05):
            now = time.monotonic()
            while self.ends and self.ends[0][0] <= now:
                heapq.heappop(self.ends)[2]()
            if now >= looked_at + 0.3:
                looked_at = now
                self.world.keep_alive()
            if now < next_at:
                continue
            next_at = now + self.chance.expovariate(1 / self.pause)
            # The same draws whatever it meets, so that the seed's stream stays in step.
            kind, draw = self.chance.choices(kinds, weights)[0], random.Random(self.chance.random())
            told = kind(self, draw)
            if told:
                self.count[kind.__name__] = self.count.get(kind.__name__, 0) + 1
                self.log.append((time.time(), kind.__name__, told))

    def later(self, seconds, end):
        heapq.heappush(self.ends, (time.monotonic() + seconds, next(self.order), end))

    def start(self):
        self.thread.start()

    def stop(self):
        """Nothing new goes wrong, and what is wrong ends."""
        self.over.set()
        self.thread.join(60)
        assert not self.thread.is_alive(), "the trouble does not end"
        self.world.wire.release()
        self.world.wire.open()
        self.world.slack.no_faults()
        self.world.aws.no_faults()
        self.world.eksctl.set_pace(faults=[], get_fails=0)
        if self.world.pods:
            self.world.pods.well()

    # -- hands -----------------------------------------------------------------------------------
    def kill(self, what, process):
        if self.world.signal(process, signal.SIGKILL):
            self.kills[what] += 1
            return True
        return False

    def freeze(self, process, seconds):
        """Stops it, and lets it go on later as if nothing had been."""
        if not self.world.signal(process, signal.SIGSTOP):
            return False
        self.later(seconds, lambda: self.world.signal(process, signal.SIGCONT))
        return True


# ---- the kinds: each returns what it did, or None when there was nothing to do it to ----
def bot_process(bot):
    from wire import start_time
    return bot.process.pid, start_time(bot.process.pid)


def kill_bot(t, draw, bot=None):
    bot = bot or draw.choice(t.world.bots)
    if bot.process.poll() is not None or not t.kill("bot", bot_process(bot)):
        return None
    bot.process.wait()
    t.world.down.add(bot)
    t.later(draw.uniform(0, 2), lambda: t.world.down.discard(bot))
    return f"pid {bot.process.pid}"


def kill_all_bots(t, draw):
    return [kill_bot(t, draw, bot) for bot in t.world.bots] or None


def kill_job(t, draw):
    jobs = t.world.processes()["job"]
    if not jobs:
        return None
    job = draw.choice(jobs)
    return f"pid {job[0]}" if t.kill("job", job) else None


def kill_eksctl(t, draw):
    found = t.world.processes()["eksctl"]
    if not found:
        return None
    one = draw.choice(found)
    return f"pid {one[0]}" if t.kill("eksctl", one) else None


def kill_jobs_and_eksctls(t, _):
    found = t.world.processes()
    done = [t.kill(kind, one) for kind in ("job", "eksctl") for one in found[kind]]
    return f"{sum(done)} processes" if any(done) else None


def freeze_job(t, draw):
    """Past its lease; every other time with its eksctl."""
    found = t.world.processes()
    if not found["job"]:
        return None
    job, seconds = draw.choice(found["job"]), LEASE + draw.uniform(1, 4)
    if not t.freeze(job, seconds):
        return None
    with_eksctl = draw.random() < 0.5
    for one in found["eksctl"] if with_eksctl else []:
        t.freeze(one, seconds + draw.uniform(-0.5, 0.5))
    return f"pid {job[0]} {seconds:.1f} s" + (" and all eksctl" if with_eksctl else "")


def freeze_bot(t, draw):
    bot, seconds = draw.choice(t.world.bots), draw.uniform(0.5, 6)
    if bot.process.poll() is not None or not t.freeze(bot_process(bot), seconds):
        return None
    return f"pid {bot.process.pid} {seconds:.1f} s"


def cut_connections(t, draw):
    whose = draw.choice(["", "envbot handler", "envbot job", "envbot-outbox", "envbot launcher"])
    t.world.wire.cut(whose, shut=draw.random() < 0.5)
    t.later(draw.uniform(0, 3), t.world.wire.open)
    return whose or "all"


def swallow(t, draw):
    seconds = draw.uniform(0.5, LEASE + 2)
    t.world.wire.swallow()
    t.later(seconds, t.world.wire.release)
    return f"{seconds:.1f} s"


def stop_postgres(t, draw):
    postgres = t.world.postgres
    if postgres.process is None:
        return None
    how = draw.choice([signal.SIGINT, signal.SIGQUIT])  # fast, immediate
    postgres.stop(how)
    t.kills["postgres"] += how == signal.SIGQUIT
    t.later(draw.uniform(0, 3), lambda: postgres.process is None and postgres.start())
    return how.name


def wrong_clock(t, draw):
    machine, seconds = draw.choice(t.world.machines), draw.uniform(-MOST_WRONG, MOST_WRONG)
    machine.set_clock(seconds)
    t.later(draw.uniform(2, 20), lambda: machine.set_clock(0))
    return f"{machine.name} {seconds:+.0f} s" if machine.library else None


def slack_fault(t, draw):
    method = draw.choice(["chat.postMessage", "chat.postMessage", "chat.update", "*"])
    fault = draw.choice([
        {"do": "status", "status": 500}, {"do": "status", "status": 429, "retry_after": 1},
        {"do": "lose"}, {"do": "reset"}, {"do": "slow", "seconds": round(draw.uniform(0.2, 2.5), 1)}])
    count = draw.randint(1, 4)
    t.world.slack.fault(method, count=count, **fault)
    return f"{method} {fault} {count}"


def slack_connections(t, draw):
    do = draw.choice(["drop", "drop", "refresh", "silence", "warning", "link_disabled"])
    t.world.slack.connect(do, which=draw.choice(["all", "oldest", "oldest"]), grace=1)
    return do


def ses_fault(t, draw):
    do = draw.choice([{"do": "throttle"}, {"do": "internal"}, {"do": "lose"},
                      {"do": "slow", "seconds": 1}])
    t.world.aws.fault("SendEmail", count=draw.randint(1, 2), **do)
    return str(do)


def aws_fault(t, draw):
    fault = draw.choice([
        {"command": "get", "do": "throttle", "count": 2},
        {"command": "describe-stacks", "do": "throttle", "count": 2},
        {"command": "describe-stacks", "do": "hang"}, {"command": "get", "do": "crash"},
        {"command": "create", "do": "fail", "phase": "control-plane", "reason": REASONS[0]},
        {"command": "create", "do": "fail", "phase": "nodegroup", "reason": REASONS[1]},
        {"command": "create", "do": "crash", "phase": "control-plane"},
        {"command": "create", "do": "throttle"}, {"command": "create", "do": "exit1_but_done"},
        {"command": "create", "do": "hang", "phase": "ready"},
        {"command": "delete", "do": "exit1_but_done"}, {"command": "delete", "do": "throttle"},
        {"command": "delete", "do": "fail", "reason":
         "AWS::EC2::VPC/VPC: DELETE_FAILED – \"The vpc has dependencies and cannot be deleted. "
         "(DependencyViolation)\""}])
    t.world.eksctl.add_fault(**fault)
    return str(fault)


KINDS = (
    (kill_bot, 14), (kill_all_bots, 3), (kill_job, 18), (kill_eksctl, 16), (kill_jobs_and_eksctls, 4),
    (freeze_job, 8), (freeze_bot, 3), (cut_connections, 8), (swallow, 2), (stop_postgres, 2), (wrong_clock, 3),
    (slack_fault, 8), (slack_connections, 4), (ses_fault, 4), (aws_fault, 8),
)
