"""Asleep at night by itself: by the clock of the zone that was named, summer time included."""

import datetime
import random
import shutil
import zoneinfo

from test_scale import ask, ready, said

UTC = datetime.timezone.utc
EVERY_DAY = 0x7F


def turn(c, minutes, days, zone, after):
    return c.database.one("SELECT next_turn(%s, %s, %s, %s)", minutes, days, zone, after)


TURNS = [
    ("Europe/Berlin", "20:00", EVERY_DAY, "2026-03-28T12:00Z", "2026-03-28T19:00Z"),
    ("Europe/Berlin", "20:00", EVERY_DAY, "2026-03-28T19:00Z", "2026-03-29T18:00Z"),  # summer time begins
    ("Europe/Berlin", "02:30", EVERY_DAY, "2026-03-28T12:00Z", "2026-03-29T01:30Z"),  # left out: 03:30
    ("Europe/Berlin", "02:30", EVERY_DAY, "2026-10-24T12:00Z", "2026-10-25T01:30Z"),  # the second 02:30
    ("Europe/Berlin", "02:30", EVERY_DAY, "2026-10-25T00:30Z", "2026-10-25T01:30Z"),  # at the first one
    ("Europe/Berlin", "02:30", EVERY_DAY, "2026-10-25T01:30Z", "2026-10-26T01:30Z"),  # and not again
    ("Europe/Berlin", "20:00", 0b11111, "2026-11-27T19:00Z", "2026-11-30T19:00Z"),    # over the weekend
    ("Europe/Berlin", "00:00", 0b1, "2026-11-29T22:00Z", "2026-11-29T23:00Z"),        # Monday is local
    ("Australia/Lord_Howe", "08:00", EVERY_DAY, "2026-10-03T12:00Z", "2026-10-03T21:00Z"),  # half an hour
    ("Pacific/Kiritimati", "08:00", 0b1, "2026-11-29T12:00Z", "2026-11-29T18:00Z"),
    ("UTC", "08:00", 0, "2026-11-29T12:00Z", None),
    ("Europe/Berln", "08:00", EVERY_DAY, "2026-11-29T12:00Z", None)]

def test_the_next_turn_by_the_zones_own_clock(company):
    c = company()
    for zone, time, days, after, expected in TURNS:
        hours, minutes = time.split(":")
        found = turn(c, int(hours) * 60 + int(minutes), days, zone, datetime.datetime.fromisoformat(after))
        wanted = expected and datetime.datetime.fromisoformat(expected)
        assert found == wanted, (zone, time, after, found)
    agrees_with_another_reading_of_the_zones(c)


def by_python(minutes, days, zone, after):
    """The same told by Python's zoneinfo."""
    zone = zoneinfo.ZoneInfo(zone)
    today = after.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for number in range(0, 9):
        day = today + datetime.timedelta(days=number)
        wall = day + datetime.timedelta(minutes=minutes)
        later = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
        exists = later.astimezone(zone).replace(tzinfo=None) == wall
        at = later if exists else wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if days >> (day.isoweekday() - 1) & 1 and at > after:
            return at
    return None


def agrees_with_another_reading_of_the_zones(c):
    chance = random.Random(7)
    changes = {"Europe/Berlin": ["2026-03-29T01:00", "2026-10-25T01:00"],
               "America/New_York": ["2026-03-08T07:00", "2026-11-01T06:00"],
               "Australia/Lord_Howe": ["2026-04-04T15:00", "2026-10-03T15:30"],
               "Africa/Cairo": ["2026-04-23T22:00", "2026-10-29T21:00"],
               "Asia/Kolkata": ["2026-06-01T00:00"]}
    for _ in range(80):
        zone = chance.choice(list(changes))
        near = datetime.datetime.fromisoformat(chance.choice(changes[zone]) + "+00:00")
        after = near + datetime.timedelta(minutes=chance.randrange(-3000, 3000))
        minutes = chance.choice([chance.randrange(0, 240), chance.randrange(0, 1440)])
        days = chance.choice([EVERY_DAY, 0b11111, 1 << chance.randrange(7)])
        found = turn(c, minutes, days, zone, after)
        assert found == by_python(minutes, days, zone, after), (zone, minutes, days, after)


