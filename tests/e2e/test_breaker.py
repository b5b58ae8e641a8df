"""A breaker around AWS that all job processes share: when throttling or credentials fail several jobs,
the others wait instead of failing one by one; people and /readyz hear of it, and one probe closes it."""

import json

FREE = "--nodes 1 --ttl 1h"  # needs nobody's approval
QUICK = {"aws.breaker_jobs": 2, "aws.breaker_wait": "2s", "jobs.parallel": 2}


def ask(c, *names):
    for name in names:
        answer = c.slack.type("U0DEV", "C0GEN", f"create small {name} {FREE}", wait=20)
        assert "on its way" in answer["shown"][0]["text"], answer


def says(c, name, words):
    c.slack.wait_for(lambda: words in c.thread_text(name), f"the thread of {name}: {words}", 40)


def operators(c, words):
    return c.slack.wait_for(lambda: [m["text"] for m in c.slack.messages("C0OPS") if words in m["text"]],
                            f"the operators hear: {words}", 40)


def readyz(c, bot, state):
    def look():
        status, text = bot.get("/readyz")
        page = json.loads(text)
        return status == 200 and page["breakers"]["aws"] == state and page
    return c.slack.wait_for(look, f"/readyz says that AWS is {state}", 40)


def jobs(c, name, column="state"):
    return [row[column] for row in c.database.query(
        f"SELECT j.{column} FROM jobs j JOIN environments e ON e.id = j.environment"
        " WHERE e.name = %s ORDER BY j.id", name)]


def test_throttled_jobs_wait_instead_of_using_up_their_tries(company):
    c = company(options=QUICK, slack_arguments=["--relaxed-limits"])
    c.eksctl.add_fault("create", "throttle", count=1000)
    bot = c.serve()
    ask(c, "one", "two", "three", "four")
    assert len(operators(c, "Several jobs failed alike (eu-central-1)")) == 1
    for name in ("one", "two", "three", "four"):
        says(c, name, "AWS throttles envbot in eu-central-1")
    assert "Rate exceeded" in readyz(c, bot, "open")["aws"]
    c.slack.wait_for(lambda: 'envbot_breaker_state{dependency="aws"} 2' in bot.get("/metrics")[1]
                     or 'envbot_breaker_state{dependency="aws"} 1' in bot.get("/metrics")[1], "the gauge", 20)
    c.slack.wait_for(lambda: c.database.one("SELECT max(probes) FROM circuits") >= 2, "probes fail", 60)
    # no more runs than those that opened it and the probes, and nobody has failed
    probes = c.database.one("SELECT max(probes) FROM circuits")
    assert len(c.eksctl.calls("create")) <= 3 + probes + 1
    ask(c, "late")
    says(c, "late", "AWS throttles envbot in eu-central-1")
    shown = c.slack.type("U0DEV", "C0GEN", "show late", wait=20)["shown"][0]["text"]
    assert "AWS throttles envbot in eu-central-1, so nothing more is begun there" in shown
    c.eksctl.set_pace(faults=[])
    for name in ("one", "two", "three", "four", "late"):
        c.wait_state(name, "ready", seconds=90)
        assert jobs(c, name) == ["done"]
    readyz(c, bot, "closed")
    assert len(operators(c, "AWS answers again (eu-central-1)")) == 1
    assert "AWS throttles" not in str(c.message("late")[2])


def test_credentials_that_fail_hold_all_regions_until_a_probe_is_answered(company):
    c = company(options={**QUICK, "jobs.parallel": 4}, slack_arguments=["--relaxed-limits"])
    bot = c.serve()
    ask(c, "old")
    c.wait_state("old", "ready")
    for command in ("get", "describe-stacks", "create", "delete"):
        c.eksctl.add_fault(command, "expired_token", count=1000)
    ask(c, "one", "two")
    assert "is expired" in operators(c, "AWS does not take envbot's credentials")[0]
    assert "credentials" in readyz(c, bot, "open")["aws"]
    c.slack.type("U0DEV", "C0GEN", f"create small far {FREE} --region eu-west-1")
    c.slack.type("U0DEV", "C0GEN", "delete old")
    for name in ("one", "two", "far", "old"):
        says(c, name, "AWS does not take envbot's credentials")
    # a second bot knows it as well
    readyz(c, c.serve(), "open")
    c.eksctl.set_pace(faults=[])
    for name in ("one", "two", "far"):
        c.wait_state(name, "ready", seconds=60)
        assert jobs(c, name) == ["done"]
    c.wait_state("old", "deleted", seconds=60)
    operators(c, "AWS answers again (all regions)")


def test_a_failure_of_one_job_alone_opens_nothing(company):
    c = company(options=QUICK)
    c.eksctl.add_fault("create", "throttle", count=2, match="payments-one")
    c.serve()
    ask(c, "one")
    c.wait_state("one", "ready", seconds=60)
    assert c.database.one("SELECT count(*) FROM circuits WHERE opened_at IS NOT NULL") == 0
    assert len(c.eksctl.calls("create")) == 3
    assert c.database.one("SELECT count(*) FROM circuit_failures") == 0  # it is forgotten
