"""The sweep compares AWS with what stands in the table, both ways; it tells the operators of what only one
of them has, and deletes nothing unless it may, and then only what is surely a forgotten cluster of ours."""

DAY = 86400
OURS = {"envbot:managed": "true", "envbot:environment": "4711", "envbot:team": "search",
        "envbot:owner": "U0GONE"}


def make(c, name):
    c.slack.type("U0DEV", "C0GEN", f"create small {name} --nodes 1 --ttl 1h", wait=20)
    c.wait_state(name, "ready")


def swept(c):
    return [m["text"] for m in c.slack.messages("C0OPS") if m["text"].startswith(":broom:")]


def deleted(c):
    return [call["argv"][call["argv"].index("--name") + 1] for call in c.eksctl.calls("delete")]


def lose(c, name):
    """The cluster is deleted behind envbot's back."""
    c.eksctl.write("stacks.json", {key: stack for key, stack in c.eksctl.read("stacks.json", {}).items()
                                   if stack["cluster"] != name})


def test_what_only_one_side_has_is_told_and_nothing_is_deleted(company):
    c = company()
    c.serve()
    make(c, "kept")
    make(c, "lost")
    clean = c.run("sweep")
    assert clean.returncode == 0, clean.stderr
    assert clean.stdout.startswith("AWS and the table agree: 2 clusters in "), clean.stdout
    assert not swept(c)

    lose(c, "payments-lost")
    c.eksctl.place_foreign("search-old", "eu-west-1", tags=OURS, age=3 * DAY)
    c.eksctl.place_foreign("theirs", "eu-central-1", tags={"owner": "somebody"}, age=9 * DAY)
    dry = c.run("sweep", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    for part in ("search-old in eu-west-1 is in AWS with envbot's tags (team search, owner U0GONE",
                 "It is 3 days old", "eksctl delete cluster --name search-old --region eu-west-1",
                 "payments/lost is ready here, but there is no cluster payments-lost in eu-central-1"):
        assert part in dry.stdout, dry.stdout
    assert "kept" not in dry.stdout and "theirs" not in dry.stdout
    assert c.database.one("SELECT count(*) FROM sweeps") == 2  # the one that the schema has, and one

    assert c.run("sweep").stdout == dry.stdout
    assert c.run("sweep").stdout == dry.stdout
    c.slack.wait_for(lambda: swept(c), "the operators hear it")
    c.settle()
    assert len(swept(c)) == 1 and "search-old" in swept(c)[0]  # once, although it was found twice
    assert deleted(c) == []
    c.slack.type("U0DEV", "C0GEN", "delete lost")
    c.wait_state("lost", "deleted")
    c.eksctl.write("stacks.json", {k: s for k, s in c.eksctl.read("stacks.json", {}).items()
                                   if s["cluster"] != "search-old"})
    assert c.run("sweep").returncode == 0
    c.slack.wait_for(lambda: "agree again" in swept(c)[-1], "the operators hear that it is well")
    assert c.run("sweep", "--all").returncode == 2


def test_an_orphan_is_deleted_where_that_is_allowed_and_no_doubt_is_left(company):
    c = company(options={"sweep.delete_orphans": "true"})
    c.serve()
    make(c, "kept")
    c.eksctl.place_foreign("search-old", "eu-west-1", tags=OURS, age=3 * DAY)
    c.eksctl.place_foreign("search-new", "eu-west-1", tags=OURS, age=3600)
    c.eksctl.place_foreign("theirs", "eu-west-1", tags={"envbot:team": "search"}, age=9 * DAY)
    # our own, in another region: an environment has its name
    c.eksctl.place_foreign("payments-kept", "eu-west-1", tags=OURS, age=9 * DAY)

    c.eksctl.add_fault("get", "throttle", match="eu-central-1")
    unread = c.run("sweep")
    assert unread.returncode == 1
    assert "eu-central-1 could not be read" in unread.stdout and "nothing was deleted" in unread.stdout
    assert "Rate exceeded" in unread.stdout
    assert "payments/kept" not in unread.stdout  # who cannot look does not say that nothing is there
    assert c.run("sweep", "--dry-run").returncode == 0
    assert deleted(c) == []

    done = c.run("sweep")
    assert done.returncode == 0, done.stdout + done.stderr
    assert deleted(c) == ["search-old"], done.stdout
    assert "It was deleted." in done.stdout
    assert "An environment has its name by now, so it was left alone." in done.stdout
    assert sorted(c.eksctl.clusters()) == ["payments-kept", "search-new", "theirs"]
    report = c.database.one("SELECT report FROM sweeps ORDER BY id DESC LIMIT 1")
    assert [f["cluster"] for f in report["findings"] if f.get("deleted")] == ["search-old"]


def test_it_is_done_every_hour_by_a_job_process(company):
    c = company(options={"sweep.every": "1h"})
    c.eksctl.place_foreign("search-old", "eu-west-1", tags=OURS, age=3 * DAY)
    bots = [c.serve(), c.serve()]
    make(c, "kept")
    assert c.database.one("SELECT count(*) FROM sweeps") == 1  # not due yet
    c.database.query("UPDATE sweeps SET begun_at = now() - interval '61 minutes'")
    c.slack.wait_for(lambda: swept(c), "the operators hear it", 40)
    assert "search-old" in swept(c)[0]
    assert c.database.one("SELECT count(*) FROM sweeps") == 2  # two bots, one sweep
    assert deleted(c) == []
    for bot in bots:
        c.slack.wait_for(lambda: 'envbot_sweep_found{kind="orphan"} 1' in bot.get("/metrics")[1],
                         "the gauge says one orphan", 30)
    # a process that died in it holds it up no longer than its lease
    c.database.query("INSERT INTO sweeps (begun_at, lease_until) VALUES"
                     " (now() - interval '2 hours', now() - interval '1 hour')")
    c.slack.wait_for(lambda: c.database.one("SELECT count(*) FROM sweeps WHERE finished_at IS NOT NULL") == 3,
                     "the next one is done", 40)
    report = c.database.one("SELECT report FROM sweeps ORDER BY id DESC LIMIT 1")
    assert [finding["kind"] for finding in report["findings"]] == ["orphan"]
