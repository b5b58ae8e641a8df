"""What people type, and what they read: who may see what, mistakes, limits."""

import os
import shutil

import pytest
from company import ROOT, Company


def speaker(c):
    """typed(user, text): the text that the person reads."""
    def typed(user, text, blocks=False):
        answer = c.slack.type(user, "C0GEN", text, wait=20)
        assert answer["outcome"] == "acked", (text, answer)
        assert len(answer["shown"]) == 1, (text, answer)
        shown = answer["shown"][0]
        return str(shown.get("blocks")) if blocks else shown["text"]

    typed.company = c
    return typed


@pytest.fixture
def typed(company):
    c = company()
    c.serve()
    return speaker(c)


@pytest.fixture(scope="module")
def looking(tmp_path_factory, postgres):
    """One company for all who look and change no environment."""
    c = Company(tmp_path_factory.mktemp("looking"), postgres, f"looking{os.getpid()}")
    c.serve()
    yield speaker(c)
    violations = c.slack.violations()
    c.stop()
    assert not violations


def rows(c, table="environments"):
    return c.database.one(f"SELECT count(*) FROM {table}")


def test_help_shows_what_one_may_do_and_no_more(looking):
    developer, approver, manager = (looking(u, "help") for u in ("U0DEV", "U0APPR", "U0MGR"))
    for text in (developer, approver, manager):
        assert "/env create" in text and "/env list" in text
    assert "/env approve" not in developer and "/env report" not in developer
    assert "/env approve" in approver and "/env deny" in approver
    assert "/env report" in manager and "/env approve" not in manager
    assert looking("U0DEV", "") == developer

    one = looking("U0DEV", "help create")
    assert "--ttl" in one and "--dry-run" in one and "For example" in one
    assert "do not let you" in looking("U0DEV", "help report")
    assert "Did you mean `create`?" in looking("U0DEV", "help creat")


def test_whoami_says_who_one_is_for_the_rules_and_what_one_may(looking):
    text = looking("U0DEV", "whoami")
    assert "developer" in text and "slack:U0DEV" in text and "developer@example.com" in text
    assert "*payments*: you may look, ask for clusters and see the quota" in text
    assert "approve" in looking("U0APPR", "whoami")
    assert "set the quota" in looking("U0MGR", "whoami")
    assert "Mail: unknown" in looking("U0BYST", "whoami")


def test_templates_says_what_can_be_asked_for_and_with_what(looking):
    text = looking("U0DEV", "templates")
    for name in ("auto", "fargate", "gpu", "small", "standard"):
        assert f"*{name}*" in text
    assert "--nodes 2" in text and "at most 3 days" in text and "eu-central-1" in text


