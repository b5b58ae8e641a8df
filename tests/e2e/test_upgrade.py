"""The next version of Kubernetes: the control plane first, then the node groups, one after the other."""

from test_scale import ask, ready, said


def upgrades(c, cluster):
    return [" ".join(call["argv"]) for call in c.eksctl.calls("upgrade") if cluster in call["argv"]]


def versions(c, cluster):
    return {s["name"].removeprefix(f"eksctl-{cluster}-"): s["version"]
            for s in c.eksctl.stacks().values() if s["cluster"] == cluster}


def start(company, *wishes):
    c = company()
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    for wish in wishes:
        ask(c, "U0DEV", f"create {wish}")
        name = wish.split()[1]
        if "--nodes 1 " not in wish:
            c.approve(name)
    for wish in wishes:
        ready(c, wish.split()[1])
    return c


def test_the_control_plane_comes_first_and_all_of_it_has_to_have_it(company):
    c = start(company, "small demo --nodes 1 --ttl 2h --set version=1.33")
    for words, refusal in (
            ("upgrade demo", "Say which and to what: `/env upgrade NAME 1.34`"),
            ("upgrade demo 1.35", "version cannot be “1.35”"),
            ("upgrade demo 1.33", "demo has Kubernetes 1.33 already")):
        assert refusal in ask(c, "U0DEV", words), words
    assert "do not let you" in ask(c, "U0BYST", "upgrade demo 1.34")
    assert not upgrades(c, "payments-demo")

    before = c.environment_row("demo")
    assert "from Kubernetes 1.33 to 1.34" in ask(c, "U0DEV", "upgrade demo 1.34")
    c.slack.wait_for(lambda: c.environment_row("demo")["parameters"]["version"] == "1.34", "upgraded", 60)
    row = ready(c, "demo")
    assert versions(c, "payments-demo") == {"cluster": "1.34", "nodegroup-main": "1.34"}
    assert upgrades(c, "payments-demo") == [
        "upgrade cluster --name payments-demo --region eu-central-1 --version 1.34 --approve"
        " --timeout 65m -C false",
        "upgrade nodegroup --cluster payments-demo --region eu-central-1 --name main"
        " --kubernetes-version 1.34 --wait --timeout 65m -C false"]
    assert row["seen"]["version"] == "1.34" and row["monthly_usd"] == before["monthly_usd"]
    assert row["expires_at"] == before["expires_at"]
    story = said(c, "demo", "has Kubernetes 1.34 now")
    assert "upgrades Kubernetes from 1.33 to 1.34" in story
    assert "there is no way back to 1.33" in ask(c, "U0DEV", "upgrade demo 1.33")


def test_what_failed_halfway_goes_on_from_there(company):
    c = start(company, "standard demo --nodes 2 --set version=1.32")
    assert "so 1.33 comes first. Try `/env upgrade demo 1.33`" in ask(c, "U0DEV", "upgrade demo 1.34")
    c.eksctl.add_fault("upgrade", "fail", phase="nodegroup", reason="AWS::EKS::Nodegroup/ManagedNodeGroup: "
                       "UPDATE_FAILED – \"[ErrorDetail(ErrorCode=PodEvictionFailure, ErrorMessage=Reached "
                       "max retries while trying to evict pods from nodes in node group main)]\"")
    ask(c, "U0DEV", "upgrade demo 1.33")
    story = said(c, "demo", "did not succeed; it is ready")
    assert "a pod disruption budget keeps them there" in story
    row = ready(c, "demo")
    assert row["parameters"]["version"] == "1.32" and row["seen"]["version"] == "1.33"
    assert versions(c, "payments-demo") == {"cluster": "1.33", "nodegroup-main": "1.32"}

    # Again: what has the version is left alone. Killed, it goes on in AWS and is waited for.
    c.eksctl.set_pace(change_seconds=2)
    c.eksctl.add_fault("upgrade", "crash", phase="nodegroup")
    ask(c, "U0DEV", "upgrade demo 1.33")
    said(c, "demo", "has Kubernetes 1.33 now")
    assert versions(c, "payments-demo") == {"cluster": "1.33", "nodegroup-main": "1.33"}
    assert [words.split()[1] for words in upgrades(c, "payments-demo")] == ["cluster", "nodegroup",
                                                                           "nodegroup"]
    assert c.environment_row("demo")["cause"] is None
    # It can be deleted afterwards: a stack that was rolled back to what it was is no ruin.
    ask(c, "U0DEV", "delete demo")
    c.wait_state("demo", "deleted", seconds=60)


def test_without_node_groups_it_is_the_control_plane_alone(company):
    c = start(company, "fargate pods --set version=1.33")
    ask(c, "U0DEV", "upgrade pods 1.34")
    said(c, "pods", "has Kubernetes 1.34 now")
    assert [words.split()[1] for words in upgrades(c, "payments-pods")] == ["cluster"]
    assert "its pods run on Fargate" in ask(c, "U0DEV", "sleep pods")
    assert "its pods run on Fargate" in ask(c, "U0DEV", "scale pods 2")
