"""The launcher local: a job is a process of its own, found by its lease whatever becomes of the bot."""

import glob
import os
import signal
import stat
import subprocess

from test_crash import CREATE, REST, ask_and_approve, assert_whole, job_pids, wait_creating


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
    c.eksctl.set_pace(create_seconds=3)
    bot = c.serve()
    ask_and_approve(c)
    wait_creating(c, "cluster")
    job, eksctl = job_pids(c)
    assert not [name for name in variables(job) if "SLACK" in name]
    home = home_of(eksctl)
    assert stat.S_IMODE(os.stat(home).st_mode) == 0o700  # nobody else looks into it
    assert bot.stop() == 0
    bot.start().wait_ready()
    assert job_pids(c) == (job, eksctl)
    assert_whole(c)
    assert c.database.one("SELECT attempts FROM jobs") == 1
    c.slack.wait_for(lambda: not os.path.exists(home), "its home is removed")


def test_what_a_killed_job_left_in_its_home_is_removed_by_who_takes_over(company):
    c = company()
    c.eksctl.set_pace(create_seconds=2)
    c.serve()
    ask_and_approve(c)
    wait_creating(c, "cluster")
    job, eksctl = job_pids(c)
    home = home_of(eksctl)
    with open(os.path.join(home, "left"), "w", encoding="utf-8") as file:
        file.write("over")
    os.kill(job, signal.SIGKILL)
    assert_whole(c, [CREATE, *REST])
    assert c.database.one("SELECT attempts FROM jobs") == 2
    assert not os.path.exists(home) and not os.path.exists(f"/proc/{eksctl}")


def test_a_process_that_got_the_number_of_a_dead_job_is_let_be(company):
    c = company()
    c.eksctl.set_pace(create_seconds=2)
    c.serve()
    ask_and_approve(c)
    wait_creating(c, "cluster")
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
    other = home.rsplit(".", 1)[0] + ".AAAAAA"  # somebody else's, who lies in wait for the removal
    os.mkdir(other)
    os.chmod(other, 0o777)
    if os.getuid() == 0:
        os.chown(other, 65534, 65534)
    with open(os.path.join(other, "bait"), "w", encoding="utf-8") as file:
        file.write("theirs")
    assert os.path.exists(os.path.join(other, "bait"))
