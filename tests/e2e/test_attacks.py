"""The wrong person, in every form, at every button, every form and every typed word: an answer each,
and nothing has changed but the audit."""

import re
import shutil

from company import ROOT
from test_codes import KEY
from test_wrong_click import FULL_MEMBERS

RULES = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {name}, namespace: {team}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: envbot-{role}}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: "{who}"}}]
---
"""
# The rules name nobody who is not here; people are called by their mail addresses.
BINDINGS = [
    ("payments", "requester", "Group", "team:payments"),
    ("payments", "approver", "Group", "slack:platform-approvers"),
    ("payments", "approver", "User", "typed@example.com"),
    ("payments", "manager", "Group", "slack:managers"),
    ("payments", "breakglass", "Group", "slack:on-call"),
    ("payments", "operator", "Group", "slack:managers"),  # in one team that is nothing
    ("search", "requester", "Group", "team:search"),
    ("search", "approver", "Group", "slack:security"),
]
SECRET = "hushhush"  # in every request's reason

# Who they are, what else is true of them, and the groups of the rules that they are in.
BOTH = ["platform-approvers", "managers"]
PEOPLE = {
    "the requester": ("U0DEV", {}, ["platform-approvers", "on-call"]),
    "their second account": ("U0TWIN", {"email": "DEVELOPER@example.com"}, BOTH[:1]),
    "a bystander": ("U0BYST", {"email": "bystander@example.com"}, []),
    "who was removed": ("U0APPR2", {}, []),
    "an approver of another team": ("U0SECUR", {}, ["security"]),
    "whom no rule names": ("U0NORULE", {}, []),
    "without an address": ("U0NOMAIL", {"email": None}, BOTH),
    "with a typed address": ("U0TYPED", {"email": "typed@example.com", "is_email_confirmed": False},
                             BOTH),
    "a guest": ("U0GUEST", {}, BOTH),
    "a guest of one channel": ("U0SINGLE", {"is_restricted": True, "is_ultra_restricted": True},
                               BOTH),
    "who is only invited": ("U0INVTD", {"is_invited_user": True}, BOTH),
    "a bot": ("U0BOT", {"is_bot": True}, BOTH),
    "a workflow": ("U0FLOW", {"is_workflow_bot": True}, BOTH),
    "who has gone": ("U0GONE", {}, BOTH),
    "a stranger of a shared channel": ("U0STRNGR", {}, BOTH),
    "an approver's id in another workspace": ("T0OTHER/U0APPR", {}, []),
}
OUTSIDERS = list(PEOPLE)[list(PEOPLE).index("a guest"):]
NOBODIES = ["whom no rule names", "without an address", "with a typed address"]
# What is theirs by right, so that it is left out here.
LOOKS = {"word help", "word whoami", "word templates", "word list", "word show", "word quota",
         "word create", "form create", "word opens"}
MAY = {
    "the requester": LOOKS | {
        "click deny", "form deny", "word deny", "word glass", "word audit",
        *(f"{way} {what}" for way in ("click", "form", "word")
          for what in ("answer", "extend", "delete", "withdraw", "retry", "logs", "scale", "sleep",
                       "wake", "upgrade", "access"))},
    "their second account": LOOKS | {"click deny", "form deny", "word deny", "click logs",
                                     "word logs"},
    "a bystander": LOOKS,
    "who was removed": {"word help", "word whoami", "word templates"},
    "an approver of another team": {"word help", "word whoami", "word templates"},
    **{who: {"word help", "word whoami", "word templates"} for who in NOBODIES},
}
DECIDE = {"approve", "deny", "changes", "ask", "takeback"}  # on a card of what waits
REFUSALS = [
    re.escape(FULL_MEMBERS), r"The rules do not name you as an approver of \w+ environments in ",
    r"The rules (do not let you|let nobody) ", "Nobody approves their own request",
    r"This is not the card of \w+ but a copy of it, so nothing was decided",
    r"You have not approved \w+, so there is nothing to take back",
    "Nobody reviews what they started themselves", r"Only <@U0DEV> can answer this",
    r"There (is no|never was an) environment `\w+`",
    "What this button belongs to does not exist, or the rules do not show it to you",
]


def guarded_template(tmp_path):
    """The templates, and one whose approvers prove themselves."""
    templates = tmp_path / "templates"
    shutil.copytree(f"{ROOT}/templates", templates)
    text = (templates / "environments" / "small.yaml").read_text()
    (templates / "environments" / "coded.yaml").write_text(
        text.replace("approval:\n", "approval:\n  code: true\n"))
    return str(templates)


def own_rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    shutil.copy(f"{ROOT}/deploy/rbac/roles.yaml", folder)
    (folder / "bindings.yaml").write_text("".join(
        RULES.format(name=f"b{number}", team=team, role=role, kind=kind, who=who)
        for number, (team, role, kind, who) in enumerate(BINDINGS)))
    return str(folder)


class Town:
    """A company in which one thing of each kind waits for somebody to act on it."""

    def __init__(self, company, tmp_path):
        c = self.c = company(
            slack_arguments=["--relaxed-limits"], templates=guarded_template(tmp_path),
            rules=own_rules(tmp_path),
            options={"rbac.user_name": "email", "approvals.code_key": KEY, "jobs.lease": "60s"})
        c.eksctl.add_fault("create", "fail", match="payments-fails", phase="nodegroup",
                           reason='AWS::EKS::Nodegroup/X: CREATE_FAILED – "NoCapacity"')
        self.bot = c.serve()
        for user, flags, groups in PEOPLE.values():
            if "/" in user:
                continue
            if flags or not any(p["id"] == user for p in c.slack.state()["people"]):
                c.slack.person(user, **{"email": f"{user.lower()}@example.com", **flags})
            for group in groups:
                c.slack.group(group, add=[user])
        for words in ("create coded guarded", "create small waits", "create small fails",
                      "create small glass --break-glass"):
            answer = c.slack.type("U0DEV", "C0GEN", f"{words} --reason {SECRET}", wait=20)
            assert "You " in answer["shown"][0]["text"], answer["shown"]
        c.approve("fails")
        c.slack.type("U0APPR", "C0GEN", "ask waits what for?")
        c.wait_state("glass", "ready", seconds=60)
        c.wait_state("fails", "failed", seconds=60)
        c.slack.wait_for(lambda: c.database.one(
            "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')") == 0, "no job runs",
            60)
        for name in ("guarded", "waits"):
            c.message(name, "card")
        c.settle(60)
        c.slack.group("platform-approvers", remove=["U0APPR2"])
        self.card = dict(zip(("channel", "ts"), c.message("waits", "card")))
        self.id = {r["name"]: r["id"] for r in c.database.query("SELECT id, name FROM environments")}
        self.question = c.database.one("SELECT id FROM questions")

    def value(self, name, more=".1"):
        return f"{self.id[name]}{more}"

    def clicks(self):
        """(action, value)"""
        for name in ("waits", "guarded"):
            for action in ("approve", "deny", "changes", "takeback", "ask"):
                yield action, self.value(name)
        yield "answer", self.value("waits", f".{self.question}")
        yield "withdraw", self.value("waits", "")
        yield "retry", self.value("fails", "")
        for action in names_in("actions") - DECIDE - {"answer", "withdraw", "retry"}:
            yield action, self.value("glass", "")

    def forms(self):
        """(callback, private_metadata, what is filled in)"""
        yield "create", "C0GEN small payments", {"name": "another"}
        yield "create", "C0GEN", {"template": "small", "team": "payments"}
        for name in ("waits", "guarded"):
            at = f"C0PLAT {self.value(name)}"
            yield "approve", at, {"code": "123456", "reason": "yes"}
            yield "deny", at, {"reason": "no"}
            yield "ask", at, {"question": "why?"}
        yield "answer", f"C0PLAT {self.value('waits', f'.{self.question}')}", {"answer": "so"}
        for callback in names_in("submissions") - {"create", "approve", "deny", "ask", "answer"}:
            yield callback, f"C0PAY {self.id['glass']}", {"time": "1h"}

    def words(self):
        yield from ["help", "whoami", "templates", "create", "create small another --team payments",
                    "create small another --team payments --dry-run",
                    "create small another --team payments --break-glass --reason now",
                    "list --all", "list --team payments", "show waits", "withdraw guarded",
                    "quota payments", "quota set payments environments=50", "report payments",
                    "report --csv", "pause --all for a while", "answer waits so"]
        about = {"withdraw": ["waits"], "retry": ["fails"], "show": ["waits", "glass"],
                 **dict.fromkeys(DECIDE, ["waits", "guarded"])}
        for name, usage in usages().items():
            for env in about.get(name, ["glass"]):
                filled = {"NAME": env, "TIME": "1h", "NODES": "3", "VERSION": "1.34"}
                yield " ".join([name, *(filled.get(word, "why") for word in usage)])

    def acts_of(self, who):
        """(what it is called, the act) of everything that this person should not be able to do."""
        team, slash, user = PEOPLE[who][0].rpartition("/")
        home = {"user_team": team} if slash else {}
        may = MAY.get(who, set())
        for action, value in self.clicks():
            if f"click {action}" not in may:
                yield f"click {action}", {"do": "click", "user": user, **self.card, **home,
                                          "action_id": action, "value": value, "forged": True}
        for callback, metadata, filled in self.forms():
            if f"form {callback}" not in may:
                yield f"form {callback}", self.form(user, team, callback, metadata, filled)
        for text in self.words():
            apart = {"create": "opens", "quota set payments environments=50": "limits"}
            named = f"word {apart.get(text, 'glass' if '--break' in text else text.split()[0])}"
            if named not in may:
                yield named, self.word(user, team, text)

    def home_of(self, user, team):
        people = self.c.slack.state()["people"]
        return team or next(p["team_id"] for p in people if p["id"] == user)

    def form(self, user, team, callback, metadata, filled):
        self.trigger = getattr(self, "trigger", 0) + 1
        return {"do": "envelope", "type": "interactive", "takes_payload": True, "payload": {
            "type": "view_submission", "trigger_id": f"form.{self.trigger}",
            "user": {"id": user, "team_id": self.home_of(user, team)}, "team": {"id": "T0ACME"},
            "view": {"id": f"V{self.trigger}", "callback_id": callback,
                     "private_metadata": metadata, "state": {"values": {
                         k: {"value" if k.startswith("set-") else k: {
                             "type": "plain_text_input", "value": v}}
                         for k, v in filled.items()}}}}}

    def word(self, user, team, text):
        self.trigger = getattr(self, "trigger", 0) + 1
        return {"do": "envelope", "type": "slash_commands", "payload": {
            "team_id": self.home_of(user, team), "channel_id": "C0GEN", "user_id": user,
            "user_name": "x", "command": "/env", "text": text,
            "trigger_id": f"word.{self.trigger}"}}

    def right_people(self):
        c = self.c
        # a question proves nothing, so it takes no code
        asked = c.slack.type("U0APPR3", "C0GEN", "ask guarded what for?", wait=30)
        assert asked["shown"][0]["text"].startswith("<@U0DEV> is asked"), asked
        acts = [self.word("U0APPR3", "", "approve waits yes"), self.word("U0MGR", "", "delete glass"),
                self.word("U0DEV", "", "withdraw guarded"), self.word("U0DEV", "", "retry fails")]
        said = [words_of(answer)[0] for answer in c.slack.flood([dict(a, wait=30) for a in acts])]
        for words, begin in zip(said, ["You approved waits.", "*glass* is being deleted.",
                                       "The request for *guarded* is withdrawn.",
                                       "*fails* is tried again."]):
            assert words.startswith(begin), said

    def everything(self):
        """All that must stay as it is."""
        c = self.c
        tables = [r["tablename"] for r in c.database.query(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        apart = {"audit", "audit_chain", "audit_unsealed", "audit_heads", "envelopes", "outbox",
                 "looks"}
        assert apart < set(tables)
        held = {table: c.database.query(f"SELECT * FROM {table} ORDER BY 1, 2")
                for table in sorted(set(tables) - apart)}
        held["audit"] = c.database.query("SELECT * FROM audit WHERE event <> 'refused' ORDER BY id")
        held["outbox"] = c.database.query(
            "SELECT id, template FROM outbox WHERE template IS DISTINCT FROM 'private' ORDER BY id")
        return held


def words_of(answer):
    """What the ack says, as people see it."""
    ack = answer["ack"] or {}
    return [w for w in [ack.get("text"), *ack.get("errors", {}).values()] if w]


def is_refusal(text):
    text = text.replace("“", "`").replace("”", "`")  # as forms say it
    return any(re.match(pattern, text) for pattern in REFUSALS)


def refused(who, named, act, answer):
    """Whether the ack answers as it should: a click's says nothing, anything else a refusal."""
    said = words_of(answer)
    if answer["outcome"] != "acked" or len(said) != (0 if act["do"] == "click" else 1):
        return False
    if who in OUTSIDERS and said:
        return said == [FULL_MEMBERS]
    if any(SECRET in words for words in said):
        return False
    if named == "word list" and "There is nothing" in said[0]:
        return True
    return all(map(is_refusal, said))


