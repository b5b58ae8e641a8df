"""The launcher local: a job is a process of its own, found by its lease whatever becomes of the bot."""

import glob
import os
import resource
import signal
import stat
import struct
import subprocess

from company import TEAMS
from gate import Gate, Rule
from test_crash import CREATE, REST, ask_and_approve, assert_whole, job_pids, stands_creating


def home_of(pid):
    """The HOME of a process."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        return next(word[5:].decode() for word in file.read().split(b"\0")
                    if word.startswith(b"HOME="))


def variables(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:
        return {word.split(b"=")[0].decode() for word in file.read().split(b"\0")}


def test_a_stop_and_the_start_of_another_version_do_not_touch_a_job(company):
    c = company()
    bot, held = stands_creating(c)
    job, eksctl = job_pids(c)
    assert not [name for name in variables(job) if "SLACK" in name]
    home = home_of(eksctl)
    assert stat.S_IMODE(os.stat(home).st_mode) == 0o700  # nobody else looks into it
    assert bot.stop() == 0
    bot.start().wait_ready()
    assert job_pids(c) == (job, eksctl)
    held.lift()
    assert_whole(c)
    assert c.database.one("SELECT attempts FROM jobs") == 1
    c.slack.wait_for(lambda: not os.path.exists(home), "its home is removed")


def sockets(pid):
    folder = f"/proc/{pid}/fd"
    return {link for name in os.listdir(folder)
            if (link := os.readlink(f"{folder}/{name}")).startswith("socket:")}


def test_neither_a_job_nor_its_guard_nor_its_eksctl_holds_a_connection_of_the_bots(company):
    c = company()
    c.eksctl.add_fault("create", "hang")
    bot = c.serve()
    ask_and_approve(c)
    job, eksctl = c.slack.wait_for(lambda: c.eksctl.calls("create") and job_pids(c), "eksctl begins", 60)
    with open(f"/proc/{job}/task/{job}/children", encoding="ascii") as file:
        children = {int(pid) for pid in file.read().split()}
    assert eksctl in children and len(children) == 2, "its guard and eksctl"
    own = sockets(bot.process.pid)
    assert own and not [link for pid in (job, *children) for link in sockets(pid) & own]


def core_limit(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        return next(line.split()[4:6] for line in file if line.startswith("Max core file size"))


def test_no_crash_writes_a_secret_to_the_disk(company):
    c = company()
    c.eksctl.add_fault("create", "hang")
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        bot = c.serve()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    ask_and_approve(c)
    pids = c.slack.wait_for(lambda: c.eksctl.calls("create") and job_pids(c), "eksctl begins", 60)
    assert [core_limit(pid) for pid in (bot.process.pid, *pids)] == [["0", "0"]] * 3


def test_eksctl_finds_the_profile_that_the_bot_was_told_of(company, tmp_path):
    c = company()
    folder = tmp_path / "person" / ".aws"
    folder.mkdir(parents=True)
    (folder / "credentials").write_text(
        "[clusters]\naws_access_key_id = AKIDOFPROFILE\naws_secret_access_key = hush\n")
    (folder / "config").write_text("[profile clusters]\nregion = eu-west-1\n")
    usual = c.environment()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        del usual[name]
    c.environment = lambda: {**usual, "HOME": str(tmp_path / "person"), "AWS_PROFILE": "clusters"}
    c.eksctl.add_fault("create", "hang")
    c.serve()
    ask_and_approve(c)
    _, eksctl = c.slack.wait_for(lambda: c.eksctl.calls("create") and job_pids(c), "eksctl begins", 60)
    with open(f"/proc/{eksctl}/environ", "rb") as file:
        environment = dict(word.split(b"=", 1) for word in file.read().split(b"\0") if word)
    assert environment[b"HOME"] != str(tmp_path / "person").encode()
    found = subprocess.run(  # where any of AWS's libraries looks
        ["/usr/bin/python3", "-c", "import botocore.session as s; session = s.Session()\n"
         "print(session.get_credentials().access_key, session.get_config_variable('region'))"],
        env=environment, capture_output=True, text=True)
    assert found.stdout.split() == ["AKIDOFPROFILE", "eu-west-1"], found.stderr


def first_value(bound):
    """Of a Bind message: after two names come formats, then values with their lengths before them."""
    at = bound.index(b"\0", bound.index(b"\0") + 1) + 1
    at += 2 + 2 * struct.unpack_from("!H", bound, at)[0] + 2
    length, = struct.unpack_from("!I", bound, at)
    return bound[at + 4:at + 4 + length]


def test_many_jobs_are_started_a_few_at_a_time(company):
    many = 24
    c = company(options={"jobs.parallel": many, "jobs.per_region": many, "jobs.per_team": many},
                slack_arguments=["--relaxed-limits"])
    gate, claiming, passes = Gate.of(c, TEAMS), set(), []
    try:
        c.serve()
        c.database.query("UPDATE teams SET environments = 99, nodes = 99, vcpus = 999")
        c.slack.type("U0DEV2", "C0GEN", "pause until all have asked", wait=20)
        for number in range(many):
            c.slack.type("U0DEV", "C0GEN", f"create small n{number} --nodes 1 --ttl 1h", wait=20)
        assert c.database.one("SELECT count(*) FROM jobs") == many
        gate.asked = [
            Rule("envbot job", lambda sql, bound: "SET state = 'running'" in sql
                 and (claiming.add(first_value(bound)) or True)),
            Rule("envbot launcher", lambda sql, _: "lease_until < now()" in sql and passes.append(sql))]
        c.slack.type("U0DEV2", "C0GEN", "resume", wait=20)
        c.slack.wait_for(lambda: len(claiming) >= 16, "many jobs are being claimed", 60)
        before = len(passes)
        c.slack.wait_for(lambda: len(passes) > before + 3, "the launcher looks again", 60)
        assert len(claiming) == 16
        gate.lift()
        c.slack.wait_for(lambda: c.database.one(
            "SELECT count(*) FROM environments WHERE state = 'ready'") == many, "all are ready", 240)
        assert len(c.eksctl.clusters()) == many
    finally:
        gate.close()


def test_what_a_killed_job_left_in_its_home_is_removed_by_who_takes_over(company):
    c = company()
    stands_creating(c)
    job, eksctl = job_pids(c)
    home = home_of(eksctl)
    with open(os.path.join(home, "left"), "w", encoding="utf-8") as file:
        file.write("over")
    other = home.rsplit(".", 1)[0] + ".AAAAAA"  # somebody else's, who lies in wait for the removal
    os.mkdir(other)
    os.chmod(other, 0o777)
    if os.getuid() == 0:
        os.chown(other, 65534, 65534)
    with open(os.path.join(other, "bait"), "w", encoding="utf-8") as file:
        file.write("theirs")
    os.kill(job, signal.SIGKILL)
    assert_whole(c, [CREATE, *REST])
    assert c.database.one("SELECT attempts FROM jobs") == 2
    assert not os.path.exists(home) and not os.path.exists(f"/proc/{eksctl}")
    assert os.path.exists(os.path.join(other, "bait"))


def test_a_process_that_got_the_number_of_a_dead_job_is_let_be(company):
    c = company()
    stands_creating(c)
    job, eksctl = job_pids(c)
    home = home_of(eksctl)
    with subprocess.Popen(["sleep", "120"], start_new_session=True) as innocent:
        for pid in (job, eksctl):
            os.kill(pid, signal.SIGKILL)
        owner = c.database.one("SELECT lease_owner FROM jobs").split(":")
        owner[1] = owner[3] = str(innocent.pid)
        c.database.query("UPDATE jobs SET lease_owner = %s", ":".join(owner))
        assert_whole(c, [CREATE, *REST])
        assert innocent.poll() is None
        innocent.kill()
    for left in glob.glob(home):  # it stands under the number that nobody knows any more
        os.rmdir(left)