def now_it_turns(c, name="demo"):
    c.database.query("UPDATE environments SET turn_at = now(), due_at = now() WHERE name = %s RETURNING 1",
                     name)


def test_it_goes_to_sleep_and_wakes_by_itself(company, tmp_path):
    templates = tmp_path / "templates"
    shutil.copytree("templates", templates)
    small = templates / "environments" / "small.yaml"
    small.write_text(small.read_text() +
                     "sleep: {at: \"20:00\", wake: \"08:00\", days: mon-fri, zone: Europe/Berlin}\n")
    c = company(templates=str(templates))
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 2 --ttl 2h")
    c.approve("demo")
    row = ready(c, "demo")
    assert row["turn_at"] == turn(c, 1200, 0b11111, "Europe/Berlin", row["ready_at"])
    assert "It sleeps mon-fri at 20:00 and wakes at 08:00, Europe/Berlin" in ask(c, "U0DEV", "show demo")

    now_it_turns(c)
    row = c.wait_state("demo", "asleep", seconds=60)
    said(c, "demo", "Its schedule puts it to sleep")
    row = c.slack.wait_for(lambda: (r := c.environment_row("demo"))["turn_at"] > r["ready_at"] and r,
                           "the next turn is known")
    wakes = turn(c, 480, 0b11111, "Europe/Berlin", datetime.datetime.now(UTC))
    assert row["turn_at"] == wakes and row["nodes"] == 0

    # Where its nodes do not fit, it sleeps on, and says so; the next time it is tried again.
    c.database.query("UPDATE teams SET nodes = 0 WHERE name = 'payments' RETURNING 1")
    now_it_turns(c)
    story = said(c, "demo", "could not turn by its schedule, and is asleep")
    assert "<@U0DEV>" in story and "/env wake demo" in story
    assert c.environment_row("demo")["turn_at"] == wakes
    c.database.query("UPDATE teams SET nodes = 20 WHERE name = 'payments' RETURNING 1")
    now_it_turns(c)
    ready(c, "demo", 2)
    said(c, "demo", "Its schedule wakes it")

    # A turn that comes while something else changes is taken afterwards.
    held = c.eksctl.hold("scale")
    ask(c, "U0DEV", "scale demo 1")
    now_it_turns(c)
    c.slack.wait_for(lambda: (r := c.environment_row("demo"))["due_at"] > r["turn_at"],
                     "the clock has looked at it", 60)
    assert c.environment_row("demo")["state"] == "changing"
    held.lift()
    c.wait_state("demo", "asleep", seconds=60)
    assert c.environment_row("demo")["awake"]["nodes"] == 1


def times_said(c, words, name="demo"):
    return c.thread_text(name).count(words)


