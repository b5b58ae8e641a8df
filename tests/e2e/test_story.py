"""The whole story once: ask, approve, watch it come up, mail, extend, delete, report."""


def test_a_cluster_from_the_first_word_to_the_last(company):
    c = company(migrated=False)
    c.serve()

    answer = c.slack.type("U0DEV", "C0GEN", 'create small demo --nodes 3 --reason "try it"')
    assert answer["outcome"] == "acked"
    assert "payments/demo" in answer["shown"][0]["text"]
    assert c.environment_row("demo")["state"] == "pending"

    channel, ts, card = c.message("demo", "card")
    assert channel == "C0PLAT"
    assert "<@U0DEV> asks for *payments/demo*" in str(card["blocks"])
    c.slack.click("U0APPR", channel, ts, "approve")
    c.wait_state("demo", "creating", "ready")

    c.wait_state("demo", "ready")
    c.settle()
    assert [m["to"] for m in c.aws.mails()] == [["developer@example.com"]]
    assert "payments-demo" in c.eksctl.clusters()
    assert len(c.eksctl.calls("create")) == 1
    role = "arn:aws:iam::111122223333:role/payments"
    assert role in c.eksctl.calls("create")[0]["stdin"]
    assert ("aws eks update-kubeconfig --region eu-central-1 --name payments-demo "
            f"--role-arn {role}") in c.thread_text("demo")
    _, _, card = c.message("demo", "card")
    assert "action_id" not in str(card["blocks"])  # the buttons are gone
    assert "*Approved* by <@U0APPR>" in str(card["blocks"])

    answer = c.slack.type("U0DEV", "C0GEN", "extend demo 4h")
    assert "4 h more" in answer["shown"][0]["text"]
    answer = c.slack.type("U0DEV", "C0GEN", "list")
    assert "demo" in str(answer["shown"])

    c.slack.type("U0DEV", "C0GEN", "delete demo")
    c.wait_state("demo", "deleted")
    c.settle()
    assert c.eksctl.clusters() == []
    answer = c.slack.type("U0MGR", "C0GEN", "report")
    assert "payments" in str(answer["shown"])
    assert c.bots[0].stop() == 0