def usages():
    """What must follow the name of each command that is about something: {"extend": ["NAME", …]}."""
    with open(f"{ROOT}/commands/table.c", encoding="utf-8") as file:
        found = re.findall(r'\.name = "(\w+)",\s*\.usage = "([A-Z ]*)', file.read())
    return {name: usage.split() for name, usage in found
            if name not in ("answer", "create", "report", "quota", "help", "whoami", "templates", "list")}


def names_in(table):
    """The names of one of the tables in commands/table.c."""
    with open(f"{ROOT}/commands/table.c", encoding="utf-8") as file:
        text = file.read()
    start = text.index(f"const struct command {table}[] = {{")
    return set(re.findall(r'\.name = "(\w+)"', text[start:text.index("\n};", start)]))


def test_the_wrong_person_is_answered_and_changes_nothing(company, tmp_path):
    town = Town(company, tmp_path)
    c = town.c
    before = town.everything()
    tried = [(who, named, dict(act, wait=30)) for who in PEOPLE for named, act in town.acts_of(who)]
    heard = {who: len(c.slack.whispers(PEOPLE[who][0])) for who in PEOPLE}
    answers = c.slack.flood([act for _, _, act in tried])

    wrong = [(who, named, answer) for (who, named, act), answer in zip(tried, answers)
             if not refused(who, named, act, answer)]
    assert not wrong, [(who, named, words_of(answer)) for who, named, answer in wrong]
    for who, (user, _, _) in PEOPLE.items():
        clicks = sum(w == who and act["do"] == "click" for w, _, act in tried)
        said = c.slack.wait_for(
            lambda: len(w := c.slack.whispers(user)) >= heard[who] + clicks and w[heard[who]:],
            f"{clicks} answers to {who}", 60)
        assert len(said) == clicks
        assert all(is_refusal(words) for words in said), (who, said)
        assert set(said) == {FULL_MEMBERS} or who not in OUTSIDERS, (who, said)
        if "/" not in user:
            assert c.slack.views(user) == [], who
    c.settle(30)
    assert town.everything() == before
    assert town.bot.process.poll() is None and "a handler failed" not in town.bot.log()

    # The same words and clicks of the right people do what they are for.
    town.right_people()
