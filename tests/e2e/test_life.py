"""An environment's life as its people see it: the card, the thread, warnings, mails, the end."""

import re


def ask(c, user, text):
    answer = c.slack.type(user, "C0GEN", text, wait=20)
    assert answer["outcome"] == "acked" and len(answer["shown"]) == 1, answer
    return answer["shown"][0]["text"]


def press(c, user, channel, message, action):
    answer = c.slack.click(user, channel, message["ts"], action, wait=20)
    assert answer["outcome"] == "acked", answer


def actions(message):
    return re.findall(r"'action_id': '(\w+)'", str(message["blocks"]))


def in_thread(c, name, words, seconds=40):
    channel, ts, _ = c.message(name)
    return channel, c.slack.wait_for(
        lambda: [m for m in c.slack.thread(channel, ts) if words in m["text"]],
        f"“{words}” is said of {name}", seconds)[-1]


def let_pass(c, name, left, lived="2 hours"):
    """So much time is left of an environment that was ready so long ago."""
    c.database.query(
        "UPDATE environments SET ready_at = now() - %s::interval, due_at = now(),"
        " created_at = now() - %s::interval, expires_at = now() + %s::interval"
        " WHERE name = %s RETURNING 1", lived, lived, left, name)


def test_the_card_says_what_to_decide_and_then_who_decided_and_when(company):
    c = company()
    c.serve()
    ask(c, "U0DEV", "create small web --nodes 3 --ttl 2h --reason 'try <ingress> & co'")
    channel, ts, card = c.message("web", "card")
    assert channel == "C0PLAT" and actions(card) == ["approve", "deny", "changes", "ask"]
    for shown in (str(card["blocks"]), card["text"]):
        for part in ("payments/web", "Small cluster", "Nodes 3", "2 h", "eu-central-1",
                     "try &lt;ingress&gt; &amp; co", "$0.93", "$340", "0 of 5 environments",
                     "1 of 5 environments, 3 of 20 nodes"):
            assert part in shown, part
    assert "<@U0DEV>" in str(card["blocks"]) and "developer asks" in card["text"]

    c.approve("web")
    card = c.slack.wait_for(lambda: (m := c.message("web", "card")[2]) and not actions(m) and m,
                            "the card loses its buttons")
    assert "*Approved* by <@U0APPR> <!date^" in str(card["blocks"])
    assert re.search(r"It was approved by approver on \w{3} \d\d \w{3} \d\d:\d\d UTC", card["text"])
    assert "waits" not in card["text"]

    # Deny asks for the reason in a form, and tells it to who asked.
    ask(c, "U0DEV", "create small no --ttl 1d")
    channel, ts, card = c.message("no", "card")
    press(c, "U0APPR", channel, card, "deny")
    view = c.slack.wait_for(lambda: c.slack.views("U0APPR"), "the form opens")[0]
    assert "payments/no" in str(view["view"]["blocks"])
    answer = c.slack.submit("U0APPR", view["view_id"], {"reason": {"reason": "use <the shared> one"}},
                            wait=20)
    assert answer["outcome"] == "acked" and not answer["errors"]
    card = c.slack.wait_for(lambda: (m := c.message("no", "card")[2]) and not actions(m) and m,
                            "the card loses its buttons")
    assert "*Denied* by <@U0APPR>" in str(card["blocks"])
    assert "denied by approver on" in card["text"]
    _, told = in_thread(c, "no", "denied it")
    assert "<@U0DEV>" in told["text"] and "use &lt;the shared&gt; one" in told["text"]

    # Withdrawn and lapsed ones say so, and nobody can decide any more.
    ask(c, "U0DEV", "create small back")
    ask(c, "U0DEV", "create small late")
    c.message("back", "card")
    assert "is withdrawn" in ask(c, "U0DEV", "withdraw back")
    c.database.query("UPDATE environments SET created_at = now() - interval '25 hours',"
                     " due_at = now() WHERE name = 'late' RETURNING 1")
    c.wait_state("late", "lapsed")
    for name, words in (("back", "withdrawn"), ("late", "lapsed")):
        card = c.slack.wait_for(lambda n=name: (m := c.message(n, "card")[2]) and not actions(m)
                                and m, "the card loses its buttons")
        assert words in card["text"] and words in str(card["blocks"])
    _, told = in_thread(c, "late", "nobody decided in time")
    assert "<@U0DEV>" in told["text"]


