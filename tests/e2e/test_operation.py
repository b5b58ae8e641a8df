"""Whoever runs envbot: check, render, the pages of help, exit codes, metrics, what Slack refuses."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from built import built
from company import ROOT, TEAMS
from gate import Gate, Rule

COMMANDS = ("serve", "job", "migrate", "check", "render", "can", "report")


def run(*words, **environment):
    env = {"PATH": os.environ["PATH"], "HOME": "/", **environment}
    return subprocess.run([built("envbot"), *words], text=True, capture_output=True, env=env, timeout=60)


def test_every_command_has_a_page_of_manual():
    everything = run("--help")
    assert everything.returncode == 0 and not everything.stderr
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", everything.stdout, re.M), command
        page = run(command, "--help")
        assert page.returncode == 0 and not page.stderr
        assert page.stdout.startswith(f"Usage: envbot {command}")
        for part in ("Options:", "Files:", "Environment:", "Exit codes:", "Examples:"):
            assert f"\n{part}\n" in page.stdout, (command, part)
        assert max(len(line) for line in page.stdout.splitlines()) <= 100
        assert run("help", command).stdout == page.stdout
    assert re.fullmatch(r"envbot \d+\.\d+\.\d+\n", run("--version").stdout)


def test_used_wrongly_is_exit_code_two_with_what_was_wrong():
    for words, said in [
            ((), "Usage"), (("serv",), "did you mean serve?"),
            (("help", "chek"), "did you mean check?"), (("serve", "now"), "now was not"),
            (("job",), "number of one job"), (("job", "x"), "number of one job"),
            (("check", "--config"), "--config needs a file"), (("render",), "takes a template"),
            (("can", "a", "b"), "USER VERB RESOURCE"), (("report", "--bogus"), "--bogus was not")]:
        wrong = run(*words)
        assert wrong.returncode == 2, words
        assert said in wrong.stderr + wrong.stdout, (words, wrong.stderr)


@pytest.fixture
def checked(company, tmp_path):
    """A company without a bot; checked(change) is what `envbot check` says after the change."""
    c = company()
    templates, rules = tmp_path / "templates", tmp_path / "rules"
    shutil.copytree(c.templates, templates)
    shutil.copytree(c.rules, rules)
    with open(c.config, encoding="utf-8") as file:
        good = file.read().replace(c.templates, str(templates)).replace(c.rules, str(rules))

    def check(change=lambda text: text, **environment):
        with open(c.config, "w", encoding="utf-8") as file:
            file.write(change(good))
        env = {**c.environment(), **environment}
        done = subprocess.run([built("envbot"), "check", "--config", c.config], text=True, timeout=60,
                              capture_output=True, env=env)
        return done.returncode, done.stdout + done.stderr

    check.company, check.templates, check.rules = c, templates, rules
    return check


def test_check_says_every_error_at_once_each_with_its_place_and_remedy(checked):
    code, said = checked()
    assert code == 0 and "WRONG" not in said, said
    for part in ("configuration", "templates of environments", "messages and mail", "access rules",
                 "database", "Slack", "eksctl"):
        assert re.search(rf"^ok +.*{part}", said, re.M), part

    # Everything is wrong, and all of it is told in one go.
    def spoil(text):
        text = text.replace("mail:\n", "mail:\n  form: x@example.com\n")
        text = text.replace("  lease: 4s", "  lease: soon\n  launcher: docker")
        text = text.replace("  listen: 127.0.0.1:0", "  listen: 127.0.0.1")
        return text.replace("  path: " + checked.company.eksctl.program, "  path: /no/such/eksctl")

    small = checked.templates / "environments" / "small.yaml"
    small.write_text(small.read_text().replace("${nodes}", "${nods}", 1)
                     .replace("description:", "descripton:"))
    (checked.templates / "slack" / "ready.yaml").write_text("text: [\n")
    (checked.templates / "slack" / "gone.yaml").write_text('# words\ntext: "${nmae} is gone"\n')
    (checked.templates / "mail" / "gone.yaml").unlink()
    team = checked.rules / "team-payments.yaml"
    team.write_text(team.read_text().replace("envbot-approver", "envbot-aprover"))
    code, said = checked(spoil, ENVBOT_DATABASE_URL="postgresql://127.0.0.1:1/none",
                         SLACK_BOT_TOKEN="xoxb-wrong")
    assert code == 1
    for pattern in (
            r"envbot\.yaml:\d+: .*form.*from",           # an unknown key, and the nearest
            r"envbot\.yaml:\d+: .*lease.*soon",          # a bad duration
            r"envbot\.yaml:\d+: .*docker.*local",        # none of what there is
            r"http\.listen .*127\.0\.0\.1. is no address",
            r"small\.yaml:\d+: .*nods.*nodes",           # a hole that nothing fills
            r"small\.yaml:\d+: .*descripton.*description",
            r"ready\.yaml:\d+",                          # YAML that is none
            r"slack/gone\.yaml:2: .*nmae.*name",
            r"mail/gone\.yaml is missing",
            r"team-payments\.yaml:\d+: .*envbot-aprover",
            r"PostgreSQL cannot be reached",
            r"auth\.test.*invalid_auth|token",
            r"install eksctl, or set eksctl\.path"):
        assert re.search(pattern, said), (pattern, said)
    assert "xoxb-wrong" not in said

    code, said = checked(SLACK_BOT_TOKEN="", SLACK_APP_TOKEN="")
    assert code == 1 and "set SLACK_APP_TOKEN" in said
    code, said = checked(SLACK_BOT_TOKEN="xapp-1-A0ENVBOT-1-test", SLACK_APP_TOKEN="xoxb-1-test")
    assert code == 1 and "each other's place" in said
    code, said = checked(SLACK_APP_TOKEN="xapp-1-A0ENVBOT-1-wrong")
    assert code == 1 and "the app's token: " in said and "Basic Information" in said
    code, said = checked(lambda text: text.partition("teams:")[0])
    assert code == 1 and "teams: there is none" in said
    code, said = checked(lambda text: "slack: [unclosed\n")
    assert code == 1 and re.search(r"envbot\.yaml:\d+", said), said
    os.remove(checked.company.config)
    nowhere = run("check", ENVBOT_DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert nowhere.returncode == 1 and "there is no /etc/envbot/envbot.yaml" in nowhere.stdout
    missing = checked.company.run("check")
    assert missing.returncode == 1 and "envbot.yaml" in missing.stdout


def test_render_makes_a_cluster_config_that_eksctl_takes(company):
    c = company()
    for name in ("auto", "fargate", "gpu", "small", "standard"):
        done = c.run("render", name)
        assert done.returncode == 0, done.stderr
        config = yaml.safe_load(done.stdout)
        taken = subprocess.run([c.eksctl.program, "create", "cluster", "-f", "-", "--dry-run"],
                               input=done.stdout, text=True, capture_output=True, timeout=60,
                               env=c.environment())
        assert taken.returncode == 0, (name, taken.stderr)
        assert config["metadata"]["version"] == "1.34"  # a text, not a number
    config = yaml.safe_load(c.run("render", "standard", "nodes=4", "spot=yes").stdout)
    group = config["managedNodeGroups"][0]
    assert group["desiredCapacity"] == 4 and group["spot"] is True
    for words, said in [(("smal",), "did you mean small?"), (("small", "nods=2"), "nodes"),
                        (("small", "nodes=many"), "whole number"), (("small", "nodes"), "key=value")]:
        wrong = c.run("render", *words)
        assert wrong.returncode == 2 and said in wrong.stderr, (words, wrong.stderr)


def metric(page, name, **labels):
    """The value of one line of a Prometheus page; None when it is not there."""
    for line in page.splitlines():
        found = re.fullmatch(rf"{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and dict(re.findall(r'(\w+)="([^"]*)"', found.group(1) or "")) == labels:
            return float(found.group(2))
    return None


def test_what_takes_long_to_count_is_counted_less_often(company):
    c = company()
    gate, asked = Gate.of(c, TEAMS), []
    try:
        slow = gate.before("envbot clock", "GROUP BY kind, state")
        gate.asked += [Rule("envbot", lambda sql, _, part=part: part in sql and asked.append(part))
                       for part in ("GROUP BY kind, state", "report->'findings'", "lease_until < now()")]
        c.serve(wait=False)
        slow.wait("it counts what is alive")
        c.slack.wait_for(lambda: asked.count("lease_until < now()") > 3, "three seconds pass", 60)
        slow.open.set()
        before = asked.count("report->'findings'")
        c.slack.wait_for(lambda: asked.count("report->'findings'") >= before + 4, "it looks at the rest", 120)
        assert asked.count("GROUP BY kind, state") == 1, asked
    finally:
        gate.close()


def test_after_the_databases_clock_was_set_back_all_goes_on_as_the_page_says(company):
    c = company()
    c.serve()
    c.slack.type("U0DEV2", "C0GEN", "pause until the clock is right", wait=20)
    c.slack.type("U0DEV", "C0GEN", "create small demo --nodes 1 --ttl 2h", wait=20)
    c.settle(60)
    # As a queue of before looks to a clock that shows three hours less.
    c.database.query("UPDATE jobs SET not_before = not_before + interval '3 hours'")
    c.database.query("INSERT INTO outbox (kind, conversation, environment, place, template, due_at)"
                     " SELECT 'redraw', 'env:' || id, id, 'message', 'message', now() + interval '3 hours'"
                     " FROM environments")
    c.slack.type("U0DEV2", "C0GEN", "resume", wait=20)
    with open(os.path.join(ROOT, "bot", "jobs", "OPERATING.md"), encoding="utf-8") as file:
        said = re.findall(r"^    (UPDATE .*;)$", file.read(), re.M)
    assert len(said) == 2
    for statement in said:
        c.database.query(statement)
    c.wait_state("demo", "ready", seconds=90)
    c.settle(60)
    assert c.database.one("SELECT attempts FROM jobs") == 1 and c.eksctl.clusters() == ["payments-demo"]


def test_health_readiness_and_metrics_tell_what_goes_on(company):
    c = company()
    bot = c.serve()
    assert bot.get("/healthz")[0] == 200 and bot.get("/readyz")[0] == 200
    c.slack.type("U0DEV", "C0GEN", "create small run --nodes 1 --ttl 2h", wait=20)
    c.slack.type("U0DEV", "C0GEN", "create small wait", wait=20)
    c.slack.type("U0DEV", "C0GEN", "frobnicate", wait=20)
    c.wait_state("run", "ready", seconds=60)
    c.settle(30)
    page = c.slack.wait_for(
        lambda: (p := bot.get("/metrics")[1]) and metric(
            p, "envbot_job_seconds_count", kind="create") == 1 and p, "the job is counted", 30)
    assert metric(page, "envbot_environments", state="ready", team="payments") == 1
    assert metric(page, "envbot_environments", state="pending", team="payments") == 1
    assert metric(page, "envbot_envelopes_total", type="slash_commands", result="ok") == 2
    assert metric(page, "envbot_envelopes_total", type="slash_commands", result="refused") == 1
    assert metric(page, "envbot_ack_seconds_count") == 3
    assert metric(page, "envbot_slack_connections") == 2
    assert metric(page, "envbot_breaker_state", dependency="slack") == 0
    assert metric(page, "envbot_outbox_delay_seconds_count") > 3
    for kind in ("say", "redraw", "mail"):
        assert metric(page, "envbot_outbox_pending", kind=kind) is not None
    assert metric(page, "envbot_job_seconds_sum", kind="create") > 0
    for name in re.findall(r"^# TYPE (\w+)", page, re.M):
        assert page.count(f"# HELP {name} ") == 1

    c.eksctl.hold("delete")
    c.slack.type("U0DEV", "C0GEN", "delete run", wait=20)
    c.slack.wait_for(lambda: metric(bot.get("/metrics")[1], "envbot_jobs", kind="delete",
                                    state="running") == 1, "the running job is counted", 40)
    assert bot.stop() == 0


@pytest.mark.parametrize("error, words", [("invalid_auth", "xapp-"), ("not_allowed_token_type", "")])
def test_what_slack_refuses_for_good_ends_the_start_with_a_clear_sentence(company, error, words):
    c = company()
    c.slack.fault("apps.connections.open", "error", error=error, count=100)
    bot = c.serve(wait=False)
    assert bot.process.wait(30) == 1
    last = [line for line in bot.log().splitlines() if "level=error" in line][-1]
    assert "Slack" in last and words in last, last
    assert "xapp-1" not in bot.log() and "xoxb-1" not in bot.log()


def test_a_token_that_is_revoked_later_makes_it_unready(company):
    c = company()
    bot = c.serve()
    c.slack.fault("apps.connections.open", "error", error="token_revoked", count=1000)
    c.slack.connect("drop")

    def unready():
        status, text = bot.get("/readyz")
        return status == 503 and text
    text = c.slack.wait_for(unready, "/readyz says no", 40)
    assert '"ready":false' in text and "reason" in text
