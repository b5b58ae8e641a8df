"""Asking through the form: two pages, a field for everything, each mistake at its own field."""


def opened(c, user, text="create"):
    """Types it; the form that opened, as (view id, view)."""
    answer = c.slack.type(user, "C0GEN", text, wait=20)
    assert answer["outcome"] == "acked" and not answer["shown"], answer
    held = c.slack.wait_for(lambda: c.slack.views(user), "a form opens")[-1]
    return held["view_id"], held["view"]


def view_of(c, user, view_id):
    return next(v["view"] for v in c.slack.views(user) if v["view_id"] == view_id)


def blocks(view):
    return {b["block_id"]: b for b in view["blocks"]}


def first_page(c, user, template, team=None):
    view_id, _ = opened(c, user)
    values = {"template": {"template": template}}
    if team:
        values["team"] = {"team": team}
    answer = c.slack.submit(user, view_id, values, wait=20)
    assert answer["response_action"] == "update", answer
    return view_id, view_of(c, user, view_id)


def test_a_form_asks_for_all_that_a_template_takes_and_nobody_types_key_value(company):
    c = company()
    c.serve()
    view_id, view = opened(c, "U0DEV")
    fields = blocks(view)
    choices = fields["template"]["element"]["options"]
    assert [o["value"] for o in choices] == ["small", "standard", "auto", "fargate", "gpu"]
    assert fields["template"]["element"]["initial_option"]["value"] == "small"
    assert "Two nodes for trying things out." in str(choices)
    assert fields["team"]["element"]["initial_option"]["value"] == "payments"

    c.slack.close("U0DEV", view_id)

    view_id, view = first_page(c, "U0DEV", "standard")
    fields = blocks(view)
    assert "*Standard cluster* for payments" in str(view["blocks"][0])
    assert fields["set-nodes"]["element"]["initial_value"] == "3"
    assert fields["set-nodes"]["hint"]["text"] == "From 2 to 10."
    assert fields["set-instance"]["element"]["initial_option"]["value"] == "m6i.large"
    assert fields["set-spot"]["element"]["initial_option"]["value"] == "no"
    assert fields["ttl"]["element"]["initial_value"] == "1d"
    assert [o["value"] for o in fields["region"]["element"]["options"]] == [
        "eu-central-1", "eu-west-1", "us-east-1"]

    answer = c.slack.submit("U0DEV", view_id, {
        "name": {"name": "formed"}, "ttl": {"ttl": "4h"}, "set-nodes": {"value": "4"},
        "set-instance": {"value": "m6i.xlarge"}, "set-spot": {"value": "yes"},
        "region": {"region": "eu-west-1"}, "reason": {"reason": "tests <of> a form"}}, wait=20)
    assert answer["outcome"] == "acked" and not answer["ack"], answer
    assert not c.slack.views("U0DEV")
    row = c.environment_row("formed")
    assert (row["team"], row["template"], row["region"], row["ttl_seconds"], row["reason"]) == (
        "payments", "standard", "eu-west-1", 4 * 3600, "tests <of> a form")
    assert row["parameters"]["nodes"] == 4 and row["parameters"]["spot"] is True
    assert row["parameters"]["instance"] == "m6i.xlarge" and row["parameters"]["most"] == 6
    # The words that a typed command gets in its ack come privately where the form was opened.
    c.settle()
    private = [m for m in c.slack.messages("C0GEN", "U0DEV") if m.get("ephemeral_for") == "U0DEV"]
    assert "You asked for *payments/formed*" in private[-1]["text"]


def test_each_mistake_stands_at_its_own_field_and_what_was_typed_stays(company):
    c = company()
    c.serve()
    view_id, _ = first_page(c, "U0DEV", "small")
    wrong = {"name": {"name": "Not_A_Name"}, "ttl": {"ttl": "<soon>"},
             "set-nodes": {"value": "9"}}
    answer = c.slack.submit("U0DEV", view_id, wrong, wait=20)
    errors = answer["errors"]
    assert set(errors) == {"name", "ttl", "set-nodes"}, answer
    assert "For example “not-a-name”" in errors["name"]
    assert "“<soon>” is not a length of time" in errors["ttl"]  # plain text: no entities
    assert "from 1 to 5" in errors["set-nodes"]

    wrong.update({"name": {"name": "right"}, "set-nodes": {"value": "2"}, "ttl": {"ttl": "5d"}})
    answer = c.slack.submit("U0DEV", view_id, wrong, wait=20)
    assert set(answer["errors"]) == {"ttl"} and "at most 3 days" in answer["errors"]["ttl"]

    c.slack.type("U0DEV2", "C0GEN", "create small right", wait=20)
    answer = c.slack.submit("U0DEV", view_id, {**wrong, "ttl": {"ttl": "5h"}}, wait=20)
    assert "The name right is taken" in answer["errors"]["name"]
    answer = c.slack.submit("U0DEV", view_id, {**wrong, "ttl": {"ttl": "5h"},
                                               "name": {"name": "left"}}, wait=20)
    assert not answer["errors"], answer
    assert c.environment_row("left")["ttl_seconds"] == 5 * 3600
    assert c.database.one("SELECT count(*) FROM environments") == 2

    # What the quota refuses is said in the form, too.
    view_id, _ = first_page(c, "U0DEV", "gpu")
    answer = c.slack.submit("U0DEV", view_id, {"set-gpus": {"value": "4"}}, wait=20)
    assert "over the quota of payments" in str(answer["errors"])
    # A team of one's choice: it is that team's quota and approvers.
    view_id, view = first_page(c, "U0DEV", "small", team="search")
    assert "for search" in str(view["blocks"][0])
    assert not c.slack.submit("U0DEV", view_id, {}, wait=20)["errors"]
    assert c.database.one("SELECT count(*) FROM environments WHERE team = 'search'") == 1