def test_a_turn_waits_for_the_end_of_a_pause_and_one_whose_time_is_past_is_left_out(company):
    c = company()
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 1 --ttl 2h")
    ready(c, "demo")
    ask(c, "U0DEV", "sleep demo --at 20:00 --wake 08:00 --zone UTC")
    ask(c, "U0DEV2", "pause AWS is being repaired")

    # It does not queue up: the environment stays as it is, and is told so once.
    now_it_turns(c)
    story = said(c, "demo", "its schedule's turn waits")
    assert "<@U0DEV2> has paused provisioning (“AWS is being repaired”)" in story
    for _ in range(2):
        later = c.database.one("UPDATE environments SET due_at = now() RETURNING due_at")
        c.slack.wait_for(lambda: c.environment_row("demo")["due_at"] > later, "it is looked at again", 60)
    c.settle(60)
    assert times_said(c, "its schedule's turn waits") == 1
    row = c.environment_row("demo")
    assert row["state"] == "ready" and row["due_at"] <= row["expires_at"]
    assert c.database.one("SELECT count(*) FROM jobs WHERE kind = 'sleep'") == 0

    # When its next turn has come meanwhile, it is too late for this one.
    c.database.query("UPDATE environments SET turn_at = now() - interval '25 hours', due_at = now()")
    said(c, "demo", "its schedule's turn was left out")
    row = c.slack.wait_for(lambda: (r := c.environment_row("demo"))["turn_at"] >
                           datetime.datetime.now(UTC) and r, "the next turn is known", 60)
    assert row["state"] == "ready"
    assert row["turn_at"] == turn(c, 1200, EVERY_DAY, "UTC", datetime.datetime.now(UTC))

    # Else it turns when the pause is over.
    now_it_turns(c)
    c.slack.wait_for(lambda: times_said(c, "its schedule's turn waits") == 2, "it waits again", 60)
    ask(c, "U0DEV2", "resume")
    c.wait_state("demo", "asleep", seconds=180)
    # And what nobody was there to take is left out as well, asleep or awake.
    c.database.query("UPDATE environments SET turn_at = now() - interval '25 hours', due_at = now()")
    c.slack.wait_for(lambda: times_said(c, "its schedule's turn was left out") == 2, "it is left out", 60)
    assert c.environment_row("demo")["state"] == "asleep"


def test_a_schedule_of_its_own(company, tmp_path):
    c = company()
    c.eksctl.set_pace(create_seconds=0.4)
    c.serve()
    ask(c, "U0DEV", "create small demo --nodes 1 --ttl 2h")
    assert ready(c, "demo")["turn_at"] is None
    for words, refusal in (
            ("--at 25:00", "at is a time of day like 20:00, not “25:00”"),
            ("--wake 08:00", "Say at what time it sleeps: `/env sleep demo --at 20:00`"),
            ("--at 20:00 --days never", "days are written like mon-fri"),
            ("--at 20:00 --zone Europe/Berln", "Did you mean Europe/Berlin?")):
        assert refusal in ask(c, "U0DEV", f"sleep demo {words}"), words
    assert "do not let you" in ask(c, "U0BYST", "sleep demo --at 20:00")
    assert c.environment_row("demo")["schedule"] is None

    # In the zone of who says so, where none is given.
    answer = ask(c, "U0DEV", "sleep demo --at 21:15 --wake 07:00 --days sat,sun")
    zone = c.environment_row("demo")["owner_zone"]
    assert f"sleeps sat-sun at 21:15 and wakes at 07:00, {zone}" in answer
    row = c.environment_row("demo")
    assert row["turn_at"] == turn(c, 21 * 60 + 15, 0b1100000, zone, datetime.datetime.now(UTC))
    said(c, "demo", "changed when it sleeps: it sleeps sat-sun")
    assert "sleeps by hand only" in ask(c, "U0DEV", "sleep demo --off")
    assert c.environment_row("demo")["turn_at"] is None
    assert c.environment_row("demo")["state"] == "ready"


def test_a_zone_that_does_not_exist_is_told_before_it_matters(company, tmp_path):
    templates = tmp_path / "templates"
    shutil.copytree("templates", templates)
    small = templates / "environments" / "small.yaml"
    text = small.read_text()
    c = company(templates=str(templates))
    for sleep, problem in (
            ('{at: "20:00", zone: Europe/Berln}', "Did you mean Europe/Berlin?"),
            ('{at: "20:00"}', "The time zone is missing"),
            ('{at: "20:00", zone: UTC, weekdays: mon}', "weekdays is not a key of this")):
        small.write_text(f"{text}sleep: {sleep}\n")
        done = c.run("check")
        assert done.returncode == 1 and problem in done.stdout + done.stderr, done
    auto = templates / "environments" / "auto.yaml"
    small.write_text(text)
    auto.write_text(auto.read_text() + 'sleep: {at: "20:00", zone: UTC}\n')
    done = c.run("check")
    assert "no managed node groups" in done.stdout + done.stderr
