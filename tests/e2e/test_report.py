"""The report: the same numbers in the chat's table and text, in the file, and on the command line."""

import csv
import io


def ran(c, team, name, begin, end, hourly, waited=None):
    """An environment of the past, as its row tells it."""
    c.database.query(
        "INSERT INTO environments (team, name, cluster, region, owner_workspace, owner_id,"
        " owner_name, template, template_copy, parameters, reason, state, ttl_seconds, nodes,"
        " vcpus, gpus, hourly_usd, monthly_usd, created_at, started_at, ready_at, ended_at)"
        " VALUES (%s, %s, %s, 'eu-central-1', 'T0ACME', 'U0DEV', 'developer', 'small', '{}', '{}',"
        " '', 'deleted', 3600, 1, 2, 0, %s, 100, %s::timestamptz - interval '1 hour', %s, %s, %s)",
        team, name, f"{team}-{name}", hourly, begin, begin, begin, end)
    if waited:
        c.database.query(
            "INSERT INTO decisions (environment, revision, workspace, user_id, user_name, word,"
            " reason, rule, groups, decided_at) SELECT id, 1, 'T0ACME', 'U0APPR', 'approver',"
            " 'approve', '', '', '{}', created_at + %s::interval FROM environments"
            " WHERE name = %s RETURNING 1", waited, name)


def test_a_months_report_has_the_same_numbers_everywhere(company):
    c = company()
    c.serve()

    def ask(user, text):
        return c.slack.type(user, "C0GEN", text, wait=20)["shown"][0]

    ask("U0MGR", "quota set payments monthly_usd=100")
    ask("U0MGR", "quota set search monthly_usd=none")
    ran(c, "payments", "whole", "2026-10-01 00:00+00", "2026-10-01 10:00+00", 2.5, "10 minutes")
    ran(c, "payments", "begun", "2026-09-30 20:00+00", "2026-10-01 04:00+00", 1, "30 minutes")
    ran(c, "search", "over", "2026-10-31 22:00+00", "2026-11-01 02:00+00", 3)
    ran(c, "search", "other", "2026-08-01 00:00+00", "2026-08-02 00:00+00", 3, "1 minute")

    # "begun" was decided in September: its wait is that month's.
    message = ask("U0MGR", "report --month 2026-10")
    blocks = {b["type"]: b for b in message["blocks"]}
    rows = [[cell["text"] for cell in row] for row in blocks["table"]["rows"]]
    assert rows == [
        ["Team", "Environments", "Hours", "Cost", "Approvals", "Median wait", "Of the limit"],
        ["payments", "2", "14.0", "$29.00", "0", "-", "29% of $100"],
        ["search", "1", "2.0", "$6.00", "0", "-", "no limit"]]
    chart = blocks["data_visualization"]["chart"]
    assert [(p["label"], p["value"]) for p in chart["series"][0]["data"]] == [
        ("payments", 29), ("search", 6)]
    assert "$35.00" in str(blocks["section"])
    for row in rows[1:]:
        for cell in row:
            assert cell in message["text"]

    c.database.query("UPDATE decisions SET decided_at = decided_at + interval '6 hours' RETURNING 1")
    c.database.query("UPDATE environments SET created_at = created_at + interval '6 hours'"
                     " RETURNING 1")
    message = ask("U0MGR", "report payments --month 2026-10")
    rows = [[cell["text"] for cell in row] for row in message["blocks"][1]["rows"]]
    assert rows[1:] == [["payments", "2", "14.0", "$29.00", "2", "20 min", "29% of $100"]]

    printed = c.run("report", "--month", "2026-10")
    assert printed.returncode == 0, printed.stderr
    lines = printed.stdout.splitlines()
    assert lines[1].split() == ["payments", "2", "14.0", "$29.00", "2", "20", "min", "29%", "of",
                                "$100"]
    assert lines[2].split()[:4] == ["search", "1", "2.0", "$6.00"]

    # As a file, by the three steps of an upload.
    assert "comes to you as a file" in ask("U0MGR", "report --month 2026-10 --csv")["text"]
    files = c.slack.wait_for(lambda: [f for m in c.slack.direct("U0MGR")
                                      for f in m.get("files", [])], "the file arrives", 30)
    assert files[0]["name"] == "envbot-2026-10.csv"
    held = files[0]["content"]
    table = list(csv.DictReader(io.StringIO(held)))
    assert table[0] == {
        "month": "2026-10", "team": "payments", "environments": "2", "hours": "14.00",
        "estimated_usd": "29.00", "approvals": "2", "denied": "0", "median_wait_seconds": "1200",
        "monthly_limit_usd": "100.00", "broke_glass": ""}
    assert table[1]["monthly_limit_usd"] == "" and table[1]["median_wait_seconds"] == ""
    assert c.run("report", "--month", "2026-10", "--csv").stdout.replace("\r", "") == held.replace(
        "\r", "")

    # Who may not, and what is mistyped.
    assert "do not let you read" in ask("U0DEV", "report")["text"]
    assert "do not let you see reports" in ask("U0DEV", "report payments")["text"]
    assert "Did you mean `payments`?" in ask("U0MGR", "report paymnts")["text"]
    assert "written like 2026-11" in ask("U0MGR", "report --month october")["text"]
    wrong = c.run("report", "paymnts")
    assert wrong.returncode == 2 and "no team paymnts" in wrong.stderr