ONE_TEMPLATE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: small-only, namespace: payments}
rules:
- {apiGroups: [envbot.dev], resources: [environments], resourceNames: [small], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: small-only, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: small-only}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0DEV"}]
"""


def test_what_a_person_may_not_ask_for_is_not_shown_to_them(company, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rules.yaml").write_text(ONE_TEMPLATE)
    c = company(rules=str(rules))
    c.serve()
    typed = speaker(c)
    said = typed("U0DEV", "templates")
    assert "*small*" in said and not any(
        f"*{name}*" in said for name in ("auto", "fargate", "gpu", "standard")), said
    said = typed("U0DEV2", "templates")
    assert "do not let you ask for any cluster yet" in said and "*small*" not in said, said
    assert "/env create" in typed("U0DEV", "help") and "/env create" not in typed("U0DEV2", "help")
    c.slack.type("U0DEV", "C0GEN", "create", wait=20)
    form = c.slack.wait_for(lambda: c.slack.views("U0DEV"), "a form opens", 30)[0]["view"]
    (choice,) = [b["element"]["options"] for b in form["blocks"] if b.get("block_id") == "template"]
    assert [option["value"] for option in choice] == ["small"]
    refused = typed("U0DEV", "create standard demo")
    assert "do not let you ask for standard environments in payments" in refused
    assert "the verb `create`, which the rules give to nobody" in refused
    assert "do not let you ask for small environments in payments" in typed("U0DEV2", "create small demo")


MISTAKES = [
    ("creat small demo", "Did you mean `/env create`?"),
    ("frobnicate", "`/env help` lists what there is"),
    ("help frobnicate", "`/env help` lists what there is"),
    ("help creat", "Did you mean `create`?"),
    ("create smal demo", "There is no template `smal`. Did you mean `small`?"),
    ("create small demo --team paymets", "There is no team `paymets`. Did you mean `payments`?"),
    ("create small demo --region eu-centrl-1", "Did you mean `eu-central-1`?"),
    ("create small demo --region us-east-1", "it is in eu-central-1 and eu-west-1"),
    ("create small demo --nods 3", "Did you mean `--nodes`?"),
    ("create small demo --set nods=3", "Did you mean `nodes`?"),
    ("create small demo --set nodes", "--set takes key=value"),
    ("create small demo --nodes many", "nodes is a whole number, not “many”"),
    ("create small demo --nodes 9", "nodes goes from 1 to 5"),
    ("create small demo --instance t3.larg", "Did you mean t3.large?"),
    ("create standard demo --spot=maybe", "spot is yes or no, not “maybe”"),
    ("create small demo --ttl soon", "write it like 30m, 8h, 2d or 1w"),
    ("create small demo --ttl 4d", "at most 3 days"),
    ("create small demo --ttl", "--ttl needs a value"),
    ("create small Demo_1", "For example `demo-1`"),
    ("create small demo one two", "Understood template `small` and name `demo`, but not `one`"),
    ("create small demo --reason \"open", "A quotation mark is open"),
    ("create --dry-run", "Say which template"),
    ("list --al", "Did you mean `--all`?"),
    ("list --stat ready", "Did you mean `--state`?"),
    ("list --state redy", "Did you mean `ready`?"),
    ("list --team searh", "Did you mean `search`?"),
    ("list demo", "Did you mean `/env show demo`?"),
    ("show", "Say which environment"),
    ("show nix", "There is no environment `nix`"),
    ("show demo twice", "I understood `show demo`, but not `twice`"),
    ("delete demo --force yes", "`delete` has no option `--force`"),
    ("delete paymets/demo", "Did you mean `payments`?"),
    ("extend demo", "`/env extend NAME 4h`"),
    ("quota paymnts", "Did you mean `payments`?"),
]


def test_a_mistake_gets_what_was_not_understood_and_the_nearest_that_exists(looking):
    for text, expected in MISTAKES:
        assert expected in looking("U0DEV", text), text
    assert rows(looking.company) == 0
    assert rows(looking.company, "outbox") == 0


def test_a_manager_sets_limits_and_bad_values_change_nothing(looking):
    assert "let you change quotas" in looking("U0DEV", "quota set search nodes=5")
    assert "@managers" in looking("U0DEV", "quota set search nodes=5")
    for words, expected in [
            ("search nods=3", "Did you mean `nodes`?"), ("search nodes", "nodes needs a number"),
            ("search nodes=-1", "whole number"), ("search nodes=", "whole number"),
            ("search nodes= 5", "whole number"), ("search nodes=1e3", "whole number"),
            ("search nodes=99999999999999999999", "whole number"),
            ("search environments=7 nodes=x", "whole number"),
            ("searhc nodes=2", "Did you mean `search`?"), ("search", "For example")]:
        assert expected in looking("U0MGR", f"quota set {words}"), words
    before = looking("U0MGR", "quota search")
    assert "0 of 3` environments" in before and "0 of 10` nodes" in before

    after = looking("U0MGR", "quota set search environments=7 nodes=none")
    assert "0 of 7` environments" in after and "0, no limit` nodes" in after
    assert looking("U0DEV", "quota search") == after
    audit = looking.company.database.query("SELECT * FROM audit WHERE event = 'quota-set'")
    assert [(a["actor_name"], a["team"]) for a in audit] == [("manager", "search")]


def test_quota_is_shown_with_bars_in_blocks_and_in_plain_text(typed):
    typed("U0DEV", "create small one --nodes 5")
    text = typed("U0DEV", "quota payments")
    assert "The quota of payments" in text
    assert "▓▓░░░░░░░░ 1 of 5` environments" in text and "5 of 20` nodes" in text
    assert "*search*" not in text
    assert "5 of 20" in typed("U0DEV", "quota payments", blocks=True)
    assert "0 of 0` GPUs" in typed("U0DEV", "quota search")


def test_over_quota_is_refused_with_when_there_is_room_again(typed):
    c = typed.company
    typed("U0MGR", "quota set payments environments=2")
    typed("U0DEV", "create small first --ttl 4h")
    typed("U0DEV", "create small demo2 --ttl 3h --nodes 1")
    c.database.query(
        "UPDATE environments SET state = 'ready', ready_at = now(), due_at = now() + interval '1d',"
        " expires_at = now() + CASE name WHEN 'demo2' THEN interval '3 hours 10 minutes 30 seconds'"
        "  ELSE interval '5 hours' END RETURNING 1")
    refused = typed("U0DEV", "create small third")
    assert "it has 2 of 2 environments in use, and this takes 1 more" in refused
    assert "when payments/demo2 ends, in 3 h 10 min" in refused
    assert "/env quota payments" in refused

    # Two nodes more are missing than demo2's end frees: it is the other one that counts.
    typed("U0MGR", "quota set payments environments=5 nodes=3")
    assert "when payments/first ends" in typed("U0DEV", "create small third --nodes 3")
    # What no end makes room for is said so.
    typed("U0MGR", "quota set payments nodes=none")
    refused = typed("U0DEV", "create gpu third --gpus 3")
    assert "this takes 3 more. That is more than its whole limit" in refused
    assert "falls free" not in refused
    assert rows(c) == 2


def test_a_taken_name_is_refused_with_who_has_it(typed):
    typed("U0DEV", "create small demo")
    refused = typed("U0BYST", "create small demo")
    assert "The name demo is taken: payments/demo of developer" in refused
    # Another team's demo is another cluster.
    assert "search/demo" in typed("U0MGR", "create small demo")
    assert "--team" in typed("U0MGR", "show demo")
    assert "payments/demo" in typed("U0MGR", "show payments/demo")


def test_a_request_that_nobody_could_approve_is_refused_at_once(company, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rules.yaml").write_text("""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: ask}
rules:
  - {apiGroups: [envbot.dev], resources: [environments], verbs: [create, list, get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: approve}
rules:
  - {apiGroups: [envbot.dev], resources: [environments], verbs: [approve], resourceNames: [small]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: ask, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ask}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:authenticated"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: approve, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: approve}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0DEV"}]