def test_from_ready_through_warnings_and_more_time_to_the_end(company):
    c = company()
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 1 --ttl 2h")
    c.wait_state("demo", "ready", seconds=60)
    row = c.environment_row("demo")
    assert (row["expires_at"] - row["ready_at"]).total_seconds() == 2 * 3600  # from ready on
    _, ready = in_thread(c, "demo", "is ready")
    for part in ("<@U0DEV>", "payments-demo", "eu-central-1", "1 node", "<!date^",
                 "aws eks update-kubeconfig --region eu-central-1 --name payments-demo"):
        assert part in ready["text"], part
    _, _, message = c.message("demo")
    assert actions(message) == ["extend", "delete"] and "payments-demo" in str(message["blocks"])

    let_pass(c, "demo", "59 minutes 30 seconds")
    channel, warning = in_thread(c, "demo", "ends in 59 min")
    assert "<@U0DEV>" in warning["text"] and actions(warning) == ["extend", "delete"]
    mail = c.aws.wait_for(lambda: [m for m in c.aws.mails() if "ends in 59 min" in m["subject"]],
                          "the mail that warns")[0]
    assert "/env extend demo" in mail["text"] and "ends in 59 min" in mail["html"]

    # A bystander's press changes nothing; the owner's opens a form that knows no wrong time.
    press(c, "U0BYST", channel, warning, "extend")
    press(c, "U0DEV", channel, warning, "extend")
    view = c.slack.wait_for(lambda: c.slack.views("U0DEV"), "the form opens")[0]
    assert not c.slack.views("U0BYST")
    for time, words in (("soon", "not a length of time"), ("20d", "at most")):
        answer = c.slack.submit("U0DEV", view["view_id"], {"time": {"time": time}}, wait=20)
        assert words in answer["errors"]["time"], answer
    answer = c.slack.submit("U0DEV", view["view_id"], {"time": {"time": "3h"}}, wait=20)
    assert answer["outcome"] == "acked" and not answer["errors"]
    in_thread(c, "demo", "gave it 3 h more")
    left = c.database.one("SELECT expires_at - now() > interval '3 hours 50 minutes'"
                          " FROM environments")
    assert left

    # What the template allows counts from ready; a manager may too; beyond it the approvers decide.
    assert "has 1 day more" in ask(c, "U0MGR", "extend demo 1d")
    assert "can be approved by" in ask(c, "U0DEV", "extend demo 3d")
    assert "taken back" in ask(c, "U0DEV", "withdraw demo")

    # And nothing goes beyond the ceiling, which counts from when its creation began.
    c.database.query("UPDATE environments SET started_at = now() - interval '13 days 20 hours',"
                     " ready_at = now() - interval '1 hour', expires_at = now() + interval '1 hour'"
                     " RETURNING 1")
    refused = ask(c, "U0DEV", "extend demo 1d")
    assert re.search(r"14 days from when its creation began, so at most (3 h|2 h 59 min) more", refused), refused
    suggested = re.search(r"`/env extend demo (\w+)`", refused).group(1)
    assert "more; it ends" in ask(c, "U0DEV", f"extend demo {suggested}")
    c.database.query("UPDATE environments SET started_at = started_at - interval '1 minute'")
    assert "all the time that small allows" in ask(c, "U0DEV", "extend demo 1h")

    # The second warning, and its other button.
    let_pass(c, "demo", "4 minutes 30 seconds")
    channel, warning = in_thread(c, "demo", "ends in 4 min")
    press(c, "U0BYST", channel, warning, "delete")
    press(c, "U0DEV", channel, warning, "delete")
    c.wait_state("demo", "deleted", seconds=60)
    _, gone = in_thread(c, "demo", "is gone")
    c.settle(30)
    assert c.eksctl.clusters() == []
    _, _, message = c.message("demo")
    assert actions(message) == [] and "is gone" in message["text"]
    subjects = [re.sub(r" min \d+ s$", " min", m["subject"]) for m in c.aws.mails()]
    assert subjects == ["Your cluster payments/demo is ready", "payments/demo ends in 59 min",
                        "payments/demo ends in 4 min", "payments/demo is gone"], subjects
    for mail in c.aws.mails():
        assert mail["to"] == ["developer@example.com"] and mail["text"] and mail["html"]
    story = c.thread_text("demo")
    order = [story.index(w) for w in ("asked for", "is ready", "ends in 59", "3 h more",
                                      "ends in 4", "asked for its deletion", "is gone")]
    assert order == sorted(order)
    # The old warning still shows its buttons; they say how it is.
    before = len(c.slack.whispers("U0DEV"))
    press(c, "U0DEV", channel, warning, "extend")
    press(c, "U0DEV", channel, warning, "delete")
    said = c.slack.wait_for(lambda: (w := c.slack.whispers("U0DEV")[before:])[1:] and w,
                            "an answer to each")
    assert set(said) == {"demo is gone.",
                         "demo is not running any more, so it cannot be extended."}, said
    told = [m["text"] for m in c.slack.messages(channel, "U0BYST")
            if m.get("ephemeral_for") == "U0BYST"]
    assert len(told) == 2 and all("do not let you" in t for t in told), told


