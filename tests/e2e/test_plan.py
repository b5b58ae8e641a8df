"""What people see while a job runs: honest times, what comes next, and when something takes long."""

import json
import os
import signal

from test_crash import job_pids, stands_creating

FREE = "--nodes 1 --ttl 2h"


def plan(c, name):
    row = c.environment_row(name)
    return {task["id"]: task for task in (row["plan"] or {"tasks": []})["tasks"]}


def test_the_plan_tells_times_and_says_when_a_step_takes_unusually_long(company):
    c = company(options={"jobs.phase": "10m"})
    c.eksctl.set_pace(create_seconds=3)
    c.serve()
    c.slack.type("U0DEV", "C0GEN", f"create small first {FREE}")
    c.wait_state("first", "ready", seconds=60)
    # What it took is kept, and is what the next one is told (three are enough to know it).
    kept = c.database.one("SELECT result->'phases' FROM jobs")
    assert kept["control-plane"] >= 1 and set(kept) <= {"prepare", "control-plane", "addons", "nodes",
                                                       "finish"}
    assert plan(c, "first")["control-plane"]["details"].startswith("took ")
    c.database.query("INSERT INTO jobs (environment, kind, region, state, result, team) SELECT"
                     " environment, kind, region, state, result, team FROM jobs,"
                     " generate_series(1, 2)")
    c.eksctl.add_fault("create", "hang", phase="nodegroup")
    c.slack.type("U0DEV", "C0GEN", f"create small second {FREE}")
    told = c.slack.wait_for(lambda: [m for m in c.thread_text("second").splitlines()
                                     if "longer than usual" in m], "it is said once", 60)
    assert len(told) == 1 and "“Start the nodes” has taken" in told[0] and "10 min" in told[0]
    running = plan(c, "second")
    assert running["control-plane"]["details"].startswith("took ")
    assert running["nodes"]["status"] == "in_progress"
    assert running["nodes"]["details"].startswith("since ") and "usually" in running["nodes"]["details"]
    shown = json.dumps(c.slack.type("U0DEV", "C0GEN", "show second", wait=20)["shown"])
    assert "Now: Start the nodes (since " in shown and "Next: Wait until all is ready." in shown
    assert "usually" in json.dumps(c.message("second")[2])
    c.slack.type("U0DEV", "C0GEN", "delete second", wait=20)
    c.wait_state("second", "deleted", seconds=60)


def test_while_a_step_lasts_its_message_keeps_still(company):
    c = company(options={"jobs.phase": "10m"})
    _, held = stands_creating(c)
    c.slack.wait_for(lambda: plan(c, "demo")["control-plane"]["status"] == "in_progress",
                     "the plan is at the control plane", 60)
    c.settle(60)
    before = len(c.slack.calls("chat.update"))
    renewed = set()
    c.slack.wait_for(lambda: renewed.add(c.database.one("SELECT lease_until FROM jobs")) or len(renewed) > 4,
                     "its lease is renewed again and again", 60)
    c.settle(60)
    assert len(c.slack.calls("chat.update")) == before
    held.lift()
    c.wait_state("demo", "ready", seconds=90)
    c.settle(60)
    # A step, an update: of five, and one that says that it is ready.
    assert before < len(c.slack.calls("chat.update")) <= before + 6


def test_who_takes_over_keeps_what_was_done(company):
    c = company(options={"jobs.phase": "10m"})
    _, held = stands_creating(c, "nodegroup")
    before = c.slack.wait_for(lambda: (now := plan(c, "demo"))["nodes"]["status"] == "in_progress" and now,
                              "the plan is at the nodes", 60)
    looks = c.eksctl.hold("get")
    job, _ = job_pids(c)
    os.kill(job, signal.SIGKILL)
    looks.wait("who takes over looks what there is")
    assert c.database.one("SELECT attempts FROM jobs") == 2
    assert plan(c, "demo") == before
    held.lift()
    looks.lift()
    c.wait_state("demo", "ready", seconds=90)
    kept = c.database.one("SELECT result->'phases' FROM jobs")
    assert {"prepare", "control-plane"} <= set(kept), kept


def test_who_creates_anew_begins_the_plan_anew(company):
    c = company(options={"jobs.phase": "10m"})
    _, held = stands_creating(c, "nodegroup")
    c.slack.wait_for(lambda: plan(c, "demo")["nodes"]["status"] == "in_progress", "it is at the nodes", 60)
    looks = c.eksctl.hold("get")
    job, _ = job_pids(c)
    os.kill(job, signal.SIGKILL)
    looks.wait("who takes over looks what there is")
    c.eksctl.remove("payments-demo")
    again = c.eksctl.hold("create", phase="control-plane")
    looks.lift()
    again.wait("it is created anew")
    c.slack.wait_for(lambda: (now := plan(c, "demo"))["control-plane"]["status"] == "in_progress"
                     and now["nodes"]["status"] == "pending", "the plan is at the control plane", 60)
    held.lift()
    again.lift()
    c.wait_state("demo", "ready", seconds=90)


def test_logs_show_the_lines_that_matter_and_give_the_whole_as_a_file(company):
    c = company()
    reason = 'AWS::EKS::Nodegroup/X: CREATE_FAILED – "VcpuLimitExceeded"'
    c.eksctl.add_fault("create", "fail", phase="nodegroup", reason=reason)
    c.serve()
    c.slack.type("U0DEV", "C0GEN", f"create small broken {FREE}")
    c.slack.wait_for(lambda: (c.environment_row("broken") or {}).get("ended_at"), "cleaned up", 60)
    text = c.slack.type("U0DEV", "C0GEN", "logs broken", wait=20)["shown"][0]["text"]
    # The cleaning up came last, but what people want to know is why it failed.
    assert "VcpuLimitExceeded" in text and "waiting for CloudFormation stack" not in text
    whole = c.slack.wait_for(
        lambda: [f for m in c.slack.direct("U0DEV") for f in m.get("files", [])], "the file comes")
    assert "payments-broken" in str(whole)
