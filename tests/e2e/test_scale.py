"""Another number of nodes: asked for, done by eksctl, seen to be done."""


def ask(c, user, text):
    answer = c.slack.type(user, "C0GEN", text, wait=20)
    assert answer["outcome"] == "acked" and len(answer["shown"]) == 1, answer
    return answer["shown"][0]["text"]


def said(c, name, words, seconds=40):
    return c.slack.wait_for(lambda: words in c.thread_text(name) and c.thread_text(name),
                            f"“{words}” is said of {name}", seconds)


def ready(c, name, nodes=None, seconds=60):
    return c.slack.wait_for(
        lambda: (row := c.environment_row(name)) and row["state"] == "ready"
        and nodes in (None, row["nodes"]) and row, f"{name} is ready with {nodes} nodes", seconds)


def scale_flags(c):
    return [" ".join(call["argv"]) for call in c.eksctl.calls("scale")]


def test_an_environment_is_scaled_and_says_so(company):
    c = company()
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 1 --ttl 3h")
    c.approve("demo")
    before = ready(c, "demo")

    # What does not fit is refused with what would, and nothing happens.
    for words, refusal in (
            ("scale demo", "Say which and how many nodes: `/env scale NAME 3`"),
            ("scale demo 999", "nodes goes from 1 to 5; 999 is outside"),
            ("scale demo some", "nodes is a whole number, not “some”"),
            ("scale demo 1", "demo has 1 node already")):
        assert refusal in ask(c, "U0DEV", words), words
    assert "do not let you" in ask(c, "U0BYST", "scale demo 2")
    c.database.query("UPDATE teams SET nodes = 3 WHERE name = 'payments' RETURNING 1")
    refused = ask(c, "U0DEV", "scale demo 4")
    assert "it has 1 of 3 nodes in use, and this takes 3 more" in refused, refused
    assert not scale_flags(c)

    # Up: reserved at once, and the owner may go on with other things.
    held = c.eksctl.hold("scale")
    assert "goes from 1 to 3 nodes" in ask(c, "U0DEV", "scale demo 3")
    row = c.environment_row("demo")
    assert (row["state"], row["nodes"], row["parameters"]["nodes"]) == ("changing", 3, 1)
    assert "demo is being changed right now" in ask(c, "U0DEV", "scale demo 2")
    assert "has 1 h more" in ask(c, "U0DEV", "extend demo 1h")
    assert "is being changed" in ask(c, "U0DEV", "list")
    held.lift()
    row = ready(c, "demo", 3)
    assert row["parameters"]["nodes"] == 3 and row["change"] is None
    assert c.eksctl.sizes("payments-demo") == {"main": (3, 3, 3)}
    assert scale_flags(c) == [
        "scale nodegroup --cluster payments-demo --region eu-central-1 --name main --nodes 3 "
        "--nodes-min 3 --nodes-max 3 --wait --timeout 65m -C false"]
    assert row["monthly_usd"] > before["monthly_usd"] and row["vcpus"] == 3 * before["vcpus"]
    assert row["expires_at"] > before["expires_at"]
    story = said(c, "demo", "now has 3 nodes")
    assert "changes its size from 1 to 3 nodes" in story
    assert "3 of 3` nodes" in ask(c, "U0DEV", "quota payments")
    shown = ask(c, "U0DEV", "show demo")
    assert "is ready" in shown and "Nodes 3" in shown
    assert "changed its number of nodes from 1 to 3" in ask(c, "U0MGR", "audit demo")

    # Down: the old size counts until the new one was seen.
    held = c.eksctl.hold("scale")
    ask(c, "U0DEV", "scale demo 1")
    assert c.environment_row("demo")["nodes"] == 3
    held.lift()
    ready(c, "demo", 1)
    assert c.eksctl.sizes("payments-demo") == {"main": (1, 1, 1)}


def test_a_change_that_fails_leaves_what_was_seen(company):
    c = company()
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 1 --ttl 3h")
    c.approve("demo")
    ready(c, "demo")
    c.eksctl.add_fault("scale", "fail", reason="You have requested more vCPU capacity than your current "
                       "vCPU limit of 32 allows for the instance bucket")
    ask(c, "U0DEV", "scale demo 4")
    story = said(c, "demo", "did not succeed")
    row = ready(c, "demo", 1)
    assert "<@U0DEV>" in story and "it is ready" in story and "vCPU quota" in story
    assert row["parameters"]["nodes"] == 1 and "vCPU quota" in row["cause"]
    assert c.eksctl.sizes("payments-demo") == {"main": (1, 1, 1)}
    assert len(scale_flags(c)) == 1

    # Killed in the middle, it goes on in AWS: that is waited for, and not begun again.
    c.eksctl.set_pace(change_seconds=3)
    c.eksctl.add_fault("scale", "crash", phase="wait")
    ask(c, "U0DEV", "scale demo 2")
    row = ready(c, "demo", 2)
    assert row["cause"] is None and len(scale_flags(c)) == 2

    # What passes is tried again, and said.
    c.eksctl.set_pace(change_seconds=0.2)
    c.eksctl.add_fault("scale", "throttle")
    ask(c, "U0DEV", "scale demo 4")
    said(c, "demo", "The change did not work yet")
    ready(c, "demo", 4)
    assert len(scale_flags(c)) == 4 and c.eksctl.sizes("payments-demo") == {"main": (4, 4, 4)}

    # Exit code 1, but it is done.
    c.eksctl.add_fault("scale", "exit1_but_done")
    ask(c, "U0DEV", "scale demo 3")
    assert ready(c, "demo", 3) and len(scale_flags(c)) == 5

    # Its time is up in the middle: it is deleted.
    c.eksctl.add_fault("scale", "hang", phase="wait")
    ask(c, "U0DEV", "scale demo 2")
    c.slack.wait_for(lambda: len(scale_flags(c)) == 6, "eksctl runs")
    c.database.query("UPDATE environments SET expires_at = now(), due_at = now() RETURNING 1")
    c.wait_state("demo", "deleted", seconds=60)
    assert c.eksctl.clusters() == []


def test_where_there_are_no_nodes_to_count_it_is_refused(company):
    c = company()
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    for template, words in (("fargate", "its pods run on Fargate"), ("auto", "Auto Mode"),
                            ("gpu --region eu-west-1", "no parameter nodes")):
        name = template.split()[0]
        c.database.query(
            "INSERT INTO environments (team, name, cluster, region, owner_workspace, owner_id,"
            " owner_name, template, template_copy, parameters, state, ttl_seconds, nodes, vcpus, gpus,"
            " hourly_usd, monthly_usd, ready_at, expires_at) SELECT 'payments', %s, 'payments-' || %s,"
            " 'eu-west-1', 'T0ACME', 'U0DEV', 'developer', %s, %s::json, %s::json, 'ready', 3600, 0, 0, 0,"
            " 1, 1, now(), now() + interval '1 hour' RETURNING 1", name, name, name,
            *template_of(c, name))
        refused = ask(c, "U0DEV", f"scale {name} 3")
        assert words in refused, refused


def template_of(c, name):
    import json
    import os

    import yaml
    with open(os.path.join(c.templates, "environments", f"{name}.yaml"), encoding="utf-8") as file:
        tree = yaml.safe_load(file)
    return json.dumps(tree), json.dumps({k: v["default"] for k, v in tree["parameters"].items()})
