"""The access rules are read again when their files change; what cannot be read leaves the old ones
in force, and the operators are told once."""

import os
import shutil

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

BYSTANDER_APPROVES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: bystanders, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-approver}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0BYST"}
"""


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rbac"
    shutil.copytree(os.path.join(ROOT, "deploy", "rbac"), folder)
    return folder


def version(bot):
    """The one that holds, as the metrics say it."""
    for line in bot.get("/metrics")[1].splitlines():
        if line.startswith("envbot_rules{") and line.endswith(" 1"):
            return line.split('"')[1]
    return None


def becomes_another(c, bot, before):
    return c.slack.wait_for(lambda: version(bot) not in (None, before) and version(bot),
                            "the rules that hold are others", 30)


def told(c, words, count=1):
    """What the operators are told with these words in it, when it is so much."""
    return c.slack.wait_for(
        lambda: len(found := [m["text"] for m in c.slack.messages("C0OPS")
                              if words in m["text"]]) == count and found,
        f"the operators are told “{words}” {count} times", 30)


def may_approve(c, user="U0BYST"):
    shown = c.slack.type(user, "C0GEN", "help")["shown"][0]["text"]
    return "`/env approve`" in shown


def test_a_rule_that_is_added_and_taken_away_counts_without_a_restart(company, rules):
    c = company(rules=str(rules))
    bot = c.serve()
    first = version(bot)
    assert len(first) == 12 and not may_approve(c)
    (rules / "more.yaml").write_text(BYSTANDER_APPROVES)
    second = becomes_another(c, bot, first)
    assert may_approve(c)
    (rules / "more.yaml").unlink()
    assert becomes_another(c, bot, second) == first
    assert not may_approve(c)
    rows = c.database.query("SELECT detail FROM audit WHERE event = 'rules' ORDER BY id")
    c.slack.wait_for(lambda: len(c.database.query(
        "SELECT 1 FROM audit WHERE event = 'rules'")) == 3, "each version is in the audit")
    assert rows[0]["detail"]["version"] == first
    c.settle()
    assert "access rules" not in str(c.slack.messages("C0OPS"))


def test_what_is_no_yaml_any_more_keeps_the_old_rules_and_is_told_once_and_its_end_too(company,
                                                                                      rules):
    (rules / "more.yaml").write_text(BYSTANDER_APPROVES)
    c = company(rules=str(rules))
    bots = [c.serve(), c.serve()]
    first = version(bots[0])
    (rules / "roles.yaml").write_text("kind: [ClusterRole\n")
    said = told(c, "cannot be read as they are now")
    assert first in said[0] and "roles.yaml:" in said[0], said
    for bot in bots:
        c.slack.wait_for(lambda: "the last ones stay" in bot.log(), "each process notices it", 30)
        assert version(bot) == first
    assert may_approve(c)
    shutil.copy(os.path.join(ROOT, "deploy", "rbac", "roles.yaml"), rules / "roles.yaml")
    told(c, "in order again")
    (rules / "more.yaml").unlink()
    for bot in bots:
        becomes_another(c, bot, first)
    c.slack.wait_for(lambda: c.database.query(
        "SELECT 1 FROM audit WHERE event = 'rules' AND detail ->> 'version' <> %s"
        " AND detail ->> 'problems' = ''", first), "the last version is in the audit", 30)
    c.settle()
    assert len([m for m in c.slack.messages("C0OPS") if "ules" in m["text"]]) == 2
    assert not may_approve(c)
    for bot in bots:
        assert bot.log().count("the last ones stay") == 1


def test_a_folder_that_is_gone_or_empty_keeps_the_old_rules(company, rules):
    (rules / "more.yaml").write_text(BYSTANDER_APPROVES)
    c = company(rules=str(rules))
    bot = c.serve()
    first = version(bot)
    os.rename(rules, str(rules) + ".away")
    told(c, "cannot be read as they are now")
    assert version(bot) == first and may_approve(c)
    os.mkdir(rules)
    told(c, "there is no .yaml, .yml or .json file")
    assert version(bot) == first and may_approve(c)
    os.rmdir(rules)
    os.rename(str(rules) + ".away", rules)
    told(c, "in order again")
    (rules / "more.yaml").unlink()
    becomes_another(c, bot, first)


def test_a_broken_binding_grants_nothing_and_is_told_and_the_rest_is_in_force(company, rules):
    c = company(rules=str(rules))
    bot = c.serve()
    first = version(bot)
    (rules / "more.yaml").write_text(
        BYSTANDER_APPROVES + "---" + BYSTANDER_APPROVES.replace("bystanders", "nothing").replace(
            "envbot-approver", "no-such-role"))
    becomes_another(c, bot, first)
    said = told(c, "is not right")
    assert "more.yaml:" in said[0] and "there is no ClusterRole “no-such-role”" in said[0], said
    assert may_approve(c)


def test_what_a_start_finds_wrong_is_told(company, rules):
    (rules / "more.yaml").write_text("kind: Cake\n")
    c = company(rules=str(rules))
    c.serve()
    assert "kind “Cake”" in told(c, "is not right")[0]
    c.serve()
    c.settle()
    told(c, "is not right", 1)


def test_a_configmap_that_is_swapped_counts(company, tmp_path):
    """As the kubelet writes them: links to a folder behind one link, which is renamed over."""
    folder = tmp_path / "mounted"
    folder.mkdir()

    def fill(name, more):
        (folder / name).mkdir()
        for each in os.listdir(os.path.join(ROOT, "deploy", "rbac")):
            shutil.copy(os.path.join(ROOT, "deploy", "rbac", each), folder / name / each)
        (folder / name / "more.yaml").write_text(more)
        os.symlink(name, folder / "..data_tmp")
        os.rename(folder / "..data_tmp", folder / "..data")

    fill("..2026_11_25_a", "# nothing yet\n")
    for each in os.listdir(folder / "..data"):
        os.symlink(os.path.join("..data", each), folder / each)
    c = company(rules=str(folder))
    bot = c.serve()
    first = version(bot)
    assert not may_approve(c)
    fill("..2026_11_25_b", BYSTANDER_APPROVES)
    shutil.rmtree(folder / "..2026_11_25_a")
    becomes_another(c, bot, first)
    assert may_approve(c)
    c.settle()
    assert "access rules" not in str(c.slack.messages("C0OPS"))
