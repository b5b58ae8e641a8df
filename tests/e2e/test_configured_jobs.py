"""What a job decides and says follows the configuration, as what the serving process does."""


def test_a_warning_comes_when_the_configuration_says_so(company):
    c = company(options={"limits.warn_before": "[58s]"})
    c.serve()
    c.slack.type("U0DEV", "C0GEN", "create small demo --ttl 60s")
    c.message("demo", "card", 60)
    c.approve("demo")
    c.wait_state("demo", "ready", seconds=60)
    c.slack.wait_for(lambda: ":alarm_clock:" in c.thread_text("demo"), "the warning", 50)
    assert "*payments/demo* ends in" in c.thread_text("demo")


def test_ready_names_the_command_that_the_workspace_has(company):
    c = company(options={"slack.command": "/cluster"}, slack_arguments=["--command", "/cluster"])
    c.serve()
    c.slack.type("U0DEV", "C0GEN", "create small demo")
    c.message("demo", "card", 60)
    c.approve("demo")
    c.wait_state("demo", "ready", seconds=60)
    c.settle(60)
    assert "/cluster extend demo 4h" in c.aws.mails()[0]["text"]
    assert "/env" not in c.thread_text("demo") + str(c.aws.mails())
