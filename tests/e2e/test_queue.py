"""Which jobs run when: at most `parallel` in all and `per_region` in each region."""


def ask(company, name, region):
    answer = company.slack.type(
        "U0DEV", "C0GEN", f"create small {name} --nodes 1 --ttl 1h --region {region}")
    assert "on its way" in answer["shown"][0]["text"], answer


def running(company):
    return company.database.query("SELECT region FROM jobs WHERE state = 'running'")


def test_a_full_region_does_not_hold_up_another(company):
    c = company(options={"jobs.parallel": 3, "jobs.per_region": 1})
    c.eksctl.add_fault("create", "hang")
    c.serve()
    c.database.query("UPDATE teams SET environments = 9")
    ask(c, "one", "eu-central-1")
    c.slack.wait_for(lambda: c.eksctl.calls("create"), "the first create hangs")
    for name in ("two", "three", "four", "five"):
        ask(c, name, "eu-central-1")
    ask(c, "other", "eu-west-1")
    c.wait_state("other", "ready")
    assert [row["region"] for row in running(c)] == ["eu-central-1"]
    assert len(c.eksctl.calls("create")) == 2
