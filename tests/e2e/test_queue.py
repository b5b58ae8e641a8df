"""Which jobs run when: teams take turns, at most `parallel` run in all, `per_region` in each region and
`per_team` for each team; who waits sees their place, and how long it usually takes."""

FREE = "--nodes 1 --ttl 1h"  # needs nobody's approval


def say(company, user, text):
    return company.slack.type(user, "C0GEN", text, wait=20)["shown"][0]["text"]


def ask(company, name, user="U0DEV", more=""):
    answer = say(company, user, f"create small {name} {FREE} {more}")
    assert "on its way" in answer, answer


def pause(company):
    assert "Provisioning is paused" in say(company, "U0DEV2", "pause until the queue is filled")


def jobs(company, state):
    """The names of environments whose job is in that state, in the order of their starts."""
    return [row["name"] for row in company.database.query(
        "SELECT e.name FROM jobs j JOIN environments e ON e.id = j.environment"
        " WHERE j.state = %s ORDER BY j.started_at, j.id", state)]


def running(company, count):
    company.slack.wait_for(lambda: len(jobs(company, "running")) == count, f"{count} jobs run", 30)
    return sorted(jobs(company, "running"))


def message_says(company, name, words):
    return company.slack.wait_for(lambda: words in str(company.message(name)[2]["blocks"]),
                                  f"the message of {name} says “{words}”", 30)


def test_a_full_region_does_not_hold_up_another(company):
    c = company(options={"jobs.parallel": 3, "jobs.per_region": 1})
    c.eksctl.add_fault("create", "hang")
    c.serve()
    c.database.query("UPDATE teams SET environments = 9")
    ask(c, "one", more="--region eu-central-1")
    c.slack.wait_for(lambda: c.eksctl.calls("create"), "the first create hangs")
    for name in ("two", "three", "four", "five"):
        ask(c, name, more="--region eu-central-1")
    ask(c, "other", more="--region eu-west-1")
    c.wait_state("other", "ready")
    assert jobs(c, "running") == ["one"]
    assert len(c.eksctl.calls("create")) == 2
    assert "It is the next one: 1 job runs in eu-central-1, as many" in say(c, "U0DEV", "show two")


def test_teams_take_turns_and_who_waits_sees_the_place(company):
    c = company(options={"jobs.parallel": 1}, slack_arguments=["--relaxed-limits"])
    c.eksctl.set_pace(create_seconds=0.2)
    c.serve()
    c.database.query("UPDATE teams SET environments = 30")
    assert "A new cluster takes 15 to 25 minutes" in took(c)
    finished(c, [14.5, 14.5, 15, 16, 17.2, 19])
    pause(c)
    for name in ("p0", "p1", "p2", "p3"):
        ask(c, name)
    for name in ("s0", "s1"):
        ask(c, name, "U0MGR")
    c.eksctl.add_fault("create", "hang", match="search-s0")
    say(c, "U0DEV2", "resume")
    assert running(c, 1) == ["s0"]  # payments had a turn before
    for place, name in ((1, "p0"), (2, "s1"), (3, "p1"), (4, "p2"), (5, "p3")):
        words = (f"It is number {place} in the queue; 1 job runs" if place > 1 else
                 "It is the next one: 1 job runs, as many as may at once")
        message_says(c, name, words)
        answer = say(c, "U0MGR" if name[0] == "s" else "U0DEV", f"show {name}")
        assert words in answer and "It usually takes 14 to 18 minutes" in answer, answer
    # what costs already goes before what is new
    c.database.query("UPDATE jobs SET started_at = now() WHERE id = (SELECT max(id) FROM jobs"
                     " WHERE team = 'payments')")
    assert "It is the next one" in say(c, "U0DEV", "show p3")
    say(c, "U0MGR", "delete s0")
    c.slack.wait_for(lambda: len(jobs(c, "done")) == 8, "all is done", 60)
    order = [row["name"] for row in c.database.query(
        "SELECT e.name, coalesce((SELECT min(at) FROM audit a WHERE a.environment = e.id"
        "  AND event = 'start'), e.created_at) AS at FROM environments e"
        " WHERE name ~ '^[ps][0-9]$' ORDER BY at")]
    assert order == ["s0", "p3", "p0", "s1", "p1", "p2"], order  # search's turn before p0: deleting s0


def took(company):
    held = company.eksctl.hold("create")
    ask(company, "first")
    text = say(company, "U0DEV", "show first")
    held.lift()
    company.wait_state("first", "ready")
    say(company, "U0DEV", "delete first")
    company.wait_state("first", "deleted")
    company.database.query("UPDATE environments SET ready_at = NULL")
    return text


def finished(company, minutes):
    """Environments of the template that were made in so many minutes, the last of them just now."""
    for each in minutes:
        company.database.query(
            "INSERT INTO environments (team, name, cluster, region, owner_workspace, owner_id, owner_name,"
            " template, template_copy, parameters, state, ttl_seconds, started_at, ready_at, ended_at,"
            " nodes, vcpus, gpus, hourly_usd, monthly_usd) SELECT 'payments', 'past', 'past',"
            " 'eu-central-1', 'T0ACME', 'U0DEV', 'developer', 'small', '{}', '{}', 'deleted', 3600,"
            " now() - make_interval(secs => %s), now(), now(), 1, 2, 0, 0.1, 90", each * 60)


def test_one_team_leaves_room_for_the_others(company):
    c = company(options={"jobs.parallel": 4, "jobs.per_team": 2})
    c.eksctl.set_pace(create_seconds=600)
    c.serve()
    for name in ("p0", "p1", "p2"):
        ask(c, name)
    assert running(c, 2) == ["p0", "p1"]
    ask(c, "s0", "U0MGR")
    assert running(c, 3) == ["p0", "p1", "s0"]
    assert "It is the next one: 2 jobs run for payments, as many" in say(c, "U0DEV", "show p2")
