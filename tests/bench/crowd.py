"""Many jobs: what 200 at once take, and how soon a job whose process died is taken over."""

import os
import statistics
import time

from jobs import end_jobs, job_pids, kill_job, read_notes, requests
from world import cpu_seconds, memory_mb, wait_for


def answering(world):
    """The eksctl of this bench says that nothing is there, and hangs when it is to create."""
    open(os.path.join(world.directory, "bin", "answers"), "w", encoding="utf-8").close()


def start_jobs(world, count, seconds=240):
    """So many environments asked for and approved by the database's word: a crowd of clicks is not what
    is measured. Until each has its job process, and that its eksctl."""
    notes = os.path.join(world.directory, "bin", "notes")
    before = sum(n[1] == "create" for n in read_notes(notes))
    requests(world, count)
    began = time.monotonic()
    world.database.query("INSERT INTO jobs (environment, kind, region)"
                         " SELECT id, 'create', region FROM environments WHERE state = 'pending'")
    world.database.query("UPDATE environments SET state = 'queued', decided_at = now()"
                         " WHERE state = 'pending'")
    world.database.query("NOTIFY envbot_jobs")
    wait_for(lambda: sum(n[1] == "create" for n in read_notes(notes)) - before >= count,
             f"{count} jobs create", seconds)
    return time.monotonic() - began


def at_once(world, count):
    answering(world)
    bot = world.serve()
    world.generator.run("list", 1, count=1)
    try:
        seconds = start_jobs(world, count)
        time.sleep(15)  # a heartbeat and a half
        pids = job_pids(world)
        sizes = [memory_mb(pid) for pid in pids]
        before = sum(cpu_seconds(pid) for pid in pids), cpu_seconds(bot.pid), time.monotonic()
        time.sleep(20)
        taken = time.monotonic() - before[2]
        return {"jobs": count, "processes": len(pids), "all_started_s": seconds,
                "memory": {key: sum(s[key] for s in sizes) / count for key in sizes[0]},
                "pss_sum": sum(s["pss"] for s in sizes),
                "cpu_of_core": (sum(cpu_seconds(pid) for pid in pids) - before[0]) / taken,
                "bot_of_core": (cpu_seconds(bot.pid) - before[1]) / taken}
    finally:
        bot.stop()
        end_jobs(world)


def take_over(world, count, lease):
    """Seconds from a job's death to its next claim, and of that what is beyond its lease."""
    answering(world)
    world.write_config(lease=f"{lease}s", heartbeat=f"{max(1, lease // 4)}s")
    bot = world.serve()
    world.generator.run("list", 1, count=1)
    fences = "SELECT min(fence) FROM jobs"
    try:
        start_jobs(world, count)
        world.database.query("CREATE TABLE IF NOT EXISTS taken (job bigint, at timestamptz, was timestamptz)")
        world.database.query("TRUNCATE taken")
        world.database.query("""
            CREATE OR REPLACE FUNCTION note_taken() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN INSERT INTO taken VALUES (NEW.id, clock_timestamp(), OLD.lease_until); RETURN NULL; END$$""")
        world.database.query("CREATE OR REPLACE TRIGGER note_taken AFTER UPDATE ON jobs FOR EACH ROW"
                             " WHEN (NEW.fence > OLD.fence) EXECUTE FUNCTION note_taken()")
        died = world.database.one("SELECT extract(epoch FROM clock_timestamp())::float")
        for pid in job_pids(world):
            kill_job(pid)
        wait_for(lambda: world.database.one(fences) >= 2, "all are taken over", lease * 3 + 60)
        rows = world.database.query("SELECT extract(epoch FROM at)::float AS at,"
                                    " extract(epoch FROM at - was)::float AS beyond FROM taken")
        taken = sorted(row["at"] - died for row in rows)
        return {"jobs": len(rows), "lease_s": lease, "p50_s": statistics.median(taken),
                "most_s": taken[-1], "beyond_lease_s": max(row["beyond"] for row in rows)}
    finally:
        world.database.query("DROP TRIGGER IF EXISTS note_taken ON jobs")
        bot.stop()
        end_jobs(world)
        world.write_config()