""")
    c = company(rules=str(rules))
    c.serve()

    def ask(user, text):
        return c.slack.type(user, "C0GEN", text, wait=20)["shown"][0]["text"]

    # The only approver asks; for another template there is none at all.
    assert "Nobody could approve this" in ask("U0DEV", "create small demo")
    assert "Nobody could approve this" in ask("U0DEV2", "create standard demo")
    # In a team whose rules do not let them ask.
    assert "the verb `create`, which the rules give to nobody" in ask(
        "U0DEV", "create small demo --team search")
    assert rows(c) == 0
    assert "It can be approved by <@U0DEV>" in ask("U0DEV2", "create small demo")
    assert rows(c) == 1


def test_a_dry_run_shows_everything_and_asks_for_nothing(looking):
    assert "spot: true" in looking("U0DEV", "create standard --spot demo --dry-run")
    text = looking("U0DEV", "create small demo --nodes 3 --ttl 4h --dry-run")
    assert "kind: ClusterConfig" in text and "name: payments-demo" in text
    assert "desiredCapacity: 3" in text and '"envbot:owner": U0DEV' in text
    assert "$340 a month" in text and "for 4 h" in text
    assert "1 of 5 environments, 3 of 20 nodes" in text and "$340 of $5,000 a month" in text
    assert "@platform-approvers" in text
    assert "*Approval* is not needed" in looking("U0DEV", "create small demo --nodes 1 --ttl 2h --dry-run")
    # What would be refused is refused here too.
    assert "over the quota" in looking("U0DEV", "create gpu demo --gpus 4 --dry-run")
    assert rows(looking.company) == 0


def test_list_shows_the_team_mine_all_or_a_state(typed):
    assert "nothing to list" in typed("U0DEV", "list")
    typed("U0DEV", "create small mine")
    typed("U0DEV2", "create small other")
    typed("U0MGR", "create small far")
    typed("U0DEV2", "withdraw other")

    team = typed("U0DEV", "list")
    assert "payments/mine" in team and "payments/other" not in team and "search/far" not in team
    assert "waits for approval" in team
    assert "search/far" in typed("U0DEV", "list --all")
    assert "search/far" in typed("U0DEV", "list --team search")
    assert "payments/mine" not in typed("U0DEV2", "list --mine")
    assert "payments/other" in typed("U0DEV", "list --state withdrawn")
    assert "nothing to list" in typed("U0DEV", "list --state ready")
    assert "payments/mine" in typed("U0DEV", "list", blocks=True)
    shown = typed("U0DEV", "show mine")
    assert "Small cluster" in shown and "payments-mine" in shown and "a month" in shown


def test_whom_the_rules_name_twice_could_still_approve_only_once(company, tmp_path):
    templates, rules = tmp_path / "templates", tmp_path / "rules"
    shutil.copytree(os.path.join(ROOT, "templates"), templates)
    small = (templates / "environments" / "small.yaml").read_text()
    for name, approval in (("two", "count: 2"),
                           ("sure", "groups: {\"slack:security\": 1}")):
        (templates / "environments" / f"{name}.yaml").write_text(
            small.replace("count: 1", approval))
    rules.mkdir()
    (rules / "rules.yaml").write_text("""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