def test_at_the_end_it_is_deleted_and_who_has_no_address_is_told_so_once(company):
    c = company()
    c.serve()
    ask(c, "U0BYST", "create small mute --nodes 1 --ttl 1h")
    c.wait_state("mute", "ready", seconds=60)
    let_pass(c, "mute", "3 minutes 30 seconds")
    in_thread(c, "mute", "ends in 3 min")
    let_pass(c, "mute", "-1 seconds")
    in_thread(c, "mute", "Its time is up")
    c.wait_state("mute", "deleted", seconds=60)
    in_thread(c, "mute", "is gone")
    c.settle(30)
    assert c.aws.mails() == []
    assert c.thread_text("mute").count("no mail address of yours") == 1
    # One message in the team's channel; everything else stands in its thread.
    standing = [m for m in c.slack.messages("C0PAY")
                if m.get("thread_ts", m["ts"]) == m["ts"] and not m.get("ephemeral_for")]
    assert len(standing) == 1

    # Nothing that opens a door was said or written down anywhere.
    environment = c.environment()
    secrets = [environment[k] for k in environment if k.startswith("SLACK_") or "SECRET" in k]
    log = c.bots[0].log()
    everything = c.slack.transcript() + log + str(c.database.query("SELECT * FROM job_log"))
    assert len(secrets) == 3 and "payments-mute" in everything
    for secret in secrets:
        assert secret not in everything
    assert all(re.match(r"time=\S+Z level=\w+ msg=", line) for line in log.splitlines()), log


def plan(blocks):
    """The plan's steps in their order: what each is called and how it stands."""
    return {task["title"]: task["status"] for block in blocks or [] if block["type"] == "plan"
            for task in block["tasks"]}


def test_the_plan_advances_through_its_phases(company):
    c = company()
    steps = {"Create the control plane": "control-plane", "Install the add-ons": "addons",
             "Start the nodes": "nodegroup", "Wait until all is ready": "ready"}
    titles = ["Plan the cluster", *steps]
    held = {title: c.eksctl.hold("create", phase=phase) for title, phase in steps.items()}
    c.serve()
    ask(c, "U0DEV", "create small slow --nodes 1 --ttl 1h")
    for title, hold in held.items():
        hold.wait(f"eksctl is at “{title}”")
        shown = c.slack.wait_for(
            lambda: (p := plan(c.message("slow")[2]["blocks"])).get(title) == "in_progress" and p,
            f"“{title}” is being done", 60)
        before = titles.index(title)
        assert list(shown) == titles and list(shown.values()) == [
            *["complete"] * before, "in_progress", *["pending"] * (len(titles) - before - 1)]
        hold.lift()
    c.wait_state("slow", "ready", seconds=60)
    c.settle(60)
    # Whatever was shown at any time: what is done, then what is being done, then what is to do.
    order = ["complete", "in_progress", "pending"]
    drawn = [p for call in c.slack.calls("chat.update") if (p := plan(call["arguments"].get("blocks")))]
    assert len(drawn) >= len(steps)
    for statuses in map(list, map(dict.values, drawn)):
        assert statuses == sorted(statuses, key=order.index) and statuses.count("in_progress") <= 1


def test_who_gives_more_time_is_not_warned_again_at_once(company):
    c = company(options={"limits.warn_before": "[1d, 1h, 5m]"})
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 1 --ttl 2h")
    c.wait_state("demo", "ready", seconds=60)
    let_pass(c, "demo", "59 minutes 30 seconds")
    in_thread(c, "demo", "ends in 59 min")

    def next_look():
        return c.database.one("SELECT round(extract(epoch FROM expires_at - due_at)) FROM environments")

    # A life of more than a day now, but the warning of a day before would come at once.
    assert "has 22 h more" in ask(c, "U0DEV", "extend demo 22h")
    assert next_look() == 3600
    let_pass(c, "demo", "19 minutes 30 seconds")
    in_thread(c, "demo", "ends in 19 min")
    assert "has 10 min more" in ask(c, "U0DEV", "extend demo 10m")
    assert next_look() == 300


def test_a_late_start_does_not_carry_it_beyond_the_ceiling(company):
    c = company()
    held = c.eksctl.hold("create")
    c.serve()
    ask(c, "U0DEV", "create small demo --ttl 8h")
    c.approve("demo")
    held.wait("eksctl runs")
    c.database.query("UPDATE environments SET started_at = now() - interval '13 days 23 hours'")
    held.lift()
    c.wait_state("demo", "ready", seconds=60)
    assert c.database.one("SELECT expires_at = started_at + interval '14 days' FROM environments")
