"""Whatever happens to a job's process, its PostgreSQL or its eksctl: nobody works on a job whose lease
may be another's, and what hangs is ended."""

import os
import shutil
import signal

import pytest

from company import ROOT, TEAMS
from gate import Gate
from test_crash import job_pids

FREE = "create small demo --nodes 1 --ttl 2h"


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_dead(c, pid, what, seconds=30):
    c.slack.wait_for(lambda: not alive(pid), what, seconds)


def job(c):
    return c.database.query("SELECT *, lease_until > clock_timestamp() AS held FROM jobs"
                            " ORDER BY id LIMIT 1")[0]


def begin(c):
    """A creation that takes its time until finish(): its job's process and its eksctl."""
    c.eksctl.set_pace(create_seconds=600)
    held = c.eksctl.hold("create", phase="control-plane")
    c.serve()
    c.slack.type("U0DEV", "C0GEN", FREE)
    held.wait("eksctl is at work")
    c.eksctl.set_pace(create_seconds=1)  # whoever goes on with it
    return job_pids(c)


def test_when_postgresql_hangs_eksctl_is_ended_before_the_lease_runs_out(company):
    c = company()
    gate = Gate.of(c, TEAMS)
    try:
        _, eksctl = begin(c)
        held = gate.before("envbot job", "UPDATE jobs SET lease_until")
        held.wait("a renewal hangs")
        wait_dead(c, eksctl, "eksctl is ended")
        assert job(c)["held"], "the lease ran out first"
        gate.lift()
        c.eksctl.finish()
        c.wait_state("demo", "ready", seconds=90)
        assert c.eksctl.calls("create") and len(c.eksctl.calls("create")) == 1
    finally:
        gate.close()


def test_who_is_slow_to_begin_keeps_no_other_job_from_being_claimed(company):
    c = company(options={"jobs.lease": "90s", "jobs.heartbeat": "10s"})
    gate = Gate.of(c, TEAMS)
    try:
        c.serve()
        slow = gate.before("envbot job", "FROM environments e WHERE e.id = $1")
        c.slack.type("U0DEV", "C0GEN", FREE)
        slow.wait("a job was claimed, and its process is slow")
        gate.asked = []  # those that come after it are not
        c.slack.type("U0DEV", "C0GEN", "create small quick --nodes 1 --ttl 2h")
        c.wait_state("quick", "ready", seconds=90)
        assert (job(c)["state"], job(c)["fence"]) == ("running", 1)
        assert c.environment_row("demo")["state"] == "queued"
        gate.cut("envbot job")  # it goes on with another connection
        c.wait_state("demo", "ready", seconds=90)
        assert job(c)["attempts"] == 1 and len(c.eksctl.calls("create")) == 2
    finally:
        gate.close()


def test_a_frozen_process_learns_that_it_lost_the_lease_and_changes_nothing_more(company):
    c = company()
    process, eksctl = begin(c)
    os.kill(process, signal.SIGSTOP)
    wait_dead(c, eksctl, "eksctl is ended beside the frozen process")
    # As if it were on another host, where nobody can end it.
    c.database.query("UPDATE jobs SET lease_owner = 'elsewhere:1:1'")
    c.slack.wait_for(lambda: job(c)["fence"] == 2, "another has taken over", 30)
    c.eksctl.finish()
    old = "SELECT count(*) FROM job_log WHERE number < 2000000"
    before = c.database.one(old)
    os.kill(process, signal.SIGCONT)
    wait_dead(c, process, "the frozen one has learnt it and has ended")
    c.wait_state("demo", "ready", seconds=90)
    assert c.database.one(old) == before
    assert job(c)["attempts"] == 2
    assert c.eksctl.changes("payments-demo") == ["create cluster", "create addon",
                                                 "create nodegroup"]


def test_eksctl_does_not_outlive_its_job(company):
    c = company(options={"jobs.lease": "60s", "jobs.heartbeat": "2s"})
    process, eksctl = begin(c)
    os.kill(process, signal.SIGKILL)
    wait_dead(c, eksctl, "eksctl is ended with it, long before the lease runs out")
    assert job(c)["held"]


def test_an_eksctl_without_stdout_is_watched_to_its_end(company):
    c = company()
    c.eksctl.set_pace(create_seconds=6)
    c.eksctl.add_fault("create", "mute")
    c.serve()
    c.slack.type("U0DEV", "C0GEN", FREE)
    c.wait_state("demo", "ready", seconds=60)
    assert job(c)["attempts"] == 1 and job(c)["fence"] == 1  # the lease was kept all the while
    assert c.eksctl.changes("payments-demo") == ["create cluster"]


def test_what_hangs_in_one_step_is_ended_and_what_it_left_is_gone_on_with(company):
    c = company(options={"jobs.phase": "4s"})
    c.eksctl.add_fault("create", "stubborn", phase="addons")
    c.serve()
    c.slack.type("U0DEV", "C0GEN", FREE)
    c.wait_state("demo", "ready", seconds=60)
    assert c.eksctl.changes("payments-demo") == ["create cluster", "create addon",
                                                 "create nodegroup"]
    assert job(c)["attempts"] == 1
    assert c.database.one("SELECT count(*) FROM job_log WHERE line LIKE '%%longer than 4 s%%'") == 1


@pytest.fixture
def large(tmp_path):
    """Templates of which one becomes a ClusterConfig that no pipe holds."""
    folder = tmp_path / "templates"
    shutil.copytree(os.path.join(ROOT, "templates"), folder)
    with open(folder / "environments" / "small.yaml", "a", encoding="utf-8") as file:
        file.write(f"  addons: [{{name: vpc-cni, configurationValues: \"{'x' * 200000}\"}}]\n")
    return str(folder)


def test_an_eksctl_that_does_not_read_its_configuration_is_ended_all_the_same(company, large):
    c = company(options={"jobs.phase": "3s"}, templates=large)
    c.eksctl.set_pace(deaf=1)
    c.serve()
    c.slack.type("U0DEV", "C0GEN", FREE)
    c.wait_state("demo", "ready", seconds=60)
    whole = [call["stdin"] for call in c.eksctl.calls("create")]
    assert len(whole) == 1 and "x" * 200000 in whole[0]