rules:
  - {apiGroups: [envbot.dev], resources: [environments], verbs: [create, approve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all}
subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0DEV"}
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0MGR"}
  - {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "slack:managers"}
""")
    c = company(rules=str(rules), templates=str(templates))
    c.serve()

    def ask(text):
        return c.slack.type("U0DEV", "C0GEN", text, wait=20)["shown"][0]["text"]

    assert "needs 2 approvals, and the rules name only 1" in ask("create two demo")
    assert "it needs 1 of @security, and 0 of them could" in ask("create sure demo")
    assert rows(c) == 0
    assert "It can be approved by" in ask("create small demo")
    assert "3 days from when it is ready" in ask("create small long --ttl 4d")


def test_what_a_person_may_not_see_hides_nothing_of_what_they_may(company, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rules.yaml").write_text("""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
rules:
  - {apiGroups: [envbot.dev], resources: [environments], verbs: [create, approve, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all, namespace: search}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:authenticated"}]
""")
    c = company(rules=str(rules))
    c.serve()
    typed = speaker(c)
    assert "search/there" in typed("U0MGR", "create small there --team search")
    c.database.query(
        "INSERT INTO environments (team, name, cluster, region, owner_workspace, owner_id,"
        " owner_name, template, template_copy, parameters, state, ttl_seconds, nodes, vcpus, gpus,"
        " hourly_usd, monthly_usd) SELECT 'payments', 'e' || n, 'payments-e' || n, region,"
        " owner_workspace, CASE n WHEN 50 THEN 'U0APPR' ELSE 'U0DEV2' END, owner_name, template,"
        " template_copy, parameters, state, ttl_seconds, nodes, vcpus, gpus, hourly_usd,"
        " monthly_usd FROM environments, generate_series(1, 50) n RETURNING 1")
    shown = typed("U0APPR", "list")
    assert "search/there" in shown and "payments/e50" in shown and "payments/e49" not in shown
    assert "search/there" in typed("U0APPR", "list --state pending")


def test_no_name_is_said_of_what_a_person_may_not_see(company, tmp_path):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "rules.yaml").write_text("""
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: looker}
rules:
  - {apiGroups: [envbot.dev], resources: [environments], verbs: [create, get, list, approve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: all, namespace: search}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: looker}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:authenticated"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: some, namespace: payments}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: looker}
subjects:
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0DEV"}
  - {apiGroup: rbac.authorization.k8s.io, kind: User, name: "slack:U0APPR"}
""")
    c = company(rules=str(rules))
    c.serve()
    typed = speaker(c)
    for name, team in (("hidden", "payments"), ("both", "payments"), ("both", "search")):
        assert f"{team}/{name}" in typed("U0DEV", f"create small {name} --team {team}")
    nearest = "There is no environment `hiden`. Did you mean `hidden`?"
    one_each = "Say which with `--team`."
    # Who may see it, and who owns it, is told; nobody else.
    assert typed("U0APPR", "show hiden") == nearest
    assert typed("U0DEV", "show hiden") == nearest
    assert typed("U0BYST", "show hiden") == \
        "There is no environment `hiden`. `/env list --all` shows what there is."
    assert typed("U0APPR", "show both").endswith(one_each)
    assert "search-both" in typed("U0BYST", "show both")
    c.database.query("UPDATE environments SET owner_id = 'U0BYST' WHERE name = 'hidden'")
    assert typed("U0BYST", "show hiden") == nearest

    # Of two that are both hidden, no team is named.
    path = rules / "rules.yaml"
    path.write_text(path.read_text().replace("system:authenticated", "slack:nobody"))
    c.bots[0].stop()
    c.serve()
    assert typed("U0BYST", "show both") == "Several teams have a both. Say which with `--team`."
