"""What the store promises whatever its callers forget."""

import os
import subprocess

from built import built


def test_a_commit_after_an_overlooked_failure_is_no_success(postgres):
    database = postgres.make_database(f"overlooked_{os.getpid()}")
    database.query("CREATE TABLE kept (number integer)")
    said = subprocess.run([built("drivers/overlooked_failure"), database.url], capture_output=True,
                          text=True, check=True, timeout=60).stdout.splitlines()
    assert said == ["a statement had failed before the commit", "committed"]
    assert database.query("SELECT number FROM kept") == [{"number": 2}]


def test_of_those_that_migrate_at_once_each_finds_all_of_it_done(company):
    """Other tests copy a database that was migrated already."""
    c = company(migrated=False)
    several = [subprocess.Popen([built("envbot"), "migrate", "--config", c.config],
                                env=c.environment(), stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [one.wait(60) for one in several] == [0, 0, 0]
    versions = [row["version"] for row in
                c.database.query("SELECT version FROM schema_migrations ORDER BY version")]
    assert versions == list(range(1, len(versions) + 1)) and len(versions) > 8
