"""More time until a moment, by the clock of who says so."""

import datetime
import zoneinfo

from test_scale import ask, ready

UTC = datetime.timezone.utc


def test_it_is_extended_until_a_moment(company):
    c = company()
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 1 --ttl 2h")
    zone = zoneinfo.ZoneInfo(ready(c, "demo")["owner_zone"])

    def ends():
        return c.environment_row("demo")["expires_at"].astimezone(zone)

    # Tomorrow at 18:30 their time: within the three days that the template gives without asking.
    tomorrow = (datetime.datetime.now(zone) + datetime.timedelta(days=1)).date()
    assert "more; it ends" in ask(c, "U0DEV", "extend demo tomorrow 18:30")
    assert ends().replace(tzinfo=None) == datetime.datetime.combine(tomorrow, datetime.time(18, 30))
    # The day of the week after that is the same moment's next hour.
    day = tomorrow.strftime("%a").lower()
    assert "has 1 h more" in ask(c, "U0DEV", f"extend demo {day} 19:30")
    assert "has 1 h more" in ask(c, "U0DEV", f"extend demo {tomorrow.isoformat()} 20:30")
    assert ends().replace(tzinfo=None) == datetime.datetime.combine(tomorrow, datetime.time(20, 30))
    before = ends()
    for words, refusal in (
            (f"{tomorrow.isoformat()} 20:30", "lives longer than that already"),
            ("2026-01-01", "lives longer than that already"),
            ("2026-02-30", "not a length of time"),
            ("soon", "Or write when it ends: fri 18:00, 2026-12-01"),
            ("2099-01-01", "14 days from when its creation began")):
        refused = ask(c, "U0DEV", f"extend demo {words}")
        assert refusal in refused, (words, refused)
    assert ends() == before

    # In the form as typed.
    channel, ts, _ = c.message("demo")
    c.slack.click("U0DEV", channel, ts, "extend")
    view = c.slack.wait_for(lambda: c.slack.views("U0DEV"), "the form opens", 30)[0]
    answer = c.slack.submit("U0DEV", view["view_id"], {"time": {"time": f"{day} 21:00"}}, wait=20)
    assert answer["outcome"] == "acked" and not answer["errors"], answer
    assert ends().replace(tzinfo=None) == datetime.datetime.combine(tomorrow, datetime.time(21, 0))


def test_it_is_asked_for_until_a_moment(company):
    c = company()
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    tomorrow = (datetime.datetime.now(UTC) + datetime.timedelta(days=1)).date().isoformat()
    for when, refusal in (("2026-01-01", "2026-01-01 is over already"),
                          ("2026-02-30", "not a length of time"),
                          ("2099-01-01", "is longer than small allows"),
                          ("later", "Or write when it ends: 2026-12-01")):
        assert refusal in (said := ask(c, "U0DEV", f"create small demo --ttl {when}")), said
    assert c.environment_row("demo") is None
    assert "You asked for *payments/demo*" in ask(c, "U0DEV", f'create small demo --ttl "{tomorrow} 18:00"')
    c.approve("demo")
    row = ready(c, "demo")
    # It ends then, however long it waited for its approval and its creation.
    zone = zoneinfo.ZoneInfo(row["owner_zone"])
    assert row["expires_at"].astimezone(zone).replace(tzinfo=None).isoformat() == f"{tomorrow}T18:00:00"
    assert row["expires_at"] <= row["ready_at"] + datetime.timedelta(seconds=row["ttl_seconds"])

    # Too late for that: then it has the time that it would have had.
    ask(c, "U0DEV", f'create small late --ttl "{tomorrow} 18:00"')
    c.database.query("UPDATE environments SET until = now() WHERE name = 'late' RETURNING 1")
    c.approve("late")
    row = ready(c, "late")
    assert row["expires_at"] == row["ready_at"] + datetime.timedelta(seconds=row["ttl_seconds"])
